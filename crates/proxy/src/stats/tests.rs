//! Counting over workers, classes without end, pairs, slices, visitors, and what goes.

use std::borrow::Cow;
use std::time::Duration;

use super::*;
use crate::prediction::OTHER;
use crate::report::{NONE, PairErrors, PairMissing, Transition, Units};
use crate::sketch::number;

fn class(name: &str) -> Prediction<'_> {
    Prediction::Class(Cow::Borrowed(name))
}

fn number(value: f64) -> Prediction<'static> {
    Prediction::Number { value, integer: None }
}

fn counts(statistics: &Statistics) -> Counts {
    statistics.totals().versions.remove(0)
}

#[test]
fn counts_are_summed_over_the_workers() {
    let mut statistics = Statistics::new(2);
    let stats = statistics.version("r", "v");
    let t0 = Instant::now();
    for (worker, status, ms) in [(0, 200, 3), (1, 200, 3), (0, 503, 40), (1, 101, 1)] {
        let mut tally = Tally::begin(&stats, worker, t0);
        tally.drawn();
        tally.answered(status, tally.took_us(t0 + Duration::from_millis(ms)));
    }
    let open = Tally::begin(&stats, 1, t0);
    drop(Tally::begin(&stats, 0, t0));
    open.retried();
    Tally::begin(&stats, 1, t0).fall_back();
    let now = counts(&statistics);
    assert_eq!(now.by_class, ByClass { informational: 1, success: 2, server_error: 1, ..ByClass::default() });
    assert_eq!((now.aborted, now.in_flight, now.retries, now.fallbacks, now.drawn), (1, 1, 1, 1, 4));
    assert_eq!(now.latency_us_sum, 47_000);
    assert_eq!(now.latency.iter().map(|(_, n)| n).sum::<u64>(), 4);
    assert_eq!(latency::count_above(&now.latency, 10_000), 1);
    drop(open);
    assert_eq!((counts(&statistics).aborted, counts(&statistics).in_flight), (2, 0));
}

#[test]
fn classes_beyond_the_twentieth_are_one() {
    let mut statistics = Statistics::new(2);
    let stats = statistics.version("r", "v");
    for i in 0..30 {
        stats.count_prediction(i % 2, Some(&class(&format!("class-{i:02}"))));
    }
    stats.count_prediction(0, Some(&class("class-00")));
    stats.count_prediction(0, None);
    let now = counts(&statistics);
    assert_eq!(now.predictions.len(), CLASSES);
    assert_eq!((now.predictions["class-00"], now.predictions[OTHER]), (2, 10));
    assert_eq!(now.predictions_missing, 1);
}

#[test]
fn numbers_are_counted_and_integers_are_classes_as_well() {
    let mut statistics = Statistics::new(2);
    let stats = statistics.version("r", "v");
    stats.count_prediction(0, Some(&Prediction::Number { value: 1.0, integer: Some("1") }));
    stats.count_prediction(1, Some(&number(-2.5)));
    let now = counts(&statistics);
    assert_eq!(now.predictions, BTreeMap::from([("1".to_owned(), 1)]));
    assert_eq!((now.numbers.count, now.numbers.sum, now.numbers.sum_squares), (2, -1.5, 7.25));
    assert_eq!(now.numbers.bins, [(number::bin(-2.5), 1), (number::bin(1.0), 1)]);
}

#[test]
fn a_version_that_is_gone_is_forgotten_later_and_one_that_returns_continues() {
    let mut statistics = Statistics::new(1);
    let begin = Instant::now();
    let minute = |n: u64| begin + Duration::from_secs(60 * n);
    let cut = |n: u64| minute(n).checked_sub(Duration::from_secs(600));
    Tally::begin(&statistics.version("r", "v"), 0, begin).fall_back();
    let table = statistics.version("r", "v");
    statistics.sweep(minute(0), cut(0));
    drop(table);
    statistics.sweep(minute(1), cut(1));
    let table = statistics.version("r", "v");
    statistics.sweep(minute(5), cut(5));
    drop(table);
    statistics.sweep(minute(6), cut(6));
    statistics.sweep(minute(15), cut(15));
    assert_eq!(counts(&statistics).fallbacks, 1, "gone for nine minutes");
    statistics.sweep(minute(17), cut(17));
    assert!(statistics.totals().versions.is_empty(), "and for eleven");
}

