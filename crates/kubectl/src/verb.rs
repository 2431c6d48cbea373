//! What people ask for, as writes.

pub mod image;
pub mod promote;
pub mod undo;

use serde_json::{Value, json};
use serin_controller::Write;
use serin_controller::write::{Target, Verb};
use serin_core::Time;
use serin_spec::timestamp;

pub use image::set_image;
pub use promote::{How, promote};
pub use undo::{Undone, undo};

/// `argoproj.io/v1alpha1`.
const ARGO: &str = "argoproj.io/v1alpha1";

/// Why something that was asked for cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerbError {
    /// Two ways of skipping steps are asked for at once.
    #[error("Cannot use skip-current-step and skip-all-steps flags at the same time")]
    SkipBoth,
    /// A blue-green rollout has no steps.
    #[error("Cannot skip steps of a bluegreen rollout. Run without a flags")]
    SkipBlueGreen,
    /// This canary has no steps.
    #[error("Cannot skip steps of a rollout without steps")]
    SkipNothing,
    /// There is no update to promote: it was given up.
    #[error(
        "the update of rollout '{0}' was aborted: `retry rollout {0}` tries it again, `promote {0} --full` skips what is left"
    )]
    Aborted(String),
    /// No ReplicaSet has this revision.
    #[error("unable to find specified revision {0} in history")]
    NoSuchRevision(i64),
    /// There is no revision before the present one.
    #[error("no revision found for rollout \"{0}\"")]
    NoRevision(String),
    /// The object behind `workloadRef` is of a kind that holds no template.
    #[error("workload of type {0} is not supported")]
    Workload(String),
    /// No container has this name.
    #[error("unable to find container named \"{0}\"")]
    NoContainer(String),
}

/// The writes of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// On the `status` subresource, first.
    pub status: Option<Write>,
    /// On the object itself, afterwards.
    pub spec: Option<Write>,
    /// On the object itself, instead of both, where there is no such subresource: definitions of old have none.
    pub instead: Option<Write>,
}

impl Change {
    /// A change of the status alone.
    fn status(target: Target, patch: Value) -> Self {
        let instead = Write::new(target.clone(), Verb::MergePatch(patch.clone()));
        Self { status: Some(Write::new(target, Verb::StatusPatch(patch))), spec: None, instead: Some(instead) }
    }

    /// A change of the object alone.
    fn spec(target: Target, patch: Value) -> Self {
        Self { status: None, spec: Some(Write::new(target, Verb::MergePatch(patch))), instead: None }
    }
}

fn target(kind: &str, namespace: &str, name: &str) -> Target {
    Target::new(ARGO, kind, namespace, name)
}

/// Stop the update: traffic goes back, the new version stays wanted.
//= compat: 7.4-1
pub fn abort(namespace: &str, name: &str) -> Change {
    Change::status(target("Rollout", namespace, name), json!({ "status": { "abort": true } }))
}

/// Try an aborted update again.
//= compat: 7.4-2
pub fn retry_rollout(namespace: &str, name: &str) -> Change {
    Change::status(target("Rollout", namespace, name), json!({ "status": { "abort": false } }))
}

/// Run an experiment again: everything that is known of it is forgotten. The status is behind its subresource, where a patch of
/// the object itself would change nothing.
//= compat: 7.4-2
pub fn retry_experiment(namespace: &str, name: &str) -> Change {
    Change::status(target("Experiment", namespace, name), json!({ "status": null }))
}

/// Halt until somebody promotes.
//= compat: 7.4-3
pub fn pause(namespace: &str, name: &str) -> Change {
    Change::spec(target("Rollout", namespace, name), json!({ "spec": { "paused": true } }))
}

/// Replace the pods at a time, without a new version.
//= compat: 7.4-4
pub fn restart(namespace: &str, name: &str, at: Time) -> Change {
    let at = timestamp::format(Time::from_secs(at.as_secs()));
    Change::spec(target("Rollout", namespace, name), json!({ "spec": { "restartAt": at } }))
}

/// End an `AnalysisRun` or an `Experiment` before its time.
//= compat: 7.4-6
pub fn terminate(kind: &str, namespace: &str, name: &str) -> Change {
    Change::spec(target(kind, namespace, name), json!({ "spec": { "terminate": true } }))
}
