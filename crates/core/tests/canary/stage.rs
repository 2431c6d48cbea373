//! A stage for decisions: a world that carries out what is decided, with members and a router under the test's hand.

#[path = "carried.rs"]
mod carried;

use serin_core::analysis::RunPhase;
use serin_core::condition::{Condition, Kind};
use serin_core::decision::Event;
use serin_core::plugin::{PluginAnswer, Plugins, open_calls};
use serin_core::rollout::{Amount, Canary, Rollout, Step, Strategy, Traffic};
use serin_core::status::Status;
use serin_core::world::{ExperimentPool, Pool, Service, StepExperiment};
use serin_core::{Decision, Hash, RoleMetadata, Span, Split, Time, World, decide, intent};

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
    /// Members made so far, for their names.
    pub(crate) made: u32,
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
        restart_at: None,
        metadata: RoleMetadata::default(),
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
            Strategy::Canary(canary) => vec![canary.stable_service.clone(), canary.canary_service.clone()],
            Strategy::BlueGreen(own) => vec![Some(own.active_service.clone()), own.preview_service.clone()],
        };
        let pair = rollout.canary().and_then(|c| c.ping_pong.clone()).map(|pair| [pair.ping, pair.pong]);
        let names = names.into_iter().flatten().chain(pair.into_iter().flatten());
        let services = names.map(|name| Service { name, selects: None }).collect();
        let world = World {
            rollout,
            status: Status::default(),
            pools: Vec::new(),
            runs: Vec::new(),
            experiments: Vec::new(),
            services,
            split: None,
            plugins: Plugins::default(),
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
            made: 0,
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

    /// Every member that exists is available, and those that were leaving are gone.
    pub(crate) fn all_available(&mut self) {
        for pool in &mut self.world.pools {
            (pool.ready, pool.available) = (pool.members, pool.members);
            pool.roster.retain(|m| !m.leaving);
        }
        self.call_the_roll();
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

    /// A person asks for a restart of every member that is older than now.
    pub(crate) fn restart(&mut self) {
        let at = self.now;
        self.world.rollout.restart_at = Some(at + Span::from_secs(1));
        self.world.rollout.generation += 1;
        self.call_the_roll();
        self.now = at + Span::from_secs(2);
    }

    /// The first open question to a plugin is answered.
    pub(crate) fn plugin_answers(&mut self, answer: Result<PluginAnswer, String>) {
        let call = self.world.plugins.calls.iter_mut().find(|c| c.answer.is_none()).expect("a plugin is asked");
        call.answer = Some(answer);
    }

    /// One decision, kept and carried out.
    pub(crate) fn pass(&mut self) -> Decision {
        self.call_the_roll();
        let decision = decide(&self.world, self.now);
        self.world.status = decision.status.clone();
        for action in &decision.actions {
            self.apply(action);
        }
        let open = open_calls(&self.world.status, &self.world.rollout.name);
        self.world.plugins.calls.retain(|call| open.contains(&call.id));
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

    /// The experiment of a step, with a pool for each of its weights, whose members do not answer yet.
    pub(super) fn start_experiment(&mut self, name: &str, step: usize, hash: &Hash) {
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
