//! Experiments: versions side by side for a while, and a verdict over them (section 5 of the Argo reference). Pure, like
//! everything here; [`decide`] is for an experiment what [`crate::decide`] is for a rollout.
//!
//! The order of a pass, each part seeing what the parts before it decided: first everything is judged, then targets are set.
//! 1. where each template stands ([`templates`]);
//! 2. where each analysis stands ([`analyses`]);
//! 3. the phase of the whole ([`outcome`]);
//! 4. pools, services and runs for that phase ([`pools`], [`analyses`]);
//! 5. conditions and reasons ([`outcome`]).

pub mod action;
pub mod analyses;
pub mod outcome;
pub mod pools;
pub mod reason;
pub mod status;
pub mod templates;
pub mod world;

pub use action::ExperimentAction;
pub use reason::ExperimentReason;
pub use status::{AnalysisStatus, ExperimentStatus, TemplatePhase, TemplateStatus};
pub use world::{Analysis, Experiment, ExperimentRun, ExperimentWorld, Template, TemplatePool, TemplateService};

use crate::decision::Event;
use crate::time::Time;

/// What to do next with an experiment, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentDecision {
    /// Targets to apply, in order.
    pub actions: Vec<ExperimentAction>,
    /// The memory to keep. Write it before the actions are applied.
    pub status: ExperimentStatus,
    /// When to decide again even if nothing is observed before. `None` only when it is over, or when it waits for something
    /// that the adapter observes.
    pub wake_at: Option<Time>,
    /// Why; the most important first.
    pub reasons: Vec<ExperimentReason>,
    /// Events of the experiment, to be emitted once the status is written.
    pub events: Vec<Event>,
    /// Events of the rollout that made the experiment, if one did.
    pub owner_events: Vec<Event>,
}

/// One pass: the snapshot, and the decision as it grows.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The snapshot.
    pub world: &'a ExperimentWorld,
    /// The time of the pass.
    pub now: Time,
    /// The next status.
    pub status: ExperimentStatus,
    /// Actions so far.
    pub actions: Vec<ExperimentAction>,
    /// Reasons so far.
    pub reasons: Vec<ExperimentReason>,
    /// Events so far.
    pub events: Vec<Event>,
    /// Events of the owner so far.
    pub owner_events: Vec<Event>,
    wake_at: Option<Time>,
}

impl<'a> Pass<'a> {
    fn new(world: &'a ExperimentWorld, now: Time) -> Self {
        Self {
            world,
            now,
            status: world.status.clone(),
            actions: Vec::new(),
            reasons: Vec::new(),
            events: Vec::new(),
            owner_events: Vec::new(),
            wake_at: None,
        }
    }

    /// What is wanted.
    pub fn experiment(&self) -> &'a Experiment {
        &self.world.experiment
    }

    /// Asks to be woken at `at` or earlier.
    pub fn wake(&mut self, at: Time) {
        self.wake_at = Some(self.wake_at.map_or(at, |t| t.min(at)));
    }

    /// Adds an event.
    pub fn event(&mut self, reason: &'static str, message: String, warning: bool) {
        self.events.push(Event { reason, message, warning });
    }

    /// Whether it comes to its end: somebody asked for it, it is decided, or a part of it says so.
    //= compat: 5.3-5
    pub fn terminating(&self) -> bool {
        let failed = |t: &TemplateStatus| matches!(t.phase, TemplatePhase::Failed | TemplatePhase::Error);
        self.experiment().terminate
            || self.status.is_completed()
            || self.status.templates.iter().any(failed)
            || self.status.analyses.iter().any(analyses::ended_badly)
            || analyses::required_succeeded(self)
    }

    fn into_decision(self) -> ExperimentDecision {
        let again = self.status != self.world.status || !self.actions.is_empty();
        let wake_at = if again { Some(self.now) } else { self.wake_at.map(|at| at.max(self.now)) };
        ExperimentDecision {
            actions: self.actions,
            status: self.status,
            wake_at,
            reasons: self.reasons,
            events: self.events,
            owner_events: self.owner_events,
        }
    }
}

/// Decides what to do in `world` at `now`. Pure: the same arguments give the same decision, and applying it and deciding
/// again converges.
pub fn decide(world: &ExperimentWorld, now: Time) -> ExperimentDecision {
    let mut pass = Pass::new(world, now);
    if outcome::invalid(&mut pass) || pools::claimed_twice(&mut pass) {
        return pass.into_decision();
    }
    templates::assess(&mut pass);
    analyses::assess(&mut pass);
    outcome::assess(&mut pass);
    templates::wind_up(&mut pass);
    pools::reconcile(&mut pass);
    analyses::reconcile(&mut pass);
    outcome::conclude(&mut pass);
    pass.into_decision()
}

/// The name of a template's pool.
//= compat: 5.2-1
pub fn pool_name(experiment: &str, template: &str) -> String {
    format!("{experiment}-{template}")
}
