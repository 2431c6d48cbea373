//! The Gateway API: weights of backends in HTTPRoutes and GRPCRoutes, and rules for header routes and mirrors beside the
//! users' own (section 6.11 of the reference). It is configured as Argo's plugin is.

mod config;
mod managed;
mod matching;
mod rule;

use serde_json::{Map, Value, json};
use serin_core::weight::{HeaderRoute, MirrorRoute, Split};

use crate::backend::{Context, Roles};
use crate::change::{Change, Verb};
use crate::object::{self, ObjectRef};
use crate::problem::Problem;
use crate::router::{at_least, carried};
use config::Source;
use managed::Managed;
use rule::Backends;

/// The kinds of routes that carry a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Grpc,
}

impl Kind {
    /// Both have one version that every current release of the Gateway API serves.
    //= compat: 6.11-3
    const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
        }
    }
}

/// `trafficRouting.plugins."argoproj-labs/gatewayAPI"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    namespace: String,
    sources: Vec<Source>,
    /// Label of a route whose canary has a weight.
    label: Option<(String, String)>,
    /// Names of the routes that steps add, first match first.
    names: Vec<String>,
    /// What steps add by header.
    headers: Vec<HeaderRoute>,
    /// What steps mirror.
    mirrors: Vec<MirrorRoute>,
}

/// A route object that was found.
#[derive(Clone, Copy)]
struct Route<'a> {
    source: &'a Source,
    object: &'a Value,
}

impl Route<'_> {
    fn rules(&self) -> &[Value] {
        object::items(&self.object["spec"], "rules")
    }

    fn title(&self) -> String {
        format!("{} `{}`", self.source.kind.name(), object::name(self.object))
    }
}

impl Gateway {
    /// The routes.
    pub(crate) fn wants(&self) -> Vec<ObjectRef> {
        self.sources.iter().map(|source| self.wanted(source)).collect()
    }

    fn wanted(&self, source: &Source) -> ObjectRef {
        ObjectRef {
            api_version: Kind::API_VERSION,
            kind: source.kind.name(),
            namespace: self.namespace.clone(),
            pick: source.pick.clone(),
        }
    }

    /// The split that the routes carry at most; whether they carry it all is found by rendering it.
    pub(crate) fn observe(&self, context: &Context, objects: &[&Value]) -> Result<Split, Problem> {
        let roles = context.roles();
        let mut seen: Option<Split> = None;
        for route in self.routes(objects)? {
            let backends = self.backends(context, roles);
            let managed = self.managed(route.source, backends);
            let (own, _) = managed.sort(route.rules());
            let first = own.iter().find(|rule| backends.names_both(rule));
            let first = first.ok_or_else(|| self.without_services(&route, context, roles))?;
            let weights = backends.weights(first, context.weight_total());
            let mut split = carried(context, weights.canary);
            split.experiment = weights.experiment;
            let (headers, mirrors) = managed.present(route.rules(), &own, &split, &self.names);
            if !headers.is_empty() || !mirrors.is_empty() {
                split.canary = context.selected(roles.canary);
            }
            let mut all = at_least(seen.take(), split.clone());
            for header in headers.into_iter().filter(|header| !all.header_routes.contains(header)).collect::<Vec<_>>() {
                all.header_routes.push(header);
                all.canary = split.canary.clone();
            }
            for mirror in mirrors.into_iter().filter(|mirror| !all.mirrors.contains(mirror)).collect::<Vec<_>>() {
                all.mirrors.push(mirror);
                all.canary = split.canary.clone();
            }
            seen = Some(all);
        }
        Ok(seen.unwrap_or_else(|| carried(context, 0)))
    }

