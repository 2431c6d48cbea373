//! The forecast of requests against what simulated tests take.

use serin_stats::Process;
use serin_stats::needed::{Growth, smallest_regression};
use serin_stats::two_arm::{Line, Side, log_gains, table};

use crate::chance::Chance;

const STABLE: f64 = 0.005;
const WEIGHT: f64 = 0.2;
/// ln 100 and ln 20: error probabilities of 1 % and 5 %.
const FAIL: f64 = 4.605_170_185_988_092;
const PASS: f64 = 2.995_732_273_553_991;

/// Mean requests of the canary until the limit is reached, one request at a time.
fn simulated(canary_rate: f64, line: Line, side: Side, log_limit: f64, runs: u32) -> f64 {
    let rows = table(STABLE, WEIGHT, line, side);
    let mut chance = Chance::new(7);
    let mut sum = 0.0;
    for _ in 0..runs {
        let mut process = Process::new(rows.len(), false);
        while process.log_e() < log_limit {
            let counts = chance.batch(5, WEIGHT, canary_rate, STABLE);
            process.step(&log_gains(&rows, &counts), 0.0);
            sum += counts.canary_total();
        }
    }
    sum / f64::from(runs)
}

/// Share of simulated tests that fail the canary within so many of its requests.
fn caught(canary_rate: f64, line: Line, canary_requests: f64, runs: u32) -> f64 {
    let rows = table(STABLE, WEIGHT, line, Side::Fail);
    let mut chance = Chance::new(11);
    let mut one = || {
        let mut process = Process::new(rows.len(), false);
        let mut seen = 0.0;
        while seen < canary_requests && process.best_log_e() < FAIL {
            let counts = chance.batch(5, WEIGHT, canary_rate, STABLE);
            process.step(&log_gains(&rows, &counts), 0.0);
            seen += counts.canary_total();
        }
        process.best_log_e() >= FAIL
    };
    f64::from((0..runs).map(|_| u32::from(one())).sum::<u32>()) / f64::from(runs)
}

fn point(delta: f64) -> Line {
    Line { ratio: 1.0, delta }
}

/// The published column is the mean over simulated canaries whose stable rate is learned on the way.
#[test]
fn a_pass_takes_what_is_forecast() {
    for (delta, published, runs) in
        [(0.0025, 9_733.0, 40), (0.005, 2_794.0, 80), (0.01, 825.0, 150), (0.02, 302.0, 200), (0.05, 98.0, 200)]
    {
        let growth = Growth::two_arm(STABLE, STABLE, WEIGHT, point(delta), Side::Pass);
        let forecast = growth.requests(None, PASS).unwrap();
        assert!((0.85..1.15).contains(&(forecast / published)), "{delta}: {forecast} for {published}");
        let seen = simulated(STABLE, point(delta), Side::Pass, PASS, runs);
        assert!((0.9..1.3).contains(&(forecast / seen)), "{delta}: {forecast} for {seen}");
    }
}

#[test]
fn a_fail_takes_what_is_forecast() {
    for rate in [0.03, 0.05, 0.1, 0.2, 0.5] {
        let forecast = Growth::two_arm(rate, STABLE, WEIGHT, point(0.01), Side::Fail).requests(None, FAIL).unwrap();
        let seen = simulated(rate, point(0.01), Side::Fail, FAIL, 300);
        assert!((0.85..1.15).contains(&(forecast / seen)), "{rate}: {forecast} for {seen}");
    }
}

#[test]
fn the_smallest_regression_is_caught_as_often_as_asked_and_half_of_it_is_not() {
    for requests in [60.0, 300.0, 1_500.0] {
        for power in [0.5, 0.8, 0.95] {
            let rate = smallest_regression(STABLE, WEIGHT, point(0.01), FAIL, requests, power).unwrap();
            let share = caught(rate, point(0.01), requests, 300);
            assert!((power - 0.1..power + 0.12).contains(&share), "{requests} {power}: {share} at {rate}");
            let limit = 0.01 + STABLE;
            let half = caught(limit + 0.5 * (rate - limit), point(0.01), requests, 300);
            assert!(half < power - 0.15, "{requests} {power}: {half} at half of {rate}");
        }
    }
}
