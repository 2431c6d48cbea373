//! The simulated world: it keeps what an adapter would observe, does what an action asks, and changes by itself.

pub mod experiment;
pub mod member;
pub mod plugin;
mod queue;
mod runs;

use std::collections::BTreeMap;

use serin_core::analysis::RunPhase;
use serin_core::experiment::{ExperimentAction, ExperimentDecision};
use serin_core::plugin::{PluginAnswer, Plugins};
use serin_core::rollout::Strategy;
use serin_core::world::Service;
use serin_core::{Action, Decision, Hash, Pool, Rollout, Span, Time, World};
use serin_stats::batch::Batch;

use crate::load::Load;
use crate::measure::Plans;
use crate::random::Rng;
use experiment::SimExperiment;
pub use experiment::{ExperimentPlan, TemplatePlan};
pub use member::{Behaviour, Delay};
use member::{Change, Member};
pub use plugin::Plugin;
use plugin::PluginHost;
use queue::Queue;
use runs::SimRun;

/// How a version behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// How its members come and go.
    pub members: Behaviour,
    /// What each metric measures for it, unless a query says.
    pub measures: BTreeMap<String, Measure>,
}

impl Version {
    /// A version whose members are ready after a fixed time (`None` never), which measures nothing.
    pub fn steady(ready_after: Option<Span>) -> Self {
        Self { members: Behaviour::steady(ready_after), measures: BTreeMap::new() }
    }
}

/// What a metric measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// One sample.
    Number(f64),
    /// An empty vector.
    NoData,
    /// The query fails.
    Broken(String),
}

/// What happened, for a transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A decision did something.
    Decided(Box<Decision>),
    /// A decision about an experiment did something.
    Experimented(String, Box<ExperimentDecision>),
    /// A measurement was taken.
    Measured {
        /// The run.
        run: String,
        /// The metric.
        metric: String,
        /// The value as text.
        value: String,
        /// The result.
        phase: RunPhase,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: String,
        /// How.
        phase: RunPhase,
        /// Why.
        message: String,
    },
    /// Something went wrong on the way between decisions and the world.
    Fault(String),
}

/// What a decision asks of the world.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// For the rollout.
    Rollout(Action),
    /// For an experiment of this name.
    Experiment(String, ExperimentAction),
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Asked::Rollout(action) => action.fmt(f),
            Asked::Experiment(name, action) => write!(f, "{name}: {action}"),
        }
    }
}

/// What happens by itself.
#[derive(Debug, Clone)]
enum Event {
    /// A member changes.
    Member { pool: Hash, id: u64, change: Change },
    /// An action that was on its way arrives.
    Arrives(Box<Asked>),
    /// A step plugin answers.
    Answer { id: String, answer: Result<PluginAnswer, String> },
    /// A member is scraped.
    Scrape { pool: Hash, id: u64 },
    /// The router is scraped.
    ScrapeRouter,
    /// How versions answer begins or ceases to change.
    Turn,
}

/// The world of one rollout.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The clock.
    pub now: Time,
    /// What there is, in the form in which it is observed. The counts of the pools and the phases of the runs are kept
    /// true by [`Cluster::advance`] and [`Cluster::measure`]; everything else may be changed at will.
    pub truth: World,
    /// How each version behaves.
    pub versions: BTreeMap<Hash, Version>,
    /// What each run measures.
    pub plans: Plans,
    /// How long a member must have been ready to be available (`minReadySeconds`).
    pub min_ready: Span,
    /// The requests and what is counted of them; [`Cluster::set_load`] sets it.
    pub load: Option<Box<Load>>,
    members: BTreeMap<Hash, Vec<Member>>,
    runs: BTreeMap<String, SimRun>,
    /// What was counted by the second for tests, oldest first.
    counted: Vec<Batch>,
    /// What each experiment step asks for, by index of the step.
    pub experiment_plans: BTreeMap<usize, ExperimentPlan>,
    experiments: BTreeMap<String, SimExperiment>,
    plugins: PluginHost,
    queue: Queue<Event>,
    rng: Rng,
    born: u64,
}

impl Cluster {
    /// A world with nothing deployed. What is random in it follows from the seed.
    pub fn new(rollout: Rollout, now: Time, seed: u64) -> Self {
        let services = services(&rollout);
        let truth = World {
            rollout,
            status: serin_core::Status::default(),
            pools: Vec::new(),
            runs: Vec::new(),
            experiments: Vec::new(),
            services,
            split: None,
            plugins: Plugins::default(),
        };
        Self {
            now,
            truth,
            versions: BTreeMap::new(),
            plans: Plans::default(),
            min_ready: Span::ZERO,
            load: None,
            members: BTreeMap::new(),
            runs: BTreeMap::new(),
            counted: Vec::new(),
            experiment_plans: BTreeMap::new(),
            experiments: BTreeMap::new(),
            plugins: PluginHost::default(),
            queue: Queue::default(),
            rng: Rng::stream(seed, 1),
            born: 0,
        }
    }

