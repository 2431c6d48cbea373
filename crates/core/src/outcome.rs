//! The end of a pass: counts, conditions, deadline, phase (sections 2.1, 2.5 and 2.6 of the reference).

use crate::abort;
use crate::analysis::RunPhase;
use crate::condition::{Kind, Truth};
use crate::pass::Pass;
use crate::phase::{self, Phase};
use crate::reason::Reason;
use crate::restarting;
use crate::revision;
use crate::status::{Counts, Status};
use crate::world::{Pool, World};

/// What only the strategy can tell at the end of its pass.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// The counts to show.
    pub counts: Counts,
    /// Whether enough members are available for the users.
    pub available: bool,
    /// Promoted, and everything of the strategy is as it should be for good.
    pub healthy: bool,
    /// Whether time without progress means nothing now: it is meant to wait.
    pub waits: bool,
}

/// Completes the status and the reasons.
pub fn conclude<S>(pass: &mut Pass<S>, judged: Judged) {
    // While members are replaced the rollout is under way, with the deadline of everything that is.
    let restarting = restarting::due(pass.rollout(), &pass.status, pass.now);
    let healthy = judged.healthy && !restarting;
    // Whatever was wrong with the spec is mended, or this pass would not be made.
    //= compat: 8.1-6
    pass.status.conditions.remove(Kind::InvalidSpec);
    pass.status.counts = judged.counts;
    available(pass, judged.available);
    completed(pass);
    replica_failure(pass);
    progressing(pass, healthy);
    paused(pass);
    deadline(pass, healthy, restarting, judged.waits);
    health(pass, healthy);
    pass.status.observed_generation = pass.rollout().generation;
    (pass.status.phase, pass.status.message) = phase::phase(pass.rollout(), &pass.status, pass.now);
    if pass.status.abort {
        let cause = abort::cause(pass);
        pass.reasons.insert(0, Reason::Aborted { cause });
    }
    waiting(pass);
}

/// Members over all pools.
pub fn counts(world: &World) -> Counts {
    let sum = |of: fn(&Pool) -> u32| world.pools.iter().map(of).fold(0, u32::saturating_add);
    Counts {
        members: sum(|p| p.members),
        updated: world.new_pool().map_or(0, |p| p.members),
        ready: sum(|p| p.ready),
        available: sum(|p| p.available),
    }
}

//= compat: 2.6-3
fn available<S>(pass: &mut Pass<S>, enough: bool) {
    let message = match enough {
        true => "Rollout has minimum availability",
        false => "Rollout does not have minimum availability",
    };
    pass.status.conditions.set(Kind::Available, Truth::of(enough), "AvailableReason", message, pass.now);
}

//= compat: 2.6-6
fn completed<S>(pass: &mut Pass<S>) {
    let done = pass.status.stable.is_some() && pass.fully_promoted();
    let was = pass.status.conditions.get(Kind::Completed).map(|c| c.truth);
    let changed =
        pass.status.conditions.set(Kind::Completed, Truth::of(done), "RolloutCompleted", "RolloutCompleted", pass.now);
    if changed && !done && was != Some(Truth::False) {
        let revision = revision::number(pass.world);
        let hash = pass.rollout().hash.clone();
        let text = format!("Rollout not completed, started update to revision {revision} ({hash})");
        pass.event("RolloutNotCompleted", text);
    }
}

//= compat: 2.6-8
fn replica_failure<S>(pass: &mut Pass<S>) {
    let new = pass.world.new_pool().and_then(|p| p.failure.clone());
    let failure = new.or_else(|| pass.world.pools.iter().find_map(|p| p.failure.clone()));
    match failure {
        Some(message) => {
            pass.status.conditions.set(Kind::ReplicaFailure, Truth::True, "FailedCreate", &message, pass.now);
        }
        None => pass.status.conditions.remove(Kind::ReplicaFailure),
    }
}

/// Reason of a version that could not be made.
const CREATE_ERROR: &str = "ReplicaSetCreateError";

