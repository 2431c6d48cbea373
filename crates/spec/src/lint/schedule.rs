//! When measurements happen, against the time that there is for them.

use super::judgement::Judgement;
use super::plan::pause_s;
use super::uses::{Moment, Used, all};
use super::{Problem, uses};
use crate::catalog::{Catalog, Entry};
use crate::check::arguments::Arguments;
use crate::duration;
use crate::wire::Rollout;
use crate::wire::canary::CanaryStep;
use crate::wire::meta::IntOrString;
use crate::wire::provider::Metric;

/// Seconds until a measurement that was an error is repeated.
const ERROR_INTERVAL_S: f64 = 10.0;

/// Errors in a row that are waited out for less long than this end an analysis before a new version has data: members
/// are scraped every 15 to 60 seconds, and a rate needs two scrapes.
const START_S: f64 = 120.0;

/// The numbers of a metric, its arguments filled in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Measurements; `None` if they go on until the run is ended.
    pub(super) count: Option<i64>,
    pub(super) interval_s: f64,
    pub(super) delay_s: f64,
    pub(super) failure_limit: i64,
    pub(super) inconclusive_limit: i64,
    pub(super) error_limit: i64,
    pub(super) success_limit: i64,
}

impl Schedule {
    /// `None` while a number is open.
    pub(super) fn of(metric: &Metric, arguments: &Arguments<'_>) -> Option<Schedule> {
        let number = |limit: &Option<IntOrString>, default| match limit {
            None => Some(default),
            Some(IntOrString::Int(n)) => Some(*n),
            Some(IntOrString::String(text)) => Some(arguments.fill(text)?.text.parse().unwrap_or(0)),
        };
        let seconds = |text: &Option<String>| match text.as_deref().filter(|text| !text.is_empty()) {
            None => Some(0.0),
            Some(text) => duration::parse_ms(&arguments.fill(text)?.text).ok().map(|ms| ms as f64 / 1000.0),
        };
        let interval_s = seconds(&metric.interval)?;
        let count = number(&metric.count, 0)?;
        Some(Schedule {
            count: match count {
                1.. => Some(count),
                _ => (interval_s == 0.0).then_some(1),
            },
            interval_s,
            delay_s: seconds(&metric.initial_delay)?,
            failure_limit: number(&metric.failure_limit, 0)?,
            inconclusive_limit: number(&metric.inconclusive_limit, 0)?,
            error_limit: number(&metric.consecutive_error_limit, 4)?,
            success_limit: number(&metric.consecutive_success_limit, 0)?,
        })
    }

    /// Seconds from the start of the run to the measurement with this number, from 1.
    pub(super) fn until_s(&self, measurement: i64) -> f64 {
        self.delay_s + (measurement.max(1) - 1) as f64 * self.interval_s
    }

    /// Seconds until the last measurement; `None` without one.
    pub(super) fn whole_s(&self) -> Option<f64> {
        self.count.map(|count| self.until_s(count))
    }

    /// Seconds until errors alone end the metric.
    pub(super) fn errors_s(&self) -> f64 {
        self.error_limit as f64 * ERROR_INTERVAL_S
    }
}

/// Seconds until every metric of an analysis is measured as often as it says; `None` if one goes on for ever or is open.
pub(super) fn run_s(used: &Used<'_>) -> Option<f64> {
    let arguments = used.arguments();
    let each = used.metrics().map(|(_, _, metric)| Schedule::of(metric, &arguments)?.whole_s());
    each.collect::<Option<Vec<f64>>>().map(|all| all.into_iter().fold(0.0, f64::max))
}

pub(super) fn check(catalog: &Catalog, problems: &mut Vec<Problem>) {
    for used in all(catalog) {
        dry(&used, problems);
        if let uses::Owner::Rollout(entry) = used.owner {
            too_late(catalog, entry, &used, problems);
            too_early(entry, &used, problems);
        }
    }
}

/// An analysis of which no metric counts.
fn dry(used: &Used<'_>, problems: &mut Vec<Problem>) {
    let mut metrics = used.metrics().peekable();
    if metrics.peek().is_some() && metrics.all(|(_, _, metric)| used.is_dry(metric)) {
        let message = "every metric only looks on (dryRun), so the analysis never fails";
        let problem = used.owner.origin().warning("dry-run-only", &used.path, message);
        problems.push(problem.hint("leave at least one metric out of dryRun"));
    }
}

