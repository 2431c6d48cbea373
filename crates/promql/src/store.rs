//! The series: in memory, appended to, forgotten after a while.

mod samples;
mod scrape;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use samples::Samples;
pub use scrape::Scrape;

use crate::labels::{Labels, NAME};
use crate::matcher::Matcher;

/// How much a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Samples older than this before the newest one are dropped, a block of some hundred at a time. Milliseconds.
    pub retention_ms: i64,
    /// Most series at a time. Samples of further ones are refused.
    pub series_max: usize,
    /// Most samples at a time, 12 bytes each. Beyond it the oldest are dropped, whatever their age: a short memory is
    /// better than one that learns nothing new.
    pub samples_max: usize,
}

impl Default for Limits {
    /// Six hours, 10,000 series, 20 million samples (240 MB when full; 50 series once a second for two hours are 4.3 MB).
    fn default() -> Self {
        Limits { retention_ms: 6 * 3_600_000, series_max: 10_000, samples_max: 20_000_000 }
    }
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The series has a later sample already.
    #[error("failed to append a sample: it is older than the last one of its series")]
    OutOfOrder,
    /// The series has another value at this time already.
    #[error("failed to append a sample: its series has another value at this time")]
    DuplicateTimestamp,
    /// There are as many series as allowed, and this would be a new one.
    #[error("failed to append a sample: too many series")]
    TooManySeries,
}

/// Series in memory.
#[derive(Debug, Clone)]
pub struct Store {
    limits: Limits,
    /// By metric name, then by all labels: most selections name one metric.
    metrics: BTreeMap<Arc<str>, BTreeMap<Labels, Samples>>,
    series: usize,
    samples: usize,
    newest_ms: i64,
    /// Series without a sample after this time have been removed.
    swept_ms: i64,
    /// Per target, the series that its last scrape brought.
    targets: BTreeMap<Labels, BTreeSet<Labels>>,
}

