//! Takes measurements: asks Prometheus or the web, makes Jobs and looks at them.

pub(crate) mod sequential;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::future::{join, join_all};
use serin_controller::job::{self, Answer, JobRef, Place};
use serin_controller::{Object, Write};
use serin_core::Time;
use serin_core::analysis::schedule::Task;
use serin_core::analysis::{Measurement, RunPhase, RunSpec, RunStatus, terminated};
use serin_providers::{Measured, measurement, prometheus, web};
use serin_spec::arguments::{self, Filled};
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::provider::Metric;

use crate::error::Error;
use crate::resource::{JOB, POD, SECRET};
use crate::shared::Shared;
use crate::store::Name;

/// Lines of a failed Job's log that its measurement shows.
const LOG_LINES: u32 = 10;

/// Most bytes of them: a status is no log store.
const LOG_BYTES: usize = 1024;

/// A measurement that was begun, looked at or ended.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Of which metric.
    pub(crate) index: usize,
    /// It.
    pub(crate) measurement: Measurement,
    /// What must be written for it.
    pub(crate) writes: Vec<Write>,
}

/// Does what is due, all of it at the same time.
///
/// # Errors
/// When the API server is not reached; nothing was measured then.
pub(crate) async fn take(
    shared: &Shared,
    run: &AnalysisRun,
    spec: &RunSpec,
    status: &RunStatus,
    due: &[(usize, Task)],
) -> Result<Vec<Taken>, Error> {
    // Between two looks nothing is kept, arguments neither.
    let looks = |(index, task): &(usize, Task)| spec.metrics[*index].sequential && *task != Task::Terminate;
    let filled = match due.iter().any(|one| one.1 == Task::Measure || looks(one)) {
        true => Some(filled(shared, run).await?),
        false => None,
    };
    let (tests, due): (Vec<_>, Vec<_>) = due.iter().copied().partition(|(index, _)| spec.metrics[*index].sequential);
    let one = async |(index, task): &(usize, Task)| match task {
        Task::Measure => begin(shared, run, spec, status, *index, filled.as_ref()).await,
        Task::Resume => resume(shared, run, spec, status, *index).await,
        Task::Terminate => Ok(end(shared, run, spec, status, *index)),
    };
    let looking = sequential::look(shared, run, spec, status, filled.as_ref(), &tests);
    let (others, looked) = join(join_all(due.iter().map(one)), looking).await;
    others.into_iter().chain(looked?.into_iter().map(Ok)).collect()
}

/// The metrics with every argument filled in, from Secrets as well.
async fn filled(shared: &Shared, run: &AnalysisRun) -> Result<Result<Filled, String>, Error> {
    let mut secrets: BTreeMap<String, Option<BTreeMap<String, String>>> = BTreeMap::new();
    let references = run.spec.args.iter().filter_map(|arg| arg.value_from.as_ref()?.secret_key_ref.as_ref());
    for reference in references {
        if !secrets.contains_key(&reference.name) {
            let found = shared.client.get(SECRET, run.metadata.namespace(), &reference.name).await;
            let found = match found {
                Ok(found) => found,
                Err(error @ Error::Api { code: 403, .. }) => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            };
            secrets.insert(reference.name.clone(), found.as_ref().map(entries));
        }
    }
    let secret = |name: &str| secrets.get(name).cloned().flatten();
    Ok(arguments::fill(&run.spec, &secret).map_err(|error| error.to_string()))
}

fn entries(secret: &Object) -> BTreeMap<String, String> {
    let data = secret.0["data"].as_object().into_iter().flatten();
    let decoded = data.filter_map(|(key, value)| {
        let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
        Some((key.clone(), String::from_utf8(bytes).ok()?))
    });
    decoded.collect()
}

