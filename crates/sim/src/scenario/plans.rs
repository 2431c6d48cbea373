//! Every analysis of a rollout, instantiated for every pair of versions that can meet, so that a run neither fills in
//! templates nor reads PromQL, and so that it is known ahead which series anybody asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serin_core::Hash;
use serin_core::analysis::{RunKind, RunSpec};
use serin_promql::Labels;
use serin_spec::arguments::{self, Analysis, Environment};
use serin_spec::wire::AnalysisTemplate;
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::{Catalog, lower, recipe, wire};

use super::build::Part;
use super::{Question, Questions};
use crate::measure::{Judging, Plan, PlanKey, Plans};

type Reads = Arc<dyn Fn(&Labels) -> bool + Send + Sync>;

/// What runs measure, and which series that takes.
pub(super) struct Prepared {
    pub(super) plans: Plans,
    pub(super) wanted: Reads,
}

/// Prepares the runs of these pairs of a latest and a stable version, and those of experiments.
pub(super) fn prepare(
    catalog: &Catalog,
    cast: &BTreeMap<Hash, Part>,
    pairs: &[(Hash, Hash)],
    experiments: &BTreeMap<PlanKey, Result<AnalysisRunSpec, String>>,
    questions: Questions<'_>,
) -> Prepared {
    let mut plans: BTreeMap<PlanKey, Arc<Plan>> = BTreeMap::new();
    let mut reads: Vec<Reads> = Vec::new();
    for (latest, stable) in pairs {
        let object = &cast[latest].object;
        let json = serde_json::to_value(object).unwrap_or_default();
        let specs: Vec<(RunKind, Result<AnalysisRunSpec, String>)> = kinds(object)
            .into_iter()
            .map(|kind| (kind, run_spec(catalog, object, kind, &json, latest, stable)))
            .collect();
        let weight: f64 = specs.iter().filter_map(|(_, spec)| spec.as_ref().ok()).map(recipe::weight).sum();
        for (kind, spec) in specs {
            let plan = match spec {
                Ok(mut spec) => {
                    recipe::resolve(&mut spec, weight, kind == RunKind::Background);
                    plan(&spec, questions, &mut reads)
                }
                Err(problem) => Plan { problem: Some(problem), ..Plan::default() },
            };
            plans.insert((Judging::Rollout(kind), latest.clone(), Some(stable.clone())), Arc::new(plan));
        }
    }
    for (key, spec) in experiments {
        let plan = match spec {
            Ok(spec) => plan(spec, questions, &mut reads),
            Err(problem) => Plan { problem: Some(problem.clone()), ..Plan::default() },
        };
        plans.insert(key.clone(), Arc::new(plan));
    }
    let wanted: Reads = Arc::new(move |labels: &Labels| reads.iter().any(|read| read(labels)));
    Prepared { plans: Plans::Each(Arc::new(plans)), wanted }
}

/// The analyses that a rollout has.
fn kinds(object: &wire::Rollout) -> Vec<RunKind> {
    let steps = object.spec.strategy.canary.as_ref().map_or(0, |canary| canary.steps.len());
    let all = (0..steps).map(RunKind::Step);
    let all = all.chain([RunKind::Background, RunKind::PrePromotion, RunKind::PostPromotion]);
    all.filter(|kind| Analysis::of(object, *kind).is_some()).collect()
}

/// Looks analysis templates up: those of a namespace, and those of the cluster.
pub(super) fn finder<'c>(
    catalog: &'c Catalog,
    namespace: &'c str,
) -> impl Fn(&AnalysisTemplateRef) -> Option<&'c AnalysisTemplateSpec> {
    move |reference| {
        let name = reference.template_name.as_str();
        match reference.is_cluster_scope() {
            true => catalog.find::<wire::ClusterAnalysisTemplate>("", name).map(|e| &e.object.spec),
            false => catalog.find::<AnalysisTemplate>(namespace, name).map(|e| &e.object.spec),
        }
    }
}

fn run_spec(
    catalog: &Catalog,
    object: &wire::Rollout,
    kind: RunKind,
    json: &Value,
    latest: &Hash,
    stable: &Hash,
) -> Result<AnalysisRunSpec, String> {
    let find = finder(catalog, object.metadata.namespace());
    let analysis = Analysis::of(object, kind).ok_or("the rollout has no such analysis")?;
    let environment = Environment { rollout: json, latest, stable: Some(stable) };
    analysis.run_spec(&find, &environment).map_err(|e| e.to_string())
}

/// The plan of a run. Secrets are not read, so they are stars in what is asked.
fn plan(spec: &AnalysisRunSpec, questions: Questions<'_>, reads: &mut Vec<Reads>) -> Plan {
    let filled = match arguments::fill_masked(spec) {
        Ok(filled) => filled,
        Err(error) => return Plan { problem: Some(error.to_string()), ..Plan::default() },
    };
    let problem = lower::invalid(&filled).map(|p| format!("Analysis spec invalid: {p}"));
    let mut queries = Vec::new();
    for metric in &filled.metrics {
        let Some(wanted) = &metric.provider.prometheus else {
            queries.push(None);
            continue;
        };
        queries.push(Some(match (questions.query)(wanted) {
            Ok(Question { ask, reads: read }) => {
                reads.push(read);
                ask
            }
            Err(why) => Arc::new(move |_: &_, _| Err(why.clone())),
        }));
    }
    let spec: RunSpec = lower::run_spec(&filled);
    let judge = spec.metrics.iter().any(|metric| metric.sequential).then(|| (questions.judge)(filled));
    Plan { spec, queries, judge, problem }
}
