//! From the objects of a cluster to the snapshot of one rollout.

mod claim;
mod experiment;
mod lookup;
mod prepare;
mod run;

use serin_core::world::{self, World};
use serin_core::{Hash, Split};
use serin_spec::wire::experiment::Experiment;
use serin_spec::wire::keys::{HASH_LABEL, INSTANCE_LABEL};
use serin_spec::wire::{AnalysisRun, PodTemplate, Rollout};
use serin_spec::{hash, lower};

use crate::object::Object;
use crate::replica_set::ReplicaSet;
use crate::write::Write;

pub use claim::{Claimed, claim};
pub use lookup::find;
pub use prepare::prepare;
pub use run::run;

/// The objects that a decision is made from, read once.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// The rollout as it is stored: a template behind a `workloadRef` is not in it.
    pub rollout: Rollout,
    /// The object that its `workloadRef` names, if it has one and the object exists.
    pub workload: Option<Object>,
    /// ReplicaSets of its namespace that carry a pod-template hash.
    pub replica_sets: Vec<ReplicaSet>,
    /// Services of its namespace.
    pub services: Vec<Object>,
    /// Analysis runs of its namespace.
    pub runs: Vec<AnalysisRun>,
    /// Experiments of its namespace.
    pub experiments: Vec<Experiment>,
    /// The split as the router carries it.
    pub split: Option<Split>,
}

/// What came of reading.
#[derive(Debug, Clone)]
pub enum Observed {
    /// The rollout itself must be written first; the pass ends with that, and the change begins another one.
    //= compat: 2.2-5
    Written(Vec<Write>),
    /// What it names is not there: nothing is reconciled until it is, and it says so.
    Invalid(String),
    /// A snapshot to decide on.
    Ready(Box<View>),
}

/// A snapshot and what rendering needs besides.
#[derive(Debug, Clone)]
pub struct View {
    /// The snapshot.
    pub world: World,
    /// The rollout with its template and selector, be they its own or those of the workload.
    pub rollout: Rollout,
    /// Its ReplicaSets, in creation order.
    pub pools: Vec<ReplicaSet>,
    /// The services it names.
    pub services: Vec<Object>,
    /// Writes that make ReplicaSets its own or let them go, to be sent before all others.
    pub claims: Vec<Write>,
    /// Runs that its status names and that are not in the snapshot: to be asked for by name before anything is decided.
    //= compat: 2.2-4
    pub missing_runs: Vec<String>,
}

/// Whether an object is meant for this controller: the one without a name takes objects without the label.
//= compat: 2.3-19
pub fn is_mine(object: &Object, instance: &str) -> bool {
    object.label(INSTANCE_LABEL).unwrap_or_default() == instance
}

/// Reads the snapshot.
pub fn observe(cluster: &Cluster) -> Observed {
    let writes = prepare(&cluster.rollout, cluster.workload.as_ref());
    if !writes.is_empty() {
        return Observed::Written(writes);
    }
    let mut rollout = cluster.rollout.clone();
    if let Some(reference) = &rollout.spec.workload_ref {
        let found = cluster.workload.as_ref().map(|workload| &workload.0);
        match serin_spec::workload::resolve(reference, found) {
            Ok(held) => held.put_into(&mut rollout.spec),
            Err(error) => return Observed::Invalid(error.to_string()),
        }
    }
    Observed::Ready(Box::new(view(cluster, rollout)))
}

/// The snapshot of a rollout whose template is missing: its pools as they are, for the status that says so. Nothing else may be
/// decided on it, since what would be the version under way is not known.
//= compat: 8.1-4
pub fn view_without_template(cluster: &Cluster) -> View {
    view(cluster, cluster.rollout.clone())
}

fn view(cluster: &Cluster, rollout: Rollout) -> View {
    let Claimed { owned: mut pools, writes: claims } = claim(&rollout, &cluster.replica_sets);
    pools.sort_by_key(|pool| (pool.0.created(), pool.0.name().to_owned()));
    let services: Vec<Object> = named(&rollout).filter_map(|name| service(cluster, &rollout, name)).collect();
    let world = world(cluster, &rollout, &pools, &services);
    let missing_runs = run::missing(&rollout, &world);
    View { world, rollout, pools, services, claims, missing_runs }
}

fn world(cluster: &Cluster, rollout: &Rollout, pools: &[ReplicaSet], services: &[Object]) -> World {
    let status = lower::status(&rollout.status.clone().unwrap_or_default());
    let mut lowered = lower::rollout(rollout, rollout.metadata.generation.unwrap_or(0), collisions(rollout));
    lowered.workload = workload(cluster);
    if let Some(found) = find(rollout, pools).and_then(ReplicaSet::hash) {
        // Whoever made this pool computed another hash; the pool is the right one, so it keeps its name.
        lowered.hash = Hash::new(found);
    }
    let selects = |service: &Object| service.0["spec"]["selector"][HASH_LABEL].as_str().map(Hash::new);
    let mine = |run: &&AnalysisRun| run::is_owned_by(run, rollout.metadata.uid.as_deref().unwrap_or_default());
    World {
        rollout: lowered,
        status,
        pools: pools.iter().filter_map(ReplicaSet::pool).collect(),
        runs: cluster.runs.iter().filter(mine).filter_map(run).collect(),
        experiments: experiment::of_rollout(cluster, rollout),
        services: services
            .iter()
            .map(|service| world::Service { name: service.name().to_owned(), selects: selects(service) })
            .collect(),
        split: cluster.split.clone(),
    }
}

/// The Deployment behind a `workloadRef`, if it is one.
fn workload(cluster: &Cluster) -> Option<serin_core::rollout::Workload> {
    let replicas = cluster.workload.as_ref()?.0["spec"]["replicas"].as_u64().unwrap_or(1);
    let reference = cluster.rollout.spec.workload_ref.as_ref()?;
    serin_spec::workload::lowered(reference, u32::try_from(replicas).unwrap_or(u32::MAX))
}

/// How many names were taken by others so far, which goes into the hash.
fn collisions(rollout: &Rollout) -> Option<i32> {
    rollout.status.as_ref().and_then(|status| status.collision_count)
}

/// The hash that a new pool gets.
pub fn new_hash(rollout: &Rollout) -> Hash {
    let template = rollout.spec.template.clone().unwrap_or_else(|| PodTemplate(serde_json::json!({})));
    hash::pod_template(&template, collisions(rollout))
}

/// The services that the strategy names.
pub fn named(rollout: &Rollout) -> impl Iterator<Item = &str> {
    let strategy = &rollout.spec.strategy;
    let canary = strategy.canary.iter().flat_map(|canary| {
        let both = canary.ping_pong.iter().flat_map(|both| [&both.ping_service, &both.pong_service]);
        canary.canary_service.iter().chain(&canary.stable_service).chain(both)
    });
    let blue_green = strategy.blue_green.iter();
    let blue_green = blue_green.flat_map(|both| both.active_service.iter().chain(&both.preview_service));
    canary.chain(blue_green).map(String::as_str).filter(|name| !name.is_empty())
}

fn service(cluster: &Cluster, rollout: &Rollout, name: &str) -> Option<Object> {
    let namespace = rollout.metadata.namespace();
    cluster.services.iter().find(|service| service.name() == name && service.namespace() == namespace).cloned()
}
