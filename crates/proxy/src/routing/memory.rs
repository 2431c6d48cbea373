//! What outlives a table: endpoints, fractions of weights, statistics, predictions that are kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{Endpoint, Group, Routing, Service};
use crate::mirror::Mirror;
use crate::prediction::Path;
use crate::report::EndpointView;
use crate::slice::Slice;
use crate::split::{Chooser, Rotation};
use crate::stats::{Ring, Statistics, Totals, VersionStats};
use crate::table::{self, Table};

/// The one memory of a proxy.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) statistics: Statistics,
    /// By route.
    rings: BTreeMap<String, Arc<Ring>>,
    /// What the entries of a new ring are numbered from.
    first_entry: u64,
    rotations: BTreeMap<String, Vec<Arc<Rotation>>>,
    /// By the names of route and mirror.
    mirror_rotations: BTreeMap<(String, String), Arc<Rotation>>,
    endpoints: BTreeMap<(String, String, String, SocketAddr), Arc<Endpoint>>,
    next_key: u64,
}

impl Memory {
    /// `first_entry` is above the number of every prediction that an earlier proxy kept.
    pub(crate) fn new(workers: usize, first_entry: u64) -> Self {
        Self {
            statistics: Statistics::new(workers),
            rings: BTreeMap::new(),
            first_entry,
            rotations: BTreeMap::new(),
            mirror_rotations: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            next_key: 0,
        }
    }

    /// Makes a table ready, reusing what it shares with the one before.
    ///
    /// # Errors
    /// Everything wrong with the table.
    pub(crate) fn prepare(&mut self, table: Table) -> Result<Routing, Vec<String>> {
        let problems = table.validate();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut routing = Routing::empty();
        let mut services: BTreeMap<&str, Arc<Service>> = BTreeMap::new();
        for route in &table.routes {
            let service = match services.get(route.name.as_str()) {
                Some(service) => service.clone(),
                None => {
                    let service = Arc::new(self.service(route).map_err(|why| vec![why])?);
                    services.insert(&route.name, service.clone());
                    service
                }
            };
            routing.add(route, service);
        }
        routing.services = services.values().cloned().collect();
        let endpoints = || routing.services.iter().flat_map(|s| s.all_groups()).flat_map(|g| &g.endpoints);
        routing.endpoints = endpoints().map(|e| e.key).collect();
        self.forget_idle(&routing);
        self.rotations.retain(|name, _| services.contains_key(name.as_str()));
        let next = &mut self.first_entry;
        self.rings.retain(|name, ring| {
            let kept = services.get(name.as_str()).is_some_and(|s| s.ring.is_some());
            if !kept {
                // A ring that is made later must not begin with numbers that were given already.
                *next = (*next).max(ring.next());
            }
            kept
        });
        let is_there = |route: &str, mirror: &str| {
            let mut mirrors = table.routes.iter().filter(|r| r.name == route).flat_map(|r| &r.split.mirrors);
            mirrors.any(|m| m.name == mirror)
        };
        self.mirror_rotations.retain(|(route, mirror), _| is_there(route, mirror));
        drop(services);
        routing.table = table;
        Ok(routing)
    }

    /// Forgets the endpoints that left the table and that no request holds any more. A request holds its endpoint from the
    /// moment it is chosen, and a table its endpoints as long as a worker looks at it, so none is forgotten too early.
    fn forget_idle(&mut self, routing: &Routing) {
        self.endpoints.retain(|_, e| routing.endpoints.contains(&e.key) || Arc::strong_count(e) > 1);
    }

    /// The endpoints that left the table and still work on requests.
    pub(crate) fn leaving(&mut self, routing: &Routing) -> Vec<EndpointView> {
        self.forget_idle(routing);
        let left = self.endpoints.iter().filter(|(_, e)| !routing.endpoints.contains(&e.key));
        let view = |((route, version, id, address), e): (&(String, String, String, SocketAddr), &Arc<Endpoint>)| {
            EndpointView {
                route: route.clone(),
                version: version.clone(),
                id: id.clone(),
                address: *address,
                in_flight: u64::from(e.in_flight.load(Relaxed)).max(1),
                ejected: false,
                leaving: true,
            }
        };
        left.map(view).collect()
    }

