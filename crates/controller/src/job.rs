//! The job provider: a Kubernetes Job as a measurement (section 3.13 of the Argo reference). Each function is one turn of the
//! measurement; what is between them is somebody else's waiting.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serin_core::analysis::{self, Measurement, RunPhase};
use serin_core::{Span, Time};
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::provider::JobMetric;

use crate::object::{Object, at, fields, strings};
use crate::write::{Failure, Target, Verb, Write};

/// Label with the run's uid, on the Job and its pods.
const UID_LABEL: &str = "analysisrun.argoproj.io/uid";
const NAME_ANNOTATION: &str = "analysisrun.argoproj.io/name";
const NAMESPACE_ANNOTATION: &str = "analysisrun.argoproj.io/namespace";
const METRIC_ANNOTATION: &str = "analysisrun.argoproj.io/metric-name";

/// Most bytes of a Job's name: it becomes a label of its pods.
const NAME_MAX: usize = 63;

/// Reasons of a waiting container that no waiting mends.
//= compat: 3.13-6
const HOPELESS: [&str; 3] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"];

/// Where Jobs are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The namespace of all Jobs (`ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE`); that of the run if none is given.
    pub namespace: Option<String>,
    /// Whether they are made in another cluster (`ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG`), where no run can own them.
    pub elsewhere: bool,
}

/// The Job of a measurement, as its metadata names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

impl JobRef {
    /// What the measurement's metadata says.
    //= compat: 3.13-4
    pub fn metadata(&self) -> BTreeMap<String, String> {
        [("job-name", &self.name), ("job-namespace", &self.namespace)].map(|(k, v)| (k.to_owned(), v.clone())).into()
    }

    /// Reads it back; a missing namespace is that of the run.
    ///
    /// # Errors
    /// When no Job is named.
    pub fn from_metadata(metadata: &BTreeMap<String, String>, run: &AnalysisRun) -> Result<Self, &'static str> {
        let text = |key: &str| metadata.get(key).filter(|text| !text.is_empty()).cloned();
        let name = text("job-name").ok_or("job metadata reference missing")?;
        let namespace = text("job-namespace").unwrap_or_else(|| run.metadata.namespace().to_owned());
        Ok(Self { name, namespace })
    }

    fn target(&self) -> Target {
        Target::new("batch/v1", "Job", &self.namespace, &self.name)
    }
}

/// The name of the Job that comes after `taken` measurements, errors included. The metric's part is cut where the whole is
/// too long, so that run and number stay.
//= compat: 3.13-2
pub fn name(run_uid: &str, metric: &str, taken: u32) -> String {
    let number = u64::from(taken) + 1;
    let rest = run_uid.len() + number.to_string().len() + 2;
    let mut end = metric.len().min(NAME_MAX.saturating_sub(rest));
    while !metric.is_char_boundary(end) {
        end -= 1;
    }
    format!("{run_uid}.{}.{number}", &metric[..end])
}

