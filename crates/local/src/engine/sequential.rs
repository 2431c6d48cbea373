//! Sequential metrics on one machine: what the router counted by the second, or counters of the embedded store, is judged at every look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serin_core::Time;
use serin_core::analysis::schedule::Task;
use serin_providers::counters::{self, Questions, Reading};
use serin_providers::sequential::{self, Fed, Look, Taken};
use serin_proxy::report::Batch as Second;
use serin_spec::recipe::{self, Counters, Source};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::Metric;
use serin_stats::batch::Batch;

use super::{Engine, Report, RunKey};
use crate::evidence::{self, Sides};
use crate::model::{RunState, Workload};
use crate::route;

/// The router tells what happened second by second.
const SECOND: Duration = Duration::from_secs(1);

/// Answers of a Prometheus that were asked for and not judged yet.
pub(super) type Readings = BTreeMap<(RunKey, usize), Option<Result<Reading, String>>>;

impl Engine {
    /// Looks at the sequential metrics of a run that are due, and ends those that are to be stopped.
    pub(super) fn look(
        &mut self,
        name: &RunKey,
        run: &RunState,
        filled: &AnalysisRunSpec,
        due: &[(usize, Task)],
        now: Time,
    ) -> Vec<Taken> {
        let mut ready = Vec::new();
        let (mut readings, mut labelled) = (BTreeMap::new(), BTreeSet::new());
        let mut stopped = Vec::new();
        for (index, task) in due.iter().copied() {
            if task == Task::Terminate {
                stopped.push(index);
                continue;
            }
            match self.reading(name, index, filled, now) {
                Asked::Waits => continue,
                Asked::Router => {}
                Asked::Labels => {
                    labelled.insert(index);
                }
                Asked::Answered(reading) => {
                    readings.insert(index, reading);
                }
            }
            ready.push(index);
        }
        let look = Look {
            filled,
            spec: &run.core,
            status: &run.status,
            window: self.window(run),
            now,
            every_min: self.clock.span(SECOND),
        };
        let feed = |index: usize| match readings.get(&index) {
            Some(reading) => Ok(Fed::Counters(reading.clone())),
            None if labelled.contains(&index) => self.truth(run, now),
            None => self.counted(run, index).map(Fed::Batches),
        };
        let newest = self.traffic.newest();
        let mut taken = look.take(&ready, newest, &feed);
        // The next second comes in about a second, and is looked at then: this is for times that end while nothing comes.
        let later = self.clock.span(SECOND / 2);
        let told =
            |index: usize| !readings.contains_key(&index) && self.is_told(&filled.metrics[index], &Source::Router);
        for one in taken.iter_mut().filter(|one| told(one.index)) {
            one.measurement.resume_at = one.measurement.resume_at.map(|at| at + later);
        }
        let ended = |index| Taken { index, measurement: look.terminate(index), judged: Vec::new() };
        taken.extend(stopped.into_iter().map(ended));
        taken
    }

    /// Metrics that wait for the router's next second and are not due by themselves. One is over.
    pub(super) fn waiting(&self, run: &RunState, due: &[(usize, Task)]) -> Vec<(usize, Task)> {
        let waits = |index: &usize| {
            let result = run.status.metric(&run.core.metrics[*index].name);
            result.and_then(|r| r.measurements.last()).is_some_and(|last| last.finished.is_none())
                && due.iter().all(|(other, _)| other != index)
                && matches!(sequential::metric(&run.spec, *index), Some(Ok(wanted)) if self.is_told(&run.spec.metrics[*index], &wanted.source))
        };
        (0..run.core.metrics.len()).filter(waits).map(|index| (index, Task::Resume)).collect()
    }

    /// Whether a metric of this source is looked at as soon as the router has told of another second: it judges what the router counts,
    /// and nobody asked for a longer interval.
    fn is_told(&self, metric: &Metric, source: &Source) -> bool {
        matches!(source, Source::Router) && recipe::every(metric, source) <= self.clock.span(SECOND)
    }

    /// The weight that the canary of a run's rollout is to have now.
    pub(super) fn window(&self, run: &RunState) -> serin_core::Share {
        let workload = run.owner.as_ref().and_then(|owner| self.workloads.get(owner));
        let canary = workload.and_then(|w| Some(w.rollout.canary()?.share_at(w.status.step_index)));
        canary.unwrap_or(serin_core::Share { weight: 100, total: 100 })
    }

