//! `serin proxy`: the data plane as a process of its own.

use std::process::ExitCode;

use serin_proxy::{Config, Table};

use crate::arguments::Proxy;
use crate::error::CliError;

pub(super) fn run(proxy: Proxy) -> Result<ExitCode, CliError> {
    let table = proxy.table.as_deref().map(read_table).transpose()?;
    let Some(first) = proxy.listen.first() else {
        return Err(CliError::usage("no address to listen on", "give one with --listen"));
    };
    let mut config = Config::new(*first, proxy.socket);
    config.listen = proxy.listen;
    config.workers = proxy.workers.max(1);
    config.metrics_listen = proxy.metrics;
    config.table = table;
    serin_proxy::serve(config)?;
    Ok(ExitCode::SUCCESS)
}

fn read_table(path: &std::path::Path) -> Result<Table, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io(format!("read {}", path.display())))?;
    let table: Table = serde_json::from_str(&text)
        .map_err(|e| CliError::Usage { message: format!("{} is no table: {e}", path.display()), hint: None })?;
    let problems = table.validate();
    match problems.is_empty() {
        true => Ok(table),
        false => Err(CliError::Usage { message: format!("{}: {}", path.display(), problems.join("; ")), hint: None }),
    }
}
