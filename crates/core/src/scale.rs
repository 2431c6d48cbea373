//! Changing the size of a pool, whatever the strategy.

use std::cmp::Ordering;

use crate::action::Action;
use crate::pass::Pass;
use crate::reason::Reason;
use crate::time::{Span, Time};
use crate::world::Pool;

/// Whether the replicas changed since a pool was last scaled.
//= compat: 2.2-8, 2.4-6
pub fn resized<S>(pass: &Pass<S>) -> bool {
    let replicas = pass.rollout().replicas;
    let stale =
        |pool: Option<&Pool>| pool.is_some_and(|p| p.size > 0 && p.replicas_seen.is_some_and(|r| r != replicas));
    stale(pass.world.new_pool()) || stale(pass.world.stable_pool())
}

/// Asks for another size of a pool, or lets it learn the rollout's replicas.
//= compat: 9.4-2
pub fn scale_to<S>(pass: &mut Pass<S>, pool: &Pool, size: u32) {
    let verb = match size.cmp(&pool.size) {
        Ordering::Equal => None,
        Ordering::Greater => Some("up"),
        Ordering::Less => Some("down"),
    };
    if let Some(verb) = verb {
        let name = crate::revision::pool_name(pass.rollout(), &pool.hash);
        let (revision, from) = (pool.revision, pool.size);
        let text = format!("Scaled {verb} ReplicaSet {name} (revision {revision}) from {from} to {size}");
        pass.event("ScalingReplicaSet", text);
    }
    let replicas_seen = pass.rollout().replicas;
    pass.actions.push(Action::ScalePool { hash: pool.hash.clone(), size, replicas_seen });
}

/// Brings a pool to a size in a pass that only follows changed replicas. Every pool with members learns the new replicas, also
/// one whose size stays, or the rollout would do nothing else for ever.
//= compat: 2.2-8
pub fn follow_replicas<S>(pass: &mut Pass<S>, pool: &Pool, size: u32) {
    if pool.size != size || (pool.size > 0 && pool.replicas_seen != Some(pass.rollout().replicas)) {
        scale_to(pass, pool, size);
    }
}

/// Drops the planned scale-down of a pool that is in use, if there is one.
//= compat: 2.8-31
pub fn keep<S>(pass: &mut Pass<S>, pool: &Pool) {
    let action = Action::SetScaleDownAt { hash: pool.hash.clone(), at: None };
    if pool.scale_down_at.is_some() && !pass.actions.contains(&action) {
        pass.actions.push(action);
    }
}

/// Plans the scale-down of a pool after a delay.
pub fn plan<S>(pass: &mut Pass<S>, pool: &Pool, delay: Span) {
    let at = pass.now + delay;
    pass.actions.push(Action::SetScaleDownAt { hash: pool.hash.clone(), at: Some(at) });
    pass.wake(at);
}

/// Waits for the planned scale-down of a pool.
pub fn await_plan<S>(pass: &mut Pass<S>, pool: &Pool, at: Time) {
    pass.reasons.push(Reason::ScaleDownPlanned { hash: pool.hash.clone(), at });
    pass.wake(at);
}

/// An aborted version with members stays for its delay once stable is whole. Returns whether its time has come.
//= compat: 2.7-7
pub fn is_retired<S>(pass: &mut Pass<S>, new: &Pool, delay: Span) -> bool {
    let stable_whole = pass.world.stable_pool().is_some_and(|p| p.available >= pass.rollout().replicas);
    match new.scale_down_at {
        None if stable_whole => plan(pass, new, delay),
        None => {}
        Some(at) if pass.now < at => await_plan(pass, new, at),
        Some(_) => return true,
    }
    false
}
