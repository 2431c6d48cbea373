//! Counting: cheap to write from the workers, read as a whole by the control thread.
//!
//! Every worker has a shard of its own of every version, so that a counter has one writer and is raised by a plain load and store;
//! no two workers ever touch the same cache line for an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::prediction::{OTHER, Prediction};
use crate::report::{ByClass, Counts, MirrorCounts};
use crate::sketch::latency;

mod cells;
mod pairs;
mod registry;
mod ring;
mod slices;
mod units;

use cells::{Cell, Names, NumberShard, cells};
pub(crate) use pairs::{Gap, Half, PairStats};
pub(crate) use registry::{Statistics, Totals};
pub(crate) use ring::{Ring, keepable};
pub(crate) use slices::{SliceStats, Values};
use units::UnitStats;

/// Classes of predictions counted by name. Each is a metric series; beyond these a label is likelier to be free text than a class.
const CLASSES_MAX: usize = 20;
/// All classes, that of those without a name included.
const CLASSES: usize = CLASSES_MAX + 1;

/// The counters of one version of one route.
#[derive(Debug)]
pub(crate) struct VersionStats {
    route: String,
    version: String,
    /// The names of the classes; their counts are in the shards at the same index.
    classes: Arc<Names<CLASSES_MAX>>,
    pub(crate) units: UnitStats,
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
    drawn: Cell,
    missing: Cell,
    latency_us_sum: Cell,
    latency: [Cell; latency::BINS],
    predictions: [Cell; CLASSES],
    numbers: NumberShard,
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
            drawn: Cell::default(),
            missing: Cell::default(),
            latency_us_sum: Cell::default(),
            latency: cells(),
            predictions: cells(),
            numbers: NumberShard::default(),
        }
    }
}

impl VersionStats {
    fn new(route: &str, version: &str, workers: usize) -> Self {
        Self {
            route: route.to_owned(),
            version: version.to_owned(),
            classes: Arc::default(),
            units: UnitStats::default(),
            losses: Default::default(),
            shards: (0..workers).map(|_| Shard::new()).collect(),
        }
    }

    /// Returns the index of the class, if the prediction has one.
    fn count_prediction(&self, worker: usize, prediction: Option<&Prediction<'_>>) -> Option<usize> {
        let shard = &self.shards[worker];
        let Some(prediction) = prediction else {
            shard.missing.add(1);
            return None;
        };
        if let Prediction::Number { value, .. } = prediction {
            shard.numbers.add(*value);
        }
        let class = self.classes.index(prediction.class()?);
        shard.predictions[class].add(1);
        Some(class)
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
            predictions: named(&self.classes, |i| sum(&|s| &s.predictions[i])),
            numbers: NumberShard::sum(self.shards.iter().map(|s| &s.numbers)),
            predictions_missing: sum(&|s| &s.missing),
            drawn: sum(&|s| &s.drawn),
            // The table knows it.
            weight: None,
            units: self.units.counts(),
        }
    }
}

/// Counts by class, without those that are 0.
fn named(classes: &Names<CLASSES_MAX>, count: impl Fn(usize) -> u64) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for i in 0..CLASSES {
        let name = if i == CLASSES_MAX { Some(OTHER) } else { classes.get(i) };
        let n = count(i);
        if let Some(name) = name.filter(|_| n > 0) {
            // A class may itself be called `other`.
            *out.entry(name.to_owned()).or_insert(0) += n;
        }
    }
    out
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

    /// The weights chose this version.
    pub(crate) fn drawn(&self) {
        self.stats.shards[self.worker].drawn.add(1);
    }

    pub(crate) fn retried(&self) {
        self.stats.shards[self.worker].retries.add(1);
    }

    /// Microseconds from the beginning.
    pub(crate) fn took_us(&self, now: Instant) -> u64 {
        micros(self.begun, now)
    }

    /// Counts the answer, which took so many microseconds. The request stays in flight until the tally is dropped, for the sake of
    /// tunnels.
    pub(crate) fn answered(&mut self, status: u16, us: u64) {
        debug_assert!(!self.answered, "one answer a request");
        self.answered = true;
        let shard = &self.stats.shards[self.worker];
        shard.by_class[usize::from(status / 100).clamp(1, 5) - 1].add(1);
        shard.latency_us_sum.add(us);
        shard.latency[latency::bin(us)].add(1);
    }

    /// Counts the prediction; the index of its class if it has one.
    pub(crate) fn predicted(&self, prediction: Option<&Prediction<'_>>) -> Option<usize> {
        self.stats.count_prediction(self.worker, prediction)
    }
}

/// Microseconds between two instants; 0 when they stand the other way round.
pub(crate) fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
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

#[cfg(test)]
mod tests;
