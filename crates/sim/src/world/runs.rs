//! Analysis runs in the simulated world: begun, measured, stopped.

use std::sync::Arc;

use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{
    Measurement, RunKind, RunPhase, RunSpec, RunStatus, assess, evidence, record, terminated, verdict,
};
use serin_core::{Hash, Share, Time};

use super::{Cluster, Happening};
use crate::measure::{Answer, Look, Plan, Source};

/// An analysis run: what the source of its metrics and its own controller know of it.
#[derive(Debug, Clone)]
pub(super) struct SimRun {
    /// What it measures, and how.
    plan: Arc<Plan>,
    /// The plan's spec, with what it was told since.
    spec: RunSpec,
    /// Its memory.
    status: RunStatus,
    /// When there is something to do for it.
    pub(super) wake_at: Option<Time>,
}

impl Cluster {
    pub(super) fn start_run(&mut self, name: &str, kind: RunKind, hash: &Hash) {
        if self.runs.contains_key(name) {
            return;
        }
        let plan = self.plans.of(kind, &self.truth.rollout.hash, self.truth.status.stable.as_ref());
        let phase = self.insert_run(name, plan);
        let message = self.runs[name].status.message.clone();
        self.truth.runs.push(serin_core::world::Run {
            name: name.to_owned(),
            kind,
            hash: hash.clone(),
            phase,
            message,
            terminating: false,
            created: self.now,
            passed_at: None,
        });
        // In the order of their names, whatever the order of their creation.
        self.truth.runs.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// A run of this plan begins; returns where it stands.
    pub(super) fn insert_run(&mut self, name: &str, plan: Arc<Plan>) -> RunPhase {
        let mut status = RunStatus::default();
        if let Some(problem) = &plan.problem {
            status.phase = RunPhase::Error;
            status.message.clone_from(problem);
            (status.started, status.completed) = (Some(self.now), Some(self.now));
        }
        let phase = status.phase;
        let spec = plan.spec.clone();
        let wake_at = schedule::wake_at(&spec, &status, self.now);
        self.runs.insert(name.to_owned(), SimRun { plan, spec, status, wake_at });
        phase
    }

    pub(super) fn stop_run(&mut self, name: &str) {
        if let Some(run) = self.runs.get_mut(name) {
            run.spec.terminate = true;
            run.wake_at = schedule::wake_at(&run.spec, &run.status, self.now);
        }
        self.truth.runs.iter_mut().filter(|r| r.name == name).for_each(|r| r.terminating = true);
    }

    /// Takes the measurements that are due, as the controller of the runs would.
    pub fn measure(&mut self, seen: &mut Vec<Happening>) {
        let now = self.now;
        if self.runs.values().all(|run| run.wake_at.is_none_or(|at| at > now)) {
            return;
        }
        self.count_answers();
        let canary = self.truth.rollout.canary();
        let window = canary.map(|canary| canary.share_at(self.truth.status.step_index));
        let window = window.unwrap_or(Share { weight: 100, total: 100 });
        let batches = &self.counted;
        let store = self.load.as_ref().map(|l| &l.store);
        let versions = &self.versions;
        let source =
            |hash: &Hash| Source { constants: versions.get(hash).map(|v| &v.measures), store, batches, window, now };
        for view in &mut self.truth.runs {
            if let Some(run) = self.runs.get_mut(&view.name).filter(|run| run.is_due(now)) {
                run.measure(&view.name, source(&view.hash), seen);
                (view.phase, view.message) = (run.status.phase, run.status.message.clone());
                view.passed_at = evidence::passed_at(&run.spec, &run.status);
            }
        }
        for experiment in self.experiments.values_mut() {
            for view in &mut experiment.runs {
                if let Some(run) = self.runs.get_mut(&view.name).filter(|run| run.is_due(now)) {
                    run.measure(&view.name, source(&experiment.hash), seen);
                    (view.phase, view.message) = (run.status.phase, run.status.message.clone());
                }
            }
        }
    }
}

impl Cluster {
    /// Counts what the versions answered since the last time, if a run that is due wants to know by the second.
    fn count_answers(&mut self) {
        let now = self.now;
        let wanted = self.runs.values().any(|run| run.plan.judge.is_some() && run.is_due(now));
        let stable = self.truth.status.stable.clone();
        let (Some(load), Some(stable), true) = (&mut self.load, stable, wanted) else { return };
        self.counted.push(load.batch(&self.truth.rollout.hash, &stable));
        let excess = self.counted.len().saturating_sub(COUNTED_MAX);
        self.counted.drain(..excess);
    }
}

/// Batches that are kept for runs that did not look at them yet.
const COUNTED_MAX: usize = 600;

impl SimRun {
    /// Looks at the sequential metrics that are due, and ends those that are to be stopped.
    fn look(&mut self, name: &str, source: Source<'_>, seen: &mut Vec<Happening>) {
        let Some(judge) = self.plan.judge.clone() else { return };
        let due = schedule::due(&self.spec, &self.status, source.now);
        let sequential = due.into_iter().filter(|(index, _)| self.spec.metrics[*index].sequential);
        let (stopped, looked): (Vec<_>, Vec<_>) = sequential.partition(|(_, task)| *task == Task::Terminate);
        let looked: Vec<usize> = looked.into_iter().map(|(index, _)| index).collect();
        let mut taken = Vec::new();
        if !looked.is_empty() {
            let Source { batches, window, now, .. } = source;
            let (spec, status) = (&self.spec, &self.status);
            taken = judge(&Look { spec, status, due: &looked, batches, window, now });
        }
        for (index, _) in stopped {
            let last = self.status.metric(&self.spec.metrics[index].name).and_then(|r| r.measurements.last()).cloned();
            let (phase, finished, resume_at) = (RunPhase::Successful, Some(source.now), None);
            let ended = Measurement { phase, finished, resume_at, ..last.unwrap_or_default() };
            taken.push((index, terminated(ended)));
        }
        for (index, measurement) in taken {
            // A transcript tells what came of it, not every look.
            if measurement.finished.is_some() {
                seen.push(Happening::Measured {
                    run: name.to_owned(),
                    metric: self.spec.metrics[index].name.clone(),
                    value: measurement.value.clone(),
                    phase: measurement.phase,
                });
            }
            record(&self.spec, &mut self.status, index, measurement);
        }
    }

