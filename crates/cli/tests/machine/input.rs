//! Bad input is refused whole, with the place of every problem, before anything is made or changed.

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::{App, analysis, error_rate, template};

/// Files that are wrong, and what must be said about each.
fn bad() -> Vec<(&'static str, String, &'static [&'static str])> {
    let app = App::new("model", &["setWeight: 20", &analysis("health")]);
    let good = app.yaml();
    let with_template = |t: &str| format!("{good}{t}");
    let health = error_rate("health", "10s", 3, 0);
    let edit = |from: &str, to: &str| with_template(&health).replace(from, to);
    vec![
        ("broken YAML", edit("replicas: 1", "replicas: [1"), &["bad.yaml:", "error"]),
        ("unknown field", edit("replicas: 1", "replicaz: 1"), &["bad.yaml:8:3", "spec.replicaz", "replicas"]),
        ("wrong type", edit("replicas: 1", "replicas: many"), &["bad.yaml:8:13", "spec.replicas", "number"]),
        ("duplicate key", edit("replicas: 1", "replicas: 1\n  replicas: 2"), &["bad.yaml:9:3", "replicas"]),
        ("deep nesting", format!("a: {}", "[".repeat(20_000)), &["bad.yaml"]),
        ("huge file", format!("a: \"{}\"", "x".repeat(17 << 20)), &["bad.yaml", "larger than 16 MiB"]),
        ("missing template", good.clone(), &["bad.yaml:", "health", "steps[1]"]),
        (
            "a query that PromQL refuses",
            with_template(&template("health", "10s", 3, 0, "sum(rate(x[1m])) by by (y)")),
            &["bad.yaml:", "spec.metrics[0].provider.prometheus.query"],
        ),
        ("a weight above 100", edit("setWeight: 20", "setWeight: 120"), &["bad.yaml:", "steps[0].setWeight", "100"]),
    ]
}

#[test]
fn bad_manifests_are_refused_with_their_place_and_nothing_is_made() {
    for (name, text, words) in bad() {
        let machine = Machine::new();
        machine.write("bad.yaml", &text);
        for command in [["up", "app"], ["lint", "app"]] {
            let ran = machine.run(&command);
            let said = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, 2, "{name}: {command:?}: {said}");
            for word in words {
                assert!(said.contains(word), "{name}: {command:?} does not say {word:?}: {said}");
            }
            assert!(said.len() < 5_000, "{name}: {command:?} says {} bytes", said.len());
            assert!(!machine.state().exists(), "{name}: {command:?} made the state folder");
        }
        let problems = machine.run(&["lint", "app", "-o", "json"]);
        assert_eq!(problems.code, 2);
        let problems: Vec<Value> = serde_json::from_str(&problems.out).unwrap();
        let errors: Vec<&Value> = problems.iter().filter(|p| p["severity"] == "error").collect();
        assert!(!errors.is_empty(), "{name}: {problems:?}");
        for error in errors {
            assert!(error["file"].as_str().unwrap().ends_with("bad.yaml"), "{name}: {error}");
            assert!(error["code"].is_string() && error["line"].is_u64() && error["message"].is_string(), "{error}");
        }
        assert!(machine.processes().is_empty());
    }
}

#[test]
fn bad_side_files_are_refused_with_their_place_and_nothing_is_made() {
    let cases: [(&str, &[&str]); 6] = [
        ("rooter: {}\n", &["serin.yaml", "rooter"]),
        ("router: {listen: nowhere}\n", &["serin.yaml", "line 1"]),
        ("images:\n- image: \"*/model\"\n  command: []\n", &["serin.yaml", "images[0].command"]),
        ("images:\n- image: \"*/other\"\n  command: [x]\n", &["no command stands for image \"registry.test/model\""]),
        ("", &["no command stands for image \"registry.test/model\"", "serin.yaml"]),
        ("images: [\n", &["serin.yaml", "line"]),
    ];
    for (text, words) in cases {
        let machine = Machine::new();
        machine.write("serin.yaml", text);
        machine.write("model.yaml", &App::new("model", &["setWeight: 20"]).yaml());
        for command in [&["up", "app"][..], &["up", "app", "--detach"], &["lint", "--local", "app"]] {
            let ran = machine.run(command);
            let said = format!("{}{}", ran.out, ran.err);
            assert_eq!(ran.code, 2, "{text:?}: {command:?}: {said}");
            for word in words {
                assert!(said.contains(word), "{text:?}: {command:?} does not say {word:?}: {said}");
            }
            assert!(!machine.state().exists(), "{text:?}: {command:?} made the state folder");
        }
    }
}

#[test]
fn a_bad_file_changes_nothing_of_what_runs() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    let before = machine.view("model");
    for (name, text, _) in bad() {
        let file = machine.beside("bad.yaml");
        std::fs::write(&file, text).unwrap();
        let ran = machine.run(&["apply", "-f", file.to_str().unwrap()]);
        assert_eq!(ran.code, 2, "{name}: {}{}", ran.out, ran.err);
    }
    let after = machine.view("model");
    for field in ["image", "revision", "phase", "steps", "pools"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    let events = machine.events("model");
    assert_eq!(events.iter().filter(|e| e["reason"] == "Applied").count(), 1, "{events:?}");
}

#[test]
fn folders_that_are_not_there_and_nonsense_are_usage_errors() {
    let machine = Machine::new();
    for command in [
        &["up", "nowhere"][..],
        &["lint", "nowhere"],
        &["up", "app", "--speed", "1000"],
        &["up", "app", "--listen", "here"],
        &["frobnicate"],
        &["deploy", "model"],
        &["lint"],
    ] {
        let err = machine.run(command).fails(2);
        assert!(!err.is_empty() || command[0] == "lint", "{command:?}");
        assert!(!machine.state().exists(), "{command:?}");
    }
    let file = machine.write("fine.yaml", &App::new("model", &["setWeight: 20", "pause: {}"]).yaml());
    let said = machine.run(&["lint", file.to_str().unwrap()]).ok();
    assert_eq!(said, "no problems in 1 file\n");
}
