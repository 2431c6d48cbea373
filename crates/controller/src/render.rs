//! From a decision to the writes that carry it out, in an order that is safe to stop after any of them.

mod analysis_run;
pub mod event;
mod experiment;
pub mod replica_set;
pub mod rollout;
pub mod service;

use serde_json::json;
use serin_core::analysis::RunKind;
use serin_core::{Action, Decision, Hash, Split, Time};
use serin_spec::wire::analysis::AnalysisRunSpec;

use crate::ephemeral::{self, Role};
use crate::object::Object;
use crate::observe::View;
use crate::write::{Failure, Write};

/// What a decision becomes.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The writes, in order.
    pub writes: Vec<Write>,
    /// The split that the router should carry, where the decision wants another one.
    pub split: Option<Split>,
    /// How many of the writes come before the split.
    pub before_split: usize,
    /// When to look again though nothing was seen to change.
    pub wake_at: Option<Time>,
}

/// What rendering needs besides the snapshot.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The live pods of the rollout's namespace.
    pub pods: &'a [Object],
    /// What a run of this kind measures, its arguments filled in, or why that cannot be said.
    pub run_spec: &'a dyn Fn(RunKind) -> Result<AnalysisRunSpec, String>,
    /// The time of the decision.
    pub now: Time,
}

/// The writes of a decision. The status comes first: it remembers what was decided, and what is missing of the rest is decided
/// again from what is seen then. Pools grow before services and router send them requests, and shrink after these have stopped
/// to. Events come last, because what they tell must have happened.
pub fn render(view: &View, decision: &Decision, sources: &Sources<'_>) -> Rendered {
    let mut rendered = Rendered { wake_at: decision.wake_at, ..Rendered::default() };
    let mut pools = replica_set::Pools::of(view, decision);
    let mut others = Vec::new();
    for action in &decision.actions {
        match action {
            Action::CreatePool { hash, revision } => {
                rendered.writes.push(replica_set::create(view, hash, *revision, decision.status.stable.as_ref()));
            }
            // Done above, with everything else that follows from the rollout alone.
            Action::SetRevision { .. } | Action::SetMetadata { .. } => {}
            // Answered by what is observed next: nobody is asked on a cluster.
            Action::CallPlugin(_) => {}
            Action::EvictMember { member, .. } => others.push(eviction(view, member)),
            Action::ScalePool { hash, size, replicas_seen } => pools.scale(hash, *size, *replicas_seen),
            Action::SetScaleDownAt { hash, at } => pools.scale_down_at(hash, *at),
            Action::MarkPromoted { hash } => pools.mark_promoted(hash),
            Action::DeletePool { hash } => others.extend(pools.delete(hash)),
            Action::PointService { service, hash } => others.extend(service::point(view, service, hash)),
            Action::SetSplit(split) => rendered.split = Some(split.clone()),
            Action::ScaleWorkload { replicas } => others.extend(rollout::scale_workload(&view.rollout, *replicas)),
            Action::StartRun { name, kind, hash, revision } => {
                let spec = (sources.run_spec)(*kind);
                others.push(analysis_run::create(&view.rollout, *kind, name, (hash, *revision), spec, sources.now));
            }
            Action::StopRun { name } => others.push(analysis_run::stop(&view.rollout, name)),
            Action::DeleteRun { name } => others.push(analysis_run::delete(&view.rollout, name)),
            Action::StartExperiment { name, step, hash, revision } => {
                others.extend(experiment::create(view, *step, name, (hash, *revision)));
            }
            Action::StopExperiment { name } => others.push(experiment::stop(&view.rollout, name)),
            Action::DeleteExperiment { name } => others.push(experiment::delete(&view.rollout, name)),
        }
    }
    let mut writes = view.claims.clone();
    writes.extend(rollout::status(view, &decision.status));
    writes.extend(rollout::revision(view, decision));
    writes.append(&mut rendered.writes);
    let changed = pools.into_writes();
    writes.extend(changed.others);
    writes.extend(others);
    let before_split = writes.len();
    writes.extend(changed.shrinking);
    writes.extend(pods(view, decision, sources.pods));
    writes.extend(event::news(&decision.events).map(|told| event::create(&view.rollout, told, sources.now)));
    Rendered { writes, before_split, ..rendered }
}

/// Asks for the end of a pod, which its disruption budgets may refuse: then it is asked again in a later pass. The pod is named
/// for good, so a new one is never meant.
//= compat: 1.4-5
fn eviction(view: &View, pod: &str) -> Write {
    let namespace = view.rollout.metadata.namespace();
    let body = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "name": pod, "namespace": namespace },
    });
    Write::create(body).or(Failure::Skip)
}

/// The writes for a rollout that is invalid: its status, and nothing else.
//= compat: 8.1-3, 8.1-4
pub fn invalid(view: &View, decision: &Decision) -> Rendered {
    let writes = rollout::status(view, &decision.status).into_iter().collect();
    Rendered { before_split: 0, writes, split: None, wake_at: decision.wake_at }
}

/// Live pods that do not carry what their role wants. Their ReplicaSets are written with everything else that changes there.
//= compat: 1.9-3, 1.9-4
fn pods(view: &View, decision: &Decision, pods: &[Object]) -> Vec<Write> {
    let stable = decision.status.stable.as_ref().map(Hash::as_str);
    let of_pool = |pool| {
        let role =
            Role::of(crate::ReplicaSet::hash(pool).unwrap_or_default(), view.world.rollout.hash.as_str(), stable);
        ephemeral::pod_writes(&view.rollout, pool, role, pods)
    };
    view.pools.iter().flat_map(of_pool).collect()
}
