//! Many runs in a few numbers: rates with their intervals, quantiles.

use crate::scenario::Expected;
use crate::simulate::{Outcome, Report};

/// 97.5th percentile of the standard normal distribution: intervals hold the truth in 95 of 100 cases.
const Z: f64 = 1.959_963_984_540_054;

/// How often something happened, and between what bounds its probability lies (95%).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How often.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// Lower bound of the probability.
    pub low: f64,
    /// Upper bound of the probability.
    pub high: f64,
}

impl Rate {
    /// The rate of `count` out of `of`, with Wilson's interval, which is right for rates near 0 and 1 too.
    pub fn new(count: usize, of: usize) -> Self {
        if of == 0 {
            return Self { count, of, low: 0.0, high: 1.0 };
        }
        let (n, p) = (of as f64, count as f64 / of as f64);
        let widened = 1.0 + Z * Z / n;
        let centre = (p + Z * Z / (2.0 * n)) / widened;
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / widened;
        // At the ends the bound is the end itself; rounding must not say otherwise.
        let low = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if count == of { 1.0 } else { (centre + half).min(1.0) };
        Self { count, of, low, high }
    }

    /// The share, 0 of none.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.count as f64 / self.of as f64 }
    }
}

/// Numbers in order, for quantiles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Of these numbers.
    pub fn new(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }

    /// The smallest number that at least this share of all numbers does not exceed; `None` of none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.0.len().max(1)) - 1).copied()
    }

    /// All numbers, ascending.
    pub fn sorted(&self) -> &[f64] {
        &self.0
    }
}

/// What came of many runs of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How often each outcome came about.
    pub outcomes: Vec<(Outcome, Rate)>,
    /// How often the outcome was wrong; `None` where nobody said what is right.
    pub wrong: Option<Rate>,
    /// Seconds from the deploy to the decision to take the version back, of the runs in which it came.
    pub detected_s: Spread,
    /// Seconds from the deploy to the end.
    pub took_s: Spread,
    /// Failed requests.
    pub failed: Spread,
    /// Failed requests beyond what the stable version would have failed.
    pub excess: Spread,
}

impl Summary {
    /// Sums up.
    pub fn of(reports: &[Report], expected: Option<Expected>) -> Self {
        let rate = |is: &dyn Fn(&Report) -> bool| Rate::new(reports.iter().filter(|r| is(r)).count(), reports.len());
        let seconds = |span: serin_core::Span| span.as_millis() as f64 / 1000.0;
        Self {
            outcomes: Outcome::ALL.into_iter().map(|outcome| (outcome, rate(&|r| r.outcome == outcome))).collect(),
            wrong: expected.map(|expected| rate(&|r| r.is_wrong(Some(expected)))),
            detected_s: Spread::new(reports.iter().filter_map(|r| r.detected).map(seconds)),
            took_s: Spread::new(reports.iter().map(|r| seconds(r.took))),
            failed: Spread::new(reports.iter().map(|r| r.tally.failed as f64)),
            excess: Spread::new(reports.iter().map(|r| r.tally.excess())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the formula worked out apart, in Python.
    #[test]
    fn intervals_are_wilsons() {
        let check = |count, of, low: f64, high: f64| {
            let rate = Rate::new(count, of);
            assert!((rate.low - low).abs() < 1e-9 && (rate.high - high).abs() < 1e-9, "{rate:?}");
        };
        check(0, 200, 0.0, 0.018_845_326_6);
        check(200, 200, 0.981_154_673_4, 1.0);
        check(7, 10, 0.396_778_147_5, 0.892_208_732_6);
        check(0, 0, 0.0, 1.0);
    }

    #[test]
    fn quantiles_are_numbers_that_came() {
        let spread = Spread::new([3.0, 1.0, 2.0, 4.0]);
        let quantiles: Vec<_> = [0.0, 0.1, 0.5, 0.75, 0.76, 1.0].iter().map(|q| spread.quantile(*q).unwrap()).collect();
        assert_eq!(quantiles, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(Spread::default().quantile(0.5), None);
    }
}
