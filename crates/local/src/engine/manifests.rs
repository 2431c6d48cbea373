//! Applying manifests: checked whole, merged with what commands changed since, durable before anything happens.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serin_core::{Hash, Status, Time};
use serin_promql::Query;
use serin_spec::catalog::Catalog;
use serin_spec::wire;
use serin_spec::wire::meta::ObjectMeta;
use serin_spec::workload::Holder;
use serin_spec::{Problem, Severity, Source, validate};

use super::Engine;
use crate::experiment::{ExperimentRecord, ExperimentState};
use crate::model::{Key, Objects, RunState, Workload};
use crate::protocol::Outcome;
use crate::record::{RunRecord, WorkloadRecord};
use crate::store::{Batch, EventRecord, Shelf};
use crate::{LocalError, merge, request, validity};

/// Checks manifests as one machine reads them: everything that `serin lint` checks, and what one machine cannot carry out.
pub fn check(sources: &[Source]) -> (Catalog, Vec<Problem>) {
    let (catalog, mut problems) = check_for_cluster(sources);
    problems.extend(serin_spec::validate::local(&catalog));
    problems.iter_mut().for_each(allow_here);
    (catalog, problems)
}

/// What Argo refuses with nginx and the router of one machine carries whatever the manifest names: only worth a word there.
fn allow_here(problem: &mut Problem) {
    let (code, what) = match problem.message.as_str() {
        validate::HEADER_ROUTE_UNSUPPORTED => ("header-route", "header routes work"),
        validate::MIRROR_ROUTE_UNSUPPORTED => ("mirror-route", "mirror routes work"),
        validate::PING_PONG_UNSUPPORTED => ("ping-pong", "services that swap work"),
        validate::EXPERIMENT_WEIGHT_UNSUPPORTED => ("experiment-weight", "weights of experiments work"),
        _ => return,
    };
    problem.severity = Severity::Warning;
    problem.code = code;
    problem.message = format!("{what} on one machine; Argo Rollouts refuses them with nginx");
    problem.hint = None;
}

/// Checks manifests for whoever will run them: syntax, schema, rules, queries, and whether the objects fit each other.
pub fn check_for_cluster(sources: &[Source]) -> (Catalog, Vec<Problem>) {
    let query = |text: &str| {
        Query::parse(text).map(|_| ()).map_err(|e| {
            let message = match &e.hint {
                Some(hint) => format!("{} ({hint})", e.message),
                None => e.message.clone(),
            };
            (message, e.start, e.end)
        })
    };
    let checked = serin_spec::check_with(sources, &query);
    (checked.catalog, checked.problems)
}

/// What manifests say that is allowed and can hardly be meant; [`serin_spec::lint::Policy`] decides what becomes of it.
pub fn lint(catalog: &Catalog) -> Vec<Problem> {
    let mut findings = serin_spec::lint::check(catalog);
    findings.extend(serin_providers::lint::check(catalog));
    findings
}

impl Engine {
    pub(super) fn load_objects(&mut self) -> Result<(), LocalError> {
        for (key, object) in self.store.read::<Value>(Shelf::Objects)? {
            let kind = key.split('/').next().unwrap_or_default();
            put_object(&mut self.objects, kind, object).map_err(LocalError::Bug)?;
        }
        Ok(())
    }

    /// Applies manifests that were checked before; they are checked again, since the asker may be of another version.
    ///
    /// # Errors
    /// What is wrong with them, or that it cannot be made durable; then nothing is changed.
    pub fn apply(&mut self, sources: &[(String, String)]) -> Result<Vec<Outcome>, LocalError> {
        let mut sources: Vec<Source> = sources.iter().map(|(n, t)| Source::new(n.as_str(), t.as_str())).collect();
        let own = sources.len();
        // What was applied before may be named by what comes now.
        let (defined, _) = check_for_cluster(&sources);
        sources.extend(self.known_sources(&defined));
        let (catalog, problems) = check(&sources);
        let new: Vec<&Source> = sources[..own].iter().collect();
        let errors: Vec<String> = problems
            .iter()
            .filter(|p| p.is_error() && new.iter().any(|s| s.name == p.file))
            .map(Problem::to_string)
            .collect();
        if !errors.is_empty() {
            return Err(LocalError::refused(errors.join("\n")));
        }
        self.check_plugins(&catalog)?;
        let mine = |file: &str| new.iter().any(|s| s.name == file);
        self.apply_catalog(&catalog, &mine)
    }

