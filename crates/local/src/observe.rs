//! Observing: the snapshot of one rollout that a decision is made from, put together from what is wanted, what runs, and
//! what the router was read back to carry.

use serin_core::analysis::evidence;
use serin_core::plugin::Plugins;
use serin_core::world::{Member, Pool, Run, Service, StepExperiment};
use serin_core::{Hash, Split, World};

use crate::model::{RunState, Workload};

/// The members of one pool as seen now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staffing {
    /// Members that exist and are not leaving.
    pub members: u32,
    /// Those that pass their readiness probe.
    pub ready: u32,
    /// Those that have been ready for `minReadySeconds`.
    pub available: u32,
    /// Why members cannot be made, if so.
    pub failure: Option<String>,
    /// The members one by one, while a restart asks for them.
    pub roster: Vec<Member>,
}

/// Traffic as the router was read back to carry it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carried {
    /// The split, `None` while it carries another one or none.
    pub split: Option<Split>,
    /// The services and the pool that each leads to.
    pub services: Vec<Service>,
}

/// The snapshot.
pub fn world<'a>(
    workload: &Workload,
    staffing: impl Fn(&Hash) -> Staffing,
    runs: impl Iterator<Item = (&'a str, &'a RunState)>,
    experiments: Vec<StepExperiment>,
    carried: Carried,
    plugins: Plugins,
) -> World {
    let pools = workload.pools.iter().map(|p| {
        let seen = staffing(&p.hash);
        Pool {
            hash: p.hash.clone(),
            revision: p.revision,
            created: p.created,
            size: p.size,
            members: seen.members,
            ready: seen.ready,
            available: seen.available,
            replicas_seen: p.replicas_seen,
            scale_down_at: p.scale_down_at,
            promoted: p.promoted,
            failure: seen.failure,
            metadata: p.metadata.clone(),
            roster: seen.roster,
        }
    });
    let run = |(name, run): (&str, &RunState)| {
        Some(Run {
            name: name.to_owned(),
            kind: run.kind?,
            hash: run.hash.clone(),
            phase: run.status.phase,
            message: run.status.message.clone(),
            terminating: run.core.terminate,
            created: run.created,
            passed_at: evidence::passed_at(&run.core, &run.status),
        })
    };
    World {
        rollout: workload.rollout.clone(),
        status: workload.status.clone(),
        pools: pools.collect(),
        runs: runs.filter_map(run).collect(),
        experiments,
        services: carried.services,
        split: carried.split,
        plugins,
    }
}
