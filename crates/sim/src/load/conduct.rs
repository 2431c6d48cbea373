//! How a version answers, now and later: errors, latency, predictions; and what hits every version.

use serin_core::{Span, Time};

use crate::sample::LogNormal;

/// How a version answers at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Conduct {
    /// Share of the answers that are server errors, 0 to 1.
    pub errors: f64,
    /// Median of the time to answer, in seconds.
    pub p50_s: f64,
    /// 95th percentile of the time to answer, in seconds; the distribution is log-normal.
    pub p95_s: f64,
    /// Shares of the predicted classes among good answers, in the order of the scene's classes; they add up to 1.
    pub predictions: Vec<f64>,
    /// Mean and standard deviation of predictions that are numbers.
    pub number: (f64, f64),
}

impl Conduct {
    /// How long answers take.
    pub fn latency(&self) -> LogNormal {
        LogNormal::of_quantiles(self.p50_s, self.p95_s)
    }

    /// Between this one (`at` = 0) and another (`at` = 1).
    fn towards(&self, other: &Conduct, at: f64) -> Conduct {
        let mix = |a: f64, b: f64| a + (b - a) * at;
        Conduct {
            errors: mix(self.errors, other.errors),
            p50_s: mix(self.p50_s, other.p50_s),
            p95_s: mix(self.p95_s, other.p95_s),
            predictions: self.predictions.iter().zip(&other.predictions).map(|(a, b)| mix(*a, *b)).collect(),
            number: (mix(self.number.0, other.number.0), mix(self.number.1, other.number.1)),
        }
    }
}

/// A change of conduct.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it begins.
    pub at: Time,
    /// How long it takes; the conduct moves in a straight line meanwhile.
    pub over: Span,
    /// What it leads to.
    pub to: Conduct,
}

/// How a version answers over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// At first.
    pub first: Conduct,
    /// Changes in the order of time, none beginning before the one before it is over.
    pub changes: Vec<Change>,
}

impl Answers {
    /// The same for ever.
    pub fn steady(first: Conduct) -> Self {
        Self { first, changes: Vec::new() }
    }

    /// The conduct at a moment, hit by the outages of that moment.
    pub fn at(&self, now: Time, outages: &[Outage]) -> Conduct {
        let mut conduct = self.planned(now);
        for outage in outages.iter().filter(|outage| outage.covers(now)) {
            conduct.errors = 1.0 - (1.0 - conduct.errors) * (1.0 - outage.errors);
            conduct.p50_s *= outage.slower;
            conduct.p95_s *= outage.slower;
        }
        conduct
    }

    fn planned(&self, now: Time) -> Conduct {
        let Some(last) = self.changes.iter().rposition(|change| change.at <= now) else { return self.first.clone() };
        let change = &self.changes[last];
        let gone_ms = now.since(change.at).as_millis() as f64;
        let over_ms = change.over.as_millis() as f64;
        if gone_ms >= over_ms {
            return change.to.clone();
        }
        let from = last.checked_sub(1).map_or(&self.first, |before| &self.changes[before].to);
        from.towards(&change.to, gone_ms / over_ms)
    }
}

/// Something that hits every version alike: a database that is down, a node that is busy.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    /// When it begins.
    pub at: Time,
    /// How long it lasts.
    pub lasts: Span,
    /// Share of the answers that become server errors.
    pub errors: f64,
    /// Answers take so many times as long.
    pub slower: f64,
}

impl Outage {
    fn covers(&self, now: Time) -> bool {
        self.at <= now && now < self.at + self.lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conduct(errors: f64, p50_s: f64) -> Conduct {
        Conduct { errors, p50_s, p95_s: 3.0 * p50_s, predictions: vec![errors, 1.0 - errors], number: (0.0, 1.0) }
    }

    #[test]
    fn conduct_moves_in_a_straight_line_and_stays() {
        let change = |at, over, to| Change { at: Time::from_secs(at), over: Span::from_secs(over), to };
        let answers = Answers {
            first: conduct(0.0, 0.1),
            changes: vec![change(100, 100, conduct(0.4, 0.3)), change(300, 0, conduct(0.1, 0.1))],
        };
        let check = |at: i64, errors: f64, p50: f64| {
            let got = answers.at(Time::from_secs(at), &[]);
            assert!((got.errors - errors).abs() < 1e-12 && (got.p50_s - p50).abs() < 1e-12, "{at}: {got:?}");
            assert!((got.predictions.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        };
        check(99, 0.0, 0.1);
        check(150, 0.2, 0.2);
        check(200, 0.4, 0.3);
        check(299, 0.4, 0.3);
        check(300, 0.1, 0.1);
    }

    #[test]
    fn outages_add_to_what_a_version_does_by_itself() {
        let answers = Answers::steady(conduct(0.1, 0.1));
        let outage = |at| Outage { at: Time::from_secs(at), lasts: Span::from_secs(60), errors: 0.5, slower: 4.0 };
        let outages = [outage(100), outage(130)];
        let at = |s| answers.at(Time::from_secs(s), &outages);
        assert_eq!(at(99), answers.first);
        assert!((at(100).errors - 0.55).abs() < 1e-12 && (at(100).p95_s - 1.2).abs() < 1e-12);
        assert!((at(140).errors - 0.775).abs() < 1e-12);
        assert_eq!(at(190), answers.first);
    }
}
