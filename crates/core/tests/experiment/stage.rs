//! A stage for experiments: a world that carries out what is decided, with members and runs under the test's hand.

use serin_core::analysis::RunPhase;
use serin_core::condition::Kind;
use serin_core::decision::Event;
use serin_core::experiment::{
    Analysis, Experiment, ExperimentAction, ExperimentDecision, ExperimentRun, ExperimentWorld, Template, TemplatePool,
    TemplateService, decide,
};
use serin_core::{Hash, Span, Time};

/// Begin of every stage's clock.
pub(crate) const EPOCH: Time = Time::from_secs(1_000_000);

/// More passes than any moment needs; beyond it decisions go round in circles.
const PASSES_MAX: usize = 60;

/// A world and its clock.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) world: ExperimentWorld,
    pub(crate) now: Time,
    /// Events since the last look.
    pub(crate) events: Vec<Event>,
    /// Events of the rollout since the last look.
    pub(crate) owner_events: Vec<Event>,
    /// Whether members that exist become available at once.
    pub(crate) members_come: bool,
}

/// An experiment named `exp` with the templates `baseline` and `canary` of one member each; `edit` makes it what the test
/// needs.
pub(crate) fn experiment(edit: impl FnOnce(&mut Experiment)) -> Experiment {
    let mut experiment = Experiment {
        name: "exp".to_owned(),
        templates: vec![template("baseline", 1), template("canary", 1)],
        duration: None,
        progress_deadline: Span::from_secs(600),
        scale_down_delay: Span::from_secs(30),
        terminate: false,
        analyses: Vec::new(),
        invalid: None,
    };
    edit(&mut experiment);
    experiment
}

pub(crate) fn template(name: &str, replicas: u32) -> Template {
    Template { name: name.to_owned(), hash: Hash::new(format!("h{name}")), replicas, service: None }
}

pub(crate) fn analysis(name: &str, required: bool) -> Analysis {
    Analysis { name: name.to_owned(), required, problem: None }
}

/// Leaves an experiment as it is.
pub(crate) fn as_is(_: &mut Experiment) {}

impl Stage {
    /// A world in which nothing was ever decided.
    pub(crate) fn new(experiment: Experiment) -> Self {
        let world = ExperimentWorld { experiment, ..ExperimentWorld::default() };
        Self { world, now: EPOCH, events: Vec::new(), owner_events: Vec::new(), members_come: true }
    }

    /// A world in which all templates run.
    pub(crate) fn running(experiment: Experiment) -> Self {
        let mut stage = Self::new(experiment);
        stage.settle();
        assert_eq!(stage.phase(), "Running", "{}", stage.brief());
        stage.events.clear();
        stage
    }

    pub(crate) fn pool(&mut self, template: &str) -> &mut TemplatePool {
        self.world.pools.iter_mut().find(|p| p.template == template).expect("the pool exists")
    }

    /// So many members of a template are available, the rest exists only.
    pub(crate) fn available(&mut self, template: &str, count: u32) {
        let pool = self.pool(template);
        (pool.ready, pool.available) = (count, count);
    }

    fn all_available(&mut self) {
        for pool in &mut self.world.pools {
            (pool.ready, pool.available) = (pool.members, pool.members);
        }
    }

    /// A run gets a phase.
    pub(crate) fn run_is(&mut self, name: &str, phase: RunPhase, message: &str) {
        let run = self.world.runs.iter_mut().find(|r| r.name == name).expect("the run exists");
        (run.phase, run.message) = (phase, message.to_owned());
    }

