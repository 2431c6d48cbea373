//! `kill -9` around a blue-green switch: before it nothing moves, after it nothing moves back.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::blue_green::{finish, hash_of, leads_to, left, pool, promoted, testers, waits};
use crate::machine::{Machine, PATIENCE, eventually, signal};
use crate::manifests::{App, around_switch, error_rate, template};

#[test]
fn a_killed_control_process_goes_on_with_the_analysis_before_the_switch() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false", &around_switch("pre", "health")]);
    let mut machine = Machine::with(&[&app], &[error_rate("health", "20s", 5, 0)]);
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "good.2"]).ok();
    let measured = |v: &serde_json::Value| v["runs"][0]["metrics"][0]["successful"].as_u64();
    for count in [1, 3] {
        let before = machine.until("model", "measured", |v| measured(v) >= Some(count));
        machine.kill_control();
        machine.up_again();
        let after = machine.view("model");
        assert_eq!(before["runs"][0]["name"], after["runs"][0]["name"]);
        assert!(measured(&after) >= measured(&before), "{after:#}");
        assert_eq!((leads_to(&after, "active").as_str(), leads_to(&after, "preview").as_str()), ("good.1", "good.2"));
    }
    let view = machine.until("model", "waiting for a person", waits);
    assert_eq!(view["runs"].as_array().unwrap().len(), 1);
    finish(tests);
    let users = users.finish();
    assert_eq!(users.failures, Vec::<String>::new());
    assert_eq!(users.good.keys().collect::<Vec<_>>(), [&hash_of(&view, "good.1")]);
}

#[test]
fn a_pause_before_the_switch_ends_when_it_would_have_ended() {
    let app = App::blue_green("model", &["autoPromotionSeconds: 150"]);
    let mut machine = Machine::with(&[&app], &[]);
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let before = machine.until("model", "paused", |v| v["phase"] == "Paused");
    machine.kill_control();
    machine.up_again();
    let after = machine.view("model");
    assert_eq!((&after["phase"], &after["wakeAtMs"]), (&"Paused".into(), &before["wakeAtMs"]));
    machine.until("model", "promoted", |v| promoted(v, "good.2"));
    assert_eq!(users.finish().failures, Vec::<String>::new());
}

#[test]
fn a_control_process_killed_about_the_switch_neither_loses_nor_repeats_it() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false", &around_switch("post", "slow")]);
    let mut machine = Machine::with(&[&app], &[template("slow", "40s", 2, 0, "vector(0)")]);
    for (n, moment) in [(2, 0), (3, 9), (4, 25), (5, 60), (6, 130)] {
        let (old, new) = (format!("good.{}", n - 1), format!("good.{n}"));
        let users = machine.load(&app);
        machine.run(&["deploy", "model", &new]).ok();
        let view = machine.until("model", "waiting for a person", waits);
        machine.run(&["promote", "model"]).ok();
        let returned = Instant::now();
        std::thread::sleep(Duration::from_millis(moment));
        machine.kill_control();
        // Nobody decides, and everybody is served by the new version.
        assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, hash_of(&view, &new));
        machine.up_again();
        machine.until("model", "promoted", |v| promoted(v, &new));
        left(&users.finish(), &hash_of(&view, &old), returned);
        let switches = machine.events("model");
        let to_new = |e: &&serde_json::Value| {
            let message = e["message"].as_str().unwrap();
            e["reason"] == "SwitchService"
                && message.contains("model-active")
                && message.ends_with(&format!("to '{}'", hash_of(&view, &new)))
        };
        assert_eq!(switches.iter().filter(to_new).count(), 1, "{switches:#?}");
    }
}

#[test]
fn many_kills_in_a_row_neither_lose_a_request_nor_the_order() {
    let (before, after) = (around_switch("pre", "health"), around_switch("post", "health"));
    let app = App::blue_green("model", &["autoPromotionSeconds: 10", "previewReplicaCount: 1", &before, &after]);
    let mut machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "good.2"]).ok();
    for moment in [3, 170, 41, 260, 97, 12, 330, 64, 205, 130] {
        std::thread::sleep(Duration::from_millis(moment));
        machine.kill_control();
        machine.up_again();
    }
    let view = machine.until("model", "promoted", |v| promoted(v, "good.2"));
    let kinds: Vec<&str> = view["runs"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PostPromotion", "PrePromotion"]);
    finish(tests);
    assert_eq!(users.finish().failures, Vec::<String>::new());
}

