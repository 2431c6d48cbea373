//! Requests to the API server, counted for the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serin_controller::write::Target;

use crate::resource::Resource;

/// Requests by kind, namespace, name, verb and status.
#[derive(Debug, Default)]
pub struct Calls(Mutex<BTreeMap<Call, u64>>);

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Kind, as Argo's metric writes it: its plural in paths.
    pub kind: String,
    /// Namespace, empty for lists of all of them.
    pub namespace: String,
    /// Name, `N/A` where single objects would be too many.
    pub name: String,
    /// Verb.
    pub verb: &'static str,
    /// HTTP status, 0 for no answer.
    pub code: u16,
}

impl Calls {
    /// Counts one.
    //= compat: 9.3-6
    //= compat-differs: 9.3-6 pods, jobs, analysis runs and experiments are N/A as well: their names never end, and a series for each would stay for ever
    pub fn count(&self, target: &Target, verb: &'static str, code: u16) {
        let endless = ["Event", "ReplicaSet", "Pod", "Eviction", "Job", "AnalysisRun", "Experiment"];
        let many = endless.contains(&target.kind.as_str()) || verb == "list" || target.name.is_empty();
        let plural = Resource::find(&target.api_version, &target.kind).map(|resource| resource.plural.to_owned());
        let call = Call {
            kind: plural.unwrap_or_else(|| format!("{}s", target.kind.to_lowercase())),
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
