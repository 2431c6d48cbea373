//! A new version goes through its steps to the end, seen by its visitors and by every command that looks.

use crate::machine::{Machine, eventually};
use crate::manifests::{App, analysis, error_rate};
use crate::visitor::Visitor;

/// Answers of the new version among the next hundred.
fn share(visitor: &mut Visitor, version: &str) -> u32 {
    let mut of_new = 0;
    for _ in 0..100 {
        let answer = visitor.get("/predict").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        of_new += u32::from(answer.version == version);
    }
    of_new
}

#[test]
fn a_good_version_is_promoted_through_its_weights_and_its_analysis() {
    let steps = ["setWeight: 20", "pause: {}", "setWeight: 50", &analysis("health"), "pause: {}"];
    let mut app = App::new("model", &steps);
    app.spec = "minReadySeconds: 1".to_owned();
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let first = machine.view("model")["pools"][0]["hash"].as_str().unwrap().to_owned();
    let mut visitor = machine.visitor(&app);
    assert_eq!(visitor.get("/predict").unwrap().version, first);

    let said = machine.run(&["deploy", "model", "good.2"]).ok();
    assert_eq!(said, "default/model wants registry.test/model:good.2 now\n");
    let view = machine.at_step("model", 1, 20);
    let second = view["pools"][0]["hash"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert!((19..=21).contains(&share(&mut visitor, &second)));

    let load = machine.load(&app);
    machine.run(&["promote", "model"]).ok();
    let view = machine.at_step("model", 4, 50);
    assert_eq!(load.finish().failures, Vec::<String>::new());
    let run = &view["runs"][0];
    assert_eq!((&run["phase"], &run["metrics"][0]["successful"]), (&"Successful".into(), &3.into()), "{run:#}");
    assert!((49..=51).contains(&share(&mut visitor, &second)));

    machine.run(&["promote", "model", "--wait"]).ok();
    let view = machine.view("model");
    assert_eq!((&view["phase"], &view["promoted"], &view["stepIndex"]), (&"Healthy".into(), &true.into(), &5.into()));
    assert_eq!(share(&mut visitor, &second), 100);
    // The old pool goes thirty seconds later on this clock.
    machine.until("model", "without its old members", |v| {
        let old = v["pools"].as_array().unwrap().iter().find(|p| p["hash"] == first.as_str()).unwrap();
        old["size"] == 0 && old["members"] == serde_json::json!([])
    });
    assert_eq!(share(&mut visitor, &second), 100);
    look_at_everything(&machine, &first, &second);
}

fn look_at_everything(machine: &Machine, first: &str, second: &str) {
    let list = machine.run(&["list"]).ok();
    assert!(list.starts_with("NAME"), "{list}");
    assert!(list.contains("model   Healthy   5/5"), "{list}");
    let status = machine.run(&["status", "mod"]).ok();
    assert!(status.contains("good.2"), "{status}");

    let history = machine.run(&["history", "model"]).ok();
    for word in [first, second, "good.1", "good.2", "Deployed", "TrafficWeightUpdated", "AnalysisRunEnded"] {
        assert!(history.contains(word), "{word} is missing: {history}");
    }
    let weights: Vec<String> = machine
        .events("model")
        .iter()
        .filter(|e| e["reason"] == "TrafficWeightUpdated")
        .filter_map(|e| e["message"].as_str()?.rsplit(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(weights, ["0", "20", "50", "100", "0"]);

    let explained = machine.run(&["explain", "model"]).ok();
    assert!(explained.starts_with("model is Healthy: good.2 is stable."), "{explained}");
    assert!(explained.contains("error-rate: 3 good"), "{explained}");
    let screen = machine.run(&["get", "rollout", "model"]).ok();
    assert!(screen.contains("revision 2") && screen.contains(second), "{screen}");
    let shown = machine.run(&["get", "rollout", "model", "-o", "json"]).json();
    assert_eq!(shown["stableImage"], "registry.test/model:good.2");
    let yaml = machine.run(&["get", "rollout", "model", "-o", "yaml"]).ok();
    assert!(yaml.contains("stableImage: registry.test/model:good.2"), "{yaml}");
    eventually("logged", || machine.run(&["logs", "model"]).ok().contains("serving good.2"));
    let member = shown["pools"][0]["members"][0]["name"].as_str().unwrap();
    assert!(machine.run(&["logs", member, "--lines", "50"]).ok().contains("serving good.2"));
    machine.run(&["logs", "router"]).ok();
    let count = || machine.run(&["query", "count(predictions_total{code=\"200\"})"]).ok();
    eventually("without the series of the old member", || count().trim() == "{} 1");
    machine.run(&["query", "sum("]).fails(2);
}
