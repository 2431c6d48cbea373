//! A cluster in memory for moves: a Deployment, a Rollout, autoscalers, and what their controllers do a little at a time.

use serde_json::{Value, json};
use serin_controller::migrate::{Seen, Step};
use serin_controller::write::Verb;
use serin_controller::{Object, merge_patch};
use serin_spec::wire::keys::HASH_LABEL;

/// Objects, and what their controllers have reached.
pub(crate) struct World {
    pub(crate) seen: Seen,
    /// Available pods of the Deployment and of the Rollout.
    pub(crate) pods: (u32, u32),
    /// The service selects the Rollout's pods alone.
    pub(crate) bound: bool,
    /// Everything that was written, for failures.
    pub(crate) log: Vec<String>,
}

pub(crate) fn deployment(replicas: u32) -> Object {
    Object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "generation": 3 },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web:1" }] },
            },
        },
        "status": {
            "observedGeneration": 3, "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
        },
    }))
}

pub(crate) fn service() -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] },
    }))
}

pub(crate) fn autoscaler(behaviour: &Value) -> Object {
    let mut object = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "maxReplicas": 50, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
        },
    });
    if !behaviour.is_null() {
        object["spec"]["behavior"] = behaviour.clone();
    }
    Object(object)
}

impl World {
    pub(crate) fn new(replicas: u32, others: Vec<Object>) -> Self {
        let seen = Seen { deployment: Some(deployment(replicas)), rollout: None, others };
        Self { seen, pods: (replicas, 0), bound: false, log: Vec::new() }
    }

    /// Pods that requests can reach.
    pub(crate) fn reached(&self) -> u32 {
        if self.bound { self.pods.1 } else { self.pods.0 + self.pods.1 }
    }

    /// Carries out the next step. A wait lets the controllers go on.
    pub(crate) fn take(&mut self, step: &Step) {
        match step {
            Step::Wait { .. } => self.controllers(),
            Step::Write { what, write } => {
                self.log.push(what.clone());
                let place = self.find(&write.target.kind, &write.target.name);
                match (&write.verb, place) {
                    (Verb::Create(body), None) => self.add(Object(body.clone())),
                    (Verb::MergePatch(patch), Some(object)) => {
                        let mut changed = merge_patch::apply(&object.0, patch);
                        if changed["spec"] != object.0["spec"] && object.kind() != "Service" {
                            changed["metadata"]["generation"] = (object.generation() + 1).into();
                        }
                        object.0 = changed;
                    }
                    (Verb::Delete { .. }, Some(_)) => self.seen.deployment = None,
                    (verb, place) => panic!("{verb:?} of {place:?}"),
                }
            }
        }
    }

    fn find(&mut self, kind: &str, name: &str) -> Option<&mut Object> {
        match kind {
            "Deployment" => self.seen.deployment.as_mut(),
            "Rollout" => self.seen.rollout.as_mut(),
            _ => self.seen.others.iter_mut().find(|object| object.kind() == kind && object.name() == name),
        }
    }

    fn add(&mut self, mut object: Object) {
        if object.kind() == "Rollout" {
            object.0["metadata"]["generation"] = 1.into();
            self.seen.rollout = Some(object);
        } else {
            self.seen.others.push(object);
        }
    }

    /// One pod comes, one goes, statuses are written.
    fn controllers(&mut self) {
        if let Some(deployment) = &mut self.seen.deployment {
            let wanted = u32::try_from(deployment.0["spec"]["replicas"].as_u64().unwrap()).unwrap();
            self.pods.0 = if self.pods.0 > wanted { self.pods.0 - 1 } else { wanted };
            deployment.0["status"]["replicas"] = self.pods.0.into();
        }
        if let Some(rollout) = &mut self.seen.rollout {
            let wanted = u32::try_from(rollout.0["spec"]["replicas"].as_u64().unwrap()).unwrap();
            self.pods.1 = wanted.min(self.pods.1 + 1);
            let complete = self.pods.1 == wanted;
            self.bound |= complete;
            let services = self.seen.others.iter_mut().filter(|object| object.kind() == "Service" && complete);
            services.for_each(|service| service.0["spec"]["selector"][HASH_LABEL] = "5f".into());
            rollout.0["status"] = json!({
                "observedGeneration": rollout.generation().to_string(),
                "phase": if complete { "Healthy" } else { "Progressing" },
                "availableReplicas": self.pods.1,
            });
            if complete
                && rollout.0["spec"]["workloadRef"]["scaleDown"] == "onsuccess"
                && let Some(deployment) = &mut self.seen.deployment
            {
                deployment.0["spec"]["replicas"] = 0.into();
            }
        }
    }
}
