//! Whether two versions have the same quantile, by a p-value that holds at every look.

use super::Mixture;
use crate::numeric::exp;
use crate::special::lowest_point;

/// Outcomes of one version, sorted, with the evidence against every value of its quantile.
struct Arm<'a> {
    sorted: &'a [f64],
    p: f64,
    mixture: Mixture,
    /// The share below for which the evidence is least, and between which outcomes that is.
    least: f64,
    least_from: f64,
    least_to: f64,
}

impl<'a> Arm<'a> {
    fn new(sorted: &'a [f64], p: f64, mixture: Mixture) -> Self {
        let n = sorted.len() as f64;
        let mut arm = Self { sorted, p, mixture, least: p, least_from: f64::NAN, least_to: f64::NAN };
        arm.least = lowest_point(0.0, 1.0, |share| arm.log_e(share));
        let outcome = |place: f64| sorted[(place as usize).clamp(1, sorted.len()) - 1];
        arm.least_from = outcome((arm.least * n).ceil());
        arm.least_to = outcome((arm.least * n).floor() + 1.0);
        arm
    }

    /// `ln` of the evidence against a quantile with this share of the outcomes below it.
    fn log_e(&self, share: f64) -> f64 {
        let n = self.sorted.len() as f64;
        self.mixture.log_e((share - self.p) * n, self.p * (1.0 - self.p) * n)
    }

    fn count_to(&self, x: f64) -> usize {
        self.sorted.partition_point(|y| *y <= x)
    }

    /// `ln` of the evidence against the quantile being `x`, at the share of the outcomes that is the most favourable to it.
    fn against(&self, x: f64) -> f64 {
        let n = self.sorted.len() as f64;
        let share = if x < self.least_from {
            self.count_to(x) as f64 / n
        } else if x > self.least_to {
            self.sorted.partition_point(|y| *y < x) as f64 / n
        } else {
            self.least
        };
        self.log_e(share)
    }
}

/// The p-value of "both versions have the same `p`-quantile". `one` and `other` are sorted in rising order and not empty, `p` is in (0, 1), the test is best at `trials_best` outcomes for
/// the error probability `alpha_best`.
///
/// It is the least, over all values that the common quantile might have, of the evidence against it from both versions together.
pub fn quantile_p_value(one: &[f64], other: &[f64], p: f64, trials_best: f64, alpha_best: f64) -> f64 {
    if one.is_empty() || other.is_empty() {
        return 1.0;
    }
    let mixture = Mixture::beta_binomial_two_sided(trials_best * p * (1.0 - p), alpha_best, p, 1.0 - p);
    let (mut first, mut second) = (Arm::new(one, p, mixture), Arm::new(other, p, mixture));
    if second.least_to < first.least_to {
        std::mem::swap(&mut first, &mut second);
    }
    let against = |x: f64| first.against(x) + second.against(x);
    // Below, both are monotone one way, above the other way. In between the evidence falls only at outcomes of the second version.
    let ends = against(first.least_to).min(against(second.least_from));
    let (from, to) = (second.count_to(first.least_to).max(1), second.count_to(second.least_from));
    let least = (from..=to).map(|place| against(second.sorted[place - 1])).fold(ends, f64::min);
    exp(-least).min(1.0)
}