    /// One decision, kept and carried out.
    pub(crate) fn pass(&mut self) -> ExperimentDecision {
        let decision = decide(&self.world, self.now);
        self.world.status = decision.status.clone();
        decision.actions.iter().for_each(|action| self.apply(action));
        self.events.extend(decision.events.iter().cloned());
        self.owner_events.extend(decision.owner_events.iter().cloned());
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
            if decision.actions.is_empty() && self.world == before {
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

    pub(crate) fn apply(&mut self, action: &ExperimentAction) {
        match action {
            ExperimentAction::CreatePool { template, hash } => {
                if self.world.pool(template).is_none() {
                    self.world.pools.push(TemplatePool::new(template.as_str(), hash.clone()));
                }
            }
            ExperimentAction::ScalePool { template, size } => self.change(template, |p| {
                (p.size, p.members) = (*size, *size);
                (p.ready, p.available) = (p.ready.min(*size), p.available.min(*size));
                p.scale_down_at = p.scale_down_at.filter(|_| *size > 0);
            }),
            ExperimentAction::SetScaleDownAt { template, at } => self.change(template, |p| p.scale_down_at = *at),
            ExperimentAction::CreateService { template, name } => {
                if self.world.service(name).is_none() {
                    let (name, template) = (name.clone(), Some(template.clone()));
                    self.world.services.push(TemplateService { name, template });
                }
            }
            ExperimentAction::DeleteService { name } => {
                self.world.services.retain(|s| s.name != *name || s.template.is_none());
            }
            ExperimentAction::StartRun { name, analysis } => {
                if self.world.run(name).is_none() {
                    let (name, analysis) = (name.clone(), Some(analysis.clone()));
                    let (phase, message, terminating) = (RunPhase::Running, String::new(), false);
                    self.world.runs.push(ExperimentRun { name, analysis, phase, message, terminating });
                }
            }
            ExperimentAction::StopRun { name } => {
                for run in self.world.runs.iter_mut().filter(|r| r.name == *name) {
                    (run.terminating, run.phase) = (true, RunPhase::Successful);
                }
            }
        }
    }

    fn change(&mut self, template: &str, edit: impl FnOnce(&mut TemplatePool)) {
        if let Some(pool) = self.world.pools.iter_mut().find(|p| p.template == template) {
            edit(pool);
        }
    }

    /// The phase, empty before there is one.
    pub(crate) fn phase(&self) -> &'static str {
        self.world.status.phase.map_or("", RunPhase::as_str)
    }

    /// `Phase: message`.
    pub(crate) fn state(&self) -> String {
        let message = &self.world.status.message;
        if message.is_empty() { self.phase().to_owned() } else { format!("{}: {message}", self.phase()) }
    }

    /// `baseline Running, canary Failed: why`.
    pub(crate) fn templates(&self) -> String {
        let templates = self.world.status.templates.iter().map(|t| {
            let message = if t.message.is_empty() { String::new() } else { format!(": {}", t.message) };
            format!("{} {}{message}", t.name, t.phase.as_str())
        });
        templates.collect::<Vec<_>>().join(", ")
    }

    /// `exp-a Running`, of the runs that the status speaks of.
    pub(crate) fn analyses(&self) -> String {
        let analyses = self.world.status.analyses.iter().map(|a| format!("{} {} {}", a.name, a.run, a.phase));
        analyses.collect::<Vec<_>>().join(", ")
    }

    /// Sizes of the pools, `baseline 1, canary 1`.
    pub(crate) fn sizes(&self) -> String {
        let sizes = self.world.pools.iter().map(|p| format!("{} {}", p.template, p.size));
        sizes.collect::<Vec<_>>().join(", ")
    }

    /// `Truth Reason: message` of the condition, or nothing.
    pub(crate) fn says(&self, kind: Kind) -> String {
        let condition = self.world.status.conditions.get(kind);
        condition.map_or(String::new(), |c| format!("{} {}: {}", c.truth.as_str(), c.reason, c.message))
    }

    /// The events since the last look, `Reason: message` with `!` before warnings.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| tell(&event)).collect()
    }

    /// The same for the rollout.
    pub(crate) fn owner_told(&mut self) -> Vec<String> {
        self.owner_events.drain(..).map(|event| tell(&event)).collect()
    }

    /// What the next decision does and why, without carrying it out.
    pub(crate) fn next(&self) -> String {
        let decision = decide(&self.world, self.now);
        let actions: Vec<String> = decision.actions.iter().map(ToString::to_string).collect();
        let reasons: Vec<&str> = decision.reasons.iter().map(|r| r.code()).collect();
        format!("{} | {}", actions.join("; "), reasons.join(" "))
    }

    /// The whole world in a few lines, for messages of failed tests.
    pub(crate) fn brief(&self) -> String {
        format!("at {} s: {}\n{:#?}", self.now.as_secs(), self.state(), self.world)
    }
}

fn tell(event: &Event) -> String {
    format!("{}{}: {}", if event.warning { "!" } else { "" }, event.reason, event.message)
}