/// The Job to make for a measurement of `metric`, after `taken` others.
//= compat: 3.13-1, 3.13-2, 3.13-3
pub fn create(run: &AnalysisRun, metric: &str, wanted: &JobMetric, taken: u32, place: &Place) -> Write {
    let uid = run.metadata.uid.clone().unwrap_or_default();
    let home = run.metadata.namespace();
    let namespace = place.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or(home);
    let given = wanted.metadata.clone().unwrap_or(Value::Null);
    let mut labels = strings(&given["labels"]);
    labels.insert(UID_LABEL.to_owned(), uid.clone());
    let mut annotations = strings(&given["annotations"]);
    for (key, value) in
        [(NAME_ANNOTATION, run.metadata.name()), (NAMESPACE_ANNOTATION, home), (METRIC_ANNOTATION, metric)]
    {
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let mut spec = wanted.spec.clone();
    fields(at(&mut spec, &["template", "metadata", "labels"])).insert(UID_LABEL.to_owned(), uid.clone().into());
    let mut metadata = json!({
        "name": name(&uid, metric, taken),
        "namespace": namespace,
        "labels": labels,
        "annotations": annotations,
    });
    if namespace == home && !place.elsewhere {
        metadata["ownerReferences"] = json!([{
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "name": run.metadata.name(),
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
    }
    Write::create(json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec }))
}

/// What the server said to a new Job.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is there.
    Created,
    /// There is one of that name: this one.
    Exists(Object),
    /// Something else was wrong.
    Failed(String),
}

/// The measurement that begins with a new Job. One of that name that belongs to the run is its own, from a pass whose answer
/// was lost.
//= compat: 3.13-4, 3.13-5
pub fn started(write: &Write, run: &AnalysisRun, answer: Answer, now: Time) -> (Measurement, BTreeMap<String, String>) {
    let running = Measurement { phase: RunPhase::Running, started: now, ..Measurement::default() };
    let job = JobRef { name: write.target.name.clone(), namespace: write.target.namespace.clone() };
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let belongs =
        |job: &Object| job.is_controlled_by(uid) || (job.controller().is_none() && job.label(UID_LABEL) == Some(uid));
    let problem = match answer {
        Answer::Created => None,
        Answer::Exists(found) if belongs(&found) => None,
        Answer::Exists(_) => Some(format!("jobs.batch \"{}\" already exists", job.name)),
        Answer::Failed(why) => Some(why),
    };
    match problem {
        // Looked at again at once: a short Job may be over already.
        None => (Measurement { resume_at: Some(now), ..running }, job.metadata()),
        Some(why) => (failed(running, why, now), BTreeMap::new()),
    }
}

/// Looks at the Job again. It is told when the Job ends; besides, the longer it takes the rarer it is asked.
//= compat: 3.13-1, 3.13-5, 3.13-6, 3.13-7
pub fn resumed(
    measurement: &Measurement,
    job: &JobRef,
    found: Option<&Object>,
    pods: &[Object],
    now: Time,
) -> Measurement {
    let measurement = measurement.clone();
    let Some(found) = found else {
        return failed(measurement, format!("job.batch \"{}\" not found", job.name), now);
    };
    if let Some(phase) = outcome(found) {
        return Measurement { phase, finished: Some(now), resume_at: None, ..measurement };
    }
    if let Some(message) = pods.iter().filter(|pod| pod.is_controlled_by(found.uid())).find_map(hopeless) {
        let phase = RunPhase::Inconclusive;
        return Measurement { phase, message, finished: Some(now), resume_at: None, ..measurement };
    }
    let elapsed_ms = u64::try_from(now.since(measurement.started).as_millis()).unwrap_or(0);
    // √(2·seconds) seconds, in whole milliseconds.
    let wait_ms = elapsed_ms.saturating_mul(2000).isqrt();
    Measurement { resume_at: Some(now + Span::from_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX))), ..measurement }
}

/// Stops the Job: it goes with its pods, and nothing can be said of what it measured.
//= compat: 3.13-7, 3.8-7
pub fn terminated(measurement: &Measurement, job: &JobRef, now: Time) -> (Write, Measurement) {
    let gone = Write::new(job.target(), Verb::Delete { foreground: true }).or(Failure::Gone);
    let phase = RunPhase::Inconclusive;
    (gone, analysis::terminated(Measurement { phase, finished: Some(now), resume_at: None, ..measurement.clone() }))
}

/// Finished Jobs of a metric beyond the measurements that are kept, the oldest first.
//= compat: 3.9-4
pub fn surplus(run: &AnalysisRun, metric: &str, jobs: &[Object], kept: usize) -> Vec<Write> {
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let own = |job: &&Object| job.label(UID_LABEL) == Some(uid) && job.annotation(METRIC_ANNOTATION) == Some(metric);
    let mut own: Vec<&Object> = jobs.iter().filter(own).collect();
    own.sort_by_key(|job| (job.created(), job.name().to_owned()));
    let excess = own.len().saturating_sub(kept);
    let old = own.into_iter().take(excess).filter(|job| outcome(job).is_some());
    old.map(|job| Write::new(Target::of(job), Verb::Delete { foreground: true }).or(Failure::Gone)).collect()
}

fn failed(measurement: Measurement, message: String, now: Time) -> Measurement {
    Measurement { phase: RunPhase::Error, message, finished: Some(now), resume_at: None, ..measurement }
}

/// Whether a Job is over, and how.
//= compat: 3.13-1
fn outcome(job: &Object) -> Option<RunPhase> {
    let conditions = job.0["status"]["conditions"].as_array().into_iter().flatten();
    let holds = conditions.filter(|condition| condition["status"] == "True");
    holds
        .filter_map(|condition| match condition["type"].as_str() {
            Some("Complete") => Some(RunPhase::Successful),
            Some("Failed") => Some(RunPhase::Failed),
            _ => None,
        })
        .next_back()
}

/// Why a pod will never run.
//= compat: 3.13-6
fn hopeless(pod: &Object) -> Option<String> {
    let lists = ["initContainerStatuses", "containerStatuses"].map(|list| pod.0["status"][list].as_array());
    let mut waiting = lists.into_iter().flatten().flatten().filter_map(|status| {
        let waiting: &Map<String, Value> = status["state"]["waiting"].as_object()?;
        Some((status["name"].as_str().unwrap_or_default(), waiting.get("reason")?.as_str()?, waiting))
    });
    let (container, reason, waiting) = waiting.find(|(_, reason, _)| HOPELESS.contains(reason))?;
    let why = waiting.get("message").and_then(Value::as_str).unwrap_or_default();
    Some(format!("Pod {}, container {container} has terminal error ({reason}): {why}", pod.name()))
}
