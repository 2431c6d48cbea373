//! The analysis before and after the switch (section 4.2 of the reference).

use super::{Pass, scale, switch};
use crate::analysis::{RunKind, RunPhase};
use crate::canary::experiment;
use crate::runs;
use crate::status::RunRef;

/// Whether a run is there and ended well.
pub fn succeeded(run: &Option<RunRef>) -> bool {
    run.as_ref().is_some_and(|r| r.phase == RunPhase::Successful)
}

/// Starts, follows and stops the runs of this pass. Results stay in the status until the template changes.
//= compat: 4.2-1, 4.2-7, 4.2-9
pub fn reconcile(pass: &mut Pass) {
    if pass.status.stable.is_none() || pass.status.abort || switch::fast_track(pass).is_some() {
        let ended = |run: &mut Option<RunRef>| {
            run.take_if(|r| !r.phase.is_completed());
        };
        ended(&mut pass.status.blue_green.pre_run);
        ended(&mut pass.status.blue_green.post_run);
    } else {
        pre_promotion(pass);
        if !pass.status.abort {
            post_promotion(pass);
        }
    }
    // A canary that became a blue-green rollout leaves its own behind.
    (pass.status.step_run, pass.status.background_run, pass.status.current_experiment) = (None, None, None);
    runs::stop_unwanted(pass);
    runs::forget_old(pass);
    experiment::stop_unwanted(pass);
    experiment::forget_old(pass);
}

/// Before the switch, once the new version has its members; a member lost later does not take the run back.
//= compat: 4.2-5, 10.41
fn pre_promotion(pass: &mut Pass) {
    let current = pass.status.blue_green.pre_run.clone();
    let switched = switch::is_active(pass) || pass.status.blue_green.active.is_none();
    if !pass.strategy.pre_promotion || switched {
        pass.status.blue_green.pre_run = current.filter(|r| r.phase.is_completed());
        return;
    }
    if current.is_some() || (!pass.rollout().paused && scale::at_target(pass)) {
        pass.status.blue_green.pre_run = follow(pass, RunKind::PrePromotion, current);
    }
}

/// After the switch, until the version is the stable one.
//= compat: 4.2-6
fn post_promotion(pass: &mut Pass) {
    let current = pass.status.blue_green.post_run.clone();
    if !pass.strategy.post_promotion || !switch::is_active(pass) {
        pass.status.blue_green.post_run = current.filter(|r| r.phase.is_completed());
        return;
    }
    let whole = pass.world.new_pool().is_some_and(|p| switch::whole(pass.world, p));
    if current.is_some() || whole {
        pass.status.blue_green.post_run = follow(pass, RunKind::PostPromotion, current);
    }
}

/// Follows a run, and says that it is waited for.
fn follow(pass: &mut Pass, kind: RunKind, current: Option<RunRef>) -> Option<RunRef> {
    let run = runs::follow(pass, kind, current);
    if let Some(run) = run.as_ref().filter(|r| !r.phase.is_completed()) {
        pass.reasons.push(crate::reason::Reason::AwaitingRun { run: run.name.clone() });
    }
    run
}

/// Whether former versions stay up because the post-promotion analysis has not spoken yet.
//= compat: 1.6-4, 2.8-35
pub fn protects_others(pass: &Pass) -> bool {
    pass.strategy.post_promotion
        && pass.strategy.scale_down_delay.is_none()
        && !pass.fully_promoted()
        && switch::fast_track(pass).is_none()
        && !succeeded(&pass.status.blue_green.post_run)
}
