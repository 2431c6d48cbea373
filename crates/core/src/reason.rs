//! Why a decision is what it is: "not yet" and "because" as values, for `explain`, events and metric labels.

use crate::Hash;
use crate::plugin::Operation;
use crate::time::{Span, Time};

/// One reason. The text is for people, [`Reason::code`] for machines; codes are a closed set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A new pool is needed for the current template.
    NewRevision {
        /// Its hash.
        hash: Hash,
        /// Its number.
        revision: u64,
    },
    /// Template or steps changed: start from the first step.
    Restarted,
    /// The template went back to the stable version: nothing to try.
    BackToStable,
    /// Within `rollbackWindow`: steps are skipped.
    WithinRollbackWindow,
    /// Members of a pool are not available yet.
    AwaitingMembers {
        /// Which pool.
        hash: Hash,
        /// Available members.
        available: u32,
        /// Members needed to go on.
        wanted: u32,
    },
    /// Old members are still there.
    AwaitingOldMembers {
        /// How many.
        left: u32,
    },
    /// The router does not carry the wanted weights yet.
    AwaitingRouter,
    /// Traffic stays because the stable pool could not carry it.
    StableTooSmall {
        /// Available members of the stable pool.
        available: u32,
        /// Members needed.
        wanted: u32,
    },
    /// A pause with an end.
    PausedUntil {
        /// Its end.
        end: Time,
        /// What is left.
        left: Span,
    },
    /// A pause that waits for a person.
    PausedForPerson,
    /// `spec.paused`.
    PausedByPerson,
    /// A run ended inconclusive and waits for a person.
    PausedInconclusive {
        /// The run.
        run: String,
        /// Its message.
        message: String,
    },
    /// The pause is over, and the tests that it waits for have not passed at its weight.
    AwaitingEvidence {
        /// The run that makes them.
        run: String,
    },
    /// A run has not decided yet.
    AwaitingRun {
        /// The run.
        run: String,
    },
    /// An experiment is not over yet.
    AwaitingExperiment {
        /// The experiment.
        experiment: String,
    },
    /// A step was completed.
    StepCompleted {
        /// Number of the step, from 1.
        number: usize,
        /// Number of steps.
        total: usize,
        /// The step's text.
        step: String,
    },
    /// The rollout was aborted and traffic is with the stable version.
    Aborted {
        /// Why, if known.
        cause: String,
    },
    /// The deadline without progress passed.
    DeadlineExceeded,
    /// The new version is the stable one now.
    Promoted {
        /// Argo's reason text.
        why: String,
    },
    /// The replicas changed: only sizes are adjusted in this pass.
    Resized,
    /// Members are replaced because of `restartAt`.
    Restarting {
        /// Members that are older than it.
        left: u32,
    },
    /// A step plugin has not answered, or asked to be asked again.
    AwaitingPlugin {
        /// Its name.
        plugin: String,
        /// What it was asked to do.
        operation: Operation,
        /// What it said last.
        message: String,
    },
    /// An old pool waits for its scale-down time.
    ScaleDownPlanned {
        /// Which pool.
        hash: Hash,
        /// When.
        at: Time,
    },
    /// The rollout cannot be carried out as it is written.
    Invalid {
        /// Why not.
        message: String,
    },
    /// Everything is as wanted.
    Settled,
}

