//! The commands that change something, one after the other and in the middle of each other.

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::{App, analysis, error_rate};

const PAUSED: [&str; 4] = ["setWeight: 20", "pause: {}", "setWeight: 50", "pause: {}"];

/// Waits until a rollout is healthy at a version.
#[track_caller]
fn settled(machine: &Machine, service: &str, tag: &str) -> Value {
    let image = format!("registry.test/model:{tag}");
    machine.until(service, &format!("healthy at {tag}"), |v| {
        v["phase"] == "Healthy" && v["promoted"] == true && v["stableImage"] == image.as_str()
    })
}

#[test]
fn an_update_is_promoted_aborted_retried_rolled_back_and_undone() {
    let app = App::new("model", &PAUSED);
    let machine = Machine::with(&[&app], &[]);
    for idle in ["promote", "abort", "retry", "rollback"] {
        machine.run(&[idle, "model"]).fails(2);
    }
    let err = machine.run(&["undo", "model"]).fails(2);
    assert!(err.contains("does not know an earlier revision"), "{err}");

    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    machine.run(&["promote", "model"]).ok();
    machine.at_step("model", 3, 50);

    machine.run(&["abort", "model"]).ok();
    let view = machine.until("model", "aborted", |v| v["phase"] == "Degraded" && v["weight"]["actual"] == 0);
    assert_eq!((&view["aborted"], &view["stableImage"]), (&true.into(), &"registry.test/model:good.1".into()));
    let err = machine.run(&["promote", "model"]).fails(2);
    assert!(err.contains("was aborted") && err.contains("serin retry"), "{err}");
    let again = machine.run(&["abort", "model"]).ok();
    assert!(again.contains("aborted already"), "{again}");

    machine.run(&["retry", "model"]).ok();
    let view = machine.at_step("model", 1, 20);
    assert_eq!(view["aborted"], false);

    machine.run(&["rollback", "model", "--wait"]).ok();
    settled(&machine, "model", "good.1");

    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    settled(&machine, "model", "good.2");

    machine.run(&["undo", "model"]).ok();
    let view = machine.at_step("model", 1, 20);
    assert_eq!(view["image"], "registry.test/model:good.1");
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    let view = settled(&machine, "model", "good.1");
    let before = view["pools"].as_array().unwrap().iter().find(|p| p["image"] == "registry.test/model:good.2").unwrap();
    let revision = before["revision"].to_string();
    machine.run(&["undo", "model", "--to-revision", &revision]).ok();
    machine.run(&["promote", "model", "--full", "--wait"]).ok();
    settled(&machine, "model", "good.2");
    let err = machine.run(&["undo", "model", "--to-revision", "99"]).fails(2);
    assert!(err.contains("does not know revision 99") && err.contains("known revisions: "), "{err}");
}

#[test]
fn a_rollout_that_a_person_paused_waits_for_that_person() {
    let app = App::new("model", &["setWeight: 20", "pause: {duration: 10s}", "setWeight: 50"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["pause", "model"]).ok();
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "paused", |v| v["phase"] == "Paused");
    assert_eq!(view["weight"]["actual"], 0);
    let err = machine.run(&["status", "model", "--wait"]).fails(2);
    assert!(err.contains("waits for a person") && err.contains("serin promote model"), "{err}");
    machine.run(&["promote", "model", "--wait"]).ok();
    settled(&machine, "model", "good.2");
}

#[test]
fn a_deleted_rollout_takes_its_members_and_its_route_with_it() {
    let (kept, gone) = (App::new("kept", &PAUSED), App::new("gone", &PAUSED));
    let mut machine = Machine::with(&[&kept, &gone], &[]);
    assert_eq!(machine.visitor(&gone).get("/predict").unwrap().status, 200);
    machine.run(&["delete", "gone"]).ok();
    let err = machine.run(&["status", "gone"]).fails(2);
    assert!(err.contains("there is no rollout \"gone\"") && err.contains("known: kept"), "{err}");
    crate::machine::eventually("without its members", || machine.processes_of("service").len() == 1);
    crate::machine::eventually("without its route", || machine.visitor(&gone).get("/predict").unwrap().status != 200);
    assert_eq!(machine.visitor(&kept).get("/predict").unwrap().status, 200);
    machine.kill_control();
    machine.up_again();
    machine.run(&["status", "gone"]).fails(2);
    settled(&machine, "kept", "good.1");
}

#[test]
fn services_are_found_by_what_is_unambiguous() {
    let (bank, banana, taxi) = (App::new("bankchurn", &PAUSED), App::new("banana", &PAUSED), App::new("taxi", &PAUSED));
    let machine = Machine::with(&[&bank, &banana, &taxi], &[]);
    let err = machine.run(&["deploy", "spam", "good.2"]).fails(2);
    assert!(err.contains("there is no rollout \"spam\"") && err.contains("known: banana, bankchurn, taxi"), "{err}");
    let err = machine.run(&["deploy", "ban", "good.2"]).fails(2);
    assert!(err.contains("may be any of default/banana, default/bankchurn"), "{err}");
    assert!(machine.run(&["status", "-o", "json"]).json().as_array().unwrap().iter().all(|v| v["promoted"] == true));
    machine.run(&["deploy", "churn", "good.2"]).ok();
    machine.at_step("bankchurn", 1, 20);
    let all = machine.run(&["deploy", "all", "good.2", "-o", "json"]).json();
    let changed: Vec<&Value> = all.as_array().unwrap().iter().map(|o| &o["changed"]).collect();
    assert_eq!(changed, [&Value::Bool(true), &Value::Bool(false), &Value::Bool(true)]);
    for service in ["banana", "bankchurn", "taxi"] {
        machine.at_step(service, 1, 20);
    }
    machine.run(&["promote", "all", "--full", "--wait"]).ok();
    for service in ["banana", "bankchurn", "taxi"] {
        settled(&machine, service, "good.2");
    }
    let err = machine.run(&["get", "rollout", "all"]).fails(2);
    assert!(err.contains("for one service"), "{err}");
}

