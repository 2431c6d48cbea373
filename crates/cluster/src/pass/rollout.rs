//! A pass over a rollout.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use serin_controller::observe::View;
use serin_controller::render::replica_set::{Taken, taken};
use serin_controller::render::{Sources, event, rollout as render_rollout};
use serin_controller::templates::Templates;
use serin_controller::write::Verb;
use serin_controller::{Cluster, Object, Observed, ReplicaSet, Write, decide_ahead, observe};
use serin_core::analysis::RunKind;
use serin_core::invalid::Problem;
use serin_core::{Time, invalid};
use serin_spec::arguments::{Analysis, Environment};
use serin_spec::recipe;
use serin_spec::wire::Rollout;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::keys::HASH_LABEL;

use super::failure::{self, without_condition};
use super::{Key, Next};
use crate::apply::{Applied, Versions, apply};
use crate::error::Error;
use crate::references;
use crate::resource::{
    ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, DEPLOYMENT, EXPERIMENT, POD, POD_TEMPLATE, REPLICA_SET,
    ROLLOUT, Resource, SERVICE,
};
use crate::shared::Shared;
use crate::store::Name;

/// Makes one.
pub(super) async fn pass(shared: &Shared, name: &Name) -> Result<Next, Error> {
    let known = shared.store.borrow().get(ROLLOUT, name);
    let Some(mut object) = known else {
        gone(shared, name);
        return Ok(Next::At(None));
    };
    without_condition(&mut object);
    let rollout: Rollout = match serde_json::from_value(object.0.clone()) {
        Ok(rollout) => rollout,
        Err(problem) => return malformed(shared, &object, &problem.to_string()).await,
    };
    let router = crate::router::Router::of(&rollout);
    refer(shared, name, &rollout, router.objects());
    let kinds: BTreeSet<Resource> = {
        let references = shared.references.borrow();
        let named = references.of(name).map(|(resource, _)| *resource);
        named.chain(router.kinds()).chain(shared.settings.always()).collect()
    };
    if !shared.knows(kinds) {
        // The loop makes it due when they are there.
        return Ok(Next::At(None));
    }
    let pods = pods(shared, name, &rollout).await?;
    let cluster = gather(shared, rollout, pods);
    let routed = router.read(shared);
    let now = shared.now();
    let mut versions = versions(&object, &cluster, &routed);
    match observe(&cluster) {
        Observed::Leaving => Ok(Next::At(None)),
        Observed::Written(writes) => finish(shared, writes, &mut versions).await.map(|_| Next::Again),
        Observed::Invalid(view, problem) => invalid_pass(shared, &view, &problem, &mut versions, now).await,
        Observed::Ready(mut view) => {
            let carried = router.observe(shared, &view.rollout, &view.world.rollout.hash, &routed);
            if let Some(problem) = carried.problem {
                return invalid_pass(shared, &view, &Problem::Spec(problem), &mut versions, now).await;
            }
            view.world.split = carried.split;
            if find_missing(shared, name, &view).await? {
                return Ok(Next::Again);
            }
            ready(shared, &cluster, &view, &router, &mut versions, now).await
        }
    }
}

/// Nothing refers to it any more; services that it managed are given back.
fn gone(shared: &Shared, name: &Name) {
    let dropped = shared.references.borrow_mut().set(name, references::Named::new());
    release(shared, dropped);
    shared.labelled.borrow_mut().remove(name);
    shared.lost_runs.borrow_mut().remove(name);
    shared.told.borrow_mut().remove(&Key::Rollout(name.clone()));
    shared.cleared.borrow_mut().remove(name);
}

fn refer(shared: &Shared, name: &Name, rollout: &Rollout, routed: Vec<(Resource, Name)>) {
    let mut named = references::of_rollout(rollout);
    named.extend(routed);
    let dropped = shared.references.borrow_mut().set(name, named);
    release(shared, dropped);
}

fn release(shared: &Shared, dropped: references::Named) {
    let services = dropped.into_iter().filter(|(resource, _)| *resource == SERVICE);
    services.for_each(|(_, name)| shared.add(Key::Service(name)));
}

