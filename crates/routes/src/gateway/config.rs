//! What a Rollout says of its Gateway API routes.

use serde_json::Value;
use serin_core::Step;
use serin_spec::lower;
use serin_spec::wire::Rollout;
use serin_spec::wire::gateway_api::{GatewayApi, NamedRoute, PLUGIN};
use serin_spec::wire::meta::LabelSelector;

use super::{Gateway, Kind};
use crate::object::Pick;
use crate::problem::Problem;

/// Field of the plugin's configuration.
pub(super) const FIELD: &str = "spec.strategy.canary.trafficRouting.plugins[argoproj-labs/gatewayAPI]";
const STEPS: &str = "spec.strategy.canary.steps";
const LABEL_KEY: &str = "rollouts.argoproj.io/gatewayapi-canary";
const LABEL_VALUE: &str = "in-progress";

/// Routes as they are configured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    /// Field that names them.
    pub path: String,
    pub kind: Kind,
    pub pick: Pick,
    /// Whether header routes are added to them.
    pub use_header_routes: bool,
}

impl Source {
    pub(super) fn missing(&self, namespace: &str) -> Problem {
        let kind = self.kind.name();
        let message = match &self.pick {
            Pick::Name(name) => {
                format!("{kind} `{name}` is not in the namespace `{namespace}`: create it, or name another one")
            }
            Pick::Labels(_) => format!("no {kind} in the namespace `{namespace}` has the labels of this selector"),
        };
        Problem::missing(&self.path, message)
    }
}

/// A route of a step that no rule can take.
pub(super) fn fits_nowhere(name: &str) -> String {
    format!(
        "the route `{name}` of a step fits no rule of these routes: its matches contradict those of every rule that names both services"
    )
}

