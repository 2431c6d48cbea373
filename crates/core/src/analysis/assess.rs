//! The phase of each metric and of the run (sections 3.7 and 3.8 of the reference).

use super::{Metric, MetricResult, RunPhase, RunSpec, RunStatus, Summary};
use crate::time::Time;

/// Whether no further measurement may begin: told so, or a metric that decides has ended badly.
//= compat: 3.8-1
pub fn is_terminating(spec: &RunSpec, status: &RunStatus) -> bool {
    spec.terminate
        || spec.metrics.iter().filter(|m| !m.dry_run).any(|m| {
            status
                .metric(&m.name)
                .is_some_and(|r| matches!(r.phase, RunPhase::Failed | RunPhase::Error | RunPhase::Inconclusive))
        })
}

/// Brings phases, messages, summaries and times up to date after the measurements of a pass.
//= compat: 3.5-2, 3.8-8
pub fn assess(spec: &RunSpec, status: &RunStatus, now: Time) -> RunStatus {
    let mut next = status.clone();
    if next.phase.is_completed() {
        return next;
    }
    let terminating = is_terminating(spec, &next);
    let mut worst: Option<(RunPhase, String)> = None;
    let mut all_completed = true;
    for metric in &spec.metrics {
        let phase = assess_metric(metric, next.metric(&metric.name), terminating);
        let limit = next.metric(&metric.name).and_then(|result| limit_message(metric, result));
        if let Some(result) = next.metrics.iter_mut().find(|r| r.name == metric.name) {
            settle(metric, result, phase, limit.as_deref());
        }
        if !phase.is_completed() {
            all_completed = false;
        } else if !metric.dry_run && worst.as_ref().is_none_or(|(w, _)| phase.severity() > w.severity()) {
            worst = Some((phase, run_message(metric, next.metric(&metric.name), phase, limit)));
        }
    }
    next.phase = RunPhase::Running;
    if terminating || all_completed {
        let (phase, message) = worst.unwrap_or((RunPhase::Successful, String::new()));
        next.phase = phase;
        next.message = match message.is_empty() && spec.terminate {
            true => "Run Terminated".to_owned(),
            false => message,
        };
        next.completed = Some(now);
    }
    next.started.get_or_insert(now);
    summarize(spec, &mut next);
    next
}

/// Phase of one metric; the first rule that fits wins.
//= compat: 3.7-2, 3.7-5, 3.7-6, 3.8-4
fn assess_metric(metric: &Metric, result: Option<&MetricResult>, terminating: bool) -> RunPhase {
    let Some(result) = result.filter(|r| r.phase.is_completed() || !r.measurements.is_empty()) else {
        return if terminating { RunPhase::Successful } else { RunPhase::Pending };
    };
    if result.phase.is_completed() {
        return result.phase;
    }
    if result.measurements.last().is_some_and(|m| m.finished.is_none()) {
        return RunPhase::Running;
    }
    if let Some((phase, _)) = exceeded(metric, result) {
        return phase;
    }
    let successes = metric.consecutive_success_limit;
    if successes > 0 && result.consecutive_success >= successes {
        return RunPhase::Successful;
    }
    if metric.effective_count().is_some_and(|count| result.count >= count) {
        return match (successes > 0, metric.failure_limit < 0) {
            (true, false) => RunPhase::Inconclusive,
            (true, true) => RunPhase::Failed,
            (false, _) => RunPhase::Successful,
        };
    }
    if terminating { RunPhase::Successful } else { RunPhase::Running }
}

/// The limit that was passed, if any, and its text. All comparisons are strict; an error beats an inconclusive result,
/// which beats a failure.
//= compat: 3.7-3, 3.7-4, 10.1
fn exceeded(metric: &Metric, result: &MetricResult) -> Option<(RunPhase, String)> {
    if result.consecutive_error > metric.consecutive_error_limit {
        let text = format!(
            "consecutiveErrors ({}) > consecutiveErrorLimit ({})",
            result.consecutive_error, metric.consecutive_error_limit
        );
        return Some((RunPhase::Error, text));
    }
    if result.inconclusive > metric.inconclusive_limit {
        let text =
            format!("inconclusive ({}) > inconclusiveLimit ({})", result.inconclusive, metric.inconclusive_limit);
        return Some((RunPhase::Inconclusive, text));
    }
    let limit = u32::try_from(metric.failure_limit).ok()?;
    (result.failed > limit).then(|| (RunPhase::Failed, format!("failed ({}) > failureLimit ({limit})", result.failed)))
}

fn limit_message(metric: &Metric, result: &MetricResult) -> Option<String> {
    exceeded(metric, result).map(|(_, text)| text)
}

/// Gives a metric its phase; a change brings the message of the measurement that made it.
//= compat: 3.7-7, 3.9-3
fn settle(metric: &Metric, result: &mut MetricResult, phase: RunPhase, limit: Option<&str>) {
    if result.phase == phase {
        return;
    }
    result.phase = phase;
    if let Some(last) = result.measurements.last() {
        result.message.clone_from(&last.message);
    }
    if let Some(limit) = limit.filter(|_| metric.dry_run) {
        result.message = format!("Metric assessed {phase} due to {limit}");
    }
}

/// The run's message when this metric decides it.
//= compat: 3.8-5
fn run_message(metric: &Metric, result: Option<&MetricResult>, phase: RunPhase, limit: Option<String>) -> String {
    let Some(limit) = limit.filter(|_| phase != RunPhase::Successful) else {
        return String::new();
    };
    let mut message = format!("Metric \"{}\" assessed {phase} due to {limit}", metric.name);
    if let Some(result) = result.filter(|r| !r.message.is_empty()) {
        message.push_str(&format!(": \"Error Message: {}\"", result.message));
    }
    message
}

/// Counts the metrics by final phase, those that decide apart from the dry-run ones.
//= compat: 3.8-9
fn summarize(spec: &RunSpec, status: &mut RunStatus) {
    let count = |dry_run: bool| {
        let mut summary = Summary::default();
        for metric in spec.metrics.iter().filter(|m| m.dry_run == dry_run) {
            summary.count += 1;
            match status.metric(&metric.name).map(|r| r.phase) {
                Some(RunPhase::Successful) => summary.successful += 1,
                Some(RunPhase::Failed) => summary.failed += 1,
                Some(RunPhase::Inconclusive) => summary.inconclusive += 1,
                Some(RunPhase::Error) => summary.error += 1,
                _ => {}
            }
        }
        summary
    };
    (status.summary, status.dry_run_summary) = (count(false), count(true));
}
