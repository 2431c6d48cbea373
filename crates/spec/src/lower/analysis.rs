//! Analysis runs: what they measure, and their memory.

use regex::Regex;
use serin_core::Span;
use serin_core::analysis::{Measurement, Metric, MetricResult, RunPhase, RunSpec, RunStatus, Summary, Ttl, validity};

use crate::timestamp;
use crate::wire::analysis as wire;
use crate::wire::meta::IntOrString;
use crate::wire::provider::{self, MetricProvider};
use crate::{arguments, duration, recipe};

/// What a run measures, its arguments filled in (see [`arguments::fill`]): limits with their defaults, and the dry-run and
/// retention rules applied to the metrics whose names they match.
//= compat: 3.1-2, 3.1-3, 3.9-1, 3.9-4
pub fn run_spec(filled: &wire::AnalysisRunSpec) -> RunSpec {
    let dry_run: Vec<Option<Regex>> = filled.dry_run.iter().map(|rule| arguments::rule(&rule.metric_name)).collect();
    let retention: Vec<(Option<Regex>, i32)> =
        filled.measurement_retention.iter().map(|rule| (arguments::rule(&rule.metric_name), rule.limit)).collect();
    let metrics = filled.metrics.iter().map(|wire| {
        let mut metric = metric(wire);
        metric.dry_run = dry_run.iter().any(|rule| arguments::selects(rule.as_ref(), &metric.name));
        let last = retention.iter().rev().find(|(rule, _)| arguments::selects(rule.as_ref(), &metric.name));
        if let Some(limit) = last.and_then(|(_, limit)| usize::try_from(*limit).ok()).filter(|limit| *limit > 0) {
            metric.retention = limit;
        }
        metric
    });
    RunSpec { metrics: metrics.collect(), terminate: filled.terminate }
}

//= compat: 3.1-4, 3.7-4
fn metric(wire: &provider::Metric) -> Metric {
    let count = |limit: Option<&IntOrString>, default: u32| {
        limit.map_or(default, |n| u32::try_from(n.int_value().max(0)).unwrap_or(u32::MAX))
    };
    let defaults = Metric::new(wire.name.clone());
    if recipe::is_sequential(wire) {
        // One long measurement: its interval is the time between two looks at it.
        return Metric {
            initial_delay: span(wire.initial_delay.as_deref()),
            consecutive_error_limit: count(wire.consecutive_error_limit.as_ref(), defaults.consecutive_error_limit),
            sequential: true,
            ..defaults
        };
    }
    Metric {
        interval: span(wire.interval.as_deref()),
        initial_delay: span(wire.initial_delay.as_deref()),
        count: count(wire.count.as_ref(), defaults.count),
        failure_limit: wire.failure_limit.as_ref().map_or(defaults.failure_limit, signed),
        inconclusive_limit: count(wire.inconclusive_limit.as_ref(), defaults.inconclusive_limit),
        consecutive_error_limit: count(wire.consecutive_error_limit.as_ref(), defaults.consecutive_error_limit),
        consecutive_success_limit: count(wire.consecutive_success_limit.as_ref(), defaults.consecutive_success_limit),
        success: condition(wire.success_condition.as_deref()),
        failure: condition(wire.failure_condition.as_deref()),
        ..defaults
    }
}

/// When a finished run is deleted. A time below zero is over at once.
//= compat: 3.1-2, 3.9-6
pub fn ttl(wire: &wire::AnalysisRunSpec) -> Ttl {
    let span = |s: Option<i32>| s.map(|s| Span::from_secs(i64::from(s.max(0))));
    let strategy = wire.ttl_strategy.clone().unwrap_or_default();
    Ttl {
        after_completion: span(strategy.seconds_after_completion),
        after_failure: span(strategy.seconds_after_failure),
        after_success: span(strategy.seconds_after_success),
    }
}

fn signed(n: &IntOrString) -> i32 {
    let n = n.int_value();
    i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })
}

fn span(wire: Option<&str>) -> Option<Span> {
    duration::parse_ms(wire.filter(|text| !text.is_empty())?).ok().map(Span::from_millis)
}

