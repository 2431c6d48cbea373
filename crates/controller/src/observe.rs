//! From the objects of a cluster to the snapshot of one rollout.

mod claim;
mod experiment;
mod limits;
mod lookup;
mod prepare;
mod references;
mod roster;
mod run;

use serin_core::invalid::Problem;
use serin_core::plugin::{PluginCallSeen, Plugins, open_calls};
use serin_core::world::{self, World};
use serin_core::{Hash, Pool, Split, Status};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::experiment::Experiment;
use serin_spec::wire::keys::{HASH_LABEL, INSTANCE_LABEL};
use serin_spec::wire::{AnalysisRun, PodTemplate, Rollout};
use serin_spec::{hash, lower, validate};

use crate::object::Object;
use crate::replica_set::ReplicaSet;
use crate::templates::Templates;
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
    /// The templates that its analyses may name.
    pub templates: Templates,
    /// Analysis runs of its namespace.
    pub runs: Vec<AnalysisRun>,
    /// Experiments of its namespace.
    pub experiments: Vec<Experiment>,
    /// Pods of its namespace; only a restart asks for them.
    pub pods: Vec<Object>,
    /// The split as the router carries it.
    pub split: Option<Split>,
}

/// What came of reading.
#[derive(Debug, Clone)]
pub enum Observed {
    /// It is being deleted; what it owns goes with it, and nothing of it is changed any more.
    Leaving,
    /// The rollout itself must be written first; the pass ends with that, and the change begins another one.
    //= compat: 2.2-5
    Written(Vec<Write>),
    /// It cannot be carried out as it is written: nothing is reconciled until it can, and it says so. The snapshot is for the
    /// status that says it ([`serin_core::invalid`]); where the template is missing it has no version under way.
    //= compat: 8.1-4
    Invalid(Box<View>, Problem),
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

/// Reads the snapshot. Of several problems the first is told, as the original does it.
//= compat: 8.1-2, 8.1-3
pub fn observe(cluster: &Cluster) -> Observed {
    if cluster.rollout.metadata.deletion_timestamp.is_some() {
        return Observed::Leaving;
    }
    let writes = prepare(&cluster.rollout, cluster.workload.as_ref());
    if !writes.is_empty() {
        return Observed::Written(writes);
    }
    let mut rollout = cluster.rollout.clone();
    let mut errors = validate::rollout(&rollout);
    errors.extend(limits::problem(&rollout));
    if let Some(reference) = &rollout.spec.workload_ref {
        let found = cluster.workload.as_ref().map(|workload| &workload.0);
        match serin_spec::workload::resolve(reference, found) {
            Ok(held) => held.put_into(&mut rollout.spec),
            Err(error) => {
                let problem = Problem::Workload(error.to_string());
                return Observed::Invalid(Box::new(view(cluster, rollout)), problem);
            }
        }
        errors.extend(validate::resolved(&rollout));
    }
    let view = Box::new(view(cluster, rollout));
    let find = |reference: &AnalysisTemplateRef| cluster.templates.find(reference);
    let named = || {
        let services = references::problem(&view.rollout, &view.services);
        let templates = || validate::templates(&view.rollout, &find).into_iter().next();
        services.or_else(templates).or_else(|| validate::uncounted(&view.rollout, &find).into_iter().next())
    };
    let first = errors.into_iter().next().or_else(named);
    match first {
        Some(error) => Observed::Invalid(view, Problem::Spec(error.to_string())),
        None => Observed::Ready(view),
    }
}

/// Whether all runs that a rollout's status names are in the snapshot.
pub(crate) fn is_complete(rollout: &Rollout, world: &World) -> bool {
    run::missing(rollout, world).is_empty()
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
    let restarts = lowered.restart_at.is_some_and(|at| status.restarted_at != Some(at));
    let pool = |replica_set: &ReplicaSet| {
        let pool = replica_set.pool()?;
        let members = restarts.then(|| roster::roster(replica_set, pool.available, &cluster.pods));
        Some(Pool { roster: members.unwrap_or_default(), ..pool })
    };
    let plugins = unanswered(&status, &lowered.name);
    World {
        rollout: lowered,
        status,
        pools: pools.iter().filter_map(pool).collect(),
        runs: cluster.runs.iter().filter(mine).filter_map(run).collect(),
        experiments: experiment::of_rollout(cluster, rollout),
        services: services
            .iter()
            .map(|service| world::Service { name: service.name().to_owned(), selects: selects(service) })
            .collect(),
        split: cluster.split.clone(),
        plugins,
    }
}

/// Step plugins are processes of one machine. Here every question to one is answered with that, so that the rollout says what it
/// waits for, and a person goes on or aborts.
fn unanswered(status: &Status, rollout: &str) -> Plugins {
    let why = "step plugins are not run on a cluster yet: promote or abort";
    let calls = open_calls(status, rollout).into_iter();
    let calls = calls.map(|id| PluginCallSeen { id, answer: Some(Err(why.to_owned())) });
    Plugins { calls: calls.collect(), ..Plugins::default() }
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
