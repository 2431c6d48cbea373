//! All statistics, those of earlier tables included.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::{PairStats, SliceStats, Values, VersionStats};
use crate::report::{Counts, MirrorCounts, PairCounts, SliceCounts};

/// Everything counted since the start, each list sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) versions: Vec<Counts>,
    pub(crate) mirrors: Vec<MirrorCounts>,
    pub(crate) pairs: Vec<PairCounts>,
    pub(crate) slices: Vec<SliceCounts>,
}

/// The counters by what they are about. A table that names them again goes on with them.
#[derive(Debug)]
pub(crate) struct Statistics {
    workers: usize,
    versions: Registry<(String, String), VersionStats>,
    /// Those of the versions that get copies.
    mirrors: Registry<(String, String), VersionStats>,
    pairs: Registry<(String, String, String), PairStats>,
    slices: Registry<(String, String, String), SliceStats>,
    values: Registry<(String, String), Values>,
}

impl Statistics {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            versions: Registry::default(),
            mirrors: Registry::default(),
            pairs: Registry::default(),
            slices: Registry::default(),
            values: Registry::default(),
        }
    }

    /// The counters of a version, which begin at 0 when it is new.
    pub(crate) fn version(&mut self, route: &str, version: &str) -> Arc<VersionStats> {
        let workers = self.workers;
        self.versions.entry((route.into(), version.into()), || VersionStats::new(route, version, workers))
    }

    /// The same for copies.
    pub(crate) fn mirror(&mut self, route: &str, version: &str) -> Arc<VersionStats> {
        let workers = self.workers;
        self.mirrors.entry((route.into(), version.into()), || VersionStats::new(route, version, workers))
    }

    /// The counters of the requests that `stable` answered and of which `canary` got copies.
    pub(crate) fn pair(&mut self, route: &str, stable: &str, canary: &str) -> Arc<PairStats> {
        let key = (route.into(), stable.into(), canary.into());
        let workers = self.workers;
        self.pairs.entry(key, || PairStats::new(route, stable, canary, workers))
    }

    /// The counters of a version by the values of a slice.
    pub(crate) fn slice(&mut self, route: &str, slice: &str, version: &Arc<VersionStats>) -> Arc<SliceStats> {
        let values = self.values.entry((route.into(), slice.into()), Values::default);
        let key = (route.into(), version.version.clone(), slice.into());
        let workers = self.workers;
        self.slices.entry(key, || SliceStats::new(slice, version, values, workers))
    }

    /// Forgets what nothing has counted into since before `cut`: no table in force holds it, and no request under way.
    pub(crate) fn sweep(&mut self, now: Instant, cut: Option<Instant>) {
        self.versions.sweep(now, cut);
        self.mirrors.sweep(now, cut);
        self.pairs.sweep(now, cut);
        self.slices.sweep(now, cut);
        self.values.sweep(now, cut);
    }

    /// Closes the units of visitors that were silent for long enough at `now_ms` since the start of the proxy.
    pub(crate) fn close_silent_units(&self, now_ms: u64) {
        self.versions.all().for_each(|v| v.units.close_silent(now_ms));
    }

    /// Closes all units of a route.
    pub(crate) fn close_units(&self, route: &str) {
        self.versions.all().filter(|v| v.route == route).for_each(|v| v.units.close_all());
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            versions: self.versions.all().map(|v| v.counts()).collect(),
            mirrors: self.mirrors.all().map(|v| v.mirror_counts()).collect(),
            pairs: self.pairs.all().map(|p| p.counts()).collect(),
            slices: self.slices.all().flat_map(|s| s.counts()).collect(),
        }
    }
}

/// Counters that are shared with whoever counts.
#[derive(Debug)]
struct Registry<K, T>(BTreeMap<K, Entry<T>>);

#[derive(Debug)]
struct Entry<T> {
    stats: Arc<T>,
    gone: Option<Instant>,
}

impl<K, T> Default for Registry<K, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, T> Registry<K, T> {
    fn entry(&mut self, key: K, new: impl FnOnce() -> T) -> Arc<T> {
        self.0.entry(key).or_insert_with(|| Entry { stats: Arc::new(new()), gone: None }).stats.clone()
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        self.0.values().map(|entry| &*entry.stats)
    }

    fn sweep(&mut self, now: Instant, cut: Option<Instant>) {
        self.0.retain(|_, entry| {
            // Tables and requests hold the counters that they add to.
            if Arc::strong_count(&entry.stats) > 1 {
                entry.gone = None;
                return true;
            }
            let gone = *entry.gone.get_or_insert(now);
            cut.is_none_or(|cut| gone > cut)
        });
    }
}
