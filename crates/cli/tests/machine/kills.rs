//! `kill -9` at the worst moments. The control process, the router and the members are separate, so that the end of one is
//! a small thing: visitors see nothing of the first, a moment of the second, and at most their request in flight of the third.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::machine::{Machine, alive, eventually, signal};
use crate::manifests::{App, analysis, error_rate};

/// Process ids of a rollout's members, by name.
fn pids(view: &Value) -> Vec<(String, i64)> {
    let members = view["pools"].as_array().unwrap().iter().flat_map(|p| p["members"].as_array().unwrap());
    let mut pids: Vec<(String, i64)> =
        members.map(|m| (m["name"].as_str().unwrap().to_owned(), m["pid"].as_i64().unwrap())).collect();
    pids.sort();
    pids
}

fn metric(view: &Value) -> &Value {
    &view["runs"][0]["metrics"][0]
}

/// When measurements were taken.
fn taken(view: &Value) -> Vec<i64> {
    let measurements = metric(view)["measurements"].as_array().cloned().unwrap_or_default();
    measurements.iter().map(|m| m["atMs"].as_i64().unwrap()).collect()
}

/// The weights that the router was told, in order.
fn weights(machine: &Machine, service: &str) -> Vec<String> {
    let told = |e: &Value| e["reason"] == "TrafficWeightUpdated";
    let weight = |e: &Value| e["message"].as_str()?.rsplit(' ').next().map(str::to_owned);
    machine.events(service).iter().filter(|e| told(e)).filter_map(weight).collect()
}

