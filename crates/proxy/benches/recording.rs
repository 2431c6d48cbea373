//! What recording an answer costs, in nanoseconds: the code of the workers itself, without sockets. Run with `cargo bench -p serin-proxy`.

/// The counters as the proxy has them; they are no part of its interface.
#[path = "../src"]
mod source {
    #[allow(dead_code, unused_imports, unreachable_pub, reason = "only what a request touches is used here")]
    pub(crate) mod stats;
}

use std::borrow::Cow;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serin_proxy::prediction::Prediction;
use serin_proxy::{prediction, ratio, report, sketch};
use source::stats::{Half, Ring, Statistics, Tally, VersionStats};

/// So few that a round often ends before the processor is given to somebody else.
const REQUESTS: u64 = 20_000;
const ROUNDS: u64 = 300;
const CLASSES: [&str; 8] = ["cat", "dog", "horse", "bird", "fish", "cow", "0", "1"];
const COUNTRIES: [&str; 8] = ["at", "de", "fr", "it", "es", "pl", "cz", "hu"];

/// Latencies of all sizes, in microseconds, without a pattern that a processor could learn.
fn latency(i: u64) -> u64 {
    let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    200 + ((z ^ (z >> 29)) >> 24) % 50_000
}

fn pick(i: u64, all: [&'static str; 8]) -> &'static str {
    all[(latency(i) % 8) as usize]
}

/// The fastest of several rounds, per request: what others do on the machine only adds.
fn time(mut one: impl FnMut(u64)) -> f64 {
    let round = |n| {
        let begun = Instant::now();
        (n * REQUESTS..(n + 1) * REQUESTS).for_each(&mut one);
        begun.elapsed().as_nanos() as f64 / REQUESTS as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// What every answer costs. Returns the index of the class.
fn answer(stats: &Arc<VersionStats>, begun: Instant, i: u64, prediction: Option<&Prediction<'_>>) -> Option<usize> {
    let mut tally = Tally::begin(stats, 0, begun);
    tally.drawn();
    let us = tally.took_us(begun + Duration::from_micros(latency(i)));
    let class = tally.predicted(prediction);
    tally.answered(if i.is_multiple_of(100) { 500 } else { 200 }, us);
    class
}

fn class(i: u64) -> Prediction<'static> {
    Prediction::Class(Cow::Borrowed(pick(i, CLASSES)))
}

fn main() {
    let mut statistics = Statistics::new(1);
    let stats = statistics.version("bench/pets", "stable");
    let slices = ["a", "b", "c"].map(|name| statistics.slice("bench/pets", name, &stats));
    let pair = statistics.pair("bench/pets", "stable", "canary");
    let begun = Instant::now();
    let show = |what: &str, ns: f64| println!("| {what} | {ns:.0} |");
    println!("| recorded of an answer | ns |\n|---|---|");
    let plain = time(|i| {
        black_box(answer(&stats, begun, i, Some(&class(i))));
    });
    show("status, latency, class, weight's choice", plain);
    let ns = time(|i| {
        let value = latency(i) as f64 / 7.0;
        black_box(answer(&stats, begun, i, Some(&Prediction::Number { value, integer: None })));
    });
    show("the same with a number for a class", ns);
    // What is recorded besides is timed with what every answer costs, and without it shown.
    let ns = time(|i| {
        let class = answer(&stats, begun, i, Some(&class(i)));
        let value = slices[0].values.index(pick(i, COUNTRIES));
        slices[0].count(0, value, 200, latency(i), class);
    });
    show("besides: a slice", ns - plain);
    let ns = time(|i| {
        let class = answer(&stats, begun, i, Some(&class(i)));
        for (n, slice) in (0..).zip(&slices) {
            slice.count(0, slice.values.index(pick(i + n, COUNTRIES)), 200, latency(i), class);
        }
    });
    show("besides: three slices", ns - plain);
    stats.units.limit(60_000, 1_000);
    let ns = time(|i| {
        answer(&stats, begun, i, Some(&class(i)));
        stats.units.count(latency(i).wrapping_mul(0x9e37_79b9_7f4a_7c15), i.is_multiple_of(100), i / 1_000);
    });
    show("besides: one of 50,000 visitors", ns - plain);
    let ns = time(|i| {
        answer(&stats, begun, i, Some(&class(i)));
        let half = |i| Half { status: 200, us: latency(i), looked: true, prediction: Some(class(i)) };
        pair.count(0, &half(i), &half(i + 1));
    });
    show("besides: a pair", ns - plain);
    let (ring, version) = (Ring::new(100_000, 1), Arc::from("stable"));
    let ns = time(|i| {
        answer(&stats, begun, i, Some(&class(i)));
        ring.push(Some("0123456789abcdef0123456789abcdef"), &version, &class(i), i);
    });
    show("besides: a prediction that is kept", ns - plain);
    let ns = {
        let begun = Instant::now();
        let rounds = 200;
        (0..rounds).for_each(|_| drop(black_box(statistics.totals())));
        begun.elapsed().as_micros() as f64 / f64::from(rounds)
    };
    println!("\nreading all of it once a second: {ns:.0} us");
}
