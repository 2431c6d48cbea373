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
use crate::object::{self, ObjectRef, Pick};
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
        let backends = self.backends(context, roles);
        let mut all = carried(context, 0);
        let mut fitting: Vec<String> = Vec::new();
        for route in self.routes(objects)? {
            let managed = self.managed(route.source, backends);
            let own: Vec<Value> = managed.slots(route.rules()).into_iter().flatten().cloned().collect();
            let first = own.iter().find(|rule| backends.names_both(rule));
            let first = first.ok_or_else(|| self.without_services(&route, context, roles))?;
            let all_routes =
                Split { header_routes: self.headers.clone(), mirrors: self.mirrors.clone(), ..all.clone() };
            fitting.extend(self.added(&route, &managed, &own, &all_routes)?.into_iter().map(|(name, _)| name));
            let weights = backends.weights(first, context.weight_total());
            let split = Split { experiment: weights.experiment, ..carried(context, weights.canary) };
            let (headers, mirrors) = managed.present(route.rules(), &own, &split, &self.names);
            if all.experiment.is_empty() {
                all.experiment = split.experiment.clone();
            }
            all = at_least(all, &split);
            all.header_routes.extend(unknown(&all.header_routes, headers));
            all.mirrors.extend(unknown(&all.mirrors, mirrors));
        }
        fits(self.headers.iter().map(|r| &r.name).chain(self.mirrors.iter().map(|r| &r.name)), &fitting)?;
        if !all.header_routes.is_empty() || !all.mirrors.is_empty() {
            all.canary = context.selected(roles.canary);
        }
        Ok(all)
    }

    /// The changes that let the routes carry a split.
    //= compat: 6.11-4
    pub(crate) fn render(&self, context: &Context, objects: &[&Value], split: &Split) -> Result<Vec<Change>, Problem> {
        let roles = context.roles_for(split);
        let backends = self.backends(context, roles);
        let mut changes = Vec::new();
        let mut fitting: Vec<String> = Vec::new();
        for route in self.routes(objects)? {
            let managed = self.managed(route.source, backends);
            let slots = managed.slots(route.rules());
            let mut own: Vec<Value> = slots.iter().flatten().map(|rule| (*rule).clone()).collect();
            if !own.iter().any(|rule| backends.names_both(rule)) {
                return Err(self.without_services(&route, context, roles));
            }
            for rule in own.iter_mut().filter(|rule| backends.names_both(rule)) {
                backends.set(rule, split).map_err(|message| Problem::missing(&route.source.path, message))?;
            }
            let (names, added): (Vec<String>, Vec<Value>) =
                self.added(&route, &managed, &own, split)?.into_iter().unzip();
            fitting.extend(names);
            let others = own.iter().filter(|rule| !backends.names_both(rule));
            let shared = others.into_iter().any(|rule| object::items(rule, "backendRefs").len() > 1);
            changes.extend(self.change(&route, managed::placed(&slots, own, added), split.weight, shared));
        }
        fits(split.header_routes.iter().map(|r| &r.name).chain(split.mirrors.iter().map(|r| &r.name)), &fitting)?;
        Ok(changes)
    }

    /// The rules that a split adds to a route.
    fn added(
        &self,
        route: &Route,
        managed: &Managed,
        own: &[Value],
        split: &Split,
    ) -> Result<Vec<(String, Value)>, Problem> {
        let added = managed.rules(own, split);
        added.map_err(|message| Problem::object(&route.source.path, format!("{}: {message}", route.title())))
    }

    /// The routes that are there, each once.
    fn routes<'a>(&'a self, objects: &[&'a Value]) -> Result<Vec<Route<'a>>, Problem> {
        let mut routes: Vec<Route<'a>> = Vec::new();
        for source in &self.sources {
            let found = self.wanted(source).find(objects);
            if found.is_empty() && matches!(source.pick, Pick::Name(_)) {
                return Err(source.missing(&self.namespace));
            }
            for object in found {
                let name = object::name(object);
                let known = routes.iter().any(|one| one.source.kind == source.kind && object::name(one.object) == name);
                routes.extend((!known).then_some(Route { source, object }));
            }
        }
        match self.sources.first().filter(|_| routes.is_empty()) {
            Some(source) => Err(source.missing(&self.namespace)),
            None => Ok(routes),
        }
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
    /// they are written whole; everything else in the object is left as it is. Where another Rollout may share the route, the
    /// label goes only together with a weight of this one: it may be the other's.
    //= compat: 6.11-10
    fn change(&self, route: &Route, rules: Vec<Value>, weight: u32, shared: bool) -> Option<Change> {
        let mut metadata = Map::new();
        let changed = !rule::are_same(route.rules(), &rules);
        if let Some((key, value)) = &self.label {
            let found = &route.object["metadata"]["labels"][key];
            match weight {
                0 if (changed || !shared) && !found.is_null() => {
                    drop(metadata.insert("labels".to_owned(), json!({ key: null })))
                }
                1.. if found != value => drop(metadata.insert("labels".to_owned(), json!({ key: value }))),
                _ => {}
            }
        }
        if !changed && metadata.is_empty() {
            return None;
        }
        let mut patch = Map::new();
        if changed {
            patch.insert("spec".to_owned(), json!({ "rules": rules }));
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

/// Each route of a step must have a rule somewhere, or it would be without effect and nobody would notice.
fn fits<'a>(mut names: impl Iterator<Item = &'a String>, fitting: &[String]) -> Result<(), Problem> {
    match names.find(|name| !fitting.contains(name)) {
        Some(name) => Err(Problem::object(config::FIELD, config::fits_nowhere(name))),
        None => Ok(()),
    }
}

/// What is not in a list yet.
fn unknown<T: PartialEq>(known: &[T], more: Vec<T>) -> Vec<T> {
    more.into_iter().filter(|one| !known.contains(one)).collect()
}
