//! The objects of a small namespace.

use serde_json::{Value, json};

use crate::person::Person;
use crate::server::Server;

/// A pod of one container.
pub(crate) fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": image }] } })
}

/// A canary of three steps at its second one.
pub(crate) fn rollout(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": { "name": name, "namespace": "shop", "uid": format!("r-{name}"), "generation": 2 },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": template("m:2"),
            "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": {} }, { "setWeight": 60 }] } },
        },
        "status": {
            "phase": "Progressing", "message": "more replicas need to be updated", "observedGeneration": "2",
            "currentPodHash": "b", "stableRS": "a", "currentStepIndex": 1,
        },
    })
}

/// A ReplicaSet of a rollout.
pub(crate) fn replica_set(rollout: &str, hash: &str, revision: u32) -> Value {
    let mut template = template(&format!("m:{revision}"));
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = hash.into();
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{rollout}-{hash}"), "namespace": "shop", "uid": format!("s-{rollout}-{hash}"),
            "labels": { "app": "web", "rollouts-pod-template-hash": hash },
            "annotations": { "rollout.argoproj.io/revision": revision.to_string() },
            "ownerReferences": [{ "kind": "Rollout", "name": rollout, "uid": format!("r-{rollout}"), "controller": true }],
        },
        "spec": { "replicas": 1, "template": template },
        "status": { "replicas": 1, "readyReplicas": 1, "availableReplicas": 1 },
    })
}

fn experiment() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": { "name": "trial", "namespace": "shop" },
        "spec": { "templates": [] }, "status": { "phase": "Failed" },
    })
}

fn run() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": { "name": "check", "namespace": "shop" },
        "spec": { "metrics": [] }, "status": { "phase": "Running" },
    })
}

/// Two rollouts, an experiment and a run, and somebody who works with them.
pub(crate) fn shop() -> (Server, Person) {
    let server = Server::with([
        rollout("web"),
        rollout("api"),
        replica_set("web", "a", 1),
        replica_set("web", "b", 2),
        replica_set("api", "c", 9),
        experiment(),
        run(),
    ]);
    let person = Person::at(&server);
    (server, person)
}
