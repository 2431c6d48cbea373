//! How far two distributions are apart, in the usual scores, with what chance alone shows taken off.
//!
//! Two equal distributions never look equal in samples: with ten classes, a hundred answers of the canary and four hundred of the stable version, the population stability index is 0.12 on average, above
//! the usual alarm of 0.1 more often than not. So every score comes with its bias removed, and with the slack that equal distributions exceed once in a hundred looks at a fixed
//! time. Scores are for people to read. They promise nothing about error probabilities over many looks and are never gated on.

use serde::{Deserialize, Serialize};

use crate::numeric::{ln, sqrt};
use crate::special::{chi_square_above, normal_quantile};

/// How often equal distributions are above the slack.
const SLACK_SHARE: f64 = 0.01;
/// Mean and 99 % point of the largest distance of a Brownian bridge from 0 (the distribution of Kolmogorov).
const KOLMOGOROV_MEAN: f64 = 0.868_731_160_636_159_5;
const KOLMOGOROV_SLACK: f64 = 1.627_623_611_518_950_8;
/// How much less the largest of a walk with steps of variance 1 is than that of the motion through it (Chernoff and Siegmund).
const WALK: f64 = 0.582_597_157_939_010_6;

/// One score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// As it is usually computed.
    pub raw: f64,
    /// Without what equal distributions show on average in samples of this size.
    pub value: f64,
    /// What `value` exceeds in about one of a hundred samples of this size, or fewer, when the distributions are equal.
    pub slack: f64,
}

impl Score {
    fn new(raw: f64, bias: f64, limit: f64) -> Self {
        Self { raw, value: raw - bias, slack: (limit - bias).max(0.0) }
    }

    /// The score of a distance whose square has these numbers; never below 0.
    fn root(square: Self) -> Self {
        let root = |x: f64| sqrt(x.max(0.0));
        Self { raw: root(square.raw), value: root(square.value), slack: root(square.slack) }
    }
}

/// The scores of two samples of classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// Population stability index, in nats, with half an answer added to every class. The value may be below 0.
    pub psi: Score,
    /// Jensen-Shannon distance with logarithms to base 2: 0 to 1. The bias is taken off its square, and the value is 0 where that leaves less.
    pub js: Score,
    /// Largest difference of the distribution functions (Kolmogorov-Smirnov), 0 to 1. Says something only when the classes are in an order.
    pub ks: Score,
    /// Half of the sum of the differences of the shares (total variation), 0 to 1.
    pub tv: Score,
}

impl Shift {
    /// Compares counts a class, at least 0, in the order of the classes. Classes that neither has are left out. `None` when either version has no answer or the numbers of classes differ.
    pub fn between(canary: &[f64], stable: &[f64]) -> Option<Self> {
        let pairs: Vec<(f64, f64)> =
            canary.iter().copied().zip(stable.iter().copied()).filter(|(c, s)| c + s > 0.0).collect();
        let sum = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
        let (n_canary, n_stable) = (sum(|pair| pair.0), sum(|pair| pair.1));
        let sound = canary.iter().chain(stable).all(|n| *n >= 0.0 && n.is_finite());
        if !sound || canary.len() != stable.len() || n_canary <= 0.0 || n_stable <= 0.0 {
            return None;
        }
        let noise = 1.0 / n_canary + 1.0 / n_stable;
        let shares: Vec<(f64, f64)> = pairs.iter().map(|(c, s)| (c / n_canary, s / n_stable)).collect();
        // Pooled, for what chance shows.
        let pooled: Vec<f64> = pairs.iter().map(|(c, s)| (c + s) / (n_canary + n_stable)).collect();
        let freedom = pairs.len() as f64 - 1.0;
        let (mean, limit) =
            (freedom * noise, if freedom > 0.0 { chi_square_above(freedom, SLACK_SHARE) * noise } else { 0.0 });
        let bits = 1.0 / (8.0 * std::f64::consts::LN_2);
        Some(Self {
            psi: Score::new(psi(&pairs, n_canary, n_stable), mean, limit),
            js: Score::root(Score::new(jensen_shannon(&shares), mean * bits, limit * bits)),
            ks: kolmogorov_smirnov(&shares, &pooled, noise),
            tv: total_variation(&shares, &pooled, noise),
        })
    }
}