impl Reason {
    /// A stable short word for labels and JSON.
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::NewRevision { .. } => "new-revision",
            Reason::Restarted => "restarted",
            Reason::BackToStable => "back-to-stable",
            Reason::WithinRollbackWindow => "within-rollback-window",
            Reason::AwaitingMembers { .. } => "awaiting-members",
            Reason::AwaitingOldMembers { .. } => "awaiting-old-members",
            Reason::AwaitingRouter => "awaiting-router",
            Reason::StableTooSmall { .. } => "stable-too-small",
            Reason::PausedUntil { .. } => "paused-until",
            Reason::PausedForPerson => "paused-for-person",
            Reason::PausedByPerson => "paused-by-person",
            Reason::AwaitingEvidence { .. } => "awaiting-evidence",
            Reason::PausedInconclusive { .. } => "paused-inconclusive",
            Reason::AwaitingRun { .. } => "awaiting-run",
            Reason::AwaitingExperiment { .. } => "awaiting-experiment",
            Reason::StepCompleted { .. } => "step-completed",
            Reason::Aborted { .. } => "aborted",
            Reason::DeadlineExceeded => "deadline-exceeded",
            Reason::Promoted { .. } => "promoted",
            Reason::Resized => "resized",
            Reason::Restarting { .. } => "restarting",
            Reason::AwaitingPlugin { .. } => "awaiting-plugin",
            Reason::ScaleDownPlanned { .. } => "scale-down-planned",
            Reason::Invalid { .. } => "invalid",
            Reason::Settled => "settled",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::NewRevision { hash, revision } => {
                write!(f, "revision {revision} ({hash}) is new")
            }
            Reason::Restarted => f.write_str("template or steps changed: starting from the first step"),
            Reason::BackToStable => f.write_str("the template is the stable version again: steps are skipped"),
            Reason::WithinRollbackWindow => f.write_str("rollback within rollbackWindow: steps are skipped"),
            Reason::AwaitingMembers { hash, available, wanted } => {
                write!(f, "{available} of {wanted} members of {hash} are available")
            }
            Reason::AwaitingOldMembers { left } => write!(f, "{left} old members are not gone yet"),
            Reason::AwaitingRouter => f.write_str("the router does not carry the wanted weights yet"),
            Reason::StableTooSmall { available, wanted } => {
                write!(f, "traffic stays: stable has {available} of the {wanted} members it would need")
            }
            Reason::PausedUntil { left, .. } => write!(f, "pause, {left} left"),
            Reason::PausedForPerson => f.write_str("pause without an end: promote or abort it"),
            Reason::PausedByPerson => f.write_str("paused by a person: resume with promote"),
            Reason::PausedInconclusive { run, message } if message.is_empty() => {
                write!(f, "{run} is inconclusive: promote or abort it")
            }
            Reason::PausedInconclusive { run, message } => {
                write!(f, "{run} is inconclusive ({message}): promote or abort it")
            }
            Reason::AwaitingEvidence { run } => {
                write!(f, "the pause is over, and the tests of {run} have not passed yet")
            }
            Reason::AwaitingRun { run } => write!(f, "{run} has not decided yet"),
            Reason::AwaitingExperiment { experiment } => write!(f, "experiment {experiment} is not over yet"),
            Reason::StepCompleted { number, total, step } => write!(f, "step {number}/{total} completed ({step})"),
            Reason::Aborted { cause } if cause.is_empty() => f.write_str("aborted: traffic is with stable"),
            Reason::Aborted { cause } => write!(f, "aborted: {cause}"),
            Reason::DeadlineExceeded => f.write_str("no progress within progressDeadlineSeconds"),
            Reason::Promoted { why } => write!(f, "promoted: {why}"),
            Reason::Resized => f.write_str("replicas changed: sizes are adjusted first"),
            Reason::Restarting { left } => write!(f, "{left} members are older than restartAt and are replaced"),
            Reason::AwaitingPlugin { plugin, operation, message } if message.is_empty() => {
                write!(f, "plugin {plugin} was asked to {}", operation.as_str())
            }
            Reason::AwaitingPlugin { plugin, operation, message } => {
                write!(f, "plugin {plugin} was asked to {}: {message}", operation.as_str())
            }
            Reason::ScaleDownPlanned { hash, .. } => {
                write!(f, "{hash} keeps its members until its scale-down time")
            }
            Reason::Invalid { message } => write!(f, "nothing is changed until this is mended: {message}"),
            Reason::Settled => f.write_str("everything is as wanted"),
        }
    }
}
