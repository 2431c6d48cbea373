//! From one reading of the counters to the next: what happened in between, as far as counters can tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Counter, Reading, Resets, SERIES_MAX, SeriesId, Source};

/// What a look at the counters says of the time since the look before.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The first look. What was counted before it belongs to nobody; what comes is counted from here.
    First,
    /// What happened since the last look that could be used.
    Counts(Interval),
    /// These counters went down, or jumped so that they may have been down in between, and are sums over processes, so nobody
    /// knows what was lost. The time since the last look counts for neither version.
    Reset {
        /// The counters, in the order of [`Source::ALL`].
        which: Vec<Source>,
    },
    /// There is no usable answer. What happened is counted at the next look, if that comes in time.
    Missing {
        /// Why, for a person.
        why: String,
    },
    /// The last usable look was too long ago to say anything about the time in between, which counts for neither version.
    Gap {
        /// Milliseconds since then.
        ms: i64,
    },
    /// The clock went back. Nothing counts until it is past the last look again, since what the counters said at those times
    /// has been counted.
    Backwards {
        /// Milliseconds before the last look; 0 if it is the same time.
        by_ms: i64,
    },
}

/// What happened between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The earlier look, in milliseconds since 1970.
    pub start_ms: i64,
    /// The later one.
    pub end_ms: i64,
    /// The canary's answers.
    pub canary: Growth,
    /// Stable's answers.
    pub stable: Growth,
    /// Series that began anew since the earlier look: processes that were restarted. What they counted between the earlier look
    /// and their end is lost.
    pub restarts: usize,
}

/// The answers of one version.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Growth {
    /// Bad ones; never more than `total`.
    pub bad: f64,
    /// All.
    pub total: f64,
    /// Bad ones that were counted before the answers that they belong to, since the two counters are not read at the same
    /// instant. They are added to the next interval that has room for them. A number that stays or grows says that the one
    /// counter is no part of the other.
    pub carried: f64,
}

/// Where the last look left the counters: plain data, some 30 bytes of JSON for each series.
///
/// Looks may come at any interval; between two scrapes nothing happens, and what a scrape brings is counted once.
///
/// - A series that is new was not there at the last usable look, so all that it counts happened since.
/// - A series that is gone is remembered, and counted from where it was when it comes back: a scrape that failed is no restart.
/// - [`Resets::PerSeries`]: a series that falls to less than half began anew, so what it counts happened since. One that falls
///   by less was read from an older sample, as two servers behind one address give it: its highest value stays the base.
///   (A process that catches up so fast is taken for that, too, and what it counts until it is past its old value is lost.)
/// - [`Resets::Sum`]: a sum that falls lost a process with all that it had counted, which is unknown. That interval is missing,
///   and so is one in which the sum grows by as much again, since the process may just have come back with what was counted long ago.
///
/// With these rules nothing is counted that did not happen, and nothing twice, with two exceptions that no counter tells:
/// a process that ran before the first look and is not scraped until after it looks like a new one; and a process that
/// comes back into a sum later than the first such jump looks like requests. So series are taken one by one where the query
/// leaves them apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    resets: [Resets; 4],
    gap_max_ms: i64,
    /// The last usable look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    base_ms: Option<i64>,
    counters: [Base; 4],
    /// Bad answers that are counted and not told yet, of the canary and of stable.
    carried: [f64; 2],
}

/// The base of one counter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Base {
    /// The series of the last usable look.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    present: BTreeMap<SeriesId, f64>,
    /// Series that were there before: their last value, and when it was seen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    gone: BTreeMap<SeriesId, (f64, i64)>,
    /// By how much a sum fell at least, until a jump of that size may have brought it back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fell: Option<f64>,
}

/// How a counter came to its value.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    growth: f64,
    restarts: usize,
    /// Nobody knows how much it grew.
    unknown: bool,
}

impl Cursor {
    /// Longest time between two looks, in milliseconds, that is one interval unless the metric says otherwise: as long as
    /// Prometheus takes the last sample of a series for its value.
    pub const GAP_MAX_MS: i64 = 300_000;

    /// Before the first look. `resets` says what it means when a counter of [`Source::ALL`] falls, and `gap_max_ms` how
    /// long two looks may be apart.
    pub fn new(resets: [Resets; 4], gap_max_ms: i64) -> Cursor {
        Cursor { resets, gap_max_ms, base_ms: None, counters: Default::default(), carried: [0.0; 2] }
    }

    /// When the counters were last looked at with success, in milliseconds since 1970.
    pub fn last_ms(&self) -> Option<i64> {
        self.base_ms
    }

    /// Whether this is the cursor `before` after a look that found the same numbers, and another one soon enough tells as much: until half of the longest
    /// time between two looks is over.
    pub fn stands_as(&self, before: &Cursor) -> bool {
        let (Some(now_ms), Some(before_ms)) = (self.base_ms, before.base_ms) else { return self == before };
        let soon = now_ms.saturating_sub(before_ms) <= self.gap_max_ms / 2;
        soon && Cursor { base_ms: self.base_ms, ..before.clone() } == *self
    }

