//! What a command and the control process say to each other: one JSON request per line, one JSON answer per line.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Class;

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who are you?
    Info,
    /// Apply manifests.
    Apply {
        /// Name and text of each file.
        sources: Vec<(String, String)>,
    },
    /// Set the version of a service.
    Deploy {
        /// Service name, short name or `all`.
        service: String,
        /// Tag, digest, or whole image.
        version: String,
        /// Which container, where there are several.
        container: Option<String>,
    },
    /// Go on: end the pause or skip the step.
    Promote {
        /// Service name, short name or `all`.
        service: String,
        /// Skip everything that is left.
        full: bool,
    },
    /// Stop the update and go back to stable.
    Rollback {
        /// Service name, short name or `all`.
        service: String,
    },
    /// Stop the update; traffic goes back to stable.
    Abort {
        /// Service name, short name or `all`.
        service: String,
    },
    /// Try an aborted update again.
    Retry {
        /// Service name, short name or `all`.
        service: String,
    },
    /// Take the template of an earlier revision.
    Undo {
        /// Service name, short name or `all`.
        service: String,
        /// Which revision; the one before when absent.
        to_revision: Option<u64>,
    },
    /// Replace every member by a new one, without a new version.
    Restart {
        /// Service name, short name or `all`.
        service: String,
        /// Seconds on the rollout's clock until it begins.
        in_seconds: f64,
    },
    /// Halt until promoted.
    Pause {
        /// Service name, short name or `all`.
        service: String,
    },
    /// Forget a rollout and stop its members.
    Delete {
        /// Service name or short name.
        service: String,
    },
    /// How the rollouts are.
    Status {
        /// Service name or short name; all when absent.
        service: Option<String>,
    },
    /// The object as it is wanted now, with its status in Argo's fields.
    Manifest {
        /// Service name or short name.
        service: String,
    },
    /// How the experiments are.
    Experiments {
        /// Name, or the beginning of it; all when absent.
        name: Option<String>,
    },
    /// Ask an experiment to end.
    Terminate {
        /// Name, or the beginning of it.
        experiment: String,
    },
    /// Forget an experiment that was applied on its own, and stop its members.
    DeleteExperiment {
        /// Name, or the beginning of it.
        experiment: String,
    },
    /// What happened.
    Events {
        /// Service name or short name; all when absent.
        service: Option<String>,
        /// At most so many, the latest.
        count: usize,
    },
    /// Log files of the members.
    Logs {
        /// Service name or short name.
        service: String,
    },
    /// Answer a PromQL query from the embedded store.
    Query {
        /// The query.
        query: String,
    },
    /// Metrics of router and rollouts in the Prometheus text format.
    Metrics,
    /// Stop everything: members, router, and this process.
    Down,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Version of Serin.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Process of the router, while there is one.
    pub router_pid: Option<u32>,
    /// Where the router takes requests.
    pub router: String,
    /// Where the read-only status is, if anywhere.
    pub status: Option<String>,
    /// How fast its clock runs.
    pub speed: f64,
    /// What its clock shows, in milliseconds.
    pub now_ms: i64,
    /// Whether every adopted member was looked at and the first decisions are made.
    pub settled: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done.
    Ok(Value),
    /// Not done.
    Error(Refusal),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
    /// What the asker should do.
    pub class: Class,
}

/// What a changing request did to one rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `namespace/name` of the rollout or experiment.
    pub rollout: String,
    /// One sentence.
    pub message: String,
    /// Whether anything changed.
    pub changed: bool,
}