/// Metrics beside steps that are over before the metric can have failed.
fn too_late(catalog: &Catalog, entry: &Entry<Rollout>, used: &Used<'_>, problems: &mut Vec<Problem>) {
    let Moment::Background { from } = used.moment else { return };
    let steps = entry.object.spec.strategy.canary.as_ref().map_or(&[][..], |canary| canary.steps.as_slice());
    let runs = uses::of_rollout(catalog, entry);
    let Some(left_s) = steps.iter().enumerate().skip(from).map(|(i, step)| step_s(i, step, &runs)).sum::<Option<f64>>()
    else {
        return;
    };
    // Without a step that takes time nothing is known: the members' start may take any.
    if left_s == 0.0 {
        return;
    }
    let arguments = used.arguments();
    for (_, _, metric) in used.metrics().filter(|(_, _, metric)| !used.is_dry(metric)) {
        let Some(schedule) = Schedule::of(metric, &arguments).filter(|schedule| schedule.failure_limit >= 0) else {
            continue;
        };
        let first_s = schedule.until_s(1);
        let failed_s = schedule.until_s(schedule.failure_limit.saturating_add(1));
        let name = &metric.name;
        let message = if first_s > left_s {
            format!("{name} is measured first after {first_s:.0} s, when the steps are over: it passes unmeasured")
        } else if failed_s > left_s {
            format!("{name} can fail after {failed_s:.0} s at the earliest, and the steps take {left_s:.0} s")
        } else {
            continue;
        };
        let problem = entry.origin.warning("background-too-late", &used.path, message);
        problems.push(problem.hint("measure more often, lower failureLimit or initialDelay, or lengthen the pauses"));
    }
}

/// Seconds that a step takes at least; `None` if nobody can tell.
pub(super) fn step_s(index: usize, step: &CanaryStep, runs: &[Used<'_>]) -> Option<f64> {
    if step.pause.is_some() {
        return pause_s(step);
    }
    if step.analysis.is_some() {
        return run_s(runs.iter().find(|run| run.moment == Moment::Step(index))?);
    }
    if let Some(experiment) = &step.experiment {
        return duration::parse_ms(experiment.duration.as_deref()?).ok().map(|ms| ms as f64 / 1000.0);
    }
    if step.plugin.is_some() { None } else { Some(0.0) }
}

/// Metrics that are measured before the new version can have answered anything, and for which that is an error.
fn too_early(entry: &Entry<Rollout>, used: &Used<'_>, problems: &mut Vec<Problem>) {
    let steps = entry.object.spec.strategy.canary.as_ref().map_or(&[][..], |canary| canary.steps.as_slice());
    let why = match used.moment {
        Moment::Background { from: 0 } => "with the update, before the new version has a member",
        Moment::Step(index) if index > 0 && steps[index - 1].set_weight.is_some_and(|weight| weight > 0) => {
            "with the weight, before the new version has answered anything"
        }
        _ => return,
    };
    // Only the first weight meets a version that has not answered yet.
    if let Moment::Step(index) = used.moment
        && steps[..index - 1].iter().any(|step| step.set_weight.is_some_and(|weight| weight > 0))
    {
        return;
    }
    let arguments = used.arguments();
    for (_, _, metric) in used.metrics().filter(|(_, _, metric)| !used.is_dry(metric)) {
        let Some(schedule) = Schedule::of(metric, &arguments) else { continue };
        let fails = Judgement::of(metric, &arguments).is_some_and(|judgement| judgement.no_data_is_an_error());
        if fails && schedule.delay_s == 0.0 && schedule.errors_s() < START_S {
            let message = format!(
                "{} is measured {why}: no data is an error, and {} of them in a row end the update",
                metric.name,
                schedule.error_limit.saturating_add(1)
            );
            let problem = entry.origin.warning("measured-too-early", &used.path, message);
            let hint = match used.moment {
                Moment::Background { .. } => "set startingStep to a step after the first weight, or initialDelay",
                _ => "pause between the weight and the analysis, or set initialDelay",
            };
            problems.push(problem.hint(hint));
        }
    }
}
