//! One Rollout on its own: Argo's rules with their places, and what Argo lets pass though it can only be a mistake.

use super::experiment;
use super::nearest::nearest;
use crate::advance;
use crate::catalog::Entry;
use crate::problem::{Findings, Problem};
use crate::truth;
use crate::validate::{self, ErrorType, FieldError};
use crate::wire::Rollout;
use crate::wire::canary::{CanaryStep, CanaryStrategy};
use crate::wire::gateway_api::{self, GatewayApi};
use crate::wire::traffic::{NginxTrafficRouting, RolloutTrafficRouting};

const CANARY: &str = "spec.strategy.canary";

/// The problems of a rollout alone.
pub(super) fn check(entry: &Entry<Rollout>, problems: &mut Findings) {
    problems.extend(validate::rollout(&entry.object).iter().map(|error| problem_of(entry, error)));
    advance::check(entry, problems);
    truth::check(entry, problems);
    if let Some(workload) = entry.object.spec.workload_ref.as_ref().and_then(|workload| workload.scale_down.as_deref())
    {
        let allowed = ["never", "onsuccess", "progressively"];
        if !allowed.contains(&workload) && !workload.is_empty() {
            let path = "spec.workloadRef.scaleDown";
            let problem = entry.origin.problem("bad-value", path, format!("{workload:?} is not allowed"));
            let hint = nearest(workload, allowed).map(|near| format!("did you mean {near:?}?"));
            problems.push(problem.expected("one of never, onsuccess, progressively").maybe_hint(hint));
        }
    }
    if let Some(canary) = &entry.object.spec.strategy.canary {
        self::canary(entry, canary, problems);
    }
}

pub(super) fn problem_of(entry: &Entry<Rollout>, error: &FieldError) -> Problem {
    let code = match error.kind {
        ErrorType::Required => "missing-field",
        ErrorType::Invalid => "invalid-value",
        ErrorType::NotSupported => "not-supported",
        ErrorType::Forbidden => "forbidden",
        ErrorType::Duplicate => "duplicate-name",
        ErrorType::Internal => "contradiction",
    };
    let message = match (error.detail.as_str(), error.kind) {
        ("", ErrorType::Required) => "the field is missing or empty",
        ("", ErrorType::Duplicate) => "the name stands twice in the same list",
        (detail, _) => detail,
    };
    entry.origin.problem(code, &error.path, message).maybe_hint(hint(&entry.object, error))
}

/// What Argo's text leaves to be guessed.
fn hint(rollout: &Rollout, error: &FieldError) -> Option<String> {
    let spec = &rollout.spec;
    let step = || {
        let index = error.path.strip_prefix("spec.strategy.canary.steps[")?.split(']').next()?;
        spec.strategy.canary.as_ref()?.steps.get(index.parse::<usize>().ok()?)
    };
    match error.path.as_str() {
        "spec.strategy" if error.kind == ErrorType::Required => {
            Some("add strategy.canary or strategy.blueGreen; {} takes the defaults".to_owned())
        }
        "spec.strategy" => Some("remove one of canary and blueGreen".to_owned()),
        "spec.selector" => Some("repeat the labels of the template: selector: {matchLabels: {app: …}}".to_owned()),
        "spec.template.metadata.labels" => {
            let wanted = spec.selector.as_ref().map(|selector| listed(&selector.match_labels))?;
            let labels = spec.template.as_ref().map(|template| listed(&template.labels())).unwrap_or_default();
            Some(format!(
                "the selector wants {wanted}; the template has {}",
                if labels.is_empty() { "none" } else { &labels }
            ))
        }
        path if path.ends_with(']') => match step().map(kinds_of)? {
            kinds if kinds.is_empty() => Some("the item is empty".to_owned()),
            kinds => Some(format!("{} are set; write one item for each", kinds.join(" and "))),
        },
        path if path.ends_with("setHeaderRoute") && error.detail.contains("managedRoutes")
            || path.ends_with("setMirrorRoute") && error.detail.contains("managedRoutes") =>
        {
            let routes = &spec.strategy.canary.as_ref()?.traffic_routing.as_ref()?.managed_routes;
            let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
            Some(format!("managedRoutes has {}", names.join(", ")))
        }
        path if path.ends_with("managedRoutes") => Some("list the names of all routes that steps add".to_owned()),
        path if path.ends_with("pause.duration") => {
            Some("write seconds or a duration such as 90s, 5m, 1h30m".to_owned())
        }
        _ => None,
    }
}

fn listed(labels: &std::collections::BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(", ")
}