    /// Wanted members of the pools that have any, `v1=4,v2=1`.
    pub fn sizes(&self) -> String {
        let sizes = self.truth.pools.iter().filter(|p| p.size > 0).map(|p| format!("{}={}", p.hash, p.size));
        sizes.collect::<Vec<_>>().join(",")
    }

    /// When the next thing happens by itself; measurements included.
    pub fn next_at(&self) -> Option<Time> {
        let runs = self.runs.values().filter_map(|run| run.wake_at);
        runs.chain(self.queue.next_at()).min().map(|at| at.max(self.now))
    }

    /// Whether no member is about to change and no action is on its way.
    pub fn members_rest(&self) -> bool {
        self.queue.next_at().is_none()
    }

    /// Lets requests come from now on.
    pub fn set_load(&mut self, load: Load) {
        let turns = load.scene.answers.values().flat_map(|a| &a.changes).map(|c| (c.at, c.over));
        let outages = load.scene.outages.iter().map(|o| (o.at, o.lasts));
        for (at, lasts) in turns.chain(outages) {
            for moment in [at, at + lasts] {
                self.queue.push(moment, Event::Turn);
            }
        }
        self.queue.push(self.now, Event::ScrapeRouter);
        let mut load = Box::new(load);
        for (pool, member) in self.members.iter().flat_map(|(pool, members)| members.iter().map(move |m| (pool, m))) {
            let first = self.now + load.until_first_scrape();
            self.queue.push(first, Event::Scrape { pool: pool.clone(), id: member.id });
        }
        self.load = Some(load);
        let hashes: Vec<Hash> = self.members.keys().cloned().collect();
        hashes.iter().for_each(|hash| self.tell_load(hash));
    }

    /// Lets a restart of members older than `at` be wanted; an adapter then observes them one by one.
    pub fn restart(&mut self, at: Time) {
        self.truth.rollout.restart_at = Some(at);
        let hashes: Vec<Hash> = self.members.keys().cloned().collect();
        hashes.iter().for_each(|hash| self.count(hash));
    }

    /// Moves the clock to `to` and lets happen what is due until then. Returns whether anything changed that an adapter
    /// observes.
    pub fn advance(&mut self, to: Time) -> bool {
        let mut changed = false;
        while let Some((at, event)) = self.queue.pop(to) {
            self.pass_time(at);
            match event {
                Event::Member { pool, id, change } => changed |= self.change_member(&pool, id, change),
                Event::Arrives(action) => {
                    self.carry_out(&action);
                    changed = true;
                }
                Event::Answer { id, answer } => {
                    self.take_answer(&id, answer);
                    changed = true;
                }
                Event::Scrape { pool, id } => self.scrape(pool, id),
                Event::ScrapeRouter => {
                    if let Some(load) = &mut self.load {
                        load.scrape_router();
                        let next = self.now + load.until_next_scrape();
                        self.queue.push(next, Event::ScrapeRouter);
                    }
                }
                Event::Turn => {}
            }
        }
        self.pass_time(to);
        changed
    }

    fn pass_time(&mut self, to: Time) {
        self.now = self.now.max(to);
        if let Some(load) = &mut self.load {
            load.carry(self.now, &self.truth);
        }
    }

    fn scrape(&mut self, pool: Hash, id: u64) {
        let slot = self.members.get(&pool).and_then(|members| members.iter().position(|m| m.id == id));
        let (Some(slot), Some(load)) = (slot, &mut self.load) else { return };
        load.scrape_member(&pool, slot);
        let next = self.now + load.until_next_scrape();
        self.queue.push(next, Event::Scrape { pool, id });
    }

    /// An action that is on its way and arrives later.
    pub fn carry_out_later(&mut self, at: Time, asked: Asked) {
        self.queue.push(at, Event::Arrives(Box::new(asked)));
    }

    /// Carries out what was asked.
    pub fn carry_out(&mut self, asked: &Asked) {
        match asked {
            Asked::Rollout(action) => self.apply(action),
            Asked::Experiment(name, action) => self.apply_to_experiment(name, action),
        }
    }

