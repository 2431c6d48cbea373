//! What plays reached: figures that add up over many seeds.

use std::collections::{BTreeMap, BTreeSet};

use serin_core::analysis::RunPhase;
use serin_core::rollout::Strategy;
use serin_core::world::World;
use serin_core::{Step, phase::Phase};

use crate::control::PassFault;

/// Figures of one play or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Scenarios played.
    pub plays: u64,
    /// Decisions that changed something.
    pub decisions: u64,
    /// Passes, with those that changed nothing.
    pub passes: u64,
    /// Passes after which nothing was left to do, judged by what is true.
    pub rests: u64,
    /// Faults that happened between decisions and the world.
    pub faults: u64,
    /// What people did and what befell the world.
    pub acts: u64,
    /// How experiments ended, and how often.
    pub experiments: BTreeMap<RunPhase, u64>,
    /// Seconds of simulated time.
    pub seconds: u64,
    /// The longest way to rest once nothing went wrong any more, in seconds.
    pub longest_rest: u64,
    /// Different situations in which something was decided: strategy, phase, step, pauses, abort, promotion, paused by a
    /// person, runs, and what became of the pass.
    pub situations: BTreeSet<u32>,
}

impl Figures {
    /// A pass saw this world.
    pub(super) fn saw(&mut self, seen: &World, fault: Option<PassFault>) {
        self.passes += 1;
        self.situations.insert(situation(seen, fault));
    }

    /// Adds the figures of other plays.
    pub fn add(&mut self, other: &Figures) {
        self.plays += other.plays;
        self.decisions += other.decisions;
        self.passes += other.passes;
        self.rests += other.rests;
        self.faults += other.faults;
        self.acts += other.acts;
        for (phase, count) in &other.experiments {
            *self.experiments.entry(*phase).or_default() += count;
        }
        self.seconds += other.seconds;
        self.longest_rest = self.longest_rest.max(other.longest_rest);
        self.situations.extend(&other.situations);
    }
}

/// A situation as a number.
fn situation(seen: &World, fault: Option<PassFault>) -> u32 {
    let status = &seen.status;
    let phase = match status.phase {
        Phase::Progressing => 0,
        Phase::Paused => 1,
        Phase::Healthy => 2,
        Phase::Degraded => 3,
    };
    let (strategy, step) = match &seen.rollout.strategy {
        Strategy::BlueGreen(bg) => (0, u32::from(bg.pre_promotion) + 2 * u32::from(bg.post_promotion)),
        Strategy::Canary(canary) => {
            let strategy = match (canary.traffic.is_some(), canary.dynamic_stable_scale) {
                (false, _) => 1,
                (true, false) => 2,
                (true, true) => 3,
            };
            let step = match canary.step(status.step_index) {
                None => 0,
                Some(Step::SetWeight(_)) => 1,
                Some(Step::Pause(None)) => 2,
                Some(Step::Pause(Some(_))) => 3,
                Some(Step::SetCanaryScale(_)) => 4,
                Some(Step::Analysis) => 5,
                Some(Step::Experiment(_)) => 7,
                Some(_) => 6,
            };
            (strategy, step)
        }
    };
    let fault = match fault {
        None => 0,
        Some(PassFault::Stale(_)) => 1,
        Some(PassFault::Killed(_)) => 2,
    };
    let run = status.runs().map(|r| 1 + r.phase as u32).max().unwrap_or(0);
    let flags = [
        status.abort,
        status.promote_full,
        seen.rollout.paused,
        !status.pauses.is_empty(),
        status.controller_pause,
        status.blue_green.checkpoint,
        status.stable == status.current_hash,
        status.current_hash.as_ref() == Some(&seen.rollout.hash),
        status.weights.as_ref().is_some_and(|w| w.verified),
    ];
    let flags = flags.iter().fold(0, |bits, flag| bits << 1 | u32::from(*flag));
    let fields = [(strategy, 2), (phase, 2), (step, 4), (fault, 2), (run, 3), (seen.pools.len().min(3) as u32, 2)];
    fields.iter().fold(flags, |bits, (value, width)| bits << width | value)
}
