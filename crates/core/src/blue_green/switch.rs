//! The two services: preview follows the new version, active is switched to it once everything speaks for it
//! (section 2.10 of the reference).

use super::{Pass, scale};
use crate::Hash;
use crate::reason::Reason;
use crate::revision;
use crate::rollout::pause_over;
use crate::services;
use crate::status::PauseReason;
use crate::time::Span;
use crate::world::{Pool, World};

/// Notes which pools the services select, as they were read back. A service that forgot (its manifest was applied again, or
/// the router began anew) is still taken for what it selected last: it gets that back, and no other version.
pub fn look(pass: &mut Pass) {
    let selects = |name: &str| pass.world.service(name).and_then(|s| s.selects.clone());
    let active = selects(&pass.strategy.active_service).or_else(|| former(pass.world));
    let preview = pass.strategy.preview_service.as_deref().and_then(selects);
    pass.status.blue_green.active = active;
    pass.status.blue_green.preview = preview;
}

/// What the active service selected last; the stable version where that would answer nobody and stable can.
fn former(world: &World) -> Option<Hash> {
    let former = world.pool(world.status.blue_green.active.as_ref()?)?;
    let better = world.stable_pool().filter(|stable| former.available == 0 && stable.available > 0);
    Some(better.unwrap_or(former).hash.clone())
}

/// Whether the users' requests go to the current version, or went there last.
pub fn is_active(pass: &Pass) -> bool {
    pass.status.blue_green.active.as_ref() == Some(&pass.rollout().hash)
}

/// Whether the active service was seen to select what it is taken to select.
pub fn carried(pass: &Pass) -> bool {
    let service = pass.world.service(&pass.strategy.active_service);
    service.is_none_or(|s| s.selects == pass.status.blue_green.active)
}

/// Lets the preview service select the new version, before any of its members is ready.
//= compat: 2.10-6, 2.10-7, B.7-1
pub fn preview(pass: &mut Pass) {
    if pass.halted() || pass.world.new_pool().is_none() {
        return;
    }
    if let Some(service) = &pass.strategy.preview_service {
        services::point(pass, service, pass.rollout().hash.clone());
    }
}

/// Why the new version may be switched to without pause and analysis, if so.
//= compat: 2.10-3, 2.7-13
pub fn fast_track(pass: &Pass) -> Option<&'static str> {
    if pass.status.abort {
        return None;
    }
    if pass.status.promote_full {
        return Some("Full promotion requested");
    }
    if pass.fully_promoted() {
        return Some("Fast rollback");
    }
    if revision::within_rollback_window(pass.world) {
        return Some("Rollback within window");
    }
    let new = pass.world.new_pool()?;
    returns(pass, new).then_some("Fast rollback")
}

/// Whether a pool is that of a version that was stable once and still waits for its scale-down: it has proved itself, and is
/// there. The original asks for the planned scale-down only, so a version that was aborted, or replaced before it was
/// judged, skips its analysis on the second try.
//= compat: B.6-4
//= compat-differs: 2.7-13 a fast rollback needs a version that was promoted once, not any that waits for its scale-down
pub fn returns(pass: &Pass, pool: &Pool) -> bool {
    pool.promoted && pool.scale_down_at.is_some_and(|at| pass.now < at)
}

/// The wait before the switch: added once the new version has its members and is judged; over when its time has passed, or
/// when a person took it away. That it is over is remembered, so that it is not asked for twice.
//= compat: 1.6-1, 1.6-2, 2.10-1, 2.10-2, 2.10-5, 2.8-33
pub fn pause(pass: &mut Pass) {
    if pass.halted() {
        return;
    }
    let over = pass.status.abort || pass.status.stable.is_none() || fast_track(pass).is_some() || is_active(pass);
    if over {
        // Only its own pause: the mark of another one that a person ended is still needed.
        if pass.status.pause(PauseReason::BlueGreenPause).is_some() {
            pass.status.remove_pause(PauseReason::BlueGreenPause);
        }
        return;
    }
    if pass.status.blue_green.checkpoint {
        return;
    }
    if scale::at_target(pass) && judged(pass) && waited(pass) {
        pass.status.remove_pause(PauseReason::BlueGreenPause);
        pass.status.controller_pause = false;
        pass.status.blue_green.checkpoint = true;
    }
}

