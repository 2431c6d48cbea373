//! From several pieces of evidence to one decision. All numbers are `ln E`; minus infinity is evidence of 0.

use crate::numeric::{ln, ln_sum_exp};

/// `ln` of the weighted mean of `(weight, ln E)`, which is evidence against "all nulls hold" whatever the pieces have to do with each other (Vovk and Wang,
/// arXiv 1912.06116). Weights need not add up to 1. Without any positive weight there is no evidence either way: 0.
///
/// One level for all metrics, steps and looks of a rollout: fail when it reaches `ln(1 / alpha)`.
pub fn weighted_mean(pieces: &[(f64, f64)]) -> f64 {
    let counted = pieces.iter().filter(|(weight, _)| *weight > 0.0);
    let total: f64 = counted.clone().map(|(weight, _)| weight).sum();
    if total <= 0.0 {
        return 0.0;
    }
    ln_sum_exp(counted.map(|(weight, log_e)| ln(*weight) + log_e)) - ln(total)
}

/// What every piece of `(weight, ln E)` contributes to [`weighted_mean`]: shares that add up to 1, to say which metric it was.
pub fn contributions(pieces: &[(f64, f64)]) -> Vec<f64> {
    let log = |(weight, log_e): &(f64, f64)| if *weight > 0.0 { ln(*weight) + log_e } else { f64::NEG_INFINITY };
    let total = ln_sum_exp(pieces.iter().map(log));
    if total.is_infinite() {
        return vec![0.0; pieces.len()];
    }
    pieces.iter().map(|piece| crate::numeric::exp(log(piece) - total)).collect()
}

/// Evidence against "any of the nulls holds": the smallest piece (intersection-union). No correction is needed. 0 of nothing.
pub fn minimum(pieces: &[f64]) -> f64 {
    pieces.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// Which of many hypotheses to reject so that the expected share of wrong ones among them is at most `alpha` in (0, 1], whatever they have to do with
/// each other: those with `E >= K / (alpha k)`, for the largest `k` that has as many (e-BH of Wang and Ramdas, arXiv 2009.02824).
pub fn e_bh(pieces: &[f64], alpha: f64) -> Vec<bool> {
    let mut sorted = pieces.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let limit = |k: usize| ln(pieces.len() as f64) - ln(alpha) - ln(k as f64);
    let rejected = (1..=sorted.len()).rev().find(|k| sorted[k - 1] >= limit(*k));
    pieces.iter().map(|log_e| rejected.is_some_and(|k| *log_e >= limit(k))).collect()
}

#[cfg(test)]
mod tests {
    use super::{contributions, e_bh, minimum, weighted_mean};

    #[test]
    fn the_mean_is_weighted_and_does_not_overflow() {
        let mean = weighted_mean(&[(1.0, 8f64.ln()), (3.0, 4f64.ln())]);
        assert!((mean - 5f64.ln()).abs() < 1e-14);
        assert!((weighted_mean(&[(1.0, 2000.0), (1.0, f64::NEG_INFINITY)]) - 2000.0 + 2f64.ln()).abs() < 1e-12);
        assert_eq!(weighted_mean(&[]), 0.0);
        assert_eq!(weighted_mean(&[(0.0, 50.0)]), 0.0);
        assert_eq!(weighted_mean(&[(1.0, f64::NEG_INFINITY)]), f64::NEG_INFINITY);
    }

    #[test]
    fn contributions_name_the_culprit() {
        let shares = contributions(&[(1.0, 3f64.ln()), (2.0, 3f64.ln()), (0.0, 900.0)]);
        assert!((shares[0] - 1.0 / 3.0).abs() < 1e-14 && (shares[1] - 2.0 / 3.0).abs() < 1e-14 && shares[2] == 0.0);
        assert_eq!(contributions(&[(0.0, 1.0)]), [0.0]);
    }

    #[test]
    fn every_piece_must_speak_for_the_minimum() {
        assert_eq!(minimum(&[3.0, 1.0, 2.0]), 1.0);
        assert_eq!(minimum(&[]), 0.0);
    }

    #[test]
    fn a_fleet_rejects_more_when_more_is_there() {
        let log = |e: f64| e.ln();
        // Four hypotheses at 10 %: one alone needs 40, two need 20 each.
        assert_eq!(e_bh(&[log(39.0), 0.0, 0.0, 0.0], 0.1), [false; 4]);
        assert_eq!(e_bh(&[log(41.0), 0.0, 0.0, 0.0], 0.1), [true, false, false, false]);
        assert_eq!(e_bh(&[0.0, log(21.0), 0.0, log(22.0)], 0.1), [false, true, false, true]);
        assert_eq!(e_bh(&[], 0.1), Vec::<bool>::new());
    }
}
