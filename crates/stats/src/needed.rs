//! How much more traffic a verdict needs, and what a given amount of traffic can see.
//!
//! At given true rates the log evidence of every component grows by a fixed mean a request. Its mixture along those means reaches a limit after about as many requests as the test takes
//! on average: within 15 % for a fail in the settings of this crate's tests, and between 10 % too few and 30 % too many for a pass.

use crate::Process;
use crate::numeric::{RATE_MARGIN, exp, ln, ln_add_exp, ln_sum_exp, sqrt};
use crate::one_arm;
use crate::paired;
use crate::side::Side;
use crate::special::{ln_beta_share, normal_quantile};
use crate::two_arm::{self, Line};

/// More requests than anybody waits for: what needs them counts as never.
const NEVER: f64 = 1e15;
/// Halvings that bring an interval of doubles to its end.
const HALVINGS: usize = 100;

/// What one request adds to the log evidence at given rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// Mean and variance of every component, per request of either arm.
    components: Vec<(f64, f64)>,
    /// The canary's share of the requests.
    canary_share: f64,
}

impl Growth {
    /// Of [`two_arm`] when the true rates are `canary_rate` and `stable_rate`, the latter being known from history.
    pub fn two_arm(canary_rate: f64, stable_rate: f64, weight: f64, line: Line, side: Side) -> Self {
        let table = two_arm::table(stable_rate, weight, line, side);
        let (canary, stable) = (canary_rate.clamp(0.0, 1.0), stable_rate.clamp(0.0, 1.0));
        let other = 1.0 - weight;
        let shares = [weight * canary, weight * (1.0 - canary), other * stable, other * (1.0 - stable)];
        Self { components: table.iter().map(|row| moments(row, &shares)).collect(), canary_share: weight }
    }

    /// Of [`one_arm`] when the true rate is `rate`.
    pub fn one_arm(rate: f64, limit: f64, side: Side) -> Self {
        let rate = rate.clamp(0.0, 1.0);
        let table = one_arm::table(limit, side);
        Self { components: table.iter().map(|row| moments(row, &[rate, 1.0 - rate])).collect(), canary_share: 1.0 }
    }

    /// Of [`paired`] when the canary answers worse and better with these probabilities; a request is a pair.
    pub fn paired(worse: f64, better: f64, delta: f64, side: Side) -> Self {
        let shares = [worse, 1.0 - worse - better, better];
        let table = paired::table(delta, side);
        Self { components: table.iter().map(|row| moments(row, &shares)).collect(), canary_share: 1.0 }
    }

    /// The growth of the fastest component in nats a request of the canary; at most 0 when the test would never get anywhere.
    pub fn fastest(&self) -> f64 {
        let fastest = self.components.iter().map(|(mean, _)| *mean).fold(f64::NEG_INFINITY, f64::max);
        if self.canary_share > 0.0 { fastest / self.canary_share } else { 0.0 }
    }

    /// About how many more requests of the canary it takes on average until `ln E` reaches `log_limit` (`ln(1 / alpha)` for a test alone), from the present
    /// evidence or from the beginning. 0 when it is there already; `None` when it does not get there at these rates.
    ///
    /// # Panics
    ///
    /// When the evidence has another number of components.
    pub fn requests(&self, evidence: Option<&Process>, log_limit: f64) -> Option<f64> {
        let fresh = vec![0.0; self.components.len()];
        let (masses, unspent) = evidence.map_or((&fresh[..], 0.0), |e| (e.log_masses(), e.unspent()));
        assert_eq!(masses.len(), self.components.len(), "evidence of the same test");
        let path = |n: f64| {
            let masses = masses.iter().zip(&self.components).map(|(mass, (mean, _))| mass + n * mean);
            let staked = ln_sum_exp(masses) - ln(self.components.len() as f64);
            if unspent > 0.0 { ln_add_exp(staked, ln(unspent)) } else { staked }
        };
        self.first(path, log_limit)
    }

