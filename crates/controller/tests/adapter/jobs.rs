//! A Job as a measurement (section 3.13).

use serde_json::{Value, json};
use serin_controller::job::{Answer, JobRef, Place, create, name, resumed, started, surplus, terminated};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Object, Write};
use serin_core::analysis::{Measurement, RunPhase};
use serin_core::{Span, Time};
use serin_spec::wire::AnalysisRun;
use serin_spec::wire::provider::JobMetric;

use crate::stage::{NOW, body};

fn run() -> AnalysisRun {
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "spec": {},
        "metadata": { "name": "smoke", "namespace": "shop", "uid": "5a2e8f6c-0000-0000-0000-000000000000" },
    }))
    .unwrap()
}

fn wanted() -> JobMetric {
    serde_json::from_value(json!({
        "metadata": { "labels": { "a": "1" }, "annotations": { "b": "2" } },
        "spec": { "backoffLimit": 1, "template": { "spec": { "restartPolicy": "Never" } } },
    }))
    .unwrap()
}

fn made(place: &Place) -> Write {
    create(&run(), "smoke-test", &wanted(), 2, place)
}

//= compat: 3.13-2
#[test]
fn names_fit_into_a_label() {
    assert_eq!(name("u", "m", 0), "u.m.1");
    assert_eq!(name("u", "m", 4), "u.m.5");
    let uid = "5a2e8f6c-0000-0000-0000-000000000000";
    let long = name(uid, &"m".repeat(80), 9);
    assert_eq!((long.len(), long.as_str()), (63, &*format!("{uid}.{}.10", "m".repeat(23))));
    assert_eq!(name(uid, &"ü".repeat(80), 9), format!("{uid}.{}.10", "ü".repeat(11)), "no half characters");
}

//= compat: 3.13-1, 3.13-2, 3.13-3
#[test]
fn the_job_says_whose_it_is() {
    let uid = "5a2e8f6c-0000-0000-0000-000000000000";
    assert_eq!(
        *body(&made(&Place::default())),
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": format!("{uid}.smoke-test.3"),
                "namespace": "shop",
                "labels": { "a": "1", "analysisrun.argoproj.io/uid": uid },
                "annotations": {
                    "b": "2", "analysisrun.argoproj.io/name": "smoke", "analysisrun.argoproj.io/namespace": "shop",
                    "analysisrun.argoproj.io/metric-name": "smoke-test",
                },
                "ownerReferences": [crate::stage::owner("AnalysisRun", "smoke", uid)],
            },
            "spec": {
                "backoffLimit": 1,
                "template": {
                    "spec": { "restartPolicy": "Never" },
                    "metadata": { "labels": { "analysisrun.argoproj.io/uid": uid } },
                },
            },
        })
    );
    let owners = |place: Place| body(&made(&place))["metadata"]["ownerReferences"].is_array();
    assert!(owners(Place { namespace: Some("shop".to_owned()), elsewhere: false }));
    assert!(!owners(Place { namespace: Some("jobs".to_owned()), elsewhere: false }));
    assert!(!owners(Place { namespace: None, elsewhere: true }));
    let moved = made(&Place { namespace: Some("jobs".to_owned()), elsewhere: false });
    assert_eq!(moved.target.namespace, "jobs");
}

fn existing(metadata: Value) -> Answer {
    Answer::Exists(Object(json!({ "metadata": metadata })))
}

//= compat: 3.13-4, 3.13-5
#[test]
fn a_job_that_the_run_made_before_is_its_measurement() {
    let uid = run().metadata.uid.unwrap();
    let write = made(&Place::default());
    let (measurement, metadata) = started(&write, &run(), Answer::Created, NOW);
    assert_eq!((measurement.phase, measurement.resume_at, measurement.finished), (RunPhase::Running, Some(NOW), None));
    assert_eq!(metadata["job-name"], write.target.name);
    assert_eq!(metadata["job-namespace"], "shop");
    let read = JobRef::from_metadata(&metadata, &run()).unwrap();
    assert_eq!((read.name, read.namespace), (write.target.name.clone(), "shop".to_owned()));
    assert_eq!(JobRef::from_metadata(&Default::default(), &run()), Err("job metadata reference missing"));

    let of = |answer: Answer| started(&write, &run(), answer, NOW).0;
    let owned = json!({ "ownerReferences": [crate::stage::owner("AnalysisRun", "smoke", &uid)] });
    assert_eq!(of(existing(owned)).phase, RunPhase::Running);
    assert_eq!(of(existing(json!({ "labels": { "analysisrun.argoproj.io/uid": uid } }))).phase, RunPhase::Running);
    let foreign = of(existing(json!({ "ownerReferences": [crate::stage::owner("AnalysisRun", "smoke", "other")] })));
    assert_eq!((foreign.phase, foreign.finished), (RunPhase::Error, Some(NOW)));
    assert!(foreign.message.ends_with("already exists"), "{}", foreign.message);
    let refused = of(Answer::Failed("quota".to_owned()));
    assert_eq!((refused.phase, refused.message.as_str()), (RunPhase::Error, "quota"));
}

