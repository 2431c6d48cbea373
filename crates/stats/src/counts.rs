//! What one batch says of one outcome: how often it was bad and good, for either version.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Sums of outcomes in \[0, 1\] of the two versions. An outcome of 1 is bad; one of `y` counts as `y` bad and `1 - y` good.
///
/// For outcomes between 0 and 1 the sums are all that the tests of this crate need: a bet's log multiplier `ln(1 + k (y - c))` is concave in
/// `y`, so it is at least `y` times its value at 1 plus `1 - y` times its value at 0. Evidence that is computed from the sums is therefore
/// never more than what the outcomes themselves would give, and what bounds the latter bounds the former.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Bad outcomes of the canary, at least 0.
    pub canary_bad: f64,
    /// Good outcomes of the canary, at least 0.
    pub canary_ok: f64,
    /// Bad outcomes of the stable version, at least 0.
    pub stable_bad: f64,
    /// Good outcomes of the stable version, at least 0.
    pub stable_ok: f64,
}

impl Counts {
    /// Outcomes of the canary.
    pub fn canary_total(&self) -> f64 {
        self.canary_bad + self.canary_ok
    }

    /// Outcomes of the stable version.
    pub fn stable_total(&self) -> f64 {
        self.stable_bad + self.stable_ok
    }

    /// The canary's share of the outcomes; `None` when either version has none, since such a batch compares nothing.
    ///
    /// A test may use it in place of the weight that was asked for: given the two totals, and rates that are constant within the batch, the
    /// expected product of the multipliers is at most 1 by the inequality of the arithmetic and geometric mean.
    pub fn realised_weight(&self) -> Option<f64> {
        let (canary, stable) = (self.canary_total(), self.stable_total());
        (canary > 0.0 && stable > 0.0).then(|| canary / (canary + stable))
    }

    /// Whether every number is finite and none is negative.
    pub fn is_sound(&self) -> bool {
        self.as_array().iter().all(|n| n.is_finite() && *n >= 0.0)
    }

    /// In the order of a row of a table: canary bad, canary good, stable bad, stable good.
    pub(crate) fn as_array(&self) -> [f64; 4] {
        [self.canary_bad, self.canary_ok, self.stable_bad, self.stable_ok]
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            canary_bad: self.canary_bad + other.canary_bad,
            canary_ok: self.canary_ok + other.canary_ok,
            stable_bad: self.stable_bad + other.stable_bad,
            stable_ok: self.stable_ok + other.stable_ok,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn the_realised_weight_needs_both_versions() {
        let counts = Counts { canary_bad: 1.0, canary_ok: 4.0, stable_bad: 0.0, stable_ok: 15.0 };
        assert_eq!(counts.realised_weight(), Some(0.25));
        assert_eq!((counts + counts).realised_weight(), Some(0.25));
        let mut sum = counts;
        sum += counts;
        assert_eq!(sum, counts + counts);
        assert_eq!(Counts { canary_bad: 1.0, ..Counts::default() }.realised_weight(), None);
        assert_eq!(Counts { stable_ok: 1.0, ..Counts::default() }.realised_weight(), None);
    }

    #[test]
    fn negative_and_unbounded_counts_are_not_sound() {
        assert!(Counts::default().is_sound());
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(!Counts { stable_ok: bad, ..Counts::default() }.is_sound(), "{bad}");
        }
    }
}
