//! The last minutes, second by second.

use std::collections::{BTreeMap, VecDeque};

use crate::report::{Batch, Counts, MirrorCounts, PairCounts, SliceCounts};
use crate::stats::Totals;

/// Batches kept: ten minutes, which bridges the restart of whoever reads them.
const KEPT: usize = 600;

/// Most parts (versions, pairs, values of slices) of the batches that are given at once: about 10 MB on the wire.
const PARTS_MAX: usize = 20_000;

/// Turns counts since the start into counts per second.
#[derive(Debug)]
pub(crate) struct History {
    batches: VecDeque<Batch>,
    before: Totals,
    seq: u64,
    start_ms: u64,
}

impl History {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { batches: VecDeque::with_capacity(KEPT), before: Totals::default(), seq: 0, start_ms: now_ms }
    }

    /// Ends the current second. `totals` are the counts since the start.
    pub(crate) fn push(&mut self, totals: Totals, now_ms: u64) {
        let follows = self.seq;
        // The time makes the numbers grow over a restart; the maximum makes them grow when the time does not.
        self.seq = (self.seq + 1).max(now_ms / 1000);
        let Totals { versions, mirrors, pairs, slices } = &self.before;
        let by_version = |c: &Counts| (c.route.clone(), c.version.clone());
        let mut batch = Batch {
            seq: self.seq,
            follows,
            start_ms: self.start_ms,
            duration_ms: now_ms.saturating_sub(self.start_ms),
            versions: deltas(&totals.versions, versions, by_version, Counts::since),
            mirrors: deltas(&totals.mirrors, mirrors, |m| by_version(&m.counts), MirrorCounts::since),
            pairs: deltas(&totals.pairs, pairs, PairCounts::key, PairCounts::since),
            slices: deltas(&totals.slices, slices, SliceCounts::key, SliceCounts::since),
        };
        batch.versions.retain(|v| !v.is_quiet());
        batch.mirrors.retain(|m| !m.is_quiet());
        batch.pairs.retain(|p| !p.is_quiet());
        batch.slices.retain(|s| !s.is_quiet());
        if self.batches.len() == KEPT {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
        self.before = totals;
        self.start_ms = now_ms;
    }

    /// The batches after `seq`, oldest first; not all of them when they are very large, but one at least.
    pub(crate) fn after(&self, seq: u64) -> Vec<Batch> {
        let first = self.batches.partition_point(|b| b.seq <= seq);
        let mut parts = 0;
        let fits = |batch: &&Batch| {
            let before = parts;
            parts += batch.versions.len() + batch.mirrors.len() + batch.pairs.len() + batch.slices.len();
            before == 0 || parts <= PARTS_MAX
        };
        self.batches.range(first..).take_while(fits).cloned().collect()
    }
}

/// What came to each since the time before. What was not there then has begun at 0.
fn deltas<T: Clone, K: Ord>(now: &[T], before: &[T], key: impl Fn(&T) -> K, since: impl Fn(&T, &T) -> T) -> Vec<T> {
    let before: BTreeMap<K, &T> = before.iter().map(|one| (key(one), one)).collect();
    let delta = |one: &T| before.get(&key(one)).map_or_else(|| one.clone(), |earlier| since(one, earlier));
    now.iter().map(delta).collect()
}

#[cfg(test)]
mod tests;