async fn begin(
    shared: &Shared,
    run: &AnalysisRun,
    spec: &RunSpec,
    status: &RunStatus,
    index: usize,
    filled: Option<&Result<Filled, String>>,
) -> Result<Taken, Error> {
    let started = shared.now();
    let core = &spec.metrics[index];
    let metric = match filled {
        Some(Ok(filled)) => filled.spec.metrics.get(index).ok_or_else(|| "the metric has gone".to_owned()),
        Some(Err(problem)) => Err(problem.clone()),
        None => Err("its arguments were not read".to_owned()),
    };
    let filled = filled.and_then(|filled| filled.as_ref().ok());
    if let Ok(Metric { provider, .. }) = metric
        && let Some(wanted) = &provider.job
    {
        let taken = status.metric(&core.name).map_or(0, |result| result.count + result.error);
        return begin_job(shared, run, index, &core.name, wanted, taken).await;
    }
    let (answer, warnings) = match metric {
        Ok(metric) => {
            let answer = ask(shared, metric, started).await;
            let warnings = answer.as_ref().ok().and_then(|measured| measured.warnings.clone());
            (answer, warnings)
        }
        Err(problem) => (Err(problem), None),
    };
    let metadata = warnings.map(|text| ("warnings".to_owned(), text)).into_iter().collect();
    let measurement = measurement(core, (started, shared.now()), answer, filled);
    Ok(Taken { index, measurement: Measurement { metadata, ..measurement }, writes: Vec::new() })
}

/// Asks a source that answers at once.
async fn ask(shared: &Shared, metric: &Metric, now: Time) -> Result<Measured, String> {
    let provider = &metric.provider;
    let answer = if let Some(wanted) = &provider.prometheus {
        let request = prometheus::request(wanted, shared.settings.prometheus.as_deref(), now.as_millis());
        let request = request.map_err(|error| error.to_string())?;
        prometheus::ask(request).await
    } else if let Some(wanted) = &provider.web {
        let request = web::request(wanted).map_err(|error| error.to_string())?;
        match serin_providers::http::send(&request).await {
            Ok(response) => web::read(wanted, &response),
            Err(error) => Err(error),
        }
    } else {
        return Err("this provider is not supported: use prometheus, web or job".to_owned());
    };
    answer.map_err(|error| error.to_string())
}

async fn begin_job(
    shared: &Shared,
    run: &AnalysisRun,
    index: usize,
    metric: &str,
    wanted: &serin_spec::wire::provider::JobMetric,
    taken: u32,
) -> Result<Taken, Error> {
    // From now on it is heard when one ends.
    shared.knows([JOB]);
    let write = job::create(run, metric, wanted, taken, &Place::default());
    let answer = match crate::apply::send_marked(&shared.client, &write, &shared.fault).await {
        Ok(_) => Answer::Created,
        Err(error) if error.is_taken() => {
            let Some(found) = shared.client.get(JOB, &write.target.namespace, &write.target.name).await? else {
                return Err(error);
            };
            Answer::Exists(found)
        }
        Err(error) if error.class() == crate::error::Class::Retry => return Err(error),
        Err(error) => Answer::Failed(error.to_string()),
    };
    let (measurement, metadata) = job::started(&write, run, answer, shared.now());
    Ok(Taken { index, measurement: Measurement { metadata, ..measurement }, writes: Vec::new() })
}

/// The Job of the unfinished measurement of a metric.
pub(crate) fn job_of(run: &AnalysisRun, metric: &str) -> Option<JobRef> {
    let results = &run.status.as_ref()?.metric_results;
    let last = results.iter().find(|result| result.name == metric)?.measurements.last()?;
    JobRef::from_metadata(&last.metadata, run).ok()
}

fn last(spec: &RunSpec, status: &RunStatus, index: usize) -> Measurement {
    let result = status.metric(&spec.metrics[index].name);
    result.and_then(|result| result.measurements.last()).cloned().unwrap_or_default()
}

async fn resume(
    shared: &Shared,
    run: &AnalysisRun,
    spec: &RunSpec,
    status: &RunStatus,
    index: usize,
) -> Result<Taken, Error> {
    let last = last(spec, status, index);
    let Some(job) = job_of(run, &spec.metrics[index].name) else {
        return Ok(lost(shared, index, last));
    };
    let found = shared.client.get(JOB, &job.namespace, &job.name).await?;
    let selector = format!("job-name={}", job.name);
    let pods = match &found {
        Some(_) => shared.client.list(POD, Some(&job.namespace), &selector).await?,
        None => Vec::new(),
    };
    let mut measurement = job::resumed(&last, &job, found.as_ref(), &pods, shared.now());
    if measurement.phase == RunPhase::Failed && measurement.message.is_empty() {
        measurement.message = log(shared, &job, &pods).await;
    }
    Ok(Taken { index, measurement, writes: Vec::new() })
}