/// Progress since the last pass, by comparing what both know.
//= compat: 2.6-11
fn progressed(before: &Status, after: &Status) -> bool {
    let old = |s: &Status| s.counts.members.saturating_sub(s.counts.updated);
    after.counts.updated != before.counts.updated
        || old(after) < old(before)
        || after.counts.ready > before.counts.ready
        || after.counts.available > before.counts.available
        || after.stable != before.stable
        || after.step_index != before.step_index
        || after.current_steps_hash != before.current_steps_hash
        || after.current_hash != before.current_hash
        || after.blue_green.active != before.blue_green.active
        || after.blue_green.preview != before.blue_green.preview
}

//= compat: 2.6-9, 2.6-10, 2.6-11, 2.6-12, 2.7-10, B.2-4
fn progressing<S>(pass: &mut Pass<S>, healthy: bool) {
    let (rollout, now) = (pass.rollout(), pass.now);
    let name = revision::pool_name(rollout, &rollout.hash);
    if pass.status.abort {
        if pass.status.conditions.reason(Kind::Progressing) != "RolloutAborted" {
            abort::mark(pass, "");
        }
        // However often somebody promotes meanwhile: a retry begins with the first step.
        pass.status.step_index = rollout.first_step();
        // An abort that was taken back and asked for again between two passes has lost its time, which a retry is known by.
        pass.status.aborted_at.get_or_insert(pass.now);
        return;
    }
    // A later abort has a time of its own.
    pass.status.aborted_at = None;
    let retried = pass.status.conditions.reason(Kind::Progressing) == "RolloutAborted";
    let progressed = progressed(&pass.world.status, &pass.status);
    let conditions = &mut pass.status.conditions;
    let text = format!("Created new replica set \"{name}\"");
    let failed = conditions
        .get(Kind::Progressing)
        .is_some_and(|told| told.reason == CREATE_ERROR && told.message.contains(&format!("\"{name}\"")));
    if pass.world.new_pool().is_none() {
        // What could not be made is tried again; until it is there, why it could not is all that is true.
        if !failed {
            conditions.set(Kind::Progressing, Truth::True, "NewReplicaSetCreated", &text, now);
        }
    } else if failed && !healthy {
        conditions.renew(Kind::Progressing, Truth::True, "NewReplicaSetCreated", &text, now);
    } else if healthy {
        let text = format!("ReplicaSet \"{name}\" has successfully progressed.");
        conditions.set(Kind::Progressing, Truth::True, "NewReplicaSetAvailable", &text, now);
    } else if retried && pass.world.status.current_hash.as_ref() == Some(&rollout.hash) {
        let text = format!("Retrying Rollout after it was aborted, revision {}", revision::number(pass.world));
        conditions.set(Kind::Progressing, Truth::Unknown, "RolloutRetry", &text, now);
    } else if progressed {
        let text = format!("ReplicaSet \"{name}\" is progressing.");
        conditions.renew(Kind::Progressing, Truth::True, "ReplicaSetUpdated", &text, now);
    } else if conditions.reason(Kind::Progressing) == "NewReplicaSetAvailable" {
        let text = format!("ReplicaSet \"{name}\" is not available");
        conditions.set(Kind::Progressing, Truth::True, "ReplicaSetNotAvailable", &text, now);
    }
}

/// Whether the deadline means nothing whatever the strategy: an abort, a pause, or an old pool on its delay.
//= compat: 2.6-13, 1.2-12
fn deadline_suspended<S>(pass: &Pass<S>) -> bool {
    pass.status.abort
        || pass.rollout().paused
        || !pass.status.pauses.is_empty()
        || pass.world.other_pools().iter().any(|p| p.scale_down_at.is_some())
}

