//! A stage for decisions: a world that carries out what is decided, with members and a router under the test's hand.

use serin_core::analysis::RunPhase;
use serin_core::condition::{Condition, Kind};
use serin_core::decision::Event;
use serin_core::rollout::{Amount, Canary, Rollout, Step, Strategy, Traffic};
use serin_core::status::Status;
use serin_core::world::{ExperimentPool, Pool, Run, Service, StepExperiment};
use serin_core::{Action, Decision, Hash, Span, Split, Time, World, decide, intent};

/// Begin of every stage's clock.
pub(crate) const EPOCH: Time = Time::from_secs(1_000_000);

/// More passes than any moment needs; beyond it decisions go round in circles.
const PASSES_MAX: usize = 60;

/// A world and its clock.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) now: Time,
    /// Events since the last look.
    pub(crate) events: Vec<Event>,
    /// Whether members that exist become available at once.
    pub(crate) members_come: bool,
    /// Whether the router carries a split at once.
    pub(crate) router_obeys: bool,
    /// Whether a service selects what it was pointed at, at once.
    pub(crate) services_obey: bool,
    /// What the router was last asked for.
    pub(crate) asked: Option<Split>,
    /// What services were asked to select and do not yet.
    pub(crate) pointed: Vec<(String, Hash)>,
}

/// A rollout named `svc` with 4 replicas, a router and services; `edit` makes it what the test needs.
pub(crate) fn rollout(steps: &[Step], edit: impl FnOnce(&mut Rollout, &mut Canary)) -> Rollout {
    let mut canary = Canary {
        steps: steps.to_vec(),
        traffic: Some(Traffic { weight_total: 100 }),
        canary_service: Some("svc-canary".to_owned()),
        stable_service: Some("svc-stable".to_owned()),
        scale_down_delay: Span::from_secs(30),
        ..Canary::default()
    };
    let mut rollout = Rollout {
        name: "svc".to_owned(),
        generation: 1,
        replicas: 4,
        hash: Hash::new("v1"),
        steps_hash: "steps".to_owned(),
        paused: false,
        progress_deadline: Span::from_secs(600),
        progress_deadline_abort: false,
        revision_history_limit: 10,
        rollback_window: None,
        run_history_limits: (5, 5),
        workload: None,
        strategy: Strategy::Canary(Canary::default()),
    };
    edit(&mut rollout, &mut canary);
    rollout.strategy = Strategy::Canary(canary);
    rollout
}

/// Takes the router away, with the defaults that go with it.
pub(crate) fn without_router(canary: &mut Canary) {
    canary.traffic = None;
    canary.scale_down_delay = Span::ZERO;
    (canary.canary_service, canary.stable_service) = (None, None);
}

/// No router, and so many members more or less than the replicas.
pub(crate) fn basic(surge: u32, unavailable: u32) -> impl Fn(&mut Rollout, &mut Canary) {
    move |_, canary| {
        without_router(canary);
        canary.max_surge = Amount::Count(surge);
        canary.max_unavailable = Amount::Count(unavailable);
    }
}

/// Leaves a rollout as it is.
pub(crate) fn as_is(_: &mut Rollout, _: &mut Canary) {}

pub(crate) fn weight(weight: u32) -> Step {
    Step::SetWeight(weight)
}

pub(crate) fn pause(seconds: i64) -> Step {
    Step::Pause(Some(Span::from_secs(seconds)))
}

pub(crate) const PAUSE: Step = Step::Pause(None);

impl Stage {
    /// A world in which nothing was ever decided.
    pub(crate) fn new(rollout: Rollout) -> Self {
        let names = match &rollout.strategy {
            Strategy::Canary(canary) => [canary.stable_service.clone(), canary.canary_service.clone()],
            Strategy::BlueGreen(own) => [Some(own.active_service.clone()), own.preview_service.clone()],
        };
        let services = names.into_iter().flatten().map(|name| Service { name, selects: None }).collect();
        let world = World {
            rollout,
            status: Status::default(),
            pools: Vec::new(),
            runs: Vec::new(),
            experiments: Vec::new(),
            services,
            split: None,
        };
        Self {
            world,
            now: EPOCH,
            events: Vec::new(),
            members_come: true,
            router_obeys: true,
            services_obey: true,
            asked: None,
            pointed: Vec::new(),
        }
    }

