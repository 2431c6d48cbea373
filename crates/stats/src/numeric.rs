//! Logarithms, sums of exponentials and log odds that give the same bits on every machine and never NaN.

pub(crate) use libm::{exp, log as ln, log1p as ln_1p, sqrt};

/// Log evidence and log gains are kept between this and its negative, far beyond what counts can produce, so that state stays finite.
pub(crate) const LOG_LIMIT: f64 = 1e300;

/// Rates are kept this far from 0 and 1 where their logarithm is taken.
pub(crate) const RATE_MARGIN: f64 = 1e-9;

/// `ln(p / (1 - p))`; `p` in (0, 1).
pub(crate) fn logit(p: f64) -> f64 {
    ln(p / (1.0 - p))
}

/// The inverse of [`logit`].
pub(crate) fn expit(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// A rate that is neither 0 nor 1.
pub(crate) fn inner_rate(p: f64) -> f64 {
    p.clamp(RATE_MARGIN, 1.0 - RATE_MARGIN)
}

/// `ln(e^a + e^b)`; either may be minus infinity.
pub(crate) fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + ln_1p(exp(low - high)) }
}

/// `ln` of the sum of `e^x`; minus infinity of nothing.
pub(crate) fn ln_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let highest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if highest.is_infinite() {
        return highest;
    }
    highest + ln(values.map(|x| exp(x - highest)).sum())
}

#[cfg(test)]
mod tests {
    use super::{expit, ln_add_exp, ln_sum_exp, logit};

    #[test]
    fn sums_of_exponentials_survive_what_exponentials_do_not() {
        assert!((ln_add_exp(1000.0, 1000.0) - 1000.0 - std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(ln_add_exp(f64::NEG_INFINITY, 3.0), 3.0);
        assert_eq!(ln_add_exp(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!((ln_sum_exp([-2000.0, -2000.0, -2000.0].into_iter()) + 2000.0 - 3f64.ln()).abs() < 1e-12);
        assert_eq!(ln_sum_exp([].into_iter()), f64::NEG_INFINITY);
    }

    #[test]
    fn log_odds_are_inverted() {
        for p in [1e-9, 0.005, 0.5, 0.9999] {
            assert!((expit(logit(p)) / p - 1.0).abs() < 1e-12, "{p}");
        }
    }
}