    /// About how many requests of the canary it takes from the beginning until the limit is reached with probability `power` (0 to 1). `None` when it never is.
    pub fn requests_with_power(&self, log_limit: f64, power: f64) -> Option<f64> {
        // The components rise and fall with the same outcomes, so a bad day for one is a bad day for all: the quantile of the mixture is the mixture of the quantiles.
        let z = normal_quantile(power);
        let path = |n: f64| {
            let masses = self.components.iter().map(|(mean, variance)| n * mean - z * sqrt(n * variance));
            ln_sum_exp(masses) - ln(self.components.len() as f64)
        };
        self.first(path, log_limit)
    }

    /// The first number of requests at which a path is at its limit, in requests of the canary.
    fn first(&self, path: impl Fn(f64) -> f64, log_limit: f64) -> Option<f64> {
        if path(0.0) >= log_limit {
            return Some(0.0);
        }
        if self.fastest() <= 0.0 {
            return None;
        }
        let mut high = 1.0;
        while path(high) < log_limit {
            high *= 2.0;
            if high > NEVER {
                return None;
            }
        }
        let mut low = 0.0;
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if path(middle) < log_limit {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high * self.canary_share)
    }
}

/// The smallest rate of the canary that [`two_arm`] fails within `canary_requests` with probability `power`, when the stable version's is `stable_rate`. `None` when not even a
/// canary that answers nothing right is.
pub fn smallest_regression(
    stable_rate: f64,
    weight: f64,
    line: Line,
    log_limit: f64,
    canary_requests: f64,
    power: f64,
) -> Option<f64> {
    let growth = |rate: f64| Growth::two_arm(rate, stable_rate, weight, line, Side::Fail);
    smallest_rate(line.at(stable_rate), growth, log_limit, canary_requests, power)
}

/// The smallest rate that [`one_arm`] fails within `requests` with probability `power`. `None` when none is.
pub fn smallest_excess(limit: f64, log_limit: f64, requests: f64, power: f64) -> Option<f64> {
    smallest_rate(limit, |rate| Growth::one_arm(rate, limit, Side::Fail), log_limit, requests, power)
}

