//! What must be written on the rollout itself before it can be decided.

use serde_json::json;
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::WORKLOAD_GENERATION;

use crate::object::Object;
use crate::write::{Target, Verb, Write};

/// The number of replicas where none is given, since an autoscaler needs one to start from; and the generation of the
/// workload that holds the template, as an annotation, so that every change of the workload is one of the rollout.
//= compat: 1.2-1, 1.3-7, 1.3-9
pub fn prepare(rollout: &Rollout, workload: Option<&Object>) -> Vec<Write> {
    let mut patch = serde_json::Map::new();
    if rollout.spec.replicas.is_none() {
        patch.insert("spec".to_owned(), json!({ "replicas": 1 }));
    }
    let noted = rollout.metadata.annotations.get(WORKLOAD_GENERATION).map(String::as_str);
    let wanted = match (&rollout.spec.workload_ref, workload) {
        (None, _) => None,
        (Some(_), Some(workload)) => Some(workload.generation().to_string()),
        // Not there at the moment; what was seen last stays.
        (Some(_), None) => noted.map(str::to_owned),
    };
    if noted != wanted.as_deref() {
        patch.insert("metadata".to_owned(), json!({ "annotations": { WORKLOAD_GENERATION: wanted } }));
    }
    if patch.is_empty() {
        return Vec::new();
    }
    let metadata = &rollout.metadata;
    let target = Target::new("argoproj.io/v1alpha1", "Rollout", metadata.namespace(), metadata.name());
    vec![Write::new(target, Verb::MergePatch(patch.into()))]
}
