//! Analysis runs in the simulated world: begun, measured, stopped.

use std::sync::Arc;

use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{Measurement, RunKind, RunPhase, RunSpec, RunStatus, assess, record, verdict};
use serin_core::{Hash, Time};

use super::{Cluster, Happening};
use crate::measure::{Answer, Plan, Source};

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
        let store = self.load.as_ref().map(|l| &l.store);
        let versions = &self.versions;
        let source = |hash: &Hash| Source { constants: versions.get(hash).map(|v| &v.measures), store, now };
        for view in &mut self.truth.runs {
            if let Some(run) = self.runs.get_mut(&view.name).filter(|run| run.is_due(now)) {
                run.measure(&view.name, source(&view.hash), seen);
                (view.phase, view.message) = (run.status.phase, run.status.message.clone());
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

impl SimRun {
    fn is_due(&self, now: Time) -> bool {
        !self.status.phase.is_completed() && self.wake_at.is_some_and(|at| at <= now)
    }

    /// Takes the measurements that are due, and says so where they end the run.
    fn measure(&mut self, name: &str, source: Source<'_>, seen: &mut Vec<Happening>) {
        let now = source.now;
        // A metric that ends badly ends the run in the pass after it.
        for _ in 0..2 {
            for (index, task) in schedule::due(&self.spec, &self.status, now) {
                if task != Task::Measure {
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
