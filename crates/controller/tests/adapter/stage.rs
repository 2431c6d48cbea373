//! Objects to begin with, and one pass over them.

use serde_json::{Value, json};
use serin_controller::render::Sources;
use serin_controller::write::Verb;
use serin_controller::{
    Cluster, Object, Observed, Rendered, ReplicaSet, Write, merge_patch, observe, observe::View, render,
};
use serin_core::{Time, decide};
use serin_spec::wire::Rollout;
use serin_spec::wire::analysis::AnalysisRunSpec;

pub(crate) const NOW: Time = Time::from_secs(1_700_000_000);

/// A canary of 4 pods with two steps, stored under the uid `r-1`; `patch` is merged into it.
pub(crate) fn rollout_json(patch: &Value) -> Value {
    let base = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": { "name": "web", "namespace": "shop", "uid": "r-1", "generation": 1, "resourceVersion": "7" },
        "spec": {
            "replicas": 4,
            "selector": { "matchLabels": { "app": "web" } },
            "template": template("m:1"),
            "strategy": { "canary": {
                "canaryService": "web-canary",
                "stableService": "web-stable",
                "steps": [{ "setWeight": 25 }, { "pause": {} }],
            } },
        },
    });
    merge_patch::apply(&base, patch)
}

pub(crate) fn rollout(patch: Value) -> Rollout {
    serde_json::from_value(rollout_json(&patch)).unwrap()
}

pub(crate) fn template(image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "c", "image": image, "ports": [{ "containerPort": 80 }] }] },
    })
}

/// A ReplicaSet of the rollout with 4 pods, all available, of an image; `patch` is merged into it.
pub(crate) fn pool(hash: &str, image: &str, created: &str, patch: &Value) -> ReplicaSet {
    let mut template = template(image);
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = hash.into();
    let base = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("web-{hash}"), "namespace": "shop", "uid": format!("rs-{hash}"), "creationTimestamp": created,
            "labels": { "app": "web", "rollouts-pod-template-hash": hash },
            "annotations": { "rollout.argoproj.io/revision": "1", "rollout.argoproj.io/desired-replicas": "4" },
            "ownerReferences": [owner("Rollout", "web", "r-1")],
        },
        "spec": {
            "replicas": 4,
            "selector": { "matchLabels": { "app": "web", "rollouts-pod-template-hash": hash } },
            "template": template,
        },
        "status": { "replicas": 4, "readyReplicas": 4, "availableReplicas": 4 },
    });
    ReplicaSet::new(merge_patch::apply(&base, patch))
}

pub(crate) fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true })
}

pub(crate) fn service(name: &str, patch: &Value) -> Object {
    let base = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "shop" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] },
    });
    Object(merge_patch::apply(&base, patch))
}

pub(crate) fn cluster(rollout: Rollout, replica_sets: Vec<ReplicaSet>) -> Cluster {
    let services = vec![service("web-canary", &json!({})), service("web-stable", &json!({}))];
    Cluster { rollout, replica_sets, services, ..Cluster::default() }
}

/// The snapshot of a cluster that is ready for one.
#[track_caller]
pub(crate) fn view(cluster: &Cluster) -> View {
    match observe(cluster) {
        Observed::Ready(view) => *view,
        other => panic!("not ready: {other:?}"),
    }
}

/// One pass. Runs measure nothing.
#[track_caller]
pub(crate) fn pass(cluster: &Cluster, pods: &[Object]) -> Rendered {
    let view = view(cluster);
    let decision = decide(&view.world, NOW);
    render(&view, &decision, &Sources { pods, run_spec: &|_| Ok(AnalysisRunSpec::default()), now: NOW })
}

/// The writes of a kind.
pub(crate) fn of_kind<'w>(writes: &'w [Write], kind: &str) -> Vec<&'w Write> {
    writes.iter().filter(|write| write.target.kind == kind).collect()
}

/// What a write says.
pub(crate) fn body(write: &Write) -> &Value {
    match &write.verb {
        Verb::Create(body) | Verb::Update(body) | Verb::MergePatch(body) => body,
        Verb::StatusPatch(body) | Verb::StrategicPatch(body) | Verb::JsonPatch(body) => body,
        Verb::Delete { .. } => &Value::Null,
    }
}
