//! Times what a batch costs a metric, and prints how large its state is. Run with `cargo bench -p serin-stats`.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;
use serin_stats::bounded::Bets;
use serin_stats::paired::{self, Pairs};
use serin_stats::two_arm::{self, Line, Side, smoothed};
use serin_stats::{Counts, Detector, Difference, Equality, Process, Split, one_arm};

const LINE: Line = Line { ratio: 1.0, delta: 0.01 };
const BATCHES: u32 = 20_000;
const EARLY: u32 = 20;

/// A second at about a hundred requests, never quite the same.
fn batch(i: u32) -> Counts {
    let canary_bad = f64::from(i.is_multiple_of(7));
    let stable_bad = f64::from(i.is_multiple_of(3));
    Counts { canary_bad, canary_ok: 19.0 + f64::from(i % 4), stable_bad, stable_ok: 78.0 + f64::from(i % 5) }
}

fn time<S: Serialize + Clone>(what: &str, fresh: S, mut step: impl FnMut(&mut S, &Counts)) {
    let mut state = fresh.clone();
    let start = Instant::now();
    (0..BATCHES).for_each(|i| step(&mut state, black_box(&batch(i))));
    let ns = start.elapsed().as_nanos() / u128::from(BATCHES);
    // The first batches on their own: some states shrink as they learn.
    let mut early = fresh;
    let start = Instant::now();
    (0..EARLY).for_each(|i| step(&mut early, black_box(&batch(i))));
    let early_ns = start.elapsed().as_nanos() / u128::from(EARLY);
    let bytes = |state: &S| serde_json::to_string(state).map_or(0, |text| text.len());
    let largest = bytes(&early).max(bytes(&state));
    println!("{what:36} {ns:6} ns a batch ({early_ns:6} in the first {EARLY}) {largest:6} bytes of JSON");
}

fn main() {
    let weight = |counts: &Counts| counts.realised_weight().unwrap_or(0.5);
    for (what, side) in [("two arms, fail, with its table", Side::Fail), ("two arms, pass, with its table", Side::Pass)]
    {
        let components = two_arm::table(0.01, 0.2, LINE, side).len();
        let state = (Process::new(components, true), Counts::default());
        time(what, state, |(process, past), counts| {
            let rate = smoothed(past.stable_bad, past.stable_total());
            process.step(&two_arm::log_gains(&two_arm::table(rate, weight(counts), LINE, side), counts), 1e-5);
            *past += *counts;
        });
    }
    let rows = two_arm::table(0.01, 0.2, LINE, Side::Fail);
    time("two arms, fixed table", Process::new(rows.len(), false), |process, counts| {
        process.step(&two_arm::log_gains(&rows, counts), 0.0);
    });
    let limit = one_arm::table(0.05, Side::Fail);
    time("one arm, fixed table", Process::new(limit.len(), true), |process, counts| {
        process.step(&one_arm::log_gains(&limit, counts.canary_bad, counts.canary_ok), 1e-5);
    });
    time("bounded mean, sums, with its bets", Process::new(8, true), |process, counts| {
        process.step(&Bets::new(0.3, weight(counts), LINE, Side::Fail).log_gains(counts), 1e-5);
    });
    let pairs = paired::table(0.03, Side::Fail);
    time("pairs, fixed table", Process::new(pairs.len(), true), |process, counts| {
        let pair = Pairs { worse: counts.canary_bad, same: counts.canary_ok, better: counts.stable_bad };
        process.step(&paired::log_gains(&pairs, &pair), 1e-5);
    });
    time("split of two arms", Split::new(&[0.2, 0.8]), |split, counts| {
        split.step(&[counts.canary_total(), counts.stable_total()]);
    });
    time("equality of ten classes", Equality::new(0.2), |equality, counts| {
        equality.step(&[counts.canary_ok / 10.0; 10], &[counts.stable_ok / 10.0; 10]);
    });
    time("detector, fixed table", Detector::new(rows.len()), |detector, counts| {
        detector.step(&two_arm::log_gains(&rows, counts));
    });
    time("interval of the difference", Difference::new(1.0, 0.05), |difference, counts| {
        difference.step(counts, weight(counts));
    });
}