fn psi(pairs: &[(f64, f64)], n_canary: f64, n_stable: f64) -> f64 {
    let added = 0.5 * pairs.len() as f64;
    let share = |n: f64, total: f64| (n + 0.5) / (total + added);
    let terms = pairs.iter().map(|(c, s)| (share(*c, n_canary), share(*s, n_stable)));
    terms.map(|(c, s)| (c - s) * ln(c / s)).sum()
}

/// The divergence in bits.
fn jensen_shannon(shares: &[(f64, f64)]) -> f64 {
    let half = |x: f64, mean: f64| if x > 0.0 { 0.5 * x * ln(x / mean) } else { 0.0 };
    let nats: f64 = shares.iter().map(|(c, s)| half(*c, 0.5 * (c + s)) + half(*s, 0.5 * (c + s))).sum();
    nats / std::f64::consts::LN_2
}

fn kolmogorov_smirnov(shares: &[(f64, f64)], pooled: &[f64], noise: f64) -> Score {
    let (mut canary, mut stable, mut below) = (0.0, 0.0, 0.0);
    let (mut largest, mut of_edges, mut widest) = (0.0, 0.0, 0.0);
    for ((c, s), p) in shares.iter().zip(pooled) {
        (canary, stable, below) = (canary + c, stable + s, below + p);
        largest = f64::max(largest, (canary - stable).abs());
        of_edges += mean_deviation(below, noise);
        widest = f64::max(widest, sqrt((below * (1.0 - below)).max(0.0) * noise));
    }
    // The edges see a bridge at the ends of its steps, whose variances are the shares of the classes. Few edges deviate less than their deviations together.
    let unseen = WALK * sqrt(pooled.iter().map(|p| p * p).sum());
    let mean = f64::min((KOLMOGOROV_MEAN - unseen) * sqrt(noise), of_edges);
    let each = normal_quantile(1.0 - 0.5 * SLACK_SHARE / (pooled.len() as f64 - 1.0).max(1.0));
    let limit = f64::min((KOLMOGOROV_SLACK - unseen) * sqrt(noise), each * widest);
    Score::new(largest, mean, limit)
}

fn total_variation(shares: &[(f64, f64)], pooled: &[f64], noise: f64) -> Score {
    let raw = 0.5 * shares.iter().map(|(c, s)| (c - s).abs()).sum::<f64>();
    let bias = 0.5 * pooled.iter().map(|p| mean_deviation(*p, noise)).sum::<f64>();
    // One answer moves it by at most 1/n, so it exceeds its mean by t with probability at most e^(-2 t^2 / noise) (McDiarmid).
    Score::new(raw, bias, bias + sqrt(-0.5 * ln(SLACK_SHARE) * noise))
}

/// How far the shares of two samples differ on average when both have the true share `p`.
fn mean_deviation(p: f64, noise: f64) -> f64 {
    sqrt(std::f64::consts::FRAC_2_PI * (p * (1.0 - p)).max(0.0) * noise)
}

#[cfg(test)]
mod tests {
    use super::Shift;

    #[test]
    fn scores_of_large_samples_are_the_textbook_ones() {
        let n = 1e9;
        let shift = Shift::between(&[0.5 * n, 0.3 * n, 0.2 * n], &[0.2 * n, 0.3 * n, 0.5 * n]).unwrap();
        let psi = 2.0 * 0.3 * (2.5f64).ln();
        let js = 0.5 * (0.5 * (0.5f64 / 0.35).log2() + 0.2 * (0.2f64 / 0.35).log2()) * 2.0;
        for (score, expected) in [(shift.psi, psi), (shift.js, js.sqrt()), (shift.ks, 0.3), (shift.tv, 0.3)] {
            assert!(
                (score.raw - expected).abs() < 1e-7 && (score.value - expected).abs() < 1e-4,
                "{score:?} {expected}"
            );
            assert!(score.slack < 0.01, "{score:?}");
        }
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(Shift::between(&[], &[]), None);
        assert_eq!(Shift::between(&[0.0, 0.0], &[1.0, 2.0]), None);
        assert_eq!(Shift::between(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(Shift::between(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        let one = Shift::between(&[5.0, 0.0], &[7.0, 0.0]).unwrap();
        assert_eq!((one.psi.value, one.js.value, one.ks.value, one.tv.value), (0.0, 0.0, 0.0, 0.0));
    }
}