    /// Carries out one action, as an adapter would. Twice is once.
    pub fn apply(&mut self, action: &Action) {
        let now = self.now;
        if let Some(load) = &mut self.load {
            load.changed();
        }
        match action {
            Action::CreatePool { hash, revision } => {
                if self.truth.pool(hash).is_none() {
                    self.truth.pools.push(Pool::new(hash.clone(), *revision, now));
                }
            }
            Action::SetRevision { hash, revision } => self.edit(hash, |p| p.revision = *revision),
            Action::ScalePool { hash, size, replicas_seen } => {
                self.edit(hash, |p| {
                    p.size = *size;
                    p.replicas_seen = Some(*replicas_seen);
                    if *size == 0 {
                        p.scale_down_at = None;
                    }
                });
                if self.truth.pool(hash).is_some() {
                    self.staff(hash, *size);
                }
            }
            Action::SetScaleDownAt { hash, at } => self.edit(hash, |p| p.scale_down_at = *at),
            Action::MarkPromoted { hash } => self.edit(hash, |p| p.promoted = true),
            Action::SetMetadata { hash, metadata } => self.edit(hash, |p| p.metadata = metadata.clone()),
            Action::EvictMember { hash, member, older_than } => self.evict(hash, member, *older_than),
            Action::CallPlugin(call) => self.call_plugin(call),
            Action::DeletePool { hash } => {
                self.truth.pools.retain(|p| p.hash != *hash);
                self.members.remove(hash);
                self.tell_load(hash);
            }
            Action::PointService { service, hash } => {
                for s in self.truth.services.iter_mut().filter(|s| s.name == *service) {
                    s.selects = Some(hash.clone());
                }
            }
            Action::ScaleWorkload { replicas } => {
                if let Some(workload) = &mut self.truth.rollout.workload {
                    workload.replicas = *replicas;
                }
            }
            Action::SetSplit(split) => self.truth.split = Some(split.clone()),
            Action::StartRun { name, kind, hash, .. } => self.start_run(name, *kind, hash),
            Action::StopRun { name } => self.stop_run(name),
            Action::DeleteRun { name } => {
                self.runs.remove(name);
                self.truth.runs.retain(|r| r.name != *name);
            }
            Action::StartExperiment { name, step, hash, .. } => self.start_experiment(name, *step, hash),
            Action::StopExperiment { name } => self.stop_experiment(name),
            Action::DeleteExperiment { name } => self.delete_experiment(name),
        }
    }

    fn edit(&mut self, hash: &Hash, edit: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.truth.pools.iter_mut().find(|p| p.hash == *hash) {
            edit(pool);
        }
    }

    /// Makes as many members exist as the pool wants; the newest go first.
    fn staff(&mut self, hash: &Hash, size: u32) {
        let size = size as usize;
        let mut members = self.members.remove(hash).unwrap_or_default();
        members.truncate(size);
        while members.len() < size {
            let member = self.start_member(hash);
            members.push(member);
        }
        self.members.insert(hash.clone(), members);
        self.count(hash);
    }

    /// A new member takes the place of an old one.
    fn evict(&mut self, hash: &Hash, name: &str, older_than: Time) {
        let slots = self.members.get(hash).map_or(0, Vec::len);
        for slot in (0..slots).filter(|slot| member_name(hash, *slot) == name) {
            if self.members[hash][slot].started >= older_than {
                continue;
            }
            let fresh = self.start_member(hash);
            if let Some(old) = self.members.get_mut(hash).and_then(|members| members.get_mut(slot)) {
                *old = fresh;
            }
        }
        self.count(hash);
    }

    fn start_member(&mut self, hash: &Hash) -> Member {
        self.born += 1;
        let id = self.born;
        if let Some(version) = self.versions.get(hash) {
            let behaviour = &version.members;
            let never = behaviour.never_ready > 0.0 && self.rng.chance(behaviour.never_ready);
            let ready_at = self.now + behaviour.ready_after.draw(&mut self.rng);
            if !never {
                self.queue.push(ready_at, Event::Member { pool: hash.clone(), id, change: Change::Ready });
            }
        }
        if let Some(load) = &mut self.load {
            let first = self.now + load.until_first_scrape();
            self.queue.push(first, Event::Scrape { pool: hash.clone(), id });
        }
        Member { id, started: self.now, ready_since: None, told: false }
    }

    /// What a member does by itself; nothing if it is gone by now.
    fn change_member(&mut self, hash: &Hash, id: u64, change: Change) -> bool {
        let now = self.now;
        let Some(members) = self.members.get_mut(hash) else { return false };
        let Some(member) = members.iter_mut().find(|m| m.id == id) else { return false };
        match change {
            Change::Ready => {
                member.ready_since = Some(now);
                self.after_ready(hash, id);
            }
            Change::Available => {}
            Change::Unready => {
                member.ready_since = None;
                let lasts = self.versions[hash].members.flap_lasts.draw(&mut self.rng);
                self.queue.push(now + lasts, Event::Member { pool: hash.clone(), id, change: Change::Ready });
            }
            Change::Crash => {
                let again = self.start_member(hash);
                let members = self.members.get_mut(hash).into_iter().flatten();
                members.filter(|m| m.id == id).for_each(|m| *m = again.clone());
            }
        }
        self.count(hash);
        true
    }

