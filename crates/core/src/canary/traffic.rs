//! Where the requests go: services and the split (sections 2.11 and 6.1 of the reference).

use super::{Pass, experiment, pingpong, scale, sizing};
use crate::action::Action;
use crate::reason::Reason;
use crate::rollout::Step;
use crate::status::Weights;
use crate::weight::{HeaderRoute, MirrorRoute, Split};
use crate::world::Pool;
use crate::{Hash, revision, services};

/// Points the stable and the canary service at their pools, once those can take requests.
//= compat: 2.11-2, 2.11-3, 2.11-4, 2.11-5, 2.11-6
pub fn services(pass: &mut Pass) {
    if let Some(pair) = &pass.strategy.ping_pong {
        pingpong::services(pass, pair);
    }
    let Some(stable) = pass.status.stable.clone() else {
        return;
    };
    if let Some(name) = &pass.strategy.stable_service {
        services::point(pass, name, stable.clone());
    }
    let Some(name) = &pass.strategy.canary_service else {
        return;
    };
    let aborted = pass.status.abort && !pass.fully_promoted();
    if aborted {
        let weight_gone = pass.status.weights.as_ref().is_none_or(|w| w.canary == 0);
        if !pass.strategy.dynamic_stable_scale || weight_gone {
            services::point(pass, name, stable);
        }
        return;
    }
    let Some(new) = pass.world.new_pool() else {
        return;
    };
    // Routers send to services: the former canary keeps its share until stable has grown, and its service with it.
    if pass.fully_promoted() && former_canary_leaves(pass, new) {
        return;
    }
    let adopted = pass.world.service(name).is_some_and(|s| s.selects.is_some());
    let ready = match adopted {
        true => new.available > 0,
        false => new.size > 0 && new.available >= new.size,
    };
    if ready {
        services::point(pass, name, new.hash.clone());
    }
}

/// Decides the split and asks the router for it where it differs from what was read back.
//= compat: 6.1-7, 6.1-8
pub fn split(pass: &mut Pass) {
    if pass.strategy.traffic.is_none() {
        pass.status.weights = None;
        return;
    }
    let Some(wanted) = wanted(pass) else {
        // What the router carries is not what is wanted, so no step may count it as done.
        if let Some(weights) = &mut pass.status.weights {
            weights.verified = false;
        }
        return;
    };
    let previous = pass.status.weights.as_ref().map(|w| w.canary);
    let verified = pass.world.split.as_ref() == Some(&wanted);
    pass.status.weights = Some(Weights {
        canary: wanted.weight,
        canary_hash: wanted.canary.clone(),
        stable: wanted.weight_stable(),
        stable_hash: wanted.stable.clone(),
        additional: wanted.experiment.clone(),
        verified,
    });
    match previous {
        Some(from) if from != wanted.weight => {
            pass.event("TrafficWeightUpdated", format!("Traffic weight updated from {from} to {}", wanted.weight));
        }
        None => pass.event("TrafficWeightUpdated", format!("Traffic weight updated to {}", wanted.weight)),
        _ => {}
    }
    if !verified {
        pass.reasons.push(Reason::AwaitingRouter);
        pass.actions.push(Action::SetSplit(wanted));
    }
}

/// The split that should hold now. `None` leaves it as it is: before anything is stable, or while stable could not carry
/// what it would get.
//= compat: 6.1-4, 6.1-11
fn wanted(pass: &mut Pass) -> Option<Split> {
    let total = pass.strategy.weight_total();
    let stable = pass.status.stable.clone()?;
    let stable_pool = pass.world.pool(&stable)?;
    let weight = weight(pass, stable_pool);
    let experiment = experiment::destinations(pass, total.saturating_sub(weight));
    let elsewhere = experiment.iter().map(|d| d.weight).fold(weight, u32::saturating_add);
    if !stable_can_carry(pass, stable_pool, elsewhere) {
        return None;
    }
    if pass.fully_promoted() && weight == 0 {
        return Some(Split::all_to(stable, total));
    }
    let canary = match pass.fully_promoted() || pass.status.abort {
        // Going back while stable still grows: whichever version has the rest of the traffic keeps it meanwhile. That need
        // not be the one of the template, which may have come in the middle and have no members yet.
        true if weight > 0 => pass.status.weights.as_ref().map_or_else(|| stable.clone(), |w| w.canary_hash.clone()),
        _ => pass.rollout().hash.clone(),
    };
    let (header_routes, mirrors) = managed_routes(pass);
    Some(Split { header_routes, mirrors, experiment, canary, weight, ..Split::all_to(stable, total) })
}

