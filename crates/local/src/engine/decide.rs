//! Deciding: each rollout that something happened to is decided until it settles, in memory; the outcome is one transaction.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serin_core::analysis::RunStatus;
use serin_core::decision::Event;
use serin_core::plugin::PluginCall;
use serin_core::{Action, Decision, Span, Time, decide, invalid};

use super::experiments::ExperimentChanges;
use super::{Engine, RunKey};
use crate::experiment::ExperimentRecord;
use crate::model::{Key, RunState, Workload};
use crate::record::{RunRecord, WorkloadRecord};
use crate::store::{Batch, EventRecord, Shelf};
use crate::{apply, observe};

/// Passes without a change of time before a rollout is called a loop. Far more than any update needs.
pub(super) const PASSES_MAX: usize = 100;

/// Wait before a target that is not reached yet (the router did not take it) is looked at again.
const AGAIN: Duration = Duration::from_millis(500);

/// Runs that a decision creates, changes (`Some`) or forgets (`None`).
pub(super) type RunChanges = BTreeMap<RunKey, Option<RunState>>;

/// The outcome of deciding one rollout.
pub(super) struct Settled {
    pub(super) workload: Workload,
    runs: RunChanges,
    experiments: ExperimentChanges,
    pub(super) calls: Vec<PluginCall>,
    pub(super) events: Vec<EventRecord>,
    changed: bool,
    waits: bool,
}

impl Engine {
    /// Decides every rollout that something happened to or whose time has come.
    pub(super) fn decide(&mut self) {
        let now = self.now();
        let instant = Instant::now();
        let due = self.workloads.iter().filter(|(key, w)| {
            self.dirty.contains(*key)
                || w.wake_at.is_some_and(|at| at <= now)
                || self.again_at.get(*key).is_some_and(|at| *at <= instant)
        });
        let due: Vec<Key> = due.map(|(key, _)| key.clone()).collect();
        let mut batch = Batch::default();
        let mut outcomes = Vec::new();
        for key in due {
            let settled = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.settle(&key))) {
                Ok(settled) => settled,
                Err(_) => {
                    // One bad rollout must not stop the others; it is tried again when something happens to it.
                    tracing::error!(rollout = %key, "deciding failed; its traffic and members stay as they are");
                    self.dirty.remove(&key);
                    if let Some(workload) = self.workloads.get_mut(&key) {
                        workload.wake_at = None;
                    }
                    continue;
                }
            };
            if settled.changed && self.put(&mut batch, &key, &settled).is_err() {
                continue;
            }
            outcomes.push((key, settled));
        }
        outcomes
            .iter()
            .filter(|(_, settled)| settled.changed)
            .for_each(|(key, settled)| self.log_decision(key, settled));
        let events: Vec<EventRecord> = outcomes.iter().flat_map(|(_, s)| s.events.clone()).collect();
        if self.commit(batch, &events) {
            for (key, settled) in outcomes {
                self.adopt_outcome(key, settled);
            }
        }
    }

    fn put(&self, batch: &mut Batch, key: &Key, settled: &Settled) -> Result<(), crate::LocalError> {
        batch.put(Shelf::Workloads, key.to_string(), &WorkloadRecord::from(&settled.workload))?;
        put_runs(batch, &settled.runs)?;
        for (name, experiment) in &settled.experiments {
            match experiment {
                Some(state) => batch.put(Shelf::Experiments, name.to_string(), &ExperimentRecord::from(state))?,
                None => self.put_forgotten(batch, std::slice::from_ref(name)),
            }
        }
        settled.events.iter().cloned().for_each(|e| batch.event(e));
        Ok(())
    }

    /// The outcome holds now: it is durable.
    fn adopt_outcome(&mut self, key: Key, settled: Settled) {
        self.dirty.remove(&key);
        self.again_at.remove(&key);
        if settled.waits {
            self.again_at.insert(key.clone(), Instant::now() + AGAIN);
        }
        self.routes_stale |= settled.changed;
        self.staff_stale |= settled.changed;
        self.adopt_runs(settled.runs);
        for (name, experiment) in settled.experiments {
            match experiment {
                Some(state) => {
                    self.experiments.insert(name, state);
                }
                None => self.forget_experiments(std::slice::from_ref(&name)),
            }
        }
        self.ask_plugins(&key, &settled.workload, &settled.calls);
        self.workloads.insert(key.clone(), settled.workload);
        // What the rollout wants of the router or of an experiment may have changed.
        let mine = self.experiments.iter().filter(|(_, e)| settled.changed && e.belongs_to(&key));
        self.dirty_experiments.extend(mine.map(|(name, _)| name.clone()));
    }

    pub(super) fn adopt_runs(&mut self, runs: RunChanges) {
        for (name, run) in runs {
            match run {
                Some(run) => {
                    self.runs.insert(name, run);
                }
                None => {
                    self.runs.remove(&name);
                }
            }
        }
    }

    /// Decides one rollout until a decision changes nothing.
    fn settle(&self, key: &Key) -> Settled {
        let now = self.now();
        let mut settled = Settled {
            workload: self.workloads[key].clone(),
            runs: RunChanges::new(),
            experiments: ExperimentChanges::new(),
            calls: Vec::new(),
            events: Vec::new(),
            changed: false,
            waits: false,
        };
        for _ in 0..PASSES_MAX {
            let world = self.observe(key, &settled);
            let decision = match &settled.workload.problem {
                Some(problem) => invalid(&world, problem, now),
                None => decide(&world, now),
            };
            let workload = &mut settled.workload;
            let events = news(workload, &decision);
            let dropped = apply::drop_switches(workload, &world.services, &decision.actions);
            let applied = apply::apply(workload, &decision.actions, now);
            let mut changed = dropped || applied.changed || decision.status != workload.status;
            workload.status = decision.status;
            workload.reasons = decision.reasons;
            let unreached = !decision.actions.is_empty();
            workload.wake_at = if unreached { None } else { decision.wake_at };
            settled.waits = unreached;
            settled.events.extend(events.into_iter().map(|e| EventRecord {
                at_ms: now.as_millis(),
                object: key.to_string(),
                reason: e.reason.to_owned(),
                message: e.message,
                warning: e.warning,
            }));
            for action in applied.runs {
                changed |= self.run_action(key, &action, &mut settled);
            }
            for action in applied.experiments {
                changed |= self.experiment_action(key, &action, &mut settled);
            }
            // Questions are asked by the loop: a new one is no other memory, but there is more to decide once it counts as asked.
            let asks = !applied.calls.is_empty();
            settled.calls.extend(applied.calls);
            settled.changed |= changed;
            if !changed && !asks {
                return settled;
            }
        }
        tracing::error!(rollout = %key, "decisions do not settle");
        settled.workload.wake_at = Some(now + Span::from_secs(1));
        settled
    }

    fn observe(&self, key: &Key, settled: &Settled) -> serin_core::World {
        let kept = self.runs.iter().filter(|(name, _)| !settled.runs.contains_key(*name));
        let changed = settled.runs.iter().filter_map(|(name, run)| Some((name, run.as_ref()?)));
        let mine = kept.chain(changed).filter(|(_, run)| run.owner.as_ref() == Some(key));
        let named = mine.map(|(name, run)| (name.name.as_str(), run));
        let carried = self.carried_of(key, &settled.workload);
        let experiments = self.experiments_of(key, &settled.experiments);
        let staffing = |hash: &serin_core::Hash| self.staffing(&settled.workload, hash);
        observe::world(&settled.workload, staffing, named, experiments, carried, self.plugins(key, settled))
    }

    /// An action on a run; returns whether it changed anything.
    fn run_action(&self, key: &Key, action: &Action, settled: &mut Settled) -> bool {
        let known = |settled: &Settled, name: &RunKey| match settled.runs.get(name) {
            Some(changed) => changed.clone(),
            None => self.runs.get(name).cloned(),
        };
        match action {
            Action::StartRun { name, kind, hash, .. } => {
                let name = key.beside(name);
                if known(settled, &name).is_some() {
                    return false;
                }
                let run = self.new_run(&settled.workload, *kind, hash);
                settled.runs.insert(name, Some(run));
                true
            }
            Action::StopRun { name } => {
                let name = key.beside(name);
                let Some(run) = known(settled, &name).and_then(|run| stopped(run, self.now())) else { return false };
                settled.runs.insert(name, Some(run));
                true
            }
            Action::DeleteRun { name } => {
                let name = key.beside(name);
                if known(settled, &name).is_none() {
                    return false;
                }
                settled.runs.insert(name, None);
                true
            }
            _ => false,
        }
    }

    /// An action on an experiment; returns whether it changed anything.
    fn experiment_action(&self, key: &Key, action: &Action, settled: &mut Settled) -> bool {
        let known = |settled: &Settled, name: &Key| match settled.experiments.get(name) {
            Some(changed) => changed.clone(),
            None => self.experiments.get(name).cloned(),
        };
        let (name, next) = match action {
            Action::StartExperiment { name, step, hash, revision } => {
                let key = key.beside(name);
                if known(settled, &key).is_some() {
                    return false;
                }
                match self.new_experiment(&settled.workload, *step, name, (hash, *revision)) {
                    Some(state) => (key, Some(state)),
                    None => return false,
                }
            }
            Action::StopExperiment { name } => {
                let name = key.beside(name);
                let Some(mut state) = known(settled, &name).filter(|e| !e.object.spec.terminate) else { return false };
                state.object.spec.terminate = true;
                (name, Some(state))
            }
            Action::DeleteExperiment { name } => {
                let name = key.beside(name);
                if known(settled, &name).is_none() {
                    return false;
                }
                (name, None)
            }
            _ => return false,
        };
        settled.experiments.insert(name, next);
        true
    }
}

