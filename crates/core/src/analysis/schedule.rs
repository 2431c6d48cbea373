//! When which metric is measured (section 3.5 of the reference).

use super::{Measurement, Metric, RunPhase, RunSpec, RunStatus};
use crate::time::{Span, Time};

/// Time to the next attempt after an error. Errors say nothing about the version, so they are repeated soon whatever the
/// interval is; ten seconds is Argo's value.
//= compat: 3.5-3
pub const ERROR_RETRY: Span = Span::from_secs(10);

/// What to do with a metric now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Take a new measurement.
    Measure,
    /// Look at the unfinished one again.
    Resume,
    /// Stop the unfinished one.
    Terminate,
}

/// The metrics, by index into the spec, that want something done now.
pub fn due(spec: &RunSpec, status: &RunStatus, now: Time) -> Vec<(usize, Task)> {
    if status.phase.is_completed() {
        return Vec::new();
    }
    let terminating = super::assess::is_terminating(spec, status);
    let task = |metric: &Metric| {
        let result = status.metric(&metric.name);
        if result.is_some_and(|r| r.phase.is_completed()) {
            return None;
        }
        let last = result.and_then(|r| r.measurements.last());
        match last {
            Some(m) if m.finished.is_none() && terminating => Some(Task::Terminate),
            Some(m) if m.finished.is_none() => (m.resume_at.is_none_or(|at| now >= at)).then_some(Task::Resume),
            _ if terminating => None,
            _ => next_at(metric, last, status)
                .is_some_and(|at| now > at || (last.is_none() && now == at))
                .then_some(Task::Measure),
        }
    };
    spec.metrics.iter().enumerate().filter_map(|(i, m)| Some((i, task(m)?))).collect()
}

/// The moment after which the next measurement of a metric is due. A first measurement is due at that moment itself;
/// `None` while the run has no start to count a delay from, or when the count is reached.
//= compat: 3.5-2, 3.5-3
fn next_at(metric: &Metric, last: Option<&Measurement>, status: &RunStatus) -> Option<Time> {
    let Some(last) = last else {
        return match (metric.initial_delay, status.started) {
            (None, _) => Some(Time::from_millis(i64::MIN)),
            (Some(delay), Some(started)) => Some(started + delay),
            (Some(_), None) => None,
        };
    };
    let taken = status.metric(&metric.name).map_or(0, |r| r.count);
    if metric.effective_count().is_some_and(|count| taken >= count) {
        return None;
    }
    let wait = match last.phase {
        RunPhase::Error => ERROR_RETRY,
        _ => metric.interval.unwrap_or(Span::ZERO),
    };
    Some(last.finished? + wait)
}

/// When to look at the run again: the earliest moment at which [`due`] has something to do. `None` when it is over or
/// when only an unfinished measurement without a time to resume is left.
//= compat: 3.5-6
pub fn wake_at(spec: &RunSpec, status: &RunStatus, now: Time) -> Option<Time> {
    if status.phase.is_completed() {
        return None;
    }
    if super::assess::is_terminating(spec, status) || status.started.is_none() {
        return Some(now);
    }
    let wake = |metric: &Metric| {
        let result = status.metric(&metric.name);
        if result.is_some_and(|r| r.phase.is_completed()) {
            return None;
        }
        match result.and_then(|r| r.measurements.last()) {
            Some(m) if m.finished.is_none() => m.resume_at,
            // "Strictly after" in whole milliseconds is one millisecond later.
            last @ Some(_) => Some(next_at(metric, last, status)? + Span::from_millis(1)),
            None => next_at(metric, None, status),
        }
    };
    spec.metrics.iter().filter_map(wake).min()
}
