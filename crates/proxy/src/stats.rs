//! Counting: cheap to write from the workers, read as a whole by the control thread.
//!
//! Every worker has a shard of its own of every version, so that a counter has one writer and is raised by a plain load and store;
//! no two workers ever touch the same cache line for an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use crate::prediction::{OTHER, Prediction};
use crate::report::{ByClass, Counts, MirrorCounts, Numbers, Units};
use crate::sketch::{latency, number};

/// Classes of predictions counted by name. Each is a metric series; beyond these a label is likelier to be free text than a class.
pub(crate) const CLASSES_MAX: usize = 20;

/// The counters of one version of one route.
#[derive(Debug)]
pub(crate) struct VersionStats {
    route: String,
    version: String,
    /// The names of the classes in the order of their appearance; their counts are in the shards at the same index.
    classes: [OnceLock<Box<str>>; CLASSES_MAX],
    naming: Mutex<()>,
    /// Copies that were not sent, by [`Loss`].
    losses: [AtomicU64; Loss::ALL.len()],
    shards: Box<[Shard]>,
}

/// Why a copy of a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The body is larger than what is kept for copies.
    BodyTooLarge,
    /// As many copies as allowed are on their way.
    Busy,
    /// The mirrored version has no endpoint.
    NoEndpoint,
    /// The request was broken off before its body was complete, or its answer did not wait for that.
    Incomplete,
}

impl Loss {
    const ALL: [Self; 4] = [Self::BodyTooLarge, Self::Busy, Self::NoEndpoint, Self::Incomplete];

    /// The label of the metric.
    fn label(self) -> &'static str {
        match self {
            Self::BodyTooLarge => "body_too_large",
            Self::Busy => "busy",
            Self::NoEndpoint => "no_endpoint",
            Self::Incomplete => "incomplete",
        }
    }
}

/// One worker's part. Aligned, so that neighbours do not share a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Shard {
    by_class: [Cell; 5],
    aborted: Cell,
    fallbacks: Cell,
    retries: Cell,
    begun: Cell,
    ended: Cell,
    missing: Cell,
    latency_us_sum: Cell,
    latency: [Cell; latency::BINS],
    predictions: [Cell; CLASSES_MAX + 1],
    numbers: OnceLock<Box<NumberShard>>,
}

/// Only versions that predict numbers need the room.
#[derive(Debug)]
struct NumberShard {
    count: Cell,
    /// Bits of an f64.
    sum: Cell,
    /// Bits of an f64.
    sum_squares: Cell,
    bins: [Cell; number::BINS],
}

