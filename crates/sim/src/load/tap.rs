//! What the tests of a rollout look at: answers to users by version, by the second, as the router of one machine counts them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::{Hash, Time};
use serin_stats::batch::{Arm, Batch};
use serin_stats::sketch::latency;

use super::export::Counters;

/// Counts by version since they were last taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap {
    counts: BTreeMap<Hash, Counters>,
    seq: u64,
    since: Option<Time>,
}

/// Upper bounds of the bins of latencies, in seconds.
pub(super) fn bounds() -> Arc<[f64]> {
    (0..latency::BINS).filter_map(latency::upper_us).map(|us| us as f64 / 1e6).collect()
}

impl Tap {
    pub(super) fn add(&mut self, version: &Hash, new: &Counters) {
        self.counts.entry(version.clone()).or_default().add(new);
    }

    /// What came since the last time, of these two versions.
    pub(super) fn take(&mut self, canary: &Hash, stable: &Hash, classes: &[Arc<str>], now: Time) -> Batch {
        let counts = std::mem::take(&mut self.counts);
        let arm = |version: &Hash| counts.get(version).map(|counts| arm(counts, classes)).unwrap_or_default();
        self.seq += 1;
        let start = self.since.replace(now).unwrap_or(now);
        Batch {
            seq: self.seq,
            start_ms: start.as_millis(),
            end_ms: now.as_millis(),
            canary: arm(canary),
            stable: arm(stable),
            ..Batch::default()
        }
    }
}

fn arm(counts: &Counters, classes: &[Arc<str>]) -> Arm {
    let latency = counts.by_latency.iter().enumerate().filter(|(_, n)| **n > 0);
    let named = classes.iter().zip(&counts.by_class).filter(|(_, n)| **n > 0);
    Arm {
        answered: counts.good + counts.failed,
        errors: counts.failed,
        latency: latency.map(|(bin, n)| (bin as u16, *n)).collect(),
        classes: named.map(|(class, n)| (class.to_string(), *n)).collect(),
        ..Arm::default()
    }
}