#[test]
fn a_pause_goes_on_with_the_same_end_after_its_control_process_was_killed() {
    let app = App::new("model", &["setWeight: 20", "pause: {duration: 100s}", "setWeight: 50", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = machine.at_step("model", 1, 20);
    let (router, load) = (machine.router_pid(), machine.load(&app));
    machine.kill_control();
    machine.run(&["status"]).fails(3);
    machine.up_again();
    let after = machine.at_step("model", 1, 20);
    assert_eq!(before["wakeAtMs"], after["wakeAtMs"], "the pause ends when it would have ended");
    let end = machine.at_step("model", 3, 50);
    assert_eq!(pids(&before), pids(&end));
    assert_eq!(machine.router_pid(), router);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn an_analysis_goes_on_and_no_measurement_is_lost_or_taken_twice() {
    let app = App::new("model", &["setWeight: 50", &analysis("health"), "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[error_rate("health", "20s", 5, 0)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let mut before = Vec::new();
    for count in [2, 4] {
        let view = machine.until("model", "measured", |v| metric(v)["successful"].as_i64() >= Some(count));
        machine.kill_control();
        machine.up_again();
        let now = taken(&machine.view("model"));
        let known = taken(&view);
        assert!(known.starts_with(&before), "{known:?} after {before:?}");
        assert!(now.starts_with(&known), "{now:?} after {known:?}");
        before = now;
    }
    let view = machine.at_step("model", 2, 50);
    assert!(taken(&view).starts_with(&before), "{view:#}");
    let (good, bad) = (&metric(&view)["successful"], &metric(&view)["failed"]);
    assert_eq!((good, bad, &view["runs"][0]["phase"]), (&5.into(), &0.into(), &"Successful".into()), "{view:#}");
    assert_eq!(view["runs"].as_array().unwrap().len(), 1);
    let taken = taken(&view);
    assert!(taken.windows(2).all(|w| w[1] - w[0] >= 10_000), "each in its time: {view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_weight_that_was_about_to_change_changes_after_the_kill() {
    let steps: Vec<String> =
        [10, 30, 60, 80, 90].iter().flat_map(|w| [format!("setWeight: {w}"), "pause: {}".to_owned()]).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let app = App::new("model", &steps);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let first = machine.at_step("model", 1, 10);
    let load = machine.load(&app);
    for (step, weight) in [(3, 30), (5, 60), (7, 80), (9, 90)] {
        machine.run(&["promote", "model"]).ok();
        // Later each time: before the decision, about when it is made, after it.
        std::thread::sleep(Duration::from_millis(step as u64 * 12 - 36));
        machine.kill_control();
        machine.up_again();
        let view = machine.at_step("model", step, weight);
        assert_eq!(pids(&view), pids(&first));
    }
    assert_eq!(weights(&machine, "model"), ["0", "10", "30", "60", "80", "90"]);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn many_kills_in_a_row_neither_lose_a_request_nor_stop_the_update() {
    let (pause, judged) = ("pause: {duration: 20s}", analysis("health"));
    let mut app = App::new("model", &["setWeight: 25", pause, "setWeight: 50", &judged, "setWeight: 75", pause]);
    app.replicas = 2;
    let mut machine = Machine::with(&[&app], &[error_rate("health", "10s", 4, 1)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    for moment in [3, 170, 41, 260, 97, 12, 330, 64, 205, 130] {
        std::thread::sleep(Duration::from_millis(moment));
        machine.kill_control();
        machine.up_again();
    }
    let view = machine.until("model", "promoted", |v| v["phase"] == "Healthy" && v["promoted"] == true);
    assert_eq!(view["stableImage"], "registry.test/model:good.2");
    // A kill between a decision and the router may make the next process decide it anew; nothing is left out.
    let told = weights(&machine, "model");
    let mut rest = told.iter();
    assert!(["0", "25", "50", "75", "100", "0"].iter().all(|w| rest.any(|t| t == w)), "{told:?}");
    machine.until("model", "without its old members", |v| v["replicas"]["current"] == 2);
    let tally = load.finish();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert!(tally.answered() > 100, "{tally:?}");
}

#[test]
fn a_killed_router_is_back_at_its_address_with_its_table() {
    let app = App::new("model", &["setWeight: 20", "pause: {}", "setWeight: 50", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = machine.at_step("model", 1, 20);
    let new = before["pools"][0]["hash"].as_str().unwrap().to_owned();
    for again in [false, true] {
        if again {
            // A control process that found the router running brings it back as well as one that started it.
            machine.kill_control();
            machine.up_again();
        }
        let (address, old) = (machine.router(), machine.router_pid());
        signal(old, Signal::KILL);
        eventually("a new router", || machine.processes_of("proxy").iter().any(|pid| *pid != old));
        let after = machine.at_step("model", 1, 20);
        assert_eq!(pids(&before), pids(&after));
        assert_eq!(machine.router(), address);
        let mut visitor = machine.visitor(&app);
        let answers: Vec<String> = (0..50).map(|_| visitor.get("/predict").unwrap().version).collect();
        assert!((9..=11).contains(&answers.iter().filter(|v| **v == new).count()), "{answers:?}");
    }
    let noted = machine.run(&["status", "-o", "json"]).json();
    assert_eq!(noted[0]["stepIndex"], 1, "it did not advance meanwhile");
}

#[test]
fn everything_is_back_where_it_was_after_all_were_killed() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = machine.at_step("model", 1, 20);
    let address = machine.router();
    machine.kill_control();
    machine.processes().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    eventually("dead", || machine.processes().is_empty());
    machine.up_again();
    let after = machine.at_step("model", 1, 20);
    machine.until("model", "whole again", |v| v["replicas"]["ready"] == 2);
    assert_eq!(machine.router(), address);
    for field in ["stepIndex", "image", "stableImage", "revision"] {
        assert_eq!(before[field], after[field]);
    }
    let mut visitor = machine.visitor(&app);
    assert!((0..50).all(|_| visitor.get("/predict").unwrap().status == 200));
}

#[test]
fn a_member_that_died_without_a_control_process_is_started_by_the_next() {
    let mut app = App::new("model", &["setWeight: 20", "pause: {}"]);
    app.replicas = 2;
    let mut machine = Machine::with(&[&app], &[]);
    let before = pids(&machine.view("model"));
    machine.kill_control();
    signal(i32::try_from(before[0].1).unwrap(), Signal::KILL);
    machine.up_again();
    let view = machine.until("model", "whole again", |v| v["replicas"]["ready"] == 2);
    let after = pids(&view);
    assert_eq!(after[1], before[1]);
    assert_ne!(after[0].1, before[0].1);
    let mut visitor = machine.visitor(&app);
    assert!((0..50).all(|_| visitor.get("/predict").unwrap().status == 200));
}

#[test]
fn a_router_that_hangs_is_not_replaced_by_a_second_one() {
    let app = App::new("model", &["setWeight: 20", "pause: {}"]);
    let mut machine = Machine::with(&[&app], &[]);
    let router = machine.router_pid();
    machine.kill_control();
    signal(router, Signal::STOP);
    machine.start(&[]);
    assert_eq!(machine.ended().code(), Some(3), "{}", machine.said());
    assert!(machine.said().contains("failed to run the router"), "{}", machine.said());
    signal(router, Signal::CONT);
    machine.up_again();
    assert_eq!(machine.router_pid(), router);
    machine.until("model", "healthy", |v| v["phase"] == "Healthy" && v["weight"]["actual"] == 0);
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().status, 200);
}

#[test]
fn nothing_advances_while_the_router_hangs() {
    let app = App::new("model", &["setWeight: 20", "pause: {}", "setWeight: 50", "pause: {}"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 1, 20);
    let router = machine.router_pid();
    signal(router, Signal::STOP);
    machine.run(&["promote", "model"]).ok();
    let view = machine.until("model", "at its next step", |v| v["stepIndex"] == 2);
    assert_eq!(view["weight"]["actual"], Value::Null, "{view:#}");
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        let view = machine.view("model");
        assert_eq!((&view["stepIndex"], &view["weight"]["actual"]), (&2.into(), &Value::Null), "{view:#}");
    }
    let explained = machine.run(&["explain", "model"]).ok();
    assert!(explained.contains("router"), "{explained}");
    signal(router, Signal::CONT);
    machine.at_step("model", 3, 50);
    assert_eq!(machine.router_pid(), router);
}

#[test]
fn a_killed_member_is_started_again() {
    let mut app = App::new("model", &["setWeight: 50"]);
    app.replicas = 2;
    let machine = Machine::with(&[&app], &[]);
    let before = pids(&machine.view("model"));
    let load = machine.load(&app);
    eventually("under load", || {
        let views = machine.run(&["status", "-o", "json"]).json();
        views[0]["traffic"][0]["requests"].as_u64() > Some(20)
    });
    let (name, pid) = before[0].clone();
    let pid = i32::try_from(pid).unwrap();
    signal(pid, Signal::KILL);
    let view = machine.until("model", "whole again", |v| {
        let again = pids_if_known(v);
        v["replicas"]["ready"] == 2 && again.is_some_and(|p| p[0].1 != i64::from(pid))
    });
    let member = view["pools"][0]["members"].as_array().unwrap().iter().find(|m| m["name"] == name.as_str()).unwrap();
    assert_eq!(member["restarts"], 1, "{member}");
    assert!(member["trouble"].as_str().unwrap().contains("signal: 9"), "{member}");
    assert!(!alive(pid));
    let explained = machine.run(&["explain", "model"]).ok();
    assert!(explained.contains(&format!("{name} was started again 1 times: signal: 9")), "{explained}");
    let failures = load.finish().failures;
    assert!(failures.len() <= 4, "only what was in flight there: {failures:?}");
}

fn pids_if_known(view: &Value) -> Option<Vec<(String, i64)>> {
    let members = view["pools"][0]["members"].as_array()?;
    members.iter().all(|m| m["pid"].is_i64()).then(|| pids(view))
}
