//! The steps of a canary, one after the other.

use super::plan::{Plan, Stage, pause_s, waits_for_a_person};
use crate::catalog::{Entry, Origin};
use crate::problem::Problem;
use crate::wire::Rollout;
use crate::wire::canary::{CanaryStep, CanaryStrategy};
use crate::wire::meta::IntOrString;

const CANARY: &str = "spec.strategy.canary";

pub(super) fn check(entry: &Entry<Rollout>, problems: &mut Vec<Problem>) {
    if entry.object.spec.paused {
        let message = "no update goes on while this is written here";
        let problem = entry.origin.warning("paused", "spec.paused", message);
        problems.push(problem.hint("remove it; serin pause and serin promote hold and resume a rollout that runs"));
    }
    let Some(canary) = &entry.object.spec.strategy.canary else { return };
    let origin = &*entry.origin;
    let plan = Plan::of(&entry.object, canary);
    for (i, stage) in plan.stages.iter().enumerate() {
        let path = format!("{CANARY}.steps[{i}]");
        weight(origin, &plan, stage, &path, problems);
        pause(origin, &plan, stage, &path, problems);
        without_members(origin, &plan, stage, &path, problems);
    }
    last(origin, canary, problems);
    limits(origin, canary, problems);
    unjudged(origin, canary, problems);
}

fn weight(origin: &Origin, plan: &Plan<'_>, stage: &Stage<'_>, path: &str, problems: &mut Vec<Problem>) {
    let Some(weight) = stage.step.set_weight.and_then(|weight| u32::try_from(weight).ok()) else { return };
    let path = format!("{path}.setWeight");
    if stage.before == Some(weight) {
        let problem = origin.warning("repeated-weight", &path, format!("the weight is {weight} already"));
        problems.push(problem.hint("remove the step, or set the weight that was meant"));
    }
    let (Some(members), true) = (plan.members(stage), weight > 0) else { return };
    if members.canary == 0 {
        let message = match plan.routed {
            true => format!("{weight} of {} requests go to a version without members", plan.total),
            false => format!("the new version gets no member at a weight of {weight}"),
        };
        let hint = match plan.routed {
            true => "end the scale before: - setCanaryScale: {matchTrafficWeight: true}",
            false => "raise replicas or maxSurge, or split the requests with trafficRouting",
        };
        problems.push(origin.warning("weight-without-members", &path, message).hint(hint));
        return;
    }
    if plan.routed {
        let wanted = plan.at_weight(weight).filter(|wanted| members.canary < *wanted && stage.scale.is_some());
        if let Some(wanted) = wanted {
            let message = format!(
                "{} take the requests of {wanted}: the scale set before stays in force",
                counted(members.canary, "member")
            );
            let problem = origin.warning("too-few-members", &path, message);
            problems.push(problem.hint("follow the weight again: - setCanaryScale: {matchTrafficWeight: true}"));
        }
    } else if weight < plan.total {
        coarse(origin, plan, (weight, members.canary, members.all), &path, problems);
    }
}

/// Farther from the wanted share than this, in percent, and the step is another one than it says.
const COARSE_PERCENT: f64 = 10.0;

fn coarse(
    origin: &Origin,
    plan: &Plan<'_>,
    (weight, canary, all): (u32, u32, u32),
    path: &str,
    problems: &mut Vec<Problem>,
) {
    let wanted = 100.0 * f64::from(weight) / f64::from(plan.total);
    let real = 100.0 * f64::from(canary) / f64::from(all.max(1));
    if (wanted - real).abs() > COARSE_PERCENT {
        let message = format!("without a router this is {canary} of {all} members, or {real:.0}% of the requests");
        let problem = origin.warning("coarse-weight", path, message);
        problems.push(problem.hint("raise replicas, or split the requests with trafficRouting"));
    }
}

