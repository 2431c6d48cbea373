//! Boundaries and intervals against those of the confseq library (see data/README.md).

use serde_json::{Map, Value};
use serin_stats::boundaries::{
    EmpiricalProcess, Mixture, PolyStitching, QuantileStitching, proportion_interval, quantile_p_value,
};
use serin_stats::{Process, Side, one_arm};

fn vectors() -> Map<String, Value> {
    let mut vectors: Map<String, Value> = serde_json::from_str(include_str!("data/confseq_vectors.json")).unwrap();
    vectors.remove("end");
    vectors
}

/// `"normal_mixture_bound(100,.05,100,.05,two)"` is the numbers 100, .05, 100 and .05.
fn numbers(key: &str) -> Vec<f64> {
    let (_, arguments) = key.split_once('(').unwrap();
    let words = arguments.trim_end_matches(')').split([',', '/', ' ']);
    words.filter_map(|word| word.rsplit('=').next().unwrap().trim_end_matches('.').parse().ok()).collect()
}

/// The text prints 9 to 12 digits.
fn check(key: &str, got: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!((got - expected).abs() <= tolerance * expected.abs().max(0.01), "{key}: {got} is not {expected}");
}

#[test]
fn mixtures_and_their_bounds() {
    let mut seen = 0;
    for (key, expected) in vectors() {
        let n = numbers(&key);
        let one = key.contains("one)");
        let normal = |v_best: f64, alpha: f64| {
            if one { Mixture::normal_one_sided(v_best, alpha) } else { Mixture::normal_two_sided(v_best, alpha) }
        };
        let beta = |v_best: f64, g: f64, h: f64| {
            let sides = if one { Mixture::beta_binomial_one_sided } else { Mixture::beta_binomial_two_sided };
            sides(v_best, 0.05, g, h)
        };
        let got = match key.split('(').next().unwrap() {
            "normal_log_mixture" => normal(n[2], n[3]).log_e(n[0], n[1]),
            "normal_mixture_bound" => normal(n[2], n[3]).bound(n[0], n[1]),
            "gamma_exponential_bound" => Mixture::gamma_exponential(n[2], 0.05, n[3]).bound(n[0], n[1]),
            "gamma_poisson_bound" => Mixture::gamma_poisson(n[2], 0.05, n[3]).bound(n[0], n[1]),
            "beta_binomial_log_mixture" => beta(n[2], n[3], n[4]).log_e(n[0], n[1]),
            "beta_binomial_bound" => beta(n[2], n[3], n[4]).bound(n[0], n[1]),
            _ => continue,
        };
        check(&key, got, &expected, 1e-10);
        seen += 1;
    }
    assert_eq!(seen, 10);
}

/// The precision of the best two-sided mixture, seen in its evidence: half a logarithm of `rho / (v + rho)` when the sum is 0.
#[test]
fn the_best_precision() {
    let shrink = libm::exp(2.0 * Mixture::normal_two_sided(100.0, 0.05).log_e(0.0, 100.0));
    let key = "two_sided_normal_best_rho(v=100,a=.05)";
    check(key, 100.0 * shrink / (1.0 - shrink), &vectors()[key], 1e-10);
}

#[test]
fn stitched_bounds() {
    let mut seen = 0;
    for (key, expected) in vectors() {
        let n = numbers(&key);
        let got = match key.split('(').next().unwrap() {
            "poly_stitching" => PolyStitching { v_min: n[2], c: n[3] }.bound(n[0], n[1]),
            "empirical_process_lil" => EmpiricalProcess::new(n[1], n[2], n[3]).bound(n[0]),
            "double_stitching" => QuantileStitching { t_best: n[3] }.bound(n[0], n[1], n[2]),
            _ => continue,
        };
        check(&key, got, &expected, 1e-9);
        seen += 1;
    }
    assert_eq!(seen, 8);
    assert_eq!(EmpiricalProcess::new(0.05, 100.0, 0.85).bound(99.0), f64::INFINITY);
}

#[test]
fn intervals_of_a_proportion() {
    let mut seen = 0;
    for (key, expected) in vectors().iter().filter(|(key, _)| key.starts_with("bernoulli_ci")) {
        let n = numbers(key);
        let (low, high) = proportion_interval(n[0], n[1], n[2], n[3], 0.05);
        check(key, low, &expected[0], 1e-7);
        check(key, high, &expected[1], 1e-7);
        seen += 1;
    }
    assert_eq!(seen, 7);
    assert_eq!(proportion_interval(50.0, 50.0, 0.05, 50.0, 0.05).1, 1.0);
}

#[test]
fn equal_quantiles_of_two_versions() {
    let mut seen = 0;
    for (key, expected) in vectors().iter().filter(|(key, _)| key.starts_with("quantile_ab_p")) {
        let (p, from) = (numbers(key)[0], numbers(key).last().copied().unwrap());
        let one: Vec<f64> = (1..=1_000).map(f64::from).collect();
        let other: Vec<f64> = one.iter().map(|x| x + from - 1.0).collect();
        check(key, quantile_p_value(&one, &other, p, 100.0, 0.05), expected, 1e-6);
        check(key, quantile_p_value(&other, &one, p, 100.0, 0.05), expected, 1e-6);
        seen += 1;
    }
    assert_eq!(seen, 5);
    let same: Vec<f64> = (1..=1_000).map(f64::from).collect();
    assert_eq!(quantile_p_value(&same, &same, 0.5, 100.0, 0.05), 1.0);
    assert_eq!(quantile_p_value(&[], &same, 0.5, 100.0, 0.05), 1.0);
}

#[test]
fn no_vector_is_left_out() {
    let tested = 10 + 1 + 8 + 7 + 5;
    assert_eq!(vectors().len(), tested);
}

/// The grid of alternatives of the one-arm test against the continuous mixture: where it was not made for, the continuum is the slower one.
#[test]
fn the_grid_of_alternatives_is_as_good_as_a_continuum() {
    let limit = 0.05;
    let rows = one_arm::table(limit, Side::Fail);
    for (rate, n) in [(0.07, 4_000.0), (0.1, 500.0), (0.2, 100.0), (0.5, 20.0), (0.9, 8.0)] {
        let v_best = 100.0 * limit * (1.0 - limit);
        let continuum = Mixture::beta_binomial_one_sided(v_best, 0.01, limit, 1.0 - limit);
        let of_continuum = continuum.log_e((rate - limit) * n, limit * (1.0 - limit) * n);
        let mut grid = Process::new(rows.len(), false);
        grid.step(&one_arm::log_gains(&rows, rate * n, (1.0 - rate) * n), 0.0);
        assert!(grid.log_e() > of_continuum - 1.0, "{rate}: {} {of_continuum}", grid.log_e());
        assert!(of_continuum > 0.6 * grid.log_e() && of_continuum > 4.0, "{rate}: {} {of_continuum}", grid.log_e());
    }
}
