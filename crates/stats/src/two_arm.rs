//! Canary against stable: bets against the null that the canary's bad share is within a line of the stable version's.
//!
//! The null of [`Side::Fail`] is `mu_c <= ratio * mu_s + delta` at every time, where both means may move. An outcome `y` belongs to the canary
//! with probability `w`, the weight. For any `m` in (0, 1), `c = ratio * m + delta` and `k >= 0` that are fixed before it is seen, it multiplies
//! the evidence by
//!
//! ```text
//! canary:  1 + (k / w) (y - c)
//! stable:  1 - (k ratio / (1 - w)) (y - m)
//! ```
//!
//! whose expectation is `1 + k (mu_c - ratio * mu_s - delta)`: at most 1 under the null and exactly 1 on the line, whatever `m` and `k` are.
//! The product is then a test supermartingale, and the probability that it ever reaches `1 / alpha` is at most `alpha` (Ville). [`Side::Pass`] is the
//! same with `k <= 0`. For a target alternative `(theta_c, theta_s)` the product grows fastest when `m` minimises
//! `w KL(theta_c, c) + (1 - w) KL(theta_s, m)` and `k = w (theta_c - c) / (c (1 - c))` (the family of Turner and Gruenwald, arXiv 2106.02693).
//! The four multipliers are always computed from one `(m, k)`, never as likelihood ratios, so that an inexact minimum costs
//! speed and no validity.

use serde::{Deserialize, Serialize};

use crate::Counts;
use crate::numeric::{RATE_MARGIN, expit, inner_rate, ln_1p, logit, sqrt};
pub use crate::side::Side;

/// How far the alternatives of [`Side::Fail`] are beyond the line, in log odds: from a fifth more to almost every answer.
pub const FAIL_SHIFTS: [f64; 10] = [0.2, 0.4, 0.8, 1.2, 1.8, 2.5, 3.2, 4.0, 5.0, 6.5];
/// How far the alternatives of [`Side::Pass`] are within the line, in log odds. Beyond the last a better rate no longer shows sooner.
pub const PASS_SHIFTS: [f64; 7] = [0.2, 0.4, 0.7, 1.1, 1.6, 2.3, 3.2];

/// The largest share of its bound that a bet may take, so that no multiplier is 0 and one surprise can never end the test.
const LARGEST_BET: f64 = 0.999_999_9;
/// Newton steps until the minimum is as good as doubles allow; bisection steps among them bound the rest.
const SOLVER_STEPS: usize = 80;
/// A step so small, relative to where it starts, is the last.
const CLOSE: f64 = 1e-9;

/// The line between tolerated and not: `mu_c <= ratio * mu_s + delta`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Factor of the stable version's mean, at least 0. 0 makes it a fixed limit `delta`.
    pub ratio: f64,
    /// What is added, a share: 0.01 is one point. Above -1 and below 1; negative asks the canary to be better.
    pub delta: f64,
}

impl Line {
    /// The largest tolerated mean of the canary when the stable version's is `stable_rate`. May be below 0 or above 1.
    pub fn at(&self, stable_rate: f64) -> f64 {
        self.ratio * stable_rate + self.delta
    }

    fn is_sound(&self) -> bool {
        self.ratio.is_finite() && self.ratio >= 0.0 && self.delta.is_finite()
    }
}

/// The stable version's rate from what was seen of it, in (0, 1). Drawn towards 0 by fifty good outcomes, so that the first few decide little.
pub fn smoothed(bad: f64, n: f64) -> f64 {
    inner_rate((bad + 0.5) / (n + 50.0))
}

/// Outcomes of stable from which its rate is known well enough to go on without it.
const SILENT_STABLE_MIN: f64 = 200.0;

/// The limit that a canary is held to once it gets all requests: the line through the worst that stable may have been, of which `stable_bad` in `stable_total` were seen. `None`
/// when that are too few (200), or when no canary could be on the other side of it.
pub fn limit_without_stable(line: Line, stable_bad: f64, stable_total: f64) -> Option<f64> {
    let limit = line.at(upper(stable_bad, stable_total));
    let is_known = stable_total >= SILENT_STABLE_MIN;
    (is_known && limit > RATE_MARGIN && limit < 1.0 - RATE_MARGIN).then_some(limit)
}

