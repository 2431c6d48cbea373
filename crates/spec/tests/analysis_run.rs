//! From the decision to start a run to the object that is stored.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serin_core::Hash;
use serin_core::analysis::RunKind;
use serin_spec::arguments::{Analysis, Environment};
use serin_spec::wire::analysis::{AnalysisRun, AnalysisTemplateSpec};
use serin_spec::{raise, wire};

fn rollout() -> wire::Rollout {
    let analysis = json!({
        "templates": [{ "templateName": "health" }],
        "args": [{ "name": "hash", "valueFrom": { "podTemplateHashValue": "Latest" } }],
        "dryRun": [{ "metricName": "p99" }],
        "analysisRunMetadata": { "labels": { "team": "risk", "app": "other", "rollout-type": "Mine" }, "annotations": { "note": "n" } },
    });
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": { "name": "fraud", "namespace": "ml", "uid": "u-1",
            "labels": { "argo-rollouts.argoproj.io/controller-instance-id": "one" } },
        "spec": {
            "selector": { "matchLabels": { "app": "fraud" } },
            "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "analysis": analysis }], "analysis": { "templates": [{ "templateName": "health" }] } } },
        },
    }))
    .unwrap()
}

fn run(kind: RunKind, rollout: &wire::Rollout) -> AnalysisRun {
    let templates: BTreeMap<String, AnalysisTemplateSpec> = serde_json::from_value(json!({ "health": {
        "metrics": [{ "name": "errors", "provider": { "prometheus": { "query": "up{h=\"{{args.hash}}\"}" } } }],
        "args": [{ "name": "hash", "value": "none" }],
    } }))
    .unwrap();
    let (object, hash) = (serde_json::to_value(rollout).unwrap(), Hash::new("c7f"));
    let environment = Environment { rollout: &object, latest: &hash, stable: None };
    let analysis = Analysis::of(rollout, kind).unwrap();
    let spec = analysis.run_spec(&|reference| templates.get(&reference.template_name), &environment).unwrap();
    raise::analysis_run(rollout, kind, "fraud-c7f-3-1", (&hash, 3), spec)
}

//= compat: 4.1-2, 4.1-3, 4.1-4, 3.1-2, 3.2-2
#[test]
fn a_step_run_is_labelled_owned_and_whole() {
    let want: Value = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {
            "name": "fraud-c7f-3-1", "namespace": "ml",
            "labels": { "app": "fraud", "argo-rollouts.argoproj.io/controller-instance-id": "one", "rollout-type": "Mine",
                "rollouts-pod-template-hash": "c7f", "step-index": "1", "team": "risk" },
            "annotations": { "note": "n", "rollout.argoproj.io/revision": "3" },
            "ownerReferences": [{ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "fraud", "uid": "u-1",
                "controller": true, "blockOwnerDeletion": true }],
        },
        "spec": {
            "metrics": [{ "name": "errors", "provider": { "prometheus": { "query": "up{h=\"{{args.hash}}\"}" } } }],
            "args": [{ "name": "hash", "value": "c7f" }],
            "dryRun": [{ "metricName": "p99" }],
        },
    });
    assert_eq!(serde_json::to_value(run(RunKind::Step(1), &rollout())).unwrap(), want);
}

//= compat: 4.1-2, 4.1-4
#[test]
fn a_background_run_has_no_step_and_without_an_owners_uid_no_owner() {
    let mut rollout = rollout();
    rollout.metadata.uid = None;
    let run = run(RunKind::Background, &rollout);
    assert_eq!(run.metadata.labels["rollout-type"], "Background");
    assert_eq!(run.metadata.labels.get("step-index"), None);
    assert!(run.metadata.owner_references.is_empty());
    assert_eq!(run.spec.args[0].value.as_deref(), Some("none"));
}

#[test]
fn only_analyses_that_are_there_are_found() {
    let rollout = rollout();
    assert!(Analysis::of(&rollout, RunKind::Step(0)).is_none());
    assert!(Analysis::of(&rollout, RunKind::Step(9)).is_none());
    let blue_green: wire::Rollout = serde_json::from_value(json!({
        "apiVersion": "a", "kind": "Rollout", "metadata": {}, "spec": { "strategy": { "blueGreen": {} } } }))
    .unwrap();
    assert!(Analysis::of(&blue_green, RunKind::Background).is_none());
}
