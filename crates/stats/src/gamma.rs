//! Ratios of gamma functions without the cancellation that the functions themselves would have at large counts.

use crate::numeric::{ln, ln_1p};

/// `ln` of the gamma function; `x > 0`.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// `ln Gamma(x) - (x ln x - x)`, which stays small.
pub(crate) fn ln_gamma_rest(x: f64) -> f64 {
    if x < 16.0 {
        return ln_gamma(x) - (x * ln(x) - x);
    }
    // Stirling's series; the next term is below 1e-15 here.
    let square = 1.0 / (x * x);
    let series =
        1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0)));
    0.5 * ln(std::f64::consts::TAU / x) + series / x
}

/// `u ln u - u + 1` for `u >= 0`, precise near its minimum at 1.
fn relative_excess(u: f64) -> f64 {
    let e = u - 1.0;
    if e.abs() < 1e-3 {
        return e * e * (1.0 / 2.0 - e * (1.0 / 6.0 - e * (1.0 / 12.0 - e * (1.0 / 20.0 - e / 30.0))));
    }
    if u > 0.0 { u * ln_1p(e) - e } else { 1.0 }
}

/// `ln` of `B(kappa shares + counts) / B(kappa shares) / prod shares^counts`: how much better a Dirichlet mixture with mean `shares` explains labels than
/// `shares` themselves do. `shares` are positive and add up to 1.
///
/// With `a = kappa shares + counts` and `A` their sum the terms that grow with the counts are `sum a ln(a / (A share))`, which is
/// `A sum share f(a / (A share))` with `f` never negative, so nothing large cancels.
pub(crate) fn ln_dirichlet_ratio(shares: &[f64], kappa: f64, counts: &[f64]) -> f64 {
    let total: f64 = kappa + counts.iter().sum::<f64>();
    let mut sum = ln_gamma_rest(kappa) - ln_gamma_rest(total);
    for (share, count) in shares.iter().zip(counts) {
        let (prior, posterior) = (kappa * share, kappa * share + count);
        sum += total * share * relative_excess(posterior / (total * share));
        sum += ln_gamma_rest(posterior) - ln_gamma_rest(prior);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{ln_dirichlet_ratio, ln_gamma, ln_gamma_rest, relative_excess};

    #[test]
    fn the_rest_continues_over_its_seam() {
        for x in [1e-9, 0.3, 1.0, 15.9, 16.1, 40.0, 1e5] {
            let direct = ln_gamma(x) - (x * x.ln() - x);
            assert!((ln_gamma_rest(x) - direct).abs() < 1e-15 * (1.0 + x * x.ln().abs()) * 4.0, "{x}");
        }
    }

    #[test]
    fn the_excess_is_precise_near_its_minimum() {
        assert_eq!((relative_excess(1.0), relative_excess(0.0)), (0.0, 1.0));
        for e in [9.9e-4, -9.9e-4, 5e-4, -5e-4] {
            let direct = (1.0 + e) * f64::ln_1p(e) - e;
            assert!((relative_excess(1.0 + e) / direct - 1.0).abs() < 2e-12, "{e}");
        }
        let (inside, outside) = (relative_excess(1.000_999_999), relative_excess(1.001_000_001));
        assert!((outside - inside) / inside < 1e-5 && outside > inside);
    }

    #[test]
    fn the_ratio_is_what_the_gamma_functions_say_and_holds_at_large_counts() {
        let (shares, kappa, counts) = ([0.2, 0.3, 0.5], 20.0, [7.0, 30.0, 11.0]);
        let mut direct = ln_gamma(kappa) - ln_gamma(kappa + 48.0);
        for i in 0..3 {
            direct +=
                ln_gamma(kappa * shares[i] + counts[i]) - ln_gamma(kappa * shares[i]) - counts[i] * shares[i].ln();
        }
        assert!((ln_dirichlet_ratio(&shares, kappa, &counts) - direct).abs() < 1e-12);
        // Counts in exact proportion: only the prior's width costs, half a logarithm of n a free share.
        let at = |n: f64| ln_dirichlet_ratio(&[0.5, 0.5], 100.0, &[n / 2.0, n / 2.0]);
        assert!((at(1e12) - at(1e10) + 0.5 * 100f64.ln()).abs() < 1e-6);
    }
}