    /// Every plugin that a step names must have its command: otherwise its update would stand still until somebody looks.
    fn check_plugins(&self, catalog: &Catalog) -> Result<(), LocalError> {
        let known = |name: &str| self.side.plugins.iter().any(|p| p.name == name);
        for rollout in catalog.rollouts.iter().map(|entry| &entry.object) {
            let steps = rollout.spec.strategy.canary.iter().flat_map(|canary| &canary.steps);
            let plugins = steps.enumerate().filter_map(|(i, step)| Some((i, step.plugin.as_ref()?)));
            if let Some((i, plugin)) = plugins.into_iter().find(|(_, plugin)| !known(&plugin.name)) {
                let (key, name) = (Key::of(&rollout.metadata), &plugin.name);
                return Err(LocalError::refused_with(
                    format!("{key}: no command stands for plugin \"{name}\" of steps[{i}]"),
                    format!("add it to plugins in {} and start `serin up` again", crate::side::FILE),
                ));
            }
        }
        Ok(())
    }

    /// Objects that are there already and that the catalog does not define anew, for the checks between objects.
    fn known_sources(&self, defined: &Catalog) -> Vec<Source> {
        let mut known = Vec::new();
        macro_rules! known {
            ($map:ident, $kind:ty) => {
                for object in self.objects.$map.values() {
                    let meta = &object.metadata;
                    if defined.find::<$kind>(meta.namespace(), meta.name()).is_none()
                        && let Ok(text) = serde_json::to_string(object)
                    {
                        known.push(Source::new(format!("<applied {}/{}>", meta.namespace(), meta.name()), text));
                    }
                }
            };
        }
        known!(templates, wire::AnalysisTemplate);
        known!(cluster_templates, wire::ClusterAnalysisTemplate);
        known!(services, wire::kubernetes::Service);
        known!(ingresses, wire::kubernetes::Ingress);
        known!(config_maps, wire::kubernetes::ConfigMap);
        known!(secrets, wire::kubernetes::Secret);
        let held = self.objects.holders.values();
        for holder in held.filter(|h| !defined.workloads.iter().any(|e| e.object.is_same_object(h))) {
            let name = format!("<applied {}/{}>", holder.namespace, holder.name);
            known.push(Source::new(name, holder.object.to_string()));
        }
        // Whose template changes with an object that is applied alone.
        let behind = self.workloads.values().filter(|w| w.object.spec.workload_ref.is_some());
        for workload in behind {
            let meta = &workload.object.metadata;
            if defined.find::<wire::Rollout>(meta.namespace(), meta.name()).is_none()
                && let Ok(text) = serde_json::to_string(&workload.object)
            {
                known.push(Source::new(format!("<applied {}/{}>", meta.namespace(), meta.name()), text));
            }
        }
        known
    }

