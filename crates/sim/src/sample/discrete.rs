//! Numbers of events.
//!
//! Small means are drawn by inversion (adding up probabilities until they pass a uniform number), large ones by
//! transformed rejection: W. Hörmann, "The transformed rejection method for generating Poisson random variables" (1993)
//! and "The generation of binomial random variates" (1993). Both are exact, not normal approximations.

use crate::random::Rng;

/// Means from which rejection is cheaper than inversion; the papers require at least 10.
const REJECTION_FROM: f64 = 10.0;

/// A Poisson number with this mean; 0 for means that are not positive.
pub fn poisson(rng: &mut Rng, mean: f64) -> u64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0;
    }
    if mean < REJECTION_FROM { poisson_by_inversion(rng, mean) } else { poisson_by_rejection(rng, mean) }
}

fn poisson_by_inversion(rng: &mut Rng, mean: f64) -> u64 {
    let mut left = rng.unit();
    let mut probability = libm::exp(-mean);
    let mut k = 0_u64;
    // At means below 10 nothing beyond 100 has a probability that a double can tell from 0.
    while left >= probability && k < 200 {
        left -= probability;
        k += 1;
        probability *= mean / k as f64;
    }
    k
}

/// Algorithm PTRS.
fn poisson_by_rejection(rng: &mut Rng, mean: f64) -> u64 {
    let b = 0.931 + 2.53 * libm::sqrt(mean);
    let a = -0.059 + 0.024_83 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let accept_at_once = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = rng.unit() - 0.5;
        let v = rng.unit_open();
        let us = 0.5 - u.abs();
        let k = libm::floor((2.0 * a / us + b) * u + mean + 0.43);
        if us >= 0.07 && v <= accept_at_once {
            return k as u64;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let bound = libm::log(v * inverse_alpha / (a / (us * us) + b));
        if bound <= k * libm::log(mean) - mean - log_factorial(k) {
            return k as u64;
        }
    }
}

/// How many of `n` events happen that have this probability each.
pub fn binomial(rng: &mut Rng, n: u64, probability: f64) -> u64 {
    if n == 0 || probability.is_nan() || probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return n;
    }
    if probability > 0.5 {
        return n - binomial(rng, n, 1.0 - probability);
    }
    if n as f64 * probability < REJECTION_FROM {
        binomial_by_inversion(rng, n, probability)
    } else {
        binomial_by_rejection(rng, n, probability)
    }
}

fn binomial_by_inversion(rng: &mut Rng, n: u64, p: f64) -> u64 {
    let odds = p / (1.0 - p);
    let mut left = rng.unit();
    let mut probability = libm::exp(n as f64 * libm::log1p(-p));
    let mut k = 0_u64;
    while left >= probability && k < n.min(200) {
        left -= probability;
        probability *= odds * (n - k) as f64 / (k + 1) as f64;
        k += 1;
    }
    k
}

/// Algorithm BTRS.
fn binomial_by_rejection(rng: &mut Rng, n: u64, p: f64) -> u64 {
    let size = n as f64;
    let deviation = libm::sqrt(size * p * (1.0 - p));
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let centre = size * p + 0.5;
    let accept_at_once = 0.92 - 4.2 / b;
    let alpha = (2.83 + 5.1 / b) * deviation;
    let log_odds = libm::log(p / (1.0 - p));
    let mode = libm::floor((size + 1.0) * p);
    let at_mode = log_factorial(mode) + log_factorial(size - mode);
    loop {
        let u = rng.unit() - 0.5;
        let v = rng.unit_open();
        let us = 0.5 - u.abs();
        let k = libm::floor((2.0 * a / us + b) * u + centre);
        if k < 0.0 || k > size {
            continue;
        }
        if us >= 0.07 && v <= accept_at_once {
            return k as u64;
        }
        let bound = libm::log(v * alpha / (a / (us * us) + b));
        if bound <= at_mode - log_factorial(k) - log_factorial(size - k) + (k - mode) * log_odds {
            return k as u64;
        }
    }
}

/// Spreads `n` events over cells with these shares; what the shares leave open to 1 goes to the last cell. Adds to `out`,
/// which has one place for each share.
pub fn multinomial(rng: &mut Rng, n: u64, shares: &[f64], out: &mut [u64]) {
    let Some((_, but_last)) = shares.split_last() else { return };
    let (mut left, mut open) = (n, 1.0);
    for (share, count) in but_last.iter().zip(out.iter_mut()) {
        if left == 0 {
            return;
        }
        let drawn = if open > 0.0 { binomial(rng, left, (share / open).min(1.0)) } else { 0 };
        *count += drawn;
        left -= drawn;
        open -= share;
    }
    out[but_last.len()] += left;
}

/// The logarithm of k!.
fn log_factorial(k: f64) -> f64 {
    /// Up to here from a table; Stirling's series is good to the last digits from there on.
    const TABLE: [f64; 10] = [
        0.0,
        0.0,
        core::f64::consts::LN_2,
        1.791_759_469_228_055,
        3.178_053_830_347_946,
        4.787_491_742_782_046,
        6.579_251_212_010_101,
        8.525_161_361_065_415,
        10.604_602_902_745_25,
        12.801_827_480_081_469,
    ];
    if k < 10.0 {
        return TABLE[k as usize];
    }
    let inverse = 1.0 / (k + 1.0);
    let square = inverse * inverse;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - square / 1680.0) * square) * square) * inverse;
    const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;
    (k + 0.5) * libm::log(k + 1.0) - (k + 1.0) + HALF_LOG_TWO_PI + series
}

#[cfg(test)]
mod tests;