/// The smallest rate from `line` on at which evidence that grows as `growth` says reaches `log_limit` within `requests` with probability `power`. `None` when not even the
/// rate 1 is enough.
pub fn smallest_rate(
    line: f64,
    growth: impl Fn(f64) -> Growth,
    log_limit: f64,
    requests: f64,
    power: f64,
) -> Option<f64> {
    let seen = |rate: f64| growth(rate).requests_with_power(log_limit, power).is_some_and(|n| n <= requests);
    let (mut low, mut high) = (line.clamp(0.0, 1.0), 1.0);
    if !seen(high) {
        return None;
    }
    while high - low > RATE_MARGIN + 1e-6 * high {
        let middle = 0.5 * (low + high);
        if seen(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// The probability that at least `bad` of `total` outcomes are bad when each is with probability `rate`. `bad` and `total` are whole numbers; 1 for none of any.
pub fn at_least(bad: f64, total: f64, rate: f64) -> f64 {
    if bad <= 0.0 {
        return 1.0;
    }
    if bad > total {
        return 0.0;
    }
    // The k-th smallest of n uniform numbers has a Beta distribution, and k are below the rate when it is.
    exp(ln_beta_share(bad, total - bad + 1.0, rate.clamp(0.0, 1.0)))
}

/// Mean and variance of a log gain.
fn moments(gains: &[f64], shares: &[f64]) -> (f64, f64) {
    let mean: f64 = gains.iter().zip(shares).map(|(gain, share)| gain * share).sum();
    let variance = gains.iter().zip(shares).map(|(gain, share)| share * (gain - mean) * (gain - mean)).sum();
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use super::{Growth, at_least, smallest_excess, smallest_regression};
    use crate::two_arm::{Line, Side, log_gains, table};
    use crate::{Counts, Process};

    const POINT: Line = Line { ratio: 1.0, delta: 0.01 };

    #[test]
    fn what_never_decides_says_so() {
        let fail = |rate: f64| Growth::two_arm(rate, 0.005, 0.2, POINT, Side::Fail);
        assert_eq!(fail(0.005).requests(None, 100f64.ln()), None);
        assert_eq!(fail(0.015).requests(None, 100f64.ln()), None, "on the line");
        assert_eq!(Growth::two_arm(1.0, 0.995, 0.2, POINT, Side::Fail).requests(None, 1.0), None, "vacuous");
        assert!(fail(0.1).fastest() > 0.07);
    }

    #[test]
    fn a_clean_canary_passes_a_limit_after_a_known_number_of_requests() {
        for (limit, requests) in [(0.05, 80.0), (0.01, 403.0), (0.001, 4_043.0)] {
            let needed = Growth::one_arm(0.0, limit, Side::Pass).requests(None, 20f64.ln()).unwrap();
            assert_eq!(needed.ceil(), requests, "{limit}: {needed}");
            // No spread, no doubt: it takes as many for any power.
            let sure = Growth::one_arm(0.0, limit, Side::Pass).requests_with_power(20f64.ln(), 0.999).unwrap();
            assert!((sure / needed - 1.0).abs() < 1e-9, "{limit}: {sure}");
        }
    }

    #[test]
    fn the_growth_is_the_mean_of_the_gains() {
        let rows = table(0.01, 0.25, POINT, Side::Fail);
        // A hundred requests in exactly these shares.
        let counts = Counts { canary_bad: 5.0, canary_ok: 20.0, stable_bad: 0.75, stable_ok: 74.25 };
        let fastest = log_gains(&rows, &counts).into_iter().fold(f64::MIN, f64::max) / 25.0;
        let growth = Growth::two_arm(0.2, 0.01, 0.25, POINT, Side::Fail);
        assert!((growth.fastest() - fastest).abs() < 1e-14, "{} {fastest}", growth.fastest());
    }

    #[test]
    fn present_evidence_shortens_the_wait_and_contrary_evidence_makes_it_longer() {
        let growth = Growth::two_arm(0.1, 0.005, 0.2, POINT, Side::Fail);
        let rows = table(0.005, 0.2, POINT, Side::Fail);
        let after = |canary_bad: f64, canary_ok: f64, restart: bool| {
            let mut process = Process::new(rows.len(), restart);
            let counts = Counts { canary_bad, canary_ok, stable_bad: 0.0, stable_ok: 80.0 };
            process.step(&log_gains(&rows, &counts), 0.0);
            growth.requests(Some(&process), 100f64.ln()).unwrap()
        };
        let fresh = growth.requests(None, 100f64.ln()).unwrap();
        assert!(after(2.0, 8.0, false) < fresh && fresh < after(0.0, 20.0, false));
        assert!(after(2.0, 8.0, true) > after(2.0, 8.0, false), "half of the mass is not staked");
        assert_eq!(after(20.0, 0.0, false), 0.0);
    }

    #[test]
    fn less_traffic_sees_only_larger_regressions() {
        let seen = |n: f64| smallest_regression(0.005, 0.2, POINT, 100f64.ln(), n, 0.8);
        let sizes: Vec<f64> = [20.0, 60.0, 300.0, 3_000.0].iter().map(|n| seen(*n).unwrap()).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] > pair[1]) && sizes[3] > 0.015, "{sizes:?}");
        assert_eq!(seen(2.0), None);
        let excess = smallest_excess(0.05, 100f64.ln(), 500.0, 0.8).unwrap();
        assert!(excess > 0.05 && excess < 0.15, "{excess}");
    }

    #[test]
    fn so_many_of_so_many() {
        let check = |bad: f64, total: f64, rate: f64, want: f64| {
            let found = at_least(bad, total, rate);
            assert!((found - want).abs() < 1e-12, "{bad} of {total} at {rate}: {found}");
        };
        check(0.0, 0.0, 0.3, 1.0);
        check(1.0, 0.0, 0.3, 0.0);
        check(1.0, 1.0, 0.3, 0.3);
        check(2.0, 3.0, 0.5, 0.5);
        check(1.0, 10.0, 0.1, 1.0 - 0.9f64.powi(10));
        check(10.0, 10.0, 0.1, 1e-10);
        check(3.0, 10.0, 0.0, 0.0);
        check(3.0, 10.0, 1.0, 1.0);
    }
}
