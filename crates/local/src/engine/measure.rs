//! Analysis runs: made from the rollout's templates, measured when they are due, judged, and made durable after every
//! measurement, so that a restart loses none and takes none twice.

use std::collections::BTreeSet;

use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{RunKind, RunPhase, RunSpec, RunStatus, assess, record};
use serin_core::{Hash, Time};
use serin_providers::sequential::log::Event;
use serin_providers::{Measured as Answer, ProviderError, embedded, http, measurement, prometheus, sequential, web};
use serin_spec::arguments::{self, Analysis, ArgumentError, Filled};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::Metric as WireMetric;
use serin_spec::{lower, recipe};

use super::experiments::event_object;
use super::{Engine, Report, RunKey};
use crate::model::{Key, RunState, Workload};
use crate::record::RunRecord;
use crate::store::{Batch, EventRecord, Shelf};

/// Measurements that wait for an answer from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Measuring {
    waiting: BTreeSet<(RunKey, usize)>,
    /// Counters of sequential metrics.
    pub(super) readings: super::sequential::Readings,
}

/// The end of a measurement taken elsewhere.
#[derive(Debug)]
pub(super) struct Measured {
    run: RunKey,
    index: usize,
    started: Time,
    answer: Result<Answer, String>,
}

impl Engine {
    /// Whether any run of a rollout makes sequential tests.
    pub(super) fn is_tested(&self, workload: &Workload) -> bool {
        recipe::total(workload.rollout.steps(), &|kind| self.run_spec(workload, kind).ok()) > 0.0
    }

    /// The run that a rollout's analysis asks for. One that cannot be made is there all the same, ended in error with the
    /// reason, so that it is seen and judged.
    pub(super) fn new_run(&self, workload: &Workload, kind: RunKind, hash: &Hash) -> RunState {
        let now = self.now();
        let made = self.run_spec(workload, kind);
        let (spec, problem) = match made {
            Ok(mut spec) => {
                let others = |kind: RunKind| self.run_spec(workload, kind).ok();
                recipe::resolve_run(&mut spec, kind, workload.rollout.steps(), &others);
                (spec, None)
            }
            Err(error) => (AnalysisRunSpec::default(), Some(error.to_string())),
        };
        self.checked_run(Some(workload.key()), Some(kind), hash.clone(), spec, problem, now)
    }

    /// A run of this spec, ended in error if it cannot be carried out.
    pub(super) fn checked_run(
        &self,
        owner: Option<Key>,
        kind: Option<RunKind>,
        hash: Hash,
        spec: AnalysisRunSpec,
        problem: Option<String>,
        now: Time,
    ) -> RunState {
        let masked = arguments::fill_masked(&spec);
        let problem = problem.or_else(|| match &masked {
            Ok(masked) => lower::invalid(masked).map(|p| format!("Analysis spec invalid: {p}")),
            Err(error) => Some(error.to_string()),
        });
        let core = masked.map_or_else(|_| RunSpec::default(), |masked| lower::run_spec(&masked));
        let mut status = RunStatus::default();
        if let Some(message) = problem {
            status.phase = RunPhase::Error;
            status.message = message;
            status.started = Some(now);
            status.completed = Some(now);
        }
        RunState { owner, kind, experiment: None, hash, created: now, spec, core, status }
    }

    fn run_spec(&self, workload: &Workload, kind: RunKind) -> Result<AnalysisRunSpec, ArgumentError> {
        let Some(analysis) = Analysis::of(&workload.object, kind) else {
            // The steps changed since; the next decision stops this run.
            return Ok(AnalysisRunSpec::default());
        };
        let key = workload.key();
        let rollout = serde_json::to_value(workload.manifest()).unwrap_or_default();
        let environment = arguments::Environment {
            rollout: &rollout,
            latest: &workload.rollout.hash,
            stable: workload.status.stable.as_ref(),
        };
        analysis.run_spec(&self.finder(&key), &environment)
    }

    /// Forgets runs of their own whose time to stay is over. Those of a rollout go when it no longer needs them.
    //= compat: 3.9-6
    fn forget_expired(&mut self, now: Time) {
        let expired = |run: &RunState| {
            run.owner.is_none() && lower::ttl(&run.spec).expires(&run.status).is_some_and(|at| at <= now)
        };
        let gone: Vec<RunKey> = self.runs.iter().filter(|(_, r)| expired(r)).map(|(name, _)| name.clone()).collect();
        if gone.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        gone.iter().for_each(|name| batch.delete(Shelf::Runs, name.to_string()));
        if self.commit(batch, &[]) {
            gone.iter().for_each(|name| _ = self.runs.remove(name));
        }
    }

