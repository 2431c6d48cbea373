//! The routers of a Rollout together: which there are, what they carry, and what must change.

use serde_json::Value;
use serin_core::weight::{HeaderRoute, Split};
use serin_spec::wire::Rollout;
use serin_spec::wire::gateway_api::PLUGIN;

use crate::backend::Context;
use crate::change::Change;
use crate::gateway::Gateway;
use crate::nginx::Nginx;
use crate::object::ObjectRef;
use crate::problem::Problem;

const FIELD: &str = "spec.strategy.canary.trafficRouting";
const SUPPORTED: &str =
    "use plugins[argoproj-labs/gatewayAPI] with an HTTPRoute or a GRPCRoute, or nginx with an Ingress";

/// A traffic router as a Rollout configures it.
#[derive(Debug, Clone, PartialEq)]
pub enum Router {
    /// ingress-nginx, and what reads its annotations.
    Nginx(Nginx),
    /// The Gateway API.
    Gateway(Gateway),
}

/// The routers of a Rollout; none where it has no `trafficRouting`. Several may be configured, and all of them get the same
/// split. A router that is known and not supported is a problem, whatever else is configured.
//= compat: 6.1-1
pub fn routers(rollout: &Rollout) -> Result<Vec<Router>, Vec<Problem>> {
    let canary = rollout.spec.strategy.canary.as_ref();
    let Some(routing) = canary.and_then(|canary| canary.traffic_routing.as_ref()) else { return Ok(Vec::new()) };
    let mut problems = Vec::new();
    let others = [
        ("istio", &routing.istio),
        ("alb", &routing.alb),
        ("smi", &routing.smi),
        ("ambassador", &routing.ambassador),
        ("appMesh", &routing.app_mesh),
        ("traefik", &routing.traefik),
        ("apisix", &routing.apisix),
    ];
    for (name, _) in others.iter().filter(|(_, wire)| wire.is_some()) {
        problems.push(unsupported(&format!("{FIELD}.{name}"), name));
    }
    for name in routing.plugins.keys().filter(|name| *name != PLUGIN) {
        problems.push(unsupported(&format!("{FIELD}.plugins[{name}]"), &format!("the plugin {name}")));
    }
    let nginx = routing.nginx.as_ref().map(|wire| Nginx::of(rollout, wire).map(Router::Nginx));
    let gateway = routing.plugins.get(PLUGIN).map(|wire| Gateway::of(rollout, wire).map(Router::Gateway));
    let mut routers = Vec::new();
    for router in nginx.into_iter().chain(gateway) {
        match router {
            Ok(router) => routers.push(router),
            Err(more) => problems.extend(more),
        }
    }
    if routers.is_empty() && problems.is_empty() {
        // Also what is left of a router that the API server does not know and has dropped.
        problems.push(Problem::spec(FIELD, format!("no router is configured: {SUPPORTED}")));
    }
    if problems.is_empty() { Ok(routers) } else { Err(problems) }
}

fn unsupported(path: &str, what: &str) -> Problem {
    Problem::spec(path, format!("{what} is not supported: {SUPPORTED}"))
}

/// The objects that must be read and watched for these routers.
pub fn wants(routers: &[Router]) -> Vec<ObjectRef> {
    let wants = |router: &Router| match router {
        Router::Nginx(nginx) => nginx.wants(),
        Router::Gateway(gateway) => gateway.wants(),
    };
    routers.iter().flat_map(wants).collect()
}

/// What the routers carry; `None` while they have nothing of ours. `objects` are those of [`wants`], as far as they exist.
///
/// A split that differs from every wanted one has a header route without matches: something is not as rendering this split
/// would leave it, be it that somebody edited an object or that one of several routers is behind. Then the highest weight
/// among them is told.
//= compat: 6.1-2
pub fn observe(routers: &[Router], context: &Context, objects: &[&Value]) -> Result<Option<Split>, Problem> {
    let mut seen: Option<Split> = None;
    for router in routers {
        if let Router::Gateway(gateway) = router {
            seen = Some(gateway.observe(context, objects)?);
        }
    }
    let mut missing = false;
    for router in routers {
        let Router::Nginx(nginx) = router else { continue };
        for weight in nginx.weights(context, objects)? {
            missing |= weight.is_none();
            let Some(weight) = weight else { continue };
            let carried = carried(context, weight);
            seen = Some(match seen {
                Some(seen) => at_least(seen, &carried),
                None => carried,
            });
        }
    }
    let Some(mut split) = seen else { return Ok(None) };
    if missing || !render(routers, context, objects, &split).is_ok_and(|changes| changes.is_empty()) {
        split.header_routes.push(HeaderRoute { name: String::new(), matches: Vec::new() });
    }
    Ok(Some(split))
}

/// The changes that let all routers carry the split; none when they do.
//= compat: 6.1-1, 6.1-7
pub fn render(
    routers: &[Router],
    context: &Context,
    objects: &[&Value],
    split: &Split,
) -> Result<Vec<Change>, Problem> {
    let mut changes = Vec::new();
    for router in routers {
        changes.extend(match router {
            Router::Nginx(nginx) => nginx.render(context, objects, split)?,
            Router::Gateway(gateway) => gateway.render(context, objects, split)?,
        });
    }
    Ok(changes)
}

/// The split of these weights and the versions that the services select now.
pub(crate) fn carried(context: &Context, weight: u32) -> Split {
    let roles = context.roles();
    let all = Split::all_to(context.selected(roles.stable), context.weight_total());
    let canary = if weight == 0 { context.version.clone() } else { context.selected(roles.canary) };
    Split { canary, weight, ..all }
}

/// A split with at least the weight of another one.
pub(crate) fn at_least(split: Split, other: &Split) -> Split {
    match other.weight > split.weight {
        true => Split { weight: other.weight, canary: other.canary.clone(), ..split },
        false => split,
    }
}
