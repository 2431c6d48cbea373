//! An experiment on a cluster: its objects to a snapshot, a decision about it to writes.

use serde_json::{Value, json};
use serin_core::Time;
use serin_core::analysis::RunPhase;
use serin_core::experiment::{
    ExperimentAction, ExperimentDecision, ExperimentRun, ExperimentWorld, TemplatePool, TemplateService, pool_name,
};
use serin_core::{Hash, decision::Event};
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisRunStatus};
use serin_spec::wire::experiment::{Experiment, ExperimentAnalysis, ExperimentTemplate};
use serin_spec::wire::keys::{HASH_LABEL, SCALE_DOWN_DEADLINE};
use serin_spec::{lower, raise, timestamp};

use crate::merge_patch;
use crate::object::{Object, at};
use crate::pod;
use crate::render::event;
use crate::replica_set::ReplicaSet;
use crate::write::{Failure, Target, Verb, Write};

/// Annotation of a ReplicaSet with the experiment that it belongs to.
//= compat: 5.2-1
pub const EXPERIMENT: &str = "experiment.argoproj.io/name";

/// Annotation of a ReplicaSet with the template that it runs.
//= compat: 5.2-1
pub const TEMPLATE: &str = "experiment.argoproj.io/template-name";

/// The objects that a decision is made from, read once.
#[derive(Clone, Copy)]
pub struct Cluster<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// ReplicaSets of its namespace.
    pub replica_sets: &'a [ReplicaSet],
    /// Services of its namespace.
    pub services: &'a [Object],
    /// Analysis runs of its namespace.
    pub runs: &'a [AnalysisRun],
    /// Why an analysis cannot be begun, if so.
    pub problem: &'a dyn Fn(&ExperimentAnalysis) -> Option<String>,
    /// Whether a router was last seen to give the pods of this hash a share of a rollout's requests.
    pub routed: &'a dyn Fn(&Hash) -> bool,
}

impl Cluster<'_> {
    fn uid(&self) -> &str {
        self.experiment.metadata.uid.as_deref().unwrap_or_default()
    }

    fn replica_set(&self, template: &str) -> Option<&ReplicaSet> {
        self.owned().find(|one| one.0.annotation(TEMPLATE) == Some(template))
    }

    fn owned(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.replica_sets.iter().filter(|one| one.0.is_controlled_by(self.uid()))
    }

    fn template(&self, name: &str) -> Option<&ExperimentTemplate> {
        self.experiment.spec.templates.iter().find(|t| t.name == name)
    }
}

/// Reads the snapshot.
//= compat: 5.2-1, 5.2-2, 5.2-3
pub fn observe(cluster: &Cluster<'_>) -> ExperimentWorld {
    let status = lower::experiment_status(&cluster.experiment.status.clone().unwrap_or_default());
    let experiment = lower::experiment(cluster.experiment, &status, cluster.problem);
    let pool = |one: &ReplicaSet| {
        let (template, pool) = (one.0.annotation(TEMPLATE)?, one.pool()?);
        Some(TemplatePool {
            size: pool.size,
            members: pool.members,
            ready: pool.ready,
            available: pool.available,
            scale_down_at: pool.scale_down_at,
            routed: (cluster.routed)(&pool.hash),
            ..TemplatePool::new(template, pool.hash)
        })
    };
    let service = |one: &Object| {
        let template = one.is_controlled_by(cluster.uid()).then(|| one.annotation(TEMPLATE))?;
        Some(template?.to_owned())
    };
    let wanted = |one: &&Object| {
        let asked = experiment.templates.iter().any(|t| t.service.as_deref() == Some(one.name()));
        asked || one.is_controlled_by(cluster.uid())
    };
    let run = |one: &AnalysisRun| {
        let owned = one.metadata.owner_references.iter().any(|o| o["controller"] == true && o["uid"] == cluster.uid());
        let name = one.metadata.name();
        let known = status.analyses.iter().find(|a| a.run == name).map(|a| a.name.clone());
        let own = status_of(one);
        ExperimentRun {
            name: name.to_owned(),
            analysis: known.filter(|_| owned),
            phase: own.phase.as_deref().and_then(RunPhase::parse).unwrap_or_default(),
            message: own.message.unwrap_or_default(),
            terminating: one.spec.terminate,
        }
    };
    ExperimentWorld {
        pools: cluster.owned().filter_map(pool).collect(),
        services: cluster
            .services
            .iter()
            .filter(wanted)
            .map(|one| TemplateService { name: one.name().to_owned(), template: service(one) })
            .collect(),
        runs: cluster.runs.iter().map(run).collect(),
        experiment,
        status,
    }
}

fn status_of(run: &AnalysisRun) -> AnalysisRunStatus {
    run.status.clone().unwrap_or_default()
}

