//! The simulated world: it keeps what an adapter would observe, and does what a decision asks.

use std::collections::BTreeMap;

use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{Measurement, Metric, RunKind, RunPhase, RunSpec, RunStatus, assess, record, verdict};
use serin_core::plugin::{PluginCallSeen, Plugins};
use serin_core::rollout::Strategy;
use serin_core::world::{Pool, Run, Service, World};
use serin_core::{Action, Decision, Hash, Rollout, Span, Split, Status, Time, decide};
use serin_expr::Value;

/// How a version behaves.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// Time from the start of a member to its readiness; `None` never gets there.
    pub ready_after: Option<Span>,
    /// What each metric measures for it: a number, or nothing ("no data"), or a failing query.
    pub measures: BTreeMap<String, Measure>,
}

/// What a query answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// One sample.
    Number(f64),
    /// An empty vector.
    NoData,
    /// The query fails.
    Broken(String),
}

#[derive(Debug, Clone)]
struct Member {
    started: Time,
    ready_at: Option<Time>,
}

#[derive(Debug)]
struct SimRun {
    kind: RunKind,
    hash: Hash,
    created: Time,
    spec: RunSpec,
    status: RunStatus,
}

/// The world of one rollout.
#[derive(Debug)]
pub struct Cluster {
    /// The clock.
    pub now: Time,
    /// The wanted rollout.
    pub rollout: Rollout,
    /// Its memory.
    pub status: Status,
    /// How each version behaves.
    pub versions: BTreeMap<Hash, Version>,
    /// The metrics of every run.
    pub metrics: Vec<Metric>,
    /// The split as the router carries it.
    pub split: Option<Split>,
    /// Step plugins: what is switched off, what was asked and answered.
    pub plugins: Plugins,
    pools: Vec<Pool>,
    members: BTreeMap<Hash, Vec<Member>>,
    runs: BTreeMap<String, SimRun>,
    services: Vec<Service>,
}

/// What happened in a step of the world, for a transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A decision did something.
    Decided(Box<Decision>),
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
}

/// Decisions without a change of time before the world calls it a loop. Far more than any update needs.
const PASSES_MAX: usize = 200;

impl Cluster {
    /// A world with nothing deployed.
    pub fn new(rollout: Rollout, now: Time) -> Self {
        let names = match &rollout.strategy {
            Strategy::Canary(canary) => [canary.stable_service.clone(), canary.canary_service.clone()],
            Strategy::BlueGreen(bg) => [Some(bg.active_service.clone()), bg.preview_service.clone()],
        };
        let services = names.into_iter().flatten().map(|name| Service { name, selects: None }).collect();
        Self {
            now,
            rollout,
            status: Status::default(),
            versions: BTreeMap::new(),
            metrics: Vec::new(),
            split: None,
            plugins: Plugins::default(),
            pools: Vec::new(),
            members: BTreeMap::new(),
            runs: BTreeMap::new(),
            services,
        }
    }

    /// The snapshot an adapter would take now.
    pub fn observe(&self) -> World {
        let pools = self.pools.iter().map(|pool| {
            let members = self.members.get(&pool.hash).map_or(&[][..], Vec::as_slice);
            let ready = members.iter().filter(|m| m.ready_at.is_some_and(|at| at <= self.now)).count() as u32;
            let roster = members.iter().enumerate().map(|(i, member)| serin_core::Member {
                name: format!("{}-{i}", pool.hash),
                started: member.started,
                available: member.ready_at.is_some_and(|at| at <= self.now),
                leaving: false,
            });
            let restart = self.rollout.restart_at.is_some_and(|at| self.status.restarted_at != Some(at));
            let roster = roster.filter(|_| restart).collect();
            Pool { members: members.len() as u32, ready, available: ready, roster, ..pool.clone() }
        });
        let runs = self.runs.iter().map(|(name, run)| Run {
            name: name.clone(),
            kind: run.kind,
            hash: run.hash.clone(),
            phase: run.status.phase,
            message: run.status.message.clone(),
            terminating: run.spec.terminate,
            created: run.created,
        });
        World {
            rollout: self.rollout.clone(),
            status: self.status.clone(),
            pools: pools.collect(),
            runs: runs.collect(),
            experiments: Vec::new(),
            services: self.services.clone(),
            split: self.split.clone(),
            plugins: self.plugins.clone(),
        }
    }

    /// Wanted members of the pools that have any, `v1=4,v2=1`.
    pub fn sizes(&self) -> String {
        let sizes = self.pools.iter().filter(|p| p.size > 0).map(|p| format!("{}={}", p.hash, p.size));
        sizes.collect::<Vec<_>>().join(",")
    }

    /// Decides and applies until nothing changes at this moment; returns what happened and when to look again.
    pub fn settle(&mut self) -> (Vec<Happening>, Option<Time>) {
        let mut happened = Vec::new();
        for _ in 0..PASSES_MAX {
            self.measure(&mut happened);
            let world = self.observe();
            let decision = decide(&world, self.now);
            let still = decision.actions.is_empty() && decision.status == self.status;
            let wake_at = decision.wake_at;
            self.status = decision.status.clone();
            for action in &decision.actions {
                self.apply(action);
            }
            if still {
                return (happened, self.next_moment(wake_at));
            }
            happened.push(Happening::Decided(Box::new(decision)));
        }
        panic!("decisions do not settle at {} s: {:?}", self.now.as_secs(), happened.last());
    }

