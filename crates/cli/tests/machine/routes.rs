//! Which request reaches which version: namespaces, members as weights, header routes, names of services, visitors that stay.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::App;
use crate::visitor::Visitor;

fn hash_of(view: &Value, tag: &str) -> String {
    let image = format!("registry.test/model:{tag}");
    let pool = view["pools"].as_array().unwrap().iter().find(|p| p["image"] == image.as_str()).unwrap();
    pool["hash"].as_str().unwrap().to_owned()
}

fn counted(visitor: &mut Visitor, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        let answer = visitor.get("/predict").unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        *counts.entry(answer.version).or_default() += 1;
    }
    counts
}

#[test]
fn the_same_rollout_in_two_namespaces_is_two_rollouts() {
    let (mut one, mut two) =
        (App::new("model", &["setWeight: 20", "pause: {}"]), App::new("model", &["setWeight: 20", "pause: {}"]));
    (one.namespace, two.namespace) = ("one".to_owned(), "two".to_owned());
    let machine = Machine::with(&[&one, &two], &[]);
    // The templates are equal, so hashes and pod names are too; requests still reach their own members.
    for app in [&one, &two] {
        let view = machine.view(&format!("{}/model", app.namespace));
        let pid = view["pools"][0]["members"][0]["pid"].to_string();
        let mut visitor = machine.visitor(app);
        for _ in 0..20 {
            assert_eq!(visitor.get("/where").unwrap().body, pid, "{}", app.namespace);
        }
    }
    let err = machine.run(&["deploy", "model", "good.2"]).fails(2);
    assert!(err.contains("may be any of one/model, two/model"), "{err}");
    machine.run(&["deploy", "one/model", "good.2"]).ok();
    let view = machine.at_step("one/model", 1, 20);
    let other = machine.view("two/model");
    assert_eq!((&other["phase"], &other["image"]), (&"Healthy".into(), &"registry.test/model:good.1".into()));
    assert_eq!(counted(&mut machine.visitor(&one), 50).len(), 2);
    assert_eq!(counted(&mut machine.visitor(&two), 50), BTreeMap::from([(hash_of(&view, "good.1"), 50)]));
    machine.run(&["promote", "one/model", "--full", "--wait"]).ok();
    machine.run(&["delete", "one/model"]).ok();
    assert_eq!(counted(&mut machine.visitor(&two), 50).len(), 1);
}

#[test]
fn without_a_traffic_router_members_are_the_weight_and_the_service_is_the_host() {
    let mut app = App::new("model", &["setWeight: 25", "pause: {}", "setWeight: 50", "pause: {}"]);
    (app.routed, app.replicas) = (false, 4);
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let step = |index: u32, new: u32| {
        let view = machine.until("model", "split by members", |v| {
            v["stepIndex"] == index && v["phase"] == "Paused" && v["replicas"]["ready"] == 4
        });
        assert_eq!((&view["weight"]["routed"], &view["replicas"]["updated"]), (&false.into(), &new.into()), "{view:#}");
        let new = hash_of(&view, "good.2");
        for host in ["model", "model.default", "model.default.svc.cluster.local"] {
            let counts = counted(&mut Visitor::new(machine.router(), host), 100);
            let share = counts[&new] as u32;
            let wanted = index.div_ceil(2) * 25;
            assert!(share.abs_diff(wanted) <= 1, "{host}: {counts:?}");
        }
    };
    step(1, 1);
    machine.run(&["promote", "model"]).ok();
    step(3, 2);
    machine.run(&["promote", "model", "--wait"]).ok();
    let view = machine.until("model", "without old members", |v| v["replicas"]["current"] == 4);
    let counts = counted(&mut Visitor::new(machine.router(), "model.default"), 40);
    assert_eq!(counts, BTreeMap::from([(hash_of(&view, "good.2"), 40)]));
}

#[test]
fn a_header_route_leads_to_the_new_version_and_ends_with_the_steps() {
    let route = "setHeaderRoute: {name: beta, match: [{headerName: X-Beta, headerValue: {exact: 'yes'}}]}";
    let mut app = App::new("model", &["setCanaryScale: {replicas: 1}", route, "pause: {}"]);
    app.routing = ", managedRoutes: [{name: beta}]".to_owned();
    let machine = Machine::with(&[&app], &[]);
    // A cluster's nginx has none.
    machine.run(&["lint", "app"]).fails(2);
    machine.run(&["lint", "--local", "app"]).ok();
    machine.run(&["deploy", "model", "registry.test/model:good.2"]).ok();
    let view = machine.at_step("model", 2, 0);
    let (stable, canary) = (hash_of(&view, "good.1"), hash_of(&view, "good.2"));
    let asked = |value: &str| counted(&mut machine.visitor(&app).with("X-Beta", value), 20);
    assert_eq!(asked("yes"), BTreeMap::from([(canary.clone(), 20)]));
    assert_eq!(asked("no"), BTreeMap::from([(stable.clone(), 20)]));
    assert_eq!(counted(&mut machine.visitor(&app), 20), BTreeMap::from([(stable.clone(), 20)]));
    machine.run(&["abort", "model"]).ok();
    machine.until("model", "aborted", |v| v["phase"] == "Degraded");
    assert_eq!(asked("yes"), BTreeMap::from([(stable, 20)]));
}

#[test]
fn a_visitor_known_by_a_header_stays_on_one_version() {
    let mut app = App::new("model", &["setWeight: 30", "pause: {}", "setWeight: 60", "pause: {}"]);
    app.annotations = vec![("serin.dev/sticky-header".to_owned(), "X-User".to_owned())];
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.at_step("model", 1, 30);
    let new = hash_of(&view, "good.2");
    let on_new = || -> BTreeSet<usize> {
        let stays = |user: &usize| {
            let counts = counted(&mut machine.visitor(&app).with("X-User", &format!("user-{user}")), 5);
            assert_eq!(counts.len(), 1, "user {user}: {counts:?}");
            counts.contains_key(&new)
        };
        (0..60).filter(stays).collect()
    };
    let before = on_new();
    assert!((5..=35).contains(&before.len()), "about a third: {before:?}");
    machine.run(&["promote", "model"]).ok();
    machine.at_step("model", 3, 60);
    let after = on_new();
    assert!(after.is_superset(&before) && after.len() > before.len(), "{before:?} then {after:?}");
}
