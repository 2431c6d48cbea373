//! Tests that stop a part of the cluster. They run alone: any other test would take it for a fault.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serin_e2e::{Answers, Cluster, Namespace, Users, ask, wait_for};

use crate::web::{self, SOON, WHOLE};

#[test]
fn the_api_server_comes_back_with_what_it_had() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("restart");
    namespace.kubectl(&["create", "configmap", "kept", "--from-literal=a=1"]);
    cluster.process(&["stop", "apiserver"]);
    assert!(!cluster.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"], "").success);
    cluster.process(&["start", "apiserver"]);
    cluster.wait_for_api(SOON);
    assert_eq!(namespace.object("configmap", "kept").unwrap()["data"]["a"], "1");
    // The controller manager has found it again, too: a new namespace gets its service account from it.
    let other = cluster.namespace("after");
    wait_for("a service account", SOON, || {
        other.object("serviceaccount", "default").map(|_| ()).ok_or_else(|| "none".to_owned())
    });
}

#[test]
fn a_server_that_hangs_goes_on_where_it_was() {
    let cluster = Cluster::booted();
    cluster.process(&["signal", "STOP", "apiserver"]);
    let answer = cluster.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=1s"], "");
    cluster.process(&["signal", "CONT", "apiserver"]);
    assert!(!answer.success, "{answer:?}");
    cluster.wait_for_api(SOON);
}

/// Waits until an update stands at the pause of a step and the canary answers.
fn wait_for_pause(namespace: &Namespace, step: u64, weight: f64) {
    let at_pause = |r: &Value| web::is_current(r) && r["status"]["currentStepIndex"] == step;
    namespace.wait_for("rollout", "web", "at its pause", WHOLE, at_pause);
    // The router was told of the weight; until it carries it, it may take some seconds.
    namespace.wait_until("the canary's answers", SOON, || {
        let answers = ask(&web::host(namespace), 40, SOON);
        if answers.share("v3.2.0") > weight - 0.1 { Ok(()) } else { Err(format!("{answers:?}")) }
    });
}

/// What users get for so long.
fn answers_of(namespace: &Namespace, time: Duration) -> Answers {
    let begun = Instant::now();
    let mut all = Answers::default();
    while begun.elapsed() < time {
        let answers = ask(&web::host(namespace), 50, time);
        all.failed += answers.failed;
        all.failures.extend(answers.failures);
        answers.versions.into_iter().for_each(|(version, count)| *all.versions.entry(version).or_default() += count);
    }
    all
}

/// The split of the pause is what users get, and nobody goes without an answer.
fn assert_unchanged(answers: &Answers, weight: f64) {
    let total = f64::from(u32::try_from(answers.total()).unwrap());
    // 4.5 standard deviations of random draws.
    let tolerance = 4.5 * (weight * (1.0 - weight) / total).sqrt();
    assert!(answers.failed == 0 && total >= 100.0, "{answers:?}");
    assert!((answers.share("v3.2.0") - weight).abs() <= tolerance, "{answers:?}");
}

#[test]
fn an_update_outlives_a_minute_without_an_api_server_and_one_that_answers_nobody() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("away");
    let mut controller = namespace.controller(&[]);
    let pause = |time: &str| json!({ "pause": { "duration": time } });
    let steps = json!([{ "setWeight": 30 }, pause("45s"), { "setWeight": 60 }, pause("30s")]);
    web::apply(&namespace, &steps, Vec::new());
    web::reached(&namespace, "v3.1.0");
    let users = Users::start_at(&web::host(&namespace), "churn", 20);
    web::update(&namespace);

    // The pause is over long before the server is back; then the next step begins.
    wait_for_pause(&namespace, 1, 0.3);
    cluster.process(&["stop", "apiserver"]);
    let answers = answers_of(&namespace, Duration::from_secs(60));
    cluster.process(&["start", "apiserver"]);
    cluster.wait_for_api(SOON);
    assert_unchanged(&answers, 0.3);

    wait_for_pause(&namespace, 3, 0.6);
    cluster.process(&["signal", "STOP", "apiserver"]);
    let answers = answers_of(&namespace, Duration::from_secs(20));
    cluster.process(&["signal", "CONT", "apiserver"]);
    cluster.wait_for_api(SOON);
    assert_unchanged(&answers, 0.6);

    web::reached(&namespace, "v3.2.0");
    web::assert_none_failed(&users.finish());
    assert!(controller.is_running(), "{}", controller.log());
}

/// The one metric of a run, as it stands.
fn metric(run: &Value) -> &Value {
    &run["status"]["metricResults"][0]
}

#[test]
fn without_prometheus_measurements_are_errors_and_with_it_the_analysis_goes_on() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("blind");
    let provider = json!({ "prometheus": { "address": format!("http://{}", serin_e2e::prometheus::SERVER), "query": "vector(1)" } });
    let lasting = json!({ "successCondition": "result[0] == 1", "provider": provider, "consecutiveErrorLimit": 1000 });
    let impatient = json!({ "successCondition": "result[0] == 1", "provider": provider, "consecutiveErrorLimit": 1 });
    let steps = json!([{ "setWeight": 30 }, { "analysis": { "templates": [{ "templateName": "lasting" }] } }]);
    let _controller = namespace.controller(&[]);
    web::apply(&namespace, &steps, vec![web::template("lasting", 15, &lasting)]);
    web::reached(&namespace, "v3.1.0");
    web::update(&namespace);
    let of_step = || {
        let runs = namespace.objects("analysisruns", "rollout-type=Step");
        runs.into_iter().next().ok_or_else(|| "no run".to_owned())
    };
    let count = |run: &Value, what: &str| metric(run)[what].as_u64().unwrap_or(0);
    namespace.wait_until("a first measurement", WHOLE, || {
        of_step().and_then(|run| if count(&run, "successful") > 0 { Ok(()) } else { Err(run.to_string()) })
    });

    cluster.process(&["stop", "prometheus"]);
    let blind = namespace.wait_until("errors", SOON, || {
        of_step().and_then(|run| if count(&run, "error") >= 1 { Ok(run) } else { Err(run.to_string()) })
    });
    // A run that begins now, with less patience, ends as an error.
    let spec = web::template("", 3, &impatient)["spec"].take();
    let alone = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": { "name": "alone" }, "spec": spec });
    namespace.apply(&alone.to_string());
    let alone = namespace.wait_for("analysisrun", "alone", "over", SOON, |r| r["status"]["phase"] == "Error");
    assert_eq!((count(&alone, "error"), count(&alone, "count")), (2, 0));
    let blinder = namespace.wait_until("more errors", SOON, || {
        of_step().and_then(|run| if count(&run, "error") >= 3 { Ok(run) } else { Err(run.to_string()) })
    });
    // Nothing was taken for a success meanwhile.
    assert_eq!((count(&blinder, "successful"), count(&blinder, "failed")), (count(&blind, "successful"), 0));
    assert_eq!(blinder["status"]["phase"], "Running");

    cluster.process(&["start", "prometheus"]);
    web::reached(&namespace, "v3.2.0");
    let run = of_step().unwrap();
    assert_eq!(
        (&run["status"]["phase"], count(&run, "successful"), count(&run, "failed")),
        (&"Successful".into(), 15, 0)
    );
    assert!(count(&run, "error") >= 3, "{run}");
}