    /// Every member of a version ends and starts again, as its version behaves now.
    pub fn crash(&mut self, hash: &Hash) {
        self.start_again(hash, |_| true);
    }

    /// Members of a version that are not ready get another chance, as their version behaves now.
    pub fn restart_unready(&mut self, hash: &Hash) {
        self.start_again(hash, |member| member.ready_since.is_none());
    }

    fn start_again(&mut self, hash: &Hash, which: impl Fn(&Member) -> bool) {
        let members = self.members.get(hash).into_iter().flatten();
        let ids: Vec<u64> = members.filter(|member| which(member)).map(|member| member.id).collect();
        for id in ids {
            self.change_member(hash, id, Change::Crash);
        }
    }

    /// What is ahead of a member that just became ready.
    fn after_ready(&mut self, hash: &Hash, id: u64) {
        let now = self.now;
        let event = |change| Event::Member { pool: hash.clone(), id, change };
        if self.min_ready > Span::ZERO {
            self.queue.push(now + self.min_ready, event(Change::Available));
        }
        let Some(version) = self.versions.get(hash) else { return };
        let mut after = |mean: Option<Span>| {
            let ms = crate::sample::exponential(&mut self.rng, mean?.as_millis() as f64);
            Some(Span::from_millis(ms as i64))
        };
        // Whichever comes first; after it, the member draws anew.
        let (crash, flap) = (after(version.members.crash_every), after(version.members.flap_every));
        match (crash, flap) {
            (Some(crash), flap) if flap.is_none_or(|flap| crash <= flap) => {
                self.queue.push(now + crash, event(Change::Crash));
            }
            (_, Some(flap)) => self.queue.push(now + flap, event(Change::Unready)),
            _ => {}
        }
    }

    /// Brings the counts of a pool up to date.
    fn count(&mut self, hash: &Hash) {
        let members = self.members.get(hash).map_or(&[][..], Vec::as_slice);
        let (now, min_ready) = (self.now, self.min_ready);
        let ready = members.iter().filter(|m| m.ready_since.is_some()).count() as u32;
        let available = members.iter().filter(|m| m.ready_since.is_some_and(|at| at + min_ready <= now)).count() as u32;
        let roster = members.iter().enumerate().map(|(slot, member)| serin_core::world::Member {
            name: member_name(hash, slot),
            started: member.started,
            available: member.ready_since.is_some_and(|at| at + min_ready <= now),
            leaving: false,
        });
        // Only a restart looks at members one by one.
        let roster: Vec<_> = roster.filter(|_| self.truth.rollout.restart_at.is_some()).collect();
        let existing = members.len() as u32;
        self.edit(hash, |p| {
            (p.members, p.ready, p.available) = (existing, ready, available);
            p.roster = roster;
        });
        let mut touched = false;
        for experiment in self.experiments.values_mut() {
            for pool in experiment.pools.iter_mut().filter(|p| p.hash == *hash) {
                (pool.members, pool.ready, pool.available) = (existing, ready, available);
                touched = true;
            }
        }
        if touched {
            self.show_experiments();
        }
        self.tell_load(hash);
    }

    /// Tells the load who can answer.
    fn tell_load(&mut self, hash: &Hash) {
        let Some(load) = &mut self.load else { return };
        let members = self.members.get_mut(hash).map_or(&mut [][..], Vec::as_mut_slice);
        let view: Vec<(bool, bool)> =
            members.iter_mut().map(|m| (m.ready_since.is_some(), !std::mem::replace(&mut m.told, true))).collect();
        load.members(hash, &view);
    }
}

/// The name of a member.
fn member_name(hash: &Hash, slot: usize) -> String {
    format!("{hash}-{slot}")
}

/// The services of a rollout; each selects nothing yet.
fn services(rollout: &Rollout) -> Vec<Service> {
    let names: Vec<Option<String>> = match &rollout.strategy {
        Strategy::Canary(canary) => {
            let pair = canary.ping_pong.as_ref().map(|pair| [pair.ping.clone(), pair.pong.clone()]);
            let pair = pair.into_iter().flatten().map(Some);
            [canary.stable_service.clone(), canary.canary_service.clone()].into_iter().chain(pair).collect()
        }
        Strategy::BlueGreen(blue_green) => {
            vec![Some(blue_green.active_service.clone()), blue_green.preview_service.clone()]
        }
    };
    names.into_iter().flatten().map(|name| Service { name, selects: None }).collect()
}
