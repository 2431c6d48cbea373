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

/// An event of the rollout. It tells of what is done; its loss changes nothing.
pub(super) fn create(rollout: &Rollout, event: &Event, now: Time) -> Write {
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
