//! Events, as `kubectl describe` shows them.

use serde_json::json;
use serin_core::Time;
use serin_core::decision::Event;
use serin_spec::timestamp;
use serin_spec::wire::{ObjectMeta, Rollout};

use crate::write::{Failure, Write};

/// The component that Argo's events name.
const COMPONENT: &str = "rollouts-controller";

/// An event of the rollout. It tells of what is done; its loss changes nothing.
pub(super) fn create(rollout: &Rollout, event: &Event, now: Time) -> Write {
    of("Rollout", &rollout.metadata, event, now)
}

/// An event of an object of any of Argo's kinds.
pub(crate) fn of(kind: &str, metadata: &ObjectMeta, event: &Event, now: Time) -> Write {
    let at = timestamp::format(Time::from_secs(now.as_secs()));
    Write::create(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "generateName": format!("{}.", metadata.name()), "namespace": metadata.namespace() },
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": kind,
            "name": metadata.name(),
            "namespace": metadata.namespace(),
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "type": if event.warning { "Warning" } else { "Normal" },
        "reason": event.reason,
        "message": event.message,
        "source": { "component": COMPONENT },
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }))
    .or(Failure::Skip)
}
