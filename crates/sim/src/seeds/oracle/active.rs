//! Where the requests of a blue-green rollout go.

use serin_core::rollout::BlueGreen;
use serin_core::world::World;
use serin_core::{Action, Decision, Hash, Time};

use super::Verdict;
use super::attempt::{Attempt, unserved};

pub(super) fn judge(
    seen: &World,
    blue_green: &BlueGreen,
    decision: &Decision,
    attempt: &Attempt,
    now: Time,
) -> Verdict {
    for action in &decision.actions {
        if let Action::PointService { service, hash } = action
            && *service == blue_green.active_service
        {
            switch(seen, blue_green, hash, attempt, now)?;
        }
    }
    Ok(())
}

/// The users go to a version that can take them and that everything speaks for.
fn switch(seen: &World, blue_green: &BlueGreen, hash: &Hash, attempt: &Attempt, now: Time) -> Verdict {
    let available = |hash: &Hash| seen.pool(hash).map_or(0, |p| p.available);
    let from = seen.service(&blue_green.active_service).and_then(|s| s.selects.as_ref());
    let left = from.map_or(0, available);
    if available(hash) == 0 && left > 0 && seen.rollout.replicas > 0 {
        return Err(("switch", format!("the users go to {hash}, which has no available member")));
    }
    let status = &seen.status;
    let forward = *hash == seen.rollout.hash && status.stable.is_some() && status.stable.as_ref() != Some(hash);
    if !forward {
        return Ok(());
    }
    if from.is_none() && status.blue_green.active.as_ref() == Some(hash) {
        // The service forgot, and is told again what it selected.
        return Ok(());
    }
    if status.abort {
        return Err(("switch", format!("the users go to {hash}, which is aborted")));
    }
    let replicas = seen.rollout.replicas;
    if seen.pool(hash).is_none_or(|p| p.size != replicas || p.available < replicas) {
        return Err(("switch", format!("the users go to {hash}, which is not whole")));
    }
    let returns = seen.pool(hash).is_some_and(|p| p.promoted && p.scale_down_at.is_some_and(|at| now < at));
    if seen.rollout.replicas == 0
        || unserved(seen)
        || status.promote_full
        || returns
        || seen.rollout.rollback_window.is_some()
    {
        return Ok(());
    }
    if blue_green.pre_promotion && !attempt.passed("PrePromotion") {
        return Err(("switch", format!("the users go to {hash} without a verdict")));
    }
    if !blue_green.auto_promotion && !attempt.promoted_by_person() {
        return Err(("switch", format!("the users go to {hash} though no person promoted it")));
    }
    Ok(())
}

/// At rest: the users are with a version that can answer, if one that was promoted can; an abort is over.
pub(super) fn rest(truth: &World, blue_green: &BlueGreen) -> Verdict {
    let Some(stable) = truth.stable_pool().filter(|p| p.available > 0) else {
        return Ok(());
    };
    if truth.rollout.paused {
        return Ok(());
    }
    let active = truth.service(&blue_green.active_service).and_then(|s| s.selects.as_ref());
    if active.is_none() && stable.available >= truth.rollout.replicas {
        return Err(("served", "the active service selects nothing".to_owned()));
    }
    if truth.status.abort && active != Some(&stable.hash) {
        return Err(("abort", "an abort ends with the users at the aborted version".to_owned()));
    }
    Ok(())
}
