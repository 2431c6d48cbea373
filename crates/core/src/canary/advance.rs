//! The current step: is it done, and if not, what does it wait for (section 1.7 of the reference).

use super::{Pass, experiment, plugins, scale};
use crate::abort;
use crate::analysis::RunPhase;
use crate::reason::Reason;
use crate::rollout::{Step, Undecided, pause_over};
use crate::status::PauseReason;
use crate::time::Span;

/// Completes at most one step.
//= compat: 1.7-6, 1.7-8, 1.7-11
pub fn step(pass: &mut Pass) {
    let skip = pass.fully_promoted() || pass.status.stable.is_none() || pass.status.abort || pass.status.promote_full;
    let Some(index) = pass.status.step_index.filter(|_| !skip) else {
        return;
    };
    let Some(step) = pass.strategy.step(Some(index)) else {
        return;
    };
    if pass.rollout().paused {
        pass.reasons.push(Reason::PausedByPerson);
        return;
    }
    if pass.status.is_inconclusive() || plugins::closing(pass) {
        return;
    }
    let done = match step {
        Step::SetWeight(_) | Step::SetCanaryScale(_) => members_ready(pass) && router_ready(pass),
        Step::SetHeaderRoute(_) | Step::SetMirrorRoute(_) => router_ready(pass),
        Step::Pause(duration) => pause(pass, *duration),
        Step::Analysis => analysis(pass),
        Step::Experiment(_) => experiment::is_successful(pass),
        Step::Plugin(plugin) => plugins::step(pass, index, plugin),
    };
    if done {
        complete(pass, step);
    }
}

fn complete(pass: &mut Pass, step: &Step) {
    let index = pass.status.step_index.unwrap_or(0);
    let total = pass.strategy.steps.len();
    let resumed = pass.status.pause(PauseReason::CanaryPauseStep).is_some();
    pass.status.step_index = Some(index + 1);
    pass.status.remove_pause(PauseReason::CanaryPauseStep);
    (pass.status.step_run, pass.status.current_experiment) = (None, None);
    let (number, text) = (index + 1, step.to_string());
    pass.event("RolloutStepCompleted", format!("Rollout step {number}/{total} completed ({text})"));
    if resumed {
        pass.event("RolloutResumed", "Rollout is resumed".to_owned());
    }
    pass.reasons.push(Reason::StepCompleted { number, total, step: text });
}

fn members_ready(pass: &mut Pass) -> bool {
    if scale::at_target(pass) {
        return true;
    }
    let wanted = scale::new_wanted(pass);
    let left: u32 = pass.world.other_pools().iter().map(|p| p.available).sum();
    let Some(new) = pass.world.new_pool() else {
        return false;
    };
    let reason = match new.available < wanted || left == 0 {
        true => Reason::AwaitingMembers { hash: new.hash.clone(), available: new.available, wanted },
        false => Reason::AwaitingOldMembers { left },
    };
    pass.reasons.push(reason);
    false
}

/// A step that moves traffic is done when the router was seen to carry it, not when it was asked to.
fn router_ready(pass: &Pass) -> bool {
    pass.strategy.traffic.is_none() || pass.status.weights.as_ref().is_some_and(|w| w.verified)
}

/// The pause protocol: add the condition; over when its time passed, or when somebody took the condition away.
//= compat: 1.7-9, 1.7-10, 2.7-3, 2.7-4, 10.6, B.3-2
fn pause(pass: &mut Pass, duration: Option<Span>) -> bool {
    let Some(pause) = pass.status.pause(PauseReason::CanaryPauseStep).copied() else {
        if pass.status.controller_pause {
            pass.status.controller_pause = false;
            return true;
        }
        let first = pass.status.pauses.is_empty();
        pass.status.add_pause(PauseReason::CanaryPauseStep, pass.now);
        if first {
            pass.event("RolloutPaused", "Rollout is paused (CanaryPauseStep)".to_owned());
        }
        return false;
    };
    let Some(duration) = duration else {
        pass.reasons.push(Reason::PausedForPerson);
        return false;
    };
    let evidence = evidence(pass);
    if matches!(evidence, Evidence::Passed) {
        return true;
    }
    if pause_over(pause.start, duration, pass.now) {
        return match evidence {
            Evidence::Awaited(run) => undecided(pass, run),
            Evidence::Passed | Evidence::NotAsked => true,
        };
    }
    let end = pause.start + duration;
    pass.reasons.push(Reason::PausedUntil { end, left: end.since(pass.now) });
    // "Strictly after" in whole milliseconds is one millisecond later.
    pass.wake(end + Span::from_millis(1));
    false
}

/// What the tests of the background run say about this step.
enum Evidence {
    /// The pause is a matter of time alone.
    NotAsked,
    /// Enough, at this weight.
    Passed,
    /// Not enough yet; the run that goes on.
    Awaited(String),
}

fn evidence(pass: &Pass) -> Evidence {
    let Some(run) = pass.status.background_run.as_ref().filter(|_| pass.strategy.advance.is_some()) else {
        return Evidence::NotAsked;
    };
    let seen = pass.world.run(&run.name);
    // One that has ended well will say no more; one that ended otherwise has acted already.
    if seen.is_some_and(|run| run.phase.is_completed()) {
        return Evidence::NotAsked;
    }
    match seen.and_then(|run| run.passed_at) == Some(pass.strategy.share_at(pass.status.step_index)) {
        true => Evidence::Passed,
        false => Evidence::Awaited(run.name.clone()),
    }
}

/// The pause is over and the tests have not passed.
fn undecided(pass: &mut Pass, run: String) -> bool {
    match pass.strategy.advance.unwrap_or_default() {
        Undecided::Promote => return true,
        Undecided::Hold => pass.reasons.push(Reason::AwaitingEvidence { run }),
        Undecided::RollBack => {
            let cause = format!("the pause ended before the tests of {run} had passed, and undecided means roll back");
            abort::abort(pass, &cause);
        }
    }
    false
}

//= compat: 4.3-1
fn analysis(pass: &mut Pass) -> bool {
    let Some(run) = pass.status.step_run.clone() else {
        return false;
    };
    if run.phase == RunPhase::Successful {
        return true;
    }
    if !run.phase.is_completed() {
        pass.reasons.push(Reason::AwaitingRun { run: run.name });
    }
    false
}
