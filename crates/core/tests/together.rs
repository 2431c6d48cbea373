//! A rollout and its experiments, each decided by its own function, over one router: neither waits for the other for ever, and
//! no version loses its members while requests go to it.

#[path = "experiment/stage.rs"]
#[allow(dead_code, reason = "the experiments' tests use the rest")]
mod experiment_stage;
#[path = "canary/stage.rs"]
#[allow(dead_code, reason = "the canary's tests use the rest")]
mod stage;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serin_core::analysis::RunPhase;
use serin_core::experiment::{Analysis, ExperimentAction, Template};
use serin_core::rollout::{ExperimentStep, Step};
use serin_core::world::{ExperimentPool, StepExperiment};
use serin_core::{Action, Hash, Span, Split, intent};

use experiment_stage::Stage as Trial;
use stage::{PAUSE, Stage, rollout, weight};

/// A rollout with two experiment steps, and the experiments that it made.
struct Pair {
    stage: Stage,
    trials: BTreeMap<String, Trial>,
    lasts: Option<i64>,
    required: bool,
}

fn weighted(weights: [u32; 2]) -> Step {
    let named = weights.iter().enumerate().map(|(i, weight)| (format!("t{i}"), *weight));
    Step::Experiment(ExperimentStep { weights: named.collect() })
}

impl Pair {
    fn new(weights: [u32; 2], lasts: Option<i64>, required: bool, dynamic: bool) -> Self {
        let steps = [weight(20), weighted(weights), weight(50), weighted([10, 0]), PAUSE];
        let stage = Stage::deployed(rollout(&steps, |_, canary| canary.dynamic_stable_scale = dynamic));
        Self { stage, trials: BTreeMap::new(), lasts, required }
    }

    fn step_weights(&self, step: usize) -> Vec<(String, u32)> {
        match self.stage.world.rollout.canary().and_then(|c| c.step(Some(step))) {
            Some(Step::Experiment(step)) => step.weights.clone(),
            other => panic!("an experiment is started for {other:?}"),
        }
    }

    fn trial(&self, name: &str, step: usize) -> Trial {
        let template = |(template, weight): (String, u32)| Template {
            hash: Hash::new(format!("{name}-{template}")),
            replicas: 1,
            service: (weight > 0).then(|| format!("{name}-{template}")),
            name: template,
        };
        let templates = self.step_weights(step).into_iter().map(template).collect();
        let (lasts, required) = (self.lasts.map(Span::from_secs), self.required);
        let experiment = experiment_stage::experiment(|e| {
            name.clone_into(&mut e.name);
            e.templates = templates;
            e.duration = lasts;
            e.scale_down_delay = Span::ZERO;
            e.analyses = vec![Analysis { name: "a".to_owned(), required, problem: None }];
        });
        let mut trial = Trial::new(experiment);
        (trial.now, trial.members_come) = (self.stage.now, false);
        trial
    }

    /// The rollout decides with what its experiments are now.
    fn rollout_pass(&mut self) -> bool {
        self.stage.world.experiments = self.trials.iter().map(|(name, trial)| seen(name, trial)).collect();
        let before = self.stage.world.clone();
        let decision = self.stage.pass();
        for action in &decision.actions {
            match action {
                Action::StartExperiment { name, step, .. } => {
                    let trial = self.trial(name, *step);
                    self.trials.entry(name.clone()).or_insert(trial);
                }
                Action::StopExperiment { name } => {
                    self.trials.get_mut(name).expect("it exists").world.experiment.terminate = true;
                }
                Action::DeleteExperiment { name } => {
                    let trial = self.trials.remove(name).expect("it exists");
                    assert!(trial.world.pools.iter().all(|p| p.size == 0), "{name} has members: {}", trial.brief());
                }
                _ => {}
            }
        }
        before != self.stage.world
    }

    /// Each experiment decides with what the router carries now, or will.
    fn trial_passes(&mut self) -> bool {
        let splits = [self.stage.world.split.clone(), self.stage.asked.clone()];
        let mut changed = false;
        for trial in self.trials.values_mut() {
            trial.now = self.stage.now;
            for pool in &mut trial.world.pools {
                pool.routed = splits.iter().flatten().any(|split| gives(split, &pool.hash));
            }
            let before = trial.world.clone();
            let decision = trial.pass();
            for action in &decision.actions {
                if let ExperimentAction::ScalePool { template, size: 0 } = action {
                    let hash = &before.pool(template).expect("it exists").hash;
                    let carried = splits[0].iter().any(|split| gives(split, hash));
                    assert!(!carried, "{hash} goes while requests go to it");
                }
            }
            changed |= before != trial.world;
        }
        changed
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            let (rollout, trials) = (self.rollout_pass(), self.trial_passes());
            if !rollout && !trials {
                return;
            }
        }
        panic!("they do not settle: {}", self.brief());
    }

    fn members_up(&mut self) {
        let pools = self.stage.world.pools.iter_mut();
        pools.for_each(|p| (p.ready, p.available) = (p.members, p.members));
        let pools = self.trials.values_mut().flat_map(|t| &mut t.world.pools);
        pools.for_each(|p| (p.ready, p.available) = (p.members, p.members));
    }

    /// The first run that is open ends.
    fn run_ends(&mut self, phase: RunPhase) -> bool {
        let mut runs = self.trials.values_mut().flat_map(|t| &mut t.world.runs);
        let run = runs.find(|r| !r.phase.is_completed());
        run.map(|run| run.phase = phase).is_some()
    }

    fn brief(&self) -> String {
        let trials: Vec<String> = self.trials.values().map(Trial::brief).collect();
        format!("{}\n{}", self.stage.brief(), trials.join("\n"))
    }

    /// With good members, a router that obeys, good runs and a person who promotes, all of it ends.
    fn finish(&mut self) {
        self.stage.router_obeys = true;
        self.stage.router_catches_up();
        for _ in 0..200 {
            self.members_up();
            self.settle();
            let trials = self.trials.values();
            let over = trials.clone().all(|t| t.world.status.is_completed());
            let empty = trials.flat_map(|t| &t.world.pools).all(|p| p.size == 0);
            if self.stage.phase() == "Healthy" && over && empty {
                return;
            }
            if self.run_ends(RunPhase::Successful) {
                continue;
            }
            self.stage.now = self.stage.now + Span::from_secs(31);
            match self.stage.world.status.abort {
                true => intent::retry(&mut self.stage.world.status),
                false if self.stage.phase() == "Paused" => self.stage.promote(),
                false if self.lasts.is_none() && self.stage.world.status.current_experiment.is_some() => {
                    self.stage.promote();
                }
                false => {}
            }
        }
        panic!("it does not end: {}", self.brief());
    }
}

