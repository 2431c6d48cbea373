//! One version against a fixed limit: bets against the null that its bad share is at most (or at least) `limit`.
//!
//! A component with target `p` multiplies the evidence by `p / limit` for a bad outcome and by `(1 - p) / (1 - limit)` for a good one, whose expectation
//! is 1 when the probability of a bad one, given the past, is the limit, and at most 1 on the null's side of it. Outcomes may depend on each other.

use crate::numeric::{RATE_MARGIN, expit, inner_rate, ln, ln_1p, logit};
use crate::two_arm::{FAIL_SHIFTS, PASS_SHIFTS, Side};

/// The log multipliers `[bad, good]` of every component, one per shift of [`FAIL_SHIFTS`] or [`PASS_SHIFTS`]. All zeros, which is no bet, when the
/// limit is not within (1e-9, 1 - 1e-9). Every number is finite.
pub fn table(limit: f64, side: Side) -> Vec<[f64; 2]> {
    let shifts: &[f64] = match side {
        Side::Fail => &FAIL_SHIFTS,
        Side::Pass => &PASS_SHIFTS,
    };
    let possible = limit > RATE_MARGIN && limit < 1.0 - RATE_MARGIN;
    let target = |shift: &f64| inner_rate(expit(logit(limit) + side.sign() * shift));
    shifts.iter().map(|shift| if possible { row(target(shift), limit, side) } else { [0.0; 2] }).collect()
}

/// The log multipliers of the target `p`; zeros when it is on the null's side. Both rates in (0, 1).
pub(crate) fn row(p: f64, limit: f64, side: Side) -> [f64; 2] {
    if side.sign() * (p - limit) <= 0.0 {
        return [0.0; 2];
    }
    [ln(p / limit), ln_1p((limit - p) / (1.0 - limit))]
}

/// What `bad` and `ok` outcomes add to the log evidence of every component. Outcomes between 0 and 1 may be summed, see [`crate::Counts`].
pub fn log_gains(table: &[[f64; 2]], bad: f64, ok: f64) -> Vec<f64> {
    table.iter().map(|row| row[0] * bad + row[1] * ok).collect()
}