/// The writes of a decision: the status first, which remembers what was decided, events last. `run_spec` tells what an analysis
/// measures, its arguments filled in, or why that cannot be said.
//= compat: 1.1-3, 5.3-11
pub fn render(
    cluster: &Cluster<'_>,
    decision: &ExperimentDecision,
    run_spec: &dyn Fn(&str) -> Result<AnalysisRunSpec, String>,
    now: Time,
) -> Vec<Write> {
    let experiment = cluster.experiment;
    let mut writes: Vec<Write> = status(experiment, decision).into_iter().collect();
    for action in &decision.actions {
        writes.extend(match action {
            ExperimentAction::CreatePool { template, hash } => {
                cluster.template(template).map(|t| create_pool(experiment, t, hash))
            }
            ExperimentAction::ScalePool { template, size } => cluster.replica_set(template).map(|one| {
                edit(one, |wanted| {
                    *at(wanted, &["spec", "replicas"]) = (*size).into();
                    if *size == 0 {
                        *at(wanted, &["metadata", "annotations", SCALE_DOWN_DEADLINE]) = Value::Null;
                    }
                })
            }),
            ExperimentAction::SetScaleDownAt { template, at: when } => cluster.replica_set(template).map(|one| {
                let when = when.map_or(Value::Null, |when| Value::from(timestamp::format(when)));
                edit(one, |wanted| *at(wanted, &["metadata", "annotations", SCALE_DOWN_DEADLINE]) = when)
            }),
            ExperimentAction::CreateService { template, name } => {
                let pool = cluster.replica_set(template);
                cluster.template(template).zip(pool).map(|(t, pool)| create_service(experiment, t, pool, name))
            }
            ExperimentAction::DeleteService { name } => Some(delete(experiment, "v1", "Service", name)),
            ExperimentAction::StartRun { name, analysis } => {
                Some(create_run(experiment, name, run_spec(analysis), now))
            }
            ExperimentAction::StopRun { name } => {
                let target = Target::new("argoproj.io/v1alpha1", "AnalysisRun", experiment.metadata.namespace(), name);
                let patch = json!({ "spec": { "terminate": true } });
                Some(Write::new(target, Verb::MergePatch(patch)).or(Failure::Gone))
            }
        });
    }
    let told = |event: &Event| event::of("Experiment", &experiment.metadata, event, now);
    writes.extend(decision.events.iter().map(told));
    writes
}

/// The status of an experiment is part of the object itself: there is no subresource.
//= compat: 1.1-3
fn status(experiment: &Experiment, decision: &ExperimentDecision) -> Option<Write> {
    let json = |status| serde_json::to_value(status).unwrap_or(Value::Null);
    let before = json(experiment.status.clone().unwrap_or_default());
    let patch = merge_patch::difference(&before, &json(raise::experiment_status(&decision.status)))?;
    let metadata = &experiment.metadata;
    let target = Target::new("argoproj.io/v1alpha1", "Experiment", metadata.namespace(), metadata.name());
    Some(Write::new(target, Verb::MergePatch(json!({ "status": patch }))))
}

/// A whole ReplicaSet with its version: whoever wrote it since is not overwritten, and the pass is made again.
//= compat: 5.2-7
fn edit(pool: &ReplicaSet, edit: impl FnOnce(&mut Value)) -> Write {
    let mut wanted = pool.0.0.clone();
    edit(&mut wanted);
    if let Some(annotations) = wanted["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|_, value| !value.is_null());
    }
    Write::new(Target::of(&pool.0), Verb::Update(wanted))
}

//= compat: 5.2-1
fn create_pool(experiment: &Experiment, template: &ExperimentTemplate, hash: &Hash) -> Write {
    let labelled = pod::with_hash(&template.template, hash.as_str());
    let mut selector = serde_json::to_value(&template.selector).unwrap_or(Value::Null);
    *at(&mut selector, &["matchLabels", HASH_LABEL]) = hash.as_str().into();
    let metadata = &experiment.metadata;
    Write::create(json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": pool_name(metadata.name(), &template.name),
            "namespace": metadata.namespace(),
            "labels": labelled.labels(),
            "annotations": { EXPERIMENT: metadata.name(), TEMPLATE: template.name.as_str() },
            "ownerReferences": raise::experiment_owner(experiment),
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": template.min_ready_seconds.unwrap_or(0),
            "selector": selector,
            "template": labelled.0,
        },
    }))
    .or(Failure::Skip)
}

/// The service selects what the pool is labelled with, and has every port of every container.
//= compat: 5.2-3
fn create_service(experiment: &Experiment, template: &ExperimentTemplate, pool: &ReplicaSet, name: &str) -> Write {
    let containers = template.template.0["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let ports = containers.iter().flat_map(|c| c["ports"].as_array().cloned().unwrap_or_default());
    let port = |port: Value| {
        let number = &port["containerPort"];
        let mut made = json!({
            "port": number,
            "targetPort": number,
            "protocol": port["protocol"].as_str().unwrap_or("TCP"),
        });
        if let Some(name) = port["name"].as_str() {
            made["name"] = name.into();
        }
        made
    };
    let metadata = &experiment.metadata;
    Write::create(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": metadata.namespace(),
            "annotations": { EXPERIMENT: metadata.name(), TEMPLATE: template.name.as_str() },
            "ownerReferences": raise::experiment_owner(experiment),
        },
        "spec": { "selector": pool.0.labels(), "ports": ports.map(port).collect::<Vec<_>>() },
    }))
    .or(Failure::Skip)
}

/// A run whose metrics cannot be put together is made all the same, as an error that says why.
//= compat: 5.3-9, 5.3-10
fn create_run(experiment: &Experiment, name: &str, spec: Result<AnalysisRunSpec, String>, now: Time) -> Write {
    let (spec, problem) = match spec {
        Ok(spec) => (spec, None),
        Err(problem) => (AnalysisRunSpec::default(), Some(problem)),
    };
    let mut run = raise::experiment_run(experiment, name, spec);
    run.metadata.namespace = Some(experiment.metadata.namespace().to_owned());
    run.status = problem.map(|problem| AnalysisRunStatus {
        phase: Some("Error".to_owned()),
        message: Some(problem),
        completed_at: Some(timestamp::format(now)),
        ..AnalysisRunStatus::default()
    });
    Write::create(serde_json::to_value(&run).unwrap_or(Value::Null)).or(Failure::Skip)
}

fn delete(experiment: &Experiment, api_version: &str, kind: &str, name: &str) -> Write {
    let target = Target::new(api_version, kind, experiment.metadata.namespace(), name);
    Write::new(target, Verb::Delete { foreground: false }).or(Failure::Gone)
}
