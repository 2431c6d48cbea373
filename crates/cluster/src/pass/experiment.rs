//! A pass over an experiment.

use serde_json::Value;
use serin_controller::experiment::{self, Cluster, EXPERIMENT as EXPERIMENT_ANNOTATION};
use serin_controller::{Object, ReplicaSet};
use serin_core::Hash;
use serin_core::experiment::decide;
use serin_spec::arguments::{compose, experiment_run_spec};
use serin_spec::lower;
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::experiment::{Experiment, ExperimentAnalysis};
use serin_spec::wire::{AnalysisRun, Rollout};

use super::rollout::{apply_all, templates};
use super::{Key, Next, failure};
use crate::error::Error;
use crate::references::{self, Named, controller_of};
use crate::resource::{ANALYSIS_RUN, EXPERIMENT, REPLICA_SET, ROLLOUT, Resource, SERVICE};
use crate::shared::Shared;
use crate::store::Name;

/// Makes one.
pub(super) async fn pass(shared: &Shared, name: &Name) -> Result<Next, Error> {
    let known = shared.store.borrow().get(EXPERIMENT, name);
    let Some(object) = known.filter(|object| !object.is_deleted()) else { return Ok(Next::At(None)) };
    if !shared.knows(shared.settings.always()) {
        return Ok(Next::At(None));
    }
    let experiment: Experiment = match serde_json::from_value(object.0.clone()) {
        Ok(experiment) => experiment,
        Err(problem) => {
            let why = Error::Process(format!("read it: {problem}"));
            failure::tell(shared, &Key::Experiment(name.clone()), &why, u32::MAX).await;
            return Ok(Next::At(None));
        }
    };
    let now = shared.now();
    let pools: Vec<ReplicaSet> =
        shared.store.borrow().owned(REPLICA_SET, object.uid()).into_iter().map(ReplicaSet).collect();
    let services = services(shared, &experiment, &object);
    let runs = runs(shared, &object, &experiment);
    let templates = {
        let store = shared.store.borrow();
        let mut named = Named::new();
        let spec = serde_json::to_value(&experiment.spec).unwrap_or(Value::Null);
        references::templates(&spec, &name.namespace, &mut named);
        let found: Vec<(Resource, Object)> =
            named.into_iter().filter_map(|(kind, name)| Some((kind, store.get(kind, &name)?))).collect();
        templates(shared, &store, &name.namespace, &found)
    };
    let find = |reference: &AnalysisTemplateRef| templates.find(reference);
    let problem = |analysis: &ExperimentAnalysis| {
        let reference = AnalysisTemplateRef {
            template_name: analysis.template_name.clone(),
            cluster_scope: analysis.cluster_scope,
        };
        compose(&[reference], &find).err().map(|error| error.to_string())
    };
    let carried = carried(shared, &object);
    let routed = |hash: &Hash| carried.iter().any(|(one, weight)| one == hash && *weight > 0);
    let cluster = Cluster {
        experiment: &experiment,
        replica_sets: &pools,
        services: &services,
        runs: &runs,
        problem: &problem,
        routed: &routed,
    };
    let world = experiment::observe(&cluster);
    let decision = decide(&world, now);
    let status = lower::experiment_status(&experiment.status.clone().unwrap_or_default());
    let run_spec = |analysis: &str| {
        let found = experiment.spec.analyses.iter().find(|one| one.name == analysis);
        let found = found.ok_or_else(|| format!("there is no analysis {analysis}"))?;
        experiment_run_spec(&experiment, found, &status, &find).map_err(|error| error.to_string())
    };
    let writes = experiment::render(&cluster, &decision, &run_spec, now);
    let pools = pools.iter().map(|pool| &pool.0);
    let mut versions = Shared::versions([&object].into_iter().chain(pools).chain(&services));
    let applied = apply_all(shared, writes, &mut versions).await;
    match (applied.stopped, applied.skipped) {
        (Some((_, error)), _) | (None, Some(error)) => Err(error),
        (None, None) if applied.written > 0 => Ok(Next::Again),
        (None, None) => Ok(Next::At(decision.wake_at)),
    }
}

/// Its own services, and those of others that have a name it wants.
fn services(shared: &Shared, experiment: &Experiment, object: &Object) -> Vec<Object> {
    let store = shared.store.borrow();
    let mut found = store.owned(SERVICE, object.uid());
    for template in &experiment.spec.templates {
        let named = template.service.as_ref().and_then(|service| service.name.clone());
        let pool = serin_core::experiment::pool_name(object.name(), &template.name);
        for name in named.into_iter().chain([pool]) {
            let known = found.iter().any(|one| one.name() == name);
            found.extend((!known).then(|| store.get(SERVICE, &Name::new(object.namespace(), name))).flatten());
        }
    }
    found
}

/// Its own runs, and those of others that have the name of one that it wants.
fn runs(shared: &Shared, object: &Object, experiment: &Experiment) -> Vec<AnalysisRun> {
    let store = shared.store.borrow();
    let mut found = store.owned(ANALYSIS_RUN, object.uid());
    for analysis in &experiment.spec.analyses {
        let name = format!("{}-{}", object.name(), analysis.name);
        let others = store.names(ANALYSIS_RUN).filter(|one| one.namespace == object.namespace());
        let others: Vec<Name> = others.filter(|one| one.name.starts_with(&name)).cloned().collect();
        for other in others {
            let known = found.iter().any(|one| one.name() == other.name);
            found.extend((!known).then(|| store.get(ANALYSIS_RUN, &other)).flatten());
        }
    }
    found.into_iter().filter_map(|run| serde_json::from_value(run.0).ok()).collect()
}

/// What the router of the rollout that made it gives to the versions of experiments.
fn carried(shared: &Shared, experiment: &Object) -> Vec<(Hash, u32)> {
    let Some(owner) = controller_of(experiment, "Rollout") else { return Vec::new() };
    let owner = shared.store.borrow().get(ROLLOUT, &owner);
    let rollout: Option<Rollout> = owner.and_then(|object| serde_json::from_value(object.0).ok());
    let Some(rollout) = rollout else { return Vec::new() };
    let version = rollout.status.as_ref().and_then(|status| status.current_pod_hash.clone()).unwrap_or_default();
    let router = crate::router::Router::of(&rollout);
    let split = router.observe(shared, &rollout, &Hash::new(version), &router.read(shared)).split;
    split.into_iter().flat_map(|split| split.experiment).map(|one| (one.hash, one.weight)).collect()
}

/// The experiment that an object belongs to by its annotation.
pub(crate) fn of(object: &Object) -> Option<Name> {
    let named = object.annotation(EXPERIMENT_ANNOTATION).map(|name| Name::new(object.namespace(), name));
    controller_of(object, "Experiment").or(named)
}