impl Default for Store {
    fn default() -> Self {
        Store::new(Limits::default())
    }
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Store {
            limits,
            metrics: BTreeMap::new(),
            series: 0,
            samples: 0,
            newest_ms: i64::MIN,
            swept_ms: i64::MIN,
            targets: BTreeMap::new(),
        }
    }

    /// Number of series with at least one sample.
    pub fn series_count(&self) -> usize {
        self.series
    }

    /// Number of samples.
    pub fn sample_count(&self) -> usize {
        self.samples
    }

    /// Adds a sample at `t_ms` (milliseconds since 1970). The same value at the same time again is no error and changes
    /// nothing.
    ///
    /// # Errors
    /// A sample that is older than the last one of its series, contradicts it, or would make a series too many.
    pub fn append(&mut self, labels: &Labels, t_ms: i64, value: f64) -> Result<(), AppendError> {
        let name = labels.value(NAME).cloned().unwrap_or_default();
        let known = self.metrics.get_mut(&name).and_then(|series| series.get_mut(labels));
        let added = match known {
            Some(samples) => {
                let added = samples.append(t_ms, value)?;
                let dropped = samples.expire(t_ms.saturating_sub(self.limits.retention_ms));
                self.samples = self.samples + usize::from(added) - dropped;
                added
            }
            None => {
                if self.series >= self.limits.series_max {
                    return Err(AppendError::TooManySeries);
                }
                self.metrics.entry(name).or_default().insert(labels.clone(), Samples::new(t_ms, value));
                self.series += 1;
                self.samples += 1;
                true
            }
        };
        if added {
            self.newest_ms = self.newest_ms.max(t_ms);
            self.sweep();
        }
        Ok(())
    }

    /// Forgets series that ended long ago, and the oldest samples when there are too many.
    fn sweep(&mut self) {
        // Often enough that dead series do not pile up, and seldom enough that it costs nothing.
        let interval_ms = (self.limits.retention_ms / 16).max(1);
        if self.newest_ms.saturating_sub(self.swept_ms) >= interval_ms {
            self.swept_ms = self.newest_ms;
            self.expire(self.newest_ms.saturating_sub(self.limits.retention_ms));
        }
        while self.samples > self.limits.samples_max {
            let oldest_ms = self.all().map(|(_, samples)| samples.oldest_ms()).min().unwrap_or(self.newest_ms);
            // A sixteenth of what there is, so that a full store does not look for the oldest at every sample.
            let horizon_ms = oldest_ms.saturating_add((self.newest_ms.saturating_sub(oldest_ms) / 16).max(1));
            if self.expire(horizon_ms) == 0 {
                // Nothing but unfinished blocks is left, which hold the newest samples of each series.
                break;
            }
        }
    }

    /// Drops blocks and series that end before `horizon_ms`; returns the number of samples.
    fn expire(&mut self, horizon_ms: i64) -> usize {
        let mut dropped = 0;
        for series in self.metrics.values_mut() {
            series.retain(|_, samples| {
                if samples.newest_ms() < horizon_ms {
                    dropped += samples.len();
                    self.series -= 1;
                    return false;
                }
                dropped += samples.expire(horizon_ms);
                true
            });
        }
        self.metrics.retain(|_, series| !series.is_empty());
        self.samples -= dropped;
        dropped
    }

    fn all(&self) -> impl Iterator<Item = (&Labels, &Samples)> {
        self.metrics.values().flatten()
    }

    /// The series that fulfil all conditions, sorted by labels.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<(&Labels, &Samples)> {
        let fits = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches(labels));
        let name = matchers.iter().find(|matcher| matcher.is_equal() && &*matcher.name == NAME);
        if let Some(matcher) = name {
            let series = self.metrics.get(&matcher.value);
            return series.into_iter().flatten().filter(|(labels, _)| fits(labels)).collect();
        }
        let mut found: Vec<_> = self.all().filter(|(labels, _)| fits(labels)).collect();
        found.sort_unstable_by_key(|(labels, _)| *labels);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Point;

    fn labels(name: &str, instance: &str) -> Labels {
        Labels::from_pairs([("__name__", name), ("instance", instance)])
    }

    fn points(store: &Store, name: &str) -> Vec<Point> {
        let mut out = Vec::new();
        for (_, samples) in store.select(&[Matcher::equal(NAME, name)]) {
            samples.window(i64::MIN, i64::MAX, &mut out);
        }
        out
    }

    #[test]
    fn late_and_contradicting_samples_are_refused() {
        let mut store = Store::default();
        let x = labels("x", "a");
        assert_eq!(store.append(&x, 1000, 1.0), Ok(()));
        assert_eq!(store.append(&x, 1000, 1.0), Ok(()));
        assert_eq!(store.append(&x, 1000, 2.0), Err(AppendError::DuplicateTimestamp));
        assert_eq!(store.append(&x, 999, 1.0), Err(AppendError::OutOfOrder));
        assert_eq!(store.append(&x, 1000, f64::NAN), Err(AppendError::DuplicateTimestamp));
        assert_eq!(points(&store, "x"), [Point { t_ms: 1000, value: 1.0 }]);
    }

    #[test]
    fn the_number_of_series_is_limited_and_ended_ones_make_room() {
        let mut store = Store::new(Limits { retention_ms: 1000, series_max: 2, samples_max: 100 });
        store.append(&labels("x", "a"), 0, 1.0).unwrap();
        store.append(&labels("x", "b"), 0, 1.0).unwrap();
        assert_eq!(store.append(&labels("x", "c"), 0, 1.0), Err(AppendError::TooManySeries));
        store.append(&labels("x", "a"), 1001, 1.0).unwrap();
        assert_eq!(store.series_count(), 1);
        assert_eq!(store.append(&labels("x", "c"), 1001, 1.0), Ok(()));
    }

    #[test]
    fn old_samples_go_a_block_at_a_time() {
        let mut store = Store::new(Limits { retention_ms: 1_000_000, ..Limits::default() });
        for i in 0..10_000_i64 {
            store.append(&labels("x", "a"), i * 1000, i as f64).unwrap();
        }
        let kept = points(&store, "x");
        assert_eq!(kept.len(), store.sample_count());
        assert!((1000..1000 + 2 * samples::BLOCK_LEN).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last(), Some(&Point { t_ms: 9_999_000, value: 9999.0 }));
        assert!(kept.windows(2).all(|pair| pair[1].t_ms - pair[0].t_ms == 1000));
    }

    #[test]
    fn too_many_samples_shorten_the_memory() {
        let mut store = Store::new(Limits { retention_ms: i64::MAX, series_max: 10, samples_max: 5_000 });
        for i in 0..20_000_i64 {
            store.append(&labels("x", "a"), i * 1000, i as f64).unwrap();
            assert!(store.sample_count() <= 5_000 + samples::BLOCK_LEN);
        }
        assert!(store.sample_count() > 4_000);
        assert_eq!(points(&store, "x").len(), store.sample_count());
    }

    #[test]
    fn selections_are_sorted_by_labels() {
        let mut store = Store::default();
        for (name, instance) in [("b", "1"), ("a", "2"), ("b", "0"), ("a", "1")] {
            store.append(&labels(name, instance), 0, 1.0).unwrap();
        }
        let all = Matcher { name: "instance".into(), value: "".into(), test: crate::matcher::Test::NotEqual };
        let names: Vec<String> = store.select(&[all]).iter().map(|(labels, _)| labels.to_string()).collect();
        assert_eq!(names, [r#"a{instance="1"}"#, r#"a{instance="2"}"#, r#"b{instance="0"}"#, r#"b{instance="1"}"#]);
    }
}
