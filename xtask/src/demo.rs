//! The demos as smoke tests: `serin demo --json` must roll two bad versions back and promote a good one, and with `--blue-green`
//! spare the users a bad version and switch them to a good one without a single failed or misled request.

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

/// The report of `serin demo --blue-green --json`, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SwitchReport {
    /// What became of each version.
    updates: Vec<Outcome>,
    /// What the users' requests got.
    users: Asked,
    /// Users' answers from the version that failed its preview.
    users_on_failing_version: u64,
    /// Whether every request sent after `promote` returned was answered by the new version.
    none_on_former_version_after_promote: bool,
}

/// What somebody's requests got.
#[derive(Debug, Deserialize)]
struct Asked {
    /// How many there were.
    sent: u64,
    /// How many went wrong.
    failed: u64,
}

/// Builds and runs the demos. A workspace without its packages has none to run.
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
    judge(&output_of(Command::new(&serin).args(["demo", "--json", "--speed", SPEED]))?)?;
    judge_switch(&output_of(Command::new(&serin).args(["demo", "--blue-green", "--json", "--speed", SPEED]))?)
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

/// One version rolled back and one promoted, and the users saw nothing but good answers of the right version.
fn judge_switch(output: &str) -> Result<(), TaskError> {
    let report: SwitchReport =
        serde_json::from_str(output).map_err(|e| TaskError::Found(format!("the demo's report cannot be read: {e}")))?;
    for update in &report.updates {
        let outcome = update.outcome.as_deref().unwrap_or("no outcome");
        println!("{} {}: {outcome}: {}", update.service, update.version, update.reason);
    }
    let outcomes: Vec<&str> = report.updates.iter().filter_map(|u| u.outcome.as_deref()).collect();
    let Asked { sent, failed } = report.users;
    println!("{sent} requests of users, {failed} failed");
    let wrong = [
        (
            outcomes != ["rolled-back", "promoted"],
            "one version must be rolled back and the next one promoted".to_owned(),
        ),
        (sent == 0, "there were no users".to_owned()),
        (failed > 0, format!("{failed} requests of users failed")),
        (
            report.users_on_failing_version > 0,
            format!("{} users were answered by the version that failed its preview", report.users_on_failing_version),
        ),
        (
            !report.none_on_former_version_after_promote,
            "a request reached the former version after promote returned".to_owned(),
        ),
    ];
    match wrong.into_iter().find(|(is, _)| *is) {
        Some((_, why)) => Err(TaskError::Found(why)),
        None => Ok(()),
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
    fn a_switch_that_anybody_noticed_does_not_pass() {
        let check = |edit: &dyn Fn(&mut serde_json::Value), want: Option<&str>| {
            let update = |outcome: &str| serde_json::json!({ "service": "bankchurn", "version": "v4", "outcome": outcome, "reason": "x" });
            let mut report = serde_json::json!({
                "updates": [update("rolled-back"), update("promoted")], "users": { "sent": 9, "failed": 0 },
                "usersOnFailingVersion": 0, "noneOnFormerVersionAfterPromote": true,
            });
            edit(&mut report);
            let judged = judge_switch(&report.to_string()).map_err(|e| e.to_string());
            match want {
                None => assert_eq!(judged, Ok(())),
                Some(want) => assert!(judged.as_ref().is_err_and(|e| e.contains(want)), "{judged:?}"),
            }
        };
        check(&|_| (), None);
        check(&|r| r["updates"][1]["outcome"] = "rolled-back".into(), Some("one version must be rolled back"));
        check(&|r| r["users"]["sent"] = 0.into(), Some("no users"));
        check(&|r| r["users"]["failed"] = 2.into(), Some("2 requests of users failed"));
        check(&|r| r["usersOnFailingVersion"] = 1.into(), Some("1 users were answered"));
        check(&|r| r["noneOnFormerVersionAfterPromote"] = false.into(), Some("a request reached the former version"));
    }

    #[test]
    fn a_program_is_waited_for_and_its_failure_shown() {
        assert_eq!(output_of(Command::new("echo").arg("hello")).unwrap(), "hello\n");
        assert!(output_of(&mut Command::new("false")).unwrap_err().to_string().contains("exit status: 1"));
        assert!(output_of(&mut Command::new("/nonexistent/serin")).is_err());
    }
}
