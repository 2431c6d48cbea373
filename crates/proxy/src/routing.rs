//! The table made ready: which route a request takes, and which endpoint of which version.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

mod memory;

use crate::mirror::Mirror;
use crate::prediction::Path;
use crate::report::{EndpointView, Weight};
use crate::slice::Slice;
use crate::split::Chooser;
use crate::stats::{Ring, VersionStats};
use crate::table::{self, PathKind, Sticky, Table};
pub(crate) use memory::Memory;

/// A table in force. Requests hold the one they were routed by until they end.
#[derive(Debug)]
pub(crate) struct Routing {
    pub(crate) table: Table,
    by_host: HashMap<Vec<u8>, Vec<Rule>>,
    by_suffix: HashMap<Vec<u8>, Vec<Rule>>,
    any_host: Vec<Rule>,
    services: Vec<Arc<Service>>,
    /// The endpoints of the table.
    pub(crate) endpoints: BTreeSet<u64>,
}

/// One route.
#[derive(Debug)]
pub(crate) struct Rule {
    exact: bool,
    /// Without a trailing slash unless it is exact.
    path: String,
    pub(crate) service: Arc<Service>,
    pub(crate) timeout: Duration,
    pub(crate) expose_version: bool,
    pub(crate) request_id: bool,
}

/// What the routes of one name share.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    pub(crate) chooser: Chooser,
    pub(crate) groups: Vec<Group>,
    pub(crate) sticky: Option<Sticky>,
    pub(crate) prediction: Option<Arc<Path>>,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) slices: Vec<Slice>,
    /// Where single predictions are kept.
    pub(crate) ring: Option<Arc<Ring>>,
}

/// One version as a route uses it: as one of those that answer users, or as one that gets copies.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) version: Arc<str>,
    pub(crate) stats: Arc<VersionStats>,
    endpoints: Vec<Arc<Endpoint>>,
    weight: u32,
    turn: AtomicU32,
}

/// One process of a version. Survives tables that keep it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Unique over the life of the proxy: the key of the idle connections.
    pub(crate) key: u64,
    pub(crate) address: SocketAddr,
    id: String,
    in_flight: AtomicU32,
    /// Milliseconds since the start of the proxy until which it is passed over.
    out_until_ms: AtomicU64,
}

impl Routing {
    /// The table of a proxy that has not been given one.
    pub(crate) fn empty() -> Self {
        Self {
            table: Table::default(),
            by_host: HashMap::new(),
            by_suffix: HashMap::new(),
            any_host: Vec::new(),
            services: Vec::new(),
            endpoints: BTreeSet::new(),
        }
    }

    fn add(&mut self, route: &table::Route, service: Arc<Service>) {
        let host = route.host.as_deref().map(str::to_ascii_lowercase);
        let rules = match host.as_deref().map(|h| h.strip_prefix("*.").ok_or(h)) {
            None => &mut self.any_host,
            Some(Ok(suffix)) => self.by_suffix.entry(suffix.into()).or_default(),
            Some(Err(host)) => self.by_host.entry(host.into()).or_default(),
        };
        let exact = route.path.kind == PathKind::Exact;
        let path = &route.path.path;
        rules.push(Rule {
            exact,
            path: if exact { path.clone() } else { path.trim_end_matches('/').to_owned() },
            service,
            timeout: Duration::from_millis(route.timeout_ms),
            expose_version: route.expose_version,
            request_id: route.request_id,
        });
        rules.sort_by_key(|r| std::cmp::Reverse((r.exact, r.path.len())));
    }

    /// The rule for a request. A more specific host without a matching path leaves the request to the less specific ones.
    pub(crate) fn rule(&self, host: &[u8], target: &str) -> Option<&Rule> {
        let path = &target[..target.bytes().position(|b| b == b'?').unwrap_or(target.len())];
        if !(self.by_host.is_empty() && self.by_suffix.is_empty()) {
            let host = lowercase(without_port(host));
            let suffix = host.iter().position(|b| *b == b'.').map(|dot| &host[dot + 1..]);
            let candidates = [self.by_host.get(&*host), suffix.and_then(|s| self.by_suffix.get(s))];
            for rules in candidates.into_iter().flatten() {
                if let Some(rule) = rules.iter().find(|r| r.takes(path)) {
                    return Some(rule);
                }
            }
        }
        self.any_host.iter().find(|r| r.takes(path))
    }

