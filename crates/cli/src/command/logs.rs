//! `serin logs`: what members, the router and the control process printed.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serin_local::client::Client;
use serin_local::protocol::Request;
use serin_supervisor::logs;

use crate::arguments::Logs;
use crate::error::CliError;
use crate::output;

/// Time between two looks while following.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(state: &Path, wanted: &Logs) -> Result<ExitCode, CliError> {
    let mut files = files(state, &wanted.service).await?;
    let several = files.len() > 1;
    for (name, path) in &files {
        let lines = logs::tail(path, wanted.lines).map_err(CliError::io(format!("read {}", path.display())))?;
        print(several.then_some(name), &lines);
    }
    if !wanted.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut seen: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for (_, path) in &files {
        seen.insert(path.clone(), length(path));
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        for (name, path) in &files {
            let from = seen.get(path).copied().unwrap_or(0);
            let (lines, to) = read_from(path, from);
            print(Some(name), &lines);
            seen.insert(path.clone(), to);
        }
        // New members come while an update goes on; a control process that is gone ends nothing.
        if let Ok(now) = self::files(state, &wanted.service).await {
            files = now;
        }
    }
}

async fn files(state: &Path, service: &str) -> Result<Vec<(String, PathBuf)>, CliError> {
    if service == "router" || service == "serin" {
        return Ok(vec![(service.to_owned(), state.join("logs").join(format!("{service}.log")))]);
    }
    let mut client = Client::connect(state).await?;
    let all: Result<Vec<(String, PathBuf)>, _> = client.ask(&Request::Logs { service: service.to_owned() }).await;
    match all {
        Ok(files) => Ok(files),
        Err(refused) => {
            // It may be the name of one member.
            let every: Vec<(String, PathBuf)> = client.ask(&Request::Logs { service: "all".to_owned() }).await?;
            let one: Vec<_> = every.into_iter().filter(|(name, _)| name == service).collect();
            if one.is_empty() { Err(refused.into()) } else { Ok(one) }
        }
    }
}

fn print(name: Option<&String>, lines: &[String]) {
    for line in lines {
        match name {
            Some(name) => output::line(format!("{name} | {line}")),
            None => output::line(line),
        }
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// Whole lines after `from`, and where they end. A file that became shorter was rotated: it is read from its start.
fn read_from(path: &Path, from: u64) -> (Vec<String>, u64) {
    let start = if length(path) < from { 0 } else { from };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(start))?;
        file.take(1 << 20).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return (Vec::new(), start);
    }
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let text = String::from_utf8_lossy(&bytes[..end]);
    (text.lines().map(str::to_owned).collect(), start + end as u64)
}
