//! Seconds that add up, readers that were away, and batches that an older proxy wrote.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::prediction::Prediction;
use crate::report::{ByClass, Weight};
use crate::stats::{Gap, Half, Statistics, Tally};

fn counts(success: u64) -> Totals {
    let by_class = ByClass { success, ..ByClass::default() };
    let versions = vec![Counts { route: "r".into(), version: "v".into(), by_class, ..Counts::default() }];
    Totals { versions, ..Totals::default() }
}

#[test]
fn each_second_has_what_came_in_it() {
    let mut history = History::new(5_000);
    for (i, total) in [3, 3, 10].into_iter().enumerate() {
        history.push(counts(total), 6_000 + 1_000 * i as u64);
    }
    let batches = history.after(0);
    assert_eq!(
        batches.iter().map(|b| (b.seq, b.follows, b.start_ms)).collect::<Vec<_>>(),
        [(6, 0, 5_000), (7, 6, 6_000), (8, 7, 7_000)]
    );
    let seen = |i: usize| batches[i].versions.first().map(|v| v.by_class.success);
    assert_eq!((seen(0), seen(1), seen(2)), (Some(3), None, Some(7)));
    assert_eq!(history.after(7).len(), 1);
    assert_eq!(history.after(8), []);
}

#[test]
fn numbers_grow_when_the_clock_goes_back_and_old_seconds_go() {
    let mut history = History::new(9_000_000);
    history.push(counts(1), 9_000_000);
    (0..2 * KEPT as u64).for_each(|i| history.push(counts(1), 1_000 * i));
    let batches = history.after(0);
    assert_eq!(batches.len(), KEPT);
    assert!(batches.windows(2).all(|w| w[0].seq < w[1].seq && w[1].follows == w[0].seq));
}

#[test]
fn a_reader_that_was_away_gets_exactly_the_missing_seconds() {
    let mut history = History::new(0);
    let mut now_ms = 0;
    let mut success = 0;
    let mut go_on = |history: &mut History, seconds: u64| {
        for _ in 0..seconds {
            // Seconds are late at times, and then their numbers are not next to each other.
            now_ms += if now_ms % 7_000 == 0 { 3_000 } else { 1_000 };
            success += 1;
            history.push(counts(success), now_ms);
        }
        success
    };
    go_on(&mut history, 10);
    let mut last = history.after(0).last().unwrap().seq;
    let mut read = 10;
    for away in [1, 5, 300, KEPT as u64] {
        let total = go_on(&mut history, away);
        let missing = history.after(last);
        assert_eq!((missing.len() as u64, missing[0].follows), (away, last), "{away} s away");
        read += missing.iter().flat_map(|b| &b.versions).map(|v| v.by_class.success).sum::<u64>();
        assert_eq!(read, total);
        last = missing.last().unwrap().seq;
    }
    go_on(&mut history, KEPT as u64 + 1);
    let rest = history.after(last);
    assert_eq!(rest.len(), KEPT);
    assert_ne!(rest[0].follows, last, "one is lost, and the reader can tell");
}

#[test]
fn very_large_seconds_come_in_several_answers() {
    let mut history = History::new(0);
    for second in 1..=50u64 {
        let slice = |i: u64| SliceCounts { value: format!("{i:04}"), answered: second, ..SliceCounts::default() };
        let slices = (0..2_500).map(slice).collect();
        history.push(Totals { slices, ..Totals::default() }, 1_000 * second);
    }
    let (mut last, mut answers) = (0, Vec::new());
    while let Some(batch) = history.after(last).last() {
        answers.push(history.after(last).len());
        last = batch.seq;
    }
    assert_eq!(answers, [8, 8, 8, 8, 8, 8, 2]);
}

#[test]
fn a_weight_is_steady_when_it_was_the_same_a_second_before() {
    let mut history = History::new(0);
    let weighted = |success, weight| {
        let mut totals = counts(success);
        totals.versions[0].weight = weight;
        totals
    };
    let weight = |weight| Some(Weight { weight, total: 100, steady: false });
    let seconds = [weight(20), weight(20), weight(50), weight(50), None, weight(50)];
    for (i, weight) in seconds.into_iter().enumerate() {
        history.push(weighted(1 + i as u64, weight), 1_000 * i as u64);
    }
    let seen: Vec<_> =
        history.after(0).iter().map(|b| b.versions[0].weight.map(|w| (w.weight, w.total, w.steady))).collect();
    let (at_20, at_50) = (|steady| Some((20, 100, steady)), |steady| Some((50, 100, steady)));
    assert_eq!(seen, [at_20(false), at_20(true), at_50(false), at_50(true), None, at_50(false)]);
}

