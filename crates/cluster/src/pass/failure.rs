//! A pass that failed: the object says so itself, once, and stops saying it when a pass went through.

use serde_json::{Value, json};
use serin_controller::render::event;
use serin_controller::write::Verb;
use serin_controller::{Object, Write};
use serin_core::Time;
use serin_spec::timestamp;

use super::Key;
use crate::error::{Class, Error};
use crate::resource::{ANALYSIS_RUN, EXPERIMENT, ROLLOUT, Resource, SERVICE};
use crate::shared::Shared;

/// Type of the condition that tells of a failure. Argo has none; its clients show what they do not know as it is.
pub(crate) const CONDITION: &str = "ReconciliationError";

/// Failures in a row before an object says so: what passes by itself within moments is nobody's business.
const PATIENCE: u32 = 3;

impl Key {
    pub(crate) const fn resource(&self) -> Resource {
        match self {
            Self::Rollout(_) => ROLLOUT,
            Self::Experiment(_) => EXPERIMENT,
            Self::Run(_) => ANALYSIS_RUN,
            Self::Service(_) => SERVICE,
        }
    }
}

/// Tells of a failure where it is seen: an event and, on a rollout, a condition.
//= compat: 9.4-1
pub(crate) async fn tell(shared: &Shared, key: &Key, error: &Error, failures: u32) {
    let worth = match error.class() {
        Class::User | Class::Bug => true,
        Class::Conflict => false,
        Class::Retry => failures >= PATIENCE,
    };
    if !worth {
        return;
    }
    let message = advice(error);
    tell_of(shared, key, &message).await;
}

/// Tells of a pass that panicked.
pub(crate) async fn tell_panic(shared: &Shared, key: &Key, what: &str) {
    let message = format!(
        "a pass over this object ended in a fault of the controller: {what}. Other objects are not affected; it is tried again"
    );
    tell_of(shared, key, &message).await;
}

async fn tell_of(shared: &Shared, key: &Key, message: &str) {
    let known = shared.told.borrow_mut().insert(key.clone(), message.to_owned()).as_deref() == Some(message);
    let Some(object) = shared.store.borrow().get(key.resource(), key.name()) else { return };
    let now = shared.now();
    if !known {
        let _ = shared.client.send(&event::on(&object, CONDITION, message, true, now)).await;
    }
    // A decision that changed the status has written its conditions alone.
    if let Some(write) = condition(key, &object, Some(message), now)
        && let Ok(Some(changed)) = shared.client.send(&write).await
    {
        shared.keep(key.resource(), changed);
    }
}

/// A pass went through: the object says nothing of failures any more.
pub(crate) async fn clear(shared: &Shared, key: &Key) {
    let told = shared.told.borrow_mut().remove(key).is_some();
    // What another process told is seen once, in the first pass of this one.
    let first = matches!(key, Key::Rollout(name) if shared.cleared.borrow_mut().insert(name.clone()));
    if !told && !first {
        return;
    }
    let Some(object) = shared.store.borrow().get(key.resource(), key.name()) else { return };
    if let Some(write) = condition(key, &object, None, shared.now())
        && let Ok(Some(changed)) = shared.client.send(&write).await
    {
        shared.keep(key.resource(), changed);
    }
}

/// The conditions with or without the one that tells of a failure; `None` if they are so already.
fn condition(key: &Key, object: &Object, message: Option<&str>, now: Time) -> Option<Write> {
    if !matches!(key, Key::Rollout(_)) {
        return None;
    }
    let mut conditions = object.0["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let told = conditions.iter().find(|one| one["type"] == CONDITION);
    if told.and_then(|one| one["message"].as_str()) == message {
        return None;
    }
    conditions.retain(|one| one["type"] != CONDITION);
    if let Some(message) = message {
        let at = timestamp::format(Time::from_secs(now.as_secs()));
        conditions.push(json!({
            "type": CONDITION, "status": "True", "reason": CONDITION, "message": message,
            "lastTransitionTime": at, "lastUpdateTime": at,
        }));
    }
    let target = key.resource().target(&key.name().namespace, &key.name().name);
    let version = object.0["metadata"]["resourceVersion"].clone();
    let patch = json!({ "metadata": { "resourceVersion": version }, "status": { "conditions": conditions } });
    Some(Write::new(target, Verb::StatusPatch(patch)))
}

/// Takes the condition off before anything is decided: decisions know nothing of it.
pub(crate) fn without_condition(object: &mut Object) {
    // By a pointer: an index would make what is missing.
    if let Some(conditions) = object.0.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        conditions.retain(|one| one["type"] != CONDITION);
    }
}

/// The error with what can be done about it.
pub(super) fn advice(error: &Error) -> String {
    let hint = match error {
        Error::Api { code: 403, message, .. } if message.contains("exceeded quota") => {
            "raise the quota of the namespace, or free some of it; the rollout goes on by itself"
        }
        Error::Api { code: 403, message, .. }
            if message.contains("denied the request") || message.contains("admission") =>
        {
            "an admission rule of the cluster refuses this change: change the rollout or the rule"
        }
        Error::Api { code: 401 | 403, .. } => {
            "the controller lacks a permission: compare its roles with what `serin install` prints"
        }
        Error::Api { code: 400, .. } => "the API server cannot read the object: its message names the field",
        Error::Api { code: 404, .. } => "the object, or its kind, is missing",
        Error::Api { code: 422, .. } => "the API server finds the object invalid: its message names the field",
        Error::Reach { .. } => "the API server was not reached; it is tried again",
        _ => return error.to_string(),
    };
    format!("{error} ({hint})")
}

/// A panic's text.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| Value::Null.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_the_condition_off_changes_nothing_else() {
        let none = Object(json!({ "spec": {} }));
        let mut object = none.clone();
        without_condition(&mut object);
        assert_eq!(object, none);
        let mut object =
            Object(json!({ "status": { "conditions": [{ "type": "Available" }, { "type": CONDITION }] } }));
        without_condition(&mut object);
        assert_eq!(object.0, json!({ "status": { "conditions": [{ "type": "Available" }] } }));
    }

    #[test]
    fn a_failure_is_told_once_and_taken_back_once() {
        let key = Key::Rollout(crate::store::Name::new("n", "r"));
        let object = Object(
            json!({ "metadata": { "resourceVersion": "3" }, "status": { "conditions": [{ "type": "Available" }] } }),
        );
        let told = condition(&key, &object, Some("why"), Time::from_secs(5)).unwrap();
        let Verb::StatusPatch(patch) = told.verb else { panic!("a patch of the status") };
        assert_eq!(patch["metadata"]["resourceVersion"], "3");
        let object = Object(json!({ "metadata": {}, "status": patch["status"].clone() }));
        assert_eq!(condition(&key, &object, Some("why"), Time::from_secs(9)), None);
        let Verb::StatusPatch(patch) = condition(&key, &object, None, Time::from_secs(9)).unwrap().verb else {
            panic!("a patch of the status")
        };
        assert_eq!(patch["status"]["conditions"], json!([{ "type": "Available" }]));
    }
}
