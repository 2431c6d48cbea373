//! When steps take time, and how many requests the canary answers meanwhile.

use serin_core::analysis::RunKind;
use serin_core::rollout::{Canary, Step};

use super::{Assumed, Runs, seconds};
use crate::duration;
use crate::wire::Rollout;

/// A step that takes time.
pub(super) struct Moment {
    pub(super) number: usize,
    pub(super) path: String,
    pub(super) text: String,
    pub(super) weight: f64,
    pub(super) mirrored: f64,
    pub(super) least_s: Option<f64>,
    pub(super) most_s: Option<f64>,
    /// The analyses that go on meanwhile.
    pub(super) runs: Vec<RunKind>,
}

/// Steps of a canary that take time. Members' start takes time as well, of which nobody knows how much.
pub(super) fn of_canary(canary: &Canary, rollout: &Rollout, runs: &Runs) -> Vec<Moment> {
    let mut mirrors: Vec<(&str, f64)> = Vec::new();
    let mut moments = Vec::new();
    for (index, step) in canary.steps.iter().enumerate() {
        let (least_s, most_s) = match step {
            Step::SetMirrorRoute(route) => {
                mirrors.retain(|(name, _)| *name != route.name);
                if !route.matches.is_empty() {
                    mirrors.push((&route.name, f64::from(route.percentage) / 100.0));
                }
                continue;
            }
            Step::Pause(None) | Step::Plugin(_) => (None, None),
            Step::Pause(Some(span)) => (Some(seconds(*span)), Some(seconds(*span))),
            Step::Analysis => runs.get(RunKind::Step(index)).map_or((None, None), length),
            Step::Experiment(_) => {
                let wire = rollout.spec.strategy.canary.as_ref().and_then(|wire| wire.steps.get(index));
                let said = wire.and_then(|step| step.experiment.as_ref()?.duration.as_deref());
                let s = said.and_then(|text| duration::parse_ms(text).ok()).map(|ms| ms as f64 / 1000.0);
                (s, s)
            }
            Step::SetWeight(_) | Step::SetCanaryScale(_) | Step::SetHeaderRoute(_) => continue,
        };
        let share = canary.share_at(Some(index));
        let beside = canary.background_from.filter(|from| *from <= index).map(|_| RunKind::Background);
        moments.push(Moment {
            number: index + 1,
            path: format!("spec.strategy.canary.steps[{index}]"),
            text: step.to_string(),
            weight: f64::from(share.weight) / f64::from(share.total.max(1)),
            mirrored: mirrors.iter().map(|(_, share)| *share).fold(0.0, f64::max),
            least_s,
            most_s,
            runs: [RunKind::Step(index)].into_iter().chain(beside).collect(),
        });
    }
    moments
}

/// Before a switch no user gets the new version, after it everybody does.
pub(super) fn of_blue_green(runs: &Runs) -> Vec<Moment> {
    let around =
        [(RunKind::PrePromotion, "prePromotionAnalysis", 0.0), (RunKind::PostPromotion, "postPromotionAnalysis", 1.0)];
    let there = around.into_iter().enumerate().filter_map(|(i, (kind, field, weight))| {
        let (least_s, most_s) = length(runs.get(kind)?);
        Some(Moment {
            number: i + 1,
            path: format!("spec.strategy.blueGreen.{field}"),
            text: field.to_owned(),
            weight,
            mirrored: 0.0,
            least_s,
            most_s,
            runs: vec![kind],
        })
    });
    there.collect()
}

/// Seconds that a run takes at least and at most. A test may decide at once, and has its time at most.
fn length(run: &super::AnalysisOfRun) -> (Option<f64>, Option<f64>) {
    let (mut least, mut most) = (Some(0.0), Some(0.0));
    let longest = |a: Option<f64>, b: Option<f64>| Some(f64::max(a?, b?));
    for metric in &run.metrics {
        let delay = metric.core.initial_delay.map_or(0.0, seconds);
        match &metric.sequential {
            Some(sequential) => {
                least = longest(least, Some(delay));
                most = longest(most, Some(delay + seconds(sequential.within)));
            }
            None => {
                let whole = super::readings::until(&metric.core, super::readings::count(&metric.core));
                (least, most) = (longest(least, whole), longest(most, whole));
            }
        }
    }
    (least, most)
}

/// What a run sees of a step.
pub(super) struct Scene {
    pub(super) weight: f64,
    pub(super) mirrored: f64,
    /// Seconds at this weight until the end of the step, since the run began; `None` where nobody can tell.
    pub(super) seconds: Option<f64>,
    /// Requests that stable answered before, in the sight of the run.
    pub(super) stable_before: f64,
    /// Before the step, the latest first: seconds at a weight.
    before: Vec<(Option<f64>, f64)>,
}

impl Scene {
    pub(super) fn of(moments: &[Moment], at: usize, beside: bool, assumed: &Assumed) -> Self {
        let now = &moments[at];
        let seen = |moment: &&Moment| beside && moment.runs.contains(&RunKind::Background);
        let earlier = moments[..at].iter().rev();
        let same = earlier.clone().take_while(|m| m.weight == now.weight && m.mirrored == now.mirrored).filter(seen);
        let same_s: f64 = same.filter_map(|moment| moment.least_s).sum();
        let stable = |m: &Moment| assumed.rate * (1.0 - m.weight) * m.least_s.unwrap_or(0.0);
        Self {
            weight: now.weight,
            mirrored: now.mirrored,
            // What takes no time by itself ends with the tests of its own.
            seconds: now.least_s.map(|s| if s > 0.0 { s + same_s } else { 0.0 }),
            stable_before: earlier.clone().filter(seen).map(stable).sum(),
            before: earlier.map(|moment| (moment.least_s, moment.weight)).collect(),
        }
    }

    /// Requests that the canary answers in a range of time that ends so many seconds after the step began.
    pub(super) fn canary_requests(&self, range_s: f64, end_s: f64, rate: f64) -> f64 {
        let own = range_s.min(end_s);
        let mut left = range_s - own;
        let mut weighted = own * self.weight;
        for (seconds, weight) in &self.before {
            // Nobody knows how long a person waits: long enough to fill any range.
            let part = seconds.map_or(left, |s| s.min(left));
            weighted += part * weight;
            left -= part;
        }
        rate * weighted
    }
}
