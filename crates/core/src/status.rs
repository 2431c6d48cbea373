//! The memory of a rollout: the fields of Argo's `status`, in the core's terms. A decision returns the next one whole.

use crate::Hash;
use crate::analysis::RunPhase;
use crate::condition::Conditions;
use crate::phase::Phase;
use crate::plugin::PluginStatus;
use crate::time::Time;
use crate::weight::Destination;

/// What the rollout remembers between decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// An abort was asked for, by a person or by a decision.
    pub abort: bool,
    /// Since when it is aborted; keeps its first value.
    pub aborted_at: Option<Time>,
    /// Why the rollout is paused.
    pub pauses: Vec<Pause>,
    /// Whether a decision (not a person) put the pause there.
    pub controller_pause: bool,
    /// Hash of the version under way.
    pub current_hash: Option<Hash>,
    /// Hash of the steps it was started with.
    pub current_steps_hash: Option<String>,
    /// Next step to run; the number of steps when they are over; `None` without steps.
    pub step_index: Option<usize>,
    /// Hash of the last promoted version.
    pub stable: Option<Hash>,
    /// Skip everything that is left.
    pub promote_full: bool,
    /// Generation of the spec that the last decision saw.
    pub observed_generation: i64,
    /// Conditions, in Argo's order of last change.
    pub conditions: Conditions,
    /// Phase and message, derived from the rest.
    pub phase: Phase,
    /// Why the phase is what it is.
    pub message: String,
    /// Member counts of the last decision.
    pub counts: Counts,
    /// The run of the current analysis step.
    pub step_run: Option<RunRef>,
    /// The background run of this update.
    pub background_run: Option<RunRef>,
    /// The experiment of the current step.
    pub current_experiment: Option<String>,
    /// Weights as last decided.
    pub weights: Option<Weights>,
    /// Bumped when two templates share a hash.
    pub collision_count: u32,
    /// The `restartAt` that was carried out last.
    pub restarted_at: Option<Time>,
    /// Which service of `pingPong` is the stable one.
    pub stable_ping_pong: Option<Side>,
    /// What step plugins were asked and said, in the order of their steps, what takes back or ends last.
    pub plugins: Vec<PluginStatus>,
    /// What only a blue-green rollout remembers.
    pub blue_green: BlueGreenStatus,
}

/// The memory of a blue-green rollout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlueGreenStatus {
    /// The pool that the active service was last seen to select.
    pub active: Option<Hash>,
    /// The pool that the preview service was last seen to select.
    pub preview: Option<Hash>,
    /// `scaleUpPreviewCheckPoint`: the pause before the switch is over for this version.
    pub checkpoint: bool,
    /// The run before the switch.
    pub pre_run: Option<RunRef>,
    /// The run after the switch.
    pub post_run: Option<RunRef>,
}

/// One of the two services of `pingPong`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `pingService`.
    Ping,
    /// `pongService`.
    Pong,
}

impl Side {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Ping => "ping",
            Side::Pong => "pong",
        }
    }
}

/// A reason to pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub reason: PauseReason,
    /// Since when.
    pub start: Time,
}

/// Why a rollout is paused.
//= compat: 2.7-1
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// A `pause` step.
    CanaryPauseStep,
    /// A run ended inconclusive.
    InconclusiveAnalysisRun,
    /// An experiment ended inconclusive.
    InconclusiveExperiment,
    /// A blue-green rollout waits before its switch.
    BlueGreenPause,
}

impl PauseReason {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            PauseReason::CanaryPauseStep => "CanaryPauseStep",
            PauseReason::InconclusiveAnalysisRun => "InconclusiveAnalysisRun",
            PauseReason::InconclusiveExperiment => "InconclusiveExperiment",
            PauseReason::BlueGreenPause => "BlueGreenPause",
        }
    }
}

/// Members over all pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Existing members of all pools.
    pub members: u32,
    /// Existing members of the new pool.
    pub updated: u32,
    /// Ready members of all pools.
    pub ready: u32,
    /// Available members of all pools.
    pub available: u32,
}

/// The run a status refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRef {
    /// Object name.
    pub name: String,
    /// Phase when last looked at.
    pub phase: RunPhase,
    /// Message when last looked at.
    pub message: String,
}

/// Weights as last decided, with the pools they were meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// Weight of the canary.
    pub canary: u32,
    /// Pool behind the canary's weight.
    pub canary_hash: Hash,
    /// Weight of the stable version.
    pub stable: u32,
    /// Pool behind the stable weight.
    pub stable_hash: Hash,
    /// Weights of an experiment's pools.
    pub additional: Vec<Destination>,
    /// Whether the router was seen to carry these weights.
    pub verified: bool,
}

impl Status {
    /// The runs that the status refers to.
    pub fn runs(&self) -> impl Iterator<Item = &RunRef> {
        let blue_green = &self.blue_green;
        [&self.step_run, &self.background_run, &blue_green.pre_run, &blue_green.post_run].into_iter().flatten()
    }

    /// The pause of this reason, if there is one.
    pub fn pause(&self, reason: PauseReason) -> Option<&Pause> {
        self.pauses.iter().find(|p| p.reason == reason)
    }

    /// Whether a run or an experiment ended inconclusive and a person has to say how to go on.
    pub fn is_inconclusive(&self) -> bool {
        self.pause(PauseReason::InconclusiveAnalysisRun).is_some()
            || self.pause(PauseReason::InconclusiveExperiment).is_some()
    }

    /// Adds a pause reason; one that is there already keeps its start.
    //= compat: 2.7-1, 2.7-2
    pub fn add_pause(&mut self, reason: PauseReason, now: Time) {
        if self.pause(reason).is_none() {
            self.pauses.push(Pause { reason, start: now });
        }
        self.controller_pause = true;
    }

    /// Removes a pause reason; without any left the pause is over.
    //= compat: 2.7-2
    pub fn remove_pause(&mut self, reason: PauseReason) {
        self.pauses.retain(|p| p.reason != reason);
        if self.pauses.is_empty() {
            self.controller_pause = false;
        }
    }

    /// Drops every pause.
    pub fn clear_pauses(&mut self) {
        self.pauses.clear();
        self.controller_pause = false;
    }

    /// Sets the abort flag and its first time.
    pub fn set_abort(&mut self, now: Time) {
        self.abort = true;
        self.aborted_at.get_or_insert(now);
        self.clear_pauses();
    }

    /// Takes the abort back.
    pub fn clear_abort(&mut self) {
        self.abort = false;
        self.aborted_at = None;
    }
}
