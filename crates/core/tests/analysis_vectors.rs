//! Replays whole analysis runs that the original code produced: every phase and every counter at every second.

use serde_json::Value;
use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{Measurement, Metric, RunPhase, RunSpec, RunStatus, assess, record, validity};
use serin_core::{Span, Time};

fn seconds(v: &Value) -> Option<Span> {
    let text = v.as_str()?;
    Some(Span::from_secs(text.strip_suffix('s').expect("vectors use whole seconds").parse().expect("a number")))
}

fn metric(v: &Value, dry_run: &[String]) -> Metric {
    let name = v["name"].as_str().unwrap();
    let number = |key: &str, default: i64| v[key].as_i64().unwrap_or(default);
    Metric {
        interval: seconds(&v["interval"]),
        initial_delay: seconds(&v["initialDelay"]),
        count: number("count", 0) as u32,
        failure_limit: number("failureLimit", 0) as i32,
        inconclusive_limit: number("inconclusiveLimit", 0) as u32,
        consecutive_error_limit: number("consecutiveErrorLimit", 4) as u32,
        consecutive_success_limit: number("consecutiveSuccessLimit", 0) as u32,
        dry_run: dry_run.iter().any(|d| d == name),
        ..Metric::new(name)
    }
}

fn spec(v: &Value) -> RunSpec {
    let dry_run: Vec<String> = v["dryRun"]
        .as_array()
        .map(|rules| rules.iter().map(|r| r["metricName"].as_str().unwrap().to_owned()).collect())
        .unwrap_or_default();
    RunSpec {
        metrics: v["metrics"].as_array().unwrap().iter().map(|m| metric(m, &dry_run)).collect(),
        terminate: false,
    }
}

fn pass(spec: &RunSpec, status: &mut RunStatus, outcomes: &mut [Vec<RunPhase>], now: Time) {
    for (index, task) in schedule::due(spec, status, now) {
        assert_eq!(task, Task::Measure, "every measurement of the vectors ends at once");
        let phase = outcomes[index].remove(0);
        let measurement = Measurement { phase, started: now, finished: Some(now), ..Measurement::default() };
        record(spec, status, index, measurement);
    }
    *status = assess(spec, status, now);
}

fn snapshot(status: &RunStatus) -> Value {
    let metrics: serde_json::Map<String, Value> = status
        .metrics
        .iter()
        .map(|m| {
            let row = serde_json::json!([
                m.phase.as_str(),
                m.count,
                m.successful,
                m.failed,
                m.inconclusive,
                m.error,
                m.consecutive_error,
                m.consecutive_success
            ]);
            (m.name.clone(), row)
        })
        .collect();
    serde_json::json!({ "metrics": metrics, "phase": status.phase.as_str() })
}

fn replay(case: &Value) -> Result<(), String> {
    let mut spec = spec(&case["spec"]);
    if let Some(problem) = validity::problem(&spec) {
        let want = case["final"]["message"].as_str().unwrap();
        let got = format!("Analysis spec invalid: {problem}");
        return if got == want { Ok(()) } else { Err(format!("message {got:?}, wanted {want:?}")) };
    }
    let mut outcomes: Vec<Vec<RunPhase>> = spec
        .metrics
        .iter()
        .map(|m| {
            let list = case["outcomes"][&m.name].as_array().cloned().unwrap_or_default();
            list.iter().map(|p| RunPhase::parse(p.as_str().unwrap()).unwrap()).collect()
        })
        .collect();
    let mut status = RunStatus::default();
    let mut trace = case["trace"].as_array().unwrap().iter().peekable();
    let mut last = Value::Null;
    for t in 0..=400 {
        let now = Time::from_secs(1_000_000 + t);
        if case["terminateAt"].as_i64() == Some(t) {
            spec.terminate = true;
        }
        let wake = schedule::wake_at(&spec, &status, now);
        let before = status.clone();
        pass(&spec, &mut status, &mut outcomes, now);
        if before != status && t > 0 && !spec.terminate {
            assert!(wake.is_some_and(|at| at <= now), "second {t}: something happened before wake_at {wake:?}");
        }
        let seen = snapshot(&status);
        if seen != last {
            let Some(want) = trace.next() else {
                return Err(format!("second {t}: extra change {seen}"));
            };
            if want["t"].as_i64() != Some(t) || want["metrics"] != seen["metrics"] || want["phase"] != seen["phase"] {
                return Err(format!("second {t}: got {seen}, wanted {want}"));
            }
            last = seen;
        }
        if status.phase.is_completed() {
            break;
        }
    }
    if let Some(want) = trace.next() {
        return Err(format!("never saw {want}"));
    }
    if case["final"]["message"].as_str() != Some(status.message.as_str()) {
        return Err(format!("message {:?}, wanted {}", status.message, case["final"]["message"]));
    }
    let messages: serde_json::Map<String, Value> = status
        .metrics
        .iter()
        .filter(|m| !m.message.is_empty())
        .map(|m| (m.name.clone(), Value::from(m.message.clone())))
        .collect();
    if case["final"]["metricMessages"] != Value::Object(messages.clone()) {
        return Err(format!("metric messages {messages:?}, wanted {}", case["final"]["metricMessages"]));
    }
    Ok(())
}

//= compat: 3.4-2, 3.4-3, 3.5-1, 3.5-2, 3.5-3, 3.7-1, 3.7-2, 3.7-3, 3.7-4, 3.7-5, 3.7-6, 3.8-1, 3.8-2, 3.8-3, 3.8-4
//= compat: 3.8-5, 3.8-6, 3.9-3, 10.1, 10.2, 10.9, 10.11, A.6-1, A.6-2, A.6-3, A.6-4, A.6-5, A.6-6
#[test]
fn whole_runs_agree_with_the_original() {
    let cases: Value = serde_json::from_str(include_str!("data/analysis-runs.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 580);
    let wrong: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(i, case)| replay(case).err().map(|why| format!("case {i}: {why}\n  spec {}", case["spec"])))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong[..wrong.len().min(5)].join("\n"));
}
