//! Endless watch after promotion: a detector whose false alarms are at least `1 / alpha` batches apart on average.
//!
//! The Shiryaev-Roberts e-detector of Shin, Ramdas and Rinaldo (arXiv 2203.03532): every batch begins a new test beside those that run, `M <- gain (M + 1)`, and the alarm is given when their sum
//! reaches `1 / alpha`. A test with one error probability for all time would grow deaf with every hour; this one does not.

use serde::{Deserialize, Serialize};

use crate::numeric::{LOG_LIMIT, ln, ln_add_exp, ln_sum_exp};

/// The sum of the tests that began at any batch so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    /// `ln(1 + M)` of every component, at least 0 and finite.
    log_carried: Vec<f64>,
}

impl Detector {
    /// Begins to watch.
    ///
    /// # Panics
    ///
    /// Without components.
    pub fn new(components: usize) -> Self {
        assert!(components > 0, "a detector bets on something");
        Self { log_carried: vec![0.0; components] }
    }

    /// Feeds a batch: one log gain a component, from a table that was fixed before. A gain that is not a number counts as none.
    ///
    /// # Panics
    ///
    /// When the number of gains is not the number of components.
    pub fn step(&mut self, log_gains: &[f64]) {
        assert_eq!(log_gains.len(), self.log_carried.len(), "one gain a component");
        for (carried, gain) in self.log_carried.iter_mut().zip(log_gains) {
            let gain = if gain.is_nan() { 0.0 } else { *gain };
            *carried = ln_add_exp(0.0, *carried + gain).clamp(0.0, LOG_LIMIT);
        }
    }

    /// `ln` of one plus the mean of `M` over the components: 0 at the beginning, finite, never negative.
    pub fn log_level(&self) -> f64 {
        (ln_sum_exp(self.log_carried.iter().copied()) - ln(self.log_carried.len() as f64)).max(0.0)
    }

    /// Whether the mean of `M` has reached `1 / alpha`. Under the null this takes at least `1 / alpha` batches on average.
    pub fn alarms(&self, alpha: f64) -> bool {
        self.log_level() >= ln(1.0 + 1.0 / alpha)
    }

    /// Whether it can be the state of a test with so many components. To be asked of what was read from elsewhere.
    pub fn fits(&self, components: usize) -> bool {
        self.log_carried.len() == components
            && components > 0
            && self.log_carried.iter().all(|carried| (0.0..=LOG_LIMIT).contains(carried))
    }

    /// Begins anew, after an alarm was dealt with.
    pub fn reset(&mut self) {
        self.log_carried.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::Detector;

    #[test]
    fn tests_that_began_at_every_batch_are_summed() {
        let mut detector = Detector::new(1);
        assert_eq!(detector.log_level(), 0.0);
        for (gain, sum) in [(2.0, 2.0), (0.5, 1.5), (4.0, 10.0)] {
            detector.step(&[f64::ln(gain)]);
            assert!((detector.log_level() - f64::ln(1.0 + sum)).abs() < 1e-14);
        }
        assert!(detector.alarms(0.11) && !detector.alarms(0.09));
        detector.reset();
        assert_eq!(detector, Detector::new(1));
        assert!(detector.fits(1) && !detector.fits(2));
        let read = |text: &str| serde_json::from_str::<Detector>(text).unwrap();
        assert!(!read(r#"{"log_carried":[]}"#).fits(0) && !read(r#"{"log_carried":[-1]}"#).fits(1));
    }

    #[test]
    fn a_long_quiet_time_is_no_burden() {
        let mut detector = Detector::new(2);
        (0..100_000).for_each(|_| detector.step(&[-0.1, -3.0]));
        let quiet = detector.log_level();
        assert!(quiet < 10f64.ln(), "{quiet}");
        (0..5).for_each(|_| detector.step(&[1.0, 2.0]));
        assert!(detector.alarms(0.01));
    }

    #[test]
    fn nothing_that_is_fed_makes_the_state_infinite() {
        let mut detector = Detector::new(1);
        for gain in [f64::INFINITY, f64::MAX, f64::NAN, f64::NEG_INFINITY, f64::INFINITY] {
            detector.step(&[gain]);
            assert!(detector.log_level().is_finite() && detector.log_level() >= 0.0);
        }
    }
}
