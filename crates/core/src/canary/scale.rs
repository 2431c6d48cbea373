//! How many members each pool gets in this pass: stable first, then the new one, then the rest
//! (sections 2.2, 2.7 and 2.8 of the reference).

use super::Pass;
use super::sizing::{self, Limits, Routed, Size, Sizes};
use crate::abort;
use crate::reason::Reason;
use crate::scale;
use crate::time::Span;
use crate::world::Pool;

fn size(pool: Option<&Pool>) -> Size {
    pool.map_or_else(Size::default, |p| Size { wanted: p.size, available: p.available })
}

/// A pass that only adjusts sizes to changed replicas. What must wait for the router or for the delay of an abort is left to
/// the passes after it.
//= compat: 2.2-8, 10.18
pub fn resize(pass: &mut Pass) {
    pass.reasons.push(Reason::Resized);
    let sizes = sizes(pass);
    let world = pass.world;
    let retiring = abort_delay(pass).is_some() && !pass.fully_promoted();
    let stable = world.stable_pool().filter(|p| p.hash != world.rollout.hash).map(|p| (p, sizes.stable));
    let new = world.new_pool().map(|p| (p, if retiring { p.size } else { sizes.new }));
    for (pool, size) in stable.into_iter().chain(new) {
        let size = if may_shrink(pass, pool, size) { size } else { pool.size };
        scale::follow_replicas(pass, pool, size);
    }
}

/// Brings the sizes towards what the traffic needs. One group moves per pass, so that each is seen before the next.
//= compat: 2.2-10, 2.8-31
pub fn reconcile(pass: &mut Pass) {
    if pass.halted() {
        return;
    }
    keep_pools_in_use(pass);
    let world = pass.world;
    let sizes = sizes(pass);
    if let Some(stable) = world.stable_pool().filter(|p| p.hash != world.rollout.hash)
        && stable.size != sizes.stable
        && may_shrink(pass, stable, sizes.stable)
    {
        return scale::scale_to(pass, stable, sizes.stable);
    }
    if let Some(new) = world.new_pool() {
        if let Some(delay) = abort_delay(pass).filter(|_| !pass.fully_promoted()) {
            if retire_aborted(pass, new, delay) {
                return;
            }
        } else if new.size != sizes.new && may_shrink(pass, new, sizes.new) {
            return scale::scale_to(pass, new, sizes.new);
        }
    }
    others(pass);
}

/// A pool shrinks only to what the weight that the router really carries leaves to it: traffic moves first. A
/// `setCanaryScale` is a wish to have fewer canary members than their weight needs, down to the last one. An abort wishes
/// nothing: the step that it goes back to says how many stay once the traffic is gone.
//= compat: 2.8-22
fn may_shrink(pass: &Pass, pool: &Pool, size: u32) -> bool {
    if size >= pool.size {
        return true;
    }
    let Some(split) = pass.world.split.as_ref().filter(|_| pass.strategy.traffic.is_some()) else {
        return true;
    };
    let mut weight = 0;
    if split.stable == pool.hash {
        weight += split.weight_stable();
    }
    if split.canary == pool.hash {
        weight += split.weight;
        if !split.header_routes.is_empty() || !split.mirrors.is_empty() {
            weight = weight.max(1);
        }
    }
    let wished = pool.hash == pass.rollout().hash && !pass.status.abort && routed(pass).fixed_scale().is_some();
    let needed = match wished {
        true => weight.min(1),
        false => sizing::share_rounded_up(pass.rollout().replicas, weight, split.weight_total),
    };
    size >= needed.min(pool.size)
}

/// The pools in use lose a planned scale-down.
//= compat: 2.8-31
fn keep_pools_in_use(pass: &mut Pass) {
    let keeps_new = abort_delay(pass).is_none() || pass.fully_promoted();
    let new = pass.world.new_pool().filter(|_| keeps_new);
    for pool in pass.world.stable_pool().into_iter().chain(new) {
        scale::keep(pass, pool);
    }
}