    fn is_due(&self, now: Time) -> bool {
        !self.status.phase.is_completed() && self.wake_at.is_some_and(|at| at <= now)
    }

    /// Takes the measurements that are due, and says so where they end the run.
    fn measure(&mut self, name: &str, source: Source<'_>, seen: &mut Vec<Happening>) {
        let now = source.now;
        // A metric that ends badly ends the run in the pass after it.
        for _ in 0..2 {
            self.look(name, source, seen);
            for (index, task) in schedule::due(&self.spec, &self.status, now) {
                if task != Task::Measure || self.spec.metrics[index].sequential {
                    continue;
                }
                let metric = &self.spec.metrics[index];
                let (phase, message, value) = match self.plan.answer(index, source) {
                    Answer::Broken(why) => (RunPhase::Error, why, String::new()),
                    Answer::Value(value, text) => {
                        let (phase, message) = verdict::judge(metric, &value);
                        (phase, message, text)
                    }
                };
                let measurement =
                    Measurement { phase, message, value, started: now, finished: Some(now), ..Measurement::default() };
                seen.push(Happening::Measured {
                    run: name.to_owned(),
                    metric: metric.name.clone(),
                    value: measurement.value.clone(),
                    phase: measurement.phase,
                });
                record(&self.spec, &mut self.status, index, measurement);
            }
            self.status = assess(&self.spec, &self.status, now);
        }
        self.wake_at = schedule::wake_at(&self.spec, &self.status, now);
        if self.status.phase.is_completed() {
            let (phase, message) = (self.status.phase, self.status.message.clone());
            seen.push(Happening::RunEnded { run: name.to_owned(), phase, message });
        }
    }
}
