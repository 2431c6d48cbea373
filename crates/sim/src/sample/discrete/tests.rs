//! The samplers against the exact probabilities: chi-squared over all cells, moments, and both sides of the switch from
//! inversion to rejection.

use super::*;

const DRAWS: usize = 40_000;

/// Chi-squared of draws against probabilities, cells of fewer than 20 expected put together, and the degrees of freedom.
fn chi_squared(counts: &[u64], probability: impl Fn(usize) -> f64) -> (f64, usize) {
    let (mut chi2, mut cells) = (0.0, 0);
    let (mut seen, mut expected) = (0.0, 0.0);
    let mut rest = 1.0;
    for (k, count) in counts.iter().enumerate() {
        let p = probability(k);
        seen += *count as f64;
        expected += p * DRAWS as f64;
        rest -= p;
        if expected >= 20.0 && rest * DRAWS as f64 >= 20.0 {
            chi2 += (seen - expected).powi(2) / expected;
            cells += 1;
            (seen, expected) = (0.0, 0.0);
        }
    }
    // Everything that is left, beyond the largest number drawn too.
    expected += rest.max(0.0) * DRAWS as f64;
    if expected > 0.0 {
        chi2 += (seen - expected).powi(2) / expected;
    }
    (chi2, cells.max(1))
}

fn counted(mut draw: impl FnMut() -> u64) -> Vec<u64> {
    let drawn: Vec<u64> = (0..DRAWS).map(|_| draw()).collect();
    let mut counts = vec![0; *drawn.iter().max().unwrap() as usize + 1];
    drawn.iter().for_each(|k| counts[*k as usize] += 1);
    counts
}

/// Within the 99.99th percentile of chi-squared, by Wilson and Hilferty's approximation.
fn assert_fits(name: &str, (chi2, freedom): (f64, usize)) {
    let d = freedom as f64;
    let limit = d * (1.0 - 2.0 / (9.0 * d) + 3.719 * (2.0 / (9.0 * d)).sqrt()).powi(3);
    assert!(chi2 < limit, "{name}: chi-squared {chi2:.1} of at most {limit:.1} with {freedom} degrees of freedom");
}

#[test]
fn poisson_numbers_have_their_probabilities() {
    for (seed, mean) in [0.05, 0.7, 3.0, 9.9, 10.1, 24.0, 150.0, 4000.0].into_iter().enumerate() {
        let mut rng = Rng::new(seed as u64);
        let counts = counted(|| poisson(&mut rng, mean));
        let log_p = |k: usize| k as f64 * f64::ln(mean) - mean - log_factorial(k as f64);
        assert_fits(&format!("poisson({mean})"), chi_squared(&counts, |k| log_p(k).exp()));
    }
}

#[test]
fn binomial_numbers_have_their_probabilities() {
    let cases = [(5, 0.3), (40, 0.01), (400, 0.02), (60, 0.2), (1000, 0.011), (900, 0.4), (700, 0.93), (100_000, 0.35)];
    for (seed, (n, p)) in cases.into_iter().enumerate() {
        let mut rng = Rng::new(100 + seed as u64);
        let counts = counted(|| binomial(&mut rng, n, p));
        let (size, log_n) = (n as f64, log_factorial(n as f64));
        let log_p = |k: usize| {
            let k = k as f64;
            log_n - log_factorial(k) - log_factorial(size - k) + k * f64::ln(p) + (size - k) * f64::ln_1p(-p)
        };
        let within = |k: usize| if k as u64 <= n { log_p(k).exp() } else { 0.0 };
        assert_fits(&format!("binomial({n}, {p})"), chi_squared(&counts, within));
    }
}

#[test]
fn mean_and_variance_are_exact() {
    let mut rng = Rng::new(9);
    let mut check = |draw: &mut dyn FnMut(&mut Rng) -> u64, mean: f64, variance: f64| {
        let drawn: Vec<f64> = (0..DRAWS).map(|_| draw(&mut rng) as f64).collect();
        let n = DRAWS as f64;
        let m = drawn.iter().sum::<f64>() / n;
        let v = drawn.iter().map(|x| (x - m).powi(2)).sum::<f64>() / (n - 1.0);
        assert!((m - mean).abs() < 4.0 * (variance / n).sqrt(), "mean {m} of {mean}");
        // The variance of a variance is about 2 v^2 / n for these, which are close to normal.
        assert!((v / variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt() + 0.01, "variance {v} of {variance}");
    };
    check(&mut |rng| poisson(rng, 1e6), 1e6, 1e6);
    check(&mut |rng| poisson(rng, 11.0), 11.0, 11.0);
    check(&mut |rng| binomial(rng, 1_000_000, 0.001), 1000.0, 999.0);
    check(&mut |rng| binomial(rng, 50, 0.5), 25.0, 12.5);
}

#[test]
fn the_edges() {
    let mut rng = Rng::new(1);
    for mean in [0.0, -1.0, f64::NAN] {
        assert_eq!(poisson(&mut rng, mean), 0);
    }
    assert_eq!(binomial(&mut rng, 0, 0.5), 0);
    assert_eq!(binomial(&mut rng, 9, 0.0), 0);
    assert_eq!(binomial(&mut rng, 9, 1.0), 9);
    assert_eq!(binomial(&mut rng, 9, f64::NAN), 0);
    // Next to nothing and next to everything stay within bounds.
    assert!((0..1000).all(|_| binomial(&mut rng, 3, 1e-300) == 0));
    assert!((0..1000).all(|_| binomial(&mut rng, 3, 1.0 - 1e-16) == 3));
}

#[test]
fn nothing_is_lost_when_events_are_spread() {
    let mut rng = Rng::new(2);
    let shares = [0.5, 0.0, 0.3, 0.2];
    let mut sums = [0_u64; 4];
    for _ in 0..2000 {
        let mut out = [0; 4];
        multinomial(&mut rng, 100, &shares, &mut out);
        assert_eq!(out.iter().sum::<u64>(), 100);
        out.iter().zip(&mut sums).for_each(|(n, sum)| *sum += n);
    }
    for (sum, share) in sums.iter().zip(shares) {
        let deviation = (200_000.0 * share * (1.0 - share)).sqrt();
        assert!((*sum as f64 - 200_000.0 * share).abs() <= 4.0 * deviation, "{sums:?}");
    }
    multinomial(&mut rng, 5, &[], &mut []);
}

/// Against `math.lgamma`.
#[test]
fn factorials() {
    for (k, want) in [(9.0, 12.801_827_480_081_469), (10.0, 15.104_412_573_075_516), (100.0, 363.739_375_555_563_5)] {
        assert!((log_factorial(k) / want - 1.0_f64).abs() < 1e-12, "{k}");
    }
    let mut sum = 0.0;
    for k in 1..200 {
        sum += f64::from(k).ln();
        assert!((log_factorial(f64::from(k)) - sum).abs() < 1e-10 * sum.max(1.0), "{k}");
    }
}