    fn apply_catalog(&mut self, catalog: &Catalog, mine: &dyn Fn(&str) -> bool) -> Result<Vec<Outcome>, LocalError> {
        let mut batch = Batch::default();
        let mut outcomes = Vec::new();
        let mut objects = self.objects.clone();
        macro_rules! plain {
            ($list:ident, $kind:literal) => {
                for entry in catalog.$list.iter().filter(|e| mine(&e.place.file)) {
                    let object = serde_json::to_value(&entry.object).map_err(|e| LocalError::Bug(e.to_string()))?;
                    let key = Key::of(&entry.object.metadata);
                    let changed = put_object(&mut objects, $kind, object.clone()).map_err(LocalError::Bug)?;
                    if changed {
                        batch.put(Shelf::Objects, format!("{}/{key}", $kind), &object)?;
                    }
                    outcomes.push(outcome($kind, &key, changed, "configured"));
                }
            };
        }
        plain!(analysis_templates, "AnalysisTemplate");
        plain!(cluster_analysis_templates, "ClusterAnalysisTemplate");
        plain!(services, "Service");
        plain!(ingresses, "Ingress");
        plain!(config_maps, "ConfigMap");
        plain!(secrets, "Secret");
        for entry in catalog.workloads.iter().filter(|e| mine(&e.place.file)) {
            let holder = &entry.object;
            let (kind, key) = (holder.kind.as_str(), Key::new(&*holder.namespace, &*holder.name));
            let changed = put_object(&mut objects, kind, holder.object.clone()).map_err(LocalError::Bug)?;
            if changed {
                batch.put(Shelf::Objects, format!("{kind}/{key}"), &holder.object)?;
            }
            outcomes.push(outcome(kind, &key, changed, "configured"));
        }
        let mut workloads = Vec::new();
        let mut events = Vec::new();
        for entry in catalog.rollouts.iter().filter(|e| mine(&e.place.file)) {
            let key = Key::of(&entry.object.metadata);
            let (mut workload, mut changed) = applied(self.workloads.get(&key), &entry.object)?;
            changed |= validity::look(&mut workload, &objects);
            if changed {
                batch.put(Shelf::Workloads, key.to_string(), &WorkloadRecord::from(&workload))?;
                let verb = if self.workloads.contains_key(&key) { "changed" } else { "created" };
                events.push(EventRecord {
                    at_ms: self.now().as_millis(),
                    object: key.to_string(),
                    reason: "Applied".to_owned(),
                    message: format!("{key} {verb} from {}", entry.place.file),
                    warning: false,
                });
                workloads.push((key.clone(), workload));
            }
            outcomes.push(outcome("Rollout", &key, changed, "configured"));
        }
        // Rollouts that are not in these files may take their template from an object that is.
        for (key, present) in &self.workloads {
            let mut workload = present.clone();
            if !workloads.iter().any(|(known, _)| known == key) && validity::look(&mut workload, &objects) {
                batch.put(Shelf::Workloads, key.to_string(), &WorkloadRecord::from(&workload))?;
                workloads.push((key.clone(), workload));
            }
        }
        let mut runs = Vec::new();
        for entry in catalog.analysis_runs.iter().filter(|e| mine(&e.place.file)) {
            let key = Key::of(&entry.object.metadata);
            // A run is made once; its name says that it is this one.
            let changed = !self.runs.contains_key(&key);
            if changed {
                let run = self.own_run(&entry.object.spec);
                batch.put(Shelf::Runs, key.to_string(), &RunRecord::from(&run))?;
                runs.push((key.clone(), run));
            }
            outcomes.push(outcome("AnalysisRun", &key, changed, "created"));
        }
        let mut experiments = Vec::new();
        for entry in catalog.experiments.iter().filter(|e| mine(&e.place.file)) {
            let key = Key::of(&entry.object.metadata);
            let (state, changed) = self.applied_experiment(&key, &entry.object)?;
            if changed {
                batch.put(Shelf::Experiments, key.to_string(), &ExperimentRecord::from(&state))?;
                experiments.push((key.clone(), state));
            }
            outcomes.push(outcome("Experiment", &key, changed, "configured"));
        }
        events.iter().cloned().for_each(|e| batch.event(e));
        self.commit_or_refuse(batch, &events)?;
        self.objects = objects;
        self.runs.extend(runs);
        self.experiments.extend(experiments);
        self.dirty_experiments.extend(self.experiments.keys().cloned());
        self.workloads.extend(workloads);
        // A changed template, service or ingress may concern any of them.
        self.dirty.extend(self.workloads.keys().cloned());
        self.routes_stale = true;
        self.staff_stale = true;
        Ok(outcomes)
    }

    /// The experiment that an applied one makes of the present one, and whether anything changed. Versions that have a pool
    /// keep the pods that it was made with.
    fn applied_experiment(
        &self,
        key: &Key,
        object: &wire::experiment::Experiment,
    ) -> Result<(ExperimentState, bool), LocalError> {
        let mut object = object.clone();
        object.status = None;
        let bug = |e: serde_json::Error| LocalError::Bug(e.to_string());
        let file = serde_json::to_value(&object).map_err(bug)?;
        let Some(present) = self.experiments.get(key) else {
            return Ok((ExperimentState::new(object, file, None, self.now()), true));
        };
        if let Some((owner, _)) = &present.owner {
            let message = format!("the experiment {key} belongs to the rollout {owner}");
            return Err(LocalError::refused_with(message, "give yours another name"));
        }
        if present.applied == file {
            return Ok((present.clone(), false));
        }
        let live = serde_json::to_value(&present.object).map_err(bug)?;
        let merged = serde_json::from_value(merge::merge(&present.applied, &live, &file)).map_err(bug)?;
        Ok((ExperimentState { object: merged, applied: file, ..present.clone() }, true))
    }

    fn own_run(&self, spec: &wire::analysis::AnalysisRunSpec) -> RunState {
        self.checked_run(None, None, Hash::new(""), spec.clone(), None, self.now())
    }
}

fn outcome(kind: &str, key: &Key, changed: bool, verb: &str) -> Outcome {
    let what = if changed { verb } else { "unchanged" };
    Outcome { rollout: key.to_string(), message: format!("{kind} {key} {what}"), changed }
}

