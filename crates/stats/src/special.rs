//! Incomplete gamma and beta functions in logarithms, the normal distribution, Riemann's zeta: what continuous mixtures and reports need. The sequential
//! tests themselves need none of it.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, TAU};

use crate::gamma::ln_gamma_rest;
use crate::numeric::{exp, ln, ln_1p};

/// Terms after which a series or fraction is taken as it is; reached by none of the arguments that this crate has (they need about the root of the largest).
const TERMS: u32 = 200_000;
const PRECISION: f64 = 1e-16;
/// In place of 0 in a continued fraction.
const TINY: f64 = 1e-300;

/// `ln` of the shares of a gamma distribution with shape `a > 0` below and above `x >= 0` (the regularised incomplete gamma functions P and Q).
pub(crate) fn ln_gamma_shares(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    // ln of x^a e^-x / Gamma(a), without the cancellation of its parts.
    let density = a * (ln(x / a) + 1.0) - x - ln_gamma_rest(a);
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..TERMS {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * PRECISION {
                break;
            }
        }
        let below = (density + ln(sum)).min(0.0);
        (below, ln_one_minus_exp(below))
    } else {
        let odd = |n: u32| -f64::from(n) * (f64::from(n) - a);
        let fraction = continued_fraction(x + 1.0 - a, |n| (odd(n), x + 2.0 * f64::from(n) + 1.0 - a));
        let above = (density - ln(fraction)).min(0.0);
        (ln_one_minus_exp(above), above)
    }
}

/// `ln` of the Beta function.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    let sum = a + b;
    a * ln(a / sum) + b * ln(b / sum) + ln_gamma_rest(a) + ln_gamma_rest(b) - ln_gamma_rest(sum)
}

/// `ln` of the share of a Beta distribution with parameters `a, b > 0` below `x` in \[0, 1\] (the regularised incomplete beta function).
pub(crate) fn ln_beta_share(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if x >= 1.0 {
        return 0.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return ln_one_minus_exp(ln_beta_share_of_lower(b, a, 1.0 - x).min(0.0));
    }
    ln_beta_share_of_lower(a, b, x).min(0.0)
}

