//! Step plugins as real processes: what they are told and say, and what happens when they hang, crash or talk nonsense.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::machine::{Machine, alive, eventually};
use crate::manifests::App;

/// A plugin keeps what it was told, and says what stands in the file `answer`: its exit code, then what it prints. One without
/// an answer hangs, with a child that hangs too.
const SCRIPT: &str = r#"#!/bin/sh
told=$(cat)
echo "$told" >> "$PLUGIN_DIR/told"
echo $$ >> "$PLUGIN_DIR/pids"
echo "asked by $0" >&2
[ -f "$PLUGIN_DIR/answer" ] || { sleep 1000 & echo $! >> "$PLUGIN_DIR/pids"; sleep 1000; }
read code < "$PLUGIN_DIR/answer"
tail -n +2 "$PLUGIN_DIR/answer"
exit "$code"
"#;

/// A machine with a rollout whose second step is a plugin, healthy, with the plugin's answer set to `answer`.
struct Rig {
    machine: Machine,
    app: App,
}

impl Rig {
    fn new(answer: Option<&str>) -> Self {
        let step = "plugin: {name: acme/gate, config: {threshold: 0.8}}";
        let app = App::new("model", &["setWeight: 20", step, "setWeight: 50", "pause: {}"]);
        let machine = Machine::new();
        let folder = machine.beside("plugin");
        std::fs::create_dir(&folder).unwrap();
        let side = std::fs::read_to_string(machine.app().join("serin.yaml")).unwrap();
        let plugins = format!(
            "plugins:\n  - name: acme/gate\n    command: [/bin/sh, gate.sh]\n    directory: .\n    timeoutSeconds: 1\n    env: {{PLUGIN_DIR: {folder:?}}}\n"
        );
        machine.write("serin.yaml", &format!("{side}{plugins}"));
        machine.write("gate.sh", SCRIPT);
        machine.write("model.yaml", &app.yaml());
        let rig = Self { machine, app };
        if let Some(answer) = answer {
            rig.answer(0, answer);
        }
        let mut rig = rig;
        rig.machine.up();
        rig.machine.until("model", "healthy", |v| v["phase"] == "Healthy");
        rig
    }

    /// One that gives an answer a minute instead of a second, and has none at first.
    fn patient() -> Self {
        let mut rig = Self::new(None);
        let side = std::fs::read_to_string(rig.machine.app().join("serin.yaml")).unwrap();
        rig.machine.write("serin.yaml", &side.replace("timeoutSeconds: 1", "timeoutSeconds: 60"));
        rig.machine.kill_control();
        rig.machine.up_again();
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.machine.beside("plugin").join(name)
    }

    /// What the plugin says from now on.
    fn answer(&self, code: i32, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, format!("{code}\n{text}\n")).unwrap();
        std::fs::rename(new, self.path("answer")).unwrap();
    }

    /// What it was told so far.
    fn told(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("told")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Its processes so far.
    fn pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.path("pids")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn deploy(&self) {
        self.machine.run(&["deploy", "model", "good.2"]).ok();
    }

    /// What is remembered of the plugin.
    fn remembered(&self) -> Value {
        let manifest = self.machine.run(&["get", "rollout", "model", "-o", "json"]).json();
        manifest["plugins"].clone()
    }

    fn waits_with(&self, message: &str) {
        self.machine.until("model", message, |v| {
            v["reasons"].as_array().unwrap().iter().any(|r| {
                r["code"] == "awaiting-plugin" && r["text"].as_str().is_some_and(|text| text.contains(message))
            })
        });
    }
}