/// Whether the template went back to the stable version while stable, shrunk on purpose, is not what it was yet.
fn former_canary_leaves(pass: &Pass, stable: &Pool) -> bool {
    let recorded = pass.status.weights.as_ref();
    let former = recorded.is_some_and(|w| w.canary_hash != pass.rollout().hash);
    pass.strategy.dynamic_stable_scale && former && stable.available < pass.rollout().replicas
}

/// Weight of the canary; the first rule that fits wins.
//= compat: 6.1-2, 6.1-3
fn weight(pass: &Pass, stable: &Pool) -> u32 {
    let total = pass.strategy.weight_total();
    let replicas = pass.rollout().replicas;
    let recorded = pass.status.weights.as_ref();
    if pass.fully_promoted() {
        return if former_canary_leaves(pass, stable) { step_down(pass, stable) } else { 0 };
    }
    if pass.status.abort {
        return if pass.strategy.dynamic_stable_scale { step_down(pass, stable) } else { 0 };
    }
    let Some(new) = pass.world.new_pool().filter(|p| p.available > 0) else {
        return 0;
    };
    // Another canary's weight is not this one's: a version that arrives in the middle starts from its own steps.
    let recorded_here = recorded.filter(|w| w.canary_hash == new.hash).map_or(0, |w| w.canary);
    if pass.status.promote_full {
        return match pass.strategy.dynamic_stable_scale {
            true => sizing::share_rounded_down(total, new.available.min(replicas), replicas.max(1)).max(recorded_here),
            false => recorded_here,
        };
    }
    let Some(index) = pass.status.step_index else {
        return 0;
    };
    if scale::sizes(pass).new == 0 {
        // A `setCanaryScale` of nothing: traffic leaves before the members do.
        return 0;
    }
    let wanted = pass.strategy.weight_at(Some(index));
    let has_more = recorded_here >= wanted && new.available >= sizing::share_rounded_up(replicas, wanted, total);
    match scale::at_target(pass) || has_more {
        true => wanted,
        // A step down moves the traffic first: the members that are too many stay until it is gone.
        false => pass
            .strategy
            .last_weight(index.min(pass.strategy.steps.len()))
            .min(carried(new, pass, recorded_here))
            .min(wanted),
    }
}

/// What the canary may keep while it is not at its target: the weight of the steps before, but no more than it has been
/// given already, so that losing members never raises a weight.
fn carried(new: &Pool, pass: &Pass, recorded: u32) -> u32 {
    if sizing::enough(pass.strategy.progress_threshold, new.size, new.available) {
        return pass.strategy.weight_total();
    }
    recorded
}

/// With dynamic stable scale traffic leaves the canary only as fast as stable grows.
//= compat-differs: 6.1-3 a canary that never had a weight gets none, and a whole stable pool takes everything at once
fn step_down(pass: &Pass, stable: &Pool) -> u32 {
    let total = pass.strategy.weight_total();
    let replicas = pass.rollout().replicas;
    if stable.available >= replicas {
        return 0;
    }
    let carried = sizing::share_rounded_down(total, stable.available.min(replicas), replicas.max(1));
    let needed = total.saturating_sub(carried);
    let step = scale::routed(pass).step_down_weight();
    let holder = pass.status.weights.as_ref().and_then(|w| Some((w.canary, pass.world.pool(&w.canary_hash)?)));
    let Some((current, _)) = holder.filter(|(_, pool)| pool.available > 0) else {
        return 0;
    };
    if step == 0 {
        return needed.min(current);
    }
    if carried < total.saturating_sub(step) { current } else { step.min(current) }
}

