//! The object of a new analysis run.

use std::collections::BTreeMap;

use serde_json::json;
use serin_core::Hash;
use serin_core::analysis::RunKind;

use crate::arguments::Analysis;
use crate::wire::Rollout;
use crate::wire::analysis::{AnalysisRun, AnalysisRunSpec};
use crate::wire::keys::{HASH_LABEL, INSTANCE_LABEL, REVISION};
use crate::wire::meta::ObjectMeta;

/// The run that a decision asked for, in the rollout's namespace and owned by it. Labels of the analysis win over the
/// usual ones, those of the rollout's selector over both, because they are what finds the run again.
//= compat: 4.1-2, 4.1-3, 4.1-4
pub fn analysis_run(
    rollout: &Rollout,
    kind: RunKind,
    name: &str,
    (hash, revision): (&Hash, u64),
    spec: AnalysisRunSpec,
) -> AnalysisRun {
    let mut labels = BTreeMap::from([
        (HASH_LABEL.to_owned(), hash.to_string()),
        ("rollout-type".to_owned(), kind.as_str().to_owned()),
    ]);
    if let RunKind::Step(index) = kind {
        labels.insert("step-index".to_owned(), index.to_string());
    }
    if let Some(instance) = rollout.metadata.labels.get(INSTANCE_LABEL) {
        labels.insert(INSTANCE_LABEL.to_owned(), instance.clone());
    }
    let mut annotations = BTreeMap::from([(REVISION.to_owned(), revision.to_string())]);
    if let Some(metadata) = Analysis::of(rollout, kind).and_then(|analysis| analysis.metadata) {
        labels.extend(metadata.labels.clone());
        annotations.extend(metadata.annotations.clone());
    }
    labels.extend(rollout.spec.selector.as_ref().map(|s| s.match_labels.clone()).unwrap_or_default());
    AnalysisRun {
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "AnalysisRun".to_owned(),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: rollout.metadata.namespace.clone(),
            labels,
            annotations,
            owner_references: owner_of("Rollout", &rollout.metadata),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// What makes `rollout` the controller of an object, as a list for `metadata.ownerReferences`. A reference needs the owner's
/// uid, which a rollout that no server has seen does not have.
pub fn owner(rollout: &Rollout) -> Vec<serde_json::Value> {
    owner_of("Rollout", &rollout.metadata)
}

/// The same for an object of any kind of Argo's.
pub(super) fn owner_of(kind: &str, metadata: &ObjectMeta) -> Vec<serde_json::Value> {
    let uid = metadata.uid.as_ref();
    let reference = uid.map(|uid| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": kind,
            "name": metadata.name(),
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    });
    reference.into_iter().collect()
}
