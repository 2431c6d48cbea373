//! `status` of an analysis run.

use std::collections::BTreeMap;

use serin_core::analysis::{Measurement, MetricResult, RunStatus, Summary};

use super::text;
use crate::timestamp;
use crate::wire::analysis as wire;

/// The status to write: the core's fields from `core`, and what the core does not hold of the metadata that providers left, from the
/// `former` status: a metric's by its name, a measurement's by the time it was begun.
//= compat: 3.1-5, 3.1-6, 3.1-7
pub fn run_status(core: &RunStatus, former: Option<&wire::AnalysisRunStatus>) -> wire::AnalysisRunStatus {
    let former_results = former.map_or(&[][..], |status| status.metric_results.as_slice());
    wire::AnalysisRunStatus {
        phase: Some(core.phase.as_str().to_owned()),
        message: text(&core.message),
        metric_results: core
            .metrics
            .iter()
            .map(|result| metric_result(result, former_results.iter().find(|f| f.name == result.name)))
            .collect(),
        started_at: core.started.map(timestamp::format),
        completed_at: core.completed.map(timestamp::format),
        run_summary: summary(&core.summary),
        dry_run_summary: Some(summary(&core.dry_run_summary)),
    }
}

/// Zero is left out, as Argo does.
fn count(n: u32) -> Option<u32> {
    (n > 0).then_some(n)
}

//= compat: 3.8-9
fn summary(core: &Summary) -> wire::RunSummary {
    wire::RunSummary {
        count: count(core.count),
        successful: count(core.successful),
        failed: count(core.failed),
        inconclusive: count(core.inconclusive),
        error: count(core.error),
    }
}

fn metric_result(core: &MetricResult, former: Option<&wire::MetricResult>) -> wire::MetricResult {
    let former_measurements = former.map_or(&[][..], |result| result.measurements.as_slice());
    wire::MetricResult {
        name: core.name.clone(),
        phase: Some(core.phase.as_str().to_owned()),
        measurements: core.measurements.iter().map(|m| measurement(m, former_measurements)).collect(),
        message: text(&core.message),
        count: count(core.count),
        successful: count(core.successful),
        failed: count(core.failed),
        inconclusive: count(core.inconclusive),
        error: count(core.error),
        consecutive_error: count(core.consecutive_error),
        consecutive_success: count(core.consecutive_success),
        dry_run: core.dry_run,
        metadata: former.map_or_else(BTreeMap::new, |result| result.metadata.clone()),
    }
}

fn measurement(core: &Measurement, former: &[wire::Measurement]) -> wire::Measurement {
    let started = timestamp::format(core.started);
    // Two measurements of a metric never begin at the same time: the next one begins after the last one's end.
    let same = former.iter().find(|m| timestamp::parse_optional(m.started_at.as_deref()) == Some(core.started));
    let foreign = || same.map_or_else(BTreeMap::new, |m| m.metadata.clone());
    wire::Measurement {
        phase: Some(core.phase.as_str().to_owned()),
        message: text(&core.message),
        started_at: Some(started),
        finished_at: core.finished.map(timestamp::format),
        value: text(&core.value),
        metadata: if core.metadata.is_empty() { foreign() } else { core.metadata.clone() },
        resume_at: core.resume_at.map(timestamp::format),
    }
}
