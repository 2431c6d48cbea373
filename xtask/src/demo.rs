//! The demo as a smoke test: `serin demo --json` must roll two bad versions back and promote a good one.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::TaskError;
use crate::repository::{self, cargo};
use crate::test::call;

/// The demo runs its decision record in seconds; one that takes minutes hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much faster than real time the demo's clock runs.
const SPEED: &str = "20";

/// What the demo needs.
const PACKAGES: [&str; 2] = ["serin-cli", "ml-portfolio"];

/// The report of `serin demo --json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Report {
    /// What became of each service.
    services: Vec<Outcome>,
}

/// One service of the report.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// Its name.
    service: String,
    /// The version it was given.
    version: String,
    /// `promoted`, `rolled-back`, or nothing when it had no end.
    outcome: Option<String>,
    /// Why.
    reason: String,
}

/// Builds and runs the demo. A workspace without its packages has none to run.
pub(crate) fn smoke() -> Result<(), TaskError> {
    let metadata = repository::metadata()?;
    if let Some(missing) = PACKAGES.iter().find(|package| !metadata.has(package)) {
        println!("the workspace has no package {missing}, so there is no demo to run");
        return Ok(());
    }
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    // Without optimisation, because the tests before have built most of it so; the load is small enough for that.
    call(cargo().args(["build", "--quiet"]).args(packages))?;
    let serin = metadata.target_directory.join("debug/serin");
    let output = output_of(Command::new(&serin).args(["demo", "--json", "--speed", SPEED]))?;
    judge(&output)
}

/// Runs a program to its end, but not for ever, and returns what it printed.
fn output_of(command: &mut Command) -> Result<String, TaskError> {
    let failed = |why: &dyn std::fmt::Display| TaskError::run("serin demo --json", why);
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().map_err(|e| failed(&e))?;
    let Some(mut stdout) = child.stdout.take() else {
        return Err(failed(&"no output to read"));
    };
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(&mut child)?;
    let text = reader.join().map_err(|_| failed(&"its output cannot be read"))?.map_err(|e| failed(&e))?;
    if status.success() { Ok(text) } else { Err(failed(&status)) }
}

fn wait(child: &mut Child) -> Result<std::process::ExitStatus, TaskError> {
    let failed = |why: &dyn std::fmt::Display| TaskError::run("serin demo --json", why);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().map_err(|e| failed(&e))? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Best effort: the failure is reported either way.
    let _ = child.kill();
    let _ = child.wait();
    Err(failed(&format_args!("it did not end within {} s", PATIENCE.as_secs())))
}

/// Two rollbacks and one promotion, nothing else.
fn judge(output: &str) -> Result<(), TaskError> {
    let report: Report =
        serde_json::from_str(output).map_err(|e| TaskError::Found(format!("the demo's report cannot be read: {e}")))?;
    for service in &report.services {
        let outcome = service.outcome.as_deref().unwrap_or("no outcome");
        println!("{} {}: {outcome}: {}", service.service, service.version, service.reason);
    }
    if let Some(silent) = report.services.iter().find(|s| s.reason.is_empty()) {
        return Err(TaskError::Found(format!("the demo gives no reason for {}", silent.service)));
    }
    let count = |outcome: &str| report.services.iter().filter(|s| s.outcome.as_deref() == Some(outcome)).count();
    match (count("rolled-back"), count("promoted"), report.services.len()) {
        (2, 1, 3) => Ok(()),
        (back, on, all) => Err(TaskError::Found(format!(
            "the demo must roll 2 versions back and promote 1, but of {all} it rolled {back} back and promoted {on}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[&str]) -> String {
        let service = |outcome: &&str| serde_json::json!({ "service": "bankchurn", "version": "v2", "outcome": outcome, "reason": "x", "more": 1 });
        serde_json::json!({ "services": outcomes.iter().map(service).collect::<Vec<_>>() }).to_string()
    }

    #[test]
    fn two_rollbacks_and_a_promotion_pass() {
        assert!(judge(&report(&["rolled-back", "promoted", "rolled-back"])).is_ok());
        assert!(judge(&report(&["rolled-back", "promoted"])).is_err());
        assert!(judge(&report(&["promoted", "promoted", "rolled-back"])).is_err());
        assert!(judge("Demo done").is_err());
    }

    #[test]
    fn a_program_is_waited_for_and_its_failure_shown() {
        assert_eq!(output_of(Command::new("echo").arg("hello")).unwrap(), "hello\n");
        assert!(output_of(&mut Command::new("false")).unwrap_err().to_string().contains("exit status: 1"));
        assert!(output_of(&mut Command::new("/nonexistent/serin")).is_err());
    }
}
