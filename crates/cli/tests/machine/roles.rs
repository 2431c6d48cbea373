//! What a canary is besides a share of the requests: copies of them, labels of its role, services that swap, a share out of more
//! than a hundred.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::machine::{Machine, eventually};
use crate::manifests::App;
use crate::visitor::Visitor;

fn pool<'a>(view: &'a Value, tag: &str) -> &'a Value {
    let image = format!("registry.test/model:{tag}");
    view["pools"].as_array().unwrap().iter().find(|p| p["image"] == image.as_str()).unwrap()
}

fn hash_of(view: &Value, tag: &str) -> String {
    pool(view, tag)["hash"].as_str().unwrap().to_owned()
}

fn counted(visitor: &mut Visitor, path: &str, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        let answer = visitor.get(path).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        *counts.entry(answer.version).or_default() += 1;
    }
    counts
}

/// The number that a query answers, 0 without data.
fn number(machine: &Machine, query: &str) -> f64 {
    let answer = machine.run(&["query", query]).ok();
    answer.split_whitespace().last().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

//= compat: 1.7-18, 6.10-2, 6.10-3
#[test]
fn copies_reach_the_canary_and_users_only_ever_see_stable() {
    let mirror = "setMirrorRoute: {name: shadow, percentage: 50, match: [{path: {prefix: /predict}}]}";
    let mut app = App::new("model", &["setCanaryScale: {replicas: 1}", mirror, "pause: {}"]);
    app.routing = ", managedRoutes: [{name: shadow}]".to_owned();
    let machine = Machine::with(&[&app], &[]);
    // A cluster's nginx mirrors nothing.
    machine.run(&["lint", "app"]).fails(2);
    machine.run(&["lint", "--local", "app"]).ok();
    // The canary answers every copy with an error, which nobody gets.
    machine.run(&["deploy", "model", "errors.2"]).ok();
    let view = machine.at_step("model", 2, 0);
    let (stable, canary) = (hash_of(&view, "good.1"), hash_of(&view, "errors.2"));
    let mut visitor = machine.visitor(&app);
    assert_eq!(counted(&mut visitor, "/predict", 40), BTreeMap::from([(stable.clone(), 40)]));
    assert_eq!(counted(&mut visitor, "/where", 10), BTreeMap::from([(stable.clone(), 10)]));
    let got = format!("sum(predictions_total{{code=\"500\",rollouts_pod_template_hash=\"{canary}\"}})");
    eventually("the canary's own counter shows half of them", || number(&machine, &got) == 20.0);
    let view = machine.until("model", "seen in copies", |v| {
        v["traffic"]
            .as_array()
            .unwrap()
            .iter()
            .any(|t| t["via"] == "mirror" && t["requests"] == 20 && t["errors"] == 20)
    });
    let own =
        view["traffic"].as_array().unwrap().iter().find(|t| t["via"].is_null() && t["version"] == canary.as_str());
    assert!(own.is_none_or(|t| t["requests"] == 0), "no request of a user: {view:#}");
    machine.run(&["abort", "model"]).ok();
    machine.until("model", "aborted", |v| v["phase"] == "Degraded");
    counted(&mut visitor, "/predict", 20);
    machine.until("model", "counted", |v| v["traffic"][0]["requests"] == 70);
    assert_eq!(number(&machine, "sum(serin_router_mirror_requests_total)"), 20.0);
}

//= compat: 1.9-1, 1.9-6, 10.34
#[test]
fn members_carry_the_labels_of_their_role_and_queries_select_by_them() {
    let mut app = App::new("model", &["setWeight: 50", "pause: {}"]);
    app.canary = "canaryMetadata: {labels: {role: canary}, annotations: {note: tried}}\nstableMetadata: {labels: {role: stable}}".to_owned();
    app.container = "env: [{name: ROLE, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['role']\"}}}]".to_owned();
    let mut machine = Machine::with(&[&app], &[]);
    let carried = |view: &Value, tag: &str| pool(view, tag)["metadata"].clone();
    assert_eq!(carried(&machine.view("model"), "good.1"), serde_json::json!({ "role": "stable" }));
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.at_step("model", 1, 50);
    let canary = &pool(&view, "good.2")["members"][0]["pid"];
    assert_eq!(carried(&view, "good.2"), serde_json::json!({ "note": "tried", "role": "canary" }));
    let by_role = |role: &str| number(&machine, &format!("count(predictions_total{{role=\"{role}\",code=\"200\"}})"));
    eventually("the series of both carry their role", || (by_role("stable"), by_role("canary")) == (1.0, 1.0));
    machine.run(&["promote", "model", "--wait"]).ok();
    let view = machine.until("model", "promoted", |v| carried(v, "good.2") == serde_json::json!({ "role": "stable" }));
    assert_eq!(&pool(&view, "good.2")["members"][0]["pid"], canary, "nobody was restarted for it");
    machine.kill_control();
    machine.up_again();
    let view = machine.view("model");
    assert_eq!(carried(&view, "good.2"), serde_json::json!({ "role": "stable" }));
    assert_eq!(&pool(&view, "good.2")["members"][0]["pid"], canary);
}

//= compat: 1.10-1, 1.10-2, 1.10-3
#[test]
fn two_services_swap_and_no_request_fails() {
    let mut app = App::new("model", &["setWeight: 50", "pause: {}"]);
    app.canary = "pingPong: {pingService: model-ping, pongService: model-pong}".to_owned();
    let mut machine = Machine::new();
    let service = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: model}}, ports: [{{port: 80, targetPort: http}}]}}\n"
        )
    };
    machine.write("model.yaml", &format!("{}{}{}", app.yaml(), service("model-ping"), service("model-pong")));
    machine.up();
    machine.until("model", "healthy", |v| v["phase"] == "Healthy");
    let load = machine.load(&app);
    let leads = |name: &str| Visitor::new(machine.router(), name).get("/predict").unwrap().version;
    for (tag, before, canary, stable) in
        [("good.2", "good.1", "model-pong", "model-ping"), ("good.3", "good.2", "model-ping", "model-pong")]
    {
        machine.run(&["deploy", "model", tag]).ok();
        let view = machine.at_step("model", 1, 50);
        assert_eq!((leads(canary), leads(stable)), (hash_of(&view, tag), hash_of(&view, before)), "{tag}");
        machine.run(&["promote", "model", "--wait"]).ok();
        assert_eq!(leads(canary), hash_of(&view, tag), "it was the canary's and is stable's now");
    }
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

//= compat: 8.3-15, 6.1-13
#[test]
fn a_weight_out_of_a_thousand_is_carried_to_the_request() {
    let mut app = App::new("model", &["setWeight: 5", "pause: {}", "setWeight: 1000", "pause: {}"]);
    app.routing = ", maxTrafficWeight: 1000".to_owned();
    let machine = Machine::with(&[&app], &[]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.at_step("model", 1, 5);
    assert_eq!((&view["weight"]["set"], &view["weight"]["total"]), (&5.into(), &1000.into()), "{view:#}");
    let counts = counted(&mut machine.visitor(&app), "/predict", 1000);
    assert_eq!((counts[&hash_of(&view, "good.1")], counts[&hash_of(&view, "good.2")]), (995, 5));
    let text = machine.run(&["status", "model"]).ok();
    assert!(text.contains("5/1000"), "{text}");
    machine.run(&["promote", "model"]).ok();
    let view = machine.at_step("model", 3, 1000);
    let counts = counted(&mut machine.visitor(&app), "/predict", 50);
    assert_eq!(counts, BTreeMap::from([(hash_of(&view, "good.2"), 50)]));
}
