//! Sequential metrics: the counters that a Prometheus has are judged with what the run's status remembers. A look that finds nothing new is written nowhere.

use std::collections::BTreeMap;

use futures::future::join_all;
use serin_core::analysis::schedule::Task;
use serin_core::analysis::{Measurement, RunSpec, RunStatus};
use serin_core::{Share, Span, Time};
use serin_providers::counters;
use serin_providers::sequential::{self, Fed, Look, Taken as Judged};
use serin_spec::arguments::Filled;
use serin_spec::recipe::{Counters, Source};
use serin_spec::validate::NO_ROUTER_COUNTS;
use serin_spec::wire::{AnalysisRun, Rollout};
use serin_spec::{lower, wire};

use super::Taken;
use crate::error::Error;
use crate::references::controller_of;
use crate::resource::ROLLOUT;
use crate::shared::Shared;
use crate::store::Name;

/// Nobody is scraped more often.
const EVERY_MIN: Span = Span::from_secs(1);

/// The window of a run that belongs to no rollout.
const EVERYTHING: Share = Share { weight: 100, total: 100 };

/// Most bytes of JSON that the tests of a run may remember, shared by its metrics: a third of what the API server stores of an object.
const REMEMBERED_MAX: usize = 512 * 1024;

/// What is known of a run's looks and written nowhere. Without it a metric is looked at once too often.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks {
    uid: String,
    /// When metrics are looked at next whose last look found nothing new.
    next: BTreeMap<usize, Time>,
    /// The weight that the canary was wanted to have when the counters were last seen to grow.
    window: Option<Share>,
}

impl Looks {
    /// Of the run with this uid.
    fn of(shared: &Shared, run: &AnalysisRun) -> Self {
        let uid = run.metadata.uid.clone().unwrap_or_default();
        let known = shared.looks.borrow().get(&name(run)).filter(|looks| looks.uid == uid).cloned();
        known.unwrap_or(Self { uid, ..Self::default() })
    }
}

fn name(run: &AnalysisRun) -> Name {
    Name::new(run.metadata.namespace(), run.metadata.name())
}

/// A status in which metrics that were looked at without anything new are due later.
pub(crate) fn planned(shared: &Shared, run: &AnalysisRun, spec: &RunSpec, status: &RunStatus) -> RunStatus {
    let mut planned = status.clone();
    for (index, next) in Looks::of(shared, run).next {
        let Some(metric) = spec.metrics.get(index) else { continue };
        let result = planned.metrics.iter_mut().find(|result| result.name == metric.name);
        let open = result.and_then(|result| result.measurements.last_mut()).filter(|last| last.finished.is_none());
        if let Some(last) = open {
            last.resume_at = last.resume_at.max(Some(next));
        }
    }
    planned
}

