//! The experiment of a step, the run of an experiment, and an experiment's status.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_core::Hash;
use serin_core::experiment as core;

use super::run::owner_of;
use super::status::condition;
use super::text;
use crate::arguments::{ArgumentError, Environment, resolve};
use crate::timestamp;
use crate::wire::analysis::{AnalysisRun, AnalysisRunSpec};
use crate::wire::experiment as wire;
use crate::wire::keys::{HASH_LABEL, REVISION};
use crate::wire::meta::{LabelSelector, ObjectMeta};
use crate::wire::{PodTemplate, Rollout};

/// The pods that the versions of an experiment are copied from.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'a> {
    /// `specRef: canary`.
    pub canary: &'a PodTemplate,
    /// `specRef: stable`.
    pub stable: &'a PodTemplate,
}

/// The object of the experiment that a decision asked for, in the rollout's namespace and owned by it. `None` if the step
/// at `index` is none (it was one when this was decided).
///
/// # Errors
/// An argument of one of its analyses that cannot be resolved.
//= compat: 5.4-1, 5.4-3
pub fn experiment(
    rollout: &Rollout,
    index: usize,
    name: &str,
    (hash, revision): (&Hash, u64),
    versions: Versions<'_>,
    environment: &Environment<'_>,
) -> Result<Option<wire::Experiment>, ArgumentError> {
    let canary = rollout.spec.strategy.canary.as_ref();
    let Some(step) = canary.and_then(|c| c.steps.get(index)).and_then(|s| s.experiment.as_ref()) else {
        return Ok(None);
    };
    let mut labels = rollout.metadata.labels.clone();
    labels.insert(HASH_LABEL.to_owned(), hash.to_string());
    let analyses = step.analyses.iter().map(|a| analysis(a, environment)).collect::<Result<_, _>>()?;
    Ok(Some(wire::Experiment {
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "Experiment".to_owned(),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: rollout.metadata.namespace.clone(),
            labels,
            annotations: BTreeMap::from([(REVISION.to_owned(), revision.to_string())]),
            owner_references: owner_of("Rollout", &rollout.metadata),
            ..ObjectMeta::default()
        },
        spec: wire::ExperimentSpec {
            templates: step.templates.iter().map(|t| template(rollout, t, versions)).collect(),
            duration: step.duration.clone(),
            progress_deadline_seconds: rollout.spec.progress_deadline_seconds,
            terminate: false,
            analyses,
            scale_down_delay_seconds: step.scale_down_delay_seconds,
            dry_run: step.dry_run.clone(),
            measurement_retention: Vec::new(),
            analysis_run_metadata: step.analysis_run_metadata.clone(),
        },
        status: None,
    }))
}

fn analysis(
    wire: &wire::ExperimentStepAnalysis,
    environment: &Environment<'_>,
) -> Result<wire::ExperimentAnalysis, ArgumentError> {
    Ok(wire::ExperimentAnalysis {
        name: wire.name.clone(),
        template_name: wire.template_name.clone(),
        cluster_scope: wire.cluster_scope,
        args: resolve(&wire.args, environment)?,
        required_for_completion: wire.required_for_completion,
    })
}

/// A version: the pods of the version that it names, with the labels and annotations of its own.
//= compat: 5.4-4, 5.4-5
fn template(
    rollout: &Rollout,
    step: &wire::ExperimentStepTemplate,
    versions: Versions<'_>,
) -> wire::ExperimentTemplate {
    let mut template = match step.spec_ref.as_deref() {
        Some("stable") => versions.stable.clone(),
        _ => versions.canary.clone(),
    };
    let selector = step.selector.clone().or_else(|| rollout.spec.selector.clone());
    let mut selector: LabelSelector = selector.unwrap_or_default();
    // Those of the version's own pool are made anew.
    selector.match_labels.remove(HASH_LABEL);
    if let Some(labels) = template.0.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH_LABEL);
    }
    if let Some(metadata) = &step.metadata {
        selector.match_labels.extend(metadata.labels.clone());
        put(&mut template, "labels", &metadata.labels);
        put(&mut template, "annotations", &metadata.annotations);
    }
    let asked = step.service.is_some() || step.weight.is_some_and(|w| w > 0);
    wire::ExperimentTemplate {
        name: step.name.clone(),
        replicas: step.replicas,
        min_ready_seconds: rollout.spec.min_ready_seconds,
        selector: Some(selector),
        template,
        service: asked.then(|| step.service.clone().unwrap_or_default()),
    }
}

fn put(template: &mut PodTemplate, field: &str, entries: &BTreeMap<String, String>) {
    if entries.is_empty() {
        return;
    }
    if !template.0.is_object() {
        template.0 = json!({});
    }
    let metadata = &mut template.0["metadata"];
    if !metadata[field].is_object() {
        metadata[field] = Value::Object(Map::new());
    }
    for (key, value) in entries {
        metadata[field][key] = Value::from(value.as_str());
    }
}

/// What makes an experiment the controller of an object, as [`super::owner`] does for a rollout.
pub fn experiment_owner(experiment: &wire::Experiment) -> Vec<Value> {
    owner_of("Experiment", &experiment.metadata)
}

/// The object of a run that a decision about an experiment asked for.
//= compat: 5.3-9, 5.3-10
pub fn experiment_run(experiment: &wire::Experiment, name: &str, spec: AnalysisRunSpec) -> AnalysisRun {
    let metadata = experiment.spec.analysis_run_metadata.clone().unwrap_or_default();
    AnalysisRun {
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "AnalysisRun".to_owned(),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: experiment.metadata.namespace.clone(),
            labels: metadata.labels,
            annotations: metadata.annotations,
            owner_references: experiment_owner(experiment),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}

/// The status to write.
//= compat: 5.1-2
pub fn experiment_status(core: &core::ExperimentStatus) -> wire::ExperimentStatus {
    wire::ExperimentStatus {
        phase: core.phase.map(|p| p.as_str().to_owned()),
        message: text(&core.message),
        available_at: core.available_at.map(timestamp::format),
        template_statuses: core.templates.iter().map(template_status).collect(),
        analysis_runs: core
            .analyses
            .iter()
            .map(|a| wire::ExperimentAnalysisRunStatus {
                name: a.name.clone(),
                analysis_run: a.run.clone(),
                phase: a.phase.as_str().to_owned(),
                message: text(&a.message),
            })
            .collect(),
        conditions: core.conditions.iter().map(condition).collect(),
    }
}

fn template_status(core: &core::TemplateStatus) -> wire::TemplateStatus {
    let count = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    wire::TemplateStatus {
        name: core.name.clone(),
        replicas: count(core.members),
        // Pods of an experiment are never of another template.
        updated_replicas: count(core.members),
        ready_replicas: count(core.ready),
        available_replicas: count(core.available),
        collision_count: (core.collision_count > 0).then(|| count(core.collision_count)),
        status: Some(core.phase.as_str().to_owned()),
        message: text(&core.message),
        last_transition_time: Some(timestamp::format(core.transitioned)),
        service_name: core.service.clone(),
        pod_template_hash: core.hash.as_ref().map(Hash::to_string),
    }
}
