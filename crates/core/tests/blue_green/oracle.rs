//! What must hold of every decision of a blue-green rollout, whatever the world was.

use serin_core::status::PauseReason;
use serin_core::{Action, Decision, Hash, Member, World, decide};

use crate::stage::{self, Stage};

/// One pass of the stage, judged. Panics with the world where something does not hold.
pub(crate) fn judged_pass(stage: &mut Stage) -> Decision {
    stage.call_the_roll();
    let before = stage.clone();
    let decision = stage.pass();
    if let Err(why) = judge(&before, &decision, stage) {
        panic!("{why}\n{}\n-> {}\n   {}", before.brief(), stage::line(&decision), stage.state());
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
        if stage.world == before && (decision.actions.is_empty() || !stage.services_obey) {
            return decision;
        }
    }
    panic!("does not settle within {bound} passes: {}\n-> {}", stage.brief(), stage.next());
}

/// The pool that has the users, as it was read back.
fn active(world: &World) -> Option<&Hash> {
    world.service("svc-active").and_then(|s| s.selects.as_ref())
}

fn judge(before: &Stage, decision: &Decision, after: &Stage) -> Result<(), String> {
    let world = &before.world;
    if decide(world, before.now) != *decision {
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
    for action in &decision.actions {
        match action {
            Action::ScalePool { hash, size, .. } => keeps_members(before, hash, *size)?,
            Action::PointService { service, hash } if service == "svc-active" => switch(before, hash)?,
            _ => {}
        }
    }
    restarts_leave_enough(before, after)?;
    let promoted = decision.status.stable != world.status.stable;
    if promoted && world.status.stable.is_some() && active(world) != Some(&world.rollout.hash) {
        return Err("promoted before the users were with it".to_owned());
    }
    Ok(())
}

/// A restart takes available members away only as far as members may be missing, and one at least.
fn restarts_leave_enough(before: &Stage, after: &Stage) -> Result<(), String> {
    let count =
        |s: &Stage, of: fn(&Member) -> bool| s.world.pools.iter().flat_map(|p| &p.roster).filter(|m| of(m)).count();
    if count(after, |m| m.leaving) == count(before, |m| m.leaving) {
        return Ok(());
    }
    let rollout = &before.world.rollout;
    let wanted: u32 = before.world.pools.iter().map(|p| p.size).sum::<u32>().max(rollout.replicas);
    let least = wanted.saturating_sub(rollout.unavailable().max(1)) as usize;
    let (now, then) = (count(before, |m| m.available), count(after, |m| m.available));
    if then < now.min(least) {
        return Err(format!("a restart leaves {then} available members of {now}"));
    }
    Ok(())
}

/// The pool with the users, and the stable one, only shrink to fewer replicas.
fn keeps_members(before: &Stage, hash: &Hash, size: u32) -> Result<(), String> {
    let world = &before.world;
    let needed = active(world) == Some(hash) || world.status.stable.as_ref() == Some(hash);
    let pool = world.pool(hash).ok_or("scales a pool that is not there")?;
    if needed && size < pool.size && size < world.rollout.replicas {
        return Err(format!("{hash} is needed and goes from {} to {size}", pool.size));
    }
    Ok(())
}

/// The users go forward only to a whole pool, and back only to one that answers, or where nobody answers now; never
/// forward while an abort lasts or a person halts.
fn switch(before: &Stage, hash: &Hash) -> Result<(), String> {
    let world = &before.world;
    let replicas = world.rollout.replicas;
    let pool = world.pool(hash).ok_or("switches to a pool that is not there")?;
    let back = world.status.stable.as_ref() == Some(hash);
    let now = active(world).and_then(|h| world.pool(h)).map_or(0, |p| p.available);
    if active(world).is_none() && world.status.blue_green.active.as_ref() == Some(hash) {
        // The service forgot, and is told again what it selected.
        return Ok(());
    }
    if world.rollout.paused && active(world).is_some() {
        return Err("switches while a person halts".to_owned());
    }
    if !back && (pool.available < replicas || world.status.abort) {
        return Err(format!("switches forward to {hash} with {} of {replicas} members", pool.available));
    }
    if pool.available == 0 && now > 0 && replicas > 0 {
        return Err(format!("switches from {now} available members to none"));
    }
    Ok(())
}

/// What must hold once nothing changes any more, with every member available and the services as asked.
pub(crate) fn judge_rest(stage: &Stage, decision: &Decision) -> Result<(), String> {
    let world = &stage.world;
    let status = &world.status;
    let person = world.rollout.blue_green().is_some_and(|own| !own.auto_promotion);
    let waits_for_person = world.rollout.paused
        || status.pause(PauseReason::InconclusiveAnalysisRun).is_some()
        || (status.pause(PauseReason::BlueGreenPause).is_some() && person)
        || status.abort;
    let waits_for_run = world.runs.iter().any(|r| !r.phase.is_completed());
    if stage.phase() != "Healthy" && !waits_for_person && !waits_for_run && decision.wake_at.is_none() {
        return Err(format!("stuck at {}", stage.state()));
    }
    if decision.reasons.is_empty() {
        return Err("says nothing about why it rests".to_owned());
    }
    if status.abort && !world.rollout.paused && active(world).is_some() && active(world) != status.stable.as_ref() {
        return Err("an abort leaves the users with the aborted version".to_owned());
    }
    Ok(())
}
