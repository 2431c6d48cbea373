//! Whether requests are split as configured: the sample-ratio test of Lindon and Malek (arXiv 2011.03567).
//!
//! Null: every request belongs to arm `i` with its expected share. Evidence is a Dirichlet mixture of the other splits, concentrated around the expected one.
//! When it rejects, a comparison of the arms says nothing, since requests are not assigned by chance alone.

use serde::{Deserialize, Serialize};

use crate::gamma::ln_dirichlet_ratio;
use crate::numeric::RATE_MARGIN;

/// How narrow the mixture is around the expected split, in requests.
pub const CONCENTRATION: f64 = 100.0;

/// The evidence that requests are not split as expected. Expected shares may change between batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Expected shares of the present phase; positive, with sum 1.
    expected: Vec<f64>,
    /// Requests of the present phase.
    counts: Vec<f64>,
    /// `ln E` of the phases before.
    log_e_before: f64,
    best: f64,
}

impl Split {
    /// Begins with the shares that the arms should get, in any unit (20 and 80, or 0.2 and 0.8). An arm that should get nothing is given a share of 1e-9.
    ///
    /// # Panics
    ///
    /// Without arms.
    pub fn new(expected: &[f64]) -> Self {
        assert!(!expected.is_empty(), "a split has arms");
        Self { expected: normalised(expected), counts: vec![0.0; expected.len()], log_e_before: 0.0, best: 0.0 }
    }

    /// Goes on with other shares. What was seen so far stays, as evidence of its own phase.
    ///
    /// # Panics
    ///
    /// When the number of arms changes.
    pub fn expect(&mut self, expected: &[f64]) {
        assert_eq!(expected.len(), self.expected.len(), "arms stay");
        let expected = normalised(expected);
        if expected != self.expected {
            self.log_e_before = self.log_e();
            self.expected = expected;
            self.counts.fill(0.0);
        }
    }

    /// Feeds a batch: requests of every arm, at least 0.
    ///
    /// # Panics
    ///
    /// When it is for another number of arms.
    pub fn step(&mut self, counts: &[f64]) {
        assert_eq!(counts.len(), self.expected.len(), "one count an arm");
        self.counts.iter_mut().zip(counts).filter(|(_, n)| n.is_finite()).for_each(|(sum, n)| *sum += n.max(0.0));
        self.best = self.best.max(self.log_e());
    }

    /// `ln E` now. Finite.
    pub fn log_e(&self) -> f64 {
        self.log_e_before + ln_dirichlet_ratio(&self.expected, CONCENTRATION, &self.counts)
    }

    /// Whether it can be the state of a split into so many arms. To be asked of what was read from elsewhere.
    pub fn fits(&self, arms: usize) -> bool {
        let shares = self.expected.iter().all(|share| *share > 0.0 && *share <= 1.0);
        let counts = self.counts.iter().all(|n| *n >= 0.0 && n.is_finite());
        arms > 0 && self.expected.len() == arms && self.counts.len() == arms && shares && counts && self.best >= 0.0
    }

    /// The most that `ln E` ever was after a batch; at least 0. The split is wrong, at level `alpha`, once it is at least `ln(1 / alpha)`.
    pub fn best_log_e(&self) -> f64 {
        self.best
    }
}

fn normalised(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().filter(|share| **share > 0.0).sum();
    let floored = |share: &f64| if total > 0.0 { (share / total).max(RATE_MARGIN) } else { 1.0 };
    let floored: Vec<f64> = shares.iter().map(floored).collect();
    let total: f64 = floored.iter().sum();
    floored.iter().map(|share| share / total).collect()
}

#[cfg(test)]
mod tests {
    use super::Split;

    #[test]
    fn a_wrong_split_is_found_and_a_right_one_is_not() {
        let fed = |counts: [f64; 2]| {
            let mut split = Split::new(&[20.0, 80.0]);
            (0..100).for_each(|_| split.step(&counts));
            split.best_log_e()
        };
        assert!(fed([4.0, 6.0]) > 80.0);
        assert!(fed([2.0, 8.0]) <= 1e-12);
    }

    #[test]
    fn a_phase_keeps_its_evidence_when_the_shares_change() {
        let mut split = Split::new(&[0.2, 0.8]);
        split.step(&[40.0, 60.0]);
        let first = split.log_e();
        split.expect(&[1.0, 4.0]);
        assert_eq!(split.log_e(), first, "the same shares in another unit change nothing");
        split.expect(&[0.5, 0.5]);
        assert!((split.log_e() - first).abs() < 1e-12);
        split.step(&[50.0, 50.0]);
        assert!(split.log_e() < first && split.best_log_e() == first);
    }

    #[test]
    fn an_arm_that_should_get_nothing_may_not_get_much() {
        let mut split = Split::new(&[0.0, 100.0]);
        split.step(&[0.0, 1e6]);
        assert!(split.log_e().abs() < 1e-3, "{}", split.log_e());
        split.step(&[3.0, 0.0]);
        assert!(split.log_e() > 4.6 && split.log_e().is_finite());
        assert!(split.fits(2) && !split.fits(3));
    }
}
