//! `serin restart`: every member is another process afterwards, and visitors notice nothing of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::machine::{Machine, eventually};
use crate::manifests::App;

/// Process ids of the members that are up.
fn pids(view: &Value) -> BTreeSet<i64> {
    let members = view["pools"].as_array().unwrap().iter().flat_map(|p| p["members"].as_array().unwrap());
    members.filter(|m| m["state"] == "Ready").map(|m| m["pid"].as_i64().unwrap()).collect()
}

//= compat: 1.4-1, 1.4-7, 7.4-4
#[test]
fn members_are_replaced_and_no_request_fails() {
    for replicas in [1, 3] {
        let mut app = App::new("model", &[]);
        app.replicas = replicas;
        let machine = Machine::with(&[&app], &[]);
        let before = pids(&machine.view("model"));
        let load = machine.load(&app);
        let said = machine.run(&["restart", "model", "--wait"]).ok();
        assert!(said.starts_with("default/model restarts in 0s"), "{said}");
        let view = machine.until("model", "whole", |v| v["phase"] == "Healthy" && pids(v).len() == replicas as usize);
        assert!(pids(&view).is_disjoint(&before), "{before:?} {view:#}");
        let tally = load.finish();
        assert_eq!(tally.failures, Vec::<String>::new(), "{replicas} members");
        assert_eq!(tally.good.len(), 1, "no new version: {:?}", tally.good);
        // What was restarted once is not restarted again.
        let after = pids(&view);
        machine.run(&["pause", "model"]).ok();
        machine.run(&["promote", "model"]).ok();
        machine.until("model", "still whole", |v| v["phase"] == "Healthy" && pids(v) == after);
    }
}

/// The member that is replaced serves until the other does, also where the control process is killed in between.
//= compat: 1.4-4, 1.4-10
#[test]
fn a_restart_goes_on_after_a_kill() {
    let mut app = App::new("model", &[]);
    (app.replicas, app.spec) = (3, "minReadySeconds: 100".to_owned());
    let mut machine = Machine::with(&[&app], &[]);
    let before = pids(&machine.view("model"));
    let load = machine.load(&app);
    machine.run(&["restart", "model"]).ok();
    for left in [2, 1] {
        machine.until("model", "in the middle", |v| {
            v["message"] == "rollout is restarting" && (1..=left).contains(&pids(v).intersection(&before).count())
        });
        machine.kill_control();
        machine.up_again();
    }
    let view = machine.until("model", "done", |v| v["phase"] == "Healthy" && v["restarting"] == false);
    assert!(pids(&view).is_disjoint(&before), "{before:?} {view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
    eventually("only three members are left", || machine.processes_of("service").len() == 3);
}

//= compat: 7.4-4
#[test]
fn a_restart_may_begin_later() {
    let machine = Machine::with(&[&App::new("model", &[])], &[]);
    let before = pids(&machine.view("model"));
    let err = machine.run(&["restart", "model", "--in", "soon"]).fails(2);
    assert!(err.contains("invalid duration \"soon\""), "{err}");
    let said = machine.run(&["restart", "model", "--in", "1h"]).ok();
    assert!(said.starts_with("default/model restarts in 1h"), "{said}");
    let view = machine.view("model");
    assert_eq!((&view["phase"], &view["restarting"], pids(&view)), (&"Healthy".into(), &true.into(), before.clone()));
    machine.run(&["restart", "model", "--in", "20s", "--wait"]).ok();
    let view = machine.until("model", "restarted", |v| v["restarting"] == false);
    assert!(pids(&view).is_disjoint(&before), "{view:#}");
}

/// A replacement that does not come up takes nobody's place.
#[test]
fn a_member_that_cannot_be_replaced_goes_on_serving() {
    let mut app = App::new("model", &[]);
    app.container =
        "env: [{name: SERIN_TEST_LATER, valueFrom: {configMapKeyRef: {name: later, key: here}}}]".to_owned();
    let mut machine = Machine::new();
    machine.write("model.yaml", &app.yaml());
    machine.write("later.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata: {here: now}\n");
    machine.up();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy");
    let load = machine.load(&app);
    let gone =
        machine.write("later.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata: {other: now}\n");
    machine.run(&["apply", "-f", gone.to_str().unwrap()]).ok();
    machine.run(&["restart", "model"]).ok();
    let view = machine.until("model", "stuck", |v| v["pools"][0]["failure"].is_string());
    assert_eq!((view["message"].as_str(), pids(&view).len()), (Some("rollout is restarting"), 1), "{view:#}");
    let back =
        machine.write("later.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\ndata: {here: now}\n");
    machine.run(&["apply", "-f", back.to_str().unwrap()]).ok();
    machine.until("model", "restarted", |v| v["phase"] == "Healthy" && v["restarting"] == false);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

/// Members of every version are replaced, and the update stays where it is.
//= compat: 1.4-2, 1.4-10
#[test]
fn a_restart_in_the_middle_of_an_update_moves_no_weight() {
    let mut app = App::new("model", &["setWeight: 50", "pause: {}"]);
    app.replicas = 2;
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = pids(&machine.at_step("model", 1, 50));
    assert_eq!(before.len(), 3);
    let load = machine.load(&app);
    machine.run(&["restart", "model"]).ok();
    let view = machine.until("model", "restarted", |v| v["restarting"] == false && pids(v).len() == 3);
    assert!(pids(&view).is_disjoint(&before), "{before:?} {view:#}");
    assert_eq!(
        (&view["stepIndex"], &view["phase"], &view["weight"]["actual"]),
        (&1.into(), &"Paused".into(), &50.into())
    );
    let tally = load.finish();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(tally.good.len(), 2, "{:?}", tally.good);
}

//= compat: 1.4-8, 1.4-9
#[test]
fn blue_green_members_are_replaced_too() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false", "maxUnavailable: 2"]);
    let machine = Machine::with(&[&app], &[]);
    let before = pids(&machine.view("model"));
    let load = machine.load(&app);
    machine.run(&["restart", "model", "--wait"]).ok();
    let view = machine.until("model", "whole", |v| v["phase"] == "Healthy" && pids(v).len() == 2);
    assert!(pids(&view).is_disjoint(&before), "{before:?} {view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
}
