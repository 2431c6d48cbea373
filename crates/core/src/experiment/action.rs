//! What a decision about an experiment asks an adapter to do. Every action states a target, so applying one twice equals once.

use crate::Hash;
use crate::time::Time;

/// One step towards the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExperimentAction {
    /// Make the pool of a template, with no members yet.
    CreatePool {
        /// Which template.
        template: String,
        /// Hash of its pods.
        hash: Hash,
    },
    /// Want this many members. Reaching zero also forgets a planned scale-down.
    ScalePool {
        /// Which template.
        template: String,
        /// Wanted members.
        size: u32,
    },
    /// Plan when the pool goes to zero, or drop the plan.
    SetScaleDownAt {
        /// Which template.
        template: String,
        /// When; `None` drops the plan.
        at: Option<Time>,
    },
    /// Make a service that selects the pool of a template.
    CreateService {
        /// Which template.
        template: String,
        /// Object name.
        name: String,
    },
    /// Forget a service of the experiment.
    DeleteService {
        /// Object name.
        name: String,
    },
    /// Create an analysis run.
    StartRun {
        /// Object name.
        name: String,
        /// Which analysis.
        analysis: String,
    },
    /// Tell a run to stop measuring.
    StopRun {
        /// Object name.
        name: String,
    },
}

impl std::fmt::Display for ExperimentAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExperimentAction::CreatePool { template, hash } => write!(f, "create pool {template} ({hash})"),
            ExperimentAction::ScalePool { template, size } => write!(f, "scale pool {template} to {size}"),
            ExperimentAction::SetScaleDownAt { template, at: Some(at) } => {
                write!(f, "pool {template} goes to 0 at {}s", at.as_secs())
            }
            ExperimentAction::SetScaleDownAt { template, at: None } => write!(f, "pool {template} stays"),
            ExperimentAction::CreateService { template, name } => write!(f, "create service {name} of {template}"),
            ExperimentAction::DeleteService { name } => write!(f, "delete service {name}"),
            ExperimentAction::StartRun { name, .. } => write!(f, "start run {name}"),
            ExperimentAction::StopRun { name } => write!(f, "stop run {name}"),
        }
    }
}
