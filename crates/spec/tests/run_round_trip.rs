//! Analysis runs: the memory of a run survives the wire, and specs become what the core measures.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_core::analysis::{Measurement, Metric, MetricResult, RunPhase, RunStatus, Summary};
use serin_core::{Span, Time};
use serin_spec::wire::analysis::{AnalysisRunSpec, AnalysisRunStatus};
use serin_spec::{lower, raise};

fn time() -> impl Strategy<Value = Time> {
    (0_i64..4_000_000_000_000).prop_map(Time::from_millis)
}

fn phase() -> impl Strategy<Value = RunPhase> {
    use RunPhase::{Error, Failed, Inconclusive, Pending, Running, Successful};
    prop_oneof![Just(Pending), Just(Running), Just(Successful), Just(Failed), Just(Error), Just(Inconclusive)]
}

fn measurement() -> impl Strategy<Value = Measurement> {
    (phase(), ".{0,12}", time(), prop::option::of(time()), ".{0,8}", prop::option::of(time())).prop_map(
        |(phase, message, started, finished, value, resume_at)| Measurement {
            metadata: BTreeMap::new(),
            phase,
            message,
            started,
            finished,
            value,
            resume_at,
        },
    )
}

fn metric() -> impl Strategy<Value = MetricResult> {
    let counters = prop::collection::vec(prop_oneof![0_u32..4, any::<u32>()], 7);
    ("[a-z]{1,8}", phase(), ".{0,12}", prop::collection::vec(measurement(), 0..4), counters, any::<bool>()).prop_map(
        |(name, phase, message, measurements, n, dry_run)| MetricResult {
            name,
            phase,
            message,
            measurements,
            count: n[0],
            successful: n[1],
            failed: n[2],
            inconclusive: n[3],
            error: n[4],
            consecutive_error: n[5],
            consecutive_success: n[6],
            dry_run,
        },
    )
}

fn summary() -> impl Strategy<Value = Summary> {
    (0_u32..9, 0_u32..9, 0_u32..9, 0_u32..9, 0_u32..9).prop_map(|(count, successful, failed, inconclusive, error)| {
        Summary { count, successful, failed, inconclusive, error }
    })
}

fn status() -> impl Strategy<Value = RunStatus> {
    let times = (prop::option::of(time()), prop::option::of(time()));
    (phase(), ".{0,20}", times, prop::collection::vec(metric(), 0..4), summary(), summary()).prop_map(
        |(phase, message, (started, completed), metrics, summary, dry_run_summary)| RunStatus {
            phase,
            message,
            started,
            completed,
            metrics,
            summary,
            dry_run_summary,
        },
    )
}

proptest! {
    //= compat: 3.1-5, 3.1-6, 3.1-7, 3.1-8
    #[test]
    fn the_memory_of_a_run_survives_the_wire(status in status()) {
        let raised = raise::run_status(&status, None);
        let text = serde_json::to_string(&raised).unwrap();
        let read: AnalysisRunStatus = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(lower::run_status(&read), status);
    }
}

//= compat: 3.8-9
#[test]
fn metadata_of_providers_is_kept() {
    let former: AnalysisRunStatus = serde_json::from_value(json!({
        "phase": "Running", "runSummary": {}, "metricResults": [{ "name": "errors", "metadata": { "ResolvedPrometheusQuery": "up" },
            "measurements": [
                { "startedAt": "1970-01-01T00:00:01Z", "metadata": { "gone": "by" } },
                { "startedAt": "1970-01-01T00:00:02Z", "metadata": { "warnings": "slow" } }] }],
    }))
    .unwrap();
    let measured = |s: i64| Measurement { started: Time::from_secs(s), ..Measurement::default() };
    let errors =
        MetricResult { name: "errors".into(), measurements: vec![measured(2), measured(3)], ..MetricResult::default() };
    let other = MetricResult { name: "other".into(), measurements: vec![measured(2)], ..MetricResult::default() };
    let core = RunStatus { metrics: vec![errors, other], ..RunStatus::default() };
    let raised = serde_json::to_value(raise::run_status(&core, Some(&former))).unwrap();
    assert_eq!(raised["dryRunSummary"], json!({}));
    let results = &raised["metricResults"];
    assert_eq!(results[0]["metadata"], json!({ "ResolvedPrometheusQuery": "up" }));
    assert_eq!(results[0]["measurements"][0]["metadata"], json!({ "warnings": "slow" }));
    assert_eq!(results[0]["measurements"][1].get("metadata"), None);
    assert_eq!((results[1].get("metadata"), results[1]["measurements"][0].get("metadata")), (None, None));
}

fn spec(metrics: Value, rest: Value) -> AnalysisRunSpec {
    let mut spec = rest;
    spec["metrics"] = metrics;
    serde_json::from_value(spec).unwrap()
}

fn web(extra: Value) -> Value {
    let mut metric = json!({ "name": "m", "provider": { "web": { "url": "http://x" } } });
    metric.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    metric
}