/// An object that cannot be read says so and stands still.
async fn malformed(shared: &Shared, object: &Object, why: &str) -> Result<Next, Error> {
    let bare = |status: Value| {
        let metadata = object.0["metadata"].clone();
        json!({ "apiVersion": object.api_version(), "kind": object.kind(), "metadata": metadata, "spec": {}, "status": status })
    };
    let with = serde_json::from_value(bare(object.0["status"].clone()));
    let without = || serde_json::from_value(bare(json!({})));
    let Ok(rollout) = with.or_else(|_| without()) else { return Ok(Next::At(None)) };
    let cluster = Cluster { rollout, ..Cluster::default() };
    let now = shared.now();
    match observe(&cluster) {
        Observed::Invalid(view, _) | Observed::Ready(view) => {
            let mut versions = Shared::versions([object]);
            let problem = Problem::Spec(format!("it cannot be read: {why}"));
            invalid_pass(shared, &view, &problem, &mut versions, now).await
        }
        // Not even the number of replicas is there, and nothing is written into an object that cannot be read.
        Observed::Written(_) | Observed::Leaving => {
            failure::tell(
                shared,
                &Key::Rollout(Name::of(object)),
                &Error::Process(format!("read it: {why}")),
                u32::MAX,
            )
            .await;
            Ok(Next::At(Some(now + Problem::Spec(String::new()).retry())))
        }
    }
}

async fn invalid_pass(
    shared: &Shared,
    view: &View,
    problem: &Problem,
    versions: &mut Versions,
    now: Time,
) -> Result<Next, Error> {
    let decision = invalid(&view.world, problem, now);
    let rendered = serin_controller::render::invalid(view, &decision);
    let applied = finish(shared, rendered.writes, versions).await?;
    if applied.written == 0 {
        return Ok(Next::At(rendered.wake_at));
    }
    // The condition is new: Argo leaves it at that; an event is where people look first.
    let name = Name::new(view.rollout.metadata.namespace(), view.rollout.metadata.name());
    let object = shared.store.borrow().get(ROLLOUT, &name);
    if let Some(object) = object {
        let told = event::on(&object, "InvalidSpec", problem.message(), true, now);
        apply_all(shared, vec![told], versions).await;
    }
    Ok(Next::Again)
}

/// Runs that the status names and no watch has told of: asked for by name, once.
//= compat: 2.2-4
async fn find_missing(shared: &Shared, name: &Name, view: &View) -> Result<bool, Error> {
    let mut found = false;
    for run in &view.missing_runs {
        if shared.lost_runs.borrow().get(name).is_some_and(|lost| lost.contains(run)) {
            continue;
        }
        match shared.client.get(ANALYSIS_RUN, &name.namespace, run).await? {
            Some(object) => {
                shared.keep(ANALYSIS_RUN, object);
                found = true;
            }
            None => shared.lost_runs.borrow_mut().entry(name.clone()).or_default().push(run.clone()),
        }
    }
    Ok(found)
}

async fn ready(
    shared: &Shared,
    cluster: &Cluster,
    view: &View,
    router: &crate::router::Router,
    versions: &mut Versions,
    now: Time,
) -> Result<Next, Error> {
    let begun = std::time::Instant::now();
    let ahead = decide_ahead(view, now);
    let decision = &ahead.decision;
    shared.tally.decided(begun.elapsed());
    let run_spec = |kind: RunKind| run_spec(cluster, view, kind);
    let sources = Sources { pods: &cluster.pods, run_spec: &run_spec, now };
    let rendered = ahead.render(view, &sources);
    let mut writes = rendered.writes;
    let after = writes.split_off(rendered.before_split);
    let mut applied = apply_all(shared, writes, versions).await;
    if let (Some(split), None) = (&rendered.split, &applied.stopped) {
        let told = event::tells_weight(&decision.events);
        applied.written += router.apply(shared, view, split, told, versions).await?;
    }
    if applied.stopped.is_none() {
        applied = applied.then(apply_all(shared, after, versions).await);
    }
    if let Some((write, error)) = applied.stopped {
        return stopped(shared, view, &write, error, versions, now).await;
    }
    let written = applied.written;
    shared.tally.events(&cluster.rollout, &ahead.events(), now);
    if let Some(evidence) = &shared.evidence {
        evidence.decided(shared, cluster, view, &ahead, &run_spec, now);
    }
    note_pods(shared, &cluster.rollout, written);
    if let Some(error) = applied.skipped {
        return Err(error);
    }
    tell_decision(&cluster.rollout, decision, written);
    Ok(match written {
        0 => Next::At(rendered.wake_at),
        _ => Next::Again,
    })
}

/// One line for each decision that changed something.
fn tell_decision(rollout: &Rollout, decision: &serin_core::Decision, written: usize) {
    let (namespace, name) = (rollout.metadata.namespace(), rollout.metadata.name());
    if written == 0 {
        tracing::debug!(namespace, rollout = name, wake_at = ?decision.wake_at, "nothing to do");
        return;
    }
    let texts = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join("; ");
    let actions = texts(&mut decision.actions.iter().map(ToString::to_string));
    let reasons = texts(&mut decision.reasons.iter().map(ToString::to_string));
    tracing::info!(namespace, rollout = name, actions, reasons, written, "decided");
}

