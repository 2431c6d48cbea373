//! How many members each pool gets: stable is always whole, the new one has its preview size until the switch is allowed,
//! the others wait for their scale-down (sections 1.6 and 2.8 of the reference).

use super::{Pass, runs, switch};
use crate::abort;
use crate::reason::Reason;
use crate::scale;
use crate::status::PauseReason;
use crate::time::Span;
use crate::world::Pool;

/// Members wanted of the new pool.
//= compat: 2.8-32, B.7-2
//= compat-differs: 2.8-32 a pause after the checkpoint does not shrink the new pool again
pub fn new_wanted(pass: &Pass) -> u32 {
    let replicas = pass.rollout().replicas;
    let Some(preview) = pass.strategy.preview_replicas else {
        return replicas;
    };
    let full = pass.status.stable.is_none()
        || pass.status.blue_green.active.is_none()
        || switch::is_active(pass)
        || pass.status.blue_green.checkpoint
        || switch::fast_track(pass).is_some();
    if full { replicas } else { preview }
}

/// Whether the new pool has the members it is to have now, and all are available.
pub fn at_target(pass: &Pass) -> bool {
    let wanted = new_wanted(pass);
    pass.world.new_pool().is_some_and(|new| new.size == wanted && new.available == wanted)
}

/// A pass that only adjusts sizes to changed replicas.
//= compat: 2.2-8
pub fn resize(pass: &mut Pass) {
    pass.reasons.push(Reason::Resized);
    let (world, replicas) = (pass.world, pass.rollout().replicas);
    let retiring = abort_delay(pass).is_some() && !switch::is_active(pass);
    let stable = world.stable_pool().filter(|p| p.hash != world.rollout.hash).map(|p| (p, replicas));
    let new = world.new_pool().map(|p| (p, if retiring { p.size } else { new_wanted(pass) }));
    for (pool, size) in stable.into_iter().chain(new) {
        let size = if serves_users(pass, pool) { size.max(replicas) } else { size };
        scale::follow_replicas(pass, pool, size);
    }
}

/// Brings the sizes towards what the strategy needs now.
//= compat: 2.8-34
pub fn reconcile(pass: &mut Pass) {
    keep_pools_in_use(pass);
    let (world, replicas) = (pass.world, pass.rollout().replicas);
    if let Some(stable) = world.stable_pool().filter(|p| p.hash != world.rollout.hash && p.size != replicas) {
        scale::scale_to(pass, stable, replicas);
    }
    if let Some(new) = world.new_pool() {
        match abort_delay(pass) {
            Some(delay) => retire_aborted(pass, new, delay),
            None => {
                let wanted = new_wanted(pass);
                if new.size != wanted {
                    scale::scale_to(pass, new, wanted);
                }
            }
        }
    }
    others(pass);
}

/// Whether the users' requests go to this pool: then it must not get smaller than the replicas.
fn serves_users(pass: &Pass, pool: &Pool) -> bool {
    pass.status.blue_green.active.as_ref() == Some(&pool.hash)
}

/// How long an aborted version keeps its members; `None` where it is not aborted, or keeps them for good
/// (`abortScaleDownDelaySeconds: 0`).
//= compat: 2.7-7, 2.7-8
fn abort_delay(pass: &Pass) -> Option<Span> {
    if !pass.status.abort || pass.status.stable.is_none() {
        return None;
    }
    let delay = pass.strategy.abort_scale_down_delay.unwrap_or(abort::DEFAULT_DELAY);
    (delay > Span::ZERO).then_some(delay)
}

/// The pools in use lose a planned scale-down. One that returns keeps it until the users are with it, so that it is still
/// known to return.
//= compat: 2.8-31
fn keep_pools_in_use(pass: &mut Pass) {
    let world = pass.world;
    let retiring = abort_delay(pass).is_some();
    let new = world.new_pool().filter(|p| !retiring && (switch::is_active(pass) || !switch::returns(pass, p)));
    if let Some(at) = world.new_pool().and_then(|p| p.scale_down_at).filter(|at| *at > pass.now) {
        pass.wake(at);
    }
    for pool in world.stable_pool().into_iter().chain(new) {
        scale::keep(pass, pool);
    }
}

/// An aborted version stays for its delay once stable is whole, and goes when the users have left it.
//= compat: 2.7-7, B.7-3
fn retire_aborted(pass: &mut Pass, new: &Pool, delay: Span) {
    if new.size > 0 && !serves_users(pass, new) && scale::is_retired(pass, new, delay) {
        scale::scale_to(pass, new, 0);
    }
}

/// Pools that are neither new nor stable wait for their scale-down: the newest up to the limit, at full size where they may
/// have to take the users back. Nothing is taken away while it is not clear whether it is needed again.
//= compat: 1.6-3, 1.6-4, 1.6-5, 2.4-5, 2.8-28, 2.8-35, 10.21
//= compat-differs: 2.8-28 a version that was never promoted does not grow to full size while it waits for its scale-down
fn others(pass: &mut Pass) {
    if pass.status.pause(PauseReason::InconclusiveAnalysisRun).is_some() || runs::protects_others(pass) {
        return;
    }
    let replicas = pass.rollout().replicas;
    let delay = pass.strategy.scale_down_delay.unwrap_or(abort::DEFAULT_DELAY);
    let mut waiting = 0;
    for pool in pass.world.other_pools() {
        if pool.size == 0 || serves_users(pass, pool) {
            continue;
        }
        let within_limit = pass.strategy.scale_down_delay_revision_limit.is_none_or(|limit| waiting < limit);
        match pool.scale_down_at {
            None if delay > Span::ZERO && within_limit => {
                waiting += 1;
                scale::plan(pass, pool, delay);
            }
            Some(at) if pass.now < at && within_limit => {
                waiting += 1;
                scale::await_plan(pass, pool, at);
                if pool.size != replicas && pool.promoted {
                    scale::scale_to(pass, pool, replicas);
                }
            }
            _ => scale::scale_to(pass, pool, 0),
        }
    }
}