    /// What the router counted of a run's two versions since the metric was looked at last.
    fn counted(&self, run: &RunState, index: usize) -> Result<Vec<Batch>, String> {
        let owner = run.owner.as_ref().and_then(|owner| self.workloads.get(owner));
        let workload = owner.ok_or("it compares the versions of a rollout, and this run belongs to none")?;
        let stable = workload.status.stable.as_ref().filter(|stable| **stable != run.hash);
        let stable = stable.ok_or("there is no other version to compare with")?;
        let sides = Sides { routes: routes(workload), canary: run.hash.as_str(), stable: stable.as_str() };
        let after = sequential::judged_until(&run.core, &run.status, index).unwrap_or_else(|| self.traffic.newest());
        let clock = |wall_ms| self.clock.at(wall_ms);
        Ok(self.traffic.after(after).map(|second: &Second| evidence::batch(second, &sides, clock)).collect())
    }

    /// Whether a metric has something to look at, and what its counters say if others count for it.
    fn reading(&mut self, name: &RunKey, index: usize, filled: &AnalysisRunSpec, now: Time) -> Asked {
        // What cannot be read is said by the look itself.
        let Some(Ok(wanted)) = sequential::metric(filled, index) else { return Asked::Router };
        let Source::Counters(counters) = wanted.source else {
            return if sequential::is_about_truth(&wanted.recipe.test) { Asked::Labels } else { Asked::Router };
        };
        let place = (name.clone(), index);
        if let Some(waiting) = self.measuring.readings.remove(&place) {
            return match waiting {
                Some(answer) => Asked::Answered(answer),
                None => {
                    self.measuring.readings.insert(place, None);
                    Asked::Waits
                }
            };
        }
        match self.ask_counters(&place, &counters, now) {
            Some(answer) => Asked::Answered(answer),
            None => {
                self.measuring.readings.insert(place, None);
                Asked::Waits
            }
        }
    }

    /// The counters of the embedded store, or `None` after a server was asked.
    fn ask_counters(&self, place: &(RunKey, usize), counters: &Counters, now: Time) -> Option<Result<Reading, String>> {
        let queries = match sequential::queries(counters) {
            Ok(queries) => queries,
            Err(error) => return Some(Err(error.to_string())),
        };
        let Some(address) = &self.side.prometheus else {
            let reading = Questions::new(&queries).and_then(|q| q.reading(&self.series, now.as_millis()));
            return Some(reading.map_err(|e| e.to_string()));
        };
        let server =
            serin_spec::wire::provider::PrometheusMetric { address: Some(address.clone()), ..counters.server.clone() };
        // The server knows wall time only.
        let wall_ms = crate::clock::wall_ms();
        let request = match counters::request(&queries, &server, None, wall_ms) {
            Ok(request) => request,
            Err(error) => return Some(Err(error.to_string())),
        };
        let (place, send) = (place.clone(), self.reports.0.clone());
        tokio::spawn(async move {
            let answer = counters::ask(request, wall_ms).await.map_err(|e| e.to_string());
            // The loop may have ended.
            let _ = send.send(Report::Read(place, answer));
        });
        None
    }

    /// An answer of a server is judged at the next look.
    pub(super) fn take_reading(&mut self, place: (RunKey, usize), answer: Result<Reading, String>) {
        if let Some(waiting) = self.measuring.readings.get_mut(&place) {
            *waiting = Some(answer);
        }
    }
}

/// What there is to look at.
enum Asked {
    /// What the router counted.
    Router,
    /// What turned out to be true.
    Labels,
    /// Counters, or why they cannot be read.
    Answered(Result<Reading, String>),
    /// An answer is on its way.
    Waits,
}

/// The routes by which the requests of a rollout come.
pub(super) fn routes(workload: &Workload) -> Vec<String> {
    let key = workload.key();
    match workload.rollout.blue_green() {
        None => vec![route::route_name(&key)],
        Some(_) => {
            let services = workload.services.keys();
            services.map(|name| route::service_route_name(&key.beside(name), Some(workload))).collect()
        }
    }
}
