//! What a decision asks an adapter to do. Every action states a target, so applying one twice equals once.

use crate::Hash;
use crate::analysis::RunKind;
use crate::metadata::Metadata;
use crate::plugin::PluginCall;
use crate::time::Time;
use crate::weight::Split;

/// One step towards the target. A decision's actions are in an order that is safe to stop after any of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make the pool of the current template, with no members yet.
    CreatePool {
        /// Hash of its template.
        hash: Hash,
        /// Its revision number.
        revision: u64,
    },
    /// Give an existing pool a newer revision number.
    SetRevision {
        /// Which pool.
        hash: Hash,
        /// Its new number.
        revision: u64,
    },
    /// Want this many members. Reaching zero also forgets a planned scale-down.
    ScalePool {
        /// Which pool.
        hash: Hash,
        /// Wanted members.
        size: u32,
        /// The rollout's replicas at this moment.
        replicas_seen: u32,
    },
    /// Plan when the pool goes to zero, or drop the plan.
    SetScaleDownAt {
        /// Which pool.
        hash: Hash,
        /// When; `None` drops the plan.
        at: Option<Time>,
    },
    /// Remember that the pool's version was the stable one.
    MarkPromoted {
        /// Which pool.
        hash: Hash,
    },
    /// Forget a pool without members.
    DeletePool {
        /// Which pool.
        hash: Hash,
    },
    /// Let a service select a pool.
    PointService {
        /// Service name.
        service: String,
        /// The pool it selects from now on.
        hash: Hash,
    },
    /// Make the router carry this split, whole.
    SetSplit(Split),
    /// Put these labels and annotations on the pool and its members, on top of those of its template, and take off what was
    /// put on them so before and is not among them.
    SetMetadata {
        /// Which pool.
        hash: Hash,
        /// All of it.
        metadata: Metadata,
    },
    /// Replace a member by a new one, should it be older than a time. An adapter that can lets the new one come first.
    EvictMember {
        /// Its pool.
        hash: Hash,
        /// Its name.
        member: String,
        /// A member of this name that was started then or later is another one, and stays.
        older_than: Time,
    },
    /// Ask a step plugin, unless this question is on its way or answered already.
    CallPlugin(PluginCall),
    /// Want this many members of the workload that holds the template.
    ScaleWorkload {
        /// Wanted members.
        replicas: u32,
    },
    /// Create an analysis run.
    StartRun {
        /// Object name.
        name: String,
        /// What it judges.
        kind: RunKind,
        /// Version under test.
        hash: Hash,
        /// Revision of that version.
        revision: u64,
    },
    /// Tell a run to stop measuring.
    StopRun {
        /// Object name.
        name: String,
    },
    /// Forget a finished run.
    DeleteRun {
        /// Object name.
        name: String,
    },
    /// Create the experiment of a step.
    StartExperiment {
        /// Object name.
        name: String,
        /// Index of the step.
        step: usize,
        /// Version under test.
        hash: Hash,
        /// Revision of that version.
        revision: u64,
    },
    /// Tell an experiment to end.
    StopExperiment {
        /// Object name.
        name: String,
    },
    /// Forget a finished experiment without members.
    DeleteExperiment {
        /// Object name.
        name: String,
    },
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Action::CreatePool { hash, revision } => {
                write!(f, "create pool {hash} (revision {revision})")
            }
            Action::SetRevision { hash, revision } => {
                write!(f, "pool {hash} is revision {revision}")
            }
            Action::ScalePool { hash, size, .. } => write!(f, "scale pool {hash} to {size}"),
            Action::SetScaleDownAt { hash, at: Some(at) } => {
                write!(f, "pool {hash} goes to 0 at {}s", at.as_secs())
            }
            Action::SetScaleDownAt { hash, at: None } => write!(f, "pool {hash} stays"),
            Action::MarkPromoted { hash } => write!(f, "pool {hash} was promoted"),
            Action::DeletePool { hash } => write!(f, "delete pool {hash}"),
            Action::PointService { service, hash } => write!(f, "service {service} selects {hash}"),
            Action::SetSplit(split) => {
                write!(f, "split {} {} / {} {}", split.canary, split.weight, split.stable, split.weight_stable())?;
                for destination in &split.experiment {
                    write!(f, " / {} {}", destination.hash, destination.weight)?;
                }
                for route in &split.header_routes {
                    write!(f, ", header route {}", route.name)?;
                }
                for route in &split.mirrors {
                    write!(f, ", mirror route {}", route.name)?;
                }
                Ok(())
            }
            Action::SetMetadata { hash, metadata } if metadata.is_empty() => {
                write!(f, "pool {hash} carries no metadata")
            }
            Action::SetMetadata { hash, metadata } => {
                let pairs = metadata.labels.iter().chain(&metadata.annotations);
                let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "pool {hash} carries {}", pairs.join(", "))
            }
            Action::EvictMember { hash, member, .. } => write!(f, "replace member {member} of pool {hash}"),
            Action::CallPlugin(call) => write!(f, "ask plugin {} to {}", call.plugin, call.operation.as_str()),
            Action::ScaleWorkload { replicas } => write!(f, "scale workload to {replicas}"),
            Action::StartRun { name, .. } => write!(f, "start run {name}"),
            Action::StopRun { name } => write!(f, "stop run {name}"),
            Action::DeleteRun { name } => write!(f, "delete run {name}"),
            Action::StartExperiment { name, .. } => write!(f, "start experiment {name}"),
            Action::StopExperiment { name } => write!(f, "stop experiment {name}"),
            Action::DeleteExperiment { name } => write!(f, "delete experiment {name}"),
        }
    }
}