    /// What the next look says; an error is one that had no answer.
    pub fn advance(&mut self, reading: Result<Reading, String>) -> Delta {
        let reading = match reading {
            Ok(reading) => reading,
            Err(why) => return Delta::Missing { why },
        };
        if let Some(base_ms) = self.base_ms.filter(|base_ms| reading.at_ms <= *base_ms) {
            return Delta::Backwards { by_ms: base_ms.saturating_sub(reading.at_ms) };
        }
        if let Some(why) = reading.problem() {
            return Delta::Missing { why };
        }
        let absent = Source::ALL.into_iter().filter(|s| s.is_total() && reading.counter(*s).is_absent());
        if let Some(source) = absent.clone().next() {
            // Without series at the last look either, the first ones that come are counted from 0; so this look is a base.
            if absent.into_iter().all(|source| self.counters[source as usize].present.is_empty()) {
                self.steps(&reading);
            }
            return Delta::Missing { why: format!("there are no series for {source}") };
        }
        let Some(start_ms) = self.base_ms else {
            self.steps(&reading);
            return Delta::First;
        };
        let ms = reading.at_ms.saturating_sub(start_ms);
        if ms > self.gap_max_ms {
            self.steps(&reading);
            return Delta::Gap { ms };
        }
        let earlier = self.carried;
        let steps = self.steps(&reading);
        let which: Vec<Source> = Source::ALL.into_iter().filter(|source| steps[*source as usize].unknown).collect();
        if !which.is_empty() {
            return Delta::Reset { which };
        }
        self.carried = earlier;
        let [canary_bad, canary_total, stable_bad, stable_total] = steps.map(|step| step.growth);
        Delta::Counts(Interval {
            start_ms,
            end_ms: reading.at_ms,
            canary: consistent(&mut self.carried[0], canary_bad, canary_total),
            stable: consistent(&mut self.carried[1], stable_bad, stable_total),
            restarts: steps.iter().map(|step| step.restarts).sum(),
        })
    }

    /// Makes a reading the base, and gives how the counters came there. What was carried belongs to the time before.
    fn steps(&mut self, reading: &Reading) -> [Step; 4] {
        let start_ms = self.base_ms.replace(reading.at_ms).unwrap_or(reading.at_ms);
        let window = Window { start_ms, end_ms: reading.at_ms, gap_max_ms: self.gap_max_ms };
        self.carried = [0.0; 2];
        Source::ALL.map(|source| {
            let base = &mut self.counters[source as usize];
            match self.resets[source as usize] {
                Resets::PerSeries => base.step_each(reading.counter(source), window),
                Resets::Sum => base.step_whole(reading.counter(source), window),
            }
        })
    }
}

/// As many bad answers as fit among all of an interval; the others are carried to the next.
fn consistent(carried: &mut f64, bad: f64, total: f64) -> Growth {
    let known = *carried + bad;
    let bad = known.min(total);
    *carried = known - bad;
    Growth { bad, total, carried: *carried }
}

/// From one look to the next.
#[derive(Clone, Copy)]
struct Window {
    start_ms: i64,
    end_ms: i64,
    gap_max_ms: i64,
}

impl Base {
    /// Each series by itself.
    fn step_each(&mut self, counter: &Counter, window: Window) -> Step {
        let mut step = Step::default();
        let mut highest = counter.clone();
        for (id, value) in &mut highest.0 {
            let before = match (self.present.get(id), self.gone.get(id)) {
                (Some(before), _) => *before,
                (None, Some((before, seen_ms))) if window.end_ms.saturating_sub(*seen_ms) <= window.gap_max_ms => {
                    *before
                }
                // Too long ago to say when it grew.
                (None, Some(_)) => continue,
                (None, None) => 0.0,
            };
            if *value >= before {
                step.growth += *value - before;
            } else if *value < before / 2.0 {
                step.growth += *value;
                step.restarts += 1;
            } else {
                *value = before;
            }
        }
        self.replace(&highest, window.start_ms);
        step
    }

    /// All series as parts of sums.
    fn step_whole(&mut self, counter: &Counter, window: Window) -> Step {
        let sum = |series: &BTreeMap<SeriesId, f64>| series.values().sum::<f64>();
        let fell = self.present.iter().map(|(id, before)| before - counter.0.get(id).copied().unwrap_or(0.0));
        let fell =
            fell.filter(|by| *by > 0.0).fold(None, |least: Option<f64>, by| Some(least.map_or(by, |l| l.min(by))));
        let growth = sum(&counter.0) - sum(&self.present);
        let back = self.fell.is_some_and(|fell| growth >= fell);
        self.fell = match (fell, self.fell) {
            (Some(now), Some(earlier)) => Some(now.min(earlier)),
            (Some(now), None) => Some(now),
            (None, earlier) => earlier.filter(|_| !back),
        };
        self.replace(counter, window.start_ms);
        // What is gone was a part of a sum, and comes back as one.
        self.gone.clear();
        Step { growth, restarts: 0, unknown: fell.is_some() || back }
    }

    /// Takes over the series of a look; those that are not there any more were last seen at `seen_ms`.
    fn replace(&mut self, counter: &Counter, seen_ms: i64) {
        let before = std::mem::replace(&mut self.present, counter.0.clone());
        self.gone.extend(before.into_iter().map(|(id, value)| (id, (value, seen_ms))));
        self.gone.retain(|id, _| !self.present.contains_key(id));
        while self.present.len() + self.gone.len() > SERIES_MAX {
            let Some((oldest, _)) = self.gone.iter().min_by_key(|(_, (_, seen_ms))| *seen_ms) else { break };
            let oldest = *oldest;
            self.gone.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