/// The workload that an applied rollout makes of the present one, and whether anything changed.
fn applied(present: Option<&Workload>, object: &wire::rollout::Rollout) -> Result<(Workload, bool), LocalError> {
    let mut object = object.clone();
    object.status = None;
    let bug = |e: serde_json::Error| LocalError::Bug(e.to_string());
    let file = serde_json::to_value(&object).map_err(bug)?;
    let Some(present) = present else {
        object.metadata.generation = Some(1);
        let status = Status::default();
        let rollout = request::lowered(&object, &status);
        let workload = Workload {
            services: services(&object, &BTreeMap::new()),
            object,
            applied: file,
            held: None,
            taken: None,
            problem: None,
            rollout,
            status,
            pools: Vec::new(),
            split: None,
            reasons: Vec::new(),
            wake_at: Some(Time::default()),
        };
        return Ok((workload, true));
    };
    if file == present.applied {
        return Ok((present.clone(), false));
    }
    let mut workload = present.clone();
    let live = serde_json::to_value(&present.object).map_err(bug)?;
    let merged = merge::merge(&present.applied, &live, &file);
    let merged: wire::rollout::Rollout = serde_json::from_value(merged).map_err(bug)?;
    let spec_changed = merged.spec != present.object.spec;
    workload.applied = file;
    workload.services = services(&merged, &present.services);
    if spec_changed {
        request::change(&mut workload, |object| {
            let generation = object.metadata.generation;
            *object = merged;
            object.metadata.generation = generation;
        });
    } else {
        let generation = workload.object.metadata.generation;
        workload.object = merged;
        workload.object.metadata.generation = generation;
    }
    Ok((workload, true))
}

/// The services that the strategy names, each with the pool it selects so far.
fn services(
    object: &wire::rollout::Rollout,
    present: &BTreeMap<String, Option<Hash>>,
) -> BTreeMap<String, Option<Hash>> {
    let strategy = &object.spec.strategy;
    let canary = strategy.canary.iter().flat_map(|c| c.stable_service.iter().chain(&c.canary_service));
    let blue_green = strategy.blue_green.iter().flat_map(|b| b.active_service.iter().chain(&b.preview_service));
    let pair = strategy.canary.iter().flat_map(|c| &c.ping_pong).flat_map(|p| [&p.ping_service, &p.pong_service]);
    let named = canary.chain(blue_green).chain(pair).filter(|name| !name.is_empty());
    named.map(|name| (name.clone(), present.get(name).cloned().flatten())).collect()
}

fn put_object(objects: &mut Objects, kind: &str, value: Value) -> Result<bool, String> {
    match kind {
        "AnalysisTemplate" => {
            put(&mut objects.templates, value, |x: &wire::analysis::AnalysisTemplate| Key::of(&x.metadata))
        }
        "ClusterAnalysisTemplate" => {
            put(&mut objects.cluster_templates, value, |x: &wire::analysis::ClusterAnalysisTemplate| name(&x.metadata))
        }
        "Service" => put(&mut objects.services, value, |x: &wire::kubernetes::Service| Key::of(&x.metadata)),
        "Ingress" => put(&mut objects.ingresses, value, |x: &wire::kubernetes::Ingress| Key::of(&x.metadata)),
        "ConfigMap" => put(&mut objects.config_maps, value, |x: &wire::kubernetes::ConfigMap| Key::of(&x.metadata)),
        "Secret" => put(&mut objects.secrets, value, |x: &wire::kubernetes::Secret| Key::of(&x.metadata)),
        "Deployment" | "ReplicaSet" | "PodTemplate" => {
            let holder = Holder::of(value).ok_or_else(|| format!("a {kind} in the state is none"))?;
            let key = (holder.kind, Key::new(&*holder.namespace, &*holder.name));
            Ok(objects.holders.insert(key, holder.clone()).as_ref() != Some(&holder))
        }
        other => Err(format!("unknown kind {other} in the state")),
    }
}

fn name(metadata: &ObjectMeta) -> String {
    metadata.name().to_owned()
}

/// Puts an object into its map; returns whether it was another one or none.
fn put<K: Ord, T: DeserializeOwned + Serialize>(
    map: &mut BTreeMap<K, T>,
    value: Value,
    key: impl Fn(&T) -> K,
) -> Result<bool, String> {
    let object: T = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
    let key = key(&object);
    let same = map.get(&key).is_some_and(|old| serde_json::to_value(old).is_ok_and(|old| old == value));
    map.insert(key, object);
    Ok(!same)
}