/// A write stopped the pass. A ReplicaSet that could not be made is told of in the status.
//= compat: 2.3-8, 2.3-9
async fn stopped(
    shared: &Shared,
    view: &View,
    write: &Write,
    error: Error,
    versions: &mut Versions,
    now: Time,
) -> Result<Next, Error> {
    if write.target.kind != REPLICA_SET.kind || !matches!(write.verb, Verb::Create(_)) {
        return Err(error);
    }
    let (namespace, name) = (&write.target.namespace, &write.target.name);
    if error.is_taken() {
        let existing = shared.client.get(REPLICA_SET, namespace, name).await?;
        let Some(existing) = existing else { return Ok(Next::Again) };
        let counted = match taken(view, &ReplicaSet(existing.clone())) {
            // An answer that was lost: it is there.
            Taken::Ours => {
                shared.keep(REPLICA_SET, existing);
                None
            }
            Taken::Collision => render_rollout::name_taken(view),
        };
        // The status may have been written before the ReplicaSet was tried: it is read anew in the next pass if so.
        finish(shared, counted.into_iter().collect(), versions).await?;
        return Ok(Next::Again);
    }
    let key = Key::Rollout(Name::new(namespace.clone(), view.rollout.metadata.name()));
    // Told with every failed pass alike, and only once.
    let known = shared.told.borrow().get(&key).is_some_and(|told| *told == failure::advice(&error));
    if !known {
        let why = failure_text(&error);
        finish(shared, render_rollout::create_failed(view, name, &why, now), versions).await?;
    }
    Err(error)
}

