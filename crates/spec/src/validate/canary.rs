//! `strategy.canary` besides its steps.

use serde_json::Value;

use super::{FieldError, step};
use crate::wire::canary::{AntiAffinity, CanaryStrategy};
use crate::wire::meta::IntOrString;
use crate::wire::traffic::RolloutTrafficRouting;

const CANARY: &str = "spec.strategy.canary";

const SERVICES: &str = "Canary service and Stable service must to be set to use Traffic Routing";

/// Argo's words for services that swap with a router that cannot.
pub const PING_PONG_UNSUPPORTED: &str =
    "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only";

/// The rules of the canary strategy.
pub(super) fn errors(canary: &CanaryStrategy) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: &str| errors.push(FieldError::invalid(&format!("{CANARY}.{field}"), detail));
    //= compat: 8.3-6
    if let (Some(stable), Some(new)) = (&canary.stable_service, &canary.canary_service)
        && !stable.is_empty()
        && stable == new
    {
        wrong(
            "stableService",
            "This rollout uses the same service for the stable and canary services, but two different services are required.",
        );
    }
    if let Some(routing) = &canary.traffic_routing {
        ping_pong(canary, routing, &mut wrong);
        services(canary, routing, &mut wrong);
    }
    //= compat: 8.3-9, 8.3-10
    match &canary.traffic_routing {
        None => {
            if canary.scale_down_delay_seconds.is_some() {
                wrong("scaleDownDelaySeconds", "Canary scaleDownDelaySeconds can only be used with traffic routing");
            }
            if canary.dynamic_stable_scale {
                wrong("dynamicStableScale", "Canary dynamicStableScale can only be used with traffic routing");
            }
        }
        Some(routing) => {
            if canary.dynamic_stable_scale && canary.scale_down_delay_seconds.is_some() {
                wrong("dynamicStableScale", "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds");
            }
            if routing.max_traffic_weight.is_some() && routing.nginx.is_none() && routing.plugins.is_empty() {
                wrong(
                    "trafficRouting.maxTrafficWeight",
                    "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins",
                );
            }
        }
    }
    if both_zero(canary) {
        wrong("maxSurge", "MaxSurge and MaxUnavailable both can not be zero");
    }
    for (i, at) in canary.steps.iter().enumerate() {
        errors.extend(step::errors(canary, i, at));
    }
    errors.extend(anti_affinity(CANARY, canary.anti_affinity.as_ref()));
    errors
}

//= compat: 8.3-7, 1.10-1
fn ping_pong(canary: &CanaryStrategy, routing: &RolloutTrafficRouting, wrong: &mut impl FnMut(&str, &str)) {
    const BOTH: &str = "Ping service and Pong service must to be set to use Ping-Pong feature";
    let Some(services) = &canary.ping_pong else { return };
    if routing.alb.is_none() && routing.istio.is_none() && routing.plugins.is_empty() {
        wrong("trafficRouting.alb", PING_PONG_UNSUPPORTED);
    }
    if services.ping_service.is_empty() {
        wrong("pingPong.pingService", BOTH);
    }
    if services.pong_service.is_empty() {
        wrong("pingPong.pongService", BOTH);
    }
    if services.ping_service == services.pong_service {
        let detail = "This rollout uses the same service for the ping and pong services, but two different services are required.";
        wrong("pingPong.pingService", detail);
    }
    if let Some(alb) = &routing.alb
        && alb["rootService"].as_str().unwrap_or_default().is_empty()
    {
        let detail = "Root service field is required for the configuration with ALB and ping-pong feature enabled";
        wrong("trafficRouting.alb.rootService", detail);
    }
}

//= compat: 8.3-8
fn services(canary: &CanaryStrategy, routing: &RolloutTrafficRouting, wrong: &mut impl FnMut(&str, &str)) {
    let no_ping_pong = canary.ping_pong.is_none();
    let plain_istio = routing.istio.as_ref().is_some_and(|istio| istio["destinationRule"] == Value::Null);
    let needed = no_ping_pong && (routing.alb.is_some() || plain_istio)
        || routing.smi.is_some()
        || routing.apisix.is_some()
        || routing.ambassador.is_some()
        || routing.nginx.is_some()
        || routing.app_mesh.is_some()
        || routing.traefik.is_some();
    if !needed {
        return;
    }
    if canary.stable_service.as_deref().unwrap_or_default().is_empty() {
        wrong("stableService", SERVICES);
    }
    if canary.canary_service.as_deref().unwrap_or_default().is_empty() {
        wrong("canaryService", SERVICES);
    }
}

/// Both limits are zero as written, so that no pod could ever be replaced.
//= compat: 8.3-5, 1.7-2
fn both_zero(canary: &CanaryStrategy) -> bool {
    let is_zero = |limit: &Option<IntOrString>| match limit {
        None => false,
        Some(IntOrString::Int(number)) => *number == 0,
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse::<i64>() == Ok(0),
    };
    is_zero(&canary.max_surge) && is_zero(&canary.max_unavailable)
}

//= compat: 8.3-12, 1.8-1
pub(super) fn anti_affinity(strategy: &str, affinity: Option<&AntiAffinity>) -> Vec<FieldError> {
    let Some(affinity) = affinity else { return Vec::new() };
    let preferred = &affinity.preferred_during_scheduling_ignored_during_execution;
    let required = &affinity.required_during_scheduling_ignored_during_execution;
    if preferred.is_some() == required.is_some() {
        let detail = "AntiAffinity must have exactly one strategy listed";
        return vec![FieldError::invalid(&format!("{strategy}.antiAffinity"), detail)];
    }
    match preferred {
        Some(preferred) if !(1..=100).contains(&preferred.weight) => {
            let path = format!("{strategy}.antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight");
            let mut error = FieldError::invalid(&path, "AntiAffinity weight must be between 1-100");
            error.field = "spec.strategy.antiAffinity.weight".to_owned();
            vec![error]
        }
        _ => Vec::new(),
    }
}
