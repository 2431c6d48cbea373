//! Where a canary's requests go.

use serin_core::analysis::RunPhase;
use serin_core::rollout::{Canary, CanaryScale};
use serin_core::world::World;
use serin_core::{Action, Decision, Hash, Reason, Split, Step};

use super::Verdict;

pub(super) fn judge(seen: &World, canary: &Canary, decision: &Decision) -> Verdict {
    for action in &decision.actions {
        match action {
            Action::SetSplit(split) => carried_by_members(seen, split)?,
            Action::PointService { service, hash } => points_at_members(seen, service, hash)?,
            _ => {}
        }
    }
    never_rises_on_the_way_back(seen, decision)?;
    completed_steps_are_carried(seen, canary, decision)?;
    experiments_succeed_before_the_next_step(seen, canary, decision)
}

/// Weight that a split gives a pool.
pub(super) fn share(split: Option<&Split>, hash: &Hash) -> u32 {
    split.map_or(0, |s| {
        let stable = if s.stable == *hash { s.weight_stable() } else { 0 };
        let canary = if s.canary == *hash { s.weight } else { 0 };
        stable + canary
    })
}

/// Weights add up, and no pool gets more than it has while none of its members is available, unless none at all are
/// wanted or none at all are there.
fn carried_by_members(seen: &World, split: &Split) -> Verdict {
    let experiment: u32 = split.experiment.iter().map(|d| d.weight).sum();
    if split.weight > split.weight_total || split.weight + split.weight_stable() + experiment != split.weight_total {
        return Err(("weights", format!("weights do not add up: {split:?}")));
    }
    for destination in &split.experiment {
        let mut pools = seen.experiments.iter().flat_map(|e| &e.pools);
        if !pools.any(|p| p.hash == destination.hash && p.available > 0) {
            let why = format!("{} has no available member and gets weight {}", destination.hash, destination.weight);
            return Err(("members", why));
        }
    }
    let available = |hash: &Hash| seen.pool(hash).map_or(0, |p| p.available);
    if seen.pools.iter().all(|p| p.available == 0) {
        return Ok(());
    }
    for hash in [&split.stable, &split.canary] {
        let (had, gets) = (share(seen.split.as_ref(), hash), share(Some(split), hash));
        if available(hash) == 0 && seen.rollout.replicas > 0 && gets > had {
            return Err(("members", format!("{hash} has no available member and gets weight {gets} instead of {had}")));
        }
    }
    let by_header = !split.header_routes.is_empty();
    if by_header && available(&split.canary) == 0 {
        return Err(("members", format!("{} has no available member and gets requests by header", split.canary)));
    }
    Ok(())
}

/// The canary service moves to a new version only when that can answer.
fn points_at_members(seen: &World, service: &str, hash: &Hash) -> Verdict {
    let canary = seen.rollout.canary().and_then(|c| c.canary_service.as_deref());
    let new = *hash == seen.rollout.hash && Some(hash) != seen.status.stable.as_ref();
    if canary == Some(service) && new && seen.pool(hash).is_none_or(|p| p.available == 0) {
        return Err(("members", format!("{service} selects {hash}, which has no available member")));
    }
    Ok(())
}

/// While an abort lasts, the weight of the version that was aborted only falls.
fn never_rises_on_the_way_back(seen: &World, decision: &Decision) -> Verdict {
    let (Some(old), Some(new)) = (&seen.status.weights, &decision.status.weights) else {
        return Ok(());
    };
    let aborted = seen.status.abort && decision.status.abort;
    if aborted && old.canary_hash == new.canary_hash && new.canary > old.canary {
        return Err(("abort", format!("the weight rises from {} to {} in an abort", old.canary, new.canary)));
    }
    Ok(())
}

/// A step to a weight is done only when the router was seen to carry it; a canary without members carries none.
fn completed_steps_are_carried(seen: &World, canary: &Canary, decision: &Decision) -> Verdict {
    let completed = decision.reasons.iter().any(|r| matches!(r, Reason::StepCompleted { .. }));
    let Some(Step::SetWeight(weight)) = canary.step(seen.status.step_index) else {
        return Ok(());
    };
    let carried = seen.split.as_ref().map(|s| s.weight);
    let none =
        matches!(canary.scale_at(seen.status.step_index), Some(CanaryScale::Replicas(0) | CanaryScale::Weight(0)));
    let empty = none && carried == Some(0) || seen.new_pool().is_none_or(|p| p.size == 0) && carried == Some(0);
    if completed && canary.traffic.is_some() && carried != Some(*weight) && seen.rollout.replicas > 0 && !empty {
        return Err(("weights", format!("a step to {weight} is done while the router carries {carried:?}")));
    }
    Ok(())
}

/// An experiment step is done only when its experiment was seen to succeed.
fn experiments_succeed_before_the_next_step(seen: &World, canary: &Canary, decision: &Decision) -> Verdict {
    let completed = decision.reasons.iter().any(|r| matches!(r, Reason::StepCompleted { .. }));
    let Some(Step::Experiment(_)) = canary.step(seen.status.step_index).filter(|_| completed) else {
        return Ok(());
    };
    let current = seen.status.current_experiment.as_ref().and_then(|name| seen.experiment(name));
    match current.map(|e| e.phase) {
        Some(RunPhase::Successful) => Ok(()),
        other => Err(("experiments", format!("an experiment step is done while its experiment is {other:?}"))),
    }
}

/// At rest: nobody's requests go to a canary without members while stable has some, and an abort is over.
pub(super) fn rest(truth: &World, canary: &Canary) -> Verdict {
    let promoted = |split: &&Split| Some(&split.stable) == truth.status.stable.as_ref();
    let Some(split) = truth.split.as_ref().filter(|_| canary.traffic.is_some()).filter(promoted) else {
        return Ok(());
    };
    let available = |hash: &Hash| truth.pool(hash).map_or(0, |p| p.available);
    let replicas = truth.rollout.replicas;
    let stable = available(&split.stable);
    let used = split.weight > 0 || !split.header_routes.is_empty();
    if used && available(&split.canary) == 0 && stable > 0 && replicas > 0 {
        return Err(("served", "requests go to a canary without an available member".to_owned()));
    }
    if truth.status.abort && split.weight > 0 && stable >= replicas {
        return Err(("abort", format!("an abort ends at weight {}", split.weight)));
    }
    Ok(())
}
