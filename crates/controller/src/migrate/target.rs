//! Objects that aim at the Deployment by name.

use serde_json::{Value, json};

use super::written;
use crate::object::Object;

const AUTOSCALER: &str = "HorizontalPodAutoscaler";

/// Autoscalers of the Deployment, aimed at the Rollout.
pub(super) fn autoscalers(deployment: &Object, others: &[&Object]) -> Vec<Object> {
    let of = others.iter().filter(|other| other.kind() == AUTOSCALER && aims_at(other, deployment));
    let aimed = |autoscaler: &&Object| {
        let mut aimed = written(autoscaler);
        aimed.0["spec"]["scaleTargetRef"] = reference(deployment.name());
        aimed
    };
    of.map(aimed).collect()
}

/// What an autoscaler of a Rollout aims at.
pub(super) fn reference(rollout: &str) -> Value {
    json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": rollout })
}

/// Whether an object scales the Deployment, or looks after its pods by its name.
pub(super) fn aims_at(object: &Object, deployment: &Object) -> bool {
    ["scaleTargetRef", "targetRef"].iter().any(|key| {
        let target = &object.0["spec"][*key];
        let kind = target["kind"].as_str().unwrap_or("Deployment");
        kind == "Deployment" && target["name"] == deployment.name()
    })
}

/// Other kinds that do: a person knows what they can aim at.
pub(super) fn by_hand(deployment: &Object, others: &[&Object]) -> Vec<String> {
    let aiming = others.iter().filter(|other| other.kind() != AUTOSCALER && aims_at(other, deployment));
    let note = |other: &&Object| {
        format!("{} {} aims at the Deployment: aim it at the Rollout of the same name", other.kind(), other.name())
    };
    aiming.map(note).collect()
}
