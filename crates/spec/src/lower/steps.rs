//! The canary's steps.

use serin_core::Span;
use serin_core::plugin::PluginStep;
use serin_core::rollout::{CanaryScale, ExperimentStep, Step};
use serin_core::weight::{HeaderMatch, HeaderRoute, MirrorRoute, RouteMatch, ValueMatch};

use super::rollout::count;
use crate::duration;
use crate::wire::canary::{CanaryStep, SetCanaryScale, SetHeaderRoute, SetMirrorRoute};
use crate::wire::experiment::{ExperimentStep as WireExperiment, ExperimentStepTemplate};
use crate::wire::meta::IntOrString;
use crate::wire::traffic::{self as wire, HeaderRoutingMatch, StringMatch};

/// The steps in order.
pub fn steps(wire: &[CanaryStep]) -> Vec<Step> {
    wire.iter().map(step).collect()
}

/// One step. An item without any kind of step holds the rollout until a person goes on.
pub(super) fn step(wire: &CanaryStep) -> Step {
    if let Some(weight) = wire.set_weight {
        return Step::SetWeight(count(weight));
    }
    if let Some(pause) = &wire.pause {
        return Step::Pause(pause.duration.as_ref().and_then(pause_span));
    }
    if let Some(scale) = &wire.set_canary_scale {
        return Step::SetCanaryScale(canary_scale(scale));
    }
    if let Some(experiment) = &wire.experiment {
        return Step::Experiment(experiment_step(experiment));
    }
    if wire.analysis.is_some() {
        return Step::Analysis;
    }
    if let Some(route) = &wire.set_header_route {
        return Step::SetHeaderRoute(header_route(route));
    }
    if let Some(route) = &wire.set_mirror_route {
        return Step::SetMirrorRoute(mirror_route(route));
    }
    if let Some(plugin) = &wire.plugin {
        return Step::Plugin(PluginStep { name: plugin.name.clone() });
    }
    Step::Pause(None)
}

/// The versions with a share of the requests. What else an experiment is goes into the object that is made of it.
//= compat: 5.4-1
fn experiment_step(wire: &WireExperiment) -> ExperimentStep {
    let weight = |t: &ExperimentStepTemplate| {
        let weight = t.weight.and_then(|w| u32::try_from(w).ok()).filter(|w| *w > 0)?;
        Some((t.name.clone(), weight))
    };
    ExperimentStep { weights: wire.templates.iter().filter_map(weight).collect() }
}

/// Seconds as an int or a string of digits, else a Go duration cut off to whole seconds. A text that is neither, or a
/// negative time, waits for a person instead of passing by.
//= compat: 1.7-9, 10.6
pub(crate) fn pause_span(wire: &IntOrString) -> Option<Span> {
    let seconds = match wire {
        IntOrString::Int(n) => *n,
        IntOrString::String(text) => match text.parse::<i64>() {
            Ok(n) => n,
            Err(_) => duration::parse_ns(text).ok()? / 1_000_000_000,
        },
    };
    (seconds >= 0).then(|| Span::from_secs(seconds))
}

/// An item without any of the three follows the weight, as if it were not there.
//= compat: 1.7-15, 1.7-16
fn canary_scale(wire: &SetCanaryScale) -> CanaryScale {
    match (wire.match_traffic_weight, wire.replicas, wire.weight) {
        (true, _, _) | (false, None, None) => CanaryScale::MatchTrafficWeight,
        (false, Some(replicas), _) => CanaryScale::Replicas(count(replicas)),
        (false, None, Some(weight)) => CanaryScale::Weight(count(weight)),
    }
}

//= compat: 1.7-18
fn header_route(wire: &SetHeaderRoute) -> HeaderRoute {
    HeaderRoute { name: wire.name.clone(), matches: wire.matches.iter().map(header_match).collect() }
}

/// All matching requests are copied where no percentage is said.
//= compat: 1.7-18
fn mirror_route(wire: &SetMirrorRoute) -> MirrorRoute {
    let percentage = count(wire.percentage.unwrap_or(100)).min(100);
    MirrorRoute { name: wire.name.clone(), percentage, matches: wire.matches.iter().map(route_match).collect() }
}

fn route_match(wire: &wire::RouteMatch) -> RouteMatch {
    let header =
        |(name, value): (&String, &StringMatch)| HeaderMatch { header: name.clone(), value: value_match(value) };
    RouteMatch {
        method: wire.method.as_ref().map(value_match),
        path: wire.path.as_ref().map(value_match),
        headers: wire.headers.iter().map(header).collect(),
    }
}

/// Exactly one way to match is set; without any the header must be there and empty, which no request happens to have.
fn header_match(wire: &HeaderRoutingMatch) -> HeaderMatch {
    let value = wire.header_value.as_ref().map_or_else(|| ValueMatch::Exact(String::new()), value_match);
    HeaderMatch { header: wire.header_name.clone(), value }
}

fn value_match(wire: &StringMatch) -> ValueMatch {
    let wire = wire.clone();
    match (wire.exact, wire.prefix, wire.regex) {
        (Some(text), _, _) if !text.is_empty() => ValueMatch::Exact(text),
        (_, Some(text), _) if !text.is_empty() => ValueMatch::Prefix(text),
        (_, _, Some(text)) if !text.is_empty() => ValueMatch::Regex(text),
        _ => ValueMatch::Exact(String::new()),
    }
}
