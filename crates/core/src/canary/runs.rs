//! Analysis runs of an update: which should exist, and what their results mean (section 4 of the reference).

use super::Pass;
use crate::analysis::RunKind;
use crate::revision;
use crate::rollout::Step;
use crate::runs;

/// Starts, follows and stops the runs of this pass.
//= compat: 4.2-1, 4.2-7
pub fn reconcile(pass: &mut Pass) {
    let none_wanted = pass.status.stable.is_none()
        || pass.fully_promoted()
        || pass.status.abort
        || pass.status.promote_full
        || revision::within_rollback_window(pass.world);
    if none_wanted {
        pass.status.step_run = None;
        pass.status.background_run = None;
    } else {
        background(pass);
        if !pass.status.abort {
            step(pass);
        }
    }
    runs::stop_unwanted(pass);
    runs::forget_old(pass);
}

//= compat: 4.2-2, 4.3-1, 4.3-2, 10.43
fn background(pass: &mut Pass) {
    let wanted = pass.strategy.background_from.is_some_and(|from| pass.status.step_index.is_none_or(|i| i >= from));
    if !wanted {
        pass.status.background_run = None;
        return;
    }
    let current = pass.status.background_run.clone();
    pass.status.background_run = runs::follow(pass, RunKind::Background, current);
}

//= compat: 4.2-3, 4.2-4, 10.51
fn step(pass: &mut Pass) {
    let index = pass.status.step_index;
    let at_analysis = pass.strategy.step(index) == Some(&Step::Analysis);
    let Some(index) = index.filter(|_| at_analysis) else {
        pass.status.step_run = None;
        return;
    };
    if pass.status.pauses.is_empty() {
        let current = pass.status.step_run.clone();
        pass.status.step_run = runs::follow(pass, RunKind::Step(index), current);
    }
}