#[test]
fn a_second_without_requests_is_small() {
    let mut statistics = Statistics::new(2);
    let version = statistics.version("r", "v");
    let slice = statistics.slice("r", "s", &version);
    let pair = statistics.pair("r", "v", "w");
    slice.count(0, 0, 200, 1, None);
    pair.give_up(Gap::UserLeft);
    let mut history = History::new(1_700_000_000_000);
    history.push(statistics.totals(), 1_700_000_001_000);
    history.push(statistics.totals(), 1_700_000_002_000);
    let text = serde_json::to_string(&history.after(0)[1]).unwrap();
    assert!(text.len() < 150, "{} bytes: {text}", text.len());
}

#[test]
fn batches_of_an_older_proxy_can_be_read() {
    let text = r#"{"seq":7,"start_ms":1,"duration_ms":1000,"versions":[{"route":"r","version":"v",
        "by_class":{"informational":0,"success":2,"redirect":0,"client_error":0,"server_error":0},"aborted":0,"fallbacks":0,
        "retries":0,"in_flight":0,"latency_us_sum":9,"latency":[[3,2]],"predictions":{},
        "numbers":{"count":0,"sum":0.0,"sum_squares":0.0,"bins":[]},"predictions_missing":0}]}"#;
    let batch: Batch = serde_json::from_str(text).unwrap();
    assert_eq!((batch.follows, batch.versions[0].by_class.success, batch.versions[0].drawn), (0, 2, 0));
    assert_eq!((batch.pairs.len(), batch.slices.len(), batch.versions[0].weight), (0, 0, None));
    let again: Batch = serde_json::from_str(&serde_json::to_string(&batch).unwrap()).unwrap();
    assert_eq!(again, batch);
}

/// Something that is counted.
#[derive(Debug, Clone)]
enum Event {
    Answer { worker: usize, version: usize, status: u16, us: u64, prediction: Option<i8>, country: u8 },
    Pair { worker: usize, statuses: [u16; 2], us: [u64; 2], predictions: [Option<i8>; 2] },
    Gap(bool),
    Visitor { version: usize, visitor: u64, bad: bool },
    CloseUnits,
    Second,
}

fn event() -> impl Strategy<Value = Event> {
    let prediction = || proptest::option::of(-40i8..40);
    let status = || prop::sample::select(&[101u16, 200, 302, 404, 500, 503][..]);
    prop_oneof![
        6 => (0usize..2, 0usize..2, status(), 0u64..5_000_000, prediction(), 0u8..40).prop_map(
            |(worker, version, status, us, prediction, country)| Event::Answer { worker, version, status, us, prediction, country }
        ),
        4 => (0usize..2, [status(), status()], [0u64..100_000, 0u64..100_000], [prediction(), prediction()])
            .prop_map(|(worker, statuses, us, predictions)| Event::Pair { worker, statuses, us, predictions }),
        1 => any::<bool>().prop_map(Event::Gap),
        4 => (0usize..2, 0u64..5, any::<bool>()).prop_map(|(version, visitor, bad)| Event::Visitor { version, visitor, bad }),
        1 => Just(Event::CloseUnits),
        3 => Just(Event::Second),
    ]
}

/// Odd ones are classes, the others numbers of which sums are exact, one half of them integers.
fn prediction(code: i8, text: &str) -> Prediction<'_> {
    if code % 2 == 0 {
        let value = f64::from(code) / 4.0;
        Prediction::Number { value, integer: Some(text).filter(|_| code % 4 == 0) }
    } else {
        Prediction::Class(Cow::Borrowed(text))
    }
}

fn happen(statistics: &mut Statistics, event: &Event) {
    let names = ["v", "w"];
    match event {
        Event::Answer { worker, version, status, us, prediction: code, country } => {
            let stats = statistics.version("r", names[*version]);
            let slice = statistics.slice("r", "country", &stats);
            let begun = Instant::now();
            let mut tally = Tally::begin(&stats, *worker, begun);
            tally.drawn();
            let text = code.map(|c| c.to_string()).unwrap_or_default();
            let class = tally.predicted(code.map(|c| prediction(c, &text)).as_ref());
            let us = tally.took_us(begun + Duration::from_micros(*us));
            slice.count(*worker, slice.values.index(&country.to_string()), *status, us, class);
            tally.answered(*status, us);
        }
        Event::Pair { worker, statuses, us, predictions } => {
            let text = predictions.map(|p| p.map(|c| c.to_string()).unwrap_or_default());
            let half = |i: usize| Half {
                status: statuses[i],
                us: us[i],
                looked: true,
                prediction: predictions[i].map(|c| prediction(c, &text[i])),
            };
            statistics.pair("r", "v", "w").count(*worker, &half(0), &half(1));
        }
        Event::Gap(left) => {
            statistics.pair("r", "v", "w").give_up(if *left { Gap::UserLeft } else { Gap::CopyCut });
        }
        Event::Visitor { version, visitor, bad } => {
            let stats = statistics.version("r", names[*version]);
            stats.units.limit(1_000, 20);
            stats.units.count(*visitor, *bad, 0);
        }
        Event::CloseUnits => statistics.close_units("r"),
        Event::Second => {}
    }
}

