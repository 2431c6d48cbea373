//! Ordinary metrics: readings of a share of the canary's requests against a limit, of which chance can be told.

use serde::Serialize;
use serin_core::analysis::Metric as Core;
use serin_expr::{Comparison, Program};
use serin_stats::needed::at_least;

use super::timeline::Scene;
use super::{Assumed, Counted, Judged, Measured, seconds};
use crate::lint::LATEST;

/// How far beyond the limit the versions are whose chance is told.
const TIMES: [f64; 2] = [2.0, 5.0];
/// Rounding of a product that is a whole number.
const WHOLE: f64 = 1e-9;

/// Readings of a share.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readings {
    /// How many are taken; `None` for as many as there is time for.
    pub count: Option<u32>,
    /// How many must fail; `None` when the metric never fails.
    pub must_fail: Option<u32>,
    /// The largest share of bad requests that passes, 0 to 1.
    pub limit: f64,
    /// Requests of the canary that the fullest reading counts.
    pub requests: f64,
    /// How probably one such reading fails.
    pub chances: Vec<Chance>,
}

/// A version and how probably one reading of it fails. Readings overlap, so several of them fail neither together nor independently: this is no chance of the whole metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chance {
    /// The version's share of bad requests, 0 to 1.
    pub share: f64,
    /// Probability that a reading fails, 0 to 1.
    pub fails: f64,
}

/// When readings are taken.
pub(super) struct Taken {
    count: Option<u32>,
    must_fail: Option<u32>,
    /// Seconds until the last one; `None` where nobody can tell.
    pub(super) seconds: Option<f64>,
}

impl Taken {
    /// In a step of its own, or beside others.
    pub(super) fn of(core: &Core, scene: &Scene, own: bool) -> Self {
        let count = count(core);
        let seconds = if own { until(core, count) } else { scene.seconds };
        Self { count, must_fail: u32::try_from(core.failure_limit).ok().map(|limit| limit.saturating_add(1)), seconds }
    }
}

/// How many readings are taken; `None` without an end.
pub(super) fn count(core: &Core) -> Option<u32> {
    match (core.count, core.interval) {
        (0, Some(_)) => None,
        (count, _) => Some(count.max(1)),
    }
}

/// Seconds until the last reading.
pub(super) fn until(core: &Core, count: Option<u32>) -> Option<f64> {
    let between = core.interval.map_or(0.0, seconds) * f64::from(count? - 1);
    Some(core.initial_delay.map_or(0.0, seconds) + between)
}

/// What readings can tell.
pub(super) fn judged(
    metric: &Measured,
    taken: &Taken,
    scene: &Scene,
    assumed: &Assumed,
    counted: Counted<'_>,
) -> Judged {
    let counts = || {
        let range_ms = counted(metric.query.as_deref()?, LATEST)?;
        let rule = Rule::of(&metric.core)?;
        let requests = scene.canary_requests(range_ms as f64 / 1000.0, taken.seconds?, assumed.rate).round();
        Some((rule, requests))
    };
    let Some((rule, requests)) = counts() else {
        return Judged::Other { readings: taken.count, must_fail: taken.must_fail };
    };
    let needed = rule.bad_needed(requests);
    let mut shares: Vec<f64> = TIMES.iter().map(|times| (times * rule.limit).min(1.0)).collect();
    shares.dedup();
    let chance =
        |share: f64| Chance { share, fails: if requests < 1.0 { 0.0 } else { at_least(needed, requests, share) } };
    Judged::Readings(Readings {
        count: taken.count,
        must_fail: taken.must_fail,
        limit: rule.limit,
        requests,
        chances: shares.into_iter().map(chance).collect(),
    })
}

/// A condition on a share, read as a limit of what is bad.
struct Rule {
    limit: f64,
    /// Whether a share at the limit fails.
    fails_at_limit: bool,
}

impl Rule {
    /// `None` unless there is one condition that is one comparison of the reading with a number.
    fn of(core: &Core) -> Option<Self> {
        let (text, is_success) = match (&core.success, &core.failure) {
            (Some(text), None) => (text, true),
            (None, Some(text)) => (text, false),
            _ => return None,
        };
        let facts = Program::compile(text).ok()?.facts();
        let [threshold] = facts.thresholds.as_slice() else { return None };
        let alone = facts.fields.len() == 1 && matches!(threshold.subject.as_str(), "result[0]" | "result");
        if !(alone && threshold.value > 0.0 && threshold.value < 1.0) {
            return None;
        }
        // Small shares pass: the reading counts what is bad. Large ones pass: it counts what is good.
        let (counts_bad, fails_at_limit) = match (threshold.comparison, is_success) {
            (Comparison::Less, true) => (true, true),
            (Comparison::LessOrEqual, true) => (true, false),
            (Comparison::Greater, true) => (false, true),
            (Comparison::GreaterOrEqual, true) => (false, false),
            (Comparison::Greater, false) => (true, false),
            (Comparison::GreaterOrEqual, false) => (true, true),
            (Comparison::Less, false) => (false, false),
            (Comparison::LessOrEqual, false) => (false, true),
            (Comparison::Equal | Comparison::NotEqual, _) => return None,
        };
        Some(Self { limit: if counts_bad { threshold.value } else { 1.0 - threshold.value }, fails_at_limit })
    }

    /// Bad requests among so many with which a reading fails.
    fn bad_needed(&self, requests: f64) -> f64 {
        let at = self.limit * requests;
        if self.fails_at_limit { (at - WHOLE).ceil() } else { (at + WHOLE).floor() + 1.0 }
    }
}