#[test]
fn the_statistics_of_slices_and_pairs_go_like_those_of_versions() {
    let mut statistics = Statistics::new(1);
    let begin = Instant::now();
    let hour = |n: u64| begin + Duration::from_secs(3_600 * n);
    let version = statistics.version("r", "v");
    let slice = statistics.slice("r", "country", &version);
    slice.count(0, slice.values.index("at"), 200, 1, None);
    let pair = statistics.pair("r", "v", "w");
    pair.give_up(Gap::UserLeft);
    for n in 0..3 {
        statistics.sweep(hour(n), Some(hour(n)));
        assert_eq!((statistics.totals().slices.len(), statistics.totals().pairs.len()), (1, 1));
    }
    drop((version, slice, pair));
    for n in 3..6 {
        statistics.sweep(hour(n), Some(hour(n)));
    }
    let left = statistics.totals();
    assert_eq!((left.versions.len(), left.slices.len(), left.pairs.len()), (0, 0, 0));
    let version = statistics.version("r", "v");
    assert_eq!(statistics.slice("r", "country", &version).values.index("de"), 0, "the values are forgotten, too");
}

fn half(status: u16, us: u64, prediction: Option<Prediction<'_>>) -> Half<'_> {
    Half { status, us, looked: true, prediction }
}

#[test]
fn pairs_are_counted_by_their_errors_and_times() {
    let mut statistics = Statistics::new(2);
    let pair = statistics.pair("r", "v", "w");
    for (worker, stable, canary) in [(0, 200, 200), (1, 200, 500), (0, 404, 503), (1, 502, 200), (0, 504, 500)] {
        pair.count(worker, &half(stable, 1_000, None), &half(canary, 1_100, None));
    }
    for gap in [Gap::UserLeft, Gap::Lost(Loss::Busy), Gap::Lost(Loss::Busy)] {
        pair.give_up(gap);
    }
    let now = statistics.totals().pairs.remove(0);
    assert_eq!((&*now.route, &*now.stable, &*now.canary), ("r", "v", "w"));
    assert_eq!(now.errors, PairErrors { both_ok: 1, canary_bad: 2, stable_bad: 1, both_bad: 1 });
    assert_eq!(now.latency_ratios, [(crate::ratio::bin(11, 10), 1)], "only of those that were answered well");
    assert_eq!(now.missing, PairMissing { both: 1, ..PairMissing::default() });
    assert_eq!(now.incomplete, BTreeMap::from([("busy".into(), 2), ("user_left".into(), 1)]));
}

#[test]
fn predictions_of_a_pair_are_compared_where_both_are_there() {
    let mut statistics = Statistics::new(2);
    let pair = statistics.pair("r", "v", "w");
    let one = || Some(Prediction::Number { value: 1.0, integer: Some("1") });
    for (worker, stable, canary) in [
        (0, Some(class("cat")), Some(class("dog"))),
        (1, Some(class("cat")), Some(class("dog"))),
        (0, Some(class("dog")), Some(class("dog"))),
        (0, Some(class("dog")), None),
        (1, None, Some(number(1.0))),
        (1, None, None),
        (0, Some(number(0.25)), Some(number(0.75))),
        (1, one(), one()),
        (1, one(), Some(number(0.5))),
        (0, Some(class("cat")), Some(number(0.5))),
    ] {
        pair.count(worker, &half(200, 1, stable), &half(201, 1, canary));
    }
    // What is not expected to predict anything is not missed.
    pair.count(0, &half(200, 1, Some(class("cat"))), &half(404, 1, None));
    let nothing = || Half { looked: false, ..half(204, 1, None) };
    pair.count(0, &nothing(), &nothing());
    let now = statistics.totals().pairs.remove(0);
    let step = |stable: &str, canary: &str, count| Transition { stable: stable.into(), canary: canary.into(), count };
    assert_eq!(
        now.transitions,
        [step("1", "1", 1), step("1", OTHER, 1), step("cat", "dog", 2), step("cat", OTHER, 1), step("dog", "dog", 1)]
    );
    assert_eq!(now.missing, PairMissing { stable: 1, canary: 1, both: 1 });
    let differences = &now.differences;
    assert_eq!((differences.count, differences.sum), (3, 0.0), "of all that are numbers");
    assert_eq!(differences.bins, [(number::bin(-0.5), 1), (0, 1), (number::bin(0.5), 1)]);
}

#[test]
fn the_classes_of_pairs_are_bounded() {
    let mut statistics = Statistics::new(1);
    let pair = statistics.pair("r", "v", "w");
    for i in 0..1_000 {
        let (from, to) = (format!("a{i}"), format!("b{i}"));
        pair.count(0, &half(200, 1, Some(class(&from))), &half(200, 1, Some(class(&to))));
    }
    pair.count(0, &half(200, 1, Some(class(OTHER))), &half(200, 1, Some(class("a0"))));
    let now = statistics.totals().pairs.remove(0);
    assert!(now.transitions.len() <= CLASSES * CLASSES);
    assert_eq!(now.transitions.iter().map(|t| t.count).sum::<u64>(), 1_001);
    assert!(now.transitions.windows(2).all(|w| (&w[0].stable, &w[0].canary) < (&w[1].stable, &w[1].canary)));
}

#[test]
fn a_slice_has_at_most_thirty_two_values_by_name_the_same_for_all_versions() {
    let mut statistics = Statistics::new(2);
    let versions = ["v", "w"].map(|version| statistics.version("r", version));
    let [v, w] = versions.each_ref().map(|version| statistics.slice("r", "country", version));
    for i in 0..40 {
        v.count(i % 2, v.values.index(&format!("c{i:02}")), 200, 100, None);
    }
    for value in ["c39", "c00", "", NONE, OTHER] {
        w.count(0, w.values.index(value), 500, 100, None);
    }
    let slices = statistics.totals().slices;
    let of = |version: &str| slices.iter().filter(|s| s.version == version).collect::<Vec<_>>();
    assert_eq!(of("v").len(), 33);
    assert_eq!(of("v").iter().find(|s| s.value == OTHER).unwrap().answered, 8);
    let values: Vec<_> = of("w").iter().map(|s| (s.value.as_str(), s.answered, s.server_error)).collect();
    assert_eq!(values, [("c00", 1, 1), (NONE, 2, 2), (OTHER, 2, 2)], "the new one is beyond for both");
}

#[test]
fn a_slice_counts_the_classes_of_its_version() {
    let mut statistics = Statistics::new(1);
    let version = statistics.version("r", "v");
    let slice = statistics.slice("r", "country", &version);
    for (value, name) in [("at", "cat"), ("de", "dog"), ("at", "dog")] {
        let class = version.count_prediction(0, Some(&class(name)));
        slice.count(0, slice.values.index(value), 200, 5_000, class);
    }
    let slices = statistics.totals().slices;
    assert_eq!(slices[0].predictions, BTreeMap::from([("cat".into(), 1), ("dog".into(), 1)]));
    assert_eq!(slices[1].predictions, BTreeMap::from([("dog".into(), 1)]));
    assert_eq!(slices[0].latency, [(latency::bin(5_000) as u16, 2)]);
}

fn units(silence_ms: u64, requests: u32) -> UnitStats {
    let units = UnitStats::default();
    units.limit(silence_ms, requests);
    units
}

#[test]
fn a_visitor_counts_once_with_the_share_that_failed() {
    let units = units(60_000, 1_000);
    // One visitor fails every other time, one always, one never.
    for i in 0..10 {
        units.count(1, i % 2 == 0, i);
        units.count(2, true, i);
        units.count(3, false, i);
    }
    assert_eq!(units.counts(), Units { open: 3, ..Units::default() });
    units.close_silent(60_008);
    assert_eq!(units.counts().count, 0, "the last was heard of a minute and not longer ago");
    units.close_silent(60_009);
    let closed = Units { count: 3, bad_sum: 1.5, bad_square_sum: 1.25, early: 0, open: 0 };
    assert_eq!(units.counts(), closed);
    units.count(2, true, 70_000);
    units.close_all();
    assert_eq!(units.counts(), Units { count: 4, bad_sum: 2.5, bad_square_sum: 2.25, ..closed });
}

#[test]
fn a_visitor_that_never_stops_becomes_several_units() {
    let units = units(60_000, 10);
    (0..25).for_each(|i| units.count(7, i < 10, i));
    assert_eq!(units.counts(), Units { count: 2, bad_sum: 1.0, bad_square_sum: 1.0, early: 0, open: 1 });
}

#[test]
fn visitors_without_end_take_bounded_room_and_those_who_come_again_stay() {
    let units = units(u64::MAX, 1_000);
    let many = 200_000u64;
    for i in 0..many {
        units.count(crate::split::mix(i), false, i);
        if i % 1_000 == 0 {
            units.count(42, true, i);
        }
    }
    let now = units.counts();
    assert!(now.open <= 65_536 && now.open > 30_000, "{now:?}");
    assert_eq!(now.count + now.open, many + 1, "the one who came again is one unit");
    assert_eq!((now.early, now.bad_sum), (now.count, 0.0));
    units.close_all();
    assert_eq!(units.counts().bad_sum, 1.0);
}

#[test]
fn a_ring_keeps_the_newest_and_counts_the_rest() {
    let ring = Ring::new(5, 100);
    let version = Arc::from("v");
    for i in 0..8u64 {
        let class = class(if i % 2 == 0 { "cat" } else { "dog" });
        ring.push(Some(&format!("id-{i}")), &version, &class, 1_000 + i);
    }
    ring.push(None, &version, &class("cat"), 0);
    ring.push(Some("id-8"), &version, &number(0.5), 1_008);
    ring.push(Some("id-9"), &version, &Prediction::Number { value: 3.0, integer: Some("3") }, 1_009);
    let page = ring.after(0);
    assert_eq!((page.oldest, page.dropped, page.skipped, page.more), (105, 5, 1, false));
    assert_eq!(page.entries.iter().map(|e| e.seq).collect::<Vec<_>>(), [105, 106, 107, 108, 109]);
    let (third, last) = (&page.entries[2], &page.entries[4]);
    assert_eq!((&*third.id, &*third.version, third.class.as_deref(), third.number), ("id-7", "v", Some("dog"), None));
    assert_eq!((&page.entries[3].class, page.entries[3].number), (&None, Some(0.5)));
    assert_eq!((last.time_ms, last.class.as_deref(), last.number), (1_009, Some("3"), Some(3.0)));
    assert_eq!(ring.after(107).entries.len(), 2);
    assert_eq!((ring.after(109).entries.len(), ring.after(u64::MAX).entries.len()), (0, 0));
    ring.resize(2);
    assert_eq!((ring.after(0).oldest, ring.after(0).dropped), (108, 8));
    ring.resize(10);
    assert_eq!((ring.after(0).entries.len(), ring.next()), (2, 110));
}

#[test]
fn pages_of_a_ring_follow_each_other_without_a_gap() {
    let ring = Ring::new(10_000, 1);
    let version = Arc::from("v");
    (0..2_500).for_each(|i| ring.push(Some(&i.to_string()), &version, &class("c"), i));
    let (mut last, mut pages) = (0, Vec::new());
    loop {
        let page = ring.after(last);
        last = page.entries.last().unwrap().seq;
        pages.push(page.entries.len());
        if !page.more {
            break;
        }
    }
    assert_eq!((pages, last), (vec![1_000, 1_000, 500], 2_500));
}

#[test]
fn only_ids_that_can_be_found_again_are_kept() {
    let long = "x".repeat(65);
    for (id, kept) in [("a", true), ("a b", false), ("", false), (&long[..64], true), (&long[..], false), ("ü", false)]
    {
        assert_eq!(keepable(id.as_bytes()).is_some(), kept, "{id}");
    }
}
