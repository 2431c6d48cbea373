//! What must hold of every decision, whatever the world was.

use serin_core::status::PauseReason;
use serin_core::{Action, Decision, Hash, Reason, Split, World, decide};

use crate::stage::Stage;

/// One pass of the stage, judged. Panics with the world where something does not hold.
pub(crate) fn judged_pass(stage: &mut Stage) -> Decision {
    stage.call_the_roll();
    let before = stage.clone();
    let decision = stage.pass();
    if let Err(why) = judge(&before, &decision, stage) {
        let then = crate::stage::line(&decision);
        panic!("{why}\n{}\n-> {then}\n   {}", before.brief(), stage.state());
    }
    decision
}

/// Passes until nothing changes; `bound` passes must do.
pub(crate) fn judged_settle(stage: &mut Stage, bound: usize) -> Decision {
    for _ in 0..bound {
        if stage.members_come {
            stage.all_available();
        }
        let before = stage.world.clone();
        let decision = judged_pass(stage);
        let asked_in_vain = !stage.router_obeys && stage.world == before;
        if (decision.actions.is_empty() && stage.world == before) || asked_in_vain {
            return decision;
        }
    }
    panic!("does not settle within {bound} passes: {}\n-> {}", stage.brief(), stage.next());
}

fn judge(before: &Stage, decision: &Decision, after: &Stage) -> Result<(), String> {
    if decide(&before.world, before.now) != *decision {
        return Err("the same input gave another decision".to_owned());
    }
    let mut twice = after.clone();
    decision.actions.iter().for_each(|action| twice.apply(action));
    if twice.world != after.world {
        return Err("applying the actions twice is not the same as once".to_owned());
    }
    if decision.wake_at.is_some_and(|at| at < before.now) {
        return Err("wakes in the past".to_owned());
    }
    let changes = !decision.actions.is_empty() || decision.status != before.world.status;
    if changes && decision.wake_at != Some(before.now) {
        return Err("a change is not followed by another look".to_owned());
    }
    for action in &decision.actions {
        if let Action::SetSplit(split) = action {
            carried_by_members(&before.world, split)?;
        }
    }
    never_rises_on_the_way_back(before, decision)?;
    restarts_leave_enough(before, after)?;
    questions_are_named_once(decision)?;
    completed_steps_are_carried(before, decision)?;
    match before.world.split.as_ref().filter(|_| before.world.rollout.canary().unwrap().traffic.is_some()) {
        Some(split) => no_pool_below_its_weight(&before.world, split, &after.world),
        // A restart takes one member at least, whatever the limits: its own rule was asked above.
        None if decision.actions.iter().any(|a| matches!(a, Action::EvictMember { .. })) => Ok(()),
        None if before.world.rollout.canary().unwrap().traffic.is_none() => members_stay_available(before, after),
        None => Ok(()),
    }
}

/// Weight that a split gives a pool.
fn share(split: Option<&Split>, hash: &Hash) -> u32 {
    split.map_or(0, |s| {
        let stable = if s.stable == *hash { s.weight_stable() } else { 0 };
        let canary = if s.canary == *hash { s.weight } else { 0 };
        stable + canary
    })
}

/// No pool gets more weight than it has while none of its members is available, unless none at all are wanted.
fn carried_by_members(world: &World, split: &Split) -> Result<(), String> {
    let experiment: u32 = split.experiment.iter().map(|d| d.weight).sum();
    if split.weight + experiment + split.weight_stable() != split.weight_total {
        return Err(format!("weights do not add up: {split:?}"));
    }
    for destination in &split.experiment {
        let mut pools = world.experiments.iter().flat_map(|e| &e.pools);
        if !pools.any(|p| p.hash == destination.hash && p.available > 0) {
            return Err(format!("{} of an experiment has nobody who answers", destination.hash));
        }
    }
    for hash in [&split.stable, &split.canary] {
        let available = world.pool(hash).map_or(0, |p| p.available);
        if available == 0 && world.rollout.replicas > 0 && share(Some(split), hash) > share(world.split.as_ref(), hash)
        {
            return Err(format!("{hash} has no available member and gets weight {}", share(Some(split), hash)));
        }
    }
    Ok(())
}

/// While an abort lasts, the weight of the version that was aborted only falls.
fn never_rises_on_the_way_back(before: &Stage, decision: &Decision) -> Result<(), String> {
    let (Some(old), Some(new)) = (&before.world.status.weights, &decision.status.weights) else {
        return Ok(());
    };
    let aborted = before.world.status.abort && decision.status.abort;
    if aborted && old.canary_hash == new.canary_hash && new.canary > old.canary {
        return Err(format!("the weight rises from {} to {} in an abort", old.canary, new.canary));
    }
    Ok(())
}

/// A restart takes available members away only as far as members may be missing, and one at least.
fn restarts_leave_enough(before: &Stage, after: &Stage) -> Result<(), String> {
    let rollout = &before.world.rollout;
    let leaving = |s: &Stage| s.world.pools.iter().flat_map(|p| &p.roster).filter(|m| m.leaving).count();
    if leaving(after) == leaving(before) {
        return Ok(());
    }
    let wanted: u32 = before.world.pools.iter().map(|p| p.size).sum::<u32>().max(rollout.replicas);
    let least = wanted.saturating_sub(rollout.unavailable().max(1));
    let available = |s: &Stage| s.world.pools.iter().flat_map(|p| &p.roster).filter(|m| m.available).count();
    if available(after) < available(before).min(least as usize) {
        return Err(format!("a restart leaves {} available members of {}", available(after), available(before)));
    }
    Ok(())
}