#[test]
fn a_killed_router_is_back_with_the_former_version_before_the_switch_and_the_new_one_after() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false", &around_switch("post", "endless")]);
    let machine = Machine::with(&[&app], &[template("endless", "600s", 100, 0, "vector(0)")]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    for (tag, command) in [("good.1", Some("promote")), ("good.2", Some("abort")), ("good.1", None)] {
        let old = machine.router_pid();
        signal(old, Signal::KILL);
        eventually("a new router", || machine.processes_of("proxy").iter().any(|pid| *pid != old));
        let mut visitor = machine.visitor(&app);
        eventually("answering", || visitor.get("/predict").is_ok_and(|answer| answer.status == 200));
        assert_eq!(visitor.get("/predict").unwrap().version, hash_of(&view, tag));
        let now = machine.view("model");
        assert_eq!((leads_to(&now, "active").as_str(), leads_to(&now, "preview").as_str()), (tag, "good.2"));
        assert_eq!(pool(&now, "good.1")["available"], 2, "{now:#}");
        if let Some(command) = command {
            machine.run(&[command, "model"]).ok();
        }
    }
}

#[test]
fn a_switch_waits_for_a_router_that_hangs_and_promote_with_it() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    let router = machine.router_pid();
    signal(router, Signal::STOP);
    let returned = std::thread::scope(|scope| {
        let promote = scope.spawn(|| {
            let said = machine.run(&["promote", "model"]).ok();
            (said, Instant::now())
        });
        eventually("decided", || {
            machine.run(&["explain", "model"]).ok().contains("the router does not lead model-active to")
        });
        std::thread::sleep(Duration::from_millis(300));
        let now = machine.view("model");
        assert_eq!(
            (leads_to(&now, "active").as_str(), &now["stableImage"]),
            ("good.1", &view["stableImage"]),
            "{now:#}"
        );
        assert_eq!(pool(&now, "good.1")["scaleDownAtMs"], serde_json::Value::Null, "it still has the users");
        assert!(!promote.is_finished(), "promote returns when the users are with the new version");
        signal(router, Signal::CONT);
        promote.join().unwrap()
    });
    assert!(returned.0.ends_with("model-active leads to registry.test/model:good.2 now\n"), "{}", returned.0);
    assert_eq!(machine.visitor(&app).get("/predict").unwrap().version, hash_of(&view, "good.2"));
    machine.until("model", "promoted", |v| promoted(v, "good.2"));
}

#[test]
fn a_switch_that_was_aborted_before_the_router_took_it_is_never_made() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false"]);
    let machine = Machine::with(&[&app], &[]);
    let users = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "waiting for a person", waits);
    let router = machine.router_pid();
    signal(router, Signal::STOP);
    std::thread::scope(|scope| {
        let promote = scope.spawn(|| machine.run_within(&["promote", "model"], 2 * PATIENCE));
        let waits = || machine.run(&["explain", "model"]).ok().contains("the router does not lead model-active to");
        eventually("decided", waits);
        let abort = scope.spawn(|| machine.run(&["abort", "model"]));
        eventually("aborted", || machine.view("model")["aborted"] == true && !waits());
        signal(router, Signal::CONT);
        abort.join().unwrap().ok();
        // It was overtaken, or waited too long for the router.
        let promoted = promote.join().unwrap();
        assert!([0, 3].contains(&promoted.code) && !promoted.out.contains("leads to"), "{promoted:?}");
    });
    let after = machine.until("model", "degraded", |v| v["phase"] == "Degraded");
    assert_eq!(leads_to(&after, "active"), "good.1");
    machine.run(&["rollback", "model", "--wait"]).ok();
    let users = users.finish();
    assert_eq!(users.failures, Vec::<String>::new());
    assert_eq!(users.good.keys().collect::<Vec<_>>(), [&hash_of(&view, "good.1")], "nobody got the aborted version");
}

#[test]
fn a_command_fails_where_the_router_stays_away() {
    let app = App::blue_green("model", &["autoPromotionEnabled: false"]);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "waiting for a person", waits);
    let router = machine.router_pid();
    signal(router, Signal::STOP);
    let refused = machine.run_within(&["promote", "model"], 2 * PATIENCE).fails(3);
    assert!(refused.contains("default/model goes on; the router does not carry it yet"), "{refused}");
    signal(router, Signal::CONT);
    machine.until("model", "promoted", |v| promoted(v, "good.2"));
}