/// All counters by what they count.
fn flat(versions: &[Counts], pairs: &[PairCounts], slices: &[SliceCounts]) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut add = |name: String, n: f64| *all.entry(name).or_insert(0.0) += n;
    for c in versions {
        let b = c.by_class;
        let classes = [b.informational, b.success, b.redirect, b.client_error, b.server_error];
        classes.iter().enumerate().for_each(|(i, n)| add(format!("{} class {i}", c.version), *n as f64));
        c.latency.iter().for_each(|(bin, n)| add(format!("{} latency {bin}", c.version), *n as f64));
        c.predictions.iter().for_each(|(class, n)| add(format!("{} predicts {class}", c.version), *n as f64));
        c.numbers.bins.iter().for_each(|(bin, n)| add(format!("{} number {bin}", c.version), *n as f64));
        for (name, n) in [
            ("sum", c.numbers.sum),
            ("squares", c.numbers.sum_squares),
            ("numbers", c.numbers.count as f64),
            ("missing", c.predictions_missing as f64),
            ("drawn", c.drawn as f64),
            ("us", c.latency_us_sum as f64),
            ("units", c.units.count as f64),
            ("bad", c.units.bad_sum),
            ("bad squared", c.units.bad_square_sum),
        ] {
            add(format!("{} {name}", c.version), n);
        }
    }
    for p in pairs {
        let (e, m) = (p.errors, p.missing);
        let plain =
            [e.both_ok, e.canary_bad, e.stable_bad, e.both_bad, m.stable, m.canary, m.both, p.differences.count];
        plain.iter().enumerate().for_each(|(i, n)| add(format!("pair {i}"), *n as f64));
        p.transitions.iter().for_each(|t| add(format!("pair {} to {}", t.stable, t.canary), t.count as f64));
        p.latency_ratios.iter().for_each(|(bin, n)| add(format!("pair ratio {bin}"), *n as f64));
        p.differences.bins.iter().for_each(|(bin, n)| add(format!("pair difference {bin}"), *n as f64));
        p.incomplete.iter().for_each(|(why, n)| add(format!("pair {why}"), *n as f64));
        add("pair sum".to_owned(), p.differences.sum);
    }
    for s in slices {
        let name = format!("{} {}", s.version, s.value);
        add(format!("{name} answered"), s.answered as f64);
        add(format!("{name} errors"), s.server_error as f64);
        s.latency.iter().for_each(|(bin, n)| add(format!("{name} latency {bin}"), *n as f64));
        s.predictions.iter().for_each(|(class, n)| add(format!("{name} predicts {class}"), *n as f64));
    }
    all
}

proptest! {
    #[test]
    fn the_seconds_add_up_to_the_totals(events in prop::collection::vec(event(), 0..200)) {
        let mut statistics = Statistics::new(2);
        let mut history = History::new(0);
        let mut now_ms = 0;
        for event in events.iter().chain([&Event::CloseUnits, &Event::Second]) {
            happen(&mut statistics, event);
            if matches!(event, Event::Second) {
                now_ms += 1_000;
                history.push(statistics.totals(), now_ms);
            }
        }
        // What a reader gets, over the wire.
        let text = serde_json::to_string(&history.after(0)).unwrap();
        let batches: Vec<Batch> = serde_json::from_str(&text).unwrap();
        let mut sum = BTreeMap::new();
        for batch in &batches {
            for (name, n) in flat(&batch.versions, &batch.pairs, &batch.slices) {
                *sum.entry(name).or_insert(0.0) += n;
            }
        }
        let totals = statistics.totals();
        let expect = flat(&totals.versions, &totals.pairs, &totals.slices);
        let nonzero = |all: BTreeMap<String, f64>| all.into_iter().filter(|(_, n)| *n != 0.0).collect::<BTreeMap<_, _>>();
        prop_assert_eq!(nonzero(sum), nonzero(expect));

        // And what belongs together agrees.
        for version in &totals.versions {
            let of_version = totals.slices.iter().filter(|s| s.version == version.version);
            prop_assert_eq!(of_version.map(|s| s.answered).sum::<u64>(), version.answered());
        }
        for pair in &totals.pairs {
            prop_assert_eq!(pair.latency_ratios.iter().map(|(_, n)| n).sum::<u64>(), pair.errors.both_ok);
        }
        let (closed, open) = totals.versions.iter().fold((0, 0), |(c, o), v| (c + v.units.count, o + v.units.open));
        let visits = events.iter().filter(|e| matches!(e, Event::Visitor { .. })).count() as u64;
        prop_assert!(open == 0 && closed <= visits && (closed > 0) == (visits > 0));
    }
}
