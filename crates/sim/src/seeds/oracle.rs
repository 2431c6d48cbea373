//! What must always hold. Decisions are judged by what they saw; states of rest by what is true.
//!
//! Every oracle has a name, which a failure carries: `pure`, `durable`, `weights`, `members`, `sizes`, `abort`, `halted`,
//! `pause`, `promotion`, `switch`, `forget`, `workload`, `wakes`, `served`, `says-why`, `settles`, `bounded`, `stuck`,
//! `experiments`, `way-out`, `repeats`, `twice`.

mod active;
mod attempt;
mod routed;
mod sizes;

use serin_core::phase::Phase;
use serin_core::rollout::{ScaleDown, Strategy};
use serin_core::status::PauseReason;
use serin_core::world::World;
use serin_core::{Action, Decision, Hash, Span, Time, decide};

use super::scenario::Act;
use attempt::Attempt;

/// An oracle's name and what it saw.
pub(super) type Verdict = Result<(), (&'static str, String)>;

/// What judges the decisions of one play.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    attempt: Attempt,
    passes: u64,
    manifest: serin_spec::wire::Rollout,
}

/// Every so many passes the dear checks are made.
const DEAR: u64 = 4;

/// A pass after which nothing more is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resting {
    /// When the control process wants to be woken.
    pub(super) wake_at: Option<Time>,
    /// How many reasons were given.
    pub(super) reasons: usize,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self { attempt: Attempt::default(), passes: 0, manifest: serin_spec::wire::Rollout::default() }
    }

    /// Somebody is about to do something.
    pub(super) fn act(&mut self, act: &Act, truth: &World) {
        self.attempt.act(act, truth);
    }

    /// Judges one decision by what it saw.
    pub(super) fn decision(&mut self, seen: &World, decision: &Decision, now: Time) -> Verdict {
        self.passes += 1;
        self.attempt.begin(seen);
        let verdict = self.judge(seen, decision, now);
        self.attempt.follow(seen, decision);
        verdict.map_err(|(oracle, why)| (oracle, format!("{why}\n{}\n  -> {}", brief(seen), line(decision))))
    }

    fn judge(&mut self, seen: &World, decision: &Decision, now: Time) -> Verdict {
        if self.passes.is_multiple_of(DEAR) {
            self.pure(seen, decision, now)?;
        }
        if decision.wake_at.is_some_and(|at| at < now) {
            return Err(("wakes", "wakes in the past".to_owned()));
        }
        nothing_is_said_twice(decision)?;
        abort_stays(seen, decision)?;
        halted_stays(seen, decision)?;
        forgets_nothing_in_use(seen, decision)?;
        hands_over_in_step(seen, decision)?;
        sizes::judge(seen, decision)?;
        self.attempt.pause(seen, decision, now)?;
        self.attempt.promotion(seen, decision)?;
        match &seen.rollout.strategy {
            Strategy::Canary(canary) => routed::judge(seen, canary, decision),
            Strategy::BlueGreen(blue_green) => active::judge(seen, blue_green, decision, &self.attempt, now),
        }
    }

    /// The same input gives the same decision, and the memory survives being written and read.
    fn pure(&self, seen: &World, decision: &Decision, now: Time) -> Verdict {
        if decide(seen, now) != *decision {
            return Err(("pure", "the same input gave another decision".to_owned()));
        }
        let written = serin_spec::raise::status(&decision.status, &self.manifest);
        let read = serin_spec::lower::status(&written);
        if read != decision.status {
            let (before, after) = (format!("{:?}", decision.status), format!("{read:?}"));
            let from = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(40);
            let part = |text: &str| text.chars().skip(from).take(90).collect::<String>();
            return Err(("durable", format!("...{}\n  became ...{}", part(&before), part(&after))));
        }
        Ok(())
    }
}

/// People read reasons: each is given once.
fn nothing_is_said_twice(decision: &Decision) -> Verdict {
    let reasons = &decision.reasons;
    match reasons.iter().enumerate().find(|(i, reason)| reasons[..*i].contains(reason)) {
        Some((_, reason)) => Err(("says-why", format!("says twice: {reason}"))),
        None => Ok(()),
    }
}

/// An abort is taken back by a person, by another version, or when it means nothing any more; never by itself. While it
/// lasts nothing is promoted.
fn abort_stays(seen: &World, decision: &Decision) -> Verdict {
    let (before, after) = (&seen.status, &decision.status);
    let other_version = before.current_hash.as_ref() != Some(&seen.rollout.hash);
    let other_steps = before.current_steps_hash.as_deref().unwrap_or("") != seen.rollout.steps_hash;
    let meaningless = before.stable == before.current_hash || before.stable.is_none();
    if before.abort && !after.abort && !other_version && !other_steps && !meaningless {
        return Err(("abort", "an abort is forgotten".to_owned()));
    }
    if before.abort && !other_version && !other_steps && !meaningless && after.stable != before.stable {
        return Err(("abort", "an aborted version is promoted".to_owned()));
    }
    Ok(())
}

