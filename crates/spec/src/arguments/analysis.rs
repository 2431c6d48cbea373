//! The analysis of a rollout that a run belongs to, and the run's spec made of it.

use serin_core::analysis::RunKind;

use super::{ArgumentError, Environment, compose, instantiate, resolve};
use crate::wire::Rollout;
use crate::wire::analysis::{AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplateSpec};
use crate::wire::canary::{AnalysisTemplateRef, RolloutAnalysis, RolloutAnalysisBackground};
use crate::wire::meta::PodMetadata;
use crate::wire::provider::{DryRun, MeasurementRetention};

/// What every analysis of a rollout has in common, whether of a step, in the background, or around a blue-green switch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Analysis<'a> {
    /// What is measured.
    pub templates: &'a [AnalysisTemplateRef],
    /// Values for the templates' arguments.
    pub args: &'a [AnalysisRunArgument],
    /// Metrics that only look on.
    pub dry_run: &'a [DryRun],
    /// Measurements kept.
    pub measurement_retention: &'a [MeasurementRetention],
    /// For the run object.
    pub metadata: Option<&'a PodMetadata>,
}

impl<'a> Analysis<'a> {
    /// The analysis that a run of this kind carries out, if the rollout has one.
    pub fn of(rollout: &'a Rollout, kind: RunKind) -> Option<Self> {
        let canary = rollout.spec.strategy.canary.as_ref();
        let blue_green = rollout.spec.strategy.blue_green.as_ref();
        match kind {
            RunKind::Step(index) => canary?.steps.get(index)?.analysis.as_ref().map(Self::from),
            RunKind::Background => canary?.analysis.as_ref().map(Self::from),
            RunKind::PrePromotion => blue_green?.pre_promotion_analysis.as_ref().map(Self::from),
            RunKind::PostPromotion => blue_green?.post_promotion_analysis.as_ref().map(Self::from),
        }
    }

    /// The spec of a run: [`compose`], [`resolve`] and [`instantiate`] in one.
    ///
    /// # Errors
    /// Those of the three.
    pub fn run_spec<'t>(
        &self,
        find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'t AnalysisTemplateSpec>,
        environment: &Environment<'_>,
    ) -> Result<AnalysisRunSpec, ArgumentError> {
        let template = compose(self.templates, find)?;
        let args = resolve(self.args, environment)?;
        instantiate(&template, &args, self.dry_run, self.measurement_retention)
    }
}

impl<'a> From<&'a RolloutAnalysis> for Analysis<'a> {
    fn from(wire: &'a RolloutAnalysis) -> Self {
        Self {
            templates: &wire.templates,
            args: &wire.args,
            dry_run: &wire.dry_run,
            measurement_retention: &wire.measurement_retention,
            metadata: wire.analysis_run_metadata.as_ref(),
        }
    }
}

impl<'a> From<&'a RolloutAnalysisBackground> for Analysis<'a> {
    fn from(wire: &'a RolloutAnalysisBackground) -> Self {
        Self {
            templates: &wire.templates,
            args: &wire.args,
            dry_run: &wire.dry_run,
            measurement_retention: &wire.measurement_retention,
            metadata: wire.analysis_run_metadata.as_ref(),
        }
    }
}