    /// The endpoints as they are now.
    pub(crate) fn views(&self, now_ms: u64) -> Vec<EndpointView> {
        let mut views = Vec::new();
        let mut seen = BTreeSet::new();
        for service in &self.services {
            for group in service.all_groups() {
                // A version may answer users and get copies.
                let endpoints = group.endpoints.iter().filter(|e| seen.insert(e.key));
                views.extend(endpoints.map(|e| EndpointView {
                    route: service.name.clone(),
                    version: group.version.to_string(),
                    id: e.id.clone(),
                    address: e.address,
                    in_flight: u64::from(e.in_flight.load(Relaxed)),
                    ejected: e.is_out(|| now_ms),
                    leaving: false,
                }));
            }
        }
        views
    }

    /// The weight of a version that is in the table.
    fn weight(&self, route: &str, version: &str) -> Option<Weight> {
        let groups = &self.services.iter().find(|s| s.name == route)?.groups;
        let weight = groups.iter().find(|g| *g.version == *version)?.weight;
        let total = groups.iter().map(|g| u64::from(g.weight)).sum();
        Some(Weight { weight, total, steady: false })
    }
}

/// Most hosts are written that way already.
fn lowercase(host: &[u8]) -> Cow<'_, [u8]> {
    if host.iter().any(u8::is_ascii_uppercase) { host.to_ascii_lowercase().into() } else { host.into() }
}

fn without_port(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|b| *b == b':') {
        // A colon inside brackets belongs to an IPv6 address.
        Some(at) if !host[at..].contains(&b']') => &host[..at],
        _ => host,
    }
}

impl Rule {
    fn takes(&self, path: &str) -> bool {
        if self.exact {
            return path == self.path;
        }
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            // An OPTIONS request about the server as a whole has no path, only `*`.
            || (self.path.is_empty() && path == "*")
    }
}

impl Service {
    /// Those that answer users and those that get copies.
    fn all_groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().chain(self.mirrors.iter().map(|m| &m.group))
    }

    /// The first choice if any of its endpoints can be asked, otherwise the next group with weight, otherwise any; the same again
    /// with endpoints that are passed over for the moment. `None` when there is no endpoint at all.
    pub(crate) fn alive(
        &self,
        first: usize,
        avoid: &[u64],
        now_ms: impl Fn() -> u64,
    ) -> Option<(usize, &Arc<Endpoint>)> {
        let others = || (0..self.groups.len()).filter(move |g| *g != first);
        let weighted = others().filter(|g| self.groups[*g].weight > 0);
        let order = std::iter::once(first).chain(weighted).chain(others());
        let in_order =
            |ejected: bool| order.clone().find_map(|g| Some((g, self.groups[g].pick(avoid, &now_ms, ejected)?)));
        in_order(false).or_else(|| in_order(true))
    }
}

impl Group {
    /// The endpoint with the fewest requests, in turn among equals.
    pub(crate) fn pick(&self, avoid: &[u64], now_ms: impl Fn() -> u64, ejected: bool) -> Option<&Arc<Endpoint>> {
        let usable = |e: &&Arc<Endpoint>| !avoid.contains(&e.key) && (ejected || !e.is_out(&now_ms));
        if let [only] = &self.endpoints[..] {
            return Some(only).filter(usable);
        }
        let turn = self.turn.fetch_add(1, Relaxed) as usize % self.endpoints.len().max(1);
        let (before, from) = self.endpoints.split_at(turn);
        from.iter().chain(before).filter(usable).min_by_key(|e| e.in_flight.load(Relaxed))
    }
}

impl Endpoint {
    /// Most have never been out, and for those the time need not be worked out.
    fn is_out(&self, now_ms: impl Fn() -> u64) -> bool {
        let until = self.out_until_ms.load(Relaxed);
        until != 0 && until > now_ms()
    }

    /// Passes the endpoint over until the given time.
    pub(crate) fn eject(&self, until_ms: u64) {
        self.out_until_ms.store(until_ms, Relaxed);
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn occupy(self: &Arc<Self>) -> Occupied {
        self.in_flight.fetch_add(1, Relaxed);
        Occupied(self.clone())
    }
}

/// A request at an endpoint.
#[derive(Debug)]
pub(crate) struct Occupied(Arc<Endpoint>);

impl Drop for Occupied {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Milliseconds between two instants; 0 when they stand the other way round.
pub(crate) fn ms_between(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