/// Sizes wanted in this pass.
pub fn sizes(pass: &Pass) -> Sizes {
    let world = pass.world;
    let replicas = pass.rollout().replicas;
    if pass.strategy.traffic.is_some() {
        let new_is_stable = pass.status.stable.as_ref() == Some(&world.rollout.hash);
        return if new_is_stable { Sizes { new: replicas, stable: replicas } } else { routed_sizes(pass) };
    }
    let new = size(world.new_pool());
    let stable_pool = world.stable_pool().filter(|p| p.hash != world.rollout.hash);
    let older = world.other_pools().iter().map(|p| p.size).fold(0, u32::saturating_add);
    let (surge, unavailable) = (pass.strategy.surge(replicas), pass.strategy.unavailable(replicas));
    let (target, stable) = (basic_target(pass), size(stable_pool));
    let sizes = sizing::basic_pass(Limits { replicas, surge, unavailable }, target, new, stable, older);
    make_room(sizes, target, new, stable)
}

/// Members of the stable pool that are not available hold places that the new version needs: where it cannot grow at all,
/// they go first. A Deployment does the same with its old members; the original waits for them for ever.
//= compat-differs: 2.8-14 a stable version whose members never come does not keep its successor from growing
fn make_room(sizes: Sizes, target: Sizes, new: Size, stable: Size) -> Sizes {
    let blocked = sizes.new == new.wanted && sizes.stable == stable.wanted;
    let idle = stable.wanted.saturating_sub(stable.available);
    let spare = idle.min(stable.wanted.saturating_sub(target.stable)).min(target.new.saturating_sub(new.wanted));
    match blocked {
        true => Sizes { stable: stable.wanted - spare, ..sizes },
        false => sizes,
    }
}

/// The original's sizes, but for ends of the way back that it never reaches.
//= compat-differs: 2.8-21 the way back of an abort also ends where minPodsPerReplicaSet keeps a step from being taken
fn routed_sizes(pass: &Pass) -> Sizes {
    let routed = routed(pass);
    let mut sizes = routed.sizes();
    let recorded = pass.status.weights.as_ref();
    let former = recorded.is_some_and(|w| w.canary_hash != pass.rollout().hash);
    if former {
        // The recorded weight is that of a version before: it asks nothing of the new pool.
        sizes.new = Routed { weight_recorded: None, ..routed }.sizes().new;
    }
    if routed.fixed_scale().is_some() || former {
        // Whatever size the canary is told to have, stable gets ready for the weight that is meant to come back to it.
        let weight = if former { 0 } else { routed.step_weight() };
        let total = pass.strategy.weight_total();
        let needed = sizing::share_rounded_up(pass.rollout().replicas, total.saturating_sub(weight), total);
        sizes.stable = sizes.stable.max(needed);
    }
    if pass.status.abort && routed.fixed_scale().is_none() {
        if recorded.is_none_or(|w| w.canary == 0) {
            sizes.new = 0;
        }
        let smallest = pass.strategy.min_pods.is_some_and(|min| routed.new.available <= min);
        if smallest {
            // The canary gets no smaller, so stable must become whole without waiting for that.
            sizes.stable = pass.rollout().replicas;
        }
    }
    sizes
}

/// Where a canary without a router is heading.
//= compat: 2.8-9
fn basic_target(pass: &Pass) -> Sizes {
    let replicas = pass.rollout().replicas;
    if pass.world.stable_pool().is_none_or(|p| p.hash == pass.world.rollout.hash) {
        return Sizes { new: replicas, stable: 0 };
    }
    let weight = match (pass.status.promote_full, pass.status.abort) {
        (true, _) => 100,
        (false, true) => 0,
        (false, false) => pass.strategy.weight_at(pass.status.step_index),
    };
    sizing::basic_target(replicas, weight, 100, pass.strategy.surge(replicas))
}

/// What the sizes with a router depend on, from this pass.
//= compat: 2.8-20
pub fn routed<'a>(pass: &Pass<'a>) -> Routed<'a> {
    Routed {
        canary: pass.strategy,
        replicas: pass.rollout().replicas,
        step_index: pass.status.step_index,
        abort: pass.status.abort,
        promote_full: pass.status.promote_full,
        promoted: pass.status.stable.is_none() || pass.fully_promoted(),
        new: size(pass.world.new_pool()),
        stable: size(pass.world.stable_pool()),
        // Before a router carries anything, all of it is stable's.
        weight_recorded: Some(pass.status.weights.as_ref().map_or(0, |w| w.canary)),
    }
}

