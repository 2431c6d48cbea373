//! Why a decision about an experiment is what it is.

use crate::analysis::RunPhase;
use crate::time::{Span, Time};

/// One reason. The text is for people, [`ExperimentReason::code`] for machines; codes are a closed set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExperimentReason {
    /// The spec cannot be carried out.
    Invalid {
        /// Why.
        problem: String,
    },
    /// Two pools say that they belong to one template: nothing is done until one of them is gone.
    TwoPools {
        /// Which template.
        template: String,
    },
    /// It is over.
    Ended {
        /// How.
        phase: RunPhase,
        /// Why, empty if there is nothing to say.
        message: String,
    },
    /// Somebody asked it to stop.
    Terminating,
    /// Members of a template are not available yet.
    AwaitingMembers {
        /// Which template.
        template: String,
        /// Available members.
        available: u32,
        /// Wanted ones.
        wanted: u32,
    },
    /// The versions run until this time.
    RunsUntil {
        /// When.
        end: Time,
        /// What is left.
        left: Span,
    },
    /// The versions run until somebody ends the experiment.
    RunsUntilTerminated,
    /// A run has not decided yet.
    AwaitingRun {
        /// The run.
        run: String,
        /// Whether the experiment lasts until it has.
        required: bool,
    },
    /// The members of a template stay a while.
    ScaleDownPlanned {
        /// Which template.
        template: String,
        /// Until when.
        at: Time,
    },
    /// The members of a template stay until the router sends them nothing any more.
    AwaitingRouter {
        /// Which template.
        template: String,
    },
}

impl ExperimentReason {
    /// A stable short word for labels and JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            ExperimentReason::Invalid { .. } => "invalid-spec",
            ExperimentReason::TwoPools { .. } => "two-pools",
            ExperimentReason::Ended { .. } => "ended",
            ExperimentReason::Terminating => "terminating",
            ExperimentReason::AwaitingMembers { .. } => "awaiting-members",
            ExperimentReason::RunsUntil { .. } => "runs-until",
            ExperimentReason::RunsUntilTerminated => "runs-until-terminated",
            ExperimentReason::AwaitingRun { .. } => "awaiting-run",
            ExperimentReason::ScaleDownPlanned { .. } => "scale-down-planned",
            ExperimentReason::AwaitingRouter { .. } => "awaiting-router",
        }
    }
}

impl std::fmt::Display for ExperimentReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExperimentReason::Invalid { problem } => write!(f, "the spec is invalid: {problem}"),
            ExperimentReason::TwoPools { template } => {
                write!(f, "two pools say that they belong to template {template}: remove one of them")
            }
            ExperimentReason::Ended { phase, message } if message.is_empty() => write!(f, "ended: {phase}"),
            ExperimentReason::Ended { phase, message } => write!(f, "ended: {phase} ({message})"),
            ExperimentReason::Terminating => f.write_str("it was asked to stop"),
            ExperimentReason::AwaitingMembers { template, available, wanted } => {
                write!(f, "{available} of {wanted} members of {template} are available")
            }
            ExperimentReason::RunsUntil { left, .. } => write!(f, "all templates run, {left} left"),
            ExperimentReason::RunsUntilTerminated => {
                f.write_str("all templates run until the required analyses succeed or somebody terminates it")
            }
            ExperimentReason::AwaitingRun { run, required: true } => write!(f, "{run} must succeed and runs"),
            ExperimentReason::AwaitingRun { run, required: false } => write!(f, "{run} runs"),
            ExperimentReason::ScaleDownPlanned { template, .. } => {
                write!(f, "{template} keeps its members until its scale-down time")
            }
            ExperimentReason::AwaitingRouter { template } => {
                write!(f, "{template} keeps its members while the router sends requests to them")
            }
        }
    }
}