fn after(seconds: i64, conditions: Value, waiting: Value) -> Measurement {
    let running =
        Measurement { phase: RunPhase::Running, started: NOW, resume_at: Some(NOW), ..Measurement::default() };
    let job = Object(json!({ "metadata": { "name": "j", "uid": "job-1" }, "status": { "conditions": conditions } }));
    let pod = Object(json!({
        "metadata": { "name": "p", "ownerReferences": [crate::stage::owner("Job", "j", "job-1")] },
        "status": { "containerStatuses": [{ "name": "c", "state": { "waiting": waiting } }] },
    }));
    let reference = JobRef { name: "j".to_owned(), namespace: "shop".to_owned() };
    resumed(&running, &reference, Some(&job), &[pod], NOW + Span::from_secs(seconds))
}

//= compat: 3.13-1
#[test]
fn the_end_of_the_job_is_the_result() {
    let end = |kind: &str, status: &str| {
        let measurement = after(5, json!([{ "type": kind, "status": status }]), Value::Null);
        (measurement.phase, measurement.finished.map(Time::as_secs), measurement.resume_at.is_some())
    };
    let done = Some(NOW.as_secs() + 5);
    assert_eq!(end("Complete", "True"), (RunPhase::Successful, done, false));
    assert_eq!(end("Failed", "True"), (RunPhase::Failed, done, false));
    assert_eq!(end("Failed", "False"), (RunPhase::Running, None, true));
    assert_eq!(end("Suspended", "True"), (RunPhase::Running, None, true));
}

//= compat: 3.13-5
#[test]
fn the_longer_it_takes_the_rarer_it_is_asked() {
    let wait = |seconds: i64| {
        let resume = after(seconds, json!([]), Value::Null).resume_at.unwrap();
        resume.since(NOW + Span::from_secs(seconds)).as_millis()
    };
    assert_eq!([0, 2, 50, 200, 1800].map(wait), [0, 2_000, 10_000, 20_000, 60_000]);
    assert_eq!(wait(5), 3_162, "√10 s");
}

//= compat: 3.13-6
#[test]
fn a_pod_that_will_never_run_decides_nothing() {
    for reason in ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"] {
        let measurement = after(5, json!([]), json!({ "reason": reason, "message": "no such image" }));
        assert_eq!(measurement.phase, RunPhase::Inconclusive);
        assert_eq!(measurement.message, format!("Pod p, container c has terminal error ({reason}): no such image"));
    }
    assert_eq!(after(5, json!([]), json!({ "reason": "ContainerCreating" })).phase, RunPhase::Running);
}

//= compat: 3.13-7
#[test]
fn a_job_that_is_gone_is_an_error_and_one_that_is_stopped_says_nothing() {
    let running = Measurement { phase: RunPhase::Running, started: NOW, ..Measurement::default() };
    let reference = JobRef { name: "j".to_owned(), namespace: "shop".to_owned() };
    let missing = resumed(&running, &reference, None, &[], NOW);
    assert_eq!((missing.phase, missing.message.as_str()), (RunPhase::Error, "job.batch \"j\" not found"));
    let (write, stopped) = terminated(&running, &reference, NOW);
    assert_eq!((write.verb, write.failure), (Verb::Delete { foreground: true }, Failure::Gone));
    assert_eq!((stopped.phase, stopped.finished), (RunPhase::Inconclusive, Some(NOW)));
    assert_eq!(stopped.message, "Metric Terminated");
}

//= compat: 3.9-4
#[test]
fn finished_jobs_beyond_the_kept_measurements_are_deleted() {
    let uid = run().metadata.uid.unwrap();
    let job = |name: &str, metric: &str, day: u32, done: bool| {
        let conditions = if done { json!([{ "type": "Complete", "status": "True" }]) } else { json!([]) };
        Object(json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "namespace": "shop", "creationTimestamp": format!("2023-11-{day}T00:00:00Z"),
                "labels": { "analysisrun.argoproj.io/uid": uid },
                "annotations": { "analysisrun.argoproj.io/metric-name": metric },
            },
            "status": { "conditions": conditions },
        }))
    };
    let jobs =
        [job("c", "m", 13, true), job("a", "m", 11, true), job("b", "m", 12, false), job("x", "other", 10, true)];
    let gone = |kept: usize| surplus(&run(), "m", &jobs, kept).into_iter().map(|w| w.target.name).collect::<Vec<_>>();
    assert_eq!(gone(10), [] as [&str; 0]);
    assert_eq!(gone(2), ["a"]);
    assert_eq!(gone(1), ["a"], "one that runs is not touched");
    assert_eq!(gone(0), ["a", "c"]);
}
