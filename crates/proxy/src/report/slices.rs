//! Counts of the requests of a version that share a quality, and of its visitors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{bins_since, is_zero, since_by_key};

/// The value of requests without one.
pub const NONE: &str = "none";

/// What one version did with the requests of one value of a slice: since the start in a [`super::Snapshot`], within one second in a
/// [`super::Batch`]. Every answer of the version is in exactly one value of each slice of the route.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SliceCounts {
    /// Name of the route.
    pub route: String,
    /// The version.
    pub version: String,
    /// Name of the slice.
    pub slice: String,
    /// The value, [`NONE`] where there is none, [`crate::prediction::OTHER`] for those beyond the 32nd.
    pub value: String,
    /// Answers.
    pub answered: u64,
    /// Of these the server errors, counted as in [`super::Counts::by_class`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_error: u64,
    /// Answers per latency bin, see [`crate::sketch::latency`].
    pub latency: Vec<(u16, u64)>,
    /// Answers per class of the prediction, the same classes as in [`super::Counts::predictions`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predictions: BTreeMap<String, u64>,
}

impl SliceCounts {
    /// What came to the counts since `earlier`, which must be an earlier state of the same value.
    pub fn since(&self, earlier: &SliceCounts) -> SliceCounts {
        SliceCounts {
            route: self.route.clone(),
            version: self.version.clone(),
            slice: self.slice.clone(),
            value: self.value.clone(),
            answered: self.answered - earlier.answered,
            server_error: self.server_error - earlier.server_error,
            latency: bins_since(&self.latency, &earlier.latency),
            predictions: since_by_key(&self.predictions, &earlier.predictions),
        }
    }

    pub(crate) fn key(&self) -> (String, String, String, String) {
        (self.route.clone(), self.version.clone(), self.slice.clone(), self.value.clone())
    }

    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        self.answered == 0 && self.latency.is_empty() && self.predictions.is_empty()
    }
}

/// The visitors of a version, each as one unit: the share of its requests that got a server error, 0 to 1. Those that are closed,
/// see [`crate::table::UnitLimits`]. Requests without the cookie or header, and those that a header route took, belong to no unit.
///
/// Shares are rounded to 2^-20, so that sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Units {
    /// Units.
    pub count: u64,
    /// The sum of their shares.
    pub bad_sum: f64,
    /// The sum of the squares of their shares.
    pub bad_square_sum: f64,
    /// Of the units those that closed early, since the version had more visitors at once than are kept apart (65,536).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub early: u64,
    /// Units not closed yet, at the end of the time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open: u64,
}

impl Units {
    pub(super) fn since(&self, earlier: &Units) -> Units {
        Units {
            count: self.count - earlier.count,
            bad_sum: self.bad_sum - earlier.bad_sum,
            bad_square_sum: self.bad_square_sum - earlier.bad_square_sum,
            early: self.early - earlier.early,
            open: self.open,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.count + self.open == 0
    }
}