//= compat: 3.1-3, 3.1-4, 3.7-4
#[test]
fn metrics_are_lowered_with_their_defaults() {
    let lowered = lower::run_spec(&spec(json!([web(json!({}))]), json!({ "terminate": true })));
    assert!(lowered.terminate);
    assert_eq!(lowered.metrics, [Metric::new("m")]);
    let all = web(json!({
        "interval": "1m30s", "initialDelay": "500ms", "count": "5", "failureLimit": -1, "inconclusiveLimit": 2,
        "consecutiveErrorLimit": 0, "consecutiveSuccessLimit": "3", "successCondition": "result > 1", "failureCondition": "",
    }));
    let metric = lower::run_spec(&spec(json!([all]), json!({}))).metrics.remove(0);
    let want = Metric {
        interval: Some(Span::from_secs(90)),
        initial_delay: Some(Span::from_millis(500)),
        count: 5,
        failure_limit: -1,
        inconclusive_limit: 2,
        consecutive_error_limit: 0,
        consecutive_success_limit: 3,
        success: Some("result > 1".to_owned()),
        ..Metric::new("m")
    };
    assert_eq!(metric, want);
    let unreadable = web(json!({ "count": "many", "failureLimit": "few" }));
    let metric = lower::run_spec(&spec(json!([unreadable]), json!({}))).metrics.remove(0);
    assert_eq!((metric.count, metric.failure_limit), (0, 0));
}

//= compat: 3.9-1, 3.9-4, 10.10
#[test]
fn rules_match_anywhere_in_a_name_and_the_last_one_counts() {
    let names = ["latency", "latency-p99", "errors"];
    let metrics: Vec<Value> = names.iter().map(|name| web(json!({ "name": name }))).collect();
    let lowered = |rest: Value| lower::run_spec(&spec(json!(metrics), rest)).metrics;
    let dry = |pattern: &str| -> Vec<bool> {
        lowered(json!({ "dryRun": [{ "metricName": pattern }] })).iter().map(|m| m.dry_run).collect()
    };
    assert_eq!(dry("latency"), [true, true, false]);
    assert_eq!(dry("^latency$"), [true, false, false]);
    assert_eq!(dry(".*"), [true, true, true]);
    assert_eq!(dry("*"), [false, false, false]);
    let rules = json!([{ "metricName": ".*", "limit": 3 }, { "metricName": "p99", "limit": 50 }]);
    let kept: Vec<usize> = lowered(json!({ "measurementRetention": rules })).iter().map(|m| m.retention).collect();
    assert_eq!(kept, [3, 50, 3]);
    let rules = json!([{ "metricName": "latency", "limit": 0 }]);
    assert!(lowered(json!({ "measurementRetention": rules })).iter().all(|m| m.retention == 10));
}

//= compat: 3.4-1, 3.4-2, 3.4-3, 3.4-4, 3.4-5, 3.9-2, 10.10, A.6-4
#[test]
fn runs_that_cannot_be_carried_out_say_why() {
    let check = |metrics: Value, rest: Value, want: &str| {
        assert_eq!(lower::invalid(&spec(metrics, rest)).as_deref(), Some(want).filter(|text| !text.is_empty()));
    };
    let metric = |extra: Value, want: &str| check(json!([web(extra)]), json!({}), want);
    metric(json!({}), "");
    check(json!([]), json!({}), "no metrics specified");
    check(json!([web(json!({})), web(json!({}))]), json!({}), "metrics[1]: duplicate name 'm'");
    metric(json!({ "consecutiveSuccessLimit": -1 }), "metrics[0]: consecutiveSuccessLimit must be >= 0");
    metric(json!({ "inconclusiveLimit": -1 }), "metrics[0]: inconclusiveLimit must be >= 0");
    metric(json!({ "consecutiveErrorLimit": -1 }), "metrics[0]: consecutiveErrorLimit must be >= 0");
    metric(json!({ "count": 2 }), "metrics[0]: interval must be specified when count > 1");
    metric(
        json!({ "count": 2, "interval": "1s", "failureLimit": 1, "consecutiveSuccessLimit": 2 }),
        "metrics[0]: count (2) must be >= failureLimit + consecutiveSuccessLimit (1 + 2) if both >= 0",
    );
    metric(
        json!({ "interval": "soon" }),
        "metrics[0]: invalid interval string: invalid duration \"soon\": expected a form such as 30s, 5m or 1h30m",
    );
    metric(
        json!({ "initialDelay": "5" }),
        "metrics[0]: invalid startDelay string: missing unit in duration \"5\": write for example 5s",
    );
    metric(json!({ "provider": {} }), "metrics[0]: no provider specified");
    metric(json!({ "provider": { "web": { "url": "u" }, "datadog": {} } }), "metrics[0]: multiple providers specified");
    metric(json!({ "provider": { "plugin": { "a": {}, "b": {} } } }), "metrics[0]: multiple providers specified");
    metric(json!({ "provider": { "plugin": { "a": {} } } }), "");
    let rules = |field: &str, first: &str, second: &str| json!({ field: [{ "metricName": first, "limit": 1 }, { "metricName": second, "limit": 1 }] });
    check(
        json!([web(json!({}))]),
        rules("measurementRetention", "m", "x"),
        "measurementRetention[1]: Rule didn't match any metric name(s)",
    );
    check(
        json!([web(json!({}))]),
        json!({ "dryRun": [{ "metricName": "*" }] }),
        "dryRun[0]: Rule didn't match any metric name(s)",
    );
}