    /// A world in which `v1` is promoted and whole.
    pub(crate) fn deployed(rollout: Rollout) -> Self {
        let mut stage = Self::new(rollout);
        stage.wait(60);
        assert_eq!(stage.phase(), "Healthy", "the first version comes up");
        stage.events.clear();
        stage
    }

    /// The same, with `v2` in the spec, and decided as far as it goes now.
    pub(crate) fn updating(rollout: Rollout) -> Self {
        let mut stage = Self::deployed(rollout);
        stage.template("v2");
        stage.settle();
        stage
    }

    /// Another template in the spec.
    pub(crate) fn template(&mut self, hash: &str) {
        self.edit(|rollout, _| rollout.hash = Hash::new(hash));
    }

    /// A change of the spec.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut Rollout, &mut Canary)) {
        let mut canary = self.world.rollout.canary().unwrap().clone();
        edit(&mut self.world.rollout, &mut canary);
        self.world.rollout.strategy = Strategy::Canary(canary);
        self.world.rollout.generation += 1;
    }

    /// A person promotes: ends the pause, or skips the step that runs.
    pub(crate) fn promote(&mut self) {
        intent::promote(&self.world.rollout, &mut self.world.status);
    }

    /// A person asks to skip everything that is left.
    pub(crate) fn promote_full(&mut self) {
        intent::promote_full(&self.world.rollout, &mut self.world.status);
    }

    pub(crate) fn pool(&mut self, hash: &str) -> &mut Pool {
        self.world.pools.iter_mut().find(|p| p.hash.as_str() == hash).expect("the pool exists")
    }

    /// So many members of a pool are available, the rest exists only.
    pub(crate) fn available(&mut self, hash: &str, count: u32) {
        let pool = self.pool(hash);
        (pool.ready, pool.available) = (count, count);
    }

    /// Every member that exists is available.
    pub(crate) fn all_available(&mut self) {
        for pool in &mut self.world.pools {
            (pool.ready, pool.available) = (pool.members, pool.members);
        }
        self.experiments_go_on();
    }

    /// Experiments whose members are there run; those that are over lose the members that the router sends nothing to.
    pub(crate) fn experiments_go_on(&mut self) {
        let carried = self.world.split.as_ref().map_or(&[][..], |s| s.experiment.as_slice());
        for experiment in &mut self.world.experiments {
            let over = experiment.phase.is_completed();
            for pool in experiment.pools.iter_mut().filter(|p| !over || carried.iter().all(|d| d.hash != p.hash)) {
                pool.members = u32::from(!over);
                pool.available = pool.members;
            }
            if experiment.phase == RunPhase::Pending {
                experiment.phase = RunPhase::Running;
            }
        }
    }

    /// One decision, kept and carried out.
    pub(crate) fn pass(&mut self) -> Decision {
        let decision = decide(&self.world, self.now);
        self.world.status = decision.status.clone();
        for action in &decision.actions {
            self.apply(action);
        }
        self.events.extend(decision.events.iter().cloned());
        decision
    }

    /// Passes until a decision changes nothing. Returns when it wants to be woken.
    pub(crate) fn settle(&mut self) -> Option<Time> {
        for _ in 0..PASSES_MAX {
            if self.members_come {
                self.all_available();
            }
            let before = self.world.clone();
            let decision = self.pass();
            let asked_in_vain = !(self.router_obeys && self.services_obey) && self.world == before;
            if (decision.actions.is_empty() && self.world == before) || asked_in_vain {
                return decision.wake_at;
            }
        }
        panic!("decisions do not settle: {}", self.brief());
    }

    /// Lets so many seconds pass, deciding whenever a decision asked for it.
    pub(crate) fn wait(&mut self, seconds: i64) {
        let end = self.now + Span::from_secs(seconds);
        loop {
            match self.settle() {
                Some(at) if at > self.now && at <= end => self.now = at,
                _ => break,
            }
        }
        self.now = end;
        self.settle();
    }

    /// The router carries what it was last asked for.
    pub(crate) fn router_catches_up(&mut self) {
        if let Some(split) = self.asked.take() {
            self.world.split = Some(split);
        }
    }

    /// The services select what they were pointed at.
    pub(crate) fn services_catch_up(&mut self) {
        for (name, hash) in self.pointed.drain(..) {
            self.world.services.iter_mut().filter(|s| s.name == name).for_each(|s| s.selects = Some(hash.clone()));
        }
    }

    pub(crate) fn apply(&mut self, action: &Action) {
        match action {
            Action::CreatePool { hash, revision } => {
                if self.world.pool(hash).is_none() {
                    self.world.pools.push(Pool::new(hash.clone(), *revision, self.now));
                }
            }
            Action::SetRevision { hash, revision } => self.change(hash, |p| p.revision = *revision),
            Action::ScalePool { hash, size, replicas_seen } => self.change(hash, |p| {
                (p.size, p.members, p.replicas_seen) = (*size, *size, Some(*replicas_seen));
                (p.ready, p.available) = (p.ready.min(*size), p.available.min(*size));
                p.scale_down_at = p.scale_down_at.filter(|_| *size > 0);
            }),
            Action::SetScaleDownAt { hash, at } => self.change(hash, |p| p.scale_down_at = *at),
            Action::DeletePool { hash } => {
                let pool = self.world.pool(hash);
                assert!(pool.is_none_or(|p| p.size == 0 && p.members == 0), "{hash} has members and is deleted");
                self.world.pools.retain(|p| p.hash != *hash);
            }
            Action::PointService { service, hash } => {
                self.pointed.retain(|(name, _)| name != service);
                self.pointed.push((service.clone(), hash.clone()));
                if self.services_obey {
                    self.services_catch_up();
                }
            }
            Action::SetSplit(split) => {
                self.asked = Some(split.clone());
                if self.router_obeys {
                    self.router_catches_up();
                }
            }
            Action::StartRun { name, kind, hash, .. } => {
                if self.world.run(name).is_none() {
                    let (phase, message, terminating) = (RunPhase::Running, String::new(), false);
                    let (name, kind, hash, created) = (name.clone(), *kind, hash.clone(), self.now);
                    self.world.runs.push(Run { name, kind, hash, phase, message, terminating, created });
                }
            }
            Action::StopRun { name } => {
                for run in self.world.runs.iter_mut().filter(|r| r.name == *name) {
                    (run.terminating, run.phase) = (true, RunPhase::Successful);
                }
            }
            Action::ScaleWorkload { replicas } => {
                if let Some(workload) = &mut self.world.rollout.workload {
                    workload.replicas = *replicas;
                }
            }
            Action::MarkPromoted { hash } => self.change(hash, |p| p.promoted = true),
            Action::DeleteRun { name } => self.world.runs.retain(|r| r.name != *name),
            Action::StartExperiment { name, step, hash, .. } => self.start_experiment(name, *step, hash),
            Action::StopExperiment { name } => {
                for experiment in self.world.experiments.iter_mut().filter(|e| e.name == *name) {
                    (experiment.terminating, experiment.phase) = (true, RunPhase::Successful);
                }
            }
            Action::DeleteExperiment { name } => {
                let members = self.world.experiment(name).is_some_and(|e| e.pools.iter().any(|p| p.members > 0));
                assert!(!members, "{name} has members and is deleted");
                self.world.experiments.retain(|e| e.name != *name);
            }
        }
    }

    fn change(&mut self, hash: &Hash, edit: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.world.pools.iter_mut().find(|p| p.hash == *hash) {
            edit(pool);
        }
    }

    /// The experiment of a step, with a pool for each of its weights, whose members do not answer yet.
    fn start_experiment(&mut self, name: &str, step: usize, hash: &Hash) {
        if self.world.experiment(name).is_some() {
            return;
        }
        let Some(Step::Experiment(step)) = self.world.rollout.canary().and_then(|c| c.step(Some(step))) else {
            panic!("{name} is started for a step that is no experiment");
        };
        let pool = |(template, _): &(String, u32)| ExperimentPool {
            template: template.clone(),
            hash: Hash::new(format!("{name}-{template}")),
            members: 1,
            available: 0,
            service: Some(format!("{name}-{template}")),
        };
        self.world.experiments.push(StepExperiment {
            name: name.to_owned(),
            hash: hash.clone(),
            phase: RunPhase::Pending,
            message: String::new(),
            terminating: false,
            created: self.now,
            pools: step.weights.iter().map(pool).collect(),
        });
    }

    /// An experiment ends.
    pub(crate) fn experiment_ends(&mut self, name: &str, phase: RunPhase, message: &str) {
        let experiment = self.world.experiments.iter_mut().find(|e| e.name == name).expect("the experiment exists");
        (experiment.phase, experiment.message) = (phase, message.to_owned());
    }

    /// A run ends.
    pub(crate) fn run_ends(&mut self, name: &str, phase: RunPhase, message: &str) {
        let run = self.world.runs.iter_mut().find(|r| r.name == name).expect("the run exists");
        (run.phase, run.message) = (phase, message.to_owned());
    }

    pub(crate) fn phase(&self) -> &'static str {
        self.world.status.phase.as_str()
    }

    /// `Phase step N: message`.
    pub(crate) fn state(&self) -> String {
        state(&self.world.status)
    }

    /// Sizes of pools that have any, `v1 4, v2 1`.
    pub(crate) fn sizes(&self) -> String {
        let sizes = self.world.pools.iter().filter(|p| p.size > 0).map(|p| format!("{} {}", p.hash, p.size));
        sizes.collect::<Vec<_>>().join(", ")
    }

    /// Weight of the canary as the router carries it.
    pub(crate) fn weight(&self) -> Option<u32> {
        self.world.split.as_ref().map(|s| s.weight)
    }

    /// The events since the last look, `Reason: message` with `!` before warnings.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| tell(&event)).collect()
    }

    /// The reasons of the events since the last look.
    pub(crate) fn told_reasons(&mut self) -> String {
        self.events.drain(..).map(|event| event.reason).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn condition(&self, kind: Kind) -> Option<&Condition> {
        self.world.status.conditions.get(kind)
    }

    /// `Truth Reason: message` of a condition, or nothing.
    pub(crate) fn says(&self, kind: Kind) -> String {
        self.condition(kind).map_or(String::new(), |c| format!("{} {}: {}", c.truth.as_str(), c.reason, c.message))
    }

    /// The whole world in a few lines, for messages of failed tests.
    pub(crate) fn brief(&self) -> String {
        let world = &self.world;
        let pools = world.pools.iter().map(|p| {
            let going = p.scale_down_at.map_or(String::new(), |at| format!(" goes at {}", at.as_secs()));
            format!("{} r{} {}/{}/{}{going}", p.hash, p.revision, p.size, p.members, p.available)
        });
        let runs = world.runs.iter().map(|r| format!("{} {}", r.name, r.phase));
        let runs =
            runs.chain(world.experiments.iter().map(|e| format!("experiment {} {} {:?}", e.name, e.phase, e.pools)));
        let (pools, runs): (Vec<_>, Vec<_>) = (pools.collect(), runs.collect());
        let status = &world.status;
        let stable = status.stable.as_ref().map_or("-", |h| h.as_str());
        let split = world
            .split
            .as_ref()
            .map(|s| format!("{} {} / {} {} {:?}", s.canary, s.weight, s.stable, s.weight_stable(), s.experiment));
        format!(
            "at {} s: {}, template {}, stable {stable}, replicas {}, paused {}, pauses {:?}, controller_pause {}, abort {}, full {}\n\
             pools (size/members/available) {pools:?}\nruns {runs:?}\nsplit {split:?} weights {:?}\nservices {:?} to be {:?}\nProgressing {}\nsteps {:?}",
            self.now.as_secs(),
            self.state(),
            world.rollout.hash,
            world.rollout.replicas,
            world.rollout.paused,
            status.pauses.iter().map(|p| p.reason.as_str()).collect::<Vec<_>>(),
            status.controller_pause,
            status.abort,
            status.promote_full,
            status.weights.as_ref().map(|w| (w.canary_hash.as_str(), w.canary, w.verified)),
            world.services.iter().map(|s| (&s.name, &s.selects)).collect::<Vec<_>>(),
            self.pointed,
            self.says(Kind::Progressing),
            world.rollout.canary().map(|c| c.steps.iter().map(ToString::to_string).collect::<Vec<_>>()),
        )
    }

    /// What the next decision does and why, without carrying it out: actions, a bar, codes of reasons.
    pub(crate) fn next(&self) -> String {
        line(&decide(&self.world, self.now))
    }
}

/// `actions | reasons` of a decision.
pub(crate) fn line(decision: &Decision) -> String {
    let actions: Vec<String> = decision.actions.iter().map(ToString::to_string).collect();
    let reasons: Vec<&str> = decision.reasons.iter().map(|r| r.code()).collect();
    format!("{} | {}", actions.join("; "), reasons.join(" "))
}

/// `Phase step N: message` of a status.
pub(crate) fn state(status: &Status) -> String {
    let step = status.step_index.map_or(String::new(), |i| format!(" step {i}"));
    let message = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
    format!("{}{step}{message}", status.phase.as_str())
}

fn tell(event: &Event) -> String {
    format!("{}{}: {}", if event.warning { "!" } else { "" }, event.reason, event.message)
}
