//! How much worse the canary is, with an interval that holds at every look: a confidence sequence for `mu_c - ratio * mu_s`.
//!
//! For every point `d` of a fixed grid two tests run: of `mu_c <= ratio * mu_s + d` and of the opposite. The interval is what neither has rejected: it reaches from the last point of the
//! grid up to which all are rejected to the first from which all are. A true difference between two points is excluded only when the test of one fixed point, whose null is
//! true, is wrong; so the probability that it ever is, at any look, is at most `alpha`, half of it at either end.
//!
//! The bets aim at the rates seen in earlier batches, all the way and half of the way from the line. When the two ends pass each other, the difference has moved: the
//! sequence begins anew. As long as it does not move that costs no error probability, since an interval that is empty is already wrong.

use serde::{Deserialize, Serialize};

use crate::Counts;
use crate::numeric::{LOG_LIMIT, RATE_MARGIN, inner_rate, ln, ln_add_exp};
use crate::side::Side;
use crate::two_arm::{Line, row};

/// The positive points of the grid; it has their negatives and 0 as well.
const STEPS: [f64; 22] = [
    0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2,
    0.25, 0.3, 0.4, 0.5, 0.75,
];
const POINTS: usize = 2 * STEPS.len() + 1;
/// How far the bets aim: from the line to the rates that were seen.
const AIMS: [f64; 2] = [1.0, 0.5];
/// Before either version has so many outcomes nothing is bet: a first guess of a rate would cost more than it could win.
const WARM_UP: f64 = 10.0;

/// An estimate and what it may be off by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The difference of the means that were seen.
    pub estimate: f64,
    /// The upper end.
    pub high: f64,
}

/// The confidence sequence of one metric. A few kilobytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    ratio: f64,
    /// `ln(2 / alpha)`.
    log_limit: f64,
    /// What was seen since the beginning, or since the difference moved.
    seen: Counts,
    /// How many points are rejected from below.
    rejected_below: usize,
    /// `ln M` of the tests of the points that are not rejected from below, in their order.
    above: Vec<[f64; AIMS.len()]>,
    /// How many points are rejected from above.
    rejected_above: usize,
    /// `ln M` of the tests of the points that are not rejected from above, beginning with the highest.
    below: Vec<[f64; AIMS.len()]>,
    /// How often it began anew.
    moves: u32,
}

impl Difference {
    /// Begins. `ratio` is the factor of the stable version's mean, at least 0 (1 for a plain difference); the interval covers with probability at least `1 - alpha`, `alpha` in (0, 1).
    pub fn new(ratio: f64, alpha: f64) -> Self {
        Self::fresh(ratio, ln(2.0 / alpha))
    }

    fn fresh(ratio: f64, log_limit: f64) -> Self {
        // Means in [0, 1] differ by more than `-ratio`, so those points are rejected before anything is seen.
        let impossible = (0..POINTS).filter(|point| grid(*point) <= -ratio).count();
        let tests = |points: usize| vec![[0.0; AIMS.len()]; points];
        Self {
            ratio,
            log_limit,
            seen: Counts::default(),
            rejected_below: impossible,
            above: tests(POINTS - impossible),
            rejected_above: 0,
            below: tests(POINTS),
            moves: 0,
        }
    }

    /// Feeds a batch. `weight` is the canary's share of the outcomes, for instance [`Counts::realised_weight`].
    pub fn step(&mut self, counts: &Counts, weight: f64) {
        if !counts.is_sound() {
            return;
        }
        if self.seen.canary_total() >= WARM_UP && self.seen.stable_total() >= WARM_UP {
            self.bet(counts, weight);
        }
        self.seen += *counts;
        if self.rejected_below + self.rejected_above > POINTS {
            *self = Self { seen: *counts, moves: self.moves + 1, ..Self::fresh(self.ratio, self.log_limit) };
        }
    }

    fn bet(&mut self, counts: &Counts, weight: f64) {
        let rate = |bad: f64, n: f64| inner_rate((bad + 0.5) / (n + 1.0));
        let canary = rate(self.seen.canary_bad, self.seen.canary_total());
        let stable = rate(self.seen.stable_bad, self.seen.stable_total());
        let ratio = self.ratio;
        let gains = |point: usize, side: Side| {
            let line = Line { ratio, delta: grid(point) };
            let on_line = line.at(stable).clamp(RATE_MARGIN, 1.0 - RATE_MARGIN);
            AIMS.map(|aim| {
                let row = row(inner_rate(on_line + aim * (canary - on_line)), stable, weight, line, side);
                row.iter().zip(counts.as_array()).map(|(gain, n)| gain * n).sum::<f64>()
            })
        };
        for (i, masses) in self.above.iter_mut().enumerate() {
            add(masses, gains(self.rejected_below + i, Side::Fail));
        }
        for (i, masses) in self.below.iter_mut().enumerate() {
            add(masses, gains(POINTS - 1 - self.rejected_above - i, Side::Pass));
        }
        let rejected = |masses: &&[f64; AIMS.len()]| log_e(masses) >= self.log_limit;
        let below = self.above.iter().take_while(rejected).count();
        let above = self.below.iter().take_while(rejected).count();
        self.above.drain(..below);
        self.below.drain(..above);
        self.rejected_below += below;
        self.rejected_above += above;
    }

    /// The interval now; `None` before both versions have an outcome. Before anything is rejected it is as wide as means in \[0, 1\] allow.
    pub fn interval(&self) -> Option<Interval> {
        let (canary, stable) = (self.seen.canary_total(), self.seen.stable_total());
        if canary <= 0.0 || stable <= 0.0 {
            return None;
        }
        let low = self.rejected_below.checked_sub(1).map_or(f64::MIN, grid);
        let high = grid(POINTS.saturating_sub(self.rejected_above));
        let estimate = self.seen.canary_bad / canary - self.ratio * (self.seen.stable_bad / stable);
        Some(Interval { low: low.max(-self.ratio), estimate, high })
    }

