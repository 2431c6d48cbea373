//! Events, as `kubectl describe` shows them.

use serde_json::{Value, json};
use serin_core::Time;
use serin_core::decision::Event;
use serin_spec::timestamp;
use serin_spec::wire::{ObjectMeta, Rollout};

use crate::object::Object;
use crate::write::{Failure, Write};

/// The component that Argo's events name.
const COMPONENT: &str = "rollouts-controller";

/// The events of a rollout that say what no other one says. Each is a write, and many rollouts are updated at once; counted are
/// all of them.
pub(crate) fn news(events: &[Event]) -> impl Iterator<Item = &Event> {
    let told = |reason: &str| events.iter().any(|event| event.reason == reason);
    let step = told("RolloutStepCompleted");
    events.iter().filter(move |event| match event.reason {
        // `RolloutUpdated` names the revision a moment before, whenever a rollout is not complete any more.
        "RolloutNotCompleted" => false,
        // The step that is over is the pause.
        "RolloutResumed" => !step,
        _ => true,
    })
}

/// Whether a decision tells of the weight that a router is to carry, so that the router need not.
pub fn tells_weight(events: &[Event]) -> bool {
    events.iter().any(|event| event.reason == "TrafficWeightUpdated")
}

/// An event of the rollout. It tells of what is done; its loss changes nothing.
pub(crate) fn create(rollout: &Rollout, event: &Event, now: Time) -> Write {
    of("Rollout", &rollout.metadata, event, now)
}

/// An event of an object of any of Argo's kinds.
pub(crate) fn of(kind: &str, metadata: &ObjectMeta, event: &Event, now: Time) -> Write {
    let involved = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "name": metadata.name(),
        "namespace": metadata.namespace(),
        "uid": metadata.uid,
        "resourceVersion": metadata.resource_version,
    });
    about(&involved, event.reason, &event.message, event.warning, now)
}

/// An event of an object as it was read, whatever happened to it since.
pub fn on(object: &Object, reason: &str, message: &str, warning: bool, now: Time) -> Write {
    let involved = json!({
        "apiVersion": object.api_version(),
        "kind": object.kind(),
        "name": object.name(),
        "namespace": object.namespace(),
        "uid": object.uid(),
    });
    about(&involved, reason, message, warning, now)
}

fn about(involved: &Value, reason: &str, message: &str, warning: bool, now: Time) -> Write {
    let at = timestamp::format(Time::from_secs(now.as_secs()));
    let prefix = format!("{}.", involved["name"].as_str().unwrap_or_default());
    Write::create(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "generateName": prefix, "namespace": involved["namespace"] },
        "involvedObject": involved,
        "type": if warning { "Warning" } else { "Normal" },
        "reason": reason,
        "message": message,
        "source": { "component": COMPONENT },
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }))
    .or(Failure::Skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_event_says_is_no_news() {
        let check = |reasons: &[&'static str], left: &[&str]| {
            let event = |reason: &&'static str| Event { reason, message: String::new(), warning: false };
            let events: Vec<Event> = reasons.iter().map(event).collect();
            assert_eq!(news(&events).map(|event| event.reason).collect::<Vec<_>>(), left);
        };
        check(&["RolloutUpdated", "NewReplicaSetCreated"], &["RolloutUpdated", "NewReplicaSetCreated"]);
        check(&["RolloutNotCompleted", "ScalingReplicaSet"], &["ScalingReplicaSet"]);
        check(&["RolloutStepCompleted", "RolloutResumed"], &["RolloutStepCompleted"]);
        check(&["RolloutResumed"], &["RolloutResumed"]);
    }
}