    /// Takes the measurements that are due.
    pub(super) fn measure(&mut self) {
        let now = self.now();
        self.forget_expired(now);
        let open: Vec<RunKey> =
            self.runs.iter().filter(|(_, r)| !r.status.phase.is_completed()).map(|(name, _)| name.clone()).collect();
        let fresh = self.traffic.take_fresh();
        for name in open {
            // A metric that ends badly ends the run in the pass after it.
            for pass in 0..2 {
                self.measure_run(&name, now, fresh && pass == 0);
            }
        }
        self.measuring.waiting.retain(|(name, _)| self.runs.contains_key(name));
        self.measuring.readings.retain(|(name, _), _| self.runs.contains_key(name));
    }

    fn measure_run(&mut self, name: &RunKey, now: Time, fresh: bool) {
        let Some(run) = self.runs.get(name) else { return };
        if run.core.metrics.iter().any(|metric| metric.sequential) && self.look_at(name, now, fresh) {
            return;
        }
        let Some(run) = self.runs.get(name) else { return };
        // Most turns have nothing to do for a run, so only its status is copied.
        let mut status = run.status.clone();
        let due = schedule::due(&run.core, &run.status, now);
        let wanted: Vec<usize> = due
            .into_iter()
            .filter(|(index, task)| *task == Task::Measure && !run.core.metrics[*index].sequential)
            .map(|(index, _)| index)
            .collect();
        let filled = (!wanted.is_empty()).then(|| self.filled(name, &run.spec));
        for index in wanted {
            if self.measuring.waiting.contains(&(name.clone(), index)) {
                continue;
            }
            let answer = match &filled {
                Some(Ok(filled)) => match filled.spec.metrics.get(index) {
                    Some(metric) => self.answer_now(name, index, metric, now),
                    None => Some(Err("the metric has gone".to_owned())),
                },
                Some(Err(problem)) => Some(Err(problem.clone())),
                None => None,
            };
            if let Some(answer) = answer {
                let filled = filled.as_ref().and_then(|f| f.as_ref().ok());
                keep(&run.core, &mut status, index, (now, self.now()), answer, filled);
            } else {
                self.measuring.waiting.insert((name.clone(), index));
            }
        }
        let status = assess(&run.core, &status, now);
        if status != run.status {
            let next = RunState { status, ..run.clone() };
            self.keep_run(name, next);
        }
    }

    /// Looks at the sequential metrics that are due, and at those that wait for the router's next second if one is over. Returns
    /// whether that changed anything.
    fn look_at(&mut self, name: &RunKey, now: Time, fresh: bool) -> bool {
        let Some(run) = self.runs.get(name).cloned() else { return false };
        let due = schedule::due(&run.core, &run.status, now);
        let mut due: Vec<(usize, Task)> =
            due.into_iter().filter(|(index, _)| run.core.metrics[*index].sequential).collect();
        if fresh {
            due.extend(self.waiting(&run, &due));
        }
        if due.is_empty() {
            return false;
        }
        let filled = self.filled(name, &run.spec);
        let taken = match &filled {
            Ok(filled) => self.look(name, &run, &filled.spec, &due, now),
            Err(problem) => {
                let broken = |(index, _): &(usize, Task)| {
                    let answer = Err(problem.clone());
                    let measurement = measurement(&run.core.metrics[*index], (now, now), answer, None);
                    sequential::Taken { index: *index, measurement, judged: Vec::new() }
                };
                due.iter().map(broken).collect()
            }
        };
        if taken.is_empty() {
            return false;
        }
        self.log_look(name, &run, filled.as_ref().ok(), &taken, now);
        let mut status = run.status.clone();
        for one in taken {
            record(&run.core, &mut status, one.index, one.measurement);
        }
        let status = assess(&run.core, &status, now);
        if status == run.status {
            return false;
        }
        self.keep_run(name, RunState { status, ..run });
        true
    }

    fn filled(&self, name: &RunKey, spec: &AnalysisRunSpec) -> Result<Filled, String> {
        let secret = |secret: &str| self.objects.secret_values(&name.beside(secret));
        arguments::fill(spec, &secret).map_err(|e| e.to_string())
    }

