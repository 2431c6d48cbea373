//! A pass over an analysis run: what is due is measured, judged and written. A measurement that was taken and could not be
//! written is kept and written later; it is not taken again. A sequential metric is: its counters are asked again and judged from what is written, so that
//! nothing that they counted is missed or counted twice, whoever wrote meanwhile.

use serde_json::{Value, json};
use serin_controller::render::event;
use serin_controller::write::Verb;
use serin_controller::{Object, Write, merge_patch};
use serin_core::Time;
use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{RunPhase, RunSpec, RunStatus, assess, record};
use serin_providers::sequential::forget as forget_states;
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::analysis::AnalysisRunStatus;
use serin_spec::{arguments, lower, raise};

use super::failure;
use super::rollout::{apply_all, finish};
use super::{Key, Next};
use crate::error::Error;
use crate::measure::{self, Taken, sequential};
use crate::resource::{ANALYSIS_RUN, JOB};
use crate::shared::Shared;
use crate::store::Name;

/// What was measured and not written yet.
#[derive(Debug, Clone)]
pub(crate) struct Unsaved {
    uid: String,
    status: RunStatus,
}

/// Makes one.
pub(super) async fn pass(shared: &Shared, name: &Name) -> Result<Next, Error> {
    let next = carry_out(shared, name).await;
    if next.is_err() {
        // What was looked at is not written, or somebody else has written.
        shared.looks.borrow_mut().remove(name);
    }
    next
}

async fn carry_out(shared: &Shared, name: &Name) -> Result<Next, Error> {
    let known = shared.store.borrow().get(ANALYSIS_RUN, name);
    let Some(object) = known.filter(|object| !object.is_deleted()) else {
        forget(shared, name);
        // Its Jobs go with it.
        shared.undeleted.borrow_mut().remove(name);
        return Ok(Next::At(None));
    };
    let run: AnalysisRun = match serde_json::from_value(object.0.clone()) {
        Ok(run) => run,
        Err(problem) => {
            let why = Error::Process(format!("read it: {problem}"));
            failure::tell(shared, &Key::Run(name.clone()), &why, u32::MAX).await;
            return Ok(Next::At(None));
        }
    };
    let former = run.status.clone().unwrap_or_default();
    let before = lower::run_status(&former);
    if before.phase.is_completed() {
        forget_looks(shared, name);
        if let Some(evidence) = &shared.evidence {
            evidence.conclude(shared, &run, &before).await;
        }
        return expire(shared, name, &run, &before, &object).await;
    }
    let unsaved = shared.unsaved.borrow().get(name).filter(|kept| kept.uid == object.uid()).cloned();
    let mut kept = unsaved.unwrap_or_else(|| Unsaved { uid: object.uid().to_owned(), status: before.clone() });
    let now = shared.now();
    let spec = match checked(&run) {
        Ok(spec) => spec,
        Err(message) => {
            kept.status.phase = RunPhase::Error;
            kept.status.message = message;
            kept.status.started.get_or_insert(now);
            kept.status.completed = Some(now);
            return save(shared, name, &object, &former, &before, kept).await;
        }
    };
    take_back_looks(&spec, &mut kept.status, &before);
    let due = due(shared, &run, &spec, &sequential::planned(shared, &run, &spec, &kept.status), now);
    if !due.is_empty() {
        let taken = measure::take(shared, &run, &spec, &kept.status, &due).await?;
        for Taken { index, measurement, writes } in taken {
            record(&spec, &mut kept.status, index, measurement);
            // What was measured is written whatever comes of it.
            let _ = delete(shared, name, writes).await;
        }
        shared.unsaved.borrow_mut().insert(name.clone(), kept.clone());
    }
    forget_states(&mut kept.status);
    let now = shared.now();
    kept.status = assess(&spec, &kept.status, now);
    let wake_at = schedule::wake_at(&spec, &sequential::planned(shared, &run, &spec, &kept.status), now);
    match save(shared, name, &object, &former, &before, kept).await? {
        Next::Again => Ok(Next::Again),
        Next::At(_) => Ok(Next::At(wake_at)),
    }
}

/// Deletes the Jobs of measurements that were ended. What could not be deleted is kept for a later pass: nothing else ends a Job, and it
/// would go on for as long as its run is there.
async fn delete(shared: &Shared, name: &Name, jobs: Vec<Write>) -> Result<(), Error> {
    let mut first = Ok(());
    for job in jobs {
        let applied = apply_all(shared, vec![job.clone()], &mut Shared::versions([])).await;
        if let Some(error) = applied.skipped.or(applied.stopped.map(|(_, error)| error)) {
            shared.undeleted.borrow_mut().entry(name.clone()).or_default().push(job);
            first = first.and(Err(error));
        }
    }
    first
}

fn forget(shared: &Shared, name: &Name) {
    forget_looks(shared, name);
    if let Some(evidence) = &shared.evidence {
        evidence.forget(name);
    }
}

fn forget_looks(shared: &Shared, name: &Name) {
    shared.unsaved.borrow_mut().remove(name);
    shared.looks.borrow_mut().remove(name);
}