fn kinds_of(step: &CanaryStep) -> Vec<&'static str> {
    let kinds = [
        ("setWeight", step.set_weight.is_some()),
        ("pause", step.pause.is_some()),
        ("setCanaryScale", step.set_canary_scale.is_some()),
        ("analysis", step.analysis.is_some()),
        ("experiment", step.experiment.is_some()),
        ("setHeaderRoute", step.set_header_route.is_some()),
        ("setMirrorRoute", step.set_mirror_route.is_some()),
        ("plugin", step.plugin.is_some()),
    ];
    kinds.into_iter().filter(|(_, set)| *set).map(|(kind, _)| kind).collect()
}

fn canary(entry: &Entry<Rollout>, canary: &CanaryStrategy, problems: &mut Findings) {
    let origin = &entry.origin;
    for (field, limit) in [("maxSurge", &canary.max_surge), ("maxUnavailable", &canary.max_unavailable)] {
        if let Some(limit) = limit.as_ref().filter(|limit| !limit.is_limit()) {
            let message = format!("{limit} is neither a number nor a percentage");
            let problem = origin.problem("bad-value", &format!("{CANARY}.{field}"), message);
            problems.push(problem.expected("a whole number from 0, or a percentage such as 25%"));
        }
    }
    if let Some(nginx) = canary.traffic_routing.as_ref().and_then(|routing| routing.nginx.as_ref()) {
        self::nginx(entry, nginx, problems);
    }
    if let Some(routing) = &canary.traffic_routing {
        meshes(entry, routing, problems);
        gateway(entry, routing, problems);
    }
    if let Some(threshold) = &canary.replica_progress_threshold
        && !matches!(threshold.kind.as_str(), "Percent" | "Pods")
    {
        let path = format!("{CANARY}.replicaProgressThreshold.type");
        let problem = origin.problem("bad-value", &path, format!("{:?} is not allowed", threshold.kind));
        let hint = nearest(&threshold.kind, ["Percent", "Pods"]).map(|near| format!("did you mean {near:?}?"));
        problems.push(problem.expected("one of Percent, Pods").maybe_hint(hint));
    }
    if canary.steps.is_empty() && origin.node.at(&format!("{CANARY}.steps")).is_some() {
        let message = "the list of steps is empty: an update goes to 100 % at once";
        let problem = origin.warning("no-steps", &format!("{CANARY}.steps"), message);
        problems.push(problem.hint("add steps, such as - setWeight: 20, or remove the field"));
    }
    if let Some(start) = canary.analysis.as_ref().and_then(|analysis| analysis.starting_step) {
        let path = format!("{CANARY}.analysis.startingStep");
        if start < 0 {
            problems.push(origin.problem("invalid-value", &path, "startingStep must not be negative"));
        } else if start as usize >= canary.steps.len() {
            let message = format!("the analysis never starts: there are {} steps, counted from 0", canary.steps.len());
            let problem = origin.warning("never-starts", &path, message);
            problems.push(problem.hint("leave the field out to start with the first step"));
        }
    }
    steps(entry, canary, problems);
}

/// What a router must be told that is kept as it is written.
//= compat: 8.4-2
fn meshes(entry: &Entry<Rollout>, routing: &RolloutTrafficRouting, problems: &mut Findings) {
    let path = format!("{CANARY}.trafficRouting");
    let none = |value: &serde_json::Value, pointer: &str| match value.pointer(pointer) {
        Some(serde_json::Value::Array(items)) => items.is_empty(),
        Some(serde_json::Value::String(name)) => name.is_empty(),
        _ => true,
    };
    if routing.ambassador.as_ref().is_some_and(|ambassador| none(ambassador, "/mappings")) {
        let message = "ambassador: at least one mapping must be named";
        problems.push(entry.origin.problem("missing-field", &format!("{path}.ambassador.mappings"), message));
    }
    if routing.app_mesh.as_ref().is_some_and(|mesh| none(mesh, "/virtualService/name")) {
        let message = "appMesh: the virtual service must be named";
        problems.push(entry.origin.problem("missing-field", &format!("{path}.appMesh.virtualService"), message));
    }
}

/// The one plugin whose configuration is known.
fn gateway(entry: &Entry<Rollout>, routing: &RolloutTrafficRouting, problems: &mut Findings) {
    let Some(wire) = routing.plugins.get(gateway_api::PLUGIN) else { return };
    if let Err(error) = serde_json::from_value::<GatewayApi>(wire.clone()) {
        let path = format!("{CANARY}.trafficRouting.plugins[{}]", gateway_api::PLUGIN);
        problems.push(entry.origin.problem("bad-value", &path, error.to_string()));
    }
}

