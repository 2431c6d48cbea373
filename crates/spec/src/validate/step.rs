//! One step of a canary.

use super::FieldError;
use crate::duration;
use crate::wire::analysis::AnalysisRunArgument;
use crate::wire::canary::{CanaryStep, CanaryStrategy, SetHeaderRoute, SetMirrorRoute};
use crate::wire::meta::IntOrString;
use crate::wire::traffic::{RolloutTrafficRouting, StringMatch};

const ONE_OF: &str = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause";

/// The rules of one step.
pub(super) fn errors(canary: &CanaryStrategy, index: usize, step: &CanaryStep) -> Vec<FieldError> {
    let path = format!("spec.strategy.canary.steps[{index}]");
    let mut errors = Vec::new();
    let routing = canary.traffic_routing.as_ref();
    if !has_one_kind(step) {
        errors.push(FieldError::invalid(&path, ONE_OF));
    }
    //= compat: 8.3-15
    let most = routing.and_then(|routing| routing.max_traffic_weight).unwrap_or(100);
    if step.set_weight.is_some_and(|weight| weight < 0 || weight > most) {
        let detail = format!("SetWeight needs to be between 0 and {most}");
        errors.push(FieldError::invalid(&format!("{path}.setWeight"), detail));
    }
    //= compat: 8.3-16, 1.7-9
    if let Some(duration) = step.pause.as_ref().and_then(|pause| pause.duration.as_ref())
        && pause_s(duration) < 0
    {
        errors.push(FieldError::invalid(&format!("{path}.pause.duration"), "Duration needs to be greater than 0"));
    }
    //= compat: 8.3-17, 1.7-13
    if step.set_canary_scale.is_some() && routing.is_none() {
        let detail = "SetCanaryScale requires TrafficRouting to be set";
        errors.push(FieldError::required("spec.strategy.canary.trafficRouting", detail));
    }
    if let Some(route) = &step.set_header_route {
        errors.extend(header_route(routing, route, &format!("{path}.setHeaderRoute")));
    }
    if let Some(route) = &step.set_mirror_route {
        errors.extend(mirror_route(routing, route, &format!("{path}.setMirrorRoute")));
    }
    errors.extend(experiment(routing, step, &path));
    errors.extend(arguments(step, &path));
    errors
}

/// Exactly one of the four old kinds, or any of the newer ones: combinations with those are not detected.
//= compat: 8.3-13, 8.3-14
fn has_one_kind(step: &CanaryStep) -> bool {
    let old = [step.set_weight.is_some(), step.pause.is_some(), step.experiment.is_some(), step.analysis.is_some()];
    let new = step.set_canary_scale.is_some()
        || step.set_header_route.is_some()
        || step.set_mirror_route.is_some()
        || step.plugin.is_some();
    match old.into_iter().filter(|set| *set).count() {
        0 => new,
        count => count == 1,
    }
}

/// Whole seconds of a pause; −1 if the text is no duration.
//= compat: 1.7-9
fn pause_s(duration: &IntOrString) -> i64 {
    match duration {
        IntOrString::Int(seconds) => *seconds,
        IntOrString::String(text) => {
            text.parse().unwrap_or_else(|_| duration::parse_ns(text).map_or(-1, |ns| ns / 1_000_000_000))
        }
    }
}

/// Argo's words for a mirror route with a router that has none.
pub const MIRROR_ROUTE_UNSUPPORTED: &str = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins";

/// Argo's words for a header route with a router that has none.
pub const HEADER_ROUTE_UNSUPPORTED: &str = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix";

//= compat: 8.3-18, 8.3-20
fn header_route(routing: Option<&RolloutTrafficRouting>, route: &SetHeaderRoute, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let supported = routing.is_some_and(|routing| {
        routing.istio.is_some() || routing.alb.is_some() || routing.apisix.is_some() || !routing.plugins.is_empty()
    });
    if !supported {
        errors.push(FieldError::invalid(path, HEADER_ROUTE_UNSUPPORTED));
    }
    // One machine's own router carries header routes for nginx manifests too, so their values must make sense there.
    let nginx = routing.is_some_and(|routing| routing.nginx.is_some());
    let alb = routing.is_some_and(|routing| routing.alb.is_some());
    for (i, rule) in route.matches.iter().enumerate().filter(|_| supported || nginx) {
        let value = rule.header_value.as_ref();
        let here = format!("{path}.match[{i}].headerValue");
        if alb {
            let exact_only =
                value.is_some_and(|value| is_set(&value.exact) && !is_set(&value.prefix) && !is_set(&value.regex));
            if !exact_only {
                errors.push(FieldError::invalid(&here, "SetHeaderRoute with ALB supports only exact match"));
            }
        } else if value.is_none_or(|value| ways(value) != 1) {
            errors.push(FieldError::invalid(
                &here,
                "SetHeaderRoute match value must have one of the following: exact, regex, prefix",
            ));
        }
    }
    errors.extend(managed(routing, &route.name, path));
    errors
}

