//! Rollouts that cannot be carried out at the moment (sections 8.1 and 8.5).

use serde_json::{Value, json};
use serin_controller::{Cluster, Observed, observe, render};
use serin_core::invalid;
use serin_core::invalid::Problem;

use crate::stage::{NOW, body, cluster, pool, rollout, service};

/// What is wrong, in the words of the original.
fn said(cluster: &Cluster) -> Option<String> {
    match observe(cluster) {
        Observed::Invalid(_, Problem::Spec(why)) => Some(why),
        Observed::Ready(_) => None,
        other => panic!("{other:?}"),
    }
}

fn with(patch: Value) -> Cluster {
    cluster(rollout(patch), vec![pool("x", "m:1", "2023-11-14T00:00:00Z", &json!({}))])
}

//= compat: 8.1-2, 8.1-3
#[test]
fn the_first_broken_rule_is_told_before_any_reference() {
    assert_eq!(said(&with(json!({}))), None);
    let steps = json!([{ "setWeight": 200 }, {}]);
    let broken = with(json!({ "spec": { "strategy": { "canary": { "steps": steps, "canaryService": "gone" } } } }));
    let why = said(&broken).unwrap();
    assert!(why.starts_with("spec.strategy.steps[0].setWeight: Invalid value: "), "{why}");
}

/// The definitions let any text through, which would then count as nothing.
//= compat: 1.7-2
#[test]
fn limits_are_numbers_or_percentages() {
    let surge = |limit: Value| said(&with(json!({ "spec": { "strategy": { "canary": { "maxSurge": limit } } } })));
    for good in [json!(2), json!("25%"), json!("25")] {
        assert_eq!(surge(good), None);
    }
    let why = surge(json!("many")).unwrap();
    let want = "spec.strategy.canary.maxSurge: Invalid value: \"many\": is neither a whole number from 0 nor a percentage such as 25%";
    assert_eq!(why, want);
    assert!(surge(json!("-5%")).is_some());
}

//= compat: 8.5-1, 8.5-2, 8.5-3
#[test]
fn services_must_be_there_and_fit() {
    let missing = with(json!({ "spec": { "strategy": { "canary": { "stableService": "gone" } } } }));
    let field = "spec.strategy.canary.stableService: Invalid value: ";
    assert_eq!(said(&missing), Some(format!("{field}\"gone\": service \"gone\" not found")));
    let stable = |patch: Value| {
        let mut cluster = with(json!({}));
        cluster.services[1] = service("web-stable", &patch);
        said(&cluster)
    };
    let managed =
        |by: &str| json!({ "metadata": { "annotations": { "argo-rollouts.argoproj.io/managed-by-rollouts": by } } });
    assert_eq!(stable(managed("web")), None);
    assert_eq!(
        stable(managed("db")),
        Some(format!("{field}\"web-stable\": Service \"web-stable\" is managed by another Rollout"))
    );
    let selecting = |selector: Value| json!({ "spec": { "selector": selector } });
    assert_eq!(stable(selecting(json!({ "rollouts-pod-template-hash": "x" }))), None);
    let unmatched = format!("{field}\"web-stable\": Service \"web-stable\" has unmatch label \"tier\" in rollout");
    assert_eq!(stable(selecting(json!({ "tier": "a" }))), Some(unmatched));
}

//= compat: 8.5-4, 3.3-7
#[test]
fn templates_must_be_there_and_go_together() {
    let analysis = |name: &str| json!({ "templates": [{ "templateName": name }] });
    let steps = json!([{ "setWeight": 10 }, { "analysis": analysis("rates") }]);
    let mut cluster = with(json!({ "spec": { "strategy": { "canary": { "steps": steps } } } }));
    let field = "spec.strategy.steps[1].analysis.templates: Invalid value: ";
    assert_eq!(said(&cluster), Some(format!("{field}AnalysisTemplate 'rates' not found")));
    let template = |nested: Value| {
        serde_json::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": { "name": "rates" },
            "spec": { "metrics": [{ "name": "m", "provider": { "web": { "url": "http://a" } } }], "templates": nested },
        }))
        .unwrap()
    };
    cluster.templates.namespaced = vec![template(json!([]))];
    assert_eq!(said(&cluster), None);
    cluster.templates.namespaced = vec![template(json!([{ "templateName": "more" }]))];
    assert_eq!(said(&cluster), Some(format!("{field}AnalysisTemplate 'more' not found")));

    let strategy = json!({ "activeService": "web-stable", "previewService": "web-canary", "postPromotionAnalysis": analysis("gone") });
    let blue_green = with(json!({ "spec": { "strategy": { "canary": null, "blueGreen": strategy } } }));
    let field = "spec.strategy.postPromotionAnalysis.templates: Invalid value: ";
    assert_eq!(said(&blue_green), Some(format!("{field}AnalysisTemplate 'gone' not found")));
}

#[test]
fn what_only_the_router_of_one_machine_counts_is_told_before_an_update_begins() {
    let analysis = json!({ "templates": [{ "templateName": "errors" }] });
    let mut cluster = with(json!({ "spec": { "strategy": { "canary": { "analysis": analysis } } } }));
    let mut said_of = |plugin: Value| {
        let metrics = json!([{ "name": "m", "provider": { "plugin": plugin } }]);
        let template = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": { "name": "errors" },
            "spec": { "metrics": metrics },
        });
        cluster.templates.namespaced = vec![serde_json::from_value(template).unwrap()];
        said(&cluster)
    };
    let counters = json!({ "bad": "a", "total": "b" });
    let prometheus = json!({ "canary": counters, "stable": counters });
    assert_eq!(said_of(json!({ "serin.dev/compare": { "prometheus": prometheus } })), None);
    assert_eq!(said_of(json!({ "acme/compare": {} })), None);
    for name in ["serin.dev/compare", "serin.dev/drift", "serin.dev/shadow"] {
        let why = said_of(json!({ name: {} })).unwrap();
        let want =
            "spec.strategy.analysis.templates: Invalid value: metric \"m\" is not counted: it compares what the router";
        assert!(why.starts_with(want), "{why}");
    }
}

//= compat: 8.1-3, 8.1-4
#[test]
fn only_the_status_is_written() {
    let mut broken =
        with(json!({ "spec": { "minReadySeconds": 9, "strategy": { "canary": { "stableService": "gone" } } } }));
    broken.replica_sets[0].0.0["metadata"]["ownerReferences"] = Value::Null;
    let Observed::Invalid(view, problem) = observe(&broken) else { panic!("it is invalid") };
    assert!(!view.claims.is_empty(), "an orphan would be taken");
    let rendered = render::invalid(&view, &invalid(&view.world, &problem, NOW));
    assert_eq!(rendered.writes.len(), 1);
    let status = &body(&rendered.writes[0])["status"];
    assert_eq!((&status["phase"], &status["observedGeneration"]), (&json!("Degraded"), &json!("1")));
    assert_eq!(status["conditions"][0]["type"], "InvalidSpec");
    assert!(rendered.wake_at.is_some(), "it is looked at again by itself");
}
