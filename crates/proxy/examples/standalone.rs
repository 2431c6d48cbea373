//! A proxy by itself, as the benchmarks start it: `standalone LISTEN SOCKET TABLE.json [WORKERS]`.

use serin_proxy::{Config, Table, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, socket, table, workers @ ..] = &arguments[..] else {
        return Err("usage: standalone LISTEN SOCKET TABLE.json [WORKERS]".into());
    };
    let table: Table = serde_json::from_str(&std::fs::read_to_string(table)?)?;
    let mut config = Config::new(listen.parse()?, socket);
    config.table = Some(table);
    if let [workers] = workers {
        config.workers = workers.parse()?;
    }
    Ok(serve(config)?)
}