//= compat: 6.13-1, 6.13-2, 6.13-3
#[test]
fn a_gate_is_asked_until_it_opens() {
    let rig = Rig::new(Some(
        r#"{"phase": "Running", "message": "0.7 so far", "requeueAfterSeconds": 5, "status": {"seen": 1}}"#,
    ));
    let load = rig.machine.load(&rig.app);
    rig.deploy();
    rig.waits_with("0.7 so far");
    eventually("it is asked again", || rig.told().len() >= 3);
    rig.answer(0, r#"{"phase": "Successful", "message": "0.9"}"#);
    rig.machine.at_step("model", 3, 50);
    let told = rig.told();
    let first = &told[0];
    assert_eq!(
        (&first["operation"], &first["plugin"], &first["step"]),
        (&"Run".into(), &"acme/gate".into(), &1.into())
    );
    assert_eq!((&first["config"], &first["status"]), (&json!({ "threshold": 0.8 }), &Value::Null));
    assert_eq!(told[1]["status"], json!({ "seen": 1 }));
    assert_eq!(first["rollout"]["metadata"]["name"], "model");
    assert_eq!(first["rollout"]["status"]["currentStepIndex"], 1);
    let mut ids: Vec<&str> = told.iter().map(|t| t["id"].as_str().unwrap()).collect();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "every question has its own name");
    let remembered = rig.remembered();
    assert_eq!(
        (&remembered[0]["phase"], &remembered[0]["message"]),
        (&"Successful".into(), &"0.9".into()),
        "{remembered:#}"
    );
    let log = std::fs::read_to_string(rig.machine.state().join("logs/plugin-acme_gate.log")).unwrap();
    assert!(log.starts_with("asked by") && !log.contains("threshold"), "only what it prints itself: {log}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

//= compat: 6.13-3, 6.13-4, 2.6-15
#[test]
fn a_gate_that_closes_aborts_and_what_ran_is_taken_back() {
    let rig = Rig::new(Some(r#"{"phase": "Failed", "message": "0.4 is below 0.8"}"#));
    rig.deploy();
    let view = rig.machine.until("model", "aborted", |v| v["phase"] == "Degraded" && v["weight"]["actual"] == 0);
    let message = view["message"].as_str().unwrap();
    assert!(message.ends_with("Step Plugin 2 (acme/gate) failed: 0.4 is below 0.8"), "{message}");
    rig.answer(0, r#"{"phase": "Successful"}"#);
    rig.machine.run(&["retry", "model"]).ok();
    rig.machine.at_step("model", 3, 50);
    rig.machine.run(&["abort", "model"]).ok();
    eventually("it is asked to take back", || rig.told().last().is_some_and(|t| t["operation"] == "Abort"));
    eventually("which is remembered", || rig.remembered()[1]["phase"] == "Successful");
}

//= compat: 6.13-2
#[test]
fn a_plugin_that_hangs_is_ended_with_all_it_started_and_asked_again() {
    let rig = Rig::new(None);
    let load = rig.machine.load(&rig.app);
    rig.deploy();
    rig.waits_with("no answer within 1 s");
    eventually("both its processes are gone", || {
        rig.pids().len() >= 2 && !alive(rig.pids()[0]) && !alive(rig.pids()[1])
    });
    rig.answer(0, r#"{"phase": "Successful"}"#);
    rig.machine.at_step("model", 3, 50);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

//= compat: 6.13-2, 6.13-5
#[test]
fn crashes_and_nonsense_are_told_and_asked_again() {
    let rig = Rig::new(None);
    let long = format!(r#"{{"phase": "Successful", "message": "{}"}}"#, "x".repeat(70_000));
    let cases = [
        (3, r#"{"phase": "Successful"}"#, "it ended with exit status: 3"),
        (0, "all is well", "it is no JSON (line 1, column 1)"),
        (0, "", "it ends too early"),
        (0, r#"{"phase": "Perhaps"}"#, "phase must be one of Running, Successful and Failed"),
        (0, r#"{"phase": "Running", "requeueAfterSeconds": -1}"#, "requeueAfterSeconds must be between 0 and 86400"),
        (0, long.as_str(), "the answer is longer than 65536 bytes"),
    ];
    rig.answer(cases[0].0, cases[0].1);
    rig.deploy();
    for (code, text, want) in cases {
        rig.answer(code, text);
        rig.waits_with(want);
    }
    let secret = "all is well";
    let events = rig.machine.run(&["history", "model"]).ok();
    assert!(!events.contains(secret) && !rig.machine.said_ever().contains(secret), "what it prints is not repeated");
    rig.answer(0, r#"{"phase": "Successful"}"#);
    rig.machine.at_step("model", 3, 50);
}

/// The question that was under way when the control process was killed is asked again under the same name, and its process ends.
#[test]
fn a_kill_in_the_middle_of_a_question_loses_and_doubles_nothing() {
    let mut rig = Rig::patient();
    rig.deploy();
    eventually("it is asked", || rig.pids().len() == 2);
    let load = rig.machine.load(&rig.app);
    rig.machine.kill_control();
    assert!(rig.pids().into_iter().all(alive), "nobody ended it");
    rig.answer(0, r#"{"phase": "Successful"}"#);
    rig.machine.up_again();
    rig.machine.at_step("model", 3, 50);
    let told = rig.told();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["id"], told[1]["id"]);
    eventually("the first is gone", || !rig.pids()[..2].iter().copied().any(alive));
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

/// What nobody waits for is ended.
//= compat: 6.13-4
#[test]
fn going_back_ends_a_question_that_is_under_way() {
    let rig = Rig::patient();
    rig.deploy();
    eventually("it is asked", || rig.pids().len() == 2);
    rig.answer(0, r#"{"phase": "Successful"}"#);
    rig.machine.run(&["rollback", "model", "--wait"]).ok();
    eventually("it is gone", || !rig.pids()[..2].iter().copied().any(alive));
    eventually("and told to end", || rig.told().last().is_some_and(|t| t["operation"] == "Terminate"));
}

//= compat: 6.13-3
#[test]
fn a_plugin_that_is_switched_off_is_passed_by() {
    let mut rig = Rig::new(None);
    let side = std::fs::read_to_string(rig.machine.app().join("serin.yaml")).unwrap();
    rig.machine.write("serin.yaml", &side.replace("timeoutSeconds: 1", "disabled: true"));
    rig.machine.kill_control();
    rig.machine.up_again();
    rig.deploy();
    rig.machine.at_step("model", 3, 50);
    assert_eq!((rig.told().len(), &rig.remembered()[0]["disabled"]), (0, &true.into()));
}

#[test]
fn a_plugin_without_a_command_is_refused_before_anything_runs() {
    let machine = Machine::with(&[&App::new("model", &[])], &[]);
    let app = App::new("other", &["plugin: {name: acme/unknown}"]);
    let file = machine.write("other.yaml", &app.yaml());
    let err = machine.run(&["apply", "-f", file.to_str().unwrap()]).fails(2);
    assert!(err.contains("default/other: no command stands for plugin \"acme/unknown\" of steps[0]"), "{err}");
    assert!(err.contains("plugins in serin.yaml"), "{err}");
}