/// Looks at metrics that are due, all at the same moment, and ends those that are to be stopped. Nothing is returned when none of them has anything new to say.
///
/// # Errors
/// When the API server does not say what the run's rollout wants; nothing was looked at then.
pub(super) async fn look(
    shared: &Shared,
    run: &AnalysisRun,
    spec: &RunSpec,
    status: &RunStatus,
    filled: Option<&Result<Filled, String>>,
    tasks: &[(usize, Task)],
) -> Result<Vec<Taken>, Error> {
    let index = |(index, _): &(usize, Task)| *index;
    let due: Vec<usize> = tasks.iter().filter(|(_, task)| *task != Task::Terminate).map(index).collect();
    let stopped: Vec<usize> = tasks.iter().filter(|(_, task)| *task == Task::Terminate).map(index).collect();
    let wanted = if due.is_empty() { None } else { Some(window(shared, run).await?) };
    let now = shared.now();
    let (filled, problem) = match filled {
        Some(Ok(filled)) => (Some(filled), None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let readings = readings(shared, filled, &due, now).await;
    let mut looks = Looks::of(shared, run);
    // What was counted while the weight changed says nothing about the new one.
    let judged_at = judged_at(spec, status);
    let window = looks.window.or(judged_at).or(wanted).unwrap_or(EVERYTHING);
    let filled_spec = filled.map_or(&run.spec, |filled| &filled.spec);
    let look = Look { filled: filled_spec, spec, status, window, now, every_min: EVERY_MIN };
    let bare = |index, measurement| Judged { index, measurement, judged: Vec::new() };
    let mut taken = match problem {
        // Where their arguments cannot be filled in, each of them is an error.
        Some(problem) => due.iter().map(|index| bare(*index, look.broken(*index, problem.clone()))).collect(),
        None => look.take(&due, 0, &|index| readings.get(&index).cloned().unwrap_or_else(|| Err(String::new()))),
    };
    if !taken.iter().any(|one| look.is_news(one)) {
        looks.next.extend(taken.drain(..).filter_map(|one| Some((one.index, one.measurement.resume_at?))));
    } else {
        looks.next.clear();
        if judged_at.is_none() || taken.iter().any(|one| !one.judged.is_empty()) {
            looks.window = wanted.or(looks.window);
        }
        let each_max = REMEMBERED_MAX / due.len().max(1);
        taken = taken.into_iter().map(|one| look.bounded(one, each_max)).collect();
    }
    shared.looks.borrow_mut().insert(name(run), looks);
    taken.extend(stopped.into_iter().map(|index| bare(index, look.terminate(index))));
    // Before it is written to the run: what holds is in the log, and what does not is known there.
    if let Some(evidence) = shared.evidence.as_ref().filter(|_| !taken.is_empty()) {
        evidence.look(shared, run, &look, filled, &taken).await;
    }
    Ok(taken.into_iter().map(|one| taken_of(one, filled)).collect())
}

/// What the counters of metrics say now.
async fn readings(
    shared: &Shared,
    filled: Option<&Filled>,
    due: &[usize],
    now: Time,
) -> BTreeMap<usize, Result<Fed, String>> {
    let Some(filled) = filled else { return BTreeMap::new() };
    let readings = join_all(due.iter().map(|index| read(shared, filled, *index, now))).await;
    due.iter().copied().zip(readings).collect()
}

/// What a source says may repeat what it was asked with, and that may be a secret.
fn taken_of(judged: Judged, filled: Option<&Filled>) -> Taken {
    let Measurement { message, value, .. } = &judged.measurement;
    let redact = |text: &String| filled.map_or_else(|| text.clone(), |filled| filled.redact(text));
    let (message, value) = (redact(message), redact(value));
    Taken { index: judged.index, measurement: Measurement { message, value, ..judged.measurement }, writes: Vec::new() }
}

/// The weight at which the run's metrics were judged last, as far as their states say.
fn judged_at(spec: &RunSpec, status: &RunStatus) -> Option<Share> {
    (0..spec.metrics.len()).find_map(|index| sequential::judged_at(spec, status, index))
}

/// The weight that the canary of a run's rollout is wanted to have now; everything for a run that belongs to none.
async fn window(shared: &Shared, run: &AnalysisRun) -> Result<Share, Error> {
    Ok(rollout_of(shared, run).await?.and_then(|rollout| share(&rollout)).unwrap_or(EVERYTHING))
}

/// The rollout that a run belongs to. Where rollouts are another controller's, and not followed here, it is asked for.
///
/// # Errors
/// When the API server does not say.
pub(crate) async fn rollout_of(shared: &Shared, run: &AnalysisRun) -> Result<Option<Rollout>, Error> {
    let object = serin_controller::Object(serde_json::json!({ "metadata": run.metadata }));
    let Some(owner) = controller_of(&object, "Rollout") else { return Ok(None) };
    let found = match shared.settings.analysis_only {
        true => shared.client.get(ROLLOUT, &owner.namespace, &owner.name).await?,
        false => shared.store.borrow().get(ROLLOUT, &owner),
    };
    Ok(found.and_then(|object| serde_json::from_value(object.0).ok()))
}

fn share(rollout: &wire::Rollout) -> Option<Share> {
    let status = lower::status(&rollout.status.clone().unwrap_or_default());
    let lowered = lower::rollout(rollout, 0, None);
    Some(lowered.canary()?.share_at(status.step_index))
}

/// What the counters of a metric say now. That a server does not answer is missing data; that it cannot be asked is an error.
async fn read(shared: &Shared, filled: &Filled, index: usize, now: Time) -> Result<Fed, String> {
    match sequential::metric(&filled.spec, index) {
        Some(Ok(metric)) => match metric.source {
            Source::Counters(counters) => ask(shared, &counters, now).await,
            Source::Router => Err(NO_ROUTER_COUNTS.to_owned()),
        },
        Some(Err(problem)) => Err(problem),
        None => Err("it is no sequential metric".to_owned()),
    }
}

async fn ask(shared: &Shared, counters: &Counters, now: Time) -> Result<Fed, String> {
    let queries = sequential::queries(counters).map_err(|error| error.to_string())?;
    let address = shared.settings.prometheus.as_deref();
    let request = counters::request(&queries, &counters.server, address, now.as_millis());
    let answer = counters::ask(request.map_err(|error| error.to_string())?, now.as_millis()).await;
    Ok(Fed::Counters(answer.map_err(|error| error.to_string())))
}