/// A measurement that nobody knows how to go on with: it was begun by a provider that leaves nothing to go on from.
fn lost(shared: &Shared, index: usize, last: Measurement) -> Taken {
    let measurement = Measurement {
        phase: RunPhase::Error,
        message: "job metadata reference missing".to_owned(),
        finished: Some(shared.now()),
        resume_at: None,
        ..last
    };
    Taken { index, measurement, writes: Vec::new() }
}

/// What the pod of a failed Job ended with, and the last lines of its log.
async fn log(shared: &Shared, job: &JobRef, pods: &[Object]) -> String {
    let newest = pods.iter().max_by_key(|pod| (pod.created(), pod.name().to_owned()));
    let Some(pod) = newest else { return String::new() };
    let path = format!("{}/log?tailLines={LOG_LINES}", POD.object(&job.namespace, pod.name()));
    let target = POD.target(&job.namespace, pod.name());
    let log = shared.client.text(&path, &target).await.unwrap_or_else(|error| format!("({error})"));
    let parts = [ended_with(pod).unwrap_or_default(), tail(log.trim()).to_owned()];
    let told: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("pod {}: {}", pod.name(), told.join("; "))
}

/// How the first container that failed ended.
fn ended_with(pod: &Object) -> Option<String> {
    let statuses = pod.0["status"]["containerStatuses"].as_array()?;
    let failed =
        statuses.iter().find(|status| status["state"]["terminated"]["exitCode"].as_i64().is_some_and(|c| c != 0));
    let status = failed?;
    let (name, ended) = (status["name"].as_str().unwrap_or_default(), &status["state"]["terminated"]);
    let text = |key: &str| ended[key].as_str().unwrap_or_default();
    let why = [text("reason"), text("message").trim()].into_iter().filter(|part| !part.is_empty());
    let why = why.collect::<Vec<_>>().join(": ");
    Some(format!("container {name} ended with exit code {} ({})", ended["exitCode"], tail(&why)))
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(LOG_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

fn end(shared: &Shared, run: &AnalysisRun, spec: &RunSpec, status: &RunStatus, index: usize) -> Taken {
    let last = last(spec, status, index);
    let now = shared.now();
    match job_of(run, &spec.metrics[index].name) {
        Some(job) => {
            let (gone, measurement) = job::terminated(&last, &job, now);
            Taken { index, measurement, writes: vec![gone] }
        }
        None => {
            let measurement =
                terminated(Measurement { phase: RunPhase::Successful, finished: Some(now), resume_at: None, ..last });
            Taken { index, measurement, writes: Vec::new() }
        }
    }
}

/// Jobs beyond the measurements that are kept.
//= compat: 3.9-4
pub(crate) fn surplus(shared: &Shared, run: &AnalysisRun) -> Vec<Write> {
    let Ok(masked) = arguments::fill_masked(&run.spec) else { return Vec::new() };
    let spec = serin_spec::lower::run_spec(&masked);
    let jobs = shared.store.borrow().owned(JOB, run.metadata.uid.as_deref().unwrap_or_default());
    spec.metrics.iter().flat_map(|metric| job::surplus(run, &metric.name, &jobs, metric.retention)).collect()
}

/// The name of the run that a Job measures for.
pub(crate) fn run_of(job: &Object) -> Option<Name> {
    crate::references::controller_of(job, "AnalysisRun")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_decoded_and_what_is_no_text_is_left_out() {
        let secret = Object(json!({ "data": { "a": "aGVsbG8=", "b": "/w==", "c": 3 } }));
        assert_eq!(entries(&secret), [("a".to_owned(), "hello".to_owned())].into());
    }

    #[test]
    fn the_container_that_failed_is_named() {
        let ended = |code: i64, reason: &str| json!({ "name": "c", "state": { "terminated": { "exitCode": code, "reason": reason } } });
        let pod = Object(json!({ "status": { "containerStatuses": [ended(0, "Completed"), ended(3, "Error")] } }));
        assert_eq!(ended_with(&pod).as_deref(), Some("container c ended with exit code 3 (Error)"));
        assert_eq!(ended_with(&Object(json!({}))), None);
    }

    #[test]
    fn a_log_is_cut_at_its_begin_and_never_within_a_character() {
        assert_eq!(tail("short"), "short");
        let long = format!("a{}", "é".repeat(LOG_BYTES));
        assert!(tail(&long).len() <= LOG_BYTES);
        assert!(tail(&long).chars().all(|c| c == 'é'));
    }
}
