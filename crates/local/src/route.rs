//! Manifests and splits to the router's table: which host and path belong to which rollout, and who answers with what weight.
//! Pure; the same Ingress and Services that would drive a cluster are read.

use std::collections::{BTreeMap, BTreeSet};

use serin_core::{Hash, Split as CoreSplit, weight};
use serin_proxy::table::{
    Endpoint, Group, HeaderMatch, HeaderRoute, Mirror, MirrorMatch, PathKind, PathMatch, Route, Split, Sticky,
    ValueMatch,
};
use serin_spec::wire::kubernetes::{Ingress, IngressPath};
use serin_spec::wire::meta::ObjectMeta;

use crate::experiment::ExperimentState;
use crate::model::{Key, Objects, Workload};

/// Annotation on a Rollout: where the prediction stands in the JSON answer, such as `$.prediction`.
pub const PREDICTION: &str = "serin.dev/prediction";

/// Annotation on a Rollout: keeps a visitor known by this header on one version.
pub const STICKY_HEADER: &str = "serin.dev/sticky-header";

/// Annotation on a Rollout: keeps a visitor known by this cookie on one version.
pub const STICKY_COOKIE: &str = "serin.dev/sticky-cookie";

/// Annotation on an Ingress, as nginx reads it: longest wait for an answer in seconds.
pub const READ_TIMEOUT: &str = "nginx.ingress.kubernetes.io/proxy-read-timeout";

/// Argo's name of the router's route for a rollout's ingress traffic.
pub fn route_name(rollout: &Key) -> String {
    rollout.to_string()
}

/// The router's name of the routes that lead to a service: those of a blue-green rollout's users are its rollout's, so that
/// its statistics are about users; those of the preview are the preview service's.
pub fn service_route_name(service: &Key, owner: Option<&Workload>) -> String {
    let active = owner.and_then(|w| Some((w, w.rollout.blue_green()?)));
    match active.filter(|(_, blue_green)| blue_green.active_service == service.name) {
        Some((workload, _)) => route_name(&workload.key()),
        None => format!("service/{service}"),
    }
}

/// Members that take requests, per rollout and version.
pub type Endpoints = BTreeMap<(Key, Hash), Vec<Endpoint>>;

/// All routes.
pub fn routes(
    objects: &Objects,
    workloads: &BTreeMap<Key, Workload>,
    experiments: &BTreeMap<Key, ExperimentState>,
    endpoints: &Endpoints,
) -> Vec<Route> {
    let table = Builder { objects, workloads, experiments, endpoints };
    let mut routes = Vec::new();
    for (key, ingress) in &objects.ingresses {
        table.ingress(key, ingress, &mut routes);
    }
    // A blue-green rollout's services are routes even where their objects are not there: it could never be switched otherwise.
    let blue_green = workloads.values().filter(|w| w.rollout.blue_green().is_some());
    let switched = blue_green.flat_map(|w| w.services.keys().map(|name| w.key().beside(name)));
    for key in objects.services.keys().cloned().chain(switched).collect::<BTreeSet<Key>>() {
        table.service_hosts(&key, &mut routes);
    }
    for experiment in experiments.values() {
        table.versions(experiment, &mut routes);
    }
    // Two documents may ask for the same host and path; the first keeps it, as ingress-nginx does.
    let mut taken = BTreeSet::new();
    routes.retain(|r| {
        let exact = r.path.kind == PathKind::Exact;
        let path = if exact { r.path.path.clone() } else { r.path.path.trim_end_matches('/').to_owned() };
        taken.insert((r.host.clone().unwrap_or_default().to_ascii_lowercase(), exact, path))
    });
    routes
}

struct Builder<'a> {
    objects: &'a Objects,
    workloads: &'a BTreeMap<Key, Workload>,
    experiments: &'a BTreeMap<Key, ExperimentState>,
    endpoints: &'a Endpoints,
}

