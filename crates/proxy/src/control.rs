//! The conversation on the control socket: one JSON request a line, one JSON answer a line.

pub(crate) mod listener;

use serde::{Deserialize, Serialize};

use crate::report::{Batch, Info, Recorded, Snapshot};
use crate::table::Table;

/// Longest line either side takes, in bytes.
pub(crate) const LINE_MAX: u64 = 64 * 1024 * 1024;

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    SetTable {
        table: Table,
        #[serde(default)]
        force: bool,
    },
    Table,
    Stats,
    Batches {
        #[serde(default)]
        after: u64,
    },
    Predictions {
        route: String,
        #[serde(default)]
        after: u64,
    },
    CloseUnits {
        route: String,
    },
    Metrics,
    Info,
    Drain,
    Stop,
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The version of the table now in force.
    Version(u64),
    Table(Table),
    Stats(Snapshot),
    Batches(Vec<Batch>),
    Predictions(Recorded),
    Metrics(String),
    Info(Info),
    Done,
    Invalid(Vec<String>),
    Stale {
        given: u64,
        current: u64,
    },
    /// The request was not understood.
    Refused(String),
}
