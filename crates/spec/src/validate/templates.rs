//! The analyses of a rollout with the templates that they name.

use serin_core::analysis::RunKind;

use super::FieldError;
use crate::arguments::{Analysis, compose};
use crate::wire::Rollout;
use crate::wire::analysis::AnalysisTemplateSpec;
use crate::wire::canary::AnalysisTemplateRef;

/// Every analysis whose templates, or those that they name, are missing or do not go together. `find` looks a template up in
/// the rollout's namespace, or among the cluster's.
//= compat: 8.5-4, 3.3-7
pub fn templates<'t>(
    rollout: &Rollout,
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
) -> Vec<FieldError> {
    let steps = rollout.spec.strategy.canary.iter().flat_map(|canary| 0..canary.steps.len()).map(RunKind::Step);
    let kinds = [RunKind::PrePromotion, RunKind::PostPromotion].into_iter().chain(steps).chain([RunKind::Background]);
    let problem = |kind: RunKind| {
        let error = compose(Analysis::of(rollout, kind)?.templates, find).err()?;
        Some(FieldError::invalid(&format!("{}.templates", path(kind)), error.to_string()))
    };
    kinds.filter_map(problem).collect()
}

fn path(kind: RunKind) -> String {
    match kind {
        RunKind::PrePromotion => "spec.strategy.blueGreen.prePromotionAnalysis".to_owned(),
        RunKind::PostPromotion => "spec.strategy.blueGreen.postPromotionAnalysis".to_owned(),
        RunKind::Step(index) => format!("spec.strategy.canary.steps[{index}].analysis"),
        RunKind::Background => "spec.strategy.canary.analysis".to_owned(),
    }
}