/// A run that is told to stop, `None` if it was already.
pub(super) fn stopped(mut run: RunState, now: Time) -> Option<RunState> {
    if run.core.terminate {
        return None;
    }
    run.spec.terminate = true;
    run.core.terminate = true;
    if run.status == RunStatus::default() {
        run.status.started = Some(now);
    }
    Some(run)
}

/// Puts changed runs into a batch.
pub(super) fn put_runs(batch: &mut Batch, runs: &RunChanges) -> Result<(), crate::LocalError> {
    for (name, run) in runs {
        match run {
            Some(run) => batch.put(Shelf::Runs, name.to_string(), &RunRecord::from(run))?,
            None => batch.delete(Shelf::Runs, name.to_string()),
        }
    }
    Ok(())
}

/// The events of a decision, without those of a switch that an earlier one decided and that the router does not carry yet.
fn news(workload: &Workload, decision: &Decision) -> Vec<Event> {
    let waits = decision.actions.iter().filter_map(|action| match action {
        Action::PointService { service, hash } => {
            (workload.services.get(service)? == &Some(hash.clone())).then_some(service)
        }
        _ => None,
    });
    let waits: Vec<String> = waits.map(|service| format!("'{service}'")).collect();
    let known = |e: &Event| e.reason == "SwitchService" && waits.iter().any(|service| e.message.contains(service));
    decision.events.iter().filter(|e| !known(e)).cloned().collect()
}
