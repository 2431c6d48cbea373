//! What people ask for, as changes of spec and status: the same fields that `kubectl argo rollouts` writes
//! (sections 7.4 and 7.5 of the reference).

use crate::analysis::RunPhase;
use crate::rollout::Rollout;
use crate::status::{PauseReason, Status};

/// Abort: traffic goes back to stable, the new version stays in the spec.
//= compat: 7.4-1
pub fn abort(status: &mut Status) {
    status.abort = true;
}

/// Try an aborted update again from its first step.
//= compat: 7.4-2, 2.7-10
pub fn retry(status: &mut Status) {
    status.abort = false;
}

/// What a plain promote does to the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpause(
    /// Whether `spec.paused` must become false.
    pub bool,
);

/// Go on: end the pause, or skip the step that runs. A run or an experiment that ended inconclusive is skipped with its step.
/// An aborted update has no step to skip: it is retried, or left.
//= compat: 7.5-2, 7.5-3, 10.50, 4.3-4
pub fn promote(rollout: &Rollout, status: &mut Status) -> Unpause {
    let steps = rollout.steps();
    let inconclusive = status.step_run.as_ref().is_some_and(|r| r.phase == RunPhase::Inconclusive)
        || status.pause(PauseReason::InconclusiveExperiment).is_some();
    let paused = !status.pauses.is_empty();
    let mut skip = || status.step_index = status.step_index.map(|i| (i + 1).min(steps));
    if inconclusive && paused && status.controller_pause {
        skip();
        (status.step_run, status.current_experiment) = (None, None);
        status.clear_pauses();
    } else if paused {
        // The controller recognises a resumed pause by its own mark without the reason.
        status.pauses.clear();
    } else if !rollout.paused && !status.abort {
        skip();
        (status.step_run, status.current_experiment) = (None, None);
    }
    Unpause(rollout.paused)
}

/// Skip everything that is left. Returns `None` where there is nothing to promote.
//= compat: 7.5-4
pub fn promote_full(rollout: &Rollout, status: &mut Status) -> Option<Unpause> {
    if status.current_hash == status.stable {
        return None;
    }
    status.promote_full = true;
    status.clear_pauses();
    status.clear_abort();
    Some(Unpause(rollout.paused))
}
