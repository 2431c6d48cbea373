//! Keeping a measurement: counters and the bounded list (sections 3.7 and 3.9 of the reference).

use super::{Measurement, MetricResult, RunPhase, RunSpec, RunStatus};

/// Adds a measurement of the metric at `index`, or replaces the unfinished one it completes. Unfinished measurements
/// count for nothing yet.
//= compat: 3.7-1, 3.9-4, 3.9-5
pub fn record(spec: &RunSpec, status: &mut RunStatus, index: usize, measurement: Measurement) {
    let Some(metric) = spec.metrics.get(index) else {
        return;
    };
    let position = status.metrics.iter().position(|r| r.name == metric.name).unwrap_or_else(|| {
        status.metrics.push(MetricResult {
            name: metric.name.clone(),
            phase: RunPhase::Running,
            dry_run: metric.dry_run,
            ..MetricResult::default()
        });
        status.metrics.len() - 1
    });
    let result = &mut status.metrics[position];
    if measurement.finished.is_some() {
        count(result, measurement.phase);
    }
    if result.measurements.last().is_some_and(|last| last.finished.is_none()) {
        result.measurements.pop();
    }
    result.measurements.push(measurement);
    let excess = result.measurements.len().saturating_sub(metric.retention.max(1));
    result.measurements.drain(..excess);
}

/// The end of a measurement that was stopped on the way: what was not judged bad says that it was stopped.
//= compat: 3.8-7
pub fn terminated(measurement: Measurement) -> Measurement {
    match measurement.phase {
        RunPhase::Successful | RunPhase::Inconclusive => {
            Measurement { message: "Metric Terminated".to_owned(), ..measurement }
        }
        _ => measurement,
    }
}

fn count(result: &mut MetricResult, phase: RunPhase) {
    match phase {
        RunPhase::Successful => {
            result.successful += 1;
            result.count += 1;
            result.consecutive_error = 0;
            result.consecutive_success += 1;
        }
        RunPhase::Failed | RunPhase::Inconclusive => {
            match phase {
                RunPhase::Failed => result.failed += 1,
                _ => result.inconclusive += 1,
            }
            result.count += 1;
            result.consecutive_error = 0;
            result.consecutive_success = 0;
        }
        // An error says nothing about the version: it uses up no measurement.
        RunPhase::Error => {
            result.error += 1;
            result.consecutive_error += 1;
            result.consecutive_success = 0;
        }
        RunPhase::Pending | RunPhase::Running => {}
    }
}
