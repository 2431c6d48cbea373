//! Whether a query looks at the version that is judged, and at the time in which it is.

use serin_expr::Comparison;
use serin_promql::{Facts, Quantity, Reads, Window};
use serin_spec::Problem;
use serin_spec::lint::Asked;

use super::{Found, VERSION_LABELS};

pub(super) const SELECT: &str = "select the version: pass its hash as an argument with podTemplateHashValue: Latest";

/// What needs no limit, no window and no arithmetic.
const COMPARE: &str = "compare with stable: provider: {plugin: {serin.dev/compare: {tolerance: 1pt}}}";

/// What a healthy stable version may have of what is allowed, when a limit on a mixture is told as one on the canary.
const STABLE_PART: f64 = 0.1;

impl Found<'_> {
    /// Whether the query counts both versions.
    fn mixes(&self) -> bool {
        let reads = &self.facts.reads;
        !reads.is_empty() && !self.is_grouped() && !reads.iter().any(|reads| self.selects(reads))
    }

    fn is_grouped(&self) -> bool {
        self.facts.groups.iter().any(|label| VERSION_LABELS.contains(&label.as_str()))
    }

    pub(super) fn versions(&self, problems: &mut Vec<Problem>) {
        let Facts { reads, ratios, .. } = self.facts;
        let everybody = self.query.asked.iter().all(|asked| asked.share >= 1.0) && !self.query.asked.is_empty();
        if let (Some(first), true, true, false) = (reads.first(), self.mixes(), self.query.used, everybody) {
            let place = (first.start, first.end);
            problems.push(self.problem("mixes-versions", place, self.mixture(), &format!("{SELECT}; or {COMPARE}")));
        }
        let grouped = self.is_grouped();
        for ratio in ratios {
            let (above, below) = (&ratio.above, &ratio.below);
            let all = |side: &[Reads]| !side.is_empty() && side.iter().all(|reads| self.selects(reads));
            let none = |side: &[Reads]| !side.is_empty() && !side.iter().any(|reads| self.selects(reads));
            let other = if all(above) && none(below) {
                below.first()
            } else if none(above) && all(below) {
                above.first()
            } else {
                None
            };
            if let (Some(other), false) = (other, grouped) {
                let message = "one side of the division selects a version, and this side counts both";
                let hint = "select the same version on both sides";
                problems.push(self.problem("lopsided-ratio", (other.start, other.end), message.to_owned(), hint));
            }
        }
    }

    /// What is wrong with a reading of both versions, in the numbers of the template where it has such.
    fn mixture(&self) -> String {
        let shares = self.query.asked.iter().map(|asked| asked.share).filter(|share| *share < 1.0);
        let share = shares.fold(None, |least: Option<f64>, share| Some(least.map_or(share, |least| least.min(share))));
        if let (Some(share), Some(quantile)) = (share, self.facts.quantile) {
            // As many slow answers as there may be of all can be those of the canary.
            let canary = 1.0 - (1.0 - quantile) / share;
            let so = match canary >= 0.001 {
                true => format!("the quantile {} of all is {} of the canary", rounded(quantile), rounded(canary)),
                false => format!(
                    "all answers of the canary may be slow without the quantile {} showing it",
                    rounded(quantile)
                ),
            };
            return format!(
                "the query does not say which version: at a weight of {}, while stable is healthy, {so}",
                percent(share)
            );
        }
        let whole = match self.facts.quantity {
            Quantity::Share => 1.0,
            Quantity::Percent => 100.0,
            _ => return DROWNS.to_owned(),
        };
        let limit = self.query.limits.iter().find(|limit| (0.0..=whole).contains(&limit.threshold.value));
        let (Some(share), Some(limit)) = (share, limit) else { return DROWNS.to_owned() };
        let value = limit.threshold.value / whole;
        // Where more is good the rest is what is bad.
        let more_is_good = match limit.threshold.comparison {
            Comparison::Less | Comparison::LessOrEqual => limit.field == "failureCondition",
            Comparison::Greater | Comparison::GreaterOrEqual => limit.field == "successCondition",
            Comparison::Equal | Comparison::NotEqual => return DROWNS.to_owned(),
        };
        let allowed = if more_is_good { 1.0 - value } else { value };
        let worst = allowed / share;
        let healthy = (allowed - (1.0 - share) * STABLE_PART * allowed) / share;
        let told = |bad: f64| percent(if more_is_good { 1.0 - bad } else { bad });
        let mixture = format!(
            "the query does not say which version: at a weight of {} it reads {} × canary + {} × stable",
            percent(share),
            rounded(share),
            rounded(1.0 - share)
        );
        let (limit, side) = (percent(value), if more_is_good { "under" } else { "over" });
        if healthy >= 1.0 {
            return format!("{mixture}, so nothing that the canary does gets {side} {limit} while stable is healthy");
        }
        let (mut low, mut high) = (told(healthy), told(worst.min(1.0)));
        if more_is_good {
            std::mem::swap(&mut low, &mut high);
        }
        if low == high {
            return format!("{mixture}, so a limit of {limit} is one of {low} for the canary");
        }
        format!("{mixture}, so a limit of {limit} is one of {low} to {high} for the canary")
    }

    /// Ranges that look back to the time before the share of the requests that is judged.
    pub(super) fn windows(&self, problems: &mut Vec<Problem>) {
        let Some(window) = self.facts.windows.iter().max_by_key(|window| window.range_ms) else { return };
        let window_s = window.range_ms as f64 / 1000.0;
        let open =
            self.facts.reads.iter().any(|reads| reads.conditions.iter().any(|c| c.value.contains(self.query.open)));
        if open {
            return;
        }
        let mixes = self.mixes();
        let asked = self.query.asked.iter().filter(|asked| asked.share < 1.0 || mixes);
        // A version that got no request before has none in the time before, unless others are counted with it.
        let looks_back = |asked: &&Asked| match mixes {
            true => window_s > asked.first_s,
            false => !asked.is_first && window_s > asked.last_s,
        };
        let Some(asked) = asked.filter(looks_back).min_by(|a, b| a.first_s.total_cmp(&b.first_s)) else { return };
        let share = percent(asked.share);
        let message = if mixes {
            let before = percent((window_s - asked.first_s) / window_s);
            let first_s = asked.first_s;
            format!(
                "it looks back {window_s} s and is asked first after {first_s} s at {share}: {before} of that is from before"
            )
        } else {
            let last_s = asked.last_s;
            format!(
                "it looks back {window_s} s and is asked last after {last_s} s at {share}: no answer is of this weight alone"
            )
        };
        let Window { start, end, .. } = *window;
        problems.push(self.problem(
            "window-before-step",
            (start, end),
            message,
            "take a shorter range or a longer pause",
        ));
    }
}

const DROWNS: &str = "the query does not say which version: a canary's errors drown in everybody's requests";

/// A share in percent, to two digits.
fn percent(share: f64) -> String {
    format!("{}%", rounded(share * 100.0))
}

/// Three digits, without zeros at the end.
fn rounded(number: f64) -> String {
    let text = format!(
        "{:.*}",
        if number.abs() < 1.0 {
            3
        } else if number.abs() < 10.0 {
            2
        } else {
            1
        },
        number
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