    /// The changes that let the routes carry a split.
    //= compat: 6.11-4, 6.11-10
    pub(crate) fn render(&self, context: &Context, objects: &[&Value], split: &Split) -> Result<Vec<Change>, Problem> {
        let roles = context.roles_for(split);
        let backends = self.backends(context, roles);
        let mut changes = Vec::new();
        let mut carried: Vec<String> = Vec::new();
        for route in self.routes(objects)? {
            let managed = self.managed(route.source, backends);
            let (mut rules, _) = managed.sort(route.rules());
            if !rules.iter().any(|rule| backends.names_both(rule)) {
                return Err(self.without_services(&route, context, roles));
            }
            for rule in rules.iter_mut().filter(|rule| backends.names_both(rule)) {
                backends.set(rule, split).map_err(|message| Problem::missing(&route.source.path, message))?;
            }
            let added = managed.rules(&rules, split);
            let added = added.map_err(|m| Problem::object(&route.source.path, format!("{}: {m}", route.title())))?;
            carried.extend(added.iter().map(|(route, _)| route.clone()));
            rules.extend(added.into_iter().map(|(_, rule)| rule));
            changes.extend(self.change(&route, rules, split.weight));
        }
        let wanted = split.header_routes.iter().map(|r| &r.name).chain(split.mirrors.iter().map(|r| &r.name));
        match wanted.into_iter().find(|name| !carried.contains(*name)) {
            Some(name) => Err(Problem::object(config::FIELD, config::fits_nowhere(name))),
            None => Ok(changes),
        }
    }

    /// The routes that are there, each once.
    fn routes<'a>(&'a self, objects: &[&'a Value]) -> Result<Vec<Route<'a>>, Problem> {
        let mut routes: Vec<Route<'a>> = Vec::new();
        for source in &self.sources {
            let found = self.wanted(source).find(objects);
            if found.is_empty() {
                return Err(source.missing(&self.namespace));
            }
            for object in found {
                let name = object::name(object);
                let known = routes.iter().any(|one| one.source.kind == source.kind && object::name(one.object) == name);
                routes.extend((!known).then_some(Route { source, object }));
            }
        }
        Ok(routes)
    }

    fn backends<'a>(&'a self, context: &'a Context<'a>, roles: Roles<'a>) -> Backends<'a> {
        Backends { context, roles, namespace: &self.namespace }
    }

    fn managed<'a>(&'a self, source: &Source, backends: Backends<'a>) -> Managed<'a> {
        let headers: &[HeaderRoute] = if source.use_header_routes { &self.headers } else { &[] };
        let names: &[String] = match source.use_header_routes || !self.mirrors.is_empty() {
            true => &self.names,
            false => &[],
        };
        Managed {
            kind: source.kind,
            backends,
            names,
            headers,
            mirrors: &self.mirrors,
            by_header: source.use_header_routes,
        }
    }

    fn without_services(&self, route: &Route, context: &Context, roles: Roles) -> Problem {
        let elsewhere = match self.namespace == context.namespace() {
            true => String::new(),
            false => format!(" of the namespace `{0}` (backendRefs need `namespace: {0}`)", context.namespace()),
        };
        let message = format!(
            "{} has no rule whose backendRefs name both services `{}` and `{}`{elsewhere}: add them",
            route.title(),
            roles.stable,
            roles.canary
        );
        Problem::object(&route.source.path, message)
    }

    /// The difference to what is there, as a patch that is refused when somebody else was faster. Rules are one list, so
    /// they are written whole; everything else in the object is left as it is.
    fn change(&self, route: &Route, rules: Vec<Value>, weight: u32) -> Option<Change> {
        let mut metadata = Map::new();
        if let Some((key, value)) = &self.label {
            let found = &route.object["metadata"]["labels"][key];
            match weight {
                0 if !found.is_null() => drop(metadata.insert("labels".to_owned(), json!({ key: null }))),
                1.. if found != value => drop(metadata.insert("labels".to_owned(), json!({ key: value }))),
                _ => {}
            }
        }
        let mut patch = Map::new();
        if !rule::are_same(route.rules(), &rules) {
            patch.insert("spec".to_owned(), json!({ "rules": rules }));
        }
        if patch.is_empty() && metadata.is_empty() {
            return None;
        }
        if let Some(version) = route.object["metadata"].get("resourceVersion") {
            metadata.insert("resourceVersion".to_owned(), version.clone());
        }
        patch.insert("metadata".to_owned(), Value::Object(metadata));
        Some(Change {
            api_version: Kind::API_VERSION,
            kind: route.source.kind.name(),
            namespace: self.namespace.clone(),
            name: object::name(route.object).to_owned(),
            verb: Verb::MergePatch(Value::Object(patch)),
            event: None,
        })
    }
}