/// Whether the wait is over; adds it where it has not begun.
//= compat: 2.7-3, 2.7-4
fn waited(pass: &mut Pass) -> bool {
    let strategy = pass.strategy;
    let delay = strategy.auto_promotion_delay;
    if strategy.auto_promotion && delay == Span::ZERO {
        return true;
    }
    let Some(pause) = pass.status.pause(PauseReason::BlueGreenPause).copied() else {
        if pass.status.controller_pause {
            return true;
        }
        pass.status.add_pause(PauseReason::BlueGreenPause, pass.now);
        pass.event("RolloutPaused", "Rollout is paused (BlueGreenPause)".to_owned());
        return false;
    };
    if !strategy.auto_promotion {
        pass.reasons.push(Reason::PausedForPerson);
        return false;
    }
    if pause_over(pause.start, delay, pass.now) {
        pass.event("RolloutResumed", "Rollout is resumed".to_owned());
        return true;
    }
    let end = pause.start + delay;
    pass.reasons.push(Reason::PausedUntil { end, left: end.since(pass.now) });
    // "Strictly after" in whole milliseconds is one millisecond later.
    pass.wake(end + Span::from_millis(1));
    false
}

/// Whether the pre-promotion analysis speaks for the new version.
fn judged(pass: &Pass) -> bool {
    !pass.strategy.pre_promotion || super::runs::succeeded(&pass.status.blue_green.pre_run)
}

/// Switches the active service: to the new version when it is whole and everything speaks for it, back to the stable one
/// after an abort. One that forgot what it selects is told again, also while nothing else may move.
//= compat: 2.10-4, 10.41, B.6-3
pub fn active(pass: &mut Pass) {
    let target = match pass.status.abort {
        _ if pass.halted() => None,
        true => way_back(pass),
        false => way_forward(pass),
    };
    if let Some(target) = target.or_else(|| pass.status.blue_green.active.clone()) {
        services::point(pass, &pass.strategy.active_service, target);
    }
}

/// An abort brings the users back to the stable version as soon as that has a member, whatever the new one is like.
//= compat-differs: 2.10-4 the way back of an abort does not wait until the aborted version has all its members
fn way_back(pass: &Pass) -> Option<Hash> {
    let stable = pass.world.stable_pool()?;
    let active = pass.status.blue_green.active.as_ref().and_then(|hash| pass.world.pool(hash));
    let carried = active.is_some_and(|p| p.available > 0);
    let answers = stable.available > 0 || pass.rollout().replicas == 0;
    (answers || !carried).then(|| stable.hash.clone())
}

fn way_forward(pass: &mut Pass) -> Option<Hash> {
    let new = pass.world.new_pool()?;
    if is_active(pass) {
        return None;
    }
    let first = pass.status.blue_green.active.is_none();
    if let Some(stable) = pass.world.stable_pool().filter(|p| first && p.hash != new.hash && p.available > 0) {
        // The first version was promoted while a person held the rollout: the users are still owed it.
        return Some(stable.hash.clone());
    }
    let free = first || pass.status.blue_green.checkpoint || fast_track(pass).is_some();
    if !free {
        return None;
    }
    (whole(pass.world, new) || rescues(pass, new)).then(|| new.hash.clone())
}

/// Whether a pool has every member the rollout asks for.
pub fn whole(world: &World, pool: &Pool) -> bool {
    let replicas = world.rollout.replicas;
    pool.size == replicas && pool.available >= replicas
}

/// Going back to the stable version while the one that has the users has no member left: any member is better.
fn rescues(pass: &Pass, new: &Pool) -> bool {
    let Some(active) = &pass.status.blue_green.active else {
        return false;
    };
    pass.fully_promoted() && new.available > 0 && pass.world.pool(active).is_none_or(|p| p.available == 0)
}