impl Builder<'_> {
    fn ingress(&self, key: &Key, ingress: &Ingress, routes: &mut Vec<Route>) {
        for rule in &ingress.spec.rules {
            for path in rule.http.iter().flat_map(|http| &http.paths) {
                let Some(service) = &path.backend.service else { continue };
                routes.extend(self.path(key, ingress, rule.host.clone(), Some(path), &service.name));
            }
        }
        if let Some(service) = ingress.spec.default_backend.as_ref().and_then(|b| b.service.as_ref()) {
            routes.extend(self.path(key, ingress, None, None, &service.name));
        }
    }

    fn path(
        &self,
        ingress_key: &Key,
        ingress: &Ingress,
        host: Option<String>,
        path: Option<&IngressPath>,
        service: &str,
    ) -> Option<Route> {
        let service_key = ingress_key.beside(service);
        let split = self.rollout_behind(ingress_key, service);
        let (name, groups, owner) = match split {
            Some(workload) => (route_name(&workload.key()), self.split(workload), Some(workload)),
            None => {
                let owner = self.selected_by(&service_key);
                (service_route_name(&service_key, owner), self.service(&service_key)?, owner)
            }
        };
        let timeout_s: Option<u64> = ingress.metadata.annotations.get(READ_TIMEOUT).and_then(|s| s.parse().ok());
        Some(Route {
            name,
            host: host.filter(|h| !h.is_empty()),
            path: path.map_or_else(PathMatch::default, path_match),
            split: groups,
            sticky: owner.and_then(|w| sticky(&w.object.metadata, &ingress.metadata)),
            prediction: owner.and_then(|w| w.object.metadata.annotations.get(PREDICTION).cloned()),
            timeout_ms: timeout_s.filter(|s| (1..=86_400).contains(s)).map_or(60_000, |s| s * 1000),
            expose_version: true,
            request_id: true,
            slices: Vec::new(),
            record: None,
            units: None,
        })
    }

    /// The rollout whose `stableIngress` this is and whose stable service is the backend: it splits these requests. Of two
    /// services that swap roles either may be named, since both have been the stable one.
    fn rollout_behind(&self, ingress: &Key, service: &str) -> Option<&Workload> {
        self.workloads.values().find(|w| {
            let Some(canary) = &w.object.spec.strategy.canary else { return false };
            let Some(nginx) = canary.traffic_routing.as_ref().and_then(|t| t.nginx.as_ref()) else { return false };
            let pair = canary.ping_pong.as_ref();
            let in_pair = pair.is_some_and(|p| p.ping_service == service || p.pong_service == service);
            let named = nginx.stable_ingress.iter().chain(&nginx.stable_ingresses).any(|i| *i == ingress.name);
            w.object.metadata.namespace() == ingress.namespace
                && named
                && (canary.stable_service.as_deref() == Some(service) || in_pair)
        })
    }

    fn selected_by(&self, service: &Key) -> Option<&Workload> {
        self.workloads
            .values()
            .find(|w| w.object.metadata.namespace() == service.namespace && w.services.contains_key(&service.name))
    }

    fn endpoints_of(&self, workload: &Workload, hash: &Hash) -> Vec<Endpoint> {
        self.endpoints.get(&(workload.key(), hash.clone())).cloned().unwrap_or_default()
    }

    /// The split of a rollout as groups, stable first.
    fn split(&self, workload: &Workload) -> Split {
        let Some(split) = &workload.split else {
            // Nothing was promoted yet: whatever the first version has takes everything.
            let hash = workload.status.stable.clone().unwrap_or_else(|| workload.rollout.hash.clone());
            let endpoints = self.endpoints_of(workload, &hash);
            return Split {
                groups: vec![Group { version: hash.to_string(), endpoints, weight: 100 }],
                header_routes: Vec::new(),
                mirrors: Vec::new(),
            };
        };
        let mut rendered = render(split);
        for group in &mut rendered.groups {
            let hash = Hash::new(group.version.as_str());
            group.endpoints = match split.experiment.iter().any(|d| d.hash == hash) {
                true => self.version_endpoints(&workload.key(), &hash),
                false => self.endpoints_of(workload, &hash),
            };
        }
        for mirror in &mut rendered.mirrors {
            mirror.endpoints = self.endpoints_of(workload, &Hash::new(mirror.version.as_str()));
        }
        rendered
    }

    /// The members of a version of one of a rollout's experiments.
    fn version_endpoints(&self, rollout: &Key, hash: &Hash) -> Vec<Endpoint> {
        let mine = self.experiments.iter().filter(|(_, e)| e.belongs_to(rollout));
        let mut pools = mine.flat_map(|(key, e)| e.pools.iter().map(move |p| (key, p)));
        let found = pools.find(|(_, p)| p.hash == *hash);
        let place = found.map(|(key, p)| (Key::of_version(key, &p.version), p.hash.clone()));
        place.and_then(|place| self.endpoints.get(&place).cloned()).unwrap_or_default()
    }

    /// The services of an experiment lead to its versions.
    fn versions(&self, experiment: &ExperimentState, routes: &mut Vec<Route>) {
        let key = experiment.key();
        let owner = experiment.owner.as_ref().and_then(|(owner, _)| self.workloads.get(owner));
        let metadata = owner.map_or(&experiment.object.metadata, |w| &w.object.metadata);
        for (name, version) in &experiment.services {
            let Some(pool) = experiment.pool(version) else { continue };
            let place = (Key::of_version(&key, version), pool.hash.clone());
            let endpoints = self.endpoints.get(&place).cloned().unwrap_or_default();
            let groups = vec![Group { version: pool.hash.to_string(), endpoints, weight: 100 }];
            let split = Split { groups, header_routes: Vec::new(), mirrors: Vec::new() };
            self.hosts(&key.beside(name), format!("service/{}", key.beside(name)), &split, metadata, routes);
        }
    }

    /// What a Service selects: the pool it was pointed at, or every member whose labels fit.
    fn service(&self, key: &Key) -> Option<Split> {
        let no_selector = BTreeMap::new();
        let selector = self.objects.services.get(key).map_or(&no_selector, |s| &s.spec.selector);
        let mut groups = Vec::new();
        for workload in self.workloads.values().filter(|w| w.object.metadata.namespace() == key.namespace) {
            if let Some(Some(hash)) = workload.services.get(&key.name) {
                let endpoints = self.endpoints_of(workload, hash);
                return Some(Split {
                    groups: vec![Group { version: hash.to_string(), endpoints, weight: 100 }],
                    header_routes: Vec::new(),
                    mirrors: Vec::new(),
                });
            }
            for pool in &workload.pools {
                let labels = pool.member_template().labels();
                if !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v)) {
                    let endpoints = self.endpoints_of(workload, &pool.hash);
                    let weight = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
                    groups.push(Group { version: pool.hash.to_string(), endpoints, weight });
                }
            }
        }
        if groups.iter().all(|g| g.weight == 0) {
            groups.iter_mut().take(1).for_each(|g| g.weight = 1);
        }
        (!groups.is_empty()).then_some(Split { groups, header_routes: Vec::new(), mirrors: Vec::new() })
    }

    /// A Service is also reached by its names in a cluster's DNS, so that one without an Ingress can be tried, and by names
    /// under `localhost`, which clients take to this machine without being told.
    fn service_hosts(&self, key: &Key, routes: &mut Vec<Route>) {
        let Some(split) = self.service(key) else { return };
        let owner = self.selected_by(key);
        let nobody = ObjectMeta::default();
        let metadata = owner.map_or(&nobody, |w| &w.object.metadata);
        self.hosts(key, service_route_name(key, owner), &split, metadata, routes);
    }

    fn hosts(&self, key: &Key, route: String, split: &Split, owner: &ObjectMeta, routes: &mut Vec<Route>) {
        let Key { namespace, name } = key;
        let hosts = [
            name.clone(),
            format!("{name}.{namespace}"),
            format!("{name}.{namespace}.svc.cluster.local"),
            format!("{name}.localhost"),
            format!("{name}.{namespace}.localhost"),
        ];
        for host in hosts {
            routes.push(Route {
                name: route.clone(),
                host: Some(host),
                path: PathMatch::default(),
                split: split.clone(),
                sticky: sticky(owner, &ObjectMeta::default()),
                prediction: owner.annotations.get(PREDICTION).cloned(),
                timeout_ms: 60_000,
                expose_version: true,
                request_id: true,
                slices: Vec::new(),
                record: None,
                units: None,
            });
        }
    }
}