#[test]
fn a_changed_file_keeps_what_commands_changed() {
    let mut app = App::new("model", &PAUSED);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    app.replicas = 2;
    let file = machine.write("default-model.yaml", &app.yaml());
    let said = machine.run(&["apply", "-f", file.to_str().unwrap()]).ok();
    assert!(said.contains("Rollout default/model configured") && said.contains("unchanged"), "{said}");
    let view = machine.until("model", "scaled", |v| v["replicas"]["desired"] == 2 && v["replicas"]["ready"] == 3);
    assert_eq!((&view["image"], &view["stepIndex"]), (&"registry.test/model:good.2".into(), &1.into()));
    let said = machine.run(&["apply", "-f", file.to_str().unwrap()]).ok();
    assert!(!said.contains("configured"), "{said}");
    // Nor does the next start with the folder take the deployment back.
    machine.kill_control();
    machine.up();
    let view = machine.at_step("model", 1, 20);
    assert_eq!(view["image"], "registry.test/model:good.2");
    // A version that the file itself names wins.
    app.tag = "good.3".to_owned();
    machine.write("default-model.yaml", &app.yaml());
    machine.run(&["apply", "-f", file.to_str().unwrap()]).ok();
    machine.until("model", "at the file's version", |v| v["image"] == "registry.test/model:good.3");
    machine.at_step("model", 1, 20);
}

#[test]
fn a_new_version_in_the_middle_starts_again_and_the_stable_one_ends_it() {
    let app = App::new("model", &PAUSED);
    let machine = Machine::with(&[&app], &[]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    machine.run(&["promote", "model"]).ok();
    machine.at_step("model", 3, 50);
    machine.run(&["deploy", "model", "good.3"]).ok();
    let view = machine.until("model", "at the first step of the third version", |v| {
        v["stepIndex"] == 1 && v["weight"]["actual"] == 20 && v["image"] == "registry.test/model:good.3"
    });
    assert_eq!(view["stableImage"], "registry.test/model:good.1");
    machine.run(&["deploy", "model", "good.1"]).ok();
    let view = settled(&machine, "model", "good.1");
    assert_eq!(view["weight"]["actual"], 0);
    machine.until("model", "alone", |v| v["replicas"]["current"] == 1);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn waiting_for_a_bad_version_ends_with_exit_code_1() {
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "setWeight: 80"]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 5, 1)]);
    let load = machine.load(&app);
    let ran = machine.run(&["deploy", "model", "errors.2", "--wait"]);
    let err = ran.fails(1);
    assert!(err.contains("model ended degraded; see `serin explain model`"), "{err}");
    let view = machine.view("model");
    let metric = &view["runs"][0]["metrics"][0];
    assert_eq!((&view["aborted"], &metric["phase"]), (&true.into(), &"Failed".into()), "{view:#}");
    assert!(metric["failed"].as_u64() >= Some(2), "{metric}");
    assert_eq!(machine.run(&["status", "model", "-o", "json"]).code, 1);
    let failures = load.finish().failures;
    let hash = view["pools"][0]["hash"].as_str().unwrap();
    assert!(!failures.is_empty() && failures.iter().all(|f| f.contains(hash) && f.contains("500")), "{failures:?}");
    // As JSON: one document, and the same exit code.
    let ran = machine.run(&["retry", "model", "--wait", "-o", "json"]);
    assert_eq!(
        (ran.code, serde_json::from_str::<Value>(&ran.out).unwrap()[0]["phase"].as_str()),
        (1, Some("Degraded"))
    );
}

#[test]
fn whoever_watches_sees_every_change_until_the_end() {
    let app =
        App::new("model", &["setWeight: 20", "pause: {duration: 40s}", "setWeight: 50", "pause: {duration: 40s}"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    let err = machine.run(&["status", "model", "--wait", "--timeout", "0"]).fails(1);
    assert!(err.contains("no outcome within 0 s"), "{err}");
    let seen = machine.run(&["get", "rollout", "model", "--watch"]).ok();
    for line in ["model: Paused", "step 1/4, weight 20", "step 3/4, weight 50", "model: Healthy"] {
        assert!(seen.contains(line), "{line:?} is missing: {seen}");
    }
    let documents = machine.run(&["get", "rollout", "model", "--watch", "-o", "json"]).ok();
    let last: Value = serde_json::from_str(&documents).unwrap();
    assert_eq!(last["promoted"], true);
}
