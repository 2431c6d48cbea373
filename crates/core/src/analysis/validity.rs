//! Whether a run can be carried out at all, asked after its arguments are filled in (section 3.4 of the reference).

use super::{Metric, RunSpec};

/// The first thing that makes the run impossible, in Argo's words, `None` if it is fine.
//= compat: 3.4-1, 3.4-2, 3.4-3, 3.4-4
pub fn problem(spec: &RunSpec) -> Option<String> {
    if spec.metrics.is_empty() {
        return Some("no metrics specified".to_owned());
    }
    for (i, metric) in spec.metrics.iter().enumerate() {
        if spec.metrics[..i].iter().any(|m| m.name == metric.name) {
            return Some(format!("metrics[{i}]: duplicate name '{}'", metric.name));
        }
        if let Some(problem) = metric_problem(metric) {
            return Some(format!("metrics[{i}]: {problem}"));
        }
    }
    None
}

fn metric_problem(metric: &Metric) -> Option<String> {
    let (count, successes, failures) =
        (i64::from(metric.count), i64::from(metric.consecutive_success_limit), i64::from(metric.failure_limit));
    if count > 1 && metric.interval.is_none() {
        return Some("interval must be specified when count > 1".to_owned());
    }
    if failures < -1 {
        return Some("failureLimit must be >= -1".to_owned());
    }
    if failures == -1 && successes == 0 {
        return Some("failureLimit and consecutiveSuccessLimit cannot both be disabled".to_owned());
    }
    if count > 0 && failures >= 0 && count < failures + successes {
        return Some(format!(
            "count ({count}) must be >= failureLimit + consecutiveSuccessLimit ({failures} + {successes}) if both >= 0"
        ));
    }
    if count > 0 && failures == -1 && count < successes {
        return Some(format!("count ({count}) must be >= consecutiveSuccessLimit ({successes}) if failureLimit is -1"));
    }
    if count > 0 && count < i64::from(metric.inconclusive_limit) {
        return Some("count must be >= inconclusiveLimit".to_owned());
    }
    None
}