/// A split without its endpoints.
fn render(split: &CoreSplit) -> Split {
    let group = |hash: &Hash, weight| Group { version: hash.to_string(), endpoints: Vec::new(), weight };
    let mut groups = vec![group(&split.stable, split.weight_stable())];
    if split.canary == split.stable {
        groups[0].weight += split.weight;
    } else {
        groups.push(group(&split.canary, split.weight));
    }
    groups.extend(split.experiment.iter().map(|d| group(&d.hash, d.weight)));
    let header_route = |r: &weight::HeaderRoute| HeaderRoute {
        name: r.name.clone(),
        matches: r.matches.iter().map(header_match).collect(),
        version: split.canary.to_string(),
    };
    let mirror = |m: &weight::MirrorRoute| Mirror {
        name: m.name.clone(),
        matches: m.matches.iter().map(mirror_match).collect(),
        percent: m.percentage,
        version: split.canary.to_string(),
        endpoints: Vec::new(),
        // Which methods are copied is in the matches.
        unsafe_methods: true,
    };
    Split {
        groups,
        header_routes: split.header_routes.iter().map(header_route).collect(),
        mirrors: split.mirrors.iter().map(mirror).collect(),
    }
}

fn value_match(matching: &weight::ValueMatch) -> ValueMatch {
    match matching {
        weight::ValueMatch::Exact(v) => ValueMatch::Exact(v.clone()),
        weight::ValueMatch::Prefix(v) => ValueMatch::Prefix(v.clone()),
        weight::ValueMatch::Regex(v) => ValueMatch::Regex(v.clone()),
    }
}