    /// Whether it can be a state. To be asked of what was read from elsewhere.
    pub fn is_sound(&self) -> bool {
        let masses = self.above.iter().chain(&self.below).flatten().all(|mass| mass.abs() <= LOG_LIMIT);
        let complete = |rejected: usize, left: usize| rejected.checked_add(left) == Some(POINTS);
        let numbers = self.ratio >= 0.0 && self.ratio.is_finite() && self.log_limit > 0.0 && self.log_limit.is_finite();
        numbers
            && self.seen.is_sound()
            && masses
            && complete(self.rejected_below, self.above.len())
            && complete(self.rejected_above, self.below.len())
    }

    /// How often the difference turned out to have moved, so that the sequence began anew.
    pub fn moves(&self) -> u32 {
        self.moves
    }
}

/// The points of the grid in rising order; beyond the last one is the largest difference there is.
fn grid(point: usize) -> f64 {
    let middle = STEPS.len();
    match point.cmp(&middle) {
        std::cmp::Ordering::Less => -STEPS[middle - 1 - point],
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => STEPS.get(point - middle - 1).copied().unwrap_or(1.0),
    }
}

fn add(masses: &mut [f64; AIMS.len()], gains: [f64; AIMS.len()]) {
    masses.iter_mut().zip(gains).for_each(|(mass, gain)| *mass = (*mass + gain).clamp(-LOG_LIMIT, LOG_LIMIT));
}

fn log_e(masses: &[f64; AIMS.len()]) -> f64 {
    ln_add_exp(masses[0], masses[1]) - std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::{Difference, POINTS, grid};
    use crate::Counts;

    fn batch(canary_bad: f64, canary_ok: f64, stable_bad: f64, stable_ok: f64) -> Counts {
        Counts { canary_bad, canary_ok, stable_bad, stable_ok }
    }

    fn fed(difference: &mut Difference, counts: Counts, times: usize) {
        (0..times).for_each(|_| difference.step(&counts, counts.realised_weight().unwrap()));
    }

    #[test]
    fn the_grid_rises() {
        let points: Vec<f64> = (0..POINTS).map(grid).collect();
        assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "{points:?}");
        assert_eq!((points[0], points[POINTS / 2], points[POINTS - 1], grid(POINTS)), (-0.75, 0.0, 0.75, 1.0));
    }

    #[test]
    fn the_interval_closes_around_the_difference() {
        let mut difference = Difference::new(1.0, 0.05);
        assert_eq!(difference.interval(), None);
        difference.step(&batch(1.0, 4.0, 0.0, 5.0), 0.5);
        let first = difference.interval().unwrap();
        assert_eq!((first.low, first.high), (-1.0, 1.0));
        fed(&mut difference, batch(2.0, 18.0, 4.0, 76.0), 20);
        let early = difference.interval().unwrap();
        fed(&mut difference, batch(2.0, 18.0, 4.0, 76.0), 400);
        let late = difference.interval().unwrap();
        assert!(early.low < 0.05 && 0.05 < early.high, "{early:?}");
        assert!(early.low < late.low && late.low < 0.05 && 0.05 < late.high && late.high < early.high, "{late:?}");
        assert!(late.high - late.low < 0.05 && (late.estimate - 0.05).abs() < 0.01, "{late:?}");
        assert_eq!(difference.moves(), 0);
        assert!(difference.is_sound());
        let broken = |edit: fn(&mut Difference)| {
            let mut broken = difference.clone();
            edit(&mut broken);
            !broken.is_sound()
        };
        assert!(broken(|d| d.rejected_below += 1) && broken(|d| d.rejected_above += 1));
        assert!(broken(|d| d.ratio = -1.0) && broken(|d| d.ratio = f64::INFINITY));
        assert!(broken(|d| d.log_limit = 0.0) && broken(|d| d.log_limit = f64::INFINITY));
        assert!(broken(|d| d.above[0][0] = f64::MAX) && broken(|d| d.seen.canary_bad = -1.0));
    }

    #[test]
    fn a_difference_that_moves_is_followed() {
        let mut difference = Difference::new(1.0, 0.05);
        fed(&mut difference, batch(0.2, 19.8, 0.8, 79.2), 300);
        assert!(difference.interval().unwrap().high <= 0.015);
        fed(&mut difference, batch(6.0, 14.0, 0.8, 79.2), 100);
        let after = difference.interval().unwrap();
        assert!(difference.moves() >= 1 && after.low > 0.15 && after.high < 0.5, "{after:?}");
    }

    #[test]
    fn a_ratio_of_zero_makes_it_the_interval_of_the_canary() {
        let mut difference = Difference::new(0.0, 0.05);
        fed(&mut difference, batch(2.0, 18.0, 0.0, 80.0), 300);
        let interval = difference.interval().unwrap();
        assert!(
            interval.low >= 0.05 && interval.high <= 0.15 && (interval.estimate - 0.1).abs() < 1e-12,
            "{interval:?}"
        );
    }

    #[test]
    fn a_relative_difference_has_its_own_bounds() {
        let mut difference = Difference::new(2.0, 0.05);
        difference.step(&batch(0.0, 10.0, 10.0, 0.0), 0.5);
        assert_eq!(difference.interval().unwrap().low, -2.0);
        fed(&mut difference, batch(4.0, 16.0, 8.0, 72.0), 200);
        let interval = difference.interval().unwrap();
        assert!(interval.low < 0.0 && 0.0 < interval.high && interval.high - interval.low < 0.3, "{interval:?}");
    }
}