fn condition(wire: Option<&str>) -> Option<String> {
    wire.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Why a run, its arguments filled in, cannot be carried out, in Argo's words, or `None`: such a run is an error with the
/// message `Analysis spec invalid: ` and this text.
//= compat: 3.4-1, 3.4-2, 3.4-4, 3.4-5, 3.9-2, 10.10
pub fn invalid(filled: &wire::AnalysisRunSpec) -> Option<String> {
    let first = |problem: fn(&provider::Metric) -> Option<String>| {
        let named = |(i, metric)| problem(metric).map(|text| format!("metrics[{i}]: {text}"));
        filled.metrics.iter().enumerate().find_map(named)
    };
    let dry_run = filled.dry_run.iter().map(|rule| rule.metric_name.as_str());
    let retention = filled.measurement_retention.iter().map(|rule| rule.metric_name.as_str());
    first(negative)
        .or_else(|| validity::problem(&run_spec(filled)))
        .or_else(|| first(wire_problem))
        .or_else(|| unmatched("dryRun", dry_run, filled))
        .or_else(|| unmatched("measurementRetention", retention, filled))
}

/// Limits below zero, which the core's unsigned limits cannot show.
fn negative(metric: &provider::Metric) -> Option<String> {
    let below = |limit: &Option<IntOrString>| limit.as_ref().is_some_and(|n| n.int_value() < 0);
    [
        ("consecutiveSuccessLimit", &metric.consecutive_success_limit),
        ("inconclusiveLimit", &metric.inconclusive_limit),
        ("consecutiveErrorLimit", &metric.consecutive_error_limit),
    ]
    .into_iter()
    .find(|(_, limit)| below(limit))
    .map(|(name, _)| format!("{name} must be >= 0"))
}

/// What only the wire form shows: durations that cannot be read, and the number of providers.
fn wire_problem(metric: &provider::Metric) -> Option<String> {
    for (name, text) in [("interval", &metric.interval), ("startDelay", &metric.initial_delay)] {
        if let Some(Err(problem)) = text.as_deref().filter(|t| !t.is_empty()).map(duration::parse_ns) {
            return Some(format!("invalid {name} string: {problem}"));
        }
    }
    match providers(&metric.provider) {
        0 => Some("no provider specified".to_owned()),
        1 => None,
        _ => Some("multiple providers specified".to_owned()),
    }
}

/// How many providers are set; every plugin is one.
fn providers(provider: &MetricProvider) -> usize {
    let typed = [provider.prometheus.is_some(), provider.web.is_some(), provider.job.is_some()];
    let free = [
        &provider.kayenta,
        &provider.datadog,
        &provider.wavefront,
        &provider.new_relic,
        &provider.cloud_watch,
        &provider.graphite,
        &provider.influxdb,
        &provider.skywalking,
    ];
    let typed = typed.into_iter().filter(|set| *set).count();
    typed + free.into_iter().filter(|value| value.is_some()).count() + provider.plugin.len()
}

/// The first rule that matches no metric.
fn unmatched<'a>(
    field: &str,
    mut rules: impl Iterator<Item = &'a str>,
    filled: &wire::AnalysisRunSpec,
) -> Option<String> {
    let idle = rules.position(|pattern| {
        let rule = arguments::rule(pattern);
        !filled.metrics.iter().any(|metric| arguments::selects(rule.as_ref(), &metric.name))
    })?;
    Some(format!("{field}[{idle}]: Rule didn't match any metric name(s)"))
}

/// The memory of a run.
//= compat: 3.1-5, 3.1-6, 3.1-7, 3.1-8
pub fn run_status(wire: &wire::AnalysisRunStatus) -> RunStatus {
    RunStatus {
        phase: phase(wire.phase.as_deref()),
        message: wire.message.clone().unwrap_or_default(),
        started: timestamp::parse_optional(wire.started_at.as_deref()),
        completed: timestamp::parse_optional(wire.completed_at.as_deref()),
        metrics: wire.metric_results.iter().map(metric_result).collect(),
        summary: summary(&wire.run_summary),
        dry_run_summary: wire.dry_run_summary.as_ref().map(summary).unwrap_or_default(),
    }
}

fn phase(wire: Option<&str>) -> RunPhase {
    wire.and_then(RunPhase::parse).unwrap_or_default()
}

fn summary(wire: &wire::RunSummary) -> Summary {
    Summary {
        count: wire.count.unwrap_or(0),
        successful: wire.successful.unwrap_or(0),
        failed: wire.failed.unwrap_or(0),
        inconclusive: wire.inconclusive.unwrap_or(0),
        error: wire.error.unwrap_or(0),
    }
}

fn metric_result(wire: &wire::MetricResult) -> MetricResult {
    MetricResult {
        name: wire.name.clone(),
        phase: phase(wire.phase.as_deref()),
        message: wire.message.clone().unwrap_or_default(),
        measurements: wire.measurements.iter().map(measurement).collect(),
        count: wire.count.unwrap_or(0),
        successful: wire.successful.unwrap_or(0),
        failed: wire.failed.unwrap_or(0),
        inconclusive: wire.inconclusive.unwrap_or(0),
        error: wire.error.unwrap_or(0),
        consecutive_error: wire.consecutive_error.unwrap_or(0),
        consecutive_success: wire.consecutive_success.unwrap_or(0),
        dry_run: wire.dry_run,
    }
}

fn measurement(wire: &wire::Measurement) -> Measurement {
    Measurement {
        phase: phase(wire.phase.as_deref()),
        message: wire.message.clone().unwrap_or_default(),
        started: timestamp::parse_optional(wire.started_at.as_deref()).unwrap_or_default(),
        finished: timestamp::parse_optional(wire.finished_at.as_deref()),
        value: wire.value.clone().unwrap_or_default(),
        resume_at: timestamp::parse_optional(wire.resume_at.as_deref()),
        metadata: wire.metadata.clone(),
    }
}