fn header_match(matching: &weight::HeaderMatch) -> HeaderMatch {
    HeaderMatch { header: matching.header.clone(), value: value_match(&matching.value) }
}

/// The methods of requests that ask for nothing to be changed.
const SAFE_METHODS: &str = "GET|HEAD|OPTIONS|TRACE";

/// Requests that may change something are copied only where the step names their method: the new version would do a second time what it is to
/// do once, and whoever wrote the step must have thought of that.
fn mirror_match(matching: &weight::RouteMatch) -> MirrorMatch {
    let safe = || ValueMatch::Regex(SAFE_METHODS.to_owned());
    MirrorMatch {
        method: Some(matching.method.as_ref().map_or_else(safe, value_match)),
        path: matching.path.as_ref().map(value_match),
        headers: matching.headers.iter().map(header_match).collect(),
    }
}

/// Whether the routes of a rollout, read back from the router, carry this split.
pub fn carry<'a>(routes: impl Iterator<Item = &'a Route>, split: &CoreSplit) -> bool {
    let wanted = render(split);
    let mut routes = routes.peekable();
    routes.peek().is_some()
        && routes.all(|r| {
            let same_group = |(a, b): (&Group, &Group)| a.version == b.version && a.weight == b.weight;
            let same_mirror = |(a, b): (&Mirror, &Mirror)| Mirror { endpoints: Vec::new(), ..a.clone() } == *b;
            r.split.groups.len() == wanted.groups.len()
                && r.split.groups.iter().zip(&wanted.groups).all(same_group)
                && r.split.header_routes == wanted.header_routes
                && r.split.mirrors.len() == wanted.mirrors.len()
                && r.split.mirrors.iter().zip(&wanted.mirrors).all(same_mirror)
        })
}

/// The one version that all of these routes lead to, if there are any and they agree.
pub fn version<'a>(mut routes: impl Iterator<Item = &'a Route>) -> Option<Hash> {
    let only = |route: &'a Route| match route.split.groups.as_slice() {
        [group] => Some(group.version.as_str()),
        _ => None,
    };
    let first = only(routes.next()?)?;
    routes.all(|route| only(route) == Some(first)).then(|| Hash::new(first))
}

fn path_match(path: &IngressPath) -> PathMatch {
    let kind = match path.path_type.as_deref() {
        Some("Exact") => PathKind::Exact,
        Some("Prefix") => PathKind::Prefix,
        _ => PathKind::ImplementationSpecific,
    };
    PathMatch { kind, path: path.path.clone().filter(|p| !p.is_empty()).unwrap_or_else(|| "/".to_owned()) }
}

fn sticky(rollout: &ObjectMeta, ingress: &ObjectMeta) -> Option<Sticky> {
    if let Some(name) = rollout.annotations.get(STICKY_HEADER) {
        return Some(Sticky::Header { name: name.clone() });
    }
    if let Some(name) = rollout.annotations.get(STICKY_COOKIE) {
        return Some(Sticky::Cookie { name: name.clone() });
    }
    let nginx = |key: &str| ingress.annotations.get(&format!("nginx.ingress.kubernetes.io/{key}"));
    (nginx("affinity").map(String::as_str) == Some("cookie")).then(|| Sticky::Cookie {
        // ingress-nginx' default name.
        name: nginx("session-cookie-name").cloned().unwrap_or_else(|| "INGRESSCOOKIE".to_owned()),
    })
}

#[cfg(test)]
mod switched;
#[cfg(test)]
mod tests;
