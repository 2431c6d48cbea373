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
    /// Tell what turned out to be true, so that predictions can be compared with it.
    Labels {
        /// Service name or short name.
        service: String,
        /// Request ids with what was true; at most [`crate::labels::LABELS_MAX`].
        labels: Vec<(String, String)>,
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

/// Ids that something is told of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// How many.
    pub count: u64,
    /// The first few of them.
    pub first: Vec<String>,
}

/// What became of labels. Each is in one of the numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Labelled {
    /// `namespace/name` of the rollout.
    pub rollout: String,
    /// Labels that were counted.
    pub counted: u64,
    /// Predictions among them that were wrong.
    pub wrong: u64,
    /// Ids that had a label already, which stays as it is.
    pub again: Told,
    /// Ids of which no prediction is kept: never seen, without a prediction, or too long ago.
    pub unknown: Told,
    /// Ids that a version answered which is neither the canary nor stable now.
    pub elsewhere: Told,
    /// Ids that several answers have.
    pub ambiguous: Told,
    /// Labels of another kind than the prediction: a text where that is a number.
    pub unfit: Told,
    /// The two versions with all that is known of them.
    pub versions: Vec<VersionLabels>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// What is known of the predictions of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionLabels {
    /// Its hash.
    pub version: String,
    /// `canary` or `stable`.
    pub role: String,
    /// Labels that were counted since the update began.
    pub labelled: u64,
    /// Predictions among them that were wrong.
    pub wrong: u64,
}