/// Puts sequential metrics back to where they are written to be.
fn take_back_looks(spec: &RunSpec, status: &mut RunStatus, written: &RunStatus) {
    let is_sequential = |name: &str| spec.metrics.iter().any(|metric| metric.sequential && metric.name == name);
    status.metrics.retain(|result| !is_sequential(&result.name) || written.metric(&result.name).is_some());
    for result in status.metrics.iter_mut().filter(|result| is_sequential(&result.name)) {
        if let Some(written) = written.metric(&result.name) {
            result.clone_from(written);
        }
    }
}

/// The spec to carry out, or why it cannot be.
fn checked(run: &AnalysisRun) -> Result<RunSpec, String> {
    let masked =
        arguments::fill_masked(&run.spec).map_err(|error| format!("Unable to resolve metric arguments: {error}"))?;
    match lower::invalid(&masked) {
        Some(problem) => Err(format!("Analysis spec invalid: {problem}")),
        None => Ok(lower::run_spec(&masked)),
    }
}

/// What is due; a Job that is seen to have ended is looked at at once.
//= compat: 9.6-5
fn due(shared: &Shared, run: &AnalysisRun, spec: &RunSpec, status: &RunStatus, now: Time) -> Vec<(usize, Task)> {
    let mut due = schedule::due(spec, status, now);
    let store = shared.store.borrow();
    for (index, metric) in spec.metrics.iter().enumerate() {
        if due.iter().any(|(i, _)| *i == index) {
            continue;
        }
        let last = status.metric(&metric.name).and_then(|result| result.measurements.last());
        let open = last.is_some_and(|last| last.finished.is_none());
        let job = open.then(|| measure::job_of(run, &metric.name)).flatten();
        let ended = job.and_then(|job| store.get(JOB, &Name::new(job.namespace, job.name)));
        if ended.is_some_and(|job| job.0["status"]["conditions"].as_array().is_some_and(|all| !all.is_empty())) {
            due.push((index, Task::Resume));
        }
    }
    due
}

/// Writes what differs from what was read.
async fn save(
    shared: &Shared,
    name: &Name,
    object: &Object,
    former: &AnalysisRunStatus,
    before: &RunStatus,
    kept: Unsaved,
) -> Result<Next, Error> {
    let wanted = raise::run_status(&kept.status, Some(former));
    let json = |status: &AnalysisRunStatus| serde_json::to_value(status).unwrap_or(Value::Null);
    let Some(patch) = merge_patch::difference(&json(former), &json(&wanted)) else {
        shared.unsaved.borrow_mut().remove(name);
        return Ok(Next::At(None));
    };
    let target = ANALYSIS_RUN.target(&name.namespace, &name.name);
    let write = Write::new(target, Verb::MergePatch(json!({ "status": patch })));
    finish(shared, vec![write], &mut Shared::versions([object])).await?;
    shared.unsaved.borrow_mut().remove(name);
    let events = events(object, before, &kept.status, shared.now());
    apply_all(shared, events, &mut Shared::versions([])).await;
    Ok(Next::Again)
}

/// What is told of a run: the end of a metric, the end of the whole.
//= compat: 9.4-4
fn events(object: &Object, before: &RunStatus, after: &RunStatus, now: Time) -> Vec<Write> {
    let ended = |phase: RunPhase| phase.is_completed();
    let metric = |result: &serin_core::analysis::MetricResult| {
        let was = before.metric(&result.name).map_or(RunPhase::Pending, |former| former.phase);
        (ended(result.phase) && !ended(was)).then(|| {
            let text = format!("Metric '{}' Completed. Result: {}", result.name, result.phase);
            event::on(object, &format!("Metric{}", result.phase), &text, bad(result.phase), now)
        })
    };
    let whole = (ended(after.phase) && !ended(before.phase)).then(|| {
        let text = format!("Analysis Completed. Result: {}", after.phase);
        event::on(object, &format!("AnalysisRun{}", after.phase), &text, bad(after.phase), now)
    });
    after.metrics.iter().filter_map(metric).chain(whole).collect()
}

const fn bad(phase: RunPhase) -> bool {
    matches!(phase, RunPhase::Failed | RunPhase::Error)
}

/// A finished run of its own goes when its time to stay is over; its Jobs beyond those that are kept go before.
//= compat: 3.9-6, 3.9-4
async fn expire(
    shared: &Shared,
    name: &Name,
    run: &AnalysisRun,
    status: &RunStatus,
    object: &Object,
) -> Result<Next, Error> {
    let left = shared.undeleted.borrow_mut().remove(name).unwrap_or_default();
    let deleted = delete(shared, name, left).await;
    let surplus = measure::surplus(shared, run);
    apply_all(shared, surplus, &mut Shared::versions([])).await;
    let at = lower::ttl(&run.spec).expires(status);
    if at.is_none_or(|at| at > shared.now()) {
        return deleted.map(|()| Next::At(at));
    }
    let target = serin_controller::write::Target::of(object);
    let delete = Write::new(target, Verb::Delete { foreground: false }).or(serin_controller::write::Failure::Gone);
    finish(shared, vec![delete], &mut Shared::versions([])).await?;
    Ok(Next::At(None))
}
