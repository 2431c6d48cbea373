//! The rollout's arguments become values, and with a template the spec of a run.

use serde_json::Value;
use serin_core::Hash;

use super::rules::{combine_dry_run, combine_retention};
use super::{ArgumentError, field};
use crate::wire::analysis::{AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplateSpec, Argument};
use crate::wire::provider::{DryRun, MeasurementRetention};

/// What arguments may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'a> {
    /// The rollout as JSON, its status included.
    pub rollout: &'a Value,
    /// Hash of the version under test.
    pub latest: &'a Hash,
    /// Hash of the stable version.
    pub stable: Option<&'a Hash>,
}

/// The arguments of a rollout's analysis with their values; one without any has the empty value.
///
/// # Errors
/// A field of the rollout that does not exist or is no plain value.
//= compat: 3.2-2, 3.2-4, 3.2-7
pub fn resolve(args: &[AnalysisRunArgument], environment: &Environment<'_>) -> Result<Vec<Argument>, ArgumentError> {
    args.iter()
        .map(|arg| Ok(Argument { name: arg.name.clone(), value: Some(value(arg, environment)?), value_from: None }))
        .collect()
}

fn value(arg: &AnalysisRunArgument, environment: &Environment<'_>) -> Result<String, ArgumentError> {
    let plain = || arg.value.clone().unwrap_or_default();
    let Some(from) = &arg.value_from else {
        return Ok(plain());
    };
    match (from.pod_template_hash_value.as_deref(), &from.field_ref) {
        (Some("Latest"), _) => Ok(environment.latest.to_string()),
        (Some("Stable"), _) => Ok(environment.stable.map(Hash::to_string).unwrap_or_default()),
        (None, Some(reference)) => field::read(environment.rollout, &reference.field_path),
        (Some(_), _) | (None, None) => Ok(plain()),
    }
}

/// The spec of a run: the metrics of a composed template with their placeholders as they stand, and every argument that
/// the template declares with its value or the reference to its Secret. Rules of the analysis stand before those of the
/// template; arguments that the template does not declare are dropped.
///
/// # Errors
/// An argument without value or reference, the same rule twice.
//= compat: 3.1-2, 3.2-5, 3.2-6, 3.3-6, 10.14
pub fn instantiate(
    template: &AnalysisTemplateSpec,
    args: &[Argument],
    dry_run: &[DryRun],
    measurement_retention: &[MeasurementRetention],
) -> Result<AnalysisRunSpec, ArgumentError> {
    let mut merged = template.args.clone();
    for arg in args {
        let Some(declared) = merged.iter_mut().find(|a| a.name == arg.name) else {
            continue;
        };
        if arg.value.is_some() {
            declared.value.clone_from(&arg.value);
            // A value that the rollout gives wins over the template's reference, at every later reading too.
            declared.value_from = None;
        } else if arg.value_from.is_some() {
            declared.value_from.clone_from(&arg.value_from);
        }
    }
    if let Some(open) = merged.iter().find(|arg| arg.value.is_none() && arg.value_from.is_none()) {
        return Err(ArgumentError::NotResolved(open.name.clone()));
    }
    Ok(AnalysisRunSpec {
        metrics: template.metrics.clone(),
        args: merged,
        dry_run: combine_dry_run(dry_run.iter().chain(&template.dry_run))?,
        measurement_retention: combine_retention(measurement_retention.iter().chain(&template.measurement_retention))?,
        ..AnalysisRunSpec::default()
    })
}