impl Gateway {
    /// Reads the configuration.
    //= compat: 6.11-1, 6.11-2, 6.11-3
    pub(crate) fn of(rollout: &Rollout, wire: &Value) -> Result<Self, Vec<Problem>> {
        let wire: GatewayApi = match serde_json::from_value(wire.clone()) {
            Ok(wire) => wire,
            Err(error) => return Err(vec![Problem::spec(FIELD, error.to_string())]),
        };
        let mut problems = Vec::new();
        let mut sources = Vec::new();
        let http = (Kind::Http, "httpRoute", &wire.http_route, &wire.http_routes, &wire.http_route_selector);
        let grpc = (Kind::Grpc, "grpcRoute", &wire.grpc_route, &wire.grpc_routes, &wire.grpc_route_selector);
        for (kind, field, one, several, selector) in [http, grpc] {
            sources.extend(self::sources(kind, field, one, several, selector.as_ref()));
        }
        let unnamed = sources.iter().filter(|source| source.pick == Pick::Name(String::new()));
        problems.extend(unnamed.map(|source| Problem::spec(&source.path, "the name is empty: name a route")));
        problems.extend(layer_four(&wire));
        if sources.is_empty() && problems.is_empty() {
            let message = "no route is configured: name one under httpRoute, httpRoutes, grpcRoute or grpcRoutes, or give a selector";
            problems.push(Problem::spec(FIELD, message));
        }
        problems.extend(services(rollout));
        problems.extend(most(rollout));
        let use_headers = sources.iter().any(|source| source.use_header_routes);
        let (mut headers, mut mirrors) = (Vec::new(), Vec::new());
        let canary = rollout.spec.strategy.canary.as_ref();
        for (i, step) in lower::steps(canary.map_or(&[], |canary| &canary.steps)).into_iter().enumerate() {
            let (path, name) = match &step {
                Step::SetHeaderRoute(route) => (format!("{STEPS}[{i}].setHeaderRoute"), &route.name),
                Step::SetMirrorRoute(route) => (format!("{STEPS}[{i}].setMirrorRoute"), &route.name),
                _ => continue,
            };
            if !is_section_name(name) {
                let message = format!("`{name}` cannot name a rule of a route: use a-z, 0-9, '-' and '.'");
                problems.push(Problem::spec(format!("{path}.name"), message));
            }
            match step {
                Step::SetHeaderRoute(route) if !route.matches.is_empty() => {
                    if !use_headers {
                        let message = "none of the routes takes header routes: set useHeaderRoutes: true on one of httpRoutes or grpcRoutes";
                        problems.push(Problem::spec(path, message));
                    }
                    headers.push(route);
                }
                Step::SetMirrorRoute(route) if !route.matches.is_empty() => mirrors.push(route),
                _ => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let namespace = match wire.namespace.as_str() {
            "" => rollout.metadata.namespace().to_owned(),
            other => other.to_owned(),
        };
        let routing = canary.and_then(|canary| canary.traffic_routing.as_ref());
        let names = routing.into_iter().flat_map(|routing| &routing.managed_routes).map(|route| route.name.clone());
        Ok(Self { namespace, sources, label: label(&wire), names: names.collect(), headers, mirrors })
    }
}

/// The routes of one kind.
//= compat: 6.11-2
fn sources(
    kind: Kind,
    field: &str,
    one: &str,
    several: &[NamedRoute],
    selector: Option<&LabelSelector>,
) -> Vec<Source> {
    let source = |path: String, pick: Pick, use_header_routes: bool| Source {
        path: format!("{FIELD}.{path}"),
        kind,
        pick,
        use_header_routes,
    };
    let one = (!one.is_empty()).then(|| source(field.to_owned(), Pick::Name(one.to_owned()), true));
    let several = several
        .iter()
        .enumerate()
        .map(|(i, route)| source(format!("{field}s[{i}]"), Pick::Name(route.name.clone()), route.use_header_routes));
    let selector = selector.map(|labels| source(format!("{field}Selector"), Pick::Labels(labels.clone()), false));
    one.into_iter().chain(several).chain(selector).collect()
}

/// Routes below HTTP, which are not supported.
fn layer_four(wire: &GatewayApi) -> Vec<Problem> {
    let fields = [
        ("tcpRoute", !wire.tcp_route.is_empty()),
        ("tcpRoutes", !wire.tcp_routes.is_empty()),
        ("tcpRouteSelector", wire.tcp_route_selector.is_some()),
        ("tlsRoute", !wire.tls_route.is_empty()),
        ("tlsRoutes", !wire.tls_routes.is_empty()),
        ("tlsRouteSelector", wire.tls_route_selector.is_some()),
    ];
    let set = fields.into_iter().filter(|(_, set)| *set);
    let message = "connections are not split, only requests: use an HTTPRoute or a GRPCRoute";
    set.map(|(field, _)| Problem::spec(format!("{FIELD}.{field}"), message)).collect()
}

/// Argo's own validation leaves the services of plugins alone, and then nothing has a weight.
fn services(rollout: &Rollout) -> Vec<Problem> {
    let Some(canary) = &rollout.spec.strategy.canary else { return Vec::new() };
    if canary.ping_pong.is_some() {
        return Vec::new();
    }
    let services = [("canaryService", &canary.canary_service), ("stableService", &canary.stable_service)];
    let missing = services.into_iter().filter(|(_, name)| name.as_deref().unwrap_or_default().is_empty());
    let path = |field: &str| format!("spec.strategy.canary.{field}");
    missing.map(|(field, _)| Problem::spec(path(field), format!("{PLUGIN} needs this Service"))).collect()
}

/// The API knows no higher weight.
fn most(rollout: &Rollout) -> Option<Problem> {
    const MOST: i32 = 1_000_000;
    let routing = rollout.spec.strategy.canary.as_ref()?.traffic_routing.as_ref()?;
    let most = routing.max_traffic_weight.filter(|most| *most > MOST)?;
    let message = format!("{most} is more than the Gateway API can weigh: at most {MOST}");
    Some(Problem::spec("spec.strategy.canary.trafficRouting.maxTrafficWeight", message))
}

//= compat: 6.11-10
fn label(wire: &GatewayApi) -> Option<(String, String)> {
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    let label = (or(&wire.in_progress_label_key, LABEL_KEY), or(&wire.in_progress_label_value, LABEL_VALUE));
    (!wire.disable_in_progress_label).then_some(label)
}

/// Whether the API server takes it as the name of a rule.
fn is_section_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let part =
        |part: &str| !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-');
    // Rules for further sources get a number behind it.
    name.len() <= 240 && name.split('.').all(part)
}
