//! `serin up` and `serin down`: the control process, in the foreground or behind.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serin_local::client::Client;
use serin_local::protocol::{Info, Request};
use serin_local::{Engine, EventRecord, LocalError, Options};
use serin_spec::Source;

use crate::arguments::Up;
use crate::command::lint;
use crate::error::CliError;
use crate::output::{self, time_of_day};

/// Longest wait for a control process in the background to be there.
const START: Duration = Duration::from_secs(20);

/// Longest wait for everything to stop: the longest usual grace period and some.
const STOP: Duration = Duration::from_secs(90);

/// Bytes of a log that are searched for the reason of a failed start.
const LAST_WORDS_MAX: u64 = 64 << 10;

pub(super) async fn up(state: &Path, up: Up) -> Result<ExitCode, CliError> {
    // Everything is checked before anything is touched.
    let sources = up.folder.clone().map(|folder| lint::checked(&[folder])).transpose()?.unwrap_or_default();
    if up.detach { behind(state, &up).await } else { foreground(state, up, sources).await }
}

async fn foreground(state: &Path, up: Up, sources: Vec<Source>) -> Result<ExitCode, CliError> {
    let own = std::env::current_exe().map_err(CliError::io("find the serin program"))?;
    let options = Options {
        state: state.to_owned(),
        folder: up.folder.as_deref().map(absolute).transpose()?,
        speed: up.speed,
        router_command: vec![own.to_string_lossy().into_owned(), "proxy".to_owned()],
        listen: up.listen,
        status: up.status,
        prometheus: up.prometheus,
    };
    let mut engine = Engine::open(options, Box::new(show)).await?;
    output::tell(format!("serin takes requests on http://{}", engine.router()));
    let sources: Vec<(String, String)> = sources.into_iter().map(|s| (s.name, s.text)).collect();
    for outcome in engine.apply(&sources)? {
        if outcome.changed {
            output::tell(outcome.message);
        }
    }
    engine.run(quit()).await?;
    Ok(ExitCode::SUCCESS)
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::fs::canonicalize(path).map_err(CliError::io(format!("find {}", path.display())))
}

fn show(event: &EventRecord) {
    let name = event.object.rsplit('/').next().unwrap_or_default();
    let mark = if event.warning { "!" } else { " " };
    output::tell(format!("{} {mark} {name:<24} {}", time_of_day(event.at_ms), event.message));
}

/// Ctrl-C stops everything; a TERM leaves members and router to the next control process, so that a service manager can
/// restart this one without moving traffic.
async fn quit() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {
            output::tell("stopping; requests under way are finished first");
            true
        }
        _ = term.recv() => false,
    }
}

/// Starts this program again in the background and waits until it answers.
async fn behind(state: &Path, up: &Up) -> Result<ExitCode, CliError> {
    match Client::connect(state).await {
        Ok(_) => return Err(LocalError::InUse { folder: state.to_owned() }.into()),
        Err(LocalError::NotRunning { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let info = start_behind(state, up).await?;
    output::line(format!("serin takes requests on http://{} (process {})", info.router, info.pid));
    Ok(ExitCode::SUCCESS)
}

/// Starts a control process in the background and returns once it answers and has made its first decisions.
pub(super) async fn start_behind(state: &Path, up: &Up) -> Result<Info, CliError> {
    use std::os::unix::process::CommandExt as _;
    let logs = state.join("logs");
    serin_local::store::make_private(state)?;
    serin_local::store::make_private(&logs)?;
    let log = logs.join("serin.log");
    let file = serin_supervisor::logs::open(&log).map_err(CliError::io(format!("write {}", log.display())))?;
    let errors = file.try_clone().map_err(CliError::io(format!("write {}", log.display())))?;
    let before = file.metadata().map_or(0, |m| m.len());
    let own = std::env::current_exe().map_err(CliError::io("find the serin program"))?;
    let mut command = Command::new(own);
    command.arg("up").args(&up.folder).arg("--state").arg(state);
    if let Some(speed) = up.speed {
        command.arg("--speed").arg(speed.to_string());
    }
    if let Some(listen) = up.listen {
        command.arg("--listen").arg(listen.to_string());
    }
    if let Some(status) = up.status {
        command.arg("--status").arg(status.to_string());
    }
    if let Some(url) = &up.prometheus {
        command.arg("--prometheus").arg(url);
    }
    // A process group of its own: Ctrl-C in this terminal is not for it.
    command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
    let mut child = command.spawn().map_err(CliError::io("start the control process"))?;
    let end = Instant::now() + START;
    loop {
        if let Ok(mut client) = Client::connect(state).await
            && let Ok(info) = client.ask::<Info>(&Request::Info).await
            && info.settled
        {
            return Ok(info);
        }
        if let Ok(Some(status)) = child.try_wait() {
            let why = last_words(&log, before).unwrap_or_else(|| status.to_string());
            return Err(CliError::Behind { why, log, code: status.code() });
        }
        if Instant::now() > end {
            return Err(LocalError::NotRunning { folder: state.to_owned() }.into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a control process said about its end, after this place of its log: earlier ones wrote there too.
fn last_words(log: &Path, from: u64) -> Option<String> {
    let mut file = std::fs::File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut said = String::new();
    file.take(LAST_WORDS_MAX).read_to_string(&mut said).ok()?;
    let said: Vec<&str> = said.lines().filter(|l| l.contains("error:") || l.contains("hint:")).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

pub(super) async fn down(state: &Path) -> Result<ExitCode, CliError> {
    match Client::connect(state).await {
        Ok(mut client) => stop_running(&mut client).await?,
        Err(LocalError::NotRunning { .. }) if state.join(serin_local::store::FILE).exists() => {
            // The control process was killed; what it left running is stopped by one that takes up its state.
            let own = std::env::current_exe().map_err(CliError::io("find the serin program"))?;
            let options = Options {
                state: state.to_owned(),
                folder: None,
                speed: None,
                router_command: vec![own.to_string_lossy().into_owned(), "proxy".to_owned()],
                listen: None,
                status: None,
                prometheus: None,
            };
            Engine::stop_leftovers(options).await?;
        }
        Err(error) => return Err(error.into()),
    }
    output::line("everything is stopped");
    Ok(ExitCode::SUCCESS)
}

/// Asks a control process to stop everything and waits until it has.
pub(super) async fn stop_running(client: &mut Client) -> Result<(), CliError> {
    let info: Info = client.ask(&Request::Info).await?;
    let _: serde_json::Value = client.ask(&Request::Down).await?;
    let end = Instant::now() + STOP;
    // Its socket goes first; only when it is gone itself is the state free for the next one.
    while serin_supervisor::system::runs(info.pid) {
        if Instant::now() > end {
            return Err(CliError::Rollout(format!("not everything stopped within {} s", STOP.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
