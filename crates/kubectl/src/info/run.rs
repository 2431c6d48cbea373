//! Analysis runs with the Jobs they made.

use serde_json::Value;
use serin_controller::Object;
use serin_core::Time;
use serin_spec::timestamp;

use super::{Family, created, is_owned, revision};
use crate::phase::{list, text};

/// Key under which a measurement names its Job.
const JOB_NAME: &str = "job-name";

/// An analysis run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Name.
    pub name: String,
    /// When it was made.
    pub created: Option<Time>,
    /// Revision, 0 if it has none.
    pub revision: i64,
    /// Phase.
    pub phase: String,
    /// Why.
    pub message: String,
    /// Good, bad, undecided measurements, and those that were none.
    pub counts: Counts,
    /// Its Jobs, in the order of their measurements.
    pub jobs: Vec<JobInfo>,
}

/// Measurements by outcome, over all metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Good ones.
    pub successful: u64,
    /// Bad ones.
    pub failed: u64,
    /// Undecided ones.
    pub inconclusive: u64,
    /// Errors.
    pub error: u64,
}

/// A Job of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInfo {
    /// Name.
    pub name: String,
    /// When its measurement began.
    pub started: Option<Time>,
    /// Phase of its measurement.
    pub phase: String,
}

impl RunInfo {
    /// What is known of a run.
    pub fn of(run: &Object) -> Self {
        let status = &run.0["status"];
        let results = list(&status["metricResults"]);
        let sum = |field: &str| results.iter().map(|result| result[field].as_u64().unwrap_or(0)).sum();
        Self {
            name: run.name().to_owned(),
            created: created(run),
            revision: revision(run),
            phase: text(&status["phase"]).to_owned(),
            message: text(&status["message"]).to_owned(),
            counts: Counts {
                successful: sum("successful"),
                failed: sum("failed"),
                inconclusive: sum("inconclusive"),
                error: sum("error"),
            },
            jobs: results.iter().flat_map(|result| list(&result["measurements"])).filter_map(job).collect(),
        }
    }
}

fn job(measurement: &Value) -> Option<JobInfo> {
    Some(JobInfo {
        name: measurement["metadata"][JOB_NAME].as_str()?.to_owned(),
        started: measurement["startedAt"].as_str().and_then(timestamp::parse),
        phase: text(&measurement["phase"]).to_owned(),
    })
}

/// The runs of an owner, newest revision first, within one as they were made.
pub(super) fn owned(owner: &str, family: &Family) -> Vec<RunInfo> {
    let mut own: Vec<RunInfo> = family.runs.iter().filter(|run| is_owned(run, owner)).map(RunInfo::of).collect();
    own.sort_by(|a, b| {
        let order = (b.revision, a.created).cmp(&(a.revision, b.created));
        order.then_with(|| b.name.cmp(&a.name))
    });
    own
}
