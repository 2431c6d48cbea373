//! Members: which run, which are ready and since when, which should start and stop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serin_core::{Hash, Member, Span, Time};
use serin_proxy::table::Endpoint;
use serin_supervisor::{MemberView, State};

use super::Engine;
use crate::LocalError;
use crate::model::{Key, PoolState, Workload};
use crate::observe::Staffing;
use crate::route::Endpoints;
use crate::staff::{self, Ground, MemberId};

/// How long the log of a member that is gone is kept: long enough to look into last week's incident.
const LOG_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is seen of the members.
#[derive(Debug, Default)]
pub(super) struct Members {
    seen: BTreeMap<MemberId, Seen>,
    failures: BTreeMap<(Key, Hash), String>,
    counts: BTreeMap<(Key, Hash), Staffing>,
    /// Some member is ready but not yet for `minReadySeconds`.
    awaits_time: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) view: MemberView,
    ready_since: Option<Time>,
    /// When its process was started; now, while it has none.
    started: Time,
    /// Whether it has been ready for `minReadySeconds`.
    available: bool,
}

impl Seen {
    /// Whether it is to be replaced: told so, and still the one that was meant.
    fn is_evicted(&self, id: &MemberId, pool: &PoolState) -> bool {
        !self.leaves() && pool.evictions.get(&id.pod()).is_some_and(|older_than| self.started < *older_than)
    }

    fn member(&self, id: &MemberId, pool: &PoolState) -> Member {
        let leaving = self.leaves() || self.is_evicted(id, pool);
        Member { name: id.pod(), started: self.started, available: self.available && !leaving, leaving }
    }

    /// Whether it is on its way out.
    fn leaves(&self) -> bool {
        matches!(self.view.state, State::Draining { .. } | State::Stopping { restart: false, .. } | State::Gone)
    }
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The members of a pool. One that is to be replaced serves until another does, but is not counted as one that stays.
    pub(super) fn staffing(&self, workload: &Workload, hash: &Hash) -> Staffing {
        let key = workload.key();
        let place = (key.clone(), hash.clone());
        let mut staffing = self.counts.get(&place).cloned().unwrap_or_default();
        staffing.failure = self.failures.get(&place).cloned();
        let Some(pool) = workload.pool(hash) else { return staffing };
        if !pool.evictions.is_empty() {
            let evicted = self.of(&key, hash).filter(|(id, seen)| seen.is_evicted(id, pool)).count();
            staffing.members = staffing.members.saturating_sub(u32::try_from(evicted).unwrap_or(u32::MAX));
            staffing.ready = staffing.ready.min(staffing.members);
            staffing.available = staffing.available.min(staffing.ready);
        }
        if workload.restart_pending() {
            staffing.roster = self.of(&key, hash).map(|(id, seen)| seen.member(id, pool)).collect();
        }
        staffing
    }

    /// The members of a version of an experiment.
    pub(super) fn of_version(&self, set: &Key, hash: &Hash) -> Staffing {
        let place = (set.clone(), hash.clone());
        let staffing = self.counts.get(&place).cloned().unwrap_or_default();
        Staffing { failure: self.failures.get(&place).cloned(), ..staffing }
    }

    pub(super) fn of(&self, key: &Key, hash: &Hash) -> impl Iterator<Item = (&MemberId, &Seen)> {
        let id = |ordinal| MemberId { rollout: key.clone(), hash: hash.clone(), ordinal };
        self.seen.range(id(0)..=id(u32::MAX))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&MemberId, &Seen)> {
        self.seen.iter()
    }

    /// Members that take requests now.
    pub(super) fn endpoints(&self) -> Endpoints {
        let mut endpoints = Endpoints::new();
        for (id, seen) in self.seen.iter().filter(|(_, s)| s.view.is_ready()) {
            let endpoint = Endpoint { id: id.pod(), address: SocketAddr::from(([127, 0, 0, 1], seen.view.port)) };
            endpoints.entry((id.rollout.clone(), id.hash.clone())).or_default().push(endpoint);
        }
        endpoints
    }
}

impl Engine {
    /// Takes up the processes that an earlier control process left, each as what it is: one that the router sends requests to
    /// counts as ready until its probe says otherwise, and since its start, so that a restart moves no traffic and nobody is
    /// less available than before.
    pub(super) fn adopt(&mut self) {
        let in_rotation: BTreeSet<String> = self
            .link
            .carried()
            .iter()
            .flat_map(|table| &table.routes)
            .flat_map(|route| &route.split.groups)
            .flat_map(|group| group.endpoints.iter().map(|e| e.id.clone()))
            .collect();
        let mut presumed = BTreeSet::new();
        for process in self.supervisor.unclaimed() {
            let Some(id) = MemberId::parse(&process) else { continue };
            let template = self.wanted_pool(&id.rollout, &id.hash).map(|p| p.template);
            let Some(template) = template else { continue };
            if let Ok(spec) = staff::process(&id, &template, self.ground()) {
                let ready = in_rotation.contains(&id.pod());
                self.supervisor.want(spec);
                if ready {
                    self.supervisor.presume_ready(&process);
                    presumed.insert(id);
                }
            }
        }
        self.supervisor.stop_unclaimed();
        self.refresh_members(true, &presumed);
    }

