//! Deciding experiments: each that something happened to is decided until it settles, in memory; the outcome is one
//! transaction, as for rollouts.

use std::collections::BTreeMap;

use serde_json::Value;
use serin_core::analysis::RunPhase;
use serin_core::decision::Event;
use serin_core::experiment::{ExperimentAction, decide};
use serin_core::{Hash, Span};
use serin_spec::arguments::{self, ArgumentError};
use serin_spec::raise::{self, Versions};
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisTemplateSpec};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::experiment::{Experiment, ExperimentAnalysis};
use serin_spec::wire::pod::PodTemplate;

use super::decide::{PASSES_MAX, RunChanges, put_runs, stopped};
use super::{Engine, RunKey};
use crate::LocalError;
use crate::experiment::{self, ExperimentRecord, ExperimentState, Surroundings, VersionPool};
use crate::model::{Key, RunState, Workload};
use crate::observe::Staffing;
use crate::route;
use crate::staff::{self, MemberId};
use crate::store::{Batch, EventRecord, Shelf};

/// Experiments that a decision creates, changes (`Some`) or forgets (`None`).
pub(super) type ExperimentChanges = BTreeMap<Key, Option<ExperimentState>>;

/// The outcome of deciding one experiment.
struct Settled {
    state: ExperimentState,
    runs: RunChanges,
    events: Vec<EventRecord>,
    changed: bool,
}

/// A pool that wants members, of a rollout or of an experiment.
pub(super) struct WantedPool {
    /// The template of its members, with what their role puts on top.
    pub(super) template: PodTemplate,
    /// Wanted members.
    pub(super) size: u32,
    /// Seconds that a member must be ready for.
    pub(super) min_ready_s: i32,
}

/// What events of an experiment are kept under.
pub(super) fn event_object(experiment: &Key) -> String {
    format!("experiment/{experiment}")
}

/// What events about a member are kept under.
pub(super) fn event_object_of(set: &Key) -> String {
    set.version().map_or_else(|| set.to_string(), |(experiment, _)| event_object(&experiment))
}

impl Engine {
    /// The pool that members are kept under, if it is still wanted.
    pub(super) fn wanted_pool(&self, set: &Key, hash: &Hash) -> Option<WantedPool> {
        if let Some((experiment, version)) = set.version() {
            let pool = self.experiments.get(&experiment)?.pool(version).filter(|p| p.hash == *hash)?;
            return Some(WantedPool {
                template: pool.template.clone(),
                size: pool.size,
                min_ready_s: pool.min_ready_s,
            });
        }
        let workload = self.workloads.get(set)?;
        let pool = workload.pool(hash)?;
        let min_ready_s = workload.object.spec.min_ready_seconds.unwrap_or(0);
        Some(WantedPool { template: pool.member_template(), size: pool.size, min_ready_s })
    }

    /// Every pool: what its members are kept under, its hash, and how many it wants.
    pub(super) fn pools(&self) -> Vec<(Key, Hash, u32)> {
        let of_rollouts = self.workloads.iter().flat_map(|(key, w)| w.pools.iter().map(move |p| (key.clone(), p)));
        let of_rollouts = of_rollouts.map(|(key, p)| (key, p.hash.clone(), p.size));
        let of_experiments = self.experiments.iter().flat_map(|(key, e)| e.pools.iter().map(move |p| (key, p)));
        let of_experiments = of_experiments.map(|(key, p)| (Key::of_version(key, &p.version), p.hash.clone(), p.size));
        of_rollouts.chain(of_experiments).collect()
    }

    /// Something happened to the members of a pool: whatever it belongs to is decided again.
    pub(super) fn touch(&mut self, set: &Key) {
        match set.version() {
            None => {
                self.dirty.insert(set.clone());
            }
            Some((experiment, _)) => self.touch_experiment(&experiment),
        }
    }

