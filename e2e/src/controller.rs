//! A controller under test as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::Cluster;
use crate::wait::poll;

/// How many lines of a log are shown.
const LINES: usize = 60;

/// Tests run side by side in one network, so each takes ports that are free unless a test says which.
const PORTS: [&str; 2] = ["--healthz-port=0", "--metrics-port=0"];

/// Whether an argument sets what another one sets.
fn is_for(argument: &str, other: &str) -> bool {
    let name = |text: &str| text.split('=').next().map(str::to_owned);
    name(argument) == name(other)
}

/// `serin controller`; killed when it is dropped.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    log: PathBuf,
}

impl Controller {
    pub(crate) fn start(kubeconfig: &Path, log: PathBuf, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let open = || File::options().create(true).append(true).open(&log);
        let file =
            |opened: std::io::Result<File>| opened.unwrap_or_else(|e| panic!("failed to open {}: {e}", log.display()));
        let child = Command::new(Cluster::built("serin"))
            .arg("controller")
            .args(PORTS.iter().filter(|port| !arguments.iter().any(|argument| is_for(argument, port))))
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file(open()))
            .stderr(file(open()))
            .spawn()
            .unwrap_or_else(|e| panic!("failed to start the controller: {e}"));
        Self { child, log }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log(&self) -> String {
        crate::cluster::read(&self.log)
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap_or_else(|e| panic!("failed to look at the controller: {e}")).is_none()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = pid.map(|pid| kill_process(pid, signal));
        assert!(matches!(sent, Some(Ok(()))), "failed to signal the controller: {sent:?}");
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end, and returns its exit code; none when a signal ended it.
    ///
    /// # Panics
    /// When it has not ended within the bound.
    pub fn stop(mut self, bound: Duration) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait(bound)
    }

    /// Waits for its end, and returns its exit code; none when a signal ended it.
    ///
    /// # Panics
    /// When it has not ended within the bound.
    pub fn wait(&mut self, bound: Duration) -> Option<i32> {
        let ended = poll(bound, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            Ok(None) => Err("it still runs".to_owned()),
            Err(e) => Err(e.to_string()),
        });
        ended.unwrap_or_else(|last| {
            panic!("the controller has not ended within {} s: {last}\n{}", bound.as_secs(), tail(&self.log))
        })
    }

    fn end(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of a log, or why there is none.
pub(crate) fn tail(log: &Path) -> String {
    match std::fs::read_to_string(log) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(LINES)..].join("\n")
        }
        Err(e) => format!("no log: {e}"),
    }
}
