//! The rule of the decision record: readings of a window at fixed times against a fixed limit, all of which have to fail.

use serin_stats::batch::{Arm, Batch};
use serin_stats::sketch::latency;

use super::traffic::{PAST_S, SECOND_STEP_S, WHOLE_S};

/// Whose requests a query sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of both versions: the manifests that came with the record.
    Both,
    /// Those of the canary only, as somebody would write it who has seen that (with `or vector(0)` for the series that does not exist yet).
    Canary,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The share of errors is below 5 %, in two minutes, three times half a minute apart.
    Errors,
    /// The 95th percentile is below 500 ms, likewise. From a classic histogram, of which 500 ms is a bound: no more than 5 % are slower.
    Latency,
    /// The share of class 1 is within 30 points of a half, in five minutes, twice a minute apart.
    Drift,
}

impl Rule {
    /// Seconds of a window.
    fn window(self) -> usize {
        match self {
            Rule::Errors | Rule::Latency => 120,
            Rule::Drift => 300,
        }
    }

    /// Times of the readings of a step's analysis, after the begin of that analysis in seconds.
    fn readings(self) -> &'static [usize] {
        match self {
            Rule::Errors | Rule::Latency => &[0, 30, 60],
            Rule::Drift => &[0, 60],
        }
    }

    fn bad(self, arm: &Arm) -> u64 {
        match self {
            Rule::Errors => arm.errors,
            Rule::Latency => latency::count_above(&arm.latency, 500_000),
            Rule::Drift => arm.classes.get("1").copied().unwrap_or(0),
        }
    }

    /// Whether a reading fails. Of nothing it is 0/0, which is no success.
    fn fails(self, bad: u64, total: u64) -> bool {
        if total == 0 {
            return true;
        }
        let share = bad as f64 / total as f64;
        match self {
            Rule::Errors | Rule::Latency => share >= 0.05,
            Rule::Drift => (share - 0.5).abs() >= 0.3,
        }
    }
}

/// When the analyses of the two steps begin, in seconds: after a pause of one minute and of two.
const ANALYSES: [usize; 2] = [60, SECOND_STEP_S + 120];

/// When a rollout is rolled back, in seconds since it began; `None` when it is promoted.
///
/// `past` are stable's seconds before it, `seconds` those of it.
pub(crate) fn rolled_back(rule: Rule, scope: Scope, past: &[Arm], seconds: &[Batch]) -> Option<usize> {
    // What had been counted by the end of each second.
    let mut sums = vec![(0_u64, 0_u64)];
    let mut add = |bad: u64, total: u64| {
        let (b, t) = sums.last().copied().unwrap_or_default();
        sums.push((b + bad, t + total));
    };
    for arm in past {
        let counted = scope == Scope::Both;
        add(if counted { rule.bad(arm) } else { 0 }, if counted { arm.answered } else { 0 });
    }
    for batch in seconds.iter().take(WHOLE_S) {
        let stable = |n: u64| if scope == Scope::Both { n } else { 0 };
        let bad = rule.bad(&batch.canary) + stable(rule.bad(&batch.stable));
        add(bad, batch.canary.answered + stable(batch.stable.answered));
    }
    let fails = |at: usize| {
        let end = PAST_S + at;
        let (before, now) = (sums[end.saturating_sub(rule.window())], sums[end]);
        rule.fails(now.0 - before.0, now.1 - before.1)
    };
    // `failureLimit` is one less than the count: all have to fail.
    ANALYSES.iter().find_map(|begin| {
        let last = rule.readings().last()?;
        rule.readings().iter().all(|after| fails(begin + after)).then_some(begin + last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(answered: u64, errors: u64) -> Arm {
        Arm { answered, errors, ..Arm::default() }
    }

    /// A second at a hundred requests with this share of errors in the canary, from a second on.
    fn rollout(errors_of_a_thousand: u64, from: usize) -> (Vec<Arm>, Vec<Batch>) {
        let seconds = (0..WHOLE_S).map(|second| {
            let n = if second < SECOND_STEP_S { 2_000 } else { 5_000 };
            let errors = if second >= from { n * errors_of_a_thousand / 1_000 } else { 0 };
            Batch { canary: arm(n, errors), stable: arm(10_000 - n, 0), ..Batch::default() }
        });
        (vec![arm(10_000, 0); PAST_S], seconds.collect())
    }

    fn at(scope: Scope, errors_of_a_thousand: u64, from: usize) -> Option<usize> {
        let (past, seconds) = rollout(errors_of_a_thousand, from);
        rolled_back(Rule::Errors, scope, &past, &seconds)
    }

    /// At the first reading half of the window is from before the rollout: five percent of both versions are half of the canary's requests.
    #[test]
    fn as_shipped_a_step_at_a_fifth_sees_half_of_the_errors_and_one_at_a_half_a_tenth() {
        assert_eq!(at(Scope::Both, 490, 0), Some(WHOLE_S));
        assert_eq!(at(Scope::Both, 510, 0), Some(SECOND_STEP_S));
        assert_eq!(at(Scope::Both, 99, 0), None);
        assert_eq!(at(Scope::Both, 101, 0), Some(WHOLE_S));
    }

    #[test]
    fn scoped_it_sees_what_is_beyond_the_limit_and_nothing_that_begins_late() {
        assert_eq!(at(Scope::Canary, 50, 0), Some(SECOND_STEP_S));
        assert_eq!(at(Scope::Canary, 49, 0), None);
        assert_eq!(at(Scope::Canary, 100, 240), None, "the first reading of the step saw nothing yet");
    }

    #[test]
    fn the_share_of_a_class_is_held_against_a_half() {
        let ones = |n: u64| Arm { answered: 1_000, classes: [("1".to_owned(), n)].into(), ..Arm::default() };
        let check = |stable: u64, canary: u64| {
            let second = Batch { canary: ones(canary), stable: ones(stable), ..Batch::default() };
            rolled_back(Rule::Drift, Scope::Both, &vec![ones(stable); PAST_S], &vec![second; WHOLE_S])
        };
        assert_eq!(check(100, 100), Some(SECOND_STEP_S), "a healthy model with a base rate of a tenth");
        assert_eq!(check(250, 250), None);
        assert_eq!(check(200, 500), None, "a model that has changed");
    }
}