//= compat: 8.3-19, 8.3-20
fn mirror_route(routing: Option<&RolloutTrafficRouting>, route: &SetMirrorRoute, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let supported = routing.is_some_and(|routing| routing.istio.is_some() || !routing.plugins.is_empty());
    if !supported {
        errors.push(FieldError::invalid(path, MIRROR_ROUTE_UNSUPPORTED));
    }
    // One machine's own router mirrors for nginx manifests too, so what they match must make sense there.
    let nginx = routing.is_some_and(|routing| routing.nginx.is_some());
    for (i, rule) in route.matches.iter().enumerate().filter(|_| supported || nginx) {
        for (name, value) in [("method", &rule.method), ("path", &rule.path)] {
            if value.as_ref().is_some_and(|value| ways(value) != 1) {
                let detail = "SetMirrorRoute match value must have one of the following: exact, regex, prefix";
                errors.push(FieldError::invalid(&format!("{path}.match[{i}].{name}"), detail));
            }
        }
    }
    errors.extend(managed(routing, &route.name, path));
    errors
}

/// A route that steps add must be listed, so that it can be found and removed again.
//= compat: 8.3-20, 6.10-1
fn managed(routing: Option<&RolloutTrafficRouting>, name: &str, path: &str) -> Option<FieldError> {
    let routes = &routing?.managed_routes;
    if routes.is_empty() {
        let detail = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'";
        return Some(FieldError::required("spec.strategy.canary.trafficRouting.managedRoutes", detail));
    }
    if routes.iter().any(|route| route.name == name) {
        return None;
    }
    let detail = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes";
    Some(FieldError::invalid(path, detail))
}

/// Argo's words for weights of an experiment with a router that has none.
pub const EXPERIMENT_WEIGHT_UNSUPPORTED: &str =
    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time";

//= compat: 8.3-21
fn experiment(routing: Option<&RolloutTrafficRouting>, step: &CanaryStep, path: &str) -> Vec<FieldError> {
    let templates = step.experiment.as_ref().map(|experiment| experiment.templates.as_slice()).unwrap_or_default();
    let weighted = templates.iter().enumerate().filter(|(_, template)| template.weight.is_some());
    weighted
        .filter_map(|(i, _)| {
            let detail = match routing {
                None => "Experiment template weight cannot be set unless TrafficRouting is enabled",
                Some(routing) => {
                    let supported = routing.smi.is_some()
                        || routing.alb.is_some()
                        || routing.istio.is_some()
                        || !routing.plugins.is_empty();
                    if supported {
                        return None;
                    }
                    EXPERIMENT_WEIGHT_UNSUPPORTED
                }
            };
            Some(FieldError::invalid(&format!("{path}.experiment.templates[{i}].weight"), detail))
        })
        .collect()
}

/// Arguments from the rollout's metadata must name something that it has; other paths are looked up when a run is made.
//= compat: 8.3-22, 3.2-3, 3.2-4
fn arguments(step: &CanaryStep, path: &str) -> Vec<FieldError> {
    let mut lists: Vec<(String, &[AnalysisRunArgument])> = Vec::new();
    if let Some(analysis) = &step.analysis {
        lists.push((format!("{path}.analysis.args"), &analysis.args));
    }
    for (i, analysis) in step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().enumerate()) {
        lists.push((format!("{path}.experiment.analyses[{i}].args"), &analysis.args));
    }
    let mut errors = Vec::new();
    for (path, arguments) in lists {
        for (i, argument) in arguments.iter().enumerate() {
            let field = argument.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
            if let Some(field) = field.filter(|field| !metadata_field_exists(&field.field_path)) {
                let detail = format!("unsupported fieldPath: {}", field.field_path);
                errors.push(FieldError::invalid(&format!("{path}[{i}].valueFrom.fieldRef.fieldPath"), detail));
            }
        }
    }
    errors
}

/// Whether a path that begins with `metadata` can be resolved on a rollout; other paths pass.
pub(crate) fn metadata_field_exists(path: &str) -> bool {
    if !path.starts_with("metadata") {
        return true;
    }
    let keyed = |map: &str| {
        let key =
            path.strip_prefix(map).and_then(|rest| rest.strip_prefix("['")).and_then(|rest| rest.strip_suffix("']"));
        key.is_some_and(|key| !key.is_empty())
    };
    matches!(path, "metadata.name" | "metadata.namespace" | "metadata.uid" | "metadata.labels" | "metadata.annotations")
        || keyed("metadata.labels")
        || keyed("metadata.annotations")
}

fn is_set(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !text.is_empty())
}

/// How many of the three ways to match are used.
fn ways(value: &StringMatch) -> usize {
    [&value.exact, &value.prefix, &value.regex].into_iter().filter(|way| is_set(way)).count()
}