    /// Something happened to an experiment: it is decided again, and the rollout that made it.
    pub(super) fn touch_experiment(&mut self, experiment: &Key) {
        if let Some((owner, _)) = self.experiments.get(experiment).and_then(|e| e.owner.as_ref()) {
            self.dirty.insert(owner.clone());
        }
        self.dirty_experiments.insert(experiment.clone());
    }

    /// The experiments that a rollout made, as they will be after what a decision changed.
    pub(super) fn experiments_of(
        &self,
        rollout: &Key,
        changes: &ExperimentChanges,
    ) -> Vec<serin_core::world::StepExperiment> {
        let kept = self.experiments.iter().filter(|(name, _)| !changes.contains_key(*name)).map(|(_, e)| e);
        let changed = changes.values().filter_map(Option::as_ref);
        let mine = kept.chain(changed).filter(|e| e.belongs_to(rollout));
        mine.map(|e| experiment::of_step(e, |p| self.version_staffing(&e.key(), p))).collect()
    }

    pub(super) fn version_staffing(&self, experiment: &Key, pool: &VersionPool) -> Staffing {
        self.members.of_version(&Key::of_version(experiment, &pool.version), &pool.hash)
    }

    /// The experiment that a step of a rollout asks for. One that cannot be made is there all the same, ended in error with the
    /// reason, so that it is seen and judged. `None` if the step has gone meanwhile.
    pub(super) fn new_experiment(
        &self,
        workload: &Workload,
        step: usize,
        name: &str,
        (hash, revision): (&Hash, u64),
    ) -> Option<ExperimentState> {
        let own = workload.template();
        let canary = workload.pool(&workload.rollout.hash).map_or(&own, |p| &p.template);
        let stable = workload.status.stable.as_ref().and_then(|h| workload.pool(h)).map_or(&own, |p| &p.template);
        let rollout = serde_json::to_value(workload.manifest()).unwrap_or_default();
        let environment = arguments::Environment {
            rollout: &rollout,
            latest: &workload.rollout.hash,
            stable: workload.status.stable.as_ref(),
        };
        let versions = Versions { canary, stable };
        let made = raise::experiment(&workload.object, step, name, (hash, revision), versions, &environment);
        let owner = Some((workload.key(), hash.clone()));
        match made {
            Ok(object) => Some(ExperimentState::new(object?, Value::Null, owner, self.now())),
            Err(error) => {
                let mut object = Experiment::default();
                object.metadata.name = Some(name.to_owned());
                object.metadata.namespace.clone_from(&workload.object.metadata.namespace);
                let mut state = ExperimentState::new(object, Value::Null, owner, self.now());
                (state.status.phase, state.status.message) = (Some(RunPhase::Error), error.to_string());
                Some(state)
            }
        }
    }

