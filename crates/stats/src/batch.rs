//! What two versions answered in one stretch of time, whoever counted it: the router by the second, or counters read now and then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One stretch of both versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Batch {
    /// Grows from batch to batch of one source; what was judged once is known by it.
    pub seq: u64,
    /// Begin in milliseconds on the rollout's clock.
    pub start_ms: i64,
    /// End in milliseconds on the rollout's clock; at or after the begin.
    pub end_ms: i64,
    /// The canary's weight and the sum of all weights that the requests were split by, where the source knows them and they were the
    /// same all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<(u32, u32)>,
    /// Requests that the weights gave to the canary and to stable; without it the answers stand for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<(u64, u64)>,
    /// The new version.
    #[serde(default, skip_serializing_if = "Arm::is_quiet")]
    pub canary: Arm,
    /// The stable version.
    #[serde(default, skip_serializing_if = "Arm::is_quiet")]
    pub stable: Arm,
    /// Requests that both answered, one for the user and one for the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Box<PairCounts>>,
    /// The same answers by the value of a slice: slice, value, (canary, stable).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, BTreeMap<String, (Arm, Arm)>>,
}

/// What one version answered. Counts of what its source does not know are 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Arm {
    /// Answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub answered: u64,
    /// Those that were bad: a status of 500 or above, or what a counter calls bad. At most `answered`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// Answers by bin of [`crate::sketch::latency`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency: Vec<(u16, u64)>,
    /// Predictions by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, u64>,
    /// Predictions that are numbers, by bin of [`crate::sketch::number`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<(i16, u64)>,
    /// Good answers without the prediction that was looked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missing: u64,
    /// Visitors instead of requests, where visitors stay with a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Units>,
    /// Predictions whose truth came to be known: how many, and how many of them were wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labelled: Option<(u64, u64)>,
}

/// Visitors whose visit ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Units {
    /// How many.
    pub count: u64,
    /// The sum of their shares of bad answers, each 0 to 1.
    pub bad: f64,
}

/// Pairs of answers to the same request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PairCounts {
    /// Neither was bad.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub both_good: u64,
    /// Only the canary's was bad.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub canary_bad: u64,
    /// Only stable's was bad.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stable_bad: u64,
    /// Both were bad.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub both_bad: u64,
    /// Pairs of predictions: stable's class, the canary's class, how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<(String, String, u64)>,
    /// Pairs by the bin of the canary's latency over stable's, see [`crate::ratio`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratio: Vec<(i16, u64)>,
}

impl PairCounts {
    /// Pairs in all.
    pub fn total(&self) -> u64 {
        self.both_good + self.canary_bad + self.stable_bad + self.both_bad
    }
}

impl Arm {
    /// Whether nothing was answered.
    pub fn is_quiet(&self) -> bool {
        *self == Self::default()
    }

    /// Predictions that are classes.
    pub fn classified(&self) -> u64 {
        self.classes.values().sum()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}
