//! Mixtures of exponential supermartingales over all rates, with the weight concentrated where `V` is expected to be.

use crate::gamma::ln_gamma;
use crate::numeric::{ln, sqrt};
use crate::special::{first_root, ln_beta, ln_beta_share, ln_gamma_shares, ln_normal};

/// A mixture for sums with some kind of tails. Made for the `V` at which its bound shall be tightest (`v_best`), at the error probability `alpha_best`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    NormalTwoSided { rho: f64 },
    NormalOneSided { rho: f64 },
    GammaExponential { rho: f64, c: f64, leading: f64 },
    GammaPoisson { rho: f64, c: f64, leading: f64 },
    BetaBinomial { r: f64, g: f64, h: f64, upper: f64, normalizer: f64 },
}

/// The precision of the mixing normal that makes the two-sided bound tightest at `v`.
fn best_rho(v: f64, alpha: f64) -> f64 {
    let nats = -2.0 * ln(alpha);
    v / (nats + ln(1.0 + nats))
}

impl Mixture {
    /// For sub-Gaussian sums, watched for both signs.
    pub fn normal_two_sided(v_best: f64, alpha_best: f64) -> Self {
        Self { kind: Kind::NormalTwoSided { rho: best_rho(v_best, alpha_best) } }
    }

    /// For sub-Gaussian sums, watched for large positive values.
    pub fn normal_one_sided(v_best: f64, alpha_best: f64) -> Self {
        Self { kind: Kind::NormalOneSided { rho: best_rho(v_best, 2.0 * alpha_best) } }
    }

    /// For sums with tails as those of an exponential variable of scale `c > 0`.
    pub fn gamma_exponential(v_best: f64, alpha_best: f64, c: f64) -> Self {
        let rho = best_rho(v_best, 2.0 * alpha_best);
        let shape = rho / (c * c);
        let leading = shape * ln(shape) - ln_gamma(shape) - ln_gamma_shares(shape, shape).0;
        Self { kind: Kind::GammaExponential { rho, c, leading } }
    }

    /// For sums with tails as those of a Poisson variable of scale `c > 0`.
    pub fn gamma_poisson(v_best: f64, alpha_best: f64, c: f64) -> Self {
        let rho = best_rho(v_best, 2.0 * alpha_best);
        let shape = rho / (c * c);
        let leading = shape * ln(shape) - ln_gamma(shape) - ln_gamma_shares(shape, shape).1;
        Self { kind: Kind::GammaPoisson { rho, c, leading } }
    }

    /// For sums of variables that are `-g` or `h` (both above 0): centred Bernoulli outcomes with mean `p` are `-p` or `1 - p`. Watched for large positive values.
    pub fn beta_binomial_one_sided(v_best: f64, alpha_best: f64, g: f64, h: f64) -> Self {
        Self::beta_binomial(best_rho(v_best, 2.0 * alpha_best), g, h, h / (g + h))
    }

    /// The same, watched for both signs.
    pub fn beta_binomial_two_sided(v_best: f64, alpha_best: f64, g: f64, h: f64) -> Self {
        Self::beta_binomial(best_rho(v_best, alpha_best), g, h, 1.0)
    }

    fn beta_binomial(rho: f64, g: f64, h: f64, upper: f64) -> Self {
        // The mixing distribution needs some width even where none would be best.
        let r = (rho - g * h).max(1e-3 * g * h);
        let (a, b) = (r / (g * (g + h)), r / (h * (g + h)));
        let normalizer = ln_beta(a, b) + ln_beta_share(a, b, upper);
        Self { kind: Kind::BetaBinomial { r, g, h, upper, normalizer } }
    }

    /// `ln` of the evidence that the sum is `s` at variance process `v >= 0` by more than chance.
    pub fn log_e(&self, s: f64, v: f64) -> f64 {
        match self.kind {
            Kind::NormalTwoSided { rho } => 0.5 * ln(rho / (v + rho)) + s * s / (2.0 * (v + rho)),
            Kind::NormalOneSided { rho } => {
                0.5 * ln(4.0 * rho / (v + rho)) + s * s / (2.0 * (v + rho)) + ln_normal(s / sqrt(v + rho))
            }
            Kind::GammaExponential { rho, c, leading } => {
                let (shape, moved) = ((v + rho) / (c * c), (c * s + v) / (c * c));
                let x = moved + rho / (c * c);
                leading + ln_gamma(shape) + ln_gamma_shares(shape, x).0 - shape * ln(x) + moved
            }
            Kind::GammaPoisson { rho, c, leading } => {
                let rate = (v + rho) / (c * c);
                let shape = s / c + rate;
                leading + ln_gamma(shape) + ln_gamma_shares(shape, rate).1 - shape * ln(rate) + v / (c * c)
            }
            Kind::BetaBinomial { r, g, h, upper, normalizer } => {
                let (ups, downs) = ((v + h * s) / (h * (g + h)), (v - g * s) / (g * (g + h)));
                let (a, b) = ((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)));
                let mixed = ln_beta(a, b) + ln_beta_share(a, b, upper);
                v / (g * h) * ln(g + h) - ups * ln(g) - downs * ln(h) + mixed - normalizer
            }
        }
    }

    /// What the sum exceeds at any time with probability at most `alpha`, when the variance process is `v > 0` there.
    pub fn bound(&self, v: f64, alpha: f64) -> f64 {
        let limit = -ln(alpha);
        if let Kind::NormalTwoSided { rho } = self.kind {
            return sqrt((v + rho) * (ln(1.0 + v / rho) + 2.0 * limit));
        }
        let mut high = v;
        if let Kind::BetaBinomial { g, .. } = self.kind {
            // The sum is bounded itself.
            high = v / g;
            if self.log_e(high, v) < limit {
                return high;
            }
        }
        while self.log_e(high, v) < limit {
            high *= 2.0;
        }
        first_root(0.0, high, |s| self.log_e(s, v) - limit)
    }
}

#[cfg(test)]
mod tests {
    use super::Mixture;

    #[test]
    fn a_bound_is_where_the_evidence_reaches_its_limit() {
        for mixture in [
            Mixture::normal_one_sided(50.0, 0.05),
            Mixture::normal_two_sided(50.0, 0.05),
            Mixture::gamma_exponential(50.0, 0.05, 0.5),
            Mixture::gamma_poisson(50.0, 0.05, 1.5),
            Mixture::beta_binomial_one_sided(50.0, 0.05, 0.3, 0.7),
        ] {
            for (v, alpha) in [(10.0, 0.05), (200.0, 0.001), (5_000.0, 0.01)] {
                let s = mixture.bound(v, alpha);
                assert!((mixture.log_e(s, v) + f64::ln(alpha)).abs() < 1e-6, "{mixture:?} {v} {alpha}: {s}");
            }
        }
    }

    #[test]
    fn a_bounded_sum_has_no_bound_beyond_it() {
        let mixture = Mixture::beta_binomial_one_sided(1.0, 0.05, 0.5, 0.5);
        assert_eq!(mixture.bound(0.5, 0.001), 1.0);
    }
}
