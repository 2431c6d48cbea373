//! Who splits the traffic in front of a service: ingress-nginx, or routes of the Gateway API.

use serde_json::{Map, Value, json};

use super::written;
use crate::object::Object;

/// The name under which the Gateway API is configured.
const GATEWAY_API: &str = "argoproj-labs/gatewayAPI";
const CANARY: &str = "nginx.ingress.kubernetes.io/canary";
const CLASS: &str = "kubernetes.io/ingress.class";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// `trafficRouting`, if anything there can split.
    pub(super) routing: Option<Value>,
    /// Routes that name the new service as well.
    pub(super) routes: Vec<Object>,
    /// What cannot split, and why.
    pub(super) notes: Vec<String>,
}

/// The routers in front of a service.
pub(super) fn routing(stable: &str, canary: &str, others: &[&Object]) -> Found {
    let mut found = Found::default();
    let mut routing = Map::new();
    let nginx = ingresses(stable, others, &mut found.notes);
    match nginx.as_slice() {
        [] => {}
        [one] => {
            routing.insert("nginx".to_owned(), json!({ "stableIngress": one }));
        }
        many => {
            routing.insert("nginx".to_owned(), json!({ "stableIngresses": many }));
        }
    }
    let mut plugin = Map::new();
    for (kind, one_key, many_key) in
        [("HTTPRoute", "httpRoute", "httpRoutes"), ("GRPCRoute", "grpcRoute", "grpcRoutes")]
    {
        let before = found.routes.len();
        let of_kind = others.iter().filter(|other| other.kind() == kind);
        found.routes.extend(of_kind.filter_map(|route| with_backend(route, stable, canary)));
        found.notes.extend(found.routes[before..].iter().filter_map(|route| mixed(route, stable, canary)));
        match &found.routes[before..] {
            [] => {}
            [one] => {
                plugin.insert(one_key.to_owned(), one.name().into());
            }
            many => {
                let names: Vec<Value> = many.iter().map(|route| json!({ "name": route.name() })).collect();
                plugin.insert(many_key.to_owned(), names.into());
            }
        }
    }
    if !plugin.is_empty() {
        routing.insert("plugins".to_owned(), json!({ GATEWAY_API: plugin }));
    }
    found.routing = (!routing.is_empty()).then_some(Value::Object(routing));
    found
}

/// Names of the nginx ingresses that lead to a service.
fn ingresses(service: &str, others: &[&Object], notes: &mut Vec<String>) -> Vec<String> {
    let mut names = Vec::new();
    let leading = others.iter().filter(|other| other.kind() == "Ingress" && leads_to(other, service));
    for ingress in leading.filter(|ingress| ingress.annotation(CANARY) != Some("true")) {
        let class = ingress.0["spec"]["ingressClassName"].as_str().or_else(|| ingress.annotation(CLASS));
        match class {
            Some("nginx") => names.push(ingress.name().to_owned()),
            other => notes.push(format!(
                "Ingress {} is of class {}, whose weights cannot be set: use nginx or the Gateway API, or pods are the weight",
                ingress.name(),
                other.unwrap_or("(none)")
            )),
        }
    }
    names
}

fn leads_to(ingress: &Object, service: &str) -> bool {
    let is_it = |backend: &Value| backend["service"]["name"] == service;
    let rules = ingress.0["spec"]["rules"].as_array().into_iter().flatten();
    let mut paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
    is_it(&ingress.0["spec"]["defaultBackend"]) || paths.any(|path| is_it(&path["backend"]))
}

/// The route with the new service beside the old one in every rule, at weight 0. `None` if it does not lead there.
fn with_backend(route: &Object, stable: &str, canary: &str) -> Option<Object> {
    let mut changed = written(route);
    let mut leads = false;
    for rule in changed.0["spec"]["rules"].as_array_mut().into_iter().flatten() {
        let Some(backends) = rule["backendRefs"].as_array_mut() else { continue };
        let is = |backend: &Value, name: &str| backend["name"] == name && is_service(backend);
        let Some(at) = backends.iter().position(|backend| is(backend, stable)) else { continue };
        leads = true;
        if backends.iter().any(|backend| is(backend, canary)) {
            continue;
        }
        let mut beside = backends[at].clone();
        beside["name"] = canary.into();
        beside["weight"] = 0.into();
        backends[at]["weight"] = 100.into();
        backends.insert(at + 1, beside);
    }
    leads.then_some(changed)
}

/// Rules that lead elsewhere as well: the controller sets weights of 100 in all beside whatever the others have.
fn mixed(route: &Object, stable: &str, canary: &str) -> Option<String> {
    let ours = |backend: &Value| backend["name"] == stable || backend["name"] == canary;
    let mut rules = route.0["spec"]["rules"].as_array()?.iter().filter_map(|rule| rule["backendRefs"].as_array());
    let mixed = rules.any(|backends| backends.iter().any(ours) && !backends.iter().all(ours));
    mixed.then(|| {
        format!(
            "a rule of {} {} leads to other backends as well: their weights now count beside the 100 of both versions",
            route.kind(),
            route.name()
        )
    })
}

fn is_service(backend: &Value) -> bool {
    backend["kind"].as_str().unwrap_or("Service") == "Service" && backend["namespace"].is_null()
}
