//! The analyses of a rollout with the templates that they name.

use serin_core::analysis::RunKind;

use super::FieldError;
use crate::arguments::{Analysis, compose};
use crate::recipe;
use crate::wire::Rollout;
use crate::wire::analysis::AnalysisTemplateSpec;
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::provider::Metric;

/// Every analysis whose templates, or those that they name, are missing or do not go together. `find` looks a template up in
/// the rollout's namespace, or among the cluster's.
//= compat: 8.5-4, 3.3-7
pub fn templates<'t>(
    rollout: &Rollout,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
) -> Vec<FieldError> {
    let problem = |kind: RunKind| {
        let error = compose(Analysis::of(rollout, kind)?.templates, find).err()?;
        Some(FieldError::invalid(&format!("{}.templates", path(kind)), error.to_string()))
    };
    kinds(rollout).filter_map(problem).collect()
}

/// What a metric lacks that only the router of one machine could count.
pub const NO_ROUTER_COUNTS: &str = "it compares what the router of one machine counts, and here is none; say `prometheus: {canary: {bad, total}, stable: {bad, total}}`";

/// Every analysis with a sequential metric whose answers only the router of one machine counts, which is not there on a cluster. A template that is missing is
/// told of by [`templates`].
pub fn uncounted<'t>(
    rollout: &Rollout,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
) -> Vec<FieldError> {
    let problem = |kind: RunKind| {
        let composed = compose(Analysis::of(rollout, kind)?.templates, find).ok()?;
        let uncounted = |metric: &&Metric| {
            recipe::settings(metric).is_some_and(|(_, settings)| settings.get("prometheus").is_none())
        };
        let metric = composed.metrics.iter().find(uncounted)?;
        let text = format!("metric {:?} is not counted: {NO_ROUTER_COUNTS}", metric.name);
        Some(FieldError::invalid(&format!("{}.templates", path(kind)), text))
    };
    kinds(rollout).filter_map(problem).collect()
}

fn kinds(rollout: &Rollout) -> impl Iterator<Item = RunKind> {
    let steps = rollout.spec.strategy.canary.iter().flat_map(|canary| 0..canary.steps.len()).map(RunKind::Step);
    [RunKind::PrePromotion, RunKind::PostPromotion].into_iter().chain(steps).chain([RunKind::Background])
}

fn path(kind: RunKind) -> String {
    match kind {
        RunKind::PrePromotion => "spec.strategy.blueGreen.prePromotionAnalysis".to_owned(),
        RunKind::PostPromotion => "spec.strategy.blueGreen.postPromotionAnalysis".to_owned(),
        RunKind::Step(index) => format!("spec.strategy.canary.steps[{index}].analysis"),
        RunKind::Background => "spec.strategy.canary.analysis".to_owned(),
    }
}