/// Never shift weight to a stable pool that lacks the members for it. The original holds an abort back for this as well;
/// but a bad version must not keep its traffic because one of many stable members restarts, so going back needs one
/// available stable member only, unless stable was shrunk on purpose (`dynamicStableScale`). A canary that has lost all
/// its members answers nothing at all, and keeps nothing.
//= compat: 2.9-4
//= compat-differs: 6.1-4 traffic leaves an aborted or dead version as soon as stable has a member, not only at full size
fn stable_can_carry(pass: &mut Pass, stable: &Pool, elsewhere: u32) -> bool {
    let total = pass.strategy.weight_total();
    let replicas = pass.rollout().replicas;
    let leaving = (pass.status.abort || pass.fully_promoted()) && !pass.strategy.dynamic_stable_scale;
    let dead = pass.world.split.as_ref().is_some_and(|s| {
        let used = s.weight > 0 || !s.header_routes.is_empty();
        used && pass.world.pool(&s.canary).is_none_or(|canary| canary.available == 0)
            || experiment::has_dead_destination(pass.world, s)
    });
    let wanted = total.saturating_sub(elsewhere);
    let gains = replicas > 0 && wanted > carried_by(pass, &stable.hash);
    let moves = pass.world.split.is_none() || carried_by(pass, &stable.hash) != wanted;
    let needed = sizing::share_rounded_down(replicas, wanted, total).max(u32::from(gains));
    let wanted = match leaving || dead {
        true => needed.min(1),
        false => needed,
    };
    let enough = !moves
        || stable.available >= wanted
        || (pass.strategy.progress_threshold.is_some()
            && sizing::enough(pass.strategy.progress_threshold, wanted, stable.available));
    if !enough {
        pass.reasons.push(Reason::StableTooSmall { available: stable.available, wanted });
    }
    enough
}

/// Weight that the router gives a pool, as read back.
fn carried_by(pass: &Pass, hash: &Hash) -> u32 {
    let Some(split) = &pass.world.split else { return 0 };
    let stable = if split.stable == *hash { split.weight_stable() } else { 0 };
    let canary = if split.canary == *hash { split.weight } else { 0 };
    stable + canary
}

/// The routes by header and the mirrors in force: what the steps up to the current one have set and not removed. None before
/// the first promotion, without an available canary or where it is to have no members, after an abort, or once the steps are
/// over.
//= compat: 1.7-18, 1.7-19, 6.1-5, 6.10-2, 6.10-3
fn managed_routes(pass: &Pass) -> (Vec<HeaderRoute>, Vec<MirrorRoute>) {
    let (mut headers, mut mirrors): (Vec<HeaderRoute>, Vec<MirrorRoute>) = (Vec::new(), Vec::new());
    let steps = &pass.strategy.steps;
    let Some(index) = pass.status.step_index.filter(|i| *i < steps.len() && may_have_routes(pass)) else {
        return (headers, mirrors);
    };
    for step in &steps[..=index] {
        match step {
            Step::SetHeaderRoute(route) => {
                headers.retain(|r| r.name != route.name);
                headers.extend((!route.matches.is_empty()).then(|| route.clone()));
            }
            Step::SetMirrorRoute(route) => {
                mirrors.retain(|r| r.name != route.name);
                mirrors.extend((!route.matches.is_empty()).then(|| route.clone()));
            }
            _ => {}
        }
    }
    (in_order(pass, headers, |r| &r.name), in_order(pass, mirrors, |r| &r.name))
}

/// `managedRoutes` says which route comes first; one that is not listed comes after those that are.
//= compat: 6.10-1
fn in_order<R>(pass: &Pass, mut routes: Vec<R>, name: impl Fn(&R) -> &str) -> Vec<R> {
    let listed = &pass.strategy.managed_routes;
    routes.sort_by_key(|route| listed.iter().position(|l| l == name(route)).unwrap_or(listed.len()));
    routes
}

fn may_have_routes(pass: &Pass) -> bool {
    pass.world.new_pool().is_some_and(|p| p.available > 0)
        && scale::sizes(pass).new > 0
        && !pass.fully_promoted()
        && !pass.status.abort
        && !pass.status.promote_full
        && revision::number(pass.world) > 1
}
