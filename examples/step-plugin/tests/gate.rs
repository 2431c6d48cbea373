//! The gate as a process: questions in, answers out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Asks the plugin; the answer, or what it printed to standard error when it failed.
fn ask(question: &Value) -> Result<Value, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_file-gate"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn it_waits_for_its_file_and_says_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("approved");
    let run = |status: Value| {
        json!({
            "id": "default-svc-1-run-0-1", "plugin": "example/file-gate", "operation": "Run", "step": 1, "rollout": {},
            "config": { "file": file, "lookEverySeconds": 2, "looks": 3 }, "status": status,
        })
    };
    let waiting = ask(&run(Value::Null)).unwrap();
    assert_eq!((&waiting["phase"], &waiting["requeueAfterSeconds"]), (&json!("Running"), &json!(2.0)));
    assert_eq!(waiting["status"], json!({ "looks": 1 }));
    assert_eq!(ask(&run(json!({ "looks": 2 }))).unwrap()["phase"], "Failed", "the third look is the last");
    std::fs::write(&file, "yes looks good\n").unwrap();
    assert_eq!(ask(&run(Value::Null)).unwrap(), json!({ "phase": "Successful", "message": "looks good" }));
    std::fs::write(&file, "no biased\n").unwrap();
    assert_eq!(ask(&run(Value::Null)).unwrap(), json!({ "phase": "Failed", "message": "biased" }));
    std::fs::write(&file, "perhaps\n").unwrap();
    assert!(ask(&run(Value::Null)).unwrap_err().contains("expected yes or no"));
}

#[test]
fn it_has_nothing_to_take_back() {
    for operation in ["Abort", "Terminate"] {
        let question = json!({ "operation": operation, "config": null, "status": null });
        assert_eq!(ask(&question).unwrap()["phase"], "Successful");
    }
    assert!(ask(&json!({ "operation": "Run", "config": null, "status": null })).unwrap_err().contains("no config"));
    assert!(ask(&json!([1])).is_err());
}
