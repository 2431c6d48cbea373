//! Starting over: what happens when the template or the steps change (section 2.4 of the reference).

use super::Pass;
use crate::reason::Reason;
use crate::restart;
use crate::revision;

/// Whether the status speaks of another template or other steps than the rollout has now.
//= compat: 2.4-1, 2.3-11
pub fn changed(pass: &Pass) -> bool {
    let rollout = pass.rollout();
    let template = pass.status.current_hash.as_ref() != Some(&rollout.hash);
    template || pass.status.current_steps_hash.as_deref().unwrap_or("") != rollout.steps_hash
}

/// Forgets the progress of the former template; going back to the stable version, or into the rollback window,
/// leaves no step to run.
//= compat: 2.4-3, 2.4-4, 1.5-4, B.8-1
pub fn start_over(pass: &mut Pass) {
    let hash = pass.rollout().hash.clone();
    let behind_last_step = pass.rollout().behind_last_step();
    restart::forget_progress(pass);
    let status = &mut pass.status;
    let first = status.stable.is_none();
    if status.stable.as_ref() == Some(&hash) {
        status.step_index = behind_last_step;
        if pass.world.status.current_hash.is_some() {
            pass.reasons.push(Reason::BackToStable);
            pass.event("SkipSteps", "Rollback to stable ReplicaSets".to_owned());
        }
    } else if revision::within_rollback_window(pass.world) {
        status.step_index = behind_last_step;
        pass.reasons.push(Reason::WithinRollbackWindow);
        if pass.world.new_pool().is_some_and(|p| p.size > 0) {
            pass.event("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow".to_owned());
        }
    } else if !first {
        pass.reasons.push(Reason::Restarted);
    }
}

/// Within the rollback window no step is left to run, also after a retry, which begins with the first.
//= compat: 1.5-4
pub fn skip_within_window(pass: &mut Pass) {
    if !pass.status.abort && revision::within_rollback_window(pass.world) {
        pass.status.step_index = pass.rollout().behind_last_step();
    }
}