/// The continued fraction of DLMF 8.17.22, which converges fast below the mean.
fn ln_beta_share_of_lower(a: f64, b: f64, x: f64) -> f64 {
    let step = |n: u32| {
        let m = f64::from(n / 2);
        let numerator = if n.is_multiple_of(2) {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        (numerator, 1.0)
    };
    let fraction = continued_fraction(1.0, step);
    a * ln(x) + b * ln_1p(-x) - ln_beta(a, b) - ln(a) - ln(fraction)
}

/// `first + n1 / (d1 + n2 / (d2 + ...))` by Lentz's method, for steps that give `(n, d)` from 1 on.
fn continued_fraction(first: f64, step: impl Fn(u32) -> (f64, f64)) -> f64 {
    let away_from_zero = |x: f64| if x.abs() < TINY { TINY } else { x };
    let mut value = away_from_zero(first);
    let (mut c, mut d) = (value, 0.0);
    for n in 1..TERMS {
        let (numerator, denominator) = step(n);
        d = 1.0 / away_from_zero(denominator + numerator * d);
        c = away_from_zero(denominator + numerator / c);
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

/// `ln(1 - e^x)` for `x <= 0`.
fn ln_one_minus_exp(x: f64) -> f64 {
    if x > -LN_2 { ln(-libm::expm1(x)) } else { ln_1p(-exp(x)) }
}

/// `ln` of the standard normal distribution function.
pub(crate) fn ln_normal(x: f64) -> f64 {
    if x > -30.0 {
        return ln(0.5 * libm::erfc(-x * FRAC_1_SQRT_2));
    }
    let square = x * x;
    -0.5 * square - ln(-x) - 0.5 * ln(TAU) + ln_1p(-1.0 / square + 3.0 / (square * square))
}

/// The point below which a standard normal falls with probability `p`; within ±8.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    first_root(-8.0, 8.0, |x| 0.5 * libm::erfc(-x * FRAC_1_SQRT_2) - p)
}

/// The point that a chi-square variable exceeds with probability `p`, in (0, 1). `freedom` above 0.
pub(crate) fn chi_square_above(freedom: f64, p: f64) -> f64 {
    let mut high = freedom + 10.0;
    let excess = |x: f64| ln(p) - ln_gamma_shares(0.5 * freedom, 0.5 * x).1;
    while excess(high) < 0.0 {
        high *= 2.0;
    }
    first_root(0.0, high, excess)
}

/// Riemann's zeta function for `s > 1`, by the formula of Euler and Maclaurin.
pub(crate) fn zeta(s: f64) -> f64 {
    const N: u32 = 24;
    let n = f64::from(N);
    let sum: f64 = (1..N).map(|i| libm::pow(f64::from(i), -s)).sum();
    let last = libm::pow(n, -s);
    let (square, rising) = (n * n, s * (s + 1.0) * (s + 2.0));
    sum + last
        * (n / (s - 1.0) + 0.5 + s / (12.0 * n) - rising / (720.0 * n * square)
            + rising * (s + 3.0) * (s + 4.0) / (30_240.0 * n * square * square))
}

/// Where a function that rises from below 0 at `low` to above 0 at `high` crosses, to the last bit that halving reaches.
pub(crate) fn first_root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Where a function with one valley in `[low, high]` is lowest, by golden sections: as near as the flatness of the valley lets doubles see.
pub(crate) fn lowest_point(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..90 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - GOLDEN * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + GOLDEN * (high - low);
            at_b = f(b);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::{
        chi_square_above, ln_beta, ln_beta_share, ln_gamma_shares, ln_normal, lowest_point, normal_quantile, zeta,
    };

    fn close(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance * expected.abs().max(1e-300), "{got} is not {expected}");
    }

    /// A whole shape has a closed form: the sum of Poisson probabilities.
    #[test]
    fn shares_of_the_gamma_distribution() {
        for (a, x) in [(1u32, 0.1), (3, 2.5), (3, 9.0), (10, 10.0), (40, 90.0), (40, 15.0)] {
            let mut term = f64::exp(-x);
            let mut above = term;
            for k in 1..a {
                term *= x / f64::from(k);
                above += term;
            }
            let (below, ln_above) = ln_gamma_shares(f64::from(a), x);
            close(ln_above.exp(), above, 1e-12);
            close(below.exp(), 1.0 - above, 1e-9);
        }
        assert_eq!(ln_gamma_shares(2.0, 0.0), (f64::NEG_INFINITY, 0.0));
        // The median of a large shape is near a - 1/3.
        assert!((ln_gamma_shares(1e6, 1e6 - 1.0 / 3.0).0.exp() - 0.5).abs() < 1e-6);
    }

    /// Whole parameters have a closed form: the upper tail of a binomial distribution.
    #[test]
    fn shares_of_the_beta_distribution() {
        for (a, b, x) in [(1u32, 1u32, 0.3), (2, 5, 0.1), (2, 5, 0.9), (30, 70, 0.31), (30, 70, 0.6), (5, 1, 0.999)] {
            let n = a + b - 1;
            let pick = |k: u32| (1..=k).map(|i| f64::from(n + 1 - i) / f64::from(i)).product::<f64>();
            let tail: f64 =
                (a..=n).map(|k| pick(k) * f64::powi(x, k as i32) * f64::powi(1.0 - x, (n - k) as i32)).sum();
            close(ln_beta_share(f64::from(a), f64::from(b), x).exp(), tail, 1e-12);
        }
        assert_eq!((ln_beta_share(2.0, 3.0, 0.0), ln_beta_share(2.0, 3.0, 1.0)), (f64::NEG_INFINITY, 0.0));
        close(ln_beta(2.0, 3.0).exp(), 1.0 / 12.0, 1e-14);
        // Far in the tail at large parameters, where another library returned a probability above 1.
        close(ln_beta_share(1_001.0, 99_001.0, 0.008_59).exp(), 1.2e-6, 0.1);
    }

    #[test]
    fn the_normal_and_chi_square_distributions() {
        close(normal_quantile(0.9), 1.281_551_565_545, 1e-11);
        close(normal_quantile(0.05), -1.644_853_626_951, 1e-11);
        assert!(normal_quantile(0.5).abs() < 1e-15);
        close(ln_normal(0.0), 0.5f64.ln(), 1e-15);
        close(ln_normal(-29.999_999), ln_normal(-30.000_001), 1e-6);
        for (freedom, p, x) in
            [(1.0, 0.05, 3.841_458_820_694), (9.0, 0.01, 21.665_994_333_462), (2.0, 0.5, 1.386_294_361_120)]
        {
            close(chi_square_above(freedom, p), x, 1e-11);
        }
    }

    #[test]
    fn zeta_where_it_is_known() {
        close(zeta(2.0), std::f64::consts::PI.powi(2) / 6.0, 1e-13);
        close(zeta(1.4), 3.105_547_277_977, 1e-11);
    }

    #[test]
    fn the_lowest_point_of_a_valley() {
        assert!((lowest_point(0.0, 1.0, |x| (x - 0.37) * (x - 0.37)) - 0.37).abs() < 1e-8);
    }
}
