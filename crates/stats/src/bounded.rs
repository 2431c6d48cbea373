//! Means of a metric in \[0, 1\], canary against stable: the bets of [`crate::two_arm`] with stakes that assume nothing about the metric's spread.
//!
//! `m` is the stable version's running mean, and the stakes are fixed fractions of the largest that leaves every multiplier positive (betting on bounded means, Waudby-Smith
//! and Ramdas, arXiv 2010.09686). For a metric of another range rescale it, or clip it at a stated value. An outcome that is 0 or 1 is better served by [`crate::two_arm`].

use crate::Counts;
use crate::numeric::inner_rate;
use crate::side::Side;
use crate::two_arm::{Bet, Line, is_vacuous};

/// The stakes of the components, as fractions of the largest one.
pub const FRACTIONS: [f64; 8] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95];

/// One bet a component; none when the null is vacuous or the weight is not within (0, 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Bets {
    bets: Vec<Bet>,
}

impl Bets {
    /// Bets for a batch. `stable_mean` comes from earlier batches only, `weight` is the canary's share of the outcomes.
    pub fn new(stable_mean: f64, weight: f64, line: Line, side: Side) -> Self {
        let m = inner_rate(stable_mean);
        if is_vacuous(m, line) || weight.is_nan() || weight <= 0.0 || weight >= 1.0 {
            return Self { bets: Vec::new() };
        }
        let none = Bet { m, c: line.at(m), k: 0.0, weight, ratio: line.ratio };
        let largest = none.largest_stake(side);
        let bet = |fraction: &f64| Bet { k: side.sign() * fraction * largest, ..none };
        Self { bets: FRACTIONS.iter().map(bet).collect() }
    }

    /// What `times` outcomes `y` (clipped to \[0, 1\]) of the canary add to the log evidence of every component.
    pub fn canary(&self, y: f64, times: f64) -> [f64; FRACTIONS.len()] {
        self.gains(|bet| times * bet.ln_canary(y.clamp(0.0, 1.0)))
    }

    /// What `times` outcomes `y` (clipped to \[0, 1\]) of the stable version add to the log evidence of every component.
    pub fn stable(&self, y: f64, times: f64) -> [f64; FRACTIONS.len()] {
        self.gains(|bet| times * bet.ln_stable(y.clamp(0.0, 1.0)))
    }

    /// What sums of outcomes add to the log evidence of every component: never more than the outcomes themselves would, see [`Counts`].
    pub fn log_gains(&self, counts: &Counts) -> [f64; FRACTIONS.len()] {
        let counts = counts.as_array();
        self.gains(|bet| bet.log_multipliers().iter().zip(counts).map(|(gain, n)| gain * n).sum())
    }

    fn gains(&self, gain: impl Fn(&Bet) -> f64) -> [f64; FRACTIONS.len()] {
        let mut out = [0.0; FRACTIONS.len()];
        out.iter_mut().zip(&self.bets).for_each(|(out, bet)| *out = gain(bet));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Bets;
    use crate::two_arm::Line;
    use crate::{Counts, Side};

    const LINE: Line = Line { ratio: 1.0, delta: 0.02 };

    #[test]
    fn sums_of_outcomes_give_no_more_evidence_than_the_outcomes() {
        for side in [Side::Fail, Side::Pass] {
            let bets = Bets::new(0.3, 0.2, LINE, side);
            let sums = bets.log_gains(&Counts { canary_bad: 1.5, canary_ok: 0.5, stable_bad: 0.9, stable_ok: 2.1 });
            let single = [bets.canary(0.9, 1.0), bets.canary(0.6, 1.0), bets.stable(0.3, 3.0)];
            for (j, sum) in sums.iter().enumerate() {
                let exact: f64 = single.iter().map(|gains| gains[j]).sum();
                assert!(*sum < exact, "{side:?} {j}: {sum} {exact}");
            }
        }
    }

    #[test]
    fn nothing_is_bet_on_what_cannot_be() {
        for (mean, weight) in [(0.99, 0.2), (0.3, 0.0), (0.3, 1.0), (0.3, f64::NAN)] {
            assert_eq!(Bets::new(mean, weight, LINE, Side::Fail).canary(1.0, 5.0), [0.0; 8]);
        }
    }
}