fn gives(split: &Split, hash: &Hash) -> bool {
    split.experiment.iter().any(|d| d.hash == *hash && d.weight > 0)
}

fn seen(name: &str, trial: &Trial) -> StepExperiment {
    let status = &trial.world.status;
    let pool = |p: &serin_core::experiment::TemplatePool| ExperimentPool {
        template: p.template.clone(),
        hash: p.hash.clone(),
        members: p.members.max(p.size),
        available: p.available,
        service: trial.world.services.iter().find(|s| s.template.as_ref() == Some(&p.template)).map(|s| s.name.clone()),
    };
    StepExperiment {
        name: name.to_owned(),
        hash: Hash::new("v2"),
        phase: status.phase.unwrap_or_default(),
        message: status.message.clone(),
        terminating: trial.world.experiment.terminate,
        created: stage::EPOCH,
        pools: trial.world.pools.iter().map(pool).collect(),
    }
}

#[derive(Debug, Clone)]
enum Happening {
    Nothing,
    MembersUp,
    VersionDies(usize),
    StableLoses(u32),
    RouterObeys(bool),
    RouterCatchesUp,
    RunEnds(RunPhase),
    Seconds(i64),
    Abort,
    Retry,
    Promote,
    PromoteFull,
    Back,
}

fn happening() -> impl Strategy<Value = Happening> {
    let phase = prop_oneof![
        3 => Just(RunPhase::Successful),
        1 => Just(RunPhase::Failed),
        1 => Just(RunPhase::Inconclusive),
    ];
    prop_oneof![
        3 => Just(Happening::Nothing),
        5 => Just(Happening::MembersUp),
        1 => (0usize..4).prop_map(Happening::VersionDies),
        1 => (0u32..4).prop_map(Happening::StableLoses),
        1 => any::<bool>().prop_map(Happening::RouterObeys),
        3 => Just(Happening::RouterCatchesUp),
        2 => phase.prop_map(Happening::RunEnds),
        3 => (0i64..80).prop_map(Happening::Seconds),
        1 => Just(Happening::Abort),
        1 => Just(Happening::Retry),
        2 => Just(Happening::Promote),
        1 => Just(Happening::PromoteFull),
        1 => Just(Happening::Back),
    ]
}

fn happen(pair: &mut Pair, happening: &Happening) {
    match happening {
        Happening::Nothing => {}
        Happening::MembersUp => pair.members_up(),
        Happening::VersionDies(index) => {
            if let Some(pool) = pair.trials.values_mut().flat_map(|t| &mut t.world.pools).nth(*index) {
                (pool.ready, pool.available) = (0, 0);
            }
        }
        Happening::StableLoses(left) => {
            let pool = pair.stage.pool("v1");
            let left = (*left).min(pool.members);
            (pool.ready, pool.available) = (left, left);
        }
        Happening::RouterObeys(obeys) => pair.stage.router_obeys = *obeys,
        Happening::RouterCatchesUp => pair.stage.router_catches_up(),
        Happening::RunEnds(phase) => {
            pair.run_ends(*phase);
        }
        Happening::Seconds(seconds) => pair.stage.now = pair.stage.now + Span::from_secs(*seconds),
        Happening::Abort => intent::abort(&mut pair.stage.world.status),
        Happening::Retry => intent::retry(&mut pair.stage.world.status),
        Happening::Promote => pair.stage.promote(),
        Happening::PromoteFull => pair.stage.promote_full(),
        Happening::Back => pair.stage.template("v1"),
    }
}

#[test]
fn undisturbed_both_experiments_run_one_after_the_other() {
    for (lasts, required) in [(Some(60), false), (None, true), (Some(60), true)] {
        let mut pair = Pair::new([5, 10], lasts, required, false);
        pair.stage.template("v2");
        pair.finish();
        let phases: Vec<&str> = pair.trials.values().map(Trial::phase).collect();
        assert_eq!(phases, ["Successful", "Successful"], "lasts {lasts:?}, required {required}");
        assert_eq!(pair.stage.world.status.stable, Some(Hash::new("v2")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_both_end_and_no_version_goes_while_it_is_asked(
        weights in [0u32..60, 0u32..60],
        lasts in proptest::option::of(0i64..90),
        required in any::<bool>(),
        dynamic in any::<bool>(),
        happenings in proptest::collection::vec((happening(), 0usize..4, 0usize..4), 1..40),
    ) {
        let mut pair = Pair::new(weights, lasts, required, dynamic);
        pair.stage.template("v2");
        pair.stage.members_come = false;
        for (happening, rollout, trials) in &happenings {
            happen(&mut pair, happening);
            for _ in 0..*rollout {
                pair.rollout_pass();
            }
            for _ in 0..*trials {
                pair.trial_passes();
            }
        }
        pair.finish();
    }
}
