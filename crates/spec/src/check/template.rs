//! Templates and runs on their own.

use std::collections::BTreeSet;

use super::arguments::Arguments;
use super::metric::{self, Scope};
use super::{Queries, nearest::suggest};
use crate::catalog::Origin;
use crate::problem::Findings;
use crate::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec, Argument};
use crate::wire::provider::{DryRun, MeasurementRetention, Metric};

/// What a template and a run have in common.
pub(super) struct Body<'b> {
    pub(super) metrics: &'b [Metric],
    pub(super) arguments: &'b [Argument],
    pub(super) dry_run: &'b [DryRun],
    pub(super) retention: &'b [MeasurementRetention],
    /// It names further templates, which may bring metrics.
    pub(super) composed: bool,
}

impl<'b> Body<'b> {
    /// Of a template.
    pub(super) fn of(spec: &'b AnalysisTemplateSpec) -> Self {
        Body {
            metrics: &spec.metrics,
            arguments: &spec.args,
            dry_run: &spec.dry_run,
            retention: &spec.measurement_retention,
            composed: !spec.templates.is_empty(),
        }
    }

    /// Of a run.
    pub(super) fn of_run(spec: &'b AnalysisRunSpec) -> Self {
        Body {
            metrics: &spec.metrics,
            arguments: &spec.args,
            dry_run: &spec.dry_run,
            retention: &spec.measurement_retention,
            composed: false,
        }
    }
}

/// What only a run must hold: its arguments have values, and its rules match.
//= compat: 3.2-6, 3.9-2
pub(super) fn run(origin: &Origin, spec: &AnalysisRunSpec, problems: &mut Findings) {
    for (i, argument) in spec.args.iter().enumerate() {
        if argument.value.is_none() && argument.value_from.is_none() {
            let message = format!("args.{} was not resolved", argument.name);
            let problem = origin.problem("argument-not-supplied", &format!("spec.args[{i}]"), message);
            problems.push(problem.hint("add value or valueFrom"));
        }
    }
    let names: Vec<&str> = spec.metrics.iter().map(|metric| metric.name.as_str()).collect();
    let dry_run = spec.dry_run.iter().map(|rule| rule.metric_name.as_str());
    rules_match(origin, "spec.dryRun", dry_run, &names, problems);
    let retention = spec.measurement_retention.iter().map(|rule| rule.metric_name.as_str());
    rules_match(origin, "spec.measurementRetention", retention, &names, problems);
}

/// The problems of a template's or run's own fields. `known` are the names of arguments that come from elsewhere.
pub(super) fn check(
    origin: &Origin,
    body: &Body<'_>,
    known: &BTreeSet<&str>,
    query: Queries<'_>,
    problems: &mut Findings,
) {
    //= compat: 3.4-1
    if body.metrics.is_empty() && !body.composed {
        problems.push(origin.problem("no-metrics", "spec.metrics", "no metrics specified"));
    }
    let mut arguments = Arguments::default();
    arguments.values.extend(known.iter().map(|name| (*name, None)));
    arguments.values.extend(body.arguments.iter().map(|argument| (argument.name.as_str(), argument.value.as_deref())));
    self::arguments(origin, body.arguments, problems);
    let scope = Scope { origin, arguments: &arguments, query };
    let mut names = BTreeSet::new();
    for (i, metric) in body.metrics.iter().enumerate() {
        let path = format!("spec.metrics[{i}]");
        if metric.name.is_empty() {
            problems.push(origin.problem("missing-field", &format!("{path}.name"), "the metric has no name"));
        } else if !names.insert(metric.name.as_str()) {
            let message = format!("two metrics have the same name '{}'", metric.name);
            problems.push(origin.problem("duplicate-name", &format!("{path}.name"), message));
        }
        metric::check(&scope, &path, metric, problems);
    }
    let mut rules = BTreeSet::new();
    for (i, rule) in body.dry_run.iter().enumerate() {
        self::rule(origin, &format!("spec.dryRun[{i}].metricName"), &rule.metric_name, &mut rules, problems);
    }
    let mut rules = BTreeSet::new();
    for (i, rule) in body.retention.iter().enumerate() {
        let path = format!("spec.measurementRetention[{i}].metricName");
        self::rule(origin, &path, &rule.metric_name, &mut rules, problems);
    }
}

/// A rule is a regular expression on metric names, and stands once.
//= compat: 3.9-1, 3.3-6
fn rule<'r>(origin: &Origin, path: &str, rule: &'r str, seen: &mut BTreeSet<&'r str>, problems: &mut Findings) {
    if !seen.insert(rule) {
        problems.push(origin.problem("duplicate-name", path, format!("two rules are for {rule:?}")));
    }
    if regex::Regex::new(rule).is_err() {
        let problem = origin.problem("bad-pattern", path, format!("{rule:?} is no regular expression"));
        let hint = if rule == "*" { "write .* for every metric" } else { "escape special characters with a backslash" };
        problems.push(problem.hint(hint));
    }
}

/// Reports rules that match none of the metrics: such a run would end in Error at once.
//= compat: 3.9-2
pub(super) fn rules_match<'m>(
    origin: &Origin,
    path: &str,
    rules: impl Iterator<Item = &'m str>,
    metrics: &[&str],
    problems: &mut Findings,
) {
    for (i, rule) in rules.enumerate() {
        let Ok(pattern) = regex::Regex::new(rule) else { continue };
        if !metrics.iter().any(|name| pattern.is_match(name)) {
            let path = format!("{path}[{i}].metricName");
            let problem = origin.problem("no-such-metric", &path, format!("{rule:?} matches no metric"));
            problems.push(problem.maybe_hint(suggest(rule, metrics)));
        }
    }
}

//= compat: 3.2-1
fn arguments(origin: &Origin, arguments: &[Argument], problems: &mut Findings) {
    let mut names = BTreeSet::new();
    for (i, argument) in arguments.iter().enumerate() {
        let path = format!("spec.args[{i}]");
        if argument.name.is_empty() {
            problems.push(origin.problem("missing-field", &format!("{path}.name"), "the argument has no name"));
        } else if !names.insert(argument.name.as_str()) {
            let message = format!("two arguments have the name {:?}", argument.name);
            problems.push(origin.problem("duplicate-name", &format!("{path}.name"), message));
        }
        let Some(from) = &argument.value_from else { continue };
        if argument.value.is_some() {
            let message = "value and valueFrom must not both be set";
            problems.push(origin.problem("contradiction", &format!("{path}.valueFrom"), message));
        }
        if from.secret_key_ref.is_some() == from.field_ref.is_some() {
            let problem =
                origin.problem("invalid-value", &format!("{path}.valueFrom"), "exactly one source must be set");
            problems.push(problem.expected("one of secretKeyRef, fieldRef"));
        }
    }
}
