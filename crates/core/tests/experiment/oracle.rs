//! What must hold of every decision about an experiment, whatever the world was.

use serin_core::experiment::{ExperimentAction, ExperimentDecision, ExperimentWorld, TemplatePhase, decide};

use crate::stage::Stage;

/// Decides, judges the decision and keeps it.
pub(crate) fn judged_pass(stage: &mut Stage) -> ExperimentDecision {
    let before = stage.clone();
    let decision = stage.pass();
    let again = decide(&before.world, before.now);
    assert_eq!(decision, again, "the same world gives the same decision");
    if let Err(why) = judge(&before, &decision, stage) {
        panic!("{why}\nbefore {}\nafter {}\nactions {:?}", before.brief(), stage.brief(), decision.actions);
    }
    decision
}

/// Judged passes until nothing changes.
pub(crate) fn judged_settle(stage: &mut Stage) -> ExperimentDecision {
    for _ in 0..60 {
        if stage.members_come {
            for pool in &mut stage.world.pools {
                (pool.ready, pool.available) = (pool.members, pool.members);
            }
        }
        let before = stage.world.clone();
        let decision = judged_pass(stage);
        if decision.actions.is_empty() && stage.world == before {
            return decision;
        }
    }
    panic!("does not settle: {}", stage.brief());
}

fn judge(before: &Stage, decision: &ExperimentDecision, after: &Stage) -> Result<(), String> {
    let mut twice = after.clone();
    decision.actions.iter().for_each(|action| twice.apply(action));
    if twice.world != after.world {
        return Err("applying the actions twice differs from once".to_owned());
    }
    if decision.wake_at.is_some_and(|at| at < before.now) {
        return Err("wakes in the past".to_owned());
    }
    let changes = !decision.actions.is_empty() || decision.status != before.world.status;
    if changes && decision.wake_at != Some(before.now) {
        return Err("a change is not followed by another look".to_owned());
    }
    final_phases_stay(&before.world, &after.world)?;
    members_are_for_running_templates(&before.world, decision)?;
    if let (Some(old), new) = (before.world.status.available_at, after.world.status.available_at)
        && new != Some(old)
    {
        return Err(format!("availableAt went from {old:?} to {new:?}"));
    }
    Ok(())
}

fn final_phases_stay(before: &ExperimentWorld, after: &ExperimentWorld) -> Result<(), String> {
    if before.status.is_completed() && after.status.phase != before.status.phase {
        return Err(format!("{:?} became {:?}", before.status.phase, after.status.phase));
    }
    for old in before.status.templates.iter().filter(|t| t.phase.is_completed()) {
        if after.status.template(&old.name).is_some_and(|new| new.phase != old.phase) {
            return Err(format!("template {} was {} and changed", old.name, old.phase.as_str()));
        }
    }
    Ok(())
}

/// No template gets members that is over, and none loses its last one while a router sends it requests or before its time.
fn members_are_for_running_templates(before: &ExperimentWorld, decision: &ExperimentDecision) -> Result<(), String> {
    for action in &decision.actions {
        let ExperimentAction::ScalePool { template, size } = action else { continue };
        let over = decision.status.template(template).is_none_or(|t| t.phase.is_completed());
        let pool = before.pool(template).ok_or("scales a pool that is not there")?;
        if *size > 0 && (over || decision.status.is_completed()) {
            return Err(format!("{template} is over and gets {size} members"));
        }
        if *size == 0 && over && pool.routed {
            return Err(format!("{template} loses its members while it is routed to"));
        }
    }
    Ok(())
}

/// What must hold once nothing changes any more.
pub(crate) fn judge_rest(stage: &Stage, decision: &ExperimentDecision) -> Result<(), String> {
    let world = &stage.world;
    let status = &world.status;
    if decision.reasons.is_empty() {
        return Err("says nothing about why it rests".to_owned());
    }
    let waits_for_run = world.runs.iter().any(|r| r.analysis.is_some() && !r.phase.is_completed());
    let waits_for_person = world.experiment.invalid.is_some()
        || (world.experiment.duration.is_none() && status.available_at.is_some() && !world.experiment.terminate);
    let waits_for_router = world.pools.iter().any(|p| p.routed);
    if !status.is_completed() && !waits_for_run && !waits_for_person && decision.wake_at.is_none() {
        return Err(format!("stuck at {}", stage.state()));
    }
    let members = world.pools.iter().any(|p| p.size > 0);
    if status.is_completed() && members && decision.wake_at.is_none() && !waits_for_router {
        return Err("over, and members stay".to_owned());
    }
    if status.is_completed() && status.templates.iter().any(|t| !t.phase.is_completed()) {
        return Err(format!("over, but not its templates: {}", stage.templates()));
    }
    let running = status.templates.iter().any(|t| t.phase == TemplatePhase::Running);
    if running && world.pools.is_empty() {
        return Err("runs without pools".to_owned());
    }
    Ok(())
}
