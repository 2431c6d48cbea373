//! Counting over workers, classes without end, and versions that go.

use std::borrow::Cow;
use std::time::Duration;

use super::*;

fn class(name: &str) -> Option<Prediction<'_>> {
    Some(Prediction::Class(Cow::Borrowed(name)))
}

#[test]
fn counts_are_summed_over_the_workers() {
    let mut registry = Registry::new(2);
    let stats = registry.version("r", "v");
    let t0 = Instant::now();
    for (worker, status, ms) in [(0, 200, 3), (1, 200, 3), (0, 503, 40), (1, 101, 1)] {
        let mut tally = Tally::begin(&stats, worker, t0);
        tally.answered(status, t0 + Duration::from_millis(ms));
    }
    let open = Tally::begin(&stats, 1, t0);
    drop(Tally::begin(&stats, 0, t0));
    open.retried();
    Tally::begin(&stats, 1, t0).fall_back();
    let counts = &registry.counts()[0];
    assert_eq!(counts.by_class, ByClass { informational: 1, success: 2, server_error: 1, ..ByClass::default() });
    assert_eq!((counts.aborted, counts.in_flight, counts.retries, counts.fallbacks), (1, 1, 1, 1));
    assert_eq!(counts.latency_us_sum, 47_000);
    assert_eq!(counts.latency.iter().map(|(_, n)| n).sum::<u64>(), 4);
    assert_eq!(latency::count_above(&counts.latency, 10_000), 1);
    drop(open);
    assert_eq!((registry.counts()[0].aborted, registry.counts()[0].in_flight), (2, 0));
}

#[test]
fn classes_beyond_the_twentieth_are_one() {
    let mut registry = Registry::new(2);
    let stats = registry.version("r", "v");
    for i in 0..30 {
        stats.count_prediction(i % 2, class(&format!("class-{i:02}")));
    }
    stats.count_prediction(0, class("class-00"));
    stats.count_prediction(0, None);
    let counts = &registry.counts()[0];
    assert_eq!(counts.predictions.len(), CLASSES_MAX + 1);
    assert_eq!((counts.predictions["class-00"], counts.predictions[OTHER]), (2, 10));
    assert_eq!(counts.predictions_missing, 1);
}

#[test]
fn numbers_are_counted_and_integers_are_classes_as_well() {
    let mut registry = Registry::new(2);
    let stats = registry.version("r", "v");
    stats.count_prediction(0, Some(Prediction::Number { value: 1.0, integer: Some("1") }));
    stats.count_prediction(1, Some(Prediction::Number { value: -2.5, integer: None }));
    let counts = &registry.counts()[0];
    assert_eq!(counts.predictions, BTreeMap::from([("1".to_owned(), 1)]));
    let n = &counts.numbers;
    assert_eq!((n.count, n.sum, n.sum_squares), (2, -1.5, 7.25));
    assert_eq!(n.bins, [(number::bin(-2.5), 1), (number::bin(1.0), 1)]);
}

#[test]
fn a_version_that_is_gone_is_forgotten_later_and_one_that_returns_continues() {
    let mut registry = Registry::new(1);
    let begin = Instant::now();
    let minute = |n: u64| begin + Duration::from_secs(60 * n);
    let cut = |n: u64| minute(n).checked_sub(Duration::from_secs(600));
    Tally::begin(&registry.version("r", "v"), 0, begin).fall_back();
    registry.sweep(minute(0), cut(0), |_, _| true);
    registry.sweep(minute(1), cut(1), |_, _| false);
    registry.sweep(minute(5), cut(5), |_, _| true);
    registry.sweep(minute(6), cut(6), |_, _| false);
    registry.sweep(minute(15), cut(15), |_, _| false);
    assert_eq!(registry.counts()[0].fallbacks, 1, "gone for nine minutes");
    let held = registry.version("r", "v");
    registry.sweep(minute(30), cut(30), |_, _| false);
    assert_eq!(registry.counts().len(), 1, "a request still counts into it");
    drop(held);
    registry.sweep(minute(31), cut(31), |_, _| false);
    registry.sweep(minute(42), cut(42), |_, _| false);
    assert_eq!(registry.counts().len(), 0);
}
