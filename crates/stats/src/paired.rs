//! Two answers to the same request (mirrored traffic): `D = y_c - y_s` in \[-1, 1\], and the null that its mean is at most `delta` at every time.
//!
//! A pair multiplies the evidence by `1 + l (D - delta)`. Pairs of equal outcomes say little, so this needs far fewer requests than two independent arms.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use crate::numeric::ln_1p;
use crate::one_arm;
use crate::side::Side;

/// The stakes `l` of the components, as fractions of the largest one.
pub const FRACTIONS: [f64; 8] = [0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9];

/// Pairs by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// Worse from the canary (`D = 1`).
    pub worse: f64,
    /// The same from both (`D = 0`).
    pub same: f64,
    /// Better from the canary (`D = -1`).
    pub better: f64,
}

impl Pairs {
    /// One pair with difference `d`, clipped to \[-1, 1\]. A difference between the three values is divided between the two next to it, which is a lower bound of its
    /// evidence, since the logarithm of a multiplier is concave in `D`.
    pub fn of(d: f64) -> Self {
        let d = d.clamp(-1.0, 1.0);
        Self { worse: d.max(0.0), same: 1.0 - d.abs(), better: (-d).max(0.0) }
    }

    /// Pairs in all.
    pub fn total(&self) -> f64 {
        self.worse + self.same + self.better
    }
}

impl Add for Pairs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { worse: self.worse + other.worse, same: self.same + other.same, better: self.better + other.better }
    }
}

impl AddAssign for Pairs {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The log multipliers `[worse, same, better]` of every component. `delta` is the tolerated mean of `D`; all zeros, which is no bet, when it is not within (-1, 1).
/// [`Side::Pass`] has the null that the mean is at least `delta`.
pub fn table(delta: f64, side: Side) -> Vec<[f64; 3]> {
    let possible = delta > -1.0 && delta < 1.0;
    let row = |fraction: &f64| {
        let stake = side.sign() * fraction / (1.0 + side.sign() * delta);
        let gain = |d: f64| if possible { ln_1p(stake * (d - delta)) } else { 0.0 };
        [gain(1.0), gain(0.0), gain(-1.0)]
    };
    FRACTIONS.iter().map(row).collect()
}

/// What pairs add to the log evidence of every component.
pub fn log_gains(table: &[[f64; 3]], pairs: &Pairs) -> Vec<f64> {
    let gain = |row: &[f64; 3]| row[0] * pairs.worse + row[1] * pairs.same + row[2] * pairs.better;
    table.iter().map(gain).collect()
}

/// For `delta` 0: unequal pairs only, of which at most (at least, to pass) half may be worse. McNemar's test made sequential; to be fed
/// `one_arm::log_gains(table, worse, better)`. It grows faster than [`table`] where unequal pairs are rare.
pub fn discordant(side: Side) -> Vec<[f64; 2]> {
    one_arm::table(0.5, side)
}

#[cfg(test)]
mod tests {
    use super::{Pairs, discordant, log_gains, table};
    use crate::{Side, one_arm};

    #[test]
    fn a_difference_is_divided_between_its_neighbours() {
        assert_eq!(Pairs::of(0.25), Pairs { worse: 0.25, same: 0.75, better: 0.0 });
        let mut sum = Pairs::of(0.25);
        sum += Pairs::of(-1.0);
        assert_eq!(sum, Pairs { worse: 0.25, same: 0.75, better: 1.0 });
        assert_eq!(Pairs::of(-7.0), Pairs { worse: 0.0, same: 0.0, better: 1.0 });
        for side in [Side::Fail, Side::Pass] {
            for (j, gain) in log_gains(&table(0.03, side), &Pairs::of(0.4)).iter().enumerate() {
                let stake = side.sign() * super::FRACTIONS[j] / (1.0 + side.sign() * 0.03);
                assert!(*gain <= (1.0 + stake * 0.37).ln() + 1e-15, "{side:?} {j}");
            }
        }
    }

    #[test]
    fn the_expected_multiplier_is_one_at_the_tolerated_mean_whatever_the_spread() {
        for (side, delta) in [(Side::Fail, 0.03), (Side::Pass, 0.03), (Side::Fail, -0.2), (Side::Pass, 0.0)] {
            for spread in [0.3, 0.5, 0.9] {
                let shares = [(spread + delta) / 2.0, 1.0 - spread, (spread - delta) / 2.0];
                for row in table(delta, side) {
                    let mean: f64 = row.iter().zip(shares).map(|(gain, share)| share * gain.exp()).sum();
                    assert!((mean - 1.0).abs() < 1e-14, "{side:?} {delta} {spread}: {mean}");
                }
            }
        }
        for delta in [-1.0, 1.0, f64::NAN] {
            assert!(table(delta, Side::Fail).iter().flatten().all(|gain| *gain == 0.0), "{delta}");
        }
    }

    #[test]
    fn unequal_pairs_alone_decide_the_sign_test() {
        let log_e = |worse: f64, better: f64| {
            let mut process = crate::Process::new(10, false);
            process.step(&one_arm::log_gains(&discordant(Side::Fail), worse, better), 0.0);
            process.log_e()
        };
        assert!(log_e(12.0, 0.0) > 100f64.ln());
        assert!(log_e(12.0, 12.0) < 0.0);
    }
}