/// An upper bound for a rate of which `bad` in `n` were seen: three standard errors (of the rate with three bad ones more), which one in a thousand exceeds.
fn upper(bad: f64, n: f64) -> f64 {
    let rate = (bad + 3.0) / (n + 3.0);
    rate + 3.0 * sqrt(rate * (1.0 - rate) / n)
}

/// Whether no canary could be on the other side of the line: it would need a share of bad outcomes below 0 or above 1.
pub fn is_vacuous(stable_rate: f64, line: Line) -> bool {
    let limit = line.at(inner_rate(stable_rate));
    !(line.is_sound() && limit > RATE_MARGIN && limit < 1.0 - RATE_MARGIN)
}

/// The log multipliers `[canary bad, canary good, stable bad, stable good]` of every component, one per shift.
///
/// `stable_rate` is what is expected of the stable version, from earlier batches only ([`smoothed`]); `weight` the canary's share of the
/// outcomes, the router's own or [`Counts::realised_weight`]. All zeros, which is no bet, when the null is vacuous or the weight is not within
/// (1e-9, 1 - 1e-9). Every number is finite.
pub fn table(stable_rate: f64, weight: f64, line: Line, side: Side) -> Vec<[f64; 4]> {
    let shifts: &[f64] = match side {
        Side::Fail => &FAIL_SHIFTS,
        Side::Pass => &PASS_SHIFTS,
    };
    let stable_rate = inner_rate(stable_rate);
    if is_vacuous(stable_rate, line) {
        return vec![[0.0; 4]; shifts.len()];
    }
    let limit = logit(line.at(stable_rate));
    let target = |shift: &f64| inner_rate(expit(limit + side.sign() * shift));
    shifts.iter().map(|shift| row(target(shift), stable_rate, weight, line, side)).collect()
}

/// What a batch adds to the log evidence of every component.
pub fn log_gains(table: &[[f64; 4]], counts: &Counts) -> Vec<f64> {
    let counts = counts.as_array();
    table.iter().map(|row| row.iter().zip(counts).map(|(gain, n)| gain * n).sum()).collect()
}

/// The log multipliers of the bet that grows fastest when the rates are `(canary, stable)`, both in (0, 1). Zeros when that is no alternative.
pub(crate) fn row(canary: f64, stable: f64, weight: f64, line: Line, side: Side) -> [f64; 4] {
    let known = weight > RATE_MARGIN && weight < 1.0 - RATE_MARGIN;
    if !known || !line.is_sound() || side.sign() * (canary - line.at(stable)) <= 0.0 {
        return [0.0; 4];
    }
    let Some(m) = nearest_on_line(canary, stable, weight, line) else { return [0.0; 4] };
    let c = line.at(m);
    if !(m > 0.0 && m < 1.0 && c > 0.0 && c < 1.0) {
        return [0.0; 4];
    }
    let k = weight * (canary - c) / (c * (1.0 - c));
    Bet { m, c, k, weight, ratio: line.ratio }.bounded(side).map_or([0.0; 4], |bet| bet.log_multipliers())
}

/// One bet: what is expected of the stable version (`m`), of a canary on the line (`c`), and how much is staked (`k`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bet {
    pub(crate) m: f64,
    pub(crate) c: f64,
    pub(crate) k: f64,
    pub(crate) weight: f64,
    pub(crate) ratio: f64,
}

impl Bet {
    /// The largest stake in a direction that leaves every multiplier at least 0.
    pub(crate) fn largest_stake(&self, side: Side) -> f64 {
        let (canary, stable) = match side {
            Side::Fail => (self.c, 1.0 - self.m),
            Side::Pass => (1.0 - self.c, self.m),
        };
        let of_canary = self.weight / canary;
        if self.ratio > 0.0 { of_canary.min((1.0 - self.weight) / (self.ratio * stable)) } else { of_canary }
    }

    /// With its stake within bounds; `None` when it bets the other way or nothing.
    fn bounded(mut self, side: Side) -> Option<Self> {
        let stake = (side.sign() * self.k).min(LARGEST_BET * self.largest_stake(side));
        self.k = side.sign() * stake;
        (stake > 0.0).then_some(self)
    }

    /// `ln` of what an outcome of the canary multiplies the evidence by.
    pub(crate) fn ln_canary(&self, y: f64) -> f64 {
        ln_1p(self.k / self.weight * (y - self.c))
    }