/// No two questions to plugins have one name, and nothing is open twice for a step.
fn questions_are_named_once(decision: &Decision) -> Result<(), String> {
    let mut open = serin_core::plugin::open_calls(&decision.status, "svc");
    let count = open.len();
    open.sort();
    open.dedup();
    if open.len() != count {
        return Err(format!("two questions have one name: {:?}", decision.status.plugins));
    }
    Ok(())
}

/// A step to a weight is complete only when the router carries that weight; a canary without members has none.
fn completed_steps_are_carried(before: &Stage, decision: &Decision) -> Result<(), String> {
    let canary = before.world.rollout.canary().unwrap();
    let completed = decision.reasons.iter().any(|r| matches!(r, Reason::StepCompleted { .. }));
    let Some(serin_core::Step::SetWeight(weight)) = canary.step(before.world.status.step_index) else {
        return Ok(());
    };
    let carried = before.world.split.as_ref().map(|s| s.weight);
    let none =
        before.world.rollout.replicas == 0 || before.world.new_pool().is_none_or(|p| p.size == 0) && carried == Some(0);
    if completed && canary.traffic.is_some() && carried != Some(*weight) && !none {
        return Err(format!("completed a step to {weight} while the router carries {carried:?}"));
    }
    Ok(())
}

/// A pool is shrunk only to what the weight needs that the router was last seen to carry; to a single member where a
/// `setCanaryScale` wishes it.
fn no_pool_below_its_weight(before: &World, split: &Split, after: &World) -> Result<(), String> {
    for (old, new) in before.pools.iter().filter_map(|p| Some((p, after.pool(&p.hash)?))) {
        let routed = !split.header_routes.is_empty() || !split.mirrors.is_empty();
        let by_header = split.canary == old.hash && routed && before.rollout.replicas > 0;
        let weight = share(Some(split), &old.hash);
        let replicas = u64::from(before.rollout.replicas);
        let index = before.status.step_index.filter(|_| !before.status.promote_full);
        let wished = old.hash == before.rollout.hash && before.rollout.canary().unwrap().scale_at(index).is_some();
        let replicas = if wished { replicas.min(1) } else { replicas };
        let needed = (replicas * u64::from(weight)).div_ceil(u64::from(split.weight_total)).max(u64::from(by_header));
        if new.size < old.size && u64::from(new.size) < needed {
            return Err(format!("{} goes from {} to {} at weight {weight}", old.hash, old.size, new.size));
        }
    }
    Ok(())
}

/// Without a router: no decision takes available members away below the minimum, none goes beyond the surge.
fn members_stay_available(before: &Stage, after: &Stage) -> Result<(), String> {
    let canary = before.world.rollout.canary().unwrap();
    let replicas = before.world.rollout.replicas;
    let serving = |s: &Stage| s.world.pools.iter().map(|p| p.available.min(p.size)).sum::<u32>();
    let wanted = |s: &Stage| s.world.pools.iter().map(|p| p.size).sum::<u32>();
    let least = replicas.saturating_sub(canary.unavailable(replicas));
    if serving(after) < serving(before).min(least) {
        return Err(format!(
            "{} available members become {}, at least {least} are needed",
            serving(before),
            serving(after)
        ));
    }
    let most = replicas + canary.surge(replicas);
    if wanted(after) > wanted(before).max(most) {
        return Err(format!("{} members are wanted, at most {most} may be", wanted(after)));
    }
    Ok(())
}

/// What must hold once nothing changes any more, with every member available and the router as asked.
pub(crate) fn judge_rest(stage: &Stage, decision: &Decision) -> Result<(), String> {
    let world = &stage.world;
    let status = &world.status;
    let waits_for_person = world.rollout.paused
        || status.is_inconclusive()
        || (status.pause(PauseReason::CanaryPauseStep).is_some() && pause_without_end(stage))
        || status.abort;
    let waits_for_run = world.runs.iter().any(|r| !r.phase.is_completed())
        || world.experiments.iter().any(|e| !e.phase.is_completed())
        || world.plugins.calls.iter().any(|c| c.answer.is_none());
    if stage.phase() != "Healthy" && !waits_for_person && !waits_for_run && decision.wake_at.is_none() {
        return Err(format!("stuck at {}", stage.state()));
    }
    if decision.reasons.is_empty() {
        return Err("says nothing about why it rests".to_owned());
    }
    let Some(split) = &world.split else { return Ok(()) };
    if status.abort && split.weight > 0 && !world.rollout.paused {
        return Err(format!("an abort ends at weight {}", split.weight));
    }
    Ok(())
}

fn pause_without_end(stage: &Stage) -> bool {
    let canary = stage.world.rollout.canary().unwrap();
    matches!(canary.step(stage.world.status.step_index), Some(serin_core::Step::Pause(None)))
}
