//! The predictions of single requests, for a comparison with what turns out to be true.

use serde::{Deserialize, Serialize};

/// A page of the predictions that a route keeps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// Those after the number that was asked for, oldest first; at most [`PAGE_MAX`]. Ask again from the last one's number.
    pub entries: Vec<RecordedPrediction>,
    /// Whether there are more.
    pub more: bool,
    /// Number of the oldest one that is kept. Where it is above the number that was asked for plus one, some have been lost in between.
    pub oldest: u64,
    /// How many have made room for newer ones since the route began to keep them.
    pub dropped: u64,
    /// How many were not kept, since their request id is too long or has other than visible characters.
    pub skipped: u64,
}

/// Most entries of a page.
pub const PAGE_MAX: usize = 1_000;

/// One prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedPrediction {
    /// Grows by one with every entry, and over a restart of the proxy.
    pub seq: u64,
    /// Unix time of the answer in milliseconds.
    pub time_ms: u64,
    /// The `X-Request-Id`, which the client got, too. A client may choose it, and choose it twice.
    pub id: String,
    /// The version that answered.
    pub version: String,
    /// A string, `true`, `false`, or the digits of an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// A number, integers included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<f64>,
}
