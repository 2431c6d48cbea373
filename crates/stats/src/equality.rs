//! Is it the same model? Exact equality of the distribution of classes in both versions, for changes that should change nothing.
//!
//! Null: given its class, an answer is the canary's with probability `w`, the weight. That holds when both versions answer alike. Evidence is the product over the classes of a Beta mixture
//! around `w`. It needs the true weight of the router's draw, not a realised one, and it is too strict for a new model: any difference is found in the end.

use serde::{Deserialize, Serialize};

use crate::gamma::ln_dirichlet_ratio;
use crate::numeric::inner_rate;

/// How narrow the mixture is around the weight, in answers a class.
pub const CONCENTRATION: f64 = 20.0;

/// The evidence that classes are distributed differently. The weight may change between batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Equality {
    weight: f64,
    /// Answers a class in the present phase.
    canary: Vec<f64>,
    /// Answers a class in the present phase.
    stable: Vec<f64>,
    /// `ln E` of the phases before.
    log_e_before: f64,
    best: f64,
}

impl Equality {
    /// Begins with a weight in (0, 1).
    pub fn new(weight: f64) -> Self {
        let none = Vec::new;
        Self { weight: inner_rate(weight), canary: none(), stable: none(), log_e_before: 0.0, best: 0.0 }
    }

    /// Goes on with another weight. What was seen so far stays, as evidence of its own phase.
    pub fn set_weight(&mut self, weight: f64) {
        let weight = inner_rate(weight);
        if weight != self.weight {
            self.log_e_before = self.log_e();
            self.weight = weight;
            self.canary.clear();
            self.stable.clear();
        }
    }

    /// Feeds a batch: answers a class, at least 0. A class keeps its place; new ones are added at the end. State and cost grow with their number, so bound it:
    /// count what is rare or unseen in one class.
    pub fn step(&mut self, canary: &[f64], stable: &[f64]) {
        for (sums, counts) in [(&mut self.canary, canary), (&mut self.stable, stable)] {
            sums.resize(sums.len().max(canary.len()).max(stable.len()), 0.0);
            sums.iter_mut().zip(counts).filter(|(_, n)| n.is_finite()).for_each(|(sum, n)| *sum += n.max(0.0));
        }
        self.best = self.best.max(self.log_e());
    }

    /// `ln E` now. Finite.
    pub fn log_e(&self) -> f64 {
        let shares = [self.weight, 1.0 - self.weight];
        let of_class = |(canary, stable): (&f64, &f64)| ln_dirichlet_ratio(&shares, CONCENTRATION, &[*canary, *stable]);
        self.log_e_before + self.canary.iter().zip(&self.stable).map(of_class).sum::<f64>()
    }

    /// Whether it can be a state. To be asked of what was read from elsewhere.
    pub fn is_sound(&self) -> bool {
        let counts = self.canary.iter().chain(&self.stable).all(|n| *n >= 0.0 && n.is_finite());
        self.weight > 0.0 && self.weight < 1.0 && self.canary.len() == self.stable.len() && counts && self.best >= 0.0
    }

    /// The most that `ln E` ever was after a batch; at least 0. The versions differ, at level `alpha`, once it is at least `ln(1 / alpha)`.
    pub fn best_log_e(&self) -> f64 {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::Equality;

    #[test]
    fn other_shares_are_found_and_equal_ones_are_not() {
        let fed = |canary: &[f64], stable: &[f64]| {
            let mut equality = Equality::new(0.2);
            (0..20).for_each(|_| equality.step(canary, stable));
            equality.best_log_e()
        };
        assert!(fed(&[4.0, 6.0], &[8.0, 32.0]) > 100f64.ln());
        assert_eq!(fed(&[2.0, 8.0], &[8.0, 32.0]), 0.0);
    }

    #[test]
    fn classes_may_appear_late_and_weights_may_change() {
        let mut equality = Equality::new(0.2);
        equality.step(&[2.0], &[8.0]);
        let one = equality.log_e();
        equality.step(&[0.0, 0.0, 9.0], &[0.0]);
        let three = equality.log_e();
        assert!(three > one + 3.0);
        equality.set_weight(0.5);
        assert_eq!(equality.log_e(), three);
        equality.step(&[5.0, 5.0], &[5.0, 5.0]);
        assert!(equality.log_e() < three && equality.best_log_e() == three);
        assert!(equality.is_sound());
        for weight in ["0.0", "1.0"] {
            let broken = serde_json::to_string(&equality).unwrap().replace("0.5", weight);
            assert!(!serde_json::from_str::<Equality>(&broken).unwrap().is_sound(), "{broken}");
        }
    }
}