    /// The answer of the embedded store, or `None` after the question was sent elsewhere.
    fn answer_now(
        &self,
        name: &RunKey,
        index: usize,
        metric: &WireMetric,
        now: Time,
    ) -> Option<Result<Answer, String>> {
        if let Some(wanted) = &metric.provider.prometheus {
            let Some(address) = &self.side.prometheus else {
                let answer = embedded::Question::new(wanted).and_then(|q| q.answer(&self.series, now.as_millis()));
                return Some(answer.map_err(|e| e.to_string()));
            };
            let mut wanted = wanted.clone();
            wanted.address = Some(address.clone());
            // The server knows wall time only.
            return match prometheus::request(&wanted, None, crate::clock::wall_ms()) {
                Err(error) => Some(Err(error.to_string())),
                Ok(request) => {
                    self.send(name, index, now, prometheus::ask(request));
                    None
                }
            };
        }
        if let Some(wanted) = metric.provider.web.clone() {
            return match web::request(&wanted) {
                Err(error) => Some(Err(error.to_string())),
                Ok(request) => {
                    self.send(name, index, now, async move { web::read(&wanted, &http::send(&request).await?) });
                    None
                }
            };
        }
        Some(Err("this provider is not available on one machine".to_owned()))
    }

    fn send(
        &self,
        name: &RunKey,
        index: usize,
        started: Time,
        question: impl Future<Output = Result<Answer, ProviderError>> + Send + 'static,
    ) {
        let (run, send) = (name.clone(), self.reports.0.clone());
        tokio::spawn(async move {
            let answer = question.await.map_err(|e| e.to_string());
            // The loop may have ended; then the measurement is taken again by the next one.
            let _ = send.send(Report::Measured(Measured { run, index, started, answer }));
        });
    }

    pub(super) fn take_measurement(&mut self, measured: Measured) {
        let place = (measured.run.clone(), measured.index);
        let now = self.now();
        let Some(run) = self.runs.get(&measured.run).filter(|r| !r.status.phase.is_completed()) else {
            self.measuring.waiting.remove(&place);
            return;
        };
        let mut status = run.status.clone();
        let filled = self.filled(&measured.run, &run.spec).ok();
        keep(&run.core, &mut status, measured.index, (measured.started, now), measured.answer, filled.as_ref());
        let next = RunState { status: assess(&run.core, &status, now), ..run.clone() };
        // Only what is durable counts as taken: where the disk is full the question is asked again.
        self.measuring.waiting.remove(&place);
        self.keep_run(&measured.run, next);
    }

    fn keep_run(&mut self, name: &RunKey, next: RunState) {
        let mut batch = Batch::default();
        if batch.put(Shelf::Runs, name.to_string(), &RunRecord::from(&next)).is_err() {
            return;
        }
        let ended = next.status.phase.is_completed();
        let event = ended.then(|| self.end_event(name, &next));
        event.iter().cloned().for_each(|e| batch.event(e));
        event.iter().for_each(|event| self.log_end(&next, event));
        if !self.commit(batch, event.as_slice()) {
            return;
        }
        // What ended needs nothing recorded any more.
        self.routes_stale |= ended && next.core.metrics.iter().any(|metric| metric.sequential);
        if let Some(owner) = &next.owner {
            self.dirty.insert(owner.clone());
        }
        if let Some((experiment, _)) = &next.experiment {
            self.dirty_experiments.insert(experiment.clone());
        }
        self.runs.insert(name.clone(), next);
    }

    fn end_event(&self, name: &RunKey, run: &RunState) -> EventRecord {
        let object = match (&run.owner, &run.experiment) {
            (Some(owner), _) => owner.to_string(),
            (None, Some((experiment, _))) => event_object(experiment),
            (None, None) => String::new(),
        };
        let Event { at_ms, reason, message, warning } =
            Event::run_ended(&name.name, &run.status, self.now().as_millis());
        EventRecord { at_ms, object, reason, message, warning }
    }
}

/// Judges an answer and keeps it as a measurement.
fn keep(
    spec: &RunSpec,
    status: &mut RunStatus,
    index: usize,
    times: (Time, Time),
    answer: Result<Answer, String>,
    filled: Option<&Filled>,
) {
    let Some(metric) = spec.metrics.get(index) else { return };
    record(spec, status, index, measurement(metric, times, answer, filled));
}
