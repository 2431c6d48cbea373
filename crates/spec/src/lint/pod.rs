//! What a rollout runs: its images and probes.

use crate::catalog::Entry;
use crate::image;
use crate::problem::Problem;
use crate::wire::Rollout;
use crate::wire::pod::{Container, Probe};

const CONTAINERS: &str = "spec.template.spec.containers";

/// Argo's default for `progressDeadlineSeconds`.
const DEADLINE_S: i64 = 600;

pub(super) fn check(entry: &Entry<Rollout>, problems: &mut Vec<Problem>) {
    let spec = &entry.object.spec;
    let containers = spec.template.as_ref().map(|template| template.containers()).unwrap_or_default();
    for (i, container) in containers.iter().enumerate() {
        tag(entry, i, container, problems);
    }
    if let (Some(first), false) = (containers.first(), containers.iter().any(|c| c.readiness_probe.is_some())) {
        let message = format!("{} counts as ready as soon as its process runs", first.name);
        let problem = entry.origin.warning("no-readiness-probe", &format!("{CONTAINERS}[0]"), message);
        problems.push(problem.hint("add readinessProbe: {httpGet: {path: /health, port: http}}"));
    }
    let ready_s = containers.iter().filter_map(|container| container.readiness_probe.as_ref()).map(ready_s).max();
    let least_s = ready_s.unwrap_or(0) + i64::from(spec.min_ready_seconds.unwrap_or(0));
    let deadline_s = spec.progress_deadline_seconds.map_or(DEADLINE_S, i64::from);
    if least_s >= deadline_s {
        let path = "spec.progressDeadlineSeconds";
        let message =
            format!("a member is available after {least_s} s at the earliest, and the deadline is {deadline_s} s");
        let problem = entry.origin.warning("deadline-before-ready", path, message);
        problems.push(problem.hint("raise progressDeadlineSeconds, or start to probe earlier"));
    }
}

/// Seconds until a probe can have succeeded.
fn ready_s(probe: &Probe) -> i64 {
    let successes = i64::from(probe.success_threshold.unwrap_or(1).max(1));
    i64::from(probe.initial_delay_seconds.unwrap_or(0))
        + (successes - 1) * i64::from(probe.period_seconds.unwrap_or(10))
}

fn tag(entry: &Entry<Rollout>, index: usize, container: &Container, problems: &mut Vec<Problem>) {
    let parts = image::split(&container.image);
    let says = match (parts.digest, parts.tag) {
        (Some(_), _) => return,
        (None, None) => "no tag",
        (None, Some("latest")) => "the tag latest",
        _ => return,
    };
    let message = format!("{says}: a new image is no new revision, and going back runs the same one");
    let path = format!("{CONTAINERS}[{index}].image");
    let problem = entry.origin.warning("moving-tag", &path, message);
    problems.push(problem.hint("name the version, or a digest (@sha256:…)"));
}