/// Whether both pools have what the current step wants of them.
//= compat: 2.9-4, 2.9-5
pub fn at_target(pass: &Pass) -> bool {
    let world = pass.world;
    let Some(new) = world.new_pool() else {
        return false;
    };
    let routed_canary = pass.strategy.traffic.is_some();
    let target = if routed_canary { sizes(pass) } else { basic_target(pass) };
    let threshold = pass.strategy.progress_threshold;
    let new_ready = match threshold {
        None => new.size == target.new && new.available >= target.new,
        Some(_) => sizing::enough(threshold, target.new, new.available),
    };
    if !new_ready {
        return false;
    }
    if routed_canary && pass.strategy.dynamic_stable_scale {
        return true;
    }
    let stable_ready = world
        .stable_pool()
        .filter(|p| p.hash != world.rollout.hash)
        .is_none_or(|p| p.size == target.stable && p.members == target.stable);
    let old_left: u32 = world.other_pools().iter().map(|p| p.available).fold(0, u32::saturating_add);
    stable_ready && (routed_canary || old_left == 0)
}

/// Members the new pool should have at the current step.
pub fn new_wanted(pass: &Pass) -> u32 {
    if pass.strategy.traffic.is_some() { sizes(pass).new } else { basic_target(pass).new }
}

/// An aborted canary stays for its delay once stable is whole, and then goes. Returns whether it was scaled.
//= compat: 2.7-7, B.5-5
fn retire_aborted(pass: &mut Pass, new: &Pool, delay: Span) -> bool {
    let goes = new.size > 0 && scale::is_retired(pass, new, delay) && may_shrink(pass, new, 0);
    if goes {
        scale::scale_to(pass, new, 0);
    }
    goes
}

/// Pools that are neither new nor stable: they lose unhealthy members first, then the rest as availability or the
/// scale-down delay allows.
//= compat: 2.8-23, 2.8-24, 2.8-25
fn others(pass: &mut Pass) {
    match pass.strategy.traffic {
        Some(_) => routed_others(pass),
        None => basic_others(pass),
    }
}

//= compat: 2.8-23, 2.8-24, 2.8-26
fn basic_others(pass: &mut Pass) {
    let replicas = pass.rollout().replicas;
    let min_available = replicas.saturating_sub(pass.strategy.unavailable(replicas));
    let available: u32 = pass.world.pools.iter().map(|p| p.available.min(p.size)).fold(0, u32::saturating_add);
    let mut budget = available.saturating_sub(min_available);
    for pool in pass.world.other_pools() {
        if pool.size == 0 {
            continue;
        }
        let healthy = pool.size.min(pool.available);
        let take = healthy.min(budget);
        budget -= take;
        if healthy - take != pool.size {
            scale::scale_to(pass, pool, healthy - take);
        }
    }
}

/// With a router: a version that was stable stays for the scale-down delay, one from the middle of an update goes at
/// once; neither goes while the router still sends requests to it.
//= compat: 2.4-5, 2.8-25, 2.8-27, 2.8-28, 10.19, 10.21
fn routed_others(pass: &mut Pass) {
    let promoted = pass.fully_promoted();
    let mut waiting = 0;
    for pool in pass.world.other_pools() {
        if pool.size == 0 || !may_shrink(pass, pool, 0) {
            continue;
        }
        let delayed = (promoted || pool.scale_down_at.is_some()) && !pass.strategy.dynamic_stable_scale;
        let delay = pass.strategy.scale_down_delay;
        let within_limit = pass.strategy.scale_down_delay_revision_limit.is_none_or(|limit| waiting < limit);
        match pool.scale_down_at {
            None if delayed && delay > Span::ZERO && within_limit => {
                waiting += 1;
                scale::plan(pass, pool, delay);
            }
            Some(at) if delayed && pass.now < at && within_limit => {
                waiting += 1;
                scale::await_plan(pass, pool, at);
            }
            _ => scale::scale_to(pass, pool, 0),
        }
    }
}

/// Whether an aborted canary keeps its members for a while, and for how long (`abortScaleDownDelaySeconds`).
//= compat: 2.7-7, 2.7-8
pub fn abort_delay(pass: &Pass) -> Option<Span> {
    let canary = pass.strategy;
    if !pass.status.abort || pass.status.stable.is_none() || canary.traffic.is_none() {
        return None;
    }
    match canary.abort_scale_down_delay {
        Some(span) if span == Span::ZERO => None,
        Some(span) => Some(span),
        None if canary.dynamic_stable_scale => None,
        None => Some(abort::DEFAULT_DELAY),
    }
}
