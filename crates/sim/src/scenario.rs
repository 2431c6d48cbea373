//! A scenario: a user's manifests and a described world, prepared once for any number of runs.

mod build;
mod experiments;
mod plans;

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::{Hash, Rollout, Span, Time};
use serin_promql::Labels;
use serin_spec::Catalog;
use serin_spec::catalog::Entry;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::PrometheusMetric;

use crate::control::Faults;
use crate::description::Description;
use crate::load::Scene;
use crate::measure::{Ask, Judge, Plans};
use crate::world::{ExperimentPlan, Version};

/// A checked query: whether it reads a series, and how it is answered.
#[derive(Clone)]
pub struct Question {
    /// Answers it.
    pub ask: Ask,
    /// Whether it reads a series with these labels.
    pub reads: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
}

/// How metrics are measured. Injected, because metric providers are another crate, and one that does I/O.
#[derive(Clone, Copy)]
pub struct Questions<'a> {
    /// Checks the query of a metric, or says why it cannot be answered.
    pub query: &'a dyn Fn(&PrometheusMetric) -> Result<Question, String>,
    /// Who judges the sequential metrics of a run with this spec.
    pub judge: &'a dyn Fn(AnalysisRunSpec) -> Judge,
}

/// Why there is nothing to simulate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// No rollout is named, and there is not exactly one.
    #[error("failed to choose a rollout: name one of {}", .0.join(", "))]
    WhichRollout(Vec<String>),
    /// The rollout that is named does not exist.
    #[error("failed to find rollout {name}: there is {}", .known.join(", "))]
    NoRollout {
        /// As it is named.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The manifests hold no rollout.
    #[error("failed to find a rollout: the manifests hold none")]
    NoRollouts,
    /// A version takes part that the world does not describe.
    #[error("failed to find version {0} in the world: describe it under versions")]
    NotDescribed(String),
    /// The version cannot be put into the manifest.
    #[error(transparent)]
    Image(#[from] serin_spec::raise::ImageError),
    /// A step that is not simulated.
    #[error("failed to simulate spec.strategy.canary.steps[{index}]: {what} steps are not simulated")]
    Step {
        /// Index of the step.
        index: usize,
        /// What it is.
        what: &'static str,
    },
    /// An experiment step that is not simulated.
    #[error("failed to simulate spec.strategy.canary.steps[{index}].experiment: {why}")]
    Experiment {
        /// Index of the step.
        index: usize,
        /// Why not.
        why: String,
    },
    /// Both versions have the same template.
    #[error("failed to deploy {0}: it is the stable version already")]
    SameVersion(String),
}

/// What the update should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The new version is good.
    Promoted,
    /// The new version is bad.
    Aborted,
}

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Goes on.
    Promote,
    /// Skips all that is left.
    PromoteFull,
    /// Aborts.
    Abort,
    /// Tries again.
    Retry,
    /// Halts the rollout.
    Pause,
    /// Goes back to the version before.
    Undo,
    /// Deploys a version.
    Deploy(Hash),
    /// Wants another number of members.
    Replicas(u32),
}

/// A deed and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// When.
    pub at: Time,
    /// What.
    pub deed: Deed,
}

/// Shares of actions and passes that go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaultShares {
    /// Lost, doubled, late, killed: shares of the actions.
    pub actions: [f64; 4],
    /// How much later.
    pub late_by: Span,
    /// Time until a new process begins.
    pub back_after: Span,
    /// Share of the passes that see the past.
    pub stale: f64,
    /// How long ago.
    pub stale_by: Span,
}

/// A rollout in a world, ready to be run. Nothing in it changes, so many threads may run it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Namespace and name of the rollout.
    pub name: String,
    /// The moment of the deploy; its time of day is the described one.
    pub deploy_at: Time,
    /// Time before it in which the stable version runs alone.
    pub warm_up: Span,
    /// Time after which a run ends in any case.
    pub within: Span,
    /// What the update should come to, if that was said.
    pub expected: Option<Expected>,
    /// The stable version.
    pub stable: Hash,
    /// The new version.
    pub new: Hash,
    /// What people do, in the order of time.
    pub people: Vec<Person>,
    /// What goes wrong.
    pub faults: FaultShares,
    /// Every version that takes part: its tag and the rollout that wants it.
    pub rollouts: BTreeMap<Hash, (String, Rollout)>,
    pub(crate) versions: BTreeMap<Hash, Version>,
    pub(crate) min_ready: Span,
    pub(crate) plans: Plans,
    pub(crate) experiments: BTreeMap<usize, ExperimentPlan>,
    pub(crate) scene: Arc<Scene>,
}

impl Scenario {
    /// Prepares the rollout of this name (or the only one, or the one the world names) for runs in a world that was
    /// checked.
    ///
    /// # Errors
    /// When it is not clear which rollout or version is meant.
    pub fn new(
        catalog: &Catalog,
        world: &Entry<Description>,
        rollout: Option<&str>,
        questions: Questions<'_>,
    ) -> Result<Self, ScenarioError> {
        build::scenario(catalog, &world.object, rollout, questions)
    }

    /// The tag of a version.
    pub fn tag<'a>(&'a self, hash: &'a Hash) -> &'a str {
        self.rollouts.get(hash).map_or(hash.as_str(), |(tag, _)| tag.as_str())
    }

    /// What goes wrong in the run of a seed.
    pub(crate) fn faults(&self, seed: u64) -> Faults {
        build::faults(&self.faults, seed)
    }
}
