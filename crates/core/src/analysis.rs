//! Analysis runs: metrics measured on a schedule, judged one by one, and the verdict over all of them
//! (section 3 of the Argo reference). Pure; the adapter takes the measurements.
//!
//! One pass of an adapter: [`schedule::due`] says what to measure now, the adapter measures, [`record`] keeps each
//! result, [`assess::assess`] gives the next status, [`schedule::wake_at`] says when to come back.

pub mod assess;
pub mod evidence;
pub mod record;
pub mod schedule;
pub mod ttl;
pub mod validity;
pub mod verdict;

pub use assess::assess;
pub use record::{record, terminated};
pub use ttl::Ttl;

use std::collections::BTreeMap;

use crate::time::{Span, Time};

/// What a run of a rollout judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKind {
    /// The analysis step at this index.
    Step(usize),
    /// The whole update, from `startingStep` on.
    Background,
    /// A blue-green version before the switch.
    PrePromotion,
    /// A blue-green version after the switch.
    PostPromotion,
}

impl RunKind {
    /// Argo's word for the label `rollout-type`.
    //= compat: 4.1-2
    pub const fn as_str(self) -> &'static str {
        match self {
            RunKind::Step(_) => "Step",
            RunKind::Background => "Background",
            RunKind::PrePromotion => "PrePromotion",
            RunKind::PostPromotion => "PostPromotion",
        }
    }
}

/// Where a measurement, a metric or a run stands.
//= compat: 3.1-8
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum RunPhase {
    /// Not begun.
    #[default]
    Pending,
    /// Begun.
    Running,
    /// Passed.
    Successful,
    /// Judged bad.
    Failed,
    /// Could not be judged.
    Error,
    /// Judged neither good nor bad.
    Inconclusive,
}

impl RunPhase {
    /// Argo's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunPhase::Pending => "Pending",
            RunPhase::Running => "Running",
            RunPhase::Successful => "Successful",
            RunPhase::Failed => "Failed",
            RunPhase::Error => "Error",
            RunPhase::Inconclusive => "Inconclusive",
        }
    }

    /// Reads Argo's word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            RunPhase::Pending,
            RunPhase::Running,
            RunPhase::Successful,
            RunPhase::Failed,
            RunPhase::Error,
            RunPhase::Inconclusive,
        ]
        .into_iter()
        .find(|phase| phase.as_str() == word)
    }

    /// Whether it is final.
    pub const fn is_completed(self) -> bool {
        !matches!(self, RunPhase::Pending | RunPhase::Running)
    }

    /// How bad it is; the worst metric decides a run.
    //= compat: 3.8-2
    pub(crate) const fn severity(self) -> u8 {
        match self {
            RunPhase::Successful => 0,
            RunPhase::Running => 1,
            RunPhase::Pending => 2,
            RunPhase::Inconclusive => 3,
            RunPhase::Error => 4,
            RunPhase::Failed => 5,
        }
    }
}

impl std::fmt::Display for RunPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a run measures. Arguments are resolved, dry-run and retention rules are applied to the metrics they match.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunSpec {
    /// The metrics, names unique.
    pub metrics: Vec<Metric>,
    /// Stop early.
    pub terminate: bool,
}

/// One metric of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Time between measurements; none means one measurement.
    pub interval: Option<Span>,
    /// Time before the first measurement.
    pub initial_delay: Option<Span>,
    /// Number of measurements; 0 means one without an interval and no end with one.
    pub count: u32,
    /// More failures than this fail the metric; negative switches the limit off.
    pub failure_limit: i32,
    /// More inconclusive measurements than this make the metric inconclusive.
    pub inconclusive_limit: u32,
    /// More errors in a row than this make the metric an error.
    pub consecutive_error_limit: u32,
    /// So many successes in a row pass the metric; 0 switches it off.
    pub consecutive_success_limit: u32,
    /// `successCondition`.
    pub success: Option<String>,
    /// `failureCondition`.
    pub failure: Option<String>,
    /// Measured and shown, but never decides.
    pub dry_run: bool,
    /// Number of measurements kept.
    pub retention: usize,
    /// Whether it is one long measurement that a sequential test looks at again and again, see [`evidence`].
    pub sequential: bool,
}

impl Metric {
    /// A metric with Argo's defaults: one measurement, no failure tolerated, four errors in a row tolerated.
    //= compat: 3.7-4, 3.9-4
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interval: None,
            initial_delay: None,
            count: 0,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: 4,
            consecutive_success_limit: 0,
            success: None,
            failure: None,
            dry_run: false,
            retention: 10,
            sequential: false,
        }
    }

    /// The number of measurements, `None` when there is no end.
    //= compat: 3.5-1
    pub fn effective_count(&self) -> Option<u32> {
        match (self.count, self.interval) {
            (0, None) => Some(1),
            (0, Some(_)) => None,
            (count, _) => Some(count),
        }
    }
}

/// The memory of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunStatus {
    /// Where it stands.
    pub phase: RunPhase,
    /// Why.
    pub message: String,
    /// End of its first pass.
    pub started: Option<Time>,
    /// When it was decided.
    pub completed: Option<Time>,
    /// One entry per metric measured so far.
    pub metrics: Vec<MetricResult>,
    /// Final phases of the metrics that decide.
    pub summary: Summary,
    /// Final phases of the dry-run metrics.
    pub dry_run_summary: Summary,
}

/// How many metrics ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// All of them.
    pub count: u32,
    /// Passed.
    pub successful: u32,
    /// Failed.
    pub failed: u32,
    /// Inconclusive.
    pub inconclusive: u32,
    /// Not judged.
    pub error: u32,
}

/// What is known of one metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricResult {
    /// The metric's name.
    pub name: String,
    /// Where it stands.
    pub phase: RunPhase,
    /// Message of the measurement that decided.
    pub message: String,
    /// The last measurements, oldest first.
    pub measurements: Vec<Measurement>,
    /// Measurements that count: all but errors.
    pub count: u32,
    /// Successful ones.
    pub successful: u32,
    /// Failed ones.
    pub failed: u32,
    /// Inconclusive ones.
    pub inconclusive: u32,
    /// Errors.
    pub error: u32,
    /// Errors since the last other result.
    pub consecutive_error: u32,
    /// Successes since the last other result.
    pub consecutive_success: u32,
    /// Whether it only looks on.
    pub dry_run: bool,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurement {
    /// Its result.
    pub phase: RunPhase,
    /// Why, for errors.
    pub message: String,
    /// When it was begun.
    pub started: Time,
    /// When it ended; `None` while it runs.
    pub finished: Option<Time>,
    /// What was measured, as text.
    pub value: String,
    /// When to look at an unfinished one again.
    pub resume_at: Option<Time>,
    /// What its source remembers of it, in its own words.
    pub metadata: BTreeMap<String, String>,
}

impl RunStatus {
    /// The result of this metric.
    pub fn metric(&self, name: &str) -> Option<&MetricResult> {
        self.metrics.iter().find(|m| m.name == name)
    }
}
