//! Several templates become one.

use std::collections::BTreeSet;

use super::ArgumentError;
use super::rules::{combine_dry_run, combine_retention};
use crate::wire::analysis::{AnalysisTemplateSpec, Argument};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::provider::Metric;

/// Merges the templates that an analysis names, and those that they name, into one without further templates. `find` looks
/// a template up in the rollout's namespace, or among the cluster's.
///
/// Each template counts once, where it first comes up, so templates that name each other in a circle are no problem here.
/// Namespaced templates stand before cluster templates.
///
/// # Errors
/// A template that is missing, metrics or rules of the same name, arguments with different values.
//= compat: 3.3-1, 3.3-2, 3.3-3, 3.3-7
pub fn compose<'a>(
    references: &[AnalysisTemplateRef],
    find: &dyn Fn(&AnalysisTemplateRef) -> Option<&'a AnalysisTemplateSpec>,
) -> Result<AnalysisTemplateSpec, ArgumentError> {
    let mut seen = BTreeSet::new();
    let (mut namespaced, mut cluster) = (Vec::new(), Vec::new());
    let mut ahead: Vec<&AnalysisTemplateRef> = references.iter().rev().collect();
    while let Some(reference) = ahead.pop() {
        if !seen.insert((reference.is_cluster_scope(), reference.template_name.as_str())) {
            continue;
        }
        let spec = find(reference).ok_or_else(|| missing(reference))?;
        if reference.is_cluster_scope() {
            cluster.push(spec)
        } else {
            namespaced.push(spec)
        }
        ahead.extend(spec.templates.iter().rev());
    }
    let all: Vec<&AnalysisTemplateSpec> = namespaced.into_iter().chain(cluster).collect();
    Ok(AnalysisTemplateSpec {
        metrics: metrics(all.iter().flat_map(|spec| &spec.metrics))?,
        dry_run: combine_dry_run(all.iter().flat_map(|spec| &spec.dry_run))?,
        measurement_retention: combine_retention(all.iter().flat_map(|spec| &spec.measurement_retention))?,
        args: args(all.iter().flat_map(|spec| &spec.args))?,
        templates: Vec::new(),
    })
}

fn missing(reference: &AnalysisTemplateRef) -> ArgumentError {
    let kind = if reference.is_cluster_scope() { "ClusterAnalysisTemplate" } else { "AnalysisTemplate" };
    ArgumentError::MissingTemplate { kind, name: reference.template_name.clone() }
}

//= compat: 3.3-4
fn metrics<'a>(all: impl Iterator<Item = &'a Metric>) -> Result<Vec<Metric>, ArgumentError> {
    let mut metrics: Vec<Metric> = Vec::new();
    for metric in all {
        if metrics.iter().any(|m| m.name == metric.name) {
            return Err(ArgumentError::DuplicateMetric(metric.name.clone()));
        }
        metrics.push(metric.clone());
    }
    Ok(metrics)
}

/// The first value wins over none; two different values are an error.
//= compat: 3.3-5
fn args<'a>(all: impl Iterator<Item = &'a Argument>) -> Result<Vec<Argument>, ArgumentError> {
    let mut args: Vec<Argument> = Vec::new();
    for arg in all {
        let Some(former) = args.iter_mut().find(|a| a.name == arg.name) else {
            args.push(arg.clone());
            continue;
        };
        match (&former.value, &arg.value) {
            (Some(first), Some(second)) if first != second => {
                return Err(ArgumentError::Conflict {
                    name: arg.name.clone(),
                    first: first.clone(),
                    second: second.clone(),
                });
            }
            (None, _) => former.clone_from(arg),
            (Some(_), _) => {}
        }
    }
    Ok(args)
}
