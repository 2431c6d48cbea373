//! Error probabilities of the tests at every look, with the power to show that they decide.

use serin_stats::two_arm::{Line, Side, log_gains, smoothed, table};
use serin_stats::{Counts, Detector, Process, combine};

use crate::chance::Chance;

const POINT: Line = Line { ratio: 1.0, delta: 0.01 };
const ALPHA: f64 = 0.01;

/// How a canary and its stable version are watched: short streams, one look a batch.
#[derive(Clone, Copy)]
struct Watch {
    weight: f64,
    /// Requests a batch.
    requests: u32,
    batches: u32,
    side: Side,
    restart: bool,
}

/// The test as it is used: stable rate learned on the way, realised weight, restarts.
fn decides(watch: Watch, level: f64, seed: u64, rates: impl Fn(u32) -> (f64, f64)) -> bool {
    let mut chance = Chance::new(seed);
    let mut process = Process::new(table(0.5, 0.5, POINT, watch.side).len(), watch.restart);
    let mut past = Counts::default();
    let mass = Process::RESTART_SHARE / f64::from(watch.batches);
    for second in 0..watch.batches {
        let (canary, stable) = rates(second);
        let counts = chance.batch(watch.requests, watch.weight, canary, stable);
        if let Some(weight) = counts.realised_weight() {
            let rate = smoothed(past.stable_bad, past.stable_total());
            process.step(&log_gains(&table(rate, weight, POINT, watch.side), &counts), mass);
        }
        past += counts;
        if process.log_e() >= -libm::log(level) {
            return true;
        }
    }
    false
}

fn share(runs: u64, decided: impl Fn(u64) -> bool) -> f64 {
    (0..runs).filter(|seed| decided(*seed)).count() as f64 / runs as f64
}

fn bound(level: f64, runs: u64) -> f64 {
    level + 3.0 * (level * (1.0 - level) / runs as f64).sqrt()
}

/// Both versions swing together, slowly, between a fifth and almost five times their rate.
fn swing(second: u32) -> f64 {
    libm::exp(1.57 * libm::sin(f64::from(second) * 0.8))
}

#[test]
fn a_canary_on_its_tolerance_fails_no_more_often_than_promised_and_a_bad_one_does() {
    let watch = Watch { weight: 0.2, requests: 100, batches: 20, side: Side::Fail, restart: true };
    let runs = 20_000;
    let constant = share(runs, |seed| decides(watch, ALPHA, seed, |_| (0.015, 0.005)));
    assert!(constant <= bound(ALPHA, runs), "{constant}");
    let swinging = share(runs / 4, |seed| {
        decides(watch, ALPHA, seed, |second| {
            let stable = 0.05 * swing(second);
            (stable + 0.01, stable)
        })
    });
    assert!(swinging <= bound(ALPHA, runs / 4), "{swinging}");
    // Neither zero, which a test that never decides would be, nor does it miss what is really bad.
    assert!(constant > 0.000_2 && swinging > 0.0, "{constant} {swinging}");
    let power = share(500, |seed| decides(watch, ALPHA, seed, |_| (0.1, 0.005)));
    assert!(power > 0.95, "{power}");
    let late = share(500, |seed| decides(watch, ALPHA, seed, |second| (if second < 10 { 0.005 } else { 0.15 }, 0.005)));
    assert!(late > 0.9, "{late}");
}

#[test]
fn a_canary_on_its_tolerance_passes_no_more_often_than_promised_and_a_good_one_does() {
    let watch = Watch { weight: 0.2, requests: 500, batches: 20, side: Side::Pass, restart: false };
    let runs = 3_000;
    let passed = share(runs, |seed| decides(watch, 0.05, seed, |_| (0.015, 0.005)));
    assert!(passed <= bound(0.05, runs) && passed > 0.005, "{passed}");
    let power = share(500, |seed| decides(watch, 0.05, seed, |_| (0.005, 0.005)));
    assert!(power > 0.95, "{power}");
}

/// Three metrics of the same requests, each on its tolerance: one error probability for the three.
#[test]
fn one_level_covers_all_metrics() {
    let runs = 5_000;
    let failed = share(runs, |seed| {
        let mut chance = Chance::new(seed);
        let rows = table(0.02, 0.3, POINT, Side::Fail);
        let mut metrics = vec![Process::new(rows.len(), false); 3];
        (0..30).any(|_| {
            let mut counts = [Counts::default(); 3];
            for _ in 0..40 {
                let canary = chance.hits(0.3);
                // One draw decides all three, which makes them as dependent as can be.
                let (draw, limit) = (chance.uniform(), if canary { 0.03 } else { 0.02 });
                for (i, counts) in counts.iter_mut().enumerate() {
                    let bad = (draw + i as f64 / 300.0) % 1.0 < limit;
                    match (canary, bad) {
                        (true, true) => counts.canary_bad += 1.0,
                        (true, false) => counts.canary_ok += 1.0,
                        (false, true) => counts.stable_bad += 1.0,
                        (false, false) => counts.stable_ok += 1.0,
                    }
                }
            }
            metrics.iter_mut().zip(&counts).for_each(|(m, counts)| m.step(&log_gains(&rows, counts), 0.0));
            let pieces: Vec<(f64, f64)> = metrics.iter().map(|m| (1.0, m.log_e())).collect();
            combine::weighted_mean(&pieces) >= -libm::log(ALPHA)
        })
    });
    assert!(failed <= bound(ALPHA, runs) && failed > 0.0, "{failed}");
}

/// Batches until the alarm, a hundred requests each.
fn alarmed_after(chance: &mut Chance, canary: f64) -> f64 {
    let rows = table(0.005, 0.2, POINT, Side::Fail);
    let mut detector = Detector::new(rows.len());
    let mut batches = 0.0;
    while !detector.alarms(1.0 / 200.0) {
        detector.step(&log_gains(&rows, &chance.batch(100, 0.2, canary, 0.005)));
        batches += 1.0;
    }
    batches
}

#[test]
fn a_watch_without_end_is_seldom_wrong_and_quick_to_see() {
    let mut chance = Chance::new(5);
    let mut mean =
        |canary: f64, runs: u32| (0..runs).map(|_| alarmed_after(&mut chance, canary)).sum::<f64>() / f64::from(runs);
    let (quiet, loud) = (mean(0.015, 200), mean(0.1, 200));
    assert!(quiet > 200.0, "{quiet} batches between false alarms");
    assert!(loud < 6.0, "{loud} batches until a regression is seen");
}
