//! Dry-run and retention rules: regular expressions on metric names.

use regex::Regex;

use super::ArgumentError;
use crate::wire::provider::{DryRun, MeasurementRetention};

/// The expression of a rule. One that cannot be read, such as the wildcard `*`, matches nothing.
//= compat: 3.9-1, 10.10
pub(crate) fn rule(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Whether a rule selects a metric: anywhere in its name, as the expression is not anchored.
pub(crate) fn selects(rule: Option<&Regex>, metric: &str) -> bool {
    rule.is_some_and(|rule| rule.is_match(metric))
}

/// One list of dry-run rules.
///
/// # Errors
/// The same expression twice.
//= compat: 3.3-6
pub(super) fn combine_dry_run<'a>(rules: impl Iterator<Item = &'a DryRun>) -> Result<Vec<DryRun>, ArgumentError> {
    let mut combined: Vec<DryRun> = Vec::new();
    for rule in rules {
        if combined.iter().any(|r| r.metric_name == rule.metric_name) {
            return Err(ArgumentError::DuplicateDryRun(rule.metric_name.clone()));
        }
        combined.push(rule.clone());
    }
    Ok(combined)
}

/// One list of retention rules.
///
/// # Errors
/// The same expression twice.
//= compat: 3.3-6
pub(super) fn combine_retention<'a>(
    rules: impl Iterator<Item = &'a MeasurementRetention>,
) -> Result<Vec<MeasurementRetention>, ArgumentError> {
    let mut combined: Vec<MeasurementRetention> = Vec::new();
    for rule in rules {
        if combined.iter().any(|r| r.metric_name == rule.metric_name) {
            return Err(ArgumentError::DuplicateRetention(rule.metric_name.clone()));
        }
        combined.push(rule.clone());
    }
    Ok(combined)
}
