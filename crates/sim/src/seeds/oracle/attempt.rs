//! One attempt at a version, from its first pass or a retry on: what was judged, and what people skipped. No version becomes
//! the stable one without every verdict that its strategy asks for.

use std::collections::BTreeSet;

use serin_core::analysis::{RunKind, RunPhase};
use serin_core::rollout::{Canary, Strategy};
use serin_core::status::PauseReason;
use serin_core::world::World;
use serin_core::{Action, Decision, Hash, Reason, Step, Time};

use super::Verdict;
use crate::seeds::scenario::Act;

/// What happened since the attempt began.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempt {
    /// The version and its steps.
    version: Option<(Hash, String)>,
    /// Runs that were over before it, with the time of their creation: a pass that sees the past may choose a name again.
    former: BTreeSet<(String, Time)>,
    /// Runs that were begun for it. One of an attempt before that goes on for a while, because it was not reached yet when it
    /// was told to stop, is no verdict on this one, good or bad.
    begun: BTreeSet<String>,
    /// What succeeded: the words of the kinds, with the number of the step.
    passed: BTreeSet<(&'static str, usize)>,
    /// Whether a run failed.
    failed: bool,
    /// How often a person promoted since the last pass.
    asked: u32,
    /// The step at which a pause was last seen, and since when.
    paused: Option<(usize, Time)>,
    /// Whether a person promoted, which may skip a step.
    promoted: bool,
    /// Whether it got the users because nobody had any, or has them from an attempt before: then no verdict before the switch is
    /// asked for.
    unopposed: bool,
    /// Whether the next pass begins another attempt.
    retried: bool,
    /// The attempt before, as long as nothing was decided of this one but to make its pool: a template that is taken back by
    /// then was never begun.
    set_aside: Option<Box<Attempt>>,
}

impl Attempt {
    /// Whether a run of this kind succeeded.
    pub(super) fn passed(&self, kind: &'static str) -> bool {
        self.passed.contains(&(kind, 0))
    }

    /// Whether a person promoted.
    pub(super) fn promoted_by_person(&self) -> bool {
        self.promoted
    }

    /// Somebody did something while the world was like this.
    pub(super) fn act(&mut self, act: &Act, truth: &World) {
        match act {
            Act::Promote => {
                self.promoted = true;
                self.asked += 1;
            }
            // An abort that no decision has seen leaves no trace that a retry could be known by: the update just goes on.
            Act::Retry if truth.status.abort && truth.status.aborted_at.is_some() => self.retried = true,
            _ => {}
        }
    }

    /// A pass begins that sees this: perhaps it is the first of another attempt.
    pub(super) fn begin(&mut self, seen: &World) {
        let known = under_way(seen) == Some((&seen.rollout.hash, &seen.rollout.steps_hash));
        if known
            && !self.is_of(seen)
            && let Some(aside) = self.set_aside.take().filter(|aside| aside.is_of(seen))
        {
            let (asked, promoted) = (self.asked, self.asked > 0 || aside.promoted);
            *self = Self { asked, promoted, retried: self.retried, ..*aside };
        }
        if known && self.is_of(seen) && !std::mem::take(&mut self.retried) {
            self.set_aside = None;
            return;
        }
        let open = self.version.as_ref().is_some_and(|(hash, steps)| under_way(seen) == Some((hash, steps)));
        let set_aside = match open {
            _ if known => None,
            true => Some(Box::new(Self { set_aside: None, ..self.clone() })),
            // However many passes it takes to make the pool of the next one.
            false => self.set_aside.take(),
        };
        let former = seen.runs.iter().filter(|r| r.phase.is_completed()).map(|r| (r.name.clone(), r.created)).collect();
        // A promotion that was asked for before the first pass counts for this attempt.
        *self = Self {
            version: Some((seen.rollout.hash.clone(), seen.rollout.steps_hash.clone())),
            former,
            unopposed: has_users(seen),
            promoted: self.asked > 0,
            asked: self.asked,
            set_aside,
            ..Self::default()
        };
    }

    /// Whether this is the attempt at what the spec asks for.
    fn is_of(&self, seen: &World) -> bool {
        let (hash, steps) = (&seen.rollout.hash, &seen.rollout.steps_hash);
        self.version.as_ref().is_some_and(|version| (&version.0, &version.1) == (hash, steps))
    }

    /// Remembers what a pass saw and did.
    pub(super) fn follow(&mut self, seen: &World, decision: &Decision) {
        let after = &decision.status;
        self.asked = 0;
        if let (Some(index), Some(pause)) = (after.step_index, after.pause(PauseReason::CanaryPauseStep)) {
            self.paused = Some((index, pause.start));
        }
        self.look(seen);
        self.begun.extend(decision.actions.iter().filter_map(|action| match action {
            Action::StartRun { name, .. } => Some(name.clone()),
            _ => None,
        }));
        let active = seen.rollout.blue_green().map(|bg| &bg.active_service);
        let switches = decision.actions.iter().any(|action| {
            matches!(action, Action::PointService { service, hash } if Some(service) == active && *hash == seen.rollout.hash)
        });
        self.unopposed |= switches && unserved(seen);
    }

