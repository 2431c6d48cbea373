//! Limits that no answer of the query can reach, and limits on what a model is rather than on what changed.

use serin_promql::{Quantity, Range};
use serin_spec::Problem;
use serin_spec::lint::{Limit, Reach};

use super::{Found, histogram};

const DRIFT: &str = "hold the canary against stable: provider: {plugin: {serin.dev/drift: {}}}";

impl Found<'_> {
    /// Conditions with the same outcome for every number that the query can give.
    pub(super) fn reach(&self, problems: &mut Vec<Problem>) {
        // A number that is written down is there to try things out.
        if self.facts.reads.is_empty() {
            return;
        }
        let range = self.parsed.range(&histogram::bounds);
        let all = self.query.reach(Range::ANY.low, Range::ANY.high);
        let (Some(all), Some(within)) = (all, self.query.reach(range.low, range.high)) else { return };
        let Some(limit) = self.query.limits.first() else { return };
        // Without requests there may be a NaN, on which it can fail after all.
        let nan_fails = self.facts.nan_when_idle && self.query.fails_on_nan;
        let what = match (all, within) {
            (Reach { fails: true, .. }, Reach { fails: false, .. }) if !nan_fails => "passes: it cannot stop an update",
            (Reach { passes: true, .. }, Reach { passes: false, .. }) => "fails to pass: every update ends here",
            _ => return,
        };
        let message = format!("the query gives {}, and every such number {what}", spoken(range));
        let hint = "is it the right limit, the right way round, for this query?";
        problems.push(self.limit("limit-out-of-reach", limit, message, hint.to_owned()));
    }

    /// Shares that have to stay near a fixed number.
    pub(super) fn base_rate(&self, problems: &mut Vec<Problem>) {
        let upper = |limit: &&Limit| limit.threshold.value > 0.0;
        if let (Some(centred), Some(limit)) = (self.facts.centred.first(), self.query.limits.iter().find(upper)) {
            let message = judges(centred.centre, limit.threshold.value / centred.whole);
            problems.push(self.problem("base-rate", (centred.start, centred.end), message, DRIFT));
            return;
        }
        let whole = match self.facts.quantity {
            Quantity::Share => 1.0,
            Quantity::Percent => 100.0,
            _ => return,
        };
        for limit in self.query.other_limits.iter().filter(upper) {
            let Some(centre) = centre(&limit.threshold.subject).map(|centre| centre / whole) else { continue };
            if centre > 0.0 && centre < 1.0 {
                let message = judges(centre, limit.threshold.value / whole);
                problems.push(self.limit("base-rate", limit, message, DRIFT.to_owned()));
                return;
            }
        }
    }
}

/// The 0.5 of `abs(result[0] - 0.5)`.
fn centre(subject: &str) -> Option<f64> {
    let text: String = subject.chars().filter(|c| !c.is_whitespace()).collect();
    let inner = text.strip_prefix("abs(")?.strip_suffix(')')?;
    let number = |text: &str| text.parse().ok();
    let from_result = |text: &str| text.strip_prefix("result[0]-").or(text.strip_prefix("result-")).and_then(number);
    let to_result = |text: &str| text.strip_suffix("-result[0]").or(text.strip_suffix("-result")).and_then(number);
    from_result(inner).or_else(|| to_result(inner))
}

/// What a distance from a centre says of a share.
fn judges(centre: f64, distance: f64) -> String {
    let tidy = |share: f64| (share * 1000.0).round() / 1000.0;
    let (low, high) = (tidy(centre - distance), tidy(centre + distance));
    let between = match (low > 0.0, high < 1.0) {
        (true, true) => format!("between {low} and {high}"),
        (true, false) => format!("over {low}"),
        (false, true) => format!("under {high}"),
        (false, false) => "anything".to_owned(),
    };
    let edge = if low > 0.0 { low } else { high };
    let toss = if edge < 1.0 { format!("; a healthy model at {edge} is a coin toss") } else { String::new() };
    format!("this says that the share is {between}, and nothing about whether it changed{toss}")
}

fn spoken(Range { low, high }: Range) -> String {
    let text = serin_promql::format_value;
    match (low.is_finite(), high.is_finite()) {
        (true, true) if low == high => text(low),
        (true, true) => format!("{} to {}", text(low), text(high)),
        (true, false) => format!("{} and more", text(low)),
        (false, true) => format!("{} and less", text(high)),
        (false, false) => "any number".to_owned(),
    }
}
