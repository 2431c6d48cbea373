//! Counters as the source of a comparison: four PromQL queries become one request, and its answers what happened between looks.
//!
//! Anywhere but behind our own router the outcomes of requests are known from counters: how many a version has answered, and
//! how many of those badly. [`Queries`] asks for four such counters as they are, without `rate`, [`Reading`] is one answer, and
//! [`Cursor`] turns one reading after the other into what happened between them. Whatever the counters cannot tell is missing
//! data, never zero and never a guess.

mod answer;
mod cursor;
mod question;

pub use answer::{ask, read};
pub use cursor::{Cursor, Delta, Growth, Interval};
pub use question::{Queries, Questions, Resets, refusal, request};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of the four counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Requests that the canary answered badly.
    CanaryBad,
    /// Requests that the canary answered.
    CanaryTotal,
    /// Requests that the stable version answered badly.
    StableBad,
    /// Requests that the stable version answered.
    StableTotal,
}

impl Source {
    /// All four, in the order in which they stand everywhere.
    pub const ALL: [Source; 4] = [Source::CanaryBad, Source::CanaryTotal, Source::StableBad, Source::StableTotal];

    /// The name on the wire: `canaryBad`.
    pub fn name(self) -> &'static str {
        match self {
            Source::CanaryBad => "canaryBad",
            Source::CanaryTotal => "canaryTotal",
            Source::StableBad => "stableBad",
            Source::StableTotal => "stableTotal",
        }
    }

    fn is_total(self) -> bool {
        matches!(self, Source::CanaryTotal | Source::StableTotal)
    }
}

/// In words, as messages have it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::CanaryBad => "the canary's bad answers",
            Source::CanaryTotal => "the canary's answers",
            Source::StableBad => "stable's bad answers",
            Source::StableTotal => "stable's answers",
        })
    }
}

/// A series, as far as it has to be told from others of the same counter: a hash of its labels, which is what keeps the state
/// between looks small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(u64);

impl SeriesId {
    /// The series without labels, which a sum is.
    pub const SUM: SeriesId = SeriesId(FNV_OFFSET);

    /// The series with these labels, which are given in the order of their names.
    pub fn of<'l>(labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> SeriesId {
        let mut hash = FNV_OFFSET;
        for (name, value) in labels {
            // 0xff is in no UTF-8 text, so no two sets of labels give the same bytes.
            let bytes = name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]);
            hash = bytes.fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        }
        SeriesId(hash)
    }
}

/// The constants of the 64-bit FNV-1a hash (draft-eastlake-fnv).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// One counter at one time: a number for each of its series; none if the query found nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counter(BTreeMap<SeriesId, f64>);

impl Counter {
    /// A query that found nothing.
    pub fn absent() -> Counter {
        Counter::default()
    }

    /// One number without labels.
    pub fn sum(value: f64) -> Counter {
        Counter::from_iter([(SeriesId::SUM, value)])
    }

    /// Whether the query found nothing.
    pub fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(SeriesId, f64)> for Counter {
    fn from_iter<I: IntoIterator<Item = (SeriesId, f64)>>(series: I) -> Counter {
        Counter(series.into_iter().collect())
    }
}

/// The four counters at one time. They are cumulative: what was counted since the processes started.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The time that was asked for, in milliseconds since 1970.
    pub at_ms: i64,
    /// Requests that the canary answered badly.
    pub canary_bad: Counter,
    /// Requests that the canary answered, the bad ones included.
    pub canary_total: Counter,
    /// Requests that the stable version answered badly.
    pub stable_bad: Counter,
    /// Requests that the stable version answered, the bad ones included.
    pub stable_total: Counter,
}

impl Reading {
    /// One of the four.
    pub fn counter(&self, source: Source) -> &Counter {
        match source {
            Source::CanaryBad => &self.canary_bad,
            Source::CanaryTotal => &self.canary_total,
            Source::StableBad => &self.stable_bad,
            Source::StableTotal => &self.stable_total,
        }
    }

    fn of(at_ms: i64, [canary_bad, canary_total, stable_bad, stable_total]: [Counter; 4]) -> Reading {
        Reading { at_ms, canary_bad, canary_total, stable_bad, stable_total }
    }

    /// Why the reading cannot be used, if it cannot.
    fn problem(&self) -> Option<String> {
        for source in Source::ALL {
            let counter = &self.counter(source).0;
            if counter.len() > SERIES_MAX {
                return Some(format!("{source} are {} series, of which at most {SERIES_MAX} are read", counter.len()));
            }
            if let Some(value) = counter.values().find(|value| !value.is_finite() || **value < 0.0) {
                return Some(format!("{source} are {}, which is no count", serin_promql::format_value(*value)));
            }
        }
        None
    }
}

/// Series that one counter may have: a thousand pods. The state between looks holds them all, and lives in the status of an
/// object, so queries sum over everything but the pod.
const SERIES_MAX: usize = 1000;
