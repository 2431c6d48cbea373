//! What a scrape of a target does to the store: labels of the target, ends of series.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{AppendError, Store};
use crate::labels::{Labels, NAME};
use crate::text::Sample;
use crate::value::stale_marker;

/// How far after the scrape a sample's own time may lie, in milliseconds. One time in the far future would make all
/// other samples look old enough to forget. The bound is that of Prometheus.
const AHEAD_MAX_MS: i64 = 600_000;

/// What became of the samples of one scrape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrape {
    /// Taken, or there already.
    pub appended: usize,
    /// Refused because their series has a later sample.
    pub out_of_order: usize,
    /// Refused because their series has another value at this time, twice the same series in one scrape included.
    pub duplicates: usize,
    /// Refused because there are too many series.
    pub over_limit: usize,
    /// Refused because their own time is more than ten minutes after that of the scrape.
    pub out_of_bounds: usize,
    /// Series of the target that were there in the scrape before and are not in this one.
    pub ended: usize,
}

impl Scrape {
    fn count(&mut self, result: Result<(), AppendError>) {
        match result {
            Ok(()) => self.appended += 1,
            Err(AppendError::OutOfOrder) => self.out_of_order += 1,
            Err(AppendError::DuplicateTimestamp) => self.duplicates += 1,
            Err(AppendError::TooManySeries) => self.over_limit += 1,
        }
    }
}

impl Store {
    /// Takes the samples of one scrape of `target` at `t_ms` (milliseconds since 1970).
    ///
    /// Every series gets the labels of the target. Where a sample has such a label itself, its own value moves to
    /// `exported_<name>`, as with `honor_labels: false`. A sample with a time of its own keeps it; the others get
    /// `t_ms`. Series of the target that the scrape before had and this one has not end at `t_ms`; those whose samples
    /// bring their own times never end that way, because nothing says when they would.
    pub fn append_scrape(&mut self, target: &Labels, samples: &[Sample], t_ms: i64) -> Scrape {
        let mut report = Scrape::default();
        let mut seen = BTreeSet::new();
        for sample in samples {
            if sample.timestamp_ms.is_some_and(|own_ms| own_ms > t_ms.saturating_add(AHEAD_MAX_MS)) {
                report.out_of_bounds += 1;
                continue;
            }
            let labels = attach(target, &sample.labels);
            let result = self.append(&labels, sample.timestamp_ms.unwrap_or(t_ms), sample.value);
            report.count(result);
            if sample.timestamp_ms.is_none() && result != Err(AppendError::TooManySeries) {
                seen.insert(labels);
            }
        }
        let before = self.targets.insert(target.clone(), seen.clone()).unwrap_or_default();
        for labels in before.difference(&seen) {
            report.ended += usize::from(self.end(labels, t_ms));
        }
        report
    }

    /// Ends all series of a target at `t_ms`: it is gone, or a scrape of it failed. Returns how many.
    pub fn target_gone(&mut self, target: &Labels, t_ms: i64) -> usize {
        let before = self.targets.remove(target).unwrap_or_default();
        before.iter().filter(|labels| self.end(labels, t_ms)).count()
    }

    /// Ends a series, if it has not ended.
    fn end(&mut self, labels: &Labels, t_ms: i64) -> bool {
        let name = labels.get(NAME).unwrap_or_default();
        let runs = self.metrics.get(name).and_then(|series| series.get(labels)).is_some_and(|s| !s.has_ended());
        runs && self.append(labels, t_ms, stale_marker()).is_ok()
    }
}

/// The labels of a sample with those of its target.
fn attach(target: &Labels, own: &Labels) -> Labels {
    let mut builder = own.edit();
    let mut moved: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    for (name, value) in target.iter() {
        if let Some(own) = own.value(name) {
            moved.push((name.into(), own.clone()));
        }
        builder.set(name, value);
    }
    for (name, value) in moved {
        let mut exported = format!("exported_{name}");
        while own.get(&exported).is_some() || target.get(&exported).is_some() {
            exported.insert_str(0, "exported_");
        }
        builder.set(exported, value);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::Matcher;
    use crate::text;

    fn target() -> Labels {
        Labels::from_pairs([("job", "model"), ("instance", "1")])
    }

    fn scrape(store: &mut Store, page: &str, t_ms: i64) -> Scrape {
        store.append_scrape(&target(), &text::parse(page).unwrap(), t_ms)
    }

    fn latest(store: &Store, name: &str, at_ms: i64) -> Vec<String> {
        let found = store.select(&[Matcher::equal(NAME, name)]);
        let values = found.iter().filter_map(|(labels, samples)| Some((labels, samples.latest(at_ms, i64::MIN)?)));
        values.map(|(labels, point)| format!("{labels} {}", point.value)).collect()
    }

    #[test]
    fn the_labels_of_the_target_win() {
        let mut store = Store::default();
        scrape(&mut store, "x{job=\"a\",exported_job=\"b\",code=\"200\"} 1\n", 0);
        let want = r#"x{code="200", exported_exported_job="a", exported_job="b", instance="1", job="model"} 1"#;
        assert_eq!(latest(&store, "x", 0), [want]);
    }

    #[test]
    fn series_that_vanish_end() {
        let mut store = Store::default();
        scrape(&mut store, "x 1\ny 1\nz 1 0\n", 0);
        let report = scrape(&mut store, "x 2\n", 1000);
        assert_eq!(report, Scrape { appended: 1, ended: 1, ..Scrape::default() });
        assert_eq!(latest(&store, "x", 1000), [r#"x{instance="1", job="model"} 2"#]);
        assert!(latest(&store, "y", 1000).is_empty());
        assert_eq!(latest(&store, "y", 999).len(), 1);
        // It brings its own times.
        assert_eq!(latest(&store, "z", 1000).len(), 1);
        assert_eq!(scrape(&mut store, "x 2\ny 3\n", 2000).ended, 0);
        assert_eq!(latest(&store, "y", 2000).len(), 1);
    }

    #[test]
    fn a_target_that_is_gone_ends_all_its_series_once() {
        let mut store = Store::default();
        scrape(&mut store, "x 1\ny 1\n", 0);
        assert_eq!(store.target_gone(&target(), 1000), 2);
        assert_eq!(store.target_gone(&target(), 2000), 0);
        assert!(latest(&store, "x", 1000).is_empty() && latest(&store, "y", 1000).is_empty());
        let other = Labels::from_pairs([("job", "other")]);
        assert_eq!(store.target_gone(&other, 2000), 0);
    }

    #[test]
    fn a_time_in_the_far_future_is_refused() {
        let mut store = Store::default();
        let report = scrape(&mut store, "x 1 600000\ny 1 600001\n", 0);
        assert_eq!(report, Scrape { appended: 1, out_of_bounds: 1, ..Scrape::default() });
    }

    #[test]
    fn what_was_refused_is_counted() {
        let mut store = Store::new(crate::Limits { series_max: 2, ..crate::Limits::default() });
        assert_eq!(scrape(&mut store, "x 1\nx 2\ny 1\nz 1\n", 1000).duplicates, 1);
        let report = scrape(&mut store, "x 1 5\ny 1\nz 1\n", 2000);
        assert_eq!(report, Scrape { appended: 1, out_of_order: 1, over_limit: 1, ended: 1, ..Scrape::default() });
    }
}