/// A counter with one writer.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    fn add_f64(&self, x: f64) {
        self.0.store((f64::from_bits(self.0.load(Relaxed)) + x).to_bits(), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

fn cells<const N: usize>() -> [Cell; N] {
    [(); N].map(|()| Cell::default())
}

impl Shard {
    fn new() -> Self {
        Self {
            by_class: cells(),
            aborted: Cell::default(),
            fallbacks: Cell::default(),
            retries: Cell::default(),
            begun: Cell::default(),
            ended: Cell::default(),
            missing: Cell::default(),
            latency_us_sum: Cell::default(),
            latency: cells(),
            predictions: cells(),
            numbers: OnceLock::new(),
        }
    }
}

impl VersionStats {
    fn new(route: &str, version: &str, workers: usize) -> Self {
        Self {
            route: route.to_owned(),
            version: version.to_owned(),
            classes: [(); CLASSES_MAX].map(|()| OnceLock::new()),
            naming: Mutex::new(()),
            losses: Default::default(),
            shards: (0..workers).map(|_| Shard::new()).collect(),
        }
    }

    fn count_prediction(&self, worker: usize, prediction: Option<Prediction<'_>>) {
        let shard = &self.shards[worker];
        let class = match prediction {
            None => return shard.missing.add(1),
            Some(Prediction::Class(class)) => Some(self.class(&class)),
            Some(Prediction::Number { value, integer }) => {
                let numbers = shard.numbers.get_or_init(|| {
                    let empty = Cell::default;
                    Box::new(NumberShard { count: empty(), sum: empty(), sum_squares: empty(), bins: cells() })
                });
                numbers.sum.add_f64(value);
                numbers.sum_squares.add_f64(value * value);
                numbers.bins[place(number::bin(value))].add(1);
                numbers.count.add(1);
                integer.map(|digits| self.class(digits))
            }
        };
        if let Some(class) = class {
            shard.predictions[class].add(1);
        }
    }

    /// The index of a class: a few comparisons, and a lock only for one that is new.
    fn class(&self, name: &str) -> usize {
        let known = |slots: &[OnceLock<Box<str>>]| slots.iter().position(|s| s.get().is_none_or(|n| **n == *name));
        let Some(i) = known(&self.classes) else { return CLASSES_MAX };
        if self.classes[i].get().is_some() {
            return i;
        }
        let _naming = self.naming.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(i) = known(&self.classes) else { return CLASSES_MAX };
        self.classes[i].get_or_init(|| name.into());
        i
    }

    /// Counts a copy that is not sent.
    pub(crate) fn lose(&self, loss: Loss) {
        self.losses[loss as usize].fetch_add(1, Relaxed);
    }

    /// What became of the copies.
    pub(crate) fn mirror_counts(&self) -> MirrorCounts {
        let dropped = Loss::ALL.map(|loss| (loss.label().to_owned(), self.losses[loss as usize].load(Relaxed)));
        MirrorCounts { counts: self.counts(), dropped: dropped.into() }
    }

    /// The sum over the workers.
    pub(crate) fn counts(&self) -> Counts {
        let sum = |cell: &dyn Fn(&Shard) -> &Cell| self.shards.iter().map(|s| cell(s).get()).sum::<u64>();
        // The end first: a request that ends in between is then in flight still, rather than fewer than none.
        let ended = sum(&|s| &s.ended);
        let latency = (0..latency::BINS).map(|bin| (bin as u16, sum(&|s| &s.latency[bin])));
        let class = |i: usize| self.classes.get(i).map_or(Some(OTHER), |c| c.get().map(|n| &**n));
        let mut predictions = BTreeMap::new();
        for i in 0..=CLASSES_MAX {
            let count = sum(&|s| &s.predictions[i]);
            if let Some(name) = class(i).filter(|_| count > 0) {
                *predictions.entry(name.to_owned()).or_insert(0) += count;
            }
        }
        Counts {
            route: self.route.clone(),
            version: self.version.clone(),
            by_class: ByClass {
                informational: sum(&|s| &s.by_class[0]),
                success: sum(&|s| &s.by_class[1]),
                redirect: sum(&|s| &s.by_class[2]),
                client_error: sum(&|s| &s.by_class[3]),
                server_error: sum(&|s| &s.by_class[4]),
            },
            aborted: sum(&|s| &s.aborted),
            fallbacks: sum(&|s| &s.fallbacks),
            retries: sum(&|s| &s.retries),
            in_flight: sum(&|s| &s.begun).saturating_sub(ended),
            latency_us_sum: sum(&|s| &s.latency_us_sum),
            latency: latency.filter(|(_, count)| *count > 0).collect(),
            predictions,
            numbers: self.numbers(),
            predictions_missing: sum(&|s| &s.missing),
            drawn: 0,
            weight: None,
            units: Units::default(),
        }
    }

    fn numbers(&self) -> Numbers {
        let shards = || self.shards.iter().filter_map(|s| s.numbers.get());
        let float = |cell: &Cell| f64::from_bits(cell.get());
        let bins = (-(number::SIDE as i16)..=number::SIDE as i16)
            .map(|bin| (bin, shards().map(|n| n.bins[place(bin)].get()).sum()))
            .filter(|(_, count)| *count > 0);
        Numbers {
            count: shards().map(|n| n.count.get()).sum(),
            // Not `sum()`, whose empty value is -0.0.
            sum: shards().fold(0.0, |sum, n| sum + float(&n.sum)),
            sum_squares: shards().fold(0.0, |sum, n| sum + float(&n.sum_squares)),
            bins: if shards().next().is_some() { bins.collect() } else { Vec::new() },
        }
    }
}

/// The index of a bin of numbers.
fn place(bin: i16) -> usize {
    (i32::from(bin) + number::SIDE as i32) as usize
}

/// A request that is being worked on for a version. Dropped before its end it counts as aborted: every way out of the proxy
/// is either an answer or a client that left.
#[derive(Debug)]
pub(crate) struct Tally {
    stats: Arc<VersionStats>,
    worker: usize,
    begun: Instant,
    answered: bool,
}

impl Tally {
    pub(crate) fn begin(stats: &Arc<VersionStats>, worker: usize, now: Instant) -> Self {
        stats.shards[worker].begun.add(1);
        Self { stats: stats.clone(), worker, begun: now, answered: false }
    }

    /// Ends the request here: another version has to answer it, or none can.
    pub(crate) fn fall_back(mut self) {
        self.answered = true;
        self.stats.shards[self.worker].fallbacks.add(1);
    }

    pub(crate) fn retried(&self) {
        self.stats.shards[self.worker].retries.add(1);
    }

    /// Counts the answer. The request stays in flight until the tally is dropped, for the sake of tunnels.
    pub(crate) fn answered(&mut self, status: u16, now: Instant) {
        debug_assert!(!self.answered, "one answer a request");
        self.answered = true;
        let shard = &self.stats.shards[self.worker];
        let us = u64::try_from(now.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX);
        shard.by_class[usize::from(status / 100).clamp(1, 5) - 1].add(1);
        shard.latency_us_sum.add(us);
        shard.latency[latency::bin(us)].add(1);
    }

    pub(crate) fn predicted(&self, prediction: Option<Prediction<'_>>) {
        self.stats.count_prediction(self.worker, prediction);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let shard = &self.stats.shards[self.worker];
        if !self.answered {
            shard.aborted.add(1);
        }
        shard.ended.add(1);
    }
}

/// The statistics of all versions, those of earlier tables included.
#[derive(Debug)]
pub(crate) struct Registry {
    workers: usize,
    versions: BTreeMap<(String, String), Entry>,
}

#[derive(Debug)]
struct Entry {
    stats: Arc<VersionStats>,
    gone: Option<Instant>,
}

impl Registry {
    pub(crate) fn new(workers: usize) -> Self {
        Self { workers, versions: BTreeMap::new() }
    }

    /// The counters of a version, which begin at 0 when it is new.
    pub(crate) fn version(&mut self, route: &str, version: &str) -> Arc<VersionStats> {
        let entry = self
            .versions
            .entry((route.to_owned(), version.to_owned()))
            .or_insert_with(|| Entry { stats: Arc::new(VersionStats::new(route, version, self.workers)), gone: None });
        entry.stats.clone()
    }

    /// Marks the versions that are in no table any more, and forgets those that have been in none since before `cut`.
    pub(crate) fn sweep(&mut self, now: Instant, cut: Option<Instant>, mut is_wanted: impl FnMut(&str, &str) -> bool) {
        self.versions.retain(|(route, version), entry| {
            // A request in flight holds the counters it will be added to.
            if is_wanted(route, version) || Arc::strong_count(&entry.stats) > 1 {
                entry.gone = None;
                return true;
            }
            let gone = *entry.gone.get_or_insert(now);
            cut.is_none_or(|cut| gone > cut)
        });
    }

    /// The counts of all versions, sorted by route and version.
    pub(crate) fn counts(&self) -> Vec<Counts> {
        self.versions.values().map(|e| e.stats.counts()).collect()
    }

    /// The same for versions that get copies.
    pub(crate) fn mirror_counts(&self) -> Vec<MirrorCounts> {
        self.versions.values().map(|e| e.stats.mirror_counts()).collect()
    }
}

#[cfg(test)]
mod tests;