    /// The next moment something happens by itself.
    fn next_moment(&self, wake_at: Option<Time>) -> Option<Time> {
        let ready = self.members.values().flatten().filter_map(|m| m.ready_at).filter(|at| *at > self.now);
        let runs = self.runs.values().filter_map(|run| schedule::wake_at(&run.spec, &run.status, self.now));
        ready.chain(runs).chain(wake_at).min()
    }

    /// Carries out one action, as an adapter would.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::CreatePool { hash, revision } => {
                if !self.pools.iter().any(|p| p.hash == *hash) {
                    self.pools.push(Pool::new(hash.clone(), *revision, self.now));
                }
            }
            Action::SetRevision { hash, revision } => self.change(hash, |p| p.revision = *revision),
            Action::ScalePool { hash, size, replicas_seen } => {
                self.change(hash, |p| {
                    p.size = *size;
                    p.replicas_seen = Some(*replicas_seen);
                    if *size == 0 {
                        p.scale_down_at = None;
                    }
                });
                self.staff(hash, *size);
            }
            Action::SetScaleDownAt { hash, at } => self.change(hash, |p| p.scale_down_at = *at),
            Action::MarkPromoted { hash } => self.change(hash, |p| p.promoted = true),
            Action::SetMetadata { hash, metadata } => self.change(hash, |p| p.metadata = metadata.clone()),
            Action::EvictMember { hash, member, older_than } => self.evict(hash, member, *older_than),
            Action::CallPlugin(call) => {
                if !self.plugins.calls.iter().any(|c| c.id == call.id) {
                    self.plugins.calls.push(PluginCallSeen { id: call.id.clone(), answer: None });
                }
            }
            Action::DeletePool { hash } => self.pools.retain(|p| p.hash != *hash),
            Action::PointService { service, hash } => {
                for s in self.services.iter_mut().filter(|s| s.name == *service) {
                    s.selects = Some(hash.clone());
                }
            }
            // Nothing stands behind a rollout here but its own pools.
            Action::ScaleWorkload { .. } => {}
            Action::SetSplit(split) => self.split = Some(split.clone()),
            Action::StartRun { name, kind, hash, .. } => {
                let spec = RunSpec { metrics: self.metrics.clone(), terminate: false };
                let run =
                    SimRun { kind: *kind, hash: hash.clone(), created: self.now, spec, status: RunStatus::default() };
                self.runs.entry(name.clone()).or_insert(run);
            }
            Action::StopRun { name } => {
                if let Some(run) = self.runs.get_mut(name) {
                    run.spec.terminate = true;
                }
            }
            Action::DeleteRun { name } => {
                self.runs.remove(name);
            }
            Action::StartExperiment { .. } | Action::StopExperiment { .. } | Action::DeleteExperiment { .. } => {
                unreachable!("no script has an experiment step")
            }
        }
    }

    fn change(&mut self, hash: &Hash, edit: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.pools.iter_mut().find(|p| p.hash == *hash) {
            edit(pool);
        }
    }

    fn staff(&mut self, hash: &Hash, size: u32) {
        let ready_after = self.versions.get(hash).and_then(|v| v.ready_after);
        let members = self.members.entry(hash.clone()).or_default();
        members.truncate(size as usize);
        while members.len() < size as usize {
            members.push(Member { started: self.now, ready_at: ready_after.map(|span| self.now + span) });
        }
    }

    /// A new member takes the place of an old one.
    fn evict(&mut self, hash: &Hash, member: &str, older_than: Time) {
        let ready_after = self.versions.get(hash).and_then(|v| v.ready_after);
        for (i, old) in self.members.entry(hash.clone()).or_default().iter_mut().enumerate() {
            if old.started < older_than && format!("{hash}-{i}") == member {
                *old = Member { started: self.now, ready_at: ready_after.map(|span| self.now + span) };
            }
        }
    }

    /// Takes the measurements that are due.
    fn measure(&mut self, happened: &mut Vec<Happening>) {
        let now = self.now;
        for (name, run) in &mut self.runs {
            if run.status.phase.is_completed() {
                continue;
            }
            // A metric that ends badly ends the run in the pass after it.
            for _ in 0..2 {
                for (index, task) in schedule::due(&run.spec, &run.status, now) {
                    if task != Task::Measure {
                        continue;
                    }
                    let metric = &run.spec.metrics[index];
                    let measurement = measurement(metric, self.versions.get(&run.hash), now);
                    happened.push(Happening::Measured {
                        run: name.clone(),
                        metric: metric.name.clone(),
                        value: measurement.value.clone(),
                        phase: measurement.phase,
                    });
                    record(&run.spec, &mut run.status, index, measurement);
                }
                run.status = assess(&run.spec, &run.status, now);
            }
            if run.status.phase.is_completed() {
                happened.push(Happening::RunEnded {
                    run: name.clone(),
                    phase: run.status.phase,
                    message: run.status.message.clone(),
                });
            }
        }
    }
}

fn measurement(metric: &Metric, version: Option<&Version>, now: Time) -> Measurement {
    let measure = version.and_then(|v| v.measures.get(&metric.name)).cloned().unwrap_or(Measure::NoData);
    let (phase, message, value) = match measure {
        Measure::Broken(why) => (RunPhase::Error, why, String::new()),
        Measure::NoData => {
            let (phase, message) = verdict::judge(metric, &Value::from(Vec::<f64>::new()));
            (phase, message, "[]".to_owned())
        }
        Measure::Number(number) => {
            let (phase, message) = verdict::judge(metric, &Value::from(vec![number]));
            (phase, message, format!("[{number}]"))
        }
    };
    Measurement { phase, message, value, started: now, finished: Some(now), resume_at: None }
}