    fn service(&mut self, route: &table::Route) -> Result<Service, String> {
        let rotations = self.rotations.entry(route.name.clone()).or_default();
        let chooser = Chooser::new(&route.split, rotations).map_err(|e| e.to_string())?;
        let prediction = route.prediction.as_deref().map(Path::parse).transpose()?.map(Arc::new);
        let groups = route.split.groups.iter().map(|group| {
            let stats = self.statistics.version(&route.name, &group.version);
            if route.sticky.is_some() {
                let limits = route.units.unwrap_or_default();
                stats.units.limit(limits.silence_ms, limits.requests);
            }
            self.group(&route.name, &group.version, stats, &group.endpoints, group.weight)
        });
        let groups: Vec<Group> = groups.collect();
        let mirrors = route.split.mirrors.iter().map(|mirror| {
            let rotation = self.mirror_rotations.entry((route.name.clone(), mirror.name.clone())).or_default().clone();
            let stats = self.statistics.mirror(&route.name, &mirror.version);
            let pair = |group: &Group| self.statistics.pair(&route.name, &group.version, &mirror.version);
            let pairs = groups.iter().map(pair).collect();
            let group = self.group(&route.name, &mirror.version, stats, &mirror.endpoints, 0);
            Mirror::new(mirror, rotation, group, pairs).map_err(|e| e.to_string())
        });
        let mirrors = mirrors.collect::<Result<_, _>>()?;
        let slices = route.slices.iter().map(|slice| {
            let stats = groups.iter().map(|g| self.statistics.slice(&route.name, &slice.name, &g.stats));
            Slice::new(slice, stats.collect())
        });
        let slices = slices.collect::<Result<_, _>>()?;
        let (name, sticky, ring) = (route.name.clone(), route.sticky.clone(), self.ring(route));
        Ok(Service { name, chooser, groups, sticky, prediction, mirrors, slices, ring })
    }

    /// Where a route keeps its predictions, with those that it has kept already.
    fn ring(&mut self, route: &table::Route) -> Option<Arc<Ring>> {
        let table::Record { capacity } = route.record?;
        let new = || Arc::new(Ring::new(capacity, self.first_entry));
        let ring = self.rings.entry(route.name.clone()).or_insert_with(new);
        ring.resize(capacity);
        Some(ring.clone())
    }

    /// The ring of a route.
    pub(crate) fn ring_of(&self, route: &str) -> Option<Arc<Ring>> {
        self.rings.get(route).cloned()
    }

    /// Everything counted, with the weights of a table.
    pub(crate) fn totals(&self, routing: &Routing) -> Totals {
        let mut totals = self.statistics.totals();
        for counts in &mut totals.versions {
            counts.weight = routing.weight(&counts.route, &counts.version);
        }
        totals
    }

    fn group(
        &mut self,
        route: &str,
        version: &str,
        stats: Arc<VersionStats>,
        endpoints: &[table::Endpoint],
        weight: u32,
    ) -> Group {
        let endpoints = endpoints.iter().map(|e| self.endpoint(route, version, e)).collect();
        Group { version: version.into(), stats, endpoints, weight, turn: AtomicU32::new(0) }
    }

    fn endpoint(&mut self, route: &str, version: &str, endpoint: &table::Endpoint) -> Arc<Endpoint> {
        let identity = (route.to_owned(), version.to_owned(), endpoint.id.clone(), endpoint.address);
        let entry = self.endpoints.entry(identity).or_insert_with(|| {
            self.next_key += 1;
            Arc::new(Endpoint {
                key: self.next_key,
                address: endpoint.address,
                id: endpoint.id.clone(),
                in_flight: AtomicU32::new(0),
                out_until_ms: AtomicU64::new(0),
            })
        });
        entry.clone()
    }
}
