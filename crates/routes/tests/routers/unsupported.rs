//! Routers that exist and are not supported here: read, kept, and refused with the way out.

use serde_json::json;

use crate::stage::Stage;

//= compat: 6.1-1
#[test]
fn each_router_that_is_not_supported_is_named_with_what_is() {
    let routing = json!({
        "istio": { "virtualService": { "name": "a", "routes": ["b"] } },
        "alb": { "ingress": "a", "servicePort": 80 },
        "smi": { "rootService": "a" },
        "ambassador": { "mappings": ["a"] },
        "appMesh": { "virtualService": { "name": "a" } },
        "traefik": { "weightedTraefikServiceName": "a" },
        "apisix": { "route": { "name": "a" } },
        "plugins": { "example/other": { "any": ["thing"] } },
    });
    let mut stage = Stage::new(routing.clone(), json!([]));
    let refusals = stage.refusals();
    assert_eq!(refusals.len(), 8, "{refusals:#?}");
    for (refusal, name) in refusals.iter().zip(routing.as_object().unwrap().keys()) {
        assert!(refusal.starts_with(&format!("spec.strategy.canary.trafficRouting.{name}")), "{refusal}");
        assert!(refusal.contains("not supported: use plugins[argoproj-labs/gatewayAPI]"), "{refusal}");
    }
    // A supported one beside it does not make up for it: a part of the requests would not be split.
    let routing = stage.rollout.spec.strategy.canary.as_mut().unwrap().traffic_routing.as_mut().unwrap();
    routing.nginx = serde_json::from_value(json!({ "stableIngress": "web" })).unwrap();
    assert_eq!(stage.refusals().len(), 8);
}

/// Whatever was said of them is kept as it was written.
#[test]
fn what_is_not_supported_reads_and_writes_unchanged() {
    let canary = json!({
        "canaryService": "c",
        "stableService": "s",
        "trafficRouting": {
            "istio": { "virtualService": { "name": "a", "routes": ["b"] }, "destinationRule": { "name": "d" } },
            "alb": { "ingress": "a", "servicePort": 80, "stickinessConfig": { "enabled": true } },
            "plugins": { "argoproj-labs/gatewayAPI": { "tcpRoute": "t" }, "example/other": { "any": ["thing"] } },
        },
    });
    let rollout = crate::stage::rollout(canary.clone());
    assert_eq!(serde_json::to_value(&rollout.spec.strategy.canary).unwrap(), canary);
}

//= compat: 6.1-1
#[test]
fn traffic_routing_without_a_router_is_refused() {
    let refusals = Stage::new(json!({ "managedRoutes": [{ "name": "a" }] }), json!([])).refusals();
    assert!(refusals[0].contains("no router is configured"), "{refusals:?}");
}
