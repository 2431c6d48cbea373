//! Pairs: the answer that a user got and the answer to the copy of the same request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Numbers, bins_since, is_zero, since_by_key};

/// What came of the requests of one version that were copied to another one: since the start in a [`super::Snapshot`], within one
/// second in a [`super::Batch`]. A pair counts in the second in which its later answer was complete.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PairCounts {
    /// Name of the route.
    pub route: String,
    /// The version that answered the users.
    pub stable: String,
    /// The version that got the copies.
    pub canary: String,
    /// Which of the two answers were bad. An answer is bad with a status of 500 or above, which the proxy's own 502 and 504 for
    /// an upstream that broke off or took too long are, too.
    pub errors: PairErrors,
    /// Pairs by the classes that the two answers predict, sorted. Each version has at most 20 classes with a name, the same ones;
    /// what is beyond them, and a number with a fraction beside a class, is `other`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Pairs of two successes (2xx) of which at least one has no prediction although a place for it is known.
    #[serde(default, skip_serializing_if = "PairMissing::is_empty")]
    pub missing: PairMissing,
    /// Where both predictions are numbers: the canary's less the stable version's.
    #[serde(default, skip_serializing_if = "Numbers::is_empty")]
    pub differences: Numbers,
    /// Pairs of which neither answer is bad by the ratio of their latencies, the canary's by the stable version's, see [`crate::ratio`].
    /// Both begin when the copy was sent, which is when the body of the request was complete. Bins without any are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_ratios: Vec<(i16, u64)>,
    /// Copied requests that made no pair, by reason. `busy`, `body_too_large`, `no_endpoint` and `incomplete`: the copy was not sent,
    /// see [`super::MirrorCounts::dropped`]. `user_left`: the client did not wait for its answer. `user_refused`: no version answered
    /// the client. `copy_cut`: the proxy ended before the copy was answered, or its answer was too large. Reasons that did not occur are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub incomplete: BTreeMap<String, u64>,
}

/// Pairs by which of their answers were bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PairErrors {
    /// Neither.
    pub both_ok: u64,
    /// The canary's alone.
    pub canary_bad: u64,
    /// The stable version's alone.
    pub stable_bad: u64,
    /// Both.
    pub both_bad: u64,
}

impl PairErrors {
    /// All pairs.
    pub fn total(&self) -> u64 {
        self.both_ok + self.canary_bad + self.stable_bad + self.both_bad
    }
}

/// So many pairs went from one class to another one, or stayed with theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transition {
    /// What the user was told.
    pub stable: String,
    /// What the copy was answered.
    pub canary: String,
    /// Pairs.
    pub count: u64,
}

/// Pairs without both predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PairMissing {
    /// The stable version predicted nothing, the canary did.
    pub stable: u64,
    /// The canary predicted nothing, the stable version did.
    pub canary: u64,
    /// Neither predicted anything.
    pub both: u64,
}

impl PairMissing {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PairCounts {
    /// What came to the counts since `earlier`, which must be an earlier state of the same two versions.
    pub fn since(&self, earlier: &PairCounts) -> PairCounts {
        let (e, m) = (&earlier.errors, &earlier.missing);
        let key = |t: &Transition| (t.stable.clone(), t.canary.clone());
        let before: BTreeMap<_, _> = earlier.transitions.iter().map(|t| (key(t), t.count)).collect();
        let transitions = self
            .transitions
            .iter()
            .map(|t| Transition { count: t.count - before.get(&key(t)).copied().unwrap_or(0), ..t.clone() });
        PairCounts {
            route: self.route.clone(),
            stable: self.stable.clone(),
            canary: self.canary.clone(),
            errors: PairErrors {
                both_ok: self.errors.both_ok - e.both_ok,
                canary_bad: self.errors.canary_bad - e.canary_bad,
                stable_bad: self.errors.stable_bad - e.stable_bad,
                both_bad: self.errors.both_bad - e.both_bad,
            },
            transitions: transitions.filter(|t| t.count > 0).collect(),
            missing: PairMissing {
                stable: self.missing.stable - m.stable,
                canary: self.missing.canary - m.canary,
                both: self.missing.both - m.both,
            },
            differences: self.differences.since(&earlier.differences),
            latency_ratios: bins_since(&self.latency_ratios, &earlier.latency_ratios),
            incomplete: since_by_key(&self.incomplete, &earlier.incomplete),
        }
    }

    pub(crate) fn key(&self) -> (String, String, String) {
        (self.route.clone(), self.stable.clone(), self.canary.clone())
    }

    /// Whether nothing happened.
    pub fn is_quiet(&self) -> bool {
        // What else there is belongs to a pair.
        is_zero(&self.errors.total()) && self.incomplete.values().all(is_zero)
    }
}
