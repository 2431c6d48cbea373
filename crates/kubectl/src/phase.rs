//! The phase of a rollout as clients tell it, and reading of what may be missing.

use serde_json::Value;
use serin_controller::Object;
use serin_core::Time;
use serin_spec::shown;
use serin_spec::wire::Rollout;

/// The phase, and why: what the controller wrote, unless it has not seen the latest change yet. Of an object with fields that
/// nobody here knows it is what stands there.
//= compat: 2.5-2, 2.5-4
pub fn of(rollout: &Object, now: Time) -> (String, String) {
    match serde_json::from_value::<Rollout>(rollout.0.clone()) {
        Ok(wire) => {
            let (phase, message) = shown::phase(&wire, now);
            (phase.as_str().to_owned(), message)
        }
        Err(_) => {
            let status = &rollout.0["status"];
            (text(&status["phase"]).to_owned(), text(&status["message"]).to_owned())
        }
    }
}

/// A text, empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The entries of a list, none where there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
