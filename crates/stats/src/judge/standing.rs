//! Where a metric stands, for people and for those who act on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::State;
use crate::difference::{Difference, Interval};
use crate::numeric::{exp, ln};
use crate::recipe::{Budget, Distribution, Recipe, Test};
use crate::shift::Shift;

/// What a test has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nothing was answered that it could judge.
    NoData,
    /// Not enough for either side.
    Undecided,
    /// No worse than tolerated, at the present weight.
    Passed,
    /// Worse than tolerated.
    Failed,
    /// Requests are not split as configured: the comparison is void.
    SplitWrong,
}

/// Bad outcomes of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// Bad ones; visitors' shares of bad answers are summed.
    pub bad: f64,
    /// All.
    pub total: f64,
}

impl Rate {
    /// The share of bad ones, 0 to 1; `None` of nothing.
    pub fn share(&self) -> Option<f64> {
        (self.total > 0.0).then(|| self.bad / self.total)
    }
}

/// Where a metric stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// What has been shown.
    pub verdict: Verdict,
    /// `ln` of the evidence against the canary now.
    pub log_e: f64,
    /// `ln` of the evidence at which this metric alone fails the rollout.
    pub log_e_fail: f64,
    /// `ln` of the evidence for the canary, of the comparison that has least, and what is needed to pass.
    pub log_e_pass: f64,
    /// `ln` of the evidence at which a comparison passes.
    pub log_e_pass_at: f64,
    /// The comparison that the rates below are of: the one with most evidence against the canary.
    pub part: String,
    /// The value of the slice that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// The canary's bad outcomes.
    pub canary: Rate,
    /// Stable's bad outcomes.
    pub stable: Rate,
    /// The largest share of bad outcomes that is tolerated of the canary at stable's present rate, where there is one number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated: Option<f64>,
    /// How much worse the canary is in the metric's first comparison, with an interval that holds at every look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Interval>,
    /// How far the predictions are apart. For people: nothing is ever done for these, since none of them has an error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Shift>,
    /// About so many more answers of the canary until it passes, if it is as it was so far; `None` when it then never would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<u64>,
    /// The time that takes at the rate so far, in milliseconds on the rollout's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_ms: Option<i64>,
}

impl State {
    /// Where the metric stands by itself. Whether it has failed is for all metrics of a run together to say, see [`super::failing`].
    pub fn standing(&self, recipe: &Recipe, failed: bool) -> Standing {
        let top = self.parts.iter().filter(|p| p.weight > 0.0).max_by(|a, b| a.fail.log_e().total_cmp(&b.fail.log_e()));
        let seen = top.map(|part| part.seen).unwrap_or_default();
        let canary = Rate { bad: seen.canary_bad, total: seen.canary_total() };
        let stable = Rate { bad: seen.stable_bad, total: seen.stable_total() };
        let least = self.parts.iter().filter(|p| p.slice.is_none() && !p.passed).map(|p| p.pass.log_e());
        let least = least.filter(|log_e| log_e.is_finite()).reduce(f64::min);
        let verdict = match () {
            () if failed => Verdict::Failed,
            () if self.parts.iter().all(|part| part.seen.canary_total() == 0.0) => Verdict::NoData,
            () if self.split_is_wrong(recipe) => Verdict::SplitWrong,
            () if self.passed(recipe) => Verdict::Passed,
            () => Verdict::Undecided,
        };
        let needed = (verdict == Verdict::Undecided).then(|| self.needed(recipe)).flatten();
        Standing {
            verdict,
            log_e: self.log_e(recipe),
            log_e_fail: fail_at(&recipe.budget),
            log_e_pass: least.unwrap_or(recipe.pass_at()),
            log_e_pass_at: recipe.pass_at(),
            part: top.map(|part| part.name.clone()).unwrap_or_default(),
            slice: top.and_then(|part| part.slice.clone()),
            canary,
            stable,
            tolerated: top.and_then(|part| part.tolerated()),
            difference: self.difference.as_ref().and_then(Difference::interval),
            scores: self.scores(recipe),
            needed: needed.map(|n| libm::ceil(n) as u64),
            needed_ms: needed.and_then(|n| self.time_for(n)),
        }
    }

    /// The time in which so many answers of the canary come at the rate so far.
    fn time_for(&self, answers: f64) -> Option<i64> {
        let seen = self.parts.first().map_or(0.0, |part| part.seen.canary_total());
        (seen > 0.0 && self.active_ms > 0).then(|| libm::ceil(answers * self.active_ms as f64 / seen) as i64)
    }

    fn scores(&self, recipe: &Recipe) -> Option<Shift> {
        let history = &self.history;
        let counts: Vec<(f64, f64)> = match &recipe.test {
            Test::Drift { of: Distribution::Numbers, .. } => {
                history.between.iter().map(|(canary, stable)| (*canary as f64, *stable as f64)).collect()
            }
            Test::Drift { of: Distribution::Classes(named), .. } if !named.is_empty() => {
                let named = history.classes.iter().filter(|(class, ..)| named.contains(class));
                named.map(|(_, canary, stable)| (*canary as f64, *stable as f64)).collect()
            }
            Test::Drift { .. } => {
                history.classes.iter().map(|(_, canary, stable)| (*canary as f64, *stable as f64)).collect()
            }
            _ => return None,
        };
        let (canary, stable): (Vec<f64>, Vec<f64>) = counts.into_iter().unzip();
        Shift::between(&canary, &stable)
    }
}

/// `ln` of the evidence at which a metric with this budget fails by itself.
pub(super) fn fail_at(budget: &Budget) -> f64 {
    -ln(budget.alpha) - ln(budget.share)
}

impl fmt::Display for Standing {
    /// One line, such as `canary 10.00 % of 70, stable 0.50 % of 280; evidence 153 of 100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |rate: &Rate| match rate.share() {
            Some(share) => format!("{:.2} % of {}", 100.0 * share, rate.total),
            None => "nothing yet".to_owned(),
        };
        write!(f, "canary {}", rate(&self.canary))?;
        if self.stable.total > 0.0 {
            write!(f, ", stable {}", rate(&self.stable))?;
        }
        if !self.part.is_empty() {
            write!(f, " ({}", self.part)?;
            if let Some(slice) = &self.slice {
                write!(f, " for {slice}")?;
            }
            f.write_str(")")?;
        }
        write!(f, "; evidence against it {} of {}", number(self.log_e), number(self.log_e_fail))?;
        match self.verdict {
            Verdict::NoData => f.write_str("; no data"),
            Verdict::Passed => f.write_str("; passed"),
            Verdict::Failed => f.write_str("; worse than tolerated"),
            Verdict::SplitWrong => f.write_str("; the requests are not split as configured"),
            Verdict::Undecided => {
                write!(f, ", for it {} of {}", number(self.log_e_pass), number(self.log_e_pass_at))?;
                match (self.needed, self.needed_ms) {
                    (Some(needed), Some(ms)) => {
                        write!(f, "; about {needed} more answers, {} s at this rate", (ms + 999) / 1000)
                    }
                    (Some(needed), None) => write!(f, "; about {needed} more answers"),
                    (None, _) => f.write_str("; not about to pass"),
                }
            }
        }
    }
}

/// Evidence as people read it.
fn number(log_e: f64) -> String {
    match exp(log_e) {
        e if e < 9.995 => format!("{e:.2}"),
        e if e < 99_999.5 => format!("{e:.0}"),
        e if e.is_finite() => format!("{e:.1e}"),
        _ => "e^".to_owned() + &format!("{log_e:.0}"),
    }
}
