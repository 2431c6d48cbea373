//! Bounds in closed form, stitched together over geometrically growing epochs.

use crate::numeric::{exp, expit, ln, logit, sqrt};
use crate::special::{first_root, lowest_point, zeta};

/// The exponent of the weights of the epochs, and their growth: the usual compromise between early and late tightness.
const EPOCH_POWER: f64 = 1.4;
const EPOCH_GROWTH: f64 = 2.0;

/// The two constants that every stitched bound has, for the growth of the epochs.
fn constants() -> (f64, f64) {
    let root = sqrt(EPOCH_GROWTH);
    let quarter = sqrt(root);
    ((quarter + 1.0 / quarter) / std::f64::consts::SQRT_2, (root + 1.0) / 2.0)
}

/// The polynomial stitched bound for sums with gamma tails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolyStitching {
    /// Where the bound begins to grow, above 0.
    pub v_min: f64,
    /// Scale of the tails; 0 for sub-Gaussian sums.
    pub c: f64,
}

impl PolyStitching {
    /// What the sum exceeds at any time with probability at most `alpha`.
    pub fn bound(&self, v: f64, alpha: f64) -> f64 {
        let (k1, k2) = constants();
        let v = v.max(self.v_min);
        let epochs = EPOCH_POWER * ln(ln(EPOCH_GROWTH * v / self.v_min));
        let nats = epochs + ln(zeta(EPOCH_POWER)) - EPOCH_POWER * ln(ln(EPOCH_GROWTH)) - ln(alpha);
        let tails = k2 * self.c * nats;
        sqrt(k1 * k1 * v * nats + tails * tails) + tails
    }
}

/// A band around a distribution function that holds for all its points and at any time, of the width of the law of the iterated logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EmpiricalProcess {
    t_min: f64,
    a: f64,
    c: f64,
}

impl EmpiricalProcess {
    /// A band from `t_min >= 1` outcomes on, with error probability `alpha`. `a`, above the root of a half, is the leading constant: the nearer to it, the later the band is tight;
    /// 0.85 is a usual choice.
    pub fn new(alpha: f64, t_min: f64, a: f64) -> Self {
        let mut high = 8.0;
        while least_error(high, a) > alpha {
            high *= 2.0;
        }
        let c = first_root(0.0, high, |c| alpha - least_error(c, a));
        Self { t_min, a, c }
    }

    /// Half of the width of the band after `t` outcomes; infinite before `t_min`.
    pub fn bound(&self, t: f64) -> f64 {
        if t < self.t_min {
            return f64::INFINITY;
        }
        self.a * sqrt((ln(1.0 + ln(t / self.t_min)) + self.c) / t)
    }
}

/// The error probability of the band with constant `c`, over the best growth of its epochs.
fn least_error(c: f64, a: f64) -> f64 {
    let error = |growth: f64| {
        let width = a - sqrt(2.0 * (growth - 1.0) / c);
        let gamma = 2.0 / growth * width * width;
        if width <= 0.0 || gamma <= 1.0 {
            return f64::INFINITY;
        }
        4.0 * exp(-gamma * c) * (1.0 + 1.0 / ((gamma - 1.0) * ln(growth)))
    };
    // Beyond this growth the sum over the epochs diverges.
    let largest = first_root(1.0, 2.0 * a * a, |growth| sqrt(growth / 2.0) + sqrt(2.0 * (growth - 1.0) / c) - a);
    error(lowest_point(1.0, largest, error))
}

/// The double stitched bound for quantiles: for all times and all quantiles at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileStitching {
    /// Outcomes at which the bound is tightest, at least 1.
    pub t_best: f64,
}

impl QuantileStitching {
    /// How finely the quantiles are stitched, in log odds.
    const FINENESS: f64 = 0.5;

    /// What the count of outcomes below the `p`-quantile exceeds its mean by at any time and for any `p` in (0, 1) with probability at most `alpha`, after `t` outcomes.
    pub fn bound(&self, p: f64, t: f64, alpha: f64) -> f64 {
        let (k1, k2) = constants();
        let t = t.max(self.t_best);
        let epochs = t / self.t_best;
        let near = logit(p) + 2.0 * Self::FINENESS * sqrt(EPOCH_GROWTH / epochs);
        let r = if p >= 0.5 { p } else { expit(near).min(0.5) };
        let variance = r * (1.0 - r);
        let j = sqrt(epochs) * logit(p).abs() / (2.0 * Self::FINENESS) + 1.0;
        let z = zeta(EPOCH_POWER);
        let weights = ln(2.0 * z * (2.0 * z + 1.0) / alpha) - EPOCH_POWER * ln(ln(EPOCH_GROWTH));
        let nats = EPOCH_POWER * (ln(ln(EPOCH_GROWTH * epochs)) + ln(j)) + weights;
        let tails = k2 * (1.0 - 2.0 * p) / 3.0 * nats;
        Self::FINENESS * sqrt(EPOCH_GROWTH * epochs * variance)
            + sqrt(k1 * k1 * variance * t * nats + tails * tails)
            + tails
    }
}