fn pause(origin: &Origin, plan: &Plan<'_>, stage: &Stage<'_>, path: &str, problems: &mut Vec<Problem>) {
    let path = format!("{path}.pause");
    if pause_s(stage.step) == Some(0.0) {
        let message = "the pause is over at once; seconds are counted whole";
        let problem = origin.warning("zero-pause", &format!("{path}.duration"), message);
        problems.push(problem.hint("pause: {} waits for a person; pause: {duration: 60s} for a minute"));
    }
    if waits_for_a_person(stage.step) && stage.weight == Some(plan.total) {
        let message = "every request goes to the new version already, and the update still waits for a person";
        let problem = origin.warning("pause-at-full-weight", &path, message);
        problems.push(problem.hint("pause before setWeight, or give the pause a duration"));
    }
}

/// What needs members of the new version and runs while there are none.
fn without_members(origin: &Origin, plan: &Plan<'_>, stage: &Stage<'_>, path: &str, problems: &mut Vec<Problem>) {
    if !plan.is_empty(stage) {
        return;
    }
    if stage.step.analysis.is_some() {
        let message = "the new version has no member while it is analysed";
        let problem = origin.warning("analysis-without-canary", &format!("{path}.analysis"), message);
        problems.push(problem.hint("set a weight before (or setCanaryScale, to judge it without users)"));
    }
    let header = stage.step.set_header_route.as_ref().filter(|route| !route.matches.is_empty());
    let mirror = stage.step.set_mirror_route.as_ref().filter(|route| !route.matches.is_empty());
    for (field, set) in [("setHeaderRoute", header.is_some()), ("setMirrorRoute", mirror.is_some())] {
        if set {
            let message = "the requests go to a version without members";
            let problem = origin.warning("route-without-members", &format!("{path}.{field}"), message);
            problems.push(problem.hint("start some before: - setCanaryScale: {replicas: 1}"));
        }
    }
}

/// Steps that are done at once and undone by the promotion that follows.
fn last(origin: &Origin, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let Some((step, i)) = canary.steps.last().map(|step| (step, canary.steps.len() - 1)) else { return };
    let kinds = [
        ("setCanaryScale", step.set_canary_scale.is_some()),
        ("setHeaderRoute", step.set_header_route.is_some()),
        ("setMirrorRoute", step.set_mirror_route.is_some()),
    ];
    if let Some((field, _)) = kinds.into_iter().find(|(_, set)| *set) {
        let message = "nothing follows: the promotion undoes the step at once";
        let problem = origin.warning("pointless-last-step", &format!("{CANARY}.steps[{i}].{field}"), message);
        problems.push(problem.hint("let a pause or an analysis follow, or remove the step"));
    }
}

fn limits(origin: &Origin, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    for (field, limit) in [("maxSurge", &canary.max_surge), ("maxUnavailable", &canary.max_unavailable)] {
        if let Some(IntOrString::String(text)) = limit
            && text.parse::<u32>().is_ok()
        {
            let path = format!("{CANARY}.{field}");
            let problem = origin.warning("percent-without-sign", &path, format!("{text:?} is read as {text}%"));
            problems.push(problem.hint(format!("write {text} for a number of members, \"{text}%\" for a share")));
        }
    }
    if canary.replica_progress_threshold.as_ref().is_some_and(|threshold| threshold.value == 0) {
        let path = format!("{CANARY}.replicaProgressThreshold.value");
        let message = "a step goes on though not one member of the new version is available";
        let problem = origin.warning("threshold-passes-all", &path, message);
        problems.push(problem.hint("set at least 1"));
    }
}

/// Whether nothing and nobody can say no to an update.
fn unjudged(origin: &Origin, canary: &CanaryStrategy, problems: &mut Vec<Problem>) {
    let judges = |step: &CanaryStep| {
        let experiment = step.experiment.as_ref().is_some_and(|experiment| !experiment.analyses.is_empty());
        step.analysis.is_some() || step.plugin.is_some() || experiment || waits_for_a_person(step)
    };
    if canary.steps.is_empty() || canary.analysis.is_some() || canary.steps.iter().any(judges) {
        return;
    }
    let message = "no analysis and no person judges the new version: whatever runs is promoted";
    let problem = origin.warning("nothing-judges", &format!("{CANARY}.steps"), message);
    problems.push(problem.hint("add an analysis, or a pause: {} that a person ends"));
}

pub(super) fn counted(n: u32, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}