fn failure_text(error: &Error) -> String {
    match error {
        Error::Api { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Sends writes; one that stops is an error.
pub(crate) async fn finish(shared: &Shared, writes: Vec<Write>, versions: &mut Versions) -> Result<Applied, Error> {
    let mut applied = apply_all(shared, writes, versions).await;
    match applied.stopped.take() {
        Some((_, error)) => Err(error),
        None => Ok(applied),
    }
}

pub(crate) async fn apply_all(shared: &Shared, mut writes: Vec<Write>, versions: &mut Versions) -> Applied {
    let now = shared.now();
    writes.retain(|write| shared.recorder.borrow_mut().is_news(write, now));
    let keep = &mut |resource, object| shared.keep(resource, object);
    apply(&shared.client, writes, versions, &shared.fault, keep).await
}

fn versions(rollout: &Object, cluster: &Cluster, routed: &[Object]) -> Versions {
    let pools = cluster.replica_sets.iter().map(|one| &one.0);
    let all = [rollout].into_iter().chain(pools).chain(&cluster.services).chain(&cluster.workload).chain(routed);
    Shared::versions(all)
}

fn gather(shared: &Shared, rollout: Rollout, pods: Vec<Object>) -> Cluster {
    let store = shared.store.borrow();
    let namespace = rollout.metadata.namespace().to_owned();
    let uid = rollout.metadata.uid.clone().unwrap_or_default();
    let own = store.owned(REPLICA_SET, &uid).into_iter().chain(store.orphans(REPLICA_SET, &namespace));
    let references = shared.references.borrow();
    let name = Name::new(namespace.clone(), rollout.metadata.name());
    let looked_at: Vec<(Resource, Object)> =
        references.of(&name).filter_map(|(kind, name)| Some((*kind, store.get(*kind, name)?))).collect();
    let of = |kind: Resource| looked_at.iter().filter(move |(one, _)| *one == kind).map(|(_, object)| object.clone());
    let workload = [DEPLOYMENT, POD_TEMPLATE]
        .into_iter()
        .find_map(|kind| of(kind).next())
        .or_else(|| rollout.spec.workload_ref.as_ref().and_then(|_| of(REPLICA_SET).next()));
    Cluster {
        workload,
        replica_sets: own.map(ReplicaSet).collect(),
        services: of(SERVICE).collect(),
        templates: templates(shared, &store, &namespace, &looked_at),
        runs: typed(store.owned(ANALYSIS_RUN, &uid)),
        experiments: typed(store.owned(EXPERIMENT, &uid)),
        pods,
        split: None,
        rollout,
    }
}

fn typed<T: serde::de::DeserializeOwned>(objects: Vec<Object>) -> Vec<T> {
    objects.into_iter().filter_map(|object| serde_json::from_value(object.0).ok()).collect()
}

/// The templates that are looked at, with those that they name themselves.
pub(super) fn templates(
    shared: &Shared,
    store: &crate::store::Store,
    namespace: &str,
    looked_at: &[(Resource, Object)],
) -> Templates {
    let is_template = |kind: &Resource| matches!(*kind, ANALYSIS_TEMPLATE | CLUSTER_ANALYSIS_TEMPLATE);
    let mut found: Vec<(Resource, Object)> = looked_at.iter().filter(|(kind, _)| is_template(kind)).cloned().collect();
    let mut i = 0;
    while i < found.len() {
        let mut inner = references::Named::new();
        references::templates(&found[i].1.0["spec"], namespace, &mut inner);
        for (kind, name) in inner {
            let known = found.iter().any(|(k, o)| *k == kind && o.name() == name.name);
            if let Some(object) = (!known).then(|| store.get(kind, &name)).flatten() {
                found.push((kind, object));
            }
        }
        i += 1;
    }
    let of = |kind: Resource| found.iter().filter(move |(one, _)| *one == kind).map(|(_, object)| object.clone());
    Templates {
        namespaced: typed(of(ANALYSIS_TEMPLATE).collect()),
        cluster: shared.settings.namespace.is_none().then(|| typed(of(CLUSTER_ANALYSIS_TEMPLATE).collect())),
    }
}

fn run_spec(cluster: &Cluster, view: &View, kind: RunKind) -> Result<AnalysisRunSpec, String> {
    let Some(analysis) = Analysis::of(&view.rollout, kind) else { return Ok(AnalysisRunSpec::default()) };
    let rollout = serde_json::to_value(&view.rollout).unwrap_or(Value::Null);
    let environment =
        Environment { rollout: &rollout, latest: &view.world.rollout.hash, stable: view.world.status.stable.as_ref() };
    let find = |reference: &AnalysisTemplateRef| cluster.templates.find(reference);
    let mut spec = analysis.run_spec(&find, &environment).map_err(|error| error.to_string())?;
    let others = |kind: RunKind| Analysis::of(&view.rollout, kind)?.run_spec(&find, &environment).ok();
    recipe::resolve_run(&mut spec, kind, view.world.rollout.steps(), &others);
    Ok(spec)
}

/// The pods of a rollout, asked for only when a restart or labels for a role need them.
//= compat: 1.4-2, 1.9-3
async fn pods(shared: &Shared, name: &Name, rollout: &Rollout) -> Result<Vec<Object>, Error> {
    let status = rollout.status.as_ref();
    let restarted = status.and_then(|status| status.restarted_at.clone());
    let restarts = rollout.spec.restart_at.is_some() && rollout.spec.restart_at != restarted;
    let labels =
        has_role_metadata(rollout) && shared.labelled.borrow().get(name) != Some(&fingerprint(shared, rollout));
    if !restarts && !labels {
        return Ok(Vec::new());
    }
    let uid = rollout.metadata.uid.clone().unwrap_or_default();
    let pools = shared.store.borrow().owned(REPLICA_SET, &uid);
    let hashes: Vec<&str> = pools.iter().filter_map(|pool| pool.label(HASH_LABEL)).collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let selector = format!("{HASH_LABEL} in ({})", hashes.join(","));
    shared.client.list(POD, Some(&name.namespace), &selector).await
}

fn has_role_metadata(rollout: &Rollout) -> bool {
    let strategy = &rollout.spec.strategy;
    let canary = strategy.canary.as_ref().is_some_and(|c| c.canary_metadata.is_some() || c.stable_metadata.is_some());
    let both = strategy.blue_green.as_ref();
    canary || both.is_some_and(|b| b.preview_metadata.is_some() || b.active_metadata.is_some())
}

/// What the labels of pods depend on.
fn fingerprint(shared: &Shared, rollout: &Rollout) -> String {
    let uid = rollout.metadata.uid.clone().unwrap_or_default();
    let pools = shared.store.borrow().owned(REPLICA_SET, &uid);
    let pools = pools.iter().map(|pool| (pool.uid().to_owned(), pool.0["status"]["replicas"].to_string()));
    let stable = rollout.status.as_ref().and_then(|status| status.stable_rs.clone());
    let strategy = serde_json::to_string(&rollout.spec.strategy).unwrap_or_default();
    format!("{:?} {stable:?} {strategy}", pools.collect::<Vec<_>>())
}

fn note_pods(shared: &Shared, rollout: &Rollout, written: usize) {
    if !has_role_metadata(rollout) || written > 0 {
        return;
    }
    let name = Name::new(rollout.metadata.namespace(), rollout.metadata.name());
    let print = fingerprint(shared, rollout);
    shared.labelled.borrow_mut().insert(name, print);
}