/// While a person holds the rollout, no step is done, nothing is promoted, and no member comes or goes but for other
/// replicas.
fn halted_stays(seen: &World, decision: &Decision) -> Verdict {
    let begun = seen.status.current_hash.as_ref() == Some(&seen.rollout.hash)
        && seen.status.current_steps_hash.as_deref().unwrap_or("") == seen.rollout.steps_hash;
    if !seen.rollout.paused || !begun || seen.status.stable.is_none() {
        return Ok(());
    }
    let (before, after) = (&seen.status, &decision.status);
    if before.stable != after.stable {
        return Err(("halted", "promotes while a person holds it".to_owned()));
    }
    let moved = before.step_index.unwrap_or(0) < after.step_index.unwrap_or(0);
    let skipped = decision.status.step_index == Some(seen.rollout.steps());
    if moved && !skipped {
        return Err(("halted", "a step is done while a person holds it".to_owned()));
    }
    for action in &decision.actions {
        if let Action::PointService { service, .. } = action
            && seen.rollout.blue_green().is_some_and(|bg| bg.active_service == *service)
            && seen.service(service).is_some_and(|s| s.selects.is_some())
        {
            return Err(("halted", "switches while a person holds it".to_owned()));
        }
    }
    Ok(())
}

/// What has members, or is the version of the spec or the stable one, is not deleted.
fn forgets_nothing_in_use(seen: &World, decision: &Decision) -> Verdict {
    for action in &decision.actions {
        let Action::DeletePool { hash } = action else { continue };
        let members = seen.pool(hash).is_some_and(|p| p.members > 0 || p.size > 0);
        let named = *hash == seen.rollout.hash || Some(hash) == seen.status.stable.as_ref();
        if members || named {
            return Err(("forget", format!("{hash} is in use and forgotten")));
        }
    }
    Ok(())
}

/// The workload that ran the service before goes only where the spec says so, and member by member only as far as others
/// are ready.
fn hands_over_in_step(seen: &World, decision: &Decision) -> Verdict {
    let ready: u32 = seen.pools.iter().map(|p| p.ready).sum();
    for action in &decision.actions {
        let (Action::ScaleWorkload { replicas }, Some(workload)) = (action, seen.rollout.workload) else { continue };
        let held = match workload.scale_down {
            ScaleDown::Never => false,
            ScaleDown::OnSuccess => seen.status.phase == Phase::Healthy && *replicas == 0,
            ScaleDown::Progressively => {
                seen.status.phase == Phase::Healthy || replicas + ready >= seen.rollout.replicas
            }
        };
        if !held {
            let why = format!("the workload goes from {} to {replicas} with {ready} ready members", workload.replicas);
            return Err(("workload", why));
        }
    }
    Ok(())
}