    /// Decides every experiment that something happened to or whose time has come.
    pub(super) fn decide_experiments(&mut self) {
        let now = self.now();
        let due = |key: &Key, e: &ExperimentState| {
            self.dirty_experiments.contains(key) || e.wake_at.is_some_and(|at| at <= now)
        };
        let due: Vec<Key> =
            self.experiments.iter().filter(|(key, e)| due(key, e)).map(|(key, _)| key.clone()).collect();
        let mut batch = Batch::default();
        let mut outcomes = Vec::new();
        for key in due {
            let settled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.settle_experiment(&key)));
            let Ok(settled) = settled else {
                tracing::error!(experiment = %key, "deciding failed; its members stay as they are");
                self.dirty_experiments.remove(&key);
                if let Some(experiment) = self.experiments.get_mut(&key) {
                    experiment.wake_at = None;
                }
                continue;
            };
            if settled.changed && put(&mut batch, &key, &settled).is_err() {
                continue;
            }
            outcomes.push((key, settled));
        }
        let events: Vec<EventRecord> = outcomes.iter().flat_map(|(_, s)| s.events.clone()).collect();
        if self.commit(batch, &events) {
            for (key, settled) in outcomes {
                self.adopt_experiment(key, settled);
            }
        }
    }

    fn adopt_experiment(&mut self, key: Key, settled: Settled) {
        let Settled { state, runs, changed, .. } = settled;
        self.routes_stale |= changed;
        self.staff_stale |= changed;
        self.adopt_runs(runs);
        self.experiments.insert(key.clone(), state);
        if changed {
            self.touch_experiment(&key);
        }
        self.dirty_experiments.remove(&key);
    }

    /// Decides one experiment until a decision changes nothing.
    fn settle_experiment(&self, key: &Key) -> Settled {
        let now = self.now();
        let state = self.experiments[key].clone();
        let mut settled = Settled { state, runs: RunChanges::new(), events: Vec::new(), changed: false };
        for _ in 0..PASSES_MAX {
            let world = self.observe_experiment(key, &settled);
            let decision = decide(&world, now);
            let state = &mut settled.state;
            let mut changed = decision.status != state.status;
            state.status = decision.status;
            let (targets, runs) = experiment::apply(state, &decision.actions, now);
            changed |= targets;
            state.reasons = decision.reasons;
            state.wake_at = decision.wake_at;
            let owner = state.owner.as_ref().map(|(owner, _)| owner.to_string());
            let record = |object: &str, e: Event| EventRecord {
                at_ms: now.as_millis(),
                object: object.to_owned(),
                reason: e.reason.to_owned(),
                message: e.message,
                warning: e.warning,
            };
            let object = event_object(key);
            settled.events.extend(decision.events.into_iter().map(|e| record(&object, e)));
            if let Some(owner) = owner {
                settled.events.extend(decision.owner_events.into_iter().map(|e| record(&owner, e)));
            }
            for action in runs {
                changed |= self.experiment_run_action(key, &action, &mut settled);
            }
            settled.changed |= changed;
            if !changed {
                return settled;
            }
        }
        tracing::error!(experiment = %key, "decisions do not settle");
        settled.state.wake_at = Some(now + Span::from_secs(1));
        settled
    }

    fn observe_experiment(&self, key: &Key, settled: &Settled) -> serin_core::experiment::ExperimentWorld {
        let state = &settled.state;
        let kept = self.runs.iter().filter(|(name, _)| !settled.runs.contains_key(*name));
        let changed = settled.runs.iter().filter_map(|(name, run)| Some((name, run.as_ref()?)));
        let near = kept.chain(changed).filter(|(name, _)| name.namespace == key.namespace);
        let runs = near.map(|(name, run)| (name.name.as_str(), run));
        let find = self.finder(key);
        let problem = |analysis: &ExperimentAnalysis| {
            let reference = AnalysisTemplateRef {
                template_name: analysis.template_name.clone(),
                cluster_scope: analysis.cluster_scope,
            };
            arguments::compose(&[reference], &find).err().map(|e| e.to_string())
        };
        let around = Surroundings {
            staffing: &|pool| self.version_staffing(key, pool),
            refused: &|pool| {
                let set = Key::of_version(key, &pool.version);
                let id = MemberId { rollout: set, hash: pool.hash.clone(), ordinal: 0 };
                staff::process(&id, &pool.template, self.ground()).err()
            },
            routed: &|pool| state.owner.as_ref().is_some_and(|(owner, _)| self.is_routed(owner, &pool.hash)),
            foreign: &|name| self.is_foreign_service(key, name),
            problem: &problem,
        };
        experiment::world(state, &around, runs)
    }

    /// Whether requests of a rollout go to a pool, or are about to.
    fn is_routed(&self, rollout: &Key, hash: &Hash) -> bool {
        // A rollout that splits no more keeps its last split, which means nothing.
        let splits = |w: &&Workload| w.rollout.canary().is_some_and(|c| c.traffic.is_some());
        let split = self.workloads.get(rollout).filter(splits).and_then(|w| w.split.as_ref());
        split.is_some_and(|s| s.experiment.iter().any(|d| d.hash == *hash && d.weight > 0))
            || self.link.sends_to(&route::route_name(rollout), hash)
    }

    fn is_foreign_service(&self, key: &Key, name: &str) -> bool {
        let beside = key.beside(name);
        let near = self.workloads.iter().filter(|(k, _)| k.namespace == key.namespace);
        let others = self.experiments.iter().filter(|(k, _)| *k != key && k.namespace == key.namespace);
        self.objects.services.contains_key(&beside)
            || near.into_iter().any(|(_, w)| w.services.contains_key(name))
            || others.into_iter().any(|(_, e)| e.services.contains_key(name))
    }

    /// Looks templates up for an object.
    pub(super) fn finder<'a>(
        &'a self,
        key: &'a Key,
    ) -> impl Fn(&AnalysisTemplateRef) -> Option<&'a AnalysisTemplateSpec> {
        |reference| match reference.is_cluster_scope() {
            true => self.objects.cluster_templates.get(&reference.template_name).map(|t| &t.spec),
            false => self.objects.templates.get(&key.beside(&reference.template_name)).map(|t| &t.spec),
        }
    }

    /// An action on a run; returns whether it changed anything.
    fn experiment_run_action(&self, key: &Key, action: &ExperimentAction, settled: &mut Settled) -> bool {
        let (ExperimentAction::StartRun { name, .. } | ExperimentAction::StopRun { name }) = action else {
            return false;
        };
        let name: RunKey = key.beside(name);
        let known = match settled.runs.get(&name) {
            Some(changed) => changed.clone(),
            None => self.runs.get(&name).cloned(),
        };
        let run = match (action, known) {
            (ExperimentAction::StartRun { analysis, .. }, None) => Some(self.experiment_run(&settled.state, analysis)),
            (ExperimentAction::StopRun { .. }, Some(run)) => stopped(run, self.now()),
            _ => None,
        };
        let Some(run) = run else { return false };
        settled.runs.insert(name, Some(run));
        true
    }

    fn experiment_run(&self, state: &ExperimentState, analysis: &str) -> RunState {
        let key = state.key();
        let spec = state.object.spec.analyses.iter().find(|a| a.name == analysis).map_or_else(
            || Ok(AnalysisRunSpec::default()),
            |a| arguments::experiment_run_spec(&state.object, a, &state.status, &self.finder(&key)),
        );
        let (spec, problem) = match spec {
            Ok(spec) => (spec, None),
            Err(error) => (AnalysisRunSpec::default(), Some(ArgumentError::to_string(&error))),
        };
        let run = self.checked_run(None, None, Hash::new(""), spec, problem, self.now());
        RunState { experiment: Some((key, analysis.to_owned())), ..run }
    }

    /// Asks an experiment to end.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be made durable.
    pub(super) fn terminate(&mut self, name: &str) -> Result<crate::protocol::Outcome, LocalError> {
        let key = self.resolve_experiment(name)?;
        let mut state = self.experiments[&key].clone();
        let outcome =
            |message: String, changed| crate::protocol::Outcome { rollout: key.to_string(), message, changed };
        if state.status.is_completed() {
            let phase = state.status.phase.unwrap_or_default();
            return Ok(outcome(format!("experiment {key} has ended already: {phase}"), false));
        }
        if state.object.spec.terminate {
            return Ok(outcome(format!("experiment {key} is ending already"), false));
        }
        state.object.spec.terminate = true;
        self.keep_experiment(&key, state, "Terminated", "it was asked to end")?;
        Ok(outcome(format!("experiment {key} ends"), true))
    }

    /// Makes a changed experiment durable and decides it again.
    fn keep_experiment(
        &mut self,
        key: &Key,
        state: ExperimentState,
        reason: &str,
        message: &str,
    ) -> Result<(), LocalError> {
        let mut batch = Batch::default();
        batch.put(Shelf::Experiments, key.to_string(), &ExperimentRecord::from(&state))?;
        let event = EventRecord {
            at_ms: self.now().as_millis(),
            object: event_object(key),
            reason: reason.to_owned(),
            message: message.to_owned(),
            warning: false,
        };
        batch.event(event.clone());
        self.commit_or_refuse(batch, &[event])?;
        self.experiments.insert(key.clone(), state);
        self.touch_experiment(key);
        Ok(())
    }

    /// Forgets an experiment that was applied on its own, and stops its members.
    ///
    /// # Errors
    /// When there is none of this name, a rollout made it, or it cannot be made durable.
    pub(super) fn delete_experiment(&mut self, name: &str) -> Result<crate::protocol::Outcome, LocalError> {
        let key = self.resolve_experiment(name)?;
        if let Some((owner, _)) = &self.experiments[&key].owner {
            let message = format!("experiment {key} belongs to the rollout {owner}");
            return Err(LocalError::refused_with(message, format!("end it with `serin terminate experiment {name}`")));
        }
        let mut batch = Batch::default();
        self.put_forgotten(&mut batch, std::slice::from_ref(&key));
        self.commit_or_refuse(batch, &[])?;
        self.forget_experiments(std::slice::from_ref(&key));
        let message = format!("experiment {key} is deleted");
        Ok(crate::protocol::Outcome { rollout: key.to_string(), message, changed: true })
    }

    /// Puts into a batch that experiments and their runs are forgotten.
    pub(super) fn put_forgotten(&self, batch: &mut Batch, experiments: &[Key]) {
        for key in experiments {
            batch.delete(Shelf::Experiments, key.to_string());
            for (name, _) in self.runs.iter().filter(|(_, run)| run.experiment.as_ref().is_some_and(|(e, _)| e == key))
            {
                batch.delete(Shelf::Runs, name.to_string());
            }
        }
    }

    /// Experiments are forgotten: that is durable.
    pub(super) fn forget_experiments(&mut self, experiments: &[Key]) {
        for key in experiments {
            self.experiments.remove(key);
            self.dirty_experiments.remove(key);
            self.runs.retain(|_, run| run.experiment.as_ref().is_none_or(|(e, _)| e != key));
        }
        (self.routes_stale, self.staff_stale) = (true, true);
    }

    /// The experiment that a name means: `name`, or `namespace/name`.
    ///
    /// # Errors
    /// When there is none, or several.
    pub(super) fn resolve_experiment(&self, name: &str) -> Result<Key, LocalError> {
        let means = |key: &&Key| key.to_string() == name || key.name == name;
        let begins = |key: &&Key| key.name.starts_with(name);
        let mut found: Vec<&Key> = self.experiments.keys().filter(means).collect();
        if found.is_empty() && !name.is_empty() {
            found = self.experiments.keys().filter(begins).collect();
        }
        match found.as_slice() {
            [key] => Ok((*key).clone()),
            [] => {
                let known: Vec<String> = self.experiments.keys().map(|k| k.name.clone()).collect();
                let hint = if known.is_empty() {
                    "there are none".to_owned()
                } else {
                    format!("there are {}", known.join(", "))
                };
                Err(LocalError::refused_with(format!("there is no experiment \"{name}\""), hint))
            }
            several => {
                let names: Vec<String> = several.iter().map(|k| k.to_string()).collect();
                let message = format!("\"{name}\" means several experiments");
                Err(LocalError::refused_with(message, format!("name one of {}", names.join(", "))))
            }
        }
    }
}

fn put(batch: &mut Batch, key: &Key, settled: &Settled) -> Result<(), LocalError> {
    batch.put(Shelf::Experiments, key.to_string(), &ExperimentRecord::from(&settled.state))?;
    put_runs(batch, &settled.runs)?;
    settled.events.iter().cloned().for_each(|e| batch.event(e));
    Ok(())
}
