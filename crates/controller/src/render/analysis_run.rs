//! Analysis runs: made, told to stop, forgotten.

use serde_json::{Value, json};
use serin_core::analysis::RunKind;
use serin_core::{Hash, Time};
use serin_spec::wire::Rollout;
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisRunStatus};
use serin_spec::{raise, timestamp};

use crate::write::{Failure, Target, Verb, Write};

fn target(rollout: &Rollout, name: &str) -> Target {
    Target::new("argoproj.io/v1alpha1", "AnalysisRun", rollout.metadata.namespace(), name)
}

/// A new run. One whose metrics cannot be put together is made all the same, as an error that says why: so the rollout sees
/// it, and people find it where they look for runs.
//= compat: 4.1-2, 4.1-3, 4.1-4
pub(super) fn create(
    rollout: &Rollout,
    kind: RunKind,
    name: &str,
    (hash, revision): (&Hash, u64),
    spec: Result<AnalysisRunSpec, String>,
    now: Time,
) -> Write {
    let (spec, problem) = match spec {
        Ok(spec) => (spec, None),
        Err(problem) => (AnalysisRunSpec::default(), Some(problem)),
    };
    let mut run = raise::analysis_run(rollout, kind, name, (hash, revision), spec);
    run.metadata.namespace = Some(rollout.metadata.namespace().to_owned());
    run.status = problem.map(|problem| AnalysisRunStatus {
        phase: Some("Error".to_owned()),
        message: Some(problem),
        completed_at: Some(timestamp::format(now)),
        ..AnalysisRunStatus::default()
    });
    Write::create(serde_json::to_value(&run).unwrap_or(Value::Null))
}

/// Stops measuring. A run that is gone needs no stop.
//= compat: 4.2-8
pub(super) fn stop(rollout: &Rollout, name: &str) -> Write {
    let patch = json!({ "spec": { "terminate": true } });
    Write::new(target(rollout, name), Verb::MergePatch(patch)).or(Failure::Gone)
}

/// Forgets a finished run, and the Jobs it made.
pub(super) fn delete(rollout: &Rollout, name: &str) -> Write {
    Write::new(target(rollout, name), Verb::Delete { foreground: false }).or(Failure::Gone)
}