    /// Checks that every running member that is still wanted can be taken up. Otherwise the traffic of those that cannot would
    /// end with a start that should not be noticed.
    ///
    /// # Errors
    /// Which member, and why.
    pub(super) fn claim(&self) -> Result<(), LocalError> {
        for process in self.supervisor.unclaimed() {
            let Some(id) = MemberId::parse(&process) else { continue };
            let Some(pool) = self.wanted_pool(&id.rollout, &id.hash) else { continue };
            if pool.size > 0
                && let Err(why) = staff::process(&id, &pool.template, self.ground())
            {
                let message = format!("{} runs and cannot be taken up: {why}", id.pod());
                return Err(LocalError::refused_with(message, "put that right, or stop everything with `serin down`"));
            }
        }
        Ok(())
    }

    pub(super) fn ground(&self) -> Ground<'_> {
        Ground { side: &self.side, objects: &self.objects, speed: self.clock.speed }
    }

    pub(super) fn look_at_members(&mut self) {
        let changed = self.supervisor.turn();
        if changed || self.members.awaits_time {
            self.refresh_members(changed, &BTreeSet::new());
        }
    }

    /// Brings what is seen up to date; rollouts whose members changed are decided again. `presumed` members are ready since
    /// they were started.
    fn refresh_members(&mut self, changed: bool, presumed: &BTreeSet<MemberId>) {
        let now = self.now();
        let views = self.supervisor.members();
        let mut seen = BTreeMap::new();
        for view in views {
            let Some(id) = MemberId::parse(&view.id) else { continue };
            let started = view.started_ms.map_or(now, |ms| self.clock.at(ms));
            let since = self.members.seen.get(&id).and_then(|s| s.ready_since);
            let since = since.or_else(|| presumed.contains(&id).then_some(started));
            let ready_since = view.is_ready().then(|| since.unwrap_or(now));
            if self
                .members
                .seen
                .get(&id)
                .is_none_or(|s| s.view.is_ready() != view.is_ready() || s.view.port != view.port)
            {
                self.routes_stale = true;
            }
            let min_ready = self.wanted_pool(&id.rollout, &id.hash).map_or(0, |p| p.min_ready_s);
            let available = ready_since.is_some_and(|since| now >= since + Span::from_secs(i64::from(min_ready)));
            seen.insert(id, Seen { view, ready_since, started, available });
        }
        self.routes_stale |= changed;
        self.staff_stale |= changed;
        self.members.seen = seen;
        let mut counts: BTreeMap<(Key, Hash), Staffing> = BTreeMap::new();
        for (id, seen) in self.members.seen.iter().filter(|(_, s)| !s.leaves()) {
            let place = counts.entry((id.rollout.clone(), id.hash.clone())).or_default();
            place.members += 1;
            place.ready += u32::from(seen.ready_since.is_some());
            place.available += u32::from(seen.available);
        }
        let altered = counts.iter().filter(|(place, count)| self.members.counts.get(*place) != Some(*count));
        let gone = self.members.counts.keys().filter(|p| !counts.contains_key(*p));
        let touched: Vec<Key> = altered.map(|(place, _)| place).chain(gone).map(|place| place.0.clone()).collect();
        touched.iter().for_each(|set| self.touch(set));
        // A member that became available may let another one go.
        self.staff_stale |= !touched.is_empty();
        if changed {
            // Who they are matters while they are replaced, not only how many there are.
            let restarting = self.workloads.iter().filter(|(_, w)| w.restart_pending());
            self.dirty.extend(restarting.map(|(key, _)| key.clone()));
        }
        self.members.awaits_time = counts.values().any(|c| c.available < c.ready);
        self.members.counts = counts;
    }

    /// Starts and stops members until every pool has what it wants.
    pub(super) fn staff(&mut self) {
        if !self.staff_stale {
            return;
        }
        self.staff_stale = false;
        let mut wanted: Vec<MemberId> = Vec::new();
        let mut failures = BTreeMap::new();
        let mut stops = Vec::new();
        for (key, hash, size) in self.pools() {
            let restarted = self.workloads.get(&key).and_then(|w| w.pool(&hash));
            let (mut live, mut leaving) = (BTreeSet::new(), BTreeSet::new());
            let (mut serving, mut evicted) = (0, Vec::new());
            for (id, seen) in self.members.of(&key, &hash) {
                if restarted.is_some_and(|pool| seen.is_evicted(id, pool)) {
                    leaving.insert(id.ordinal);
                    evicted.push((id.ordinal, seen.view.is_ready()));
                } else if seen.leaves() {
                    leaving.insert(id.ordinal);
                } else {
                    live.insert(id.ordinal);
                    serving += u32::from(seen.available);
                }
            }
            let (start, mut stop) = staff::changes(size, &live, &leaving);
            stop.extend(staff::replaced(size, serving, &evicted));
            let id = |ordinal| MemberId { rollout: key.clone(), hash: hash.clone(), ordinal };
            wanted.extend(start.into_iter().map(id));
            stops.extend(stop.into_iter().map(id));
        }
        // Members of pools that are gone.
        let orphans =
            self.members.all().filter(|(id, seen)| !seen.leaves() && self.wanted_pool(&id.rollout, &id.hash).is_none());
        stops.extend(orphans.map(|(id, _)| id.clone()));
        self.forget_evictions();
        let mut started = false;
        for id in wanted {
            let Some(template) = self.wanted_pool(&id.rollout, &id.hash).map(|p| p.template) else { continue };
            match staff::process(&id, &template, self.ground()) {
                Ok(spec) => {
                    self.supervisor.want(spec);
                    started = true;
                }
                Err(why) => {
                    failures.insert((id.rollout.clone(), id.hash.clone()), why);
                }
            }
        }
        for id in &stops {
            self.supervisor.stop(&id.process());
        }
        for (id, seen) in self.members.all() {
            // A process that cannot even be started makes no member; its pool says why.
            if let (State::Waiting { .. }, None, Some(trouble)) = (seen.view.state, seen.view.pid, &seen.view.trouble)
                && trouble.starts_with("failed to")
            {
                failures.entry((id.rollout.clone(), id.hash.clone())).or_insert_with(|| trouble.clone());
            }
        }
        let places = failures.keys().chain(self.members.failures.keys());
        let changed = places.filter(|place| failures.get(*place) != self.members.failures.get(*place));
        let touched: Vec<Key> = changed.map(|place| place.0.clone()).collect();
        touched.iter().for_each(|set| self.touch(set));
        self.members.failures = failures;
        if !stops.is_empty() || started {
            self.refresh_members(true, &BTreeSet::new());
        }
    }

    /// What was to be replaced and is gone, or is a new one of the same name, is not remembered.
    fn forget_evictions(&mut self) {
        let members = &self.members;
        for (key, workload) in &mut self.workloads {
            for pool in workload.pools.iter_mut().filter(|pool| !pool.evictions.is_empty()) {
                let meant: BTreeSet<String> = members
                    .of(key, &pool.hash)
                    .filter(|(id, seen)| seen.is_evicted(id, pool))
                    .map(|(id, _)| id.pod())
                    .collect();
                pool.evictions.retain(|name, _| meant.contains(name));
            }
        }
    }

    /// Members that drain are told so once the router sends them nothing and waits for nothing of them.
    pub(super) async fn drain(&mut self) {
        let draining: Vec<MemberId> = self
            .members
            .all()
            .filter(|(_, s)| matches!(s.view.state, State::Draining { .. }))
            .map(|(id, _)| id.clone())
            .collect();
        if draining.is_empty() || self.routes_stale {
            return;
        }
        let Some(stats) = self.link.stats().await else { return };
        let mut changed = false;
        for id in draining {
            let pod = id.pod();
            let busy = stats.endpoints.iter().any(|e| e.id == pod && e.in_flight > 0);
            if !busy {
                self.supervisor.drained(&id.process());
                changed = true;
            }
        }
        if changed {
            self.refresh_members(true, &BTreeSet::new());
        }
    }

    /// Keeps the logs of router and control process within bounds, and forgets those of members that are long gone.
    pub(super) fn tidy_logs(&self) {
        let folder = self.options.state.join("logs");
        let plugins = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let logs = ["router.log", "serin.log"].map(|name| folder.join(name));
        for path in logs.into_iter().chain(plugins.filter(|path| crate::plugin::is_log(path))) {
            // One that cannot be rotated is tried again with the next snapshot.
            let _ = serin_supervisor::logs::rotate(&path);
        }
        let live: BTreeSet<PathBuf> = self.members.all().map(|(_, seen)| seen.view.log.clone()).collect();
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let old = entry
                .metadata()
                .and_then(|m| m.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LOG_KEPT));
            let member = path.file_stem().and_then(|s| s.to_str()).is_some_and(|stem| MemberId::parse(stem).is_some());
            if old && member && !live.contains(&path.with_extension("log")) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    /// Everything is to stop.
    pub(super) fn begin_down(&mut self) {
        self.going_down = true;
        let ids: Vec<String> = self.supervisor.members().into_iter().map(|m| m.id).collect();
        for id in ids {
            self.supervisor.stop(&id);
            if !self.link.is_connected() {
                // Without a router no request is under way.
                self.supervisor.drained(&id);
            }
        }
        // That they drain is seen at once, or each would wait for the end of its time.
        self.refresh_members(true, &BTreeSet::new());
    }
}