/// The deadline without progress: a condition, and an abort where the spec asks for one.
//= compat: 1.2-9, 1.2-10, 1.2-11, 2.6-13
fn deadline<S>(pass: &mut Pass<S>, healthy: bool, restarting: bool, waits: bool) {
    let whole = pass.fully_promoted() && pass.status.counts.available >= pass.rollout().replicas;
    if healthy || (whole && !restarting) || waits || deadline_suspended(pass) {
        return;
    }
    let Some(condition) = pass.status.conditions.get(Kind::Progressing) else {
        return;
    };
    // Nothing is under way that could be late.
    if condition.reason == CREATE_ERROR {
        return;
    }
    if condition.reason == "ProgressDeadlineExceeded" {
        pass.reasons.push(Reason::DeadlineExceeded);
        return;
    }
    let end = condition.updated + pass.rollout().progress_deadline;
    if pass.now < end {
        pass.wake(end);
        return;
    }
    let name = revision::pool_name(pass.rollout(), &pass.rollout().hash);
    let text = format!("ReplicaSet \"{name}\" has timed out progressing.");
    pass.reasons.push(Reason::DeadlineExceeded);
    if pass.rollout().progress_deadline_abort && pass.status.stable.is_some() && !pass.fully_promoted() {
        abort::abort(pass, &text);
        return;
    }
    pass.status.conditions.set(Kind::Progressing, Truth::False, "ProgressDeadlineExceeded", &text, pass.now);
    pass.warning("ProgressDeadlineExceeded", text);
}

//= compat: 2.6-7, 2.2-7
fn paused<S>(pass: &mut Pass<S>) {
    let now = pass.now;
    let is_paused = pass.rollout().paused || !pass.status.pauses.is_empty();
    let was_paused = pass.status.conditions.is_true(Kind::Paused);
    if !is_paused && pass.status.conditions.get(Kind::Paused).is_none() {
        return;
    }
    pass.status.conditions.set(Kind::Paused, Truth::of(is_paused), "RolloutPaused", "Rollout is paused", now);
    let completed = pass.fully_promoted();
    if is_paused != was_paused && !pass.status.abort && !completed {
        let (reason, text) = match is_paused {
            true => ("RolloutPaused", "Rollout is paused"),
            false => ("RolloutResumed", "Rollout is resumed"),
        };
        pass.status.conditions.set(Kind::Progressing, Truth::Unknown, reason, text, now);
    }
}

//= compat: 2.6-4
fn health<S>(pass: &mut Pass<S>, healthy: bool) {
    let paused = pass.rollout().paused || !pass.status.pauses.is_empty();
    let holds = healthy && !paused;
    let conditions = &mut pass.status.conditions;
    if holds {
        conditions.set(Kind::Healthy, Truth::True, "RolloutHealthy", "Rollout is healthy", pass.now);
    } else if conditions.get(Kind::Healthy).is_some() {
        conditions.set(Kind::Healthy, Truth::False, "RolloutHealthy", "Rollout is not healthy", pass.now);
    }
}

/// Something must be said about why nothing more happens.
fn waiting<S>(pass: &mut Pass<S>) {
    if pass.rollout().paused && !pass.reasons.contains(&Reason::PausedByPerson) {
        pass.reasons.push(Reason::PausedByPerson);
    }
    inconclusive(pass);
    let said = !pass.reasons.is_empty();
    let Some(new) = pass.world.new_pool() else {
        return;
    };
    if new.available < new.size && !pass.reasons.iter().any(|r| matches!(r, Reason::AwaitingMembers { .. })) {
        let (hash, available, wanted) = (new.hash.clone(), new.available, new.size);
        pass.reasons.push(Reason::AwaitingMembers { hash, available, wanted });
    } else if !said && pass.status.phase == Phase::Healthy {
        pass.reasons.push(Reason::Settled);
    }
}

/// The run or experiment that a person must judge, as long as the pause lasts: while it does, step runs are not looked at.
fn inconclusive<S>(pass: &mut Pass<S>) {
    let status = &pass.status;
    let said = pass.reasons.iter().any(|r| matches!(r, Reason::PausedInconclusive { .. }));
    if said || !status.is_inconclusive() {
        return;
    }
    let run = status.runs().find(|r| r.phase == RunPhase::Inconclusive).map(|r| (r.name.clone(), r.message.clone()));
    let experiment = status.current_experiment.as_ref().and_then(|name| pass.world.experiment(name));
    match run.or_else(|| experiment.map(|e| (e.name.clone(), e.message.clone()))) {
        Some((run, message)) => pass.reasons.push(Reason::PausedInconclusive { run, message }),
        // What was inconclusive is not there any more, and the pause still is.
        None => pass.reasons.push(Reason::PausedForPerson),
    }
}