    /// A pause step is over when it was there for its time, or when a person ended it.
    pub(super) fn pause(&mut self, seen: &World, decision: &Decision, now: Time) -> Verdict {
        let index = seen.status.step_index;
        let step = seen.rollout.canary().and_then(|canary| canary.step(index));
        let completed = decision.reasons.iter().any(|r| matches!(r, Reason::StepCompleted { .. }));
        let Some(Step::Pause(duration)) = step.filter(|_| completed) else {
            return Ok(());
        };
        match self.paused.filter(|(at, _)| Some(*at) == index) {
            // Asked twice at one moment, a person ends one pause and skips the next step.
            None if self.asked > 1 => Ok(()),
            None => Err(("pause", "a pause is over that never was".to_owned())),
            Some(_) if self.promoted => Ok(()),
            Some((_, start)) => match duration {
                None => Err(("pause", "a pause without an end is over, and no person ended it".to_owned())),
                Some(span) if now.since(start) < *span => Err(("pause", format!("a pause of {span} is over early"))),
                Some(_) => Ok(()),
            },
        }
    }

    fn look(&mut self, seen: &World) {
        for run in seen.runs.iter().filter(|r| r.hash == seen.rollout.hash && r.phase.is_completed()) {
            if !self.begun.contains(&run.name) || self.former.contains(&(run.name.clone(), run.created)) {
                continue;
            }
            match run.phase {
                RunPhase::Successful if !run.terminating => {
                    self.passed.insert(key(run.kind));
                }
                RunPhase::Failed | RunPhase::Error => self.failed = true,
                _ => {}
            }
        }
    }

    /// A version becomes the stable one only when everything that was asked for was seen.
    pub(super) fn promotion(&mut self, seen: &World, decision: &Decision) -> Verdict {
        self.look(seen);
        if decision.status.stable == seen.status.stable {
            return Ok(());
        }
        let about = |why: String| Err(("promotion", why));
        let hash = &seen.rollout.hash;
        if decision.status.stable.as_ref() != Some(hash) {
            return about("another version than the spec's is promoted".to_owned());
        }
        let why = decision.reasons.iter().find_map(|r| match r {
            Reason::Promoted { why } => Some(why.as_str()),
            _ => None,
        });
        let Some(why) = why else { return about("promotes without saying so".to_owned()) };
        if seen.status.stable.is_none() {
            return Ok(());
        }
        if seen.status.abort || seen.rollout.paused {
            return about(format!("{hash} is promoted though it was aborted or halted"));
        }
        match why {
            "Full promotion requested" if seen.status.promote_full => Ok(()),
            "Rollback within window" if seen.rollout.rollback_window.is_some() => Ok(()),
            "Fast rollback" if seen.pool(hash).is_some_and(|p| p.promoted) => Ok(()),
            _ => self.judged(seen, why),
        }
    }

    fn judged(&self, seen: &World, why: &str) -> Verdict {
        let hash = &seen.rollout.hash;
        let about = |what: String| Err(("promotion", format!("{hash} is promoted ({why}) {what}")));
        if self.failed && !self.promoted {
            return about("though a run failed".to_owned());
        }
        match &seen.rollout.strategy {
            Strategy::Canary(canary) if !self.promoted => match missing(canary, &self.passed) {
                Some(step) => about(format!("without a verdict of step {step}")),
                None => Ok(()),
            },
            Strategy::BlueGreen(bg) if bg.pre_promotion && !self.passed("PrePromotion") && !self.unopposed => {
                about("without a verdict before the switch".to_owned())
            }
            Strategy::BlueGreen(bg) if bg.post_promotion && !self.passed("PostPromotion") => {
                about("without a verdict after the switch".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The version and the steps that the status speaks of.
fn under_way(seen: &World) -> Option<(&Hash, &str)> {
    let status = &seen.status;
    Some((status.current_hash.as_ref()?, status.current_steps_hash.as_deref().unwrap_or("")))
}

/// Whether the users are with the version of the spec.
fn has_users(seen: &World) -> bool {
    let active = seen.rollout.blue_green().and_then(|bg| seen.service(&bg.active_service));
    active.is_some_and(|s| s.selects.as_ref() == Some(&seen.rollout.hash))
}

/// Whether nobody has users: the active service selects nothing yet, and the stable version has no member that could answer.
pub(super) fn unserved(seen: &World) -> bool {
    let active = seen.rollout.blue_green().and_then(|bg| seen.service(&bg.active_service));
    active.is_none_or(|s| s.selects.is_none()) && seen.stable_pool().is_none_or(|p| p.available == 0)
}

/// The first analysis step that no run passed.
fn missing(canary: &Canary, passed: &BTreeSet<(&'static str, usize)>) -> Option<usize> {
    let analyses = canary.steps.iter().enumerate().filter(|(_, step)| **step == Step::Analysis);
    analyses.map(|(i, _)| i).find(|i| !passed.contains(&("Step", *i)))
}

fn key(kind: RunKind) -> (&'static str, usize) {
    let index = if let RunKind::Step(index) = kind { index } else { 0 };
    (kind.as_str(), index)
}
