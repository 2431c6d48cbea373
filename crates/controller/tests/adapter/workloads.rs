//! Rollouts whose template is in another object (section 1.3).

use serde_json::{Value, json};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Cluster, Object, Observed, observe};
use serin_core::invalid::Problem;

use crate::stage::{body, cluster, of_kind, pass, pool, rollout, template, view};

const DAY: &str = "2023-11-14T00:00:00Z";
const KEY: &str = "rollout.argoproj.io/workload-generation";

fn deployment(generation: i64, replicas: u32) -> Object {
    Object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "generation": generation },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template("m:1") },
    }))
}

fn referencing(more: Value) -> Value {
    let patch = json!({
        "metadata": { "annotations": { KEY: "5" } },
        "spec": {
            "selector": null, "template": null,
            "workloadRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
        },
    });
    // A merge patch of two patches would lose the nulls, which are meant for the rollout.
    let mut patch = patch;
    for (path, value) in more.as_object().unwrap() {
        *patch.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value.clone();
    }
    patch
}

fn behind(patch: Value, workload: Option<Object>) -> Cluster {
    Cluster { workload, ..cluster(rollout(patch), vec![pool("x", "m:1", DAY, &json!({}))]) }
}

//= compat: 1.3-3, 1.3-4
#[test]
fn template_and_selector_are_there_in_memory_and_written_nowhere() {
    let cluster = behind(referencing(json!({})), Some(deployment(5, 4)));
    let view = view(&cluster);
    assert_eq!(view.rollout.spec.template.as_ref().unwrap().0, template("m:1"));
    assert_eq!(view.rollout.spec.selector.as_ref().unwrap().match_labels["app"], "web");
    assert_eq!(view.world.new_pool().unwrap().hash.as_str(), "x", "found by its meaning");
    let rendered = pass(&cluster, &[]);
    for write in of_kind(&rendered.writes, "Rollout") {
        assert_eq!((&body(write)["spec"], write.can_conflict()), (&Value::Null, false), "{write:?}");
    }
}

//= compat: 1.3-6, 1.3-15
#[test]
fn without_the_workload_the_rollout_is_invalid() {
    let said = |cluster: &Cluster| match observe(cluster) {
        Observed::Invalid(_, Problem::Workload(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(said(&behind(referencing(json!({})), None)), "deployments.apps \"web\" not found");
    let odd = referencing(json!({ "/spec/workloadRef/kind": "DaemonSet" }));
    assert_eq!(said(&behind(odd, None)), "workload of type apps/DaemonSet is not supported");
}

//= compat: 1.3-7, 1.3-9
#[test]
fn a_change_of_the_workload_is_noted_on_the_rollout_and_begins_a_pass() {
    let written = |patch: Value, workload: Option<Object>| match observe(&behind(patch, workload)) {
        Observed::Written(writes) => {
            writes.iter().map(|write| body(write)["metadata"]["annotations"][KEY].clone()).collect()
        }
        Observed::Ready(_) | Observed::Invalid(..) | Observed::Leaving => Vec::new(),
    };
    assert_eq!(written(referencing(json!({})), Some(deployment(5, 4))), [] as [Value; 0]);
    assert_eq!(written(referencing(json!({})), Some(deployment(6, 4))), [json!("6")]);
    assert_eq!(
        written(json!({ "metadata": { "annotations": { KEY: "5" } } }), None),
        [Value::Null],
        "no reference any more"
    );
    assert_eq!(written(referencing(json!({})), None), [] as [Value; 0], "it may come back");
}

//= compat: 1.3-8
#[test]
fn the_status_says_which_generation_was_seen() {
    let observed = |cluster: &Cluster| {
        let rendered = pass(cluster, &[]);
        let status = rendered.writes.iter().find(|write| matches!(write.verb, Verb::StatusPatch(_))).unwrap();
        body(status)["status"].get("workloadObservedGeneration").cloned()
    };
    assert_eq!(observed(&behind(referencing(json!({})), Some(deployment(5, 4)))), Some(json!("5")));
    let formerly = json!({ "status": { "workloadObservedGeneration": "5" } });
    assert_eq!(observed(&behind(formerly, None)), Some(Value::Null), "cleared");
}

//= compat: 1.3-12, 1.3-14
#[test]
fn the_deployment_is_scaled_and_never_holds_the_rollout_up() {
    let mut patch = referencing(json!({}));
    patch["spec"]["workloadRef"]["scaleDown"] = "progressively".into();
    let cluster = behind(patch, Some(deployment(5, 4)));
    let rendered = pass(&cluster, &[]);
    let scaled = of_kind(&rendered.writes, "Deployment");
    assert_eq!(scaled.len(), 1);
    assert_eq!(scaled[0].verb, Verb::MergePatch(json!({ "spec": { "replicas": 0 } })), "4 are ready here");
    assert_eq!((scaled[0].target.name.as_str(), scaled[0].failure), ("web", Failure::Skip));
    let left = behind(referencing(json!({})), Some(deployment(5, 4)));
    assert!(of_kind(&pass(&left, &[]).writes, "Deployment").is_empty());
}
