//! Requests to the API server, counted for the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serin_controller::write::Target;

/// Requests by kind, namespace, name, verb and status.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<Call, u64>>);

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Kind, as Argo's metric writes it: in small letters.
    pub kind: String,
    /// Namespace, empty for lists of all of them.
    pub namespace: String,
    /// Name, `N/A` where single objects would be too many.
    pub name: String,
    /// Verb, as Argo's metric writes it.
    pub verb: &'static str,
    /// HTTP status, 0 for no answer.
    pub code: u16,
}

impl Calls {
    /// Counts one.
    //= compat: 9.3-6
    pub fn count(&self, target: &Target, verb: &'static str, code: u16) {
        let many = matches!(target.kind.as_str(), "Event" | "ReplicaSet") || verb == "list" || target.name.is_empty();
        let call = Call {
            kind: target.kind.to_lowercase(),
            namespace: target.namespace.clone(),
            name: if many { "N/A".to_owned() } else { target.name.clone() },
            verb,
            code,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(call).or_default() += 1;
    }

    /// All counts.
    pub fn all(&self) -> BTreeMap<Call, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
