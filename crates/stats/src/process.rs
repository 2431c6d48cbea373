//! Evidence that grows over time: a mixture of bets, which may also start late.
//!
//! The evidence is `E = mean_j M_j + u`, where `M_j` is what component `j` made of its mass and `u` is the mass that is not staked yet. A batch
//! multiplies every `M_j`; before that, a process that restarts moves a little of `u` into all of them (`M_j <- gain_j (M_j + mass)`). That is the mixture of
//! the tests that begin now, a second from now, and so on: a regression that comes late is found almost as soon as an early one, at the memory of one test.
//! A mixture of supermartingales that start at mass 1 in all is one as well, so `P(E ever >= 1 / alpha) <= alpha` under the null.

use serde::{Deserialize, Serialize};

use crate::numeric::{LOG_LIMIT, ln, ln_add_exp, ln_sum_exp};

/// The evidence of one test. Plain data: what it says depends on what it was fed and on nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// `ln M_j` of every component. Finite.
    log_masses: Vec<f64>,
    /// The mass `u` that waits for later starts, 0 to 1.
    unspent: f64,
    /// The most that `ln E` ever was, at least 0.
    best: f64,
    /// How many batches were fed.
    steps: u64,
}

impl Process {
    /// The mass that waits for later starts at the beginning of a process that restarts. To be spread evenly over its longest duration; the rest starts at once.
    pub const RESTART_SHARE: f64 = 0.5;

    /// Evidence before any outcome: `E = 1`. With `restart`, half of the mass waits for [`Process::step`] to spend it.
    ///
    /// # Panics
    ///
    /// Without components.
    pub fn new(components: usize, restart: bool) -> Self {
        assert!(components > 0, "a process bets on something");
        let unspent = if restart { Self::RESTART_SHARE } else { 0.0 };
        Self { log_masses: vec![ln(1.0 - unspent); components], unspent, best: 0.0, steps: 0 }
    }

    /// Feeds a batch. `log_gains` has one number a component; `restart_mass` (at least 0) is what is newly staked before the batch and is bounded by
    /// what is left, so a process without restarts ignores it. It must have been fixed before the batch was seen, as for instance
    /// [`Process::RESTART_SHARE`] times the seconds since the last step, divided by the seconds that the process may last.
    ///
    /// A gain that is not a number counts as none.
    ///
    /// # Panics
    ///
    /// When the number of gains is not the number of components.
    pub fn step(&mut self, log_gains: &[f64], restart_mass: f64) {
        assert_eq!(log_gains.len(), self.log_masses.len(), "one gain a component");
        let started = restart_mass.clamp(0.0, self.unspent);
        if started > 0.0 {
            self.unspent -= started;
            let started = ln(started);
            self.log_masses.iter_mut().for_each(|mass| *mass = ln_add_exp(*mass, started));
        }
        for (mass, gain) in self.log_masses.iter_mut().zip(log_gains) {
            let gain = if gain.is_nan() { 0.0 } else { *gain };
            *mass = (*mass + gain).clamp(-LOG_LIMIT, LOG_LIMIT);
        }
        self.steps += 1;
        self.best = self.best.max(self.log_e());
    }

    /// `ln E` now. Finite.
    pub fn log_e(&self) -> f64 {
        let staked = ln_sum_exp(self.log_masses.iter().copied()) - ln(self.log_masses.len() as f64);
        if self.unspent > 0.0 { ln_add_exp(staked, ln(self.unspent)) } else { staked }
    }

    /// The most that `ln E` ever was; at least 0. Its negative is the logarithm of a p-value that holds at every time.
    pub fn best_log_e(&self) -> f64 {
        self.best
    }

    /// Whether nothing was fed yet.
    pub fn is_fresh(&self) -> bool {
        self.steps == 0
    }

    /// How many batches were fed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `ln M_j` of every component.
    pub fn log_masses(&self) -> &[f64] {
        &self.log_masses
    }

    /// Whether it can be the state of a test with so many components. To be asked of what was read from elsewhere.
    pub fn fits(&self, components: usize) -> bool {
        self.log_masses.len() == components
            && components > 0
            && self.log_masses.iter().all(|mass| mass.abs() <= LOG_LIMIT)
            && (0.0..=1.0).contains(&self.unspent)
            && self.best >= 0.0
    }

    /// The mass that waits for later starts, 0 to 1.
    pub fn unspent(&self) -> f64 {
        self.unspent
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn evidence_starts_at_one_and_follows_its_components() {
        let mut process = Process::new(2, false);
        assert!(process.is_fresh() && process.log_e().abs() < 1e-15);
        process.step(&[2f64.ln(), 4f64.ln()], 0.1);
        assert!((process.log_e() - 3f64.ln()).abs() < 1e-14);
        process.step(&[-1e13, -1e13], 0.0);
        assert!(process.log_e() < -9e12 && !process.is_fresh());
        assert!((process.best_log_e() - 3f64.ln()).abs() < 1e-14);
    }

    #[test]
    fn a_restart_spends_its_mass_once() {
        let mut process = Process::new(1, true);
        assert!(process.log_e().abs() < 1e-15);
        process.step(&[-800.0], 0.25);
        assert!((process.log_e() - 0.25f64.ln()).abs() < 1e-14, "what was staked is lost, what was not is there");
        process.step(&[3f64.ln()], 7.0);
        assert!((process.log_e() - 0.75f64.ln()).abs() < 1e-14, "no more than what is left is staked");
        assert_eq!(process.unspent(), 0.0);
        process.step(&[3f64.ln()], 7.0);
        assert!((process.log_e() - 2.25f64.ln()).abs() < 1e-14);
    }

    #[test]
    fn what_was_read_from_elsewhere_can_be_checked() {
        let read = |text: &str| serde_json::from_str::<Process>(text).unwrap();
        assert!(read(r#"{"log_masses":[0.5,-1e300],"unspent":0.5,"best":3,"steps":7}"#).fits(2));
        assert!(!Process::new(2, false).fits(3));
        assert!(!read(r#"{"log_masses":[],"unspent":0.5,"best":3,"steps":7}"#).fits(0));
        assert!(!read(r#"{"log_masses":[0.5,1e301],"unspent":0.5,"best":3,"steps":7}"#).fits(2));
        assert!(!read(r#"{"log_masses":[0.5],"unspent":1.5,"best":3,"steps":7}"#).fits(1));
        assert!(!read(r#"{"log_masses":[0.5],"unspent":0,"best":-1,"steps":7}"#).fits(1));
        let infinite = r#"{"log_masses":[1e999],"unspent":0,"best":0,"steps":7}"#;
        assert!(serde_json::from_str::<Process>(infinite).is_err(), "JSON has no such number");
    }

    #[test]
    fn nothing_that_is_fed_makes_the_state_infinite() {
        let mut process = Process::new(3, true);
        for gain in [f64::NAN, f64::INFINITY, f64::MAX, f64::NEG_INFINITY, f64::MIN] {
            process.step(&[gain, 0.0, -gain], f64::NAN);
            assert!(process.log_e().is_finite() && process.log_masses().iter().all(|m| m.is_finite()));
        }
    }
}
