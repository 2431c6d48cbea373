//! Counting pairs: the user's answer beside the answer to the copy.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::cells::{Cell, Names, NumberShard, cells};
use super::{CLASSES, CLASSES_MAX, Loss};
use crate::prediction::{OTHER, Prediction};
use crate::ratio;
use crate::report::{PairCounts, PairErrors, PairMissing, Transition};

/// The counters of the requests that one version answered and of which another one got copies.
#[derive(Debug)]
pub(crate) struct PairStats {
    route: String,
    stable: String,
    canary: String,
    classes: Names<CLASSES_MAX>,
    incomplete: [AtomicU64; Gap::ALL.len()],
    shards: Box<[Shard]>,
}

/// Why a copied request makes no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The copy was not sent.
    Lost(Loss),
    /// The client did not wait for its answer.
    UserLeft,
    /// No version answered the client.
    UserRefused,
    /// The proxy ended before the copy was answered, or its answer was too large.
    CopyCut,
}

impl Gap {
    const ALL: [Self; 7] = [
        Self::Lost(Loss::BodyTooLarge),
        Self::Lost(Loss::Busy),
        Self::Lost(Loss::NoEndpoint),
        Self::Lost(Loss::Incomplete),
        Self::UserLeft,
        Self::UserRefused,
        Self::CopyCut,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Lost(loss) => loss.label(),
            Self::UserLeft => "user_left",
            Self::UserRefused => "user_refused",
            Self::CopyCut => "copy_cut",
        }
    }
}

/// One answer of a pair.
#[derive(Debug)]
pub(crate) struct Half<'a> {
    pub(crate) status: u16,
    /// From where the copy was sent to the end of the answer.
    pub(crate) us: u64,
    /// Whether a prediction was looked for.
    pub(crate) looked: bool,
    pub(crate) prediction: Option<Prediction<'a>>,
}

impl Half<'_> {
    fn is_bad(&self) -> bool {
        self.status >= 500
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// One worker's part.
#[derive(Debug)]
#[repr(align(64))]
struct Shard {
    /// By `stable bad + 2 * canary bad`.
    errors: [Cell; 4],
    /// Missing at the stable version, at the canary, at both.
    missing: [Cell; 3],
    /// By `stable class * CLASSES + canary class`.
    transitions: [Cell; CLASSES * CLASSES],
    ratios: [Cell; ratio::BINS],
    differences: NumberShard,
}

impl PairStats {
    pub(super) fn new(route: &str, stable: &str, canary: &str, workers: usize) -> Self {
        let shard = || Shard {
            errors: cells(),
            missing: cells(),
            transitions: cells(),
            ratios: cells(),
            differences: NumberShard::default(),
        };
        Self {
            route: route.to_owned(),
            stable: stable.to_owned(),
            canary: canary.to_owned(),
            classes: Names::default(),
            incomplete: Default::default(),
            shards: (0..workers).map(|_| shard()).collect(),
        }
    }

    /// Counts a request that makes no pair.
    pub(crate) fn give_up(&self, gap: Gap) {
        if let Some(i) = Gap::ALL.iter().position(|g| *g == gap) {
            self.incomplete[i].fetch_add(1, Relaxed);
        }
    }

    /// Counts a pair.
    pub(crate) fn count(&self, worker: usize, stable: &Half<'_>, canary: &Half<'_>) {
        let shard = &self.shards[worker];
        if !stable.is_bad() && !canary.is_bad() {
            // How fast something fails is no answer to how fast it is.
            shard.ratios[place(ratio::bin(canary.us, stable.us))].add(1);
        }
        if stable.is_success() && canary.is_success() && (stable.looked || canary.looked) {
            self.compare(shard, stable.prediction.as_ref(), canary.prediction.as_ref());
        }
        shard.errors[usize::from(stable.is_bad()) + 2 * usize::from(canary.is_bad())].add(1);
    }

    fn compare(&self, shard: &Shard, stable: Option<&Prediction<'_>>, canary: Option<&Prediction<'_>>) {
        let (stable, canary) = match (stable, canary) {
            (Some(stable), Some(canary)) => (stable, canary),
            (None, Some(_)) => return shard.missing[0].add(1),
            (Some(_), None) => return shard.missing[1].add(1),
            (None, None) => return shard.missing[2].add(1),
        };
        if let (Prediction::Number { value: before, .. }, Prediction::Number { value: after, .. }) = (stable, canary) {
            shard.differences.add(after - before);
        }
        let class = |prediction: &Prediction<'_>| prediction.class().map(|name| self.classes.index(name));
        let (from, to) = (class(stable), class(canary));
        if from.is_some() || to.is_some() {
            let index = |class: Option<usize>| class.unwrap_or(CLASSES_MAX);
            shard.transitions[index(from) * CLASSES + index(to)].add(1);
        }
    }

    /// The sum over the workers.
    pub(crate) fn counts(&self) -> PairCounts {
        let sum = |cell: &dyn Fn(&Shard) -> &Cell| self.shards.iter().map(|s| cell(s).get()).sum::<u64>();
        let class = |index: usize| self.classes.get(index).unwrap_or(OTHER).to_owned();
        let transitions = (0..CLASSES * CLASSES).map(|i| (i, sum(&|s| &s.transitions[i])));
        let mut transitions: Vec<_> = transitions
            .filter(|(_, count)| *count > 0)
            .map(|(i, count)| Transition { stable: class(i / CLASSES), canary: class(i % CLASSES), count })
            .collect();
        transitions.sort();
        // A class may itself be called `other`.
        transitions.dedup_by(|later, kept| {
            let same = later.stable == kept.stable && later.canary == kept.canary;
            kept.count += if same { later.count } else { 0 };
            same
        });
        let ratios = (-(ratio::SIDE as i16)..=ratio::SIDE as i16 + 1).map(|bin| (bin, sum(&|s| &s.ratios[place(bin)])));
        let incomplete =
            Gap::ALL.iter().zip(&self.incomplete).map(|(gap, n)| (gap.label().to_owned(), n.load(Relaxed)));
        let error = |i: usize| sum(&|s| &s.errors[i]);
        let missing = |i: usize| sum(&|s| &s.missing[i]);
        PairCounts {
            route: self.route.clone(),
            stable: self.stable.clone(),
            canary: self.canary.clone(),
            errors: PairErrors { both_ok: error(0), stable_bad: error(1), canary_bad: error(2), both_bad: error(3) },
            transitions,
            missing: PairMissing { stable: missing(0), canary: missing(1), both: missing(2) },
            differences: NumberShard::sum(self.shards.iter().map(|s| &s.differences)),
            latency_ratios: ratios.filter(|(_, count)| *count > 0).collect(),
            incomplete: incomplete.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// The index of a bin of ratios.
fn place(bin: i16) -> usize {
    (i32::from(bin) + ratio::SIDE as i32) as usize
}