/// What must hold whenever the control process rests with nothing on its way.
pub(super) fn rest(truth: &World, rest: Resting, now: Time) -> Verdict {
    let about = |(oracle, why): (&'static str, String)| (oracle, format!("{why}\n{}", brief(truth)));
    sleeps_well(truth, rest, now).map_err(about)?;
    if rest.reasons == 0 {
        return Err(about(("says-why", "says nothing about why it rests".to_owned())));
    }
    match &truth.rollout.strategy {
        Strategy::Canary(canary) => routed::rest(truth, canary).map_err(about),
        Strategy::BlueGreen(blue_green) => active::rest(truth, blue_green).map_err(about),
    }
}

/// Nothing would be decided before it wakes; where it does not mean to wake, nothing would be decided ever.
fn sleeps_well(truth: &World, rest: Resting, now: Time) -> Verdict {
    const YEAR: Span = Span::from_secs(365 * 86_400);
    let last = rest.wake_at.map_or(now + YEAR, |at| at - Span::from_millis(1));
    if last <= now {
        return Ok(());
    }
    let later = decide(truth, last);
    if !later.actions.is_empty() || later.status != truth.status {
        let woken = rest.wake_at.map_or("never".to_owned(), |at| format!("in {}", at.since(now)));
        return Err(("wakes", format!("it wakes {woken}, but before that there is: {}", line(&later))));
    }
    Ok(())
}

/// With nothing going wrong any more, a rollout ends healthy or aborted, or waits for a person: in a pause, or for a
/// version whose members never come.
pub(super) fn final_state(truth: &World, at_rest: bool, lame: bool) -> Verdict {
    experiments_are_over(truth)?;
    let about = |why: &str| Err(("stuck", format!("{why}\n{}", brief(truth))));
    if !at_rest {
        return about("never comes to rest");
    }
    let status = &truth.status;
    let healthy = status.phase == Phase::Healthy && !truth.rollout.paused;
    if healthy || status.abort || waits_for_person(truth) || lame {
        return Ok(());
    }
    about("waits for nothing, and nothing happens")
}

/// Every experiment has ended, and nobody is left of it. As long as nothing may move (a person holds the rollout, or has to
/// say how it goes on) members may be left that the router needs: no pool grows then, and while stable lacks members it is
/// better that requests are answered by a version of the experiment than by too few or none. As soon as the person lets it
/// go on, stable grows and they go; the way out sees to it.
pub(super) fn experiments_are_over(truth: &World) -> Verdict {
    let halted = truth.rollout.paused || truth.status.is_inconclusive();
    let lacking = truth.stable_pool().is_none_or(|stable| stable.available < truth.rollout.replicas);
    let shares = truth.split.as_ref().filter(|_| halted && lacking).map_or(&[][..], |split| &split.experiment);
    let needed = |hash: &Hash| shares.iter().any(|share| share.hash == *hash && share.weight > 0);
    for experiment in &truth.experiments {
        let members: u32 = experiment.pools.iter().filter(|p| !needed(&p.hash)).map(|p| p.members).sum();
        if !experiment.phase.is_completed() || members > 0 {
            let (name, phase) = (&experiment.name, experiment.phase);
            return Err(("experiments", format!("{name} is {phase} and has {members} members\n{}", brief(truth))));
        }
    }
    Ok(())
}

fn waits_for_person(truth: &World) -> bool {
    let status = &truth.status;
    let endless = match &truth.rollout.strategy {
        Strategy::Canary(canary) => matches!(canary.step(status.step_index), Some(serin_core::Step::Pause(None))),
        Strategy::BlueGreen(blue_green) => !blue_green.auto_promotion,
    };
    let paused = status.pause(PauseReason::CanaryPauseStep).or(status.pause(PauseReason::BlueGreenPause)).is_some();
    let unclear = status
        .pause(PauseReason::InconclusiveAnalysisRun)
        .or(status.pause(PauseReason::InconclusiveExperiment))
        .is_some();
    truth.rollout.paused || unclear || (endless && paused)
}

/// Decisions that must do to come to rest: for each member that comes, each step and each pool a few.
pub(super) fn decisions_on_the_way(truth: &World) -> u64 {
    let members = u64::from(truth.rollout.replicas) * (1 + truth.pools.len() as u64);
    60 + 12 * members + 12 * truth.rollout.steps() as u64
}

/// The world in a few lines.
pub(super) fn brief(world: &World) -> String {
    let status = &world.status;
    let pools = world.pools.iter().map(|p| {
        let plan = p.scale_down_at.map_or(String::new(), |at| format!(" goes at {}", at.since(super::play::EPOCH)));
        let promoted = if p.promoted { " promoted" } else { "" };
        format!("{} r{} {}/{}/{}{promoted}{plan}", p.hash, p.revision, p.size, p.members, p.available)
    });
    let runs =
        world.runs.iter().map(|r| format!("{} {}{}", r.name, r.phase, if r.terminating { " ending" } else { "" }));
    let services = world.services.iter().map(|s| {
        let selects = s.selects.as_ref().map_or("-", Hash::as_str);
        format!("{} {selects}", s.name)
    });
    let experiments = world.experiments.iter().map(|e| {
        let pools = e.pools.iter().map(|p| format!(" {} {}/{}", p.template, p.members, p.available));
        format!("{} {}{}{}", e.name, e.phase, if e.terminating { " ending" } else { "" }, pools.collect::<String>())
    });
    let join = |parts: Vec<String>| parts.join(", ");
    let split = world.split.as_ref().map_or("-".to_owned(), |s| {
        let headers = if s.header_routes.is_empty() { "" } else { " +headers" };
        let shares: String = s.experiment.iter().map(|d| format!(" / {} {}", d.hash, d.weight)).collect();
        format!("{} {} / {} {}{shares}{headers}", s.canary, s.weight, s.stable, s.weight_stable())
    });
    format!(
        "  {} step {:?} ({}); template {}, stable {}, replicas {}, paused {}, pauses {:?}, mark {}, abort {}, full {}\n  \
         pools (size/members/available) {}; services {}; split {split}; runs {}; experiments {}",
        status.phase.as_str(),
        status.step_index,
        status.message,
        world.rollout.hash,
        status.stable.as_ref().map_or("-", Hash::as_str),
        world.rollout.replicas,
        world.rollout.paused,
        status.pauses.iter().map(|p| p.reason.as_str()).collect::<Vec<_>>(),
        status.controller_pause,
        status.abort,
        status.promote_full,
        join(pools.collect()),
        join(services.collect()),
        join(runs.collect()),
        join(experiments.collect()),
    )
}

/// What a decision does and why, in a line.
pub(super) fn line(decision: &Decision) -> String {
    let actions: Vec<String> = decision.actions.iter().map(ToString::to_string).collect();
    let reasons: Vec<&str> = decision.reasons.iter().map(|r| r.code()).collect();
    let step = decision.status.step_index.map_or(String::new(), |i| format!(" step {i}"));
    format!("{} | {} | {}{step}", actions.join("; "), reasons.join(" "), decision.status.phase.as_str())
}
