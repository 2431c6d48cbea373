//! The experiments of a rollout's steps, prepared ahead: what each asks for, what its pods are called in series, and what its
//! analyses measure.

use std::collections::BTreeMap;

use serin_core::Hash;
use serin_core::experiment::{ExperimentStatus, TemplateStatus, pool_name};
use serin_promql::Labels;
use serin_spec::arguments::{self, ArgumentError, Environment};
use serin_spec::raise::{self, Versions};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::experiment::{Experiment, ExperimentAnalysis};
use serin_spec::{Catalog, hash, lower};

use super::ScenarioError;
use super::build::{Part, pod_labels};
use super::plans::finder;
use crate::measure::{Judging, PlanKey};
use crate::world::{ExperimentPlan, TemplatePlan};

/// What is known ahead of the experiments of a scenario.
#[derive(Default)]
pub(super) struct Experiments {
    /// By index of the step.
    pub(super) plans: BTreeMap<usize, ExperimentPlan>,
    /// What each analysis measures, or why it cannot.
    pub(super) runs: BTreeMap<PlanKey, Result<AnalysisRunSpec, String>>,
    /// Labels of the series of each version's members, by what the version is called there.
    pub(super) labels: BTreeMap<Hash, Labels>,
}

/// Prepares every experiment step for these pairs of a latest and a stable version.
///
/// # Errors
/// An experiment that could not be carried out, or an analysis that asks for times that are not known ahead.
pub(super) fn prepare(
    catalog: &Catalog,
    cast: &BTreeMap<Hash, Part>,
    pairs: &[(Hash, Hash)],
) -> Result<Experiments, ScenarioError> {
    let mut prepared = Experiments::default();
    for (latest, stable) in pairs {
        let steps = cast[latest].object.spec.strategy.canary.iter().flat_map(|canary| &canary.steps);
        for (index, _) in steps.enumerate().filter(|(_, step)| step.experiment.is_some()) {
            step(catalog, cast, index, (latest, stable), &mut prepared)?;
        }
    }
    Ok(prepared)
}

fn step(
    catalog: &Catalog,
    cast: &BTreeMap<Hash, Part>,
    index: usize,
    (latest, stable): (&Hash, &Hash),
    prepared: &mut Experiments,
) -> Result<(), ScenarioError> {
    let object = &cast[latest].object;
    let none = PodTemplate::default();
    let pods = |hash: &Hash| cast[hash].object.spec.template.as_ref().unwrap_or(&none);
    let versions = Versions { canary: pods(latest), stable: pods(stable) };
    let json = serde_json::to_value(object).unwrap_or_default();
    let environment = Environment { rollout: &json, latest, stable: Some(stable) };
    // Retries have a number behind their name; what series call their pods is the same for all of them, so that it is known
    // ahead what is asked of the series.
    let name = format!("{}-{index}", object.metadata.name());
    let wire = match raise::experiment(object, index, &name, (latest, 1), versions, &environment) {
        Ok(Some(wire)) => wire,
        Ok(None) => return Ok(()),
        Err(error) => {
            let refused = Some(error.to_string());
            prepared.plans.insert(index, ExperimentPlan { refused, ..ExperimentPlan::default() });
            return Ok(());
        }
    };
    let find = finder(catalog, object.metadata.namespace());
    let problem = |analysis: &ExperimentAnalysis| {
        let (template_name, cluster_scope) = (analysis.template_name.clone(), analysis.cluster_scope);
        let reference = AnalysisTemplateRef { template_name, cluster_scope };
        arguments::compose(&[reference], &find).err().map(|e| e.to_string())
    };
    let core = lower::experiment(&wire, &ExperimentStatus::default(), &problem);
    if let Some(why) = core.invalid {
        return Err(ScenarioError::Experiment { index, why });
    }
    let plan = prepared.plans.entry(index).or_insert_with(|| ExperimentPlan {
        templates: Vec::new(),
        duration: core.duration,
        scale_down_delay: core.scale_down_delay,
        analyses: core.analyses,
        refused: None,
    });
    let mut status = ExperimentStatus::default();
    for (slot, (template, lowered)) in wire.spec.templates.iter().zip(&core.templates).enumerate() {
        let shown = hash::experiment_template(&template.template, None, &pool_name(&name, &template.name));
        let labels = pod_labels(Some(&template.template), object.metadata.namespace(), &shown);
        prepared.labels.insert(shown.clone(), labels);
        status.templates.push(TemplateStatus {
            name: template.name.clone(),
            hash: Some(shown.clone()),
            ..TemplateStatus::default()
        });
        let canary = copies_canary(object, index, slot);
        if plan.templates.len() <= slot {
            plan.templates.push(TemplatePlan {
                name: template.name.clone(),
                canary,
                replicas: lowered.replicas,
                service: lowered.service.is_some(),
                shown: BTreeMap::new(),
            });
        }
        plan.templates[slot].shown.insert(if canary { latest } else { stable }.clone(), shown);
    }
    for analysis in &wire.spec.analyses {
        let run = run_spec(&wire, analysis, &status, index, catalog)?;
        let judging = Judging::Experiment(index, analysis.name.clone());
        prepared.runs.insert((judging, latest.clone(), Some(stable.clone())), run);
    }
    Ok(())
}

fn copies_canary(object: &serin_spec::wire::Rollout, index: usize, slot: usize) -> bool {
    let step = object.spec.strategy.canary.as_ref().and_then(|canary| canary.steps.get(index));
    let template = step.and_then(|step| step.experiment.as_ref()).and_then(|e| e.templates.get(slot));
    template.is_none_or(|template| template.spec_ref.as_deref() != Some("stable"))
}

/// What an analysis measures, or why it cannot, as in production.
fn run_spec(
    wire: &Experiment,
    analysis: &ExperimentAnalysis,
    status: &ExperimentStatus,
    index: usize,
    catalog: &Catalog,
) -> Result<Result<AnalysisRunSpec, String>, ScenarioError> {
    let find = finder(catalog, wire.metadata.namespace());
    match arguments::experiment_run_spec(wire, analysis, status, &find) {
        Err(ArgumentError::Placeholder(what)) if what.contains("experiment.") => {
            let why = format!("analysis {} asks for {what}, which is not known ahead", analysis.name);
            Err(ScenarioError::Experiment { index, why })
        }
        other => Ok(other.map_err(|e| e.to_string())),
    }
}