    /// `ln` of what an outcome of the stable version multiplies the evidence by.
    pub(crate) fn ln_stable(&self, y: f64) -> f64 {
        ln_1p(-(self.k * self.ratio / (1.0 - self.weight)) * (y - self.m))
    }

    pub(crate) fn log_multipliers(&self) -> [f64; 4] {
        [self.ln_canary(1.0), self.ln_canary(0.0), self.ln_stable(1.0), self.ln_stable(0.0)]
    }
}

/// The `m` that minimises `w KL(canary, ratio m + delta) + (1 - w) KL(stable, m)`: Newton's method on the derivative, which is
/// increasing, kept within a bracket. `None` when the line does not cross the unit square.
fn nearest_on_line(canary: f64, stable: f64, weight: f64, line: Line) -> Option<f64> {
    const EDGE: f64 = 1e-12;
    let Line { ratio, delta } = line;
    let (mut low, mut high) = (EDGE, 1.0 - EDGE);
    if ratio > 0.0 {
        low = low.max((EDGE - delta) / ratio);
        high = high.min((1.0 - EDGE - delta) / ratio);
    }
    if low >= high {
        return None;
    }
    let mut m = if stable > low && stable < high { stable } else { 0.5 * (low + high) };
    for _ in 0..SOLVER_STEPS {
        let c = ratio * m + delta;
        let (vc, vm) = (c * (1.0 - c), m * (1.0 - m));
        let slope = -weight * ratio * (canary - c) / vc - (1.0 - weight) * (stable - m) / vm;
        if slope < 0.0 {
            low = m;
        } else {
            high = m;
        }
        let of_canary = weight * ratio * ratio * (canary * (1.0 - 2.0 * c) + c * c) / (vc * vc);
        let of_stable = (1.0 - weight) * (stable * (1.0 - 2.0 * m) + m * m) / (vm * vm);
        let newton = m - slope / (of_canary + of_stable);
        // A step squares the error, so the next one would be rounding, which may lead anywhere between the bounds.
        if (newton - m).abs() <= CLOSE * m {
            return Some(newton);
        }
        m = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
    }
    Some(m)
}

#[cfg(test)]
mod tests {
    use super::{Line, Side, is_vacuous, log_gains, smoothed, table};
    use crate::{Counts, Process};

    const POINT: Line = Line { ratio: 1.0, delta: 0.01 };

    fn zeros(stable_rate: f64, weight: f64, line: Line) -> bool {
        let rows = [table(stable_rate, weight, line, Side::Fail), table(stable_rate, weight, line, Side::Pass)];
        rows.iter().flatten().flatten().all(|gain| *gain == 0.0)
    }

    #[test]
    fn nothing_is_bet_on_what_cannot_be_or_at_an_unknown_weight() {
        assert!(!zeros(0.005, 0.2, POINT));
        let sure = Line { ratio: 1.0, delta: 0.03 };
        assert!(is_vacuous(0.99, sure) && zeros(0.99, 0.2, sure), "a canary can only be within");
        let hopeless = Line { ratio: 1.0, delta: -0.5 };
        assert!(is_vacuous(0.2, hopeless) && zeros(0.2, 0.2, hopeless), "a canary can only be beyond");
        for line in [
            Line { ratio: -1.0, delta: 0.5 },
            Line { ratio: f64::NAN, delta: 0.5 },
            Line { ratio: 1.0, delta: f64::NAN },
        ] {
            assert!(is_vacuous(0.2, line) && zeros(0.2, 0.2, line), "{line:?}");
        }
        for weight in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(zeros(0.005, weight, POINT), "{weight}");
        }
    }

    #[test]
    fn four_bad_answers_in_a_row_are_enough() {
        let rows = table(0.005, 0.2, POINT, Side::Fail);
        let log_e = |canary_bad: f64| {
            let mut process = Process::new(rows.len(), false);
            process.step(&log_gains(&rows, &Counts { canary_bad, ..Counts::default() }), 0.0);
            process.log_e()
        };
        assert!(log_e(3.0) < 100f64.ln() && 100f64.ln() < log_e(4.0));
    }

    #[test]
    fn the_first_outcomes_decide_little_about_the_stable_rate() {
        assert_eq!(smoothed(0.0, 0.0), 0.01);
        assert!(smoothed(1.0, 1.0) < 0.03 && (smoothed(500.0, 100_000.0) - 0.005).abs() < 1e-5);
        assert!(smoothed(1e12, 1e12) < 1.0);
    }
}
