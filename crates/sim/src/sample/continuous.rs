//! Times and latencies.

use crate::random::Rng;

/// The 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;

/// Standard normal, by the polar method.
pub fn normal(rng: &mut Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * rng.unit() - 1.0, 2.0 * rng.unit() - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            // The second number is not kept: a stream then holds no state besides its own.
            return x * libm::sqrt(-2.0 * libm::log(square) / square);
        }
    }
}

/// Exponential with this mean.
pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * libm::log(rng.unit_open())
}

/// Probability that a standard normal number is below `z`.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * core::f64::consts::FRAC_1_SQRT_2)
}

/// A log-normal distribution: right for latencies and start times, which are never negative and have a long tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogNormal {
    /// Mean of the logarithm.
    pub mu: f64,
    /// Standard deviation of the logarithm, at least 0.
    pub sigma: f64,
}

impl LogNormal {
    /// The one with this median and 95th percentile. Both must be positive; a 95th percentile below the median counts
    /// as equal to it.
    pub fn of_quantiles(p50: f64, p95: f64) -> Self {
        let mu = libm::log(p50.max(f64::MIN_POSITIVE));
        let sigma = (libm::log(p95.max(f64::MIN_POSITIVE)) - mu).max(0.0) / Z95;
        Self { mu, sigma }
    }

    /// Draws one.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        libm::exp(self.mu + self.sigma * normal(rng))
    }

    /// Probability of at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        let z = libm::log(x) - self.mu;
        if self.sigma == 0.0 { f64::from(u8::from(z >= 0.0)) } else { normal_cdf(z / self.sigma) }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        libm::exp(self.mu + self.sigma * self.sigma / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `scipy.stats.norm.cdf`.
    #[test]
    fn the_normal_curve() {
        let check = |z: f64, want: f64| assert!((normal_cdf(z) / want - 1.0).abs() < 1e-13, "{z}: {}", normal_cdf(z));
        check(0.0, 0.5);
        check(1.0, 0.841_344_746_068_542_9);
        check(-1.96, 0.024_997_895_148_220_435);
        check(-6.0, 9.865_876_450_376_98e-10);
    }

    #[test]
    fn log_normal_quantiles_are_those_asked_for() {
        let curve = LogNormal::of_quantiles(0.12, 0.3);
        assert!((curve.cdf(0.12) - 0.5).abs() < 1e-12);
        assert!((curve.cdf(0.3) - 0.95).abs() < 1e-12);
        let mut rng = Rng::new(5);
        let drawn: Vec<f64> = (0..20_000).map(|_| curve.draw(&mut rng)).collect();
        let below = |x: f64| drawn.iter().filter(|d| **d <= x).count() as f64 / drawn.len() as f64;
        // Four standard deviations of a share of 20,000.
        assert!((below(0.12) - 0.5).abs() < 0.0142, "{}", below(0.12));
        assert!((below(0.3) - 0.95).abs() < 0.0062, "{}", below(0.3));
        let fixed = LogNormal::of_quantiles(2.0, 1.0);
        assert_eq!((fixed.cdf(1.9), fixed.cdf(2.1), fixed.sigma), (0.0, 1.0, 0.0));
    }

    #[test]
    fn exponential_times_have_the_mean_and_the_tail() {
        let mut rng = Rng::new(6);
        let drawn: Vec<f64> = (0..40_000).map(|_| exponential(&mut rng, 30.0)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((mean - 30.0).abs() < 4.0 * 30.0 / 200.0, "{mean}");
        let tail = drawn.iter().filter(|x| **x > 90.0).count() as f64 / drawn.len() as f64;
        assert!((tail - 0.049_787).abs() < 4.0 * 0.00109, "{tail}");
    }
}