//= compat: 8.4-1
fn nginx(entry: &Entry<Rollout>, nginx: &NginxTrafficRouting, problems: &mut Findings) {
    let path = format!("{CANARY}.trafficRouting.nginx");
    let one = nginx.stable_ingress.as_deref().is_some_and(|name| !name.is_empty());
    let several = !nginx.stable_ingresses.is_empty();
    if one && several {
        let message = "stableIngress and stableIngresses must not both be set";
        problems.push(entry.origin.problem("contradiction", &format!("{path}.stableIngresses"), message));
    } else if !one && !several {
        let problem = entry.origin.problem("missing-field", &path, "neither stableIngress nor stableIngresses is set");
        problems.push(problem.hint("name the Ingress whose rules point at the stable service"));
    }
}

fn weight_total(canary: &CanaryStrategy) -> i32 {
    let max = canary.traffic_routing.as_ref().and_then(|routing| routing.max_traffic_weight);
    max.filter(|max| *max > 0).unwrap_or(100)
}

fn steps(entry: &Entry<Rollout>, canary: &CanaryStrategy, problems: &mut Findings) {
    let origin = &entry.origin;
    let mut highest = None;
    for (i, step) in canary.steps.iter().enumerate() {
        let path = format!("{CANARY}.steps[{i}]");
        if let Some(weight) = step.set_weight {
            if highest.is_some_and(|highest| weight < highest) {
                let message = format!("the weight falls from {} to {weight}", highest.unwrap_or_default());
                let problem = origin.warning("falling-weight", &format!("{path}.setWeight"), message);
                problems.push(problem.hint("weights rise from step to step; are the steps in order?"));
            }
            highest = Some(weight);
        }
        if step.replica_progress_threshold.is_some() {
            let path = format!("{path}.replicaProgressThreshold");
            let problem = origin.problem("misplaced-field", &path, "replicaProgressThreshold is no step");
            problems.push(problem.hint("this field exists at spec.strategy.canary.replicaProgressThreshold"));
        }
        mixed(entry, step, &path, problems);
        if let Some(experiment) = &step.experiment {
            let taken = (highest.unwrap_or(0), weight_total(canary));
            experiment::step(entry, experiment, &format!("{path}.experiment"), taken, problems);
        }
        scale(entry, step, &path, problems);
        if let Some(route) = &step.set_mirror_route
            && route.percentage.is_some_and(|percentage| !(0..=100).contains(&percentage))
        {
            let path = format!("{path}.setMirrorRoute.percentage");
            problems.push(origin.problem("invalid-value", &path, "percentage needs to be between 0 and 100"));
        }
    }
}

/// Argo does not detect these: every part acts, and one of them decides when the step is done.
//= compat: 8.3-13
fn mixed(entry: &Entry<Rollout>, step: &CanaryStep, path: &str, problems: &mut Findings) {
    let kinds = kinds_of(step);
    let detected = ["setWeight", "pause", "experiment", "analysis"];
    if kinds.len() > 1 && kinds.iter().filter(|kind| detected.contains(kind)).count() <= 1 {
        let message = format!("{} are set in one step", kinds.join(" and "));
        problems.push(entry.origin.warning("mixed-step", path, message).hint("write one item for each"));
    }
}

//= compat: 1.7-15
fn scale(entry: &Entry<Rollout>, step: &CanaryStep, path: &str, problems: &mut Findings) {
    let Some(scale) = &step.set_canary_scale else { return };
    let path = format!("{path}.setCanaryScale");
    for (field, value) in [("weight", scale.weight), ("replicas", scale.replicas)] {
        if value.is_some_and(|value| value < 0) {
            let message = format!("{field} must not be negative");
            problems.push(entry.origin.problem("invalid-value", &format!("{path}.{field}"), message));
        }
    }
    let set = usize::from(scale.weight.is_some()) + usize::from(scale.replicas.is_some());
    if set == 0 && !scale.match_traffic_weight {
        let problem = entry.origin.warning("no-effect", &path, "the step does nothing");
        problems.push(problem.hint("set one of replicas, weight, matchTrafficWeight: true"));
    } else if set + usize::from(scale.match_traffic_weight) > 1 {
        let used = if scale.match_traffic_weight { "matchTrafficWeight" } else { "replicas" };
        let message = format!("several of replicas, weight and matchTrafficWeight are set; {used} is used");
        problems.push(entry.origin.warning("mixed-step", &path, message).hint("set one of them"));
    }
}
