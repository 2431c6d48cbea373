//! Analysis runs beyond the vectors: verdicts over values, unfinished measurements, messages, times and what is kept.

use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{self, Measurement, Metric, RunPhase, RunSpec, RunStatus, Ttl, assess, record, verdict};
use serin_core::{Span, Time};
use serin_expr::Value;

const START: Time = Time::from_secs(1_000_000);

fn at(seconds: i64) -> Time {
    START + Span::from_secs(seconds)
}

/// `[0.95] | result[0] >= 0.9 | - => Successful`: value as JSON or NaN, success and failure condition, verdict.
fn check(row: &str) {
    let (given, want) = row.split_once(" => ").expect("a row has a verdict");
    let parts: Vec<&str> = given.split(" | ").collect();
    let [value, success, failure] = parts[..] else { panic!("{row}: a value and two conditions") };
    let value = match value {
        "NaN" => Value::from(f64::NAN),
        "[NaN]" => Value::from(vec![f64::NAN]),
        json => Value::from_json(json).expect("JSON"),
    };
    let condition = |text: &str| (text != "-").then(|| text.to_owned());
    let metric = Metric { success: condition(success), failure: condition(failure), ..Metric::new("m") };
    assert_eq!(verdict::judge(&metric, &value).0.as_str(), want, "{row}");
}

//= compat: A.5-1, A.5-2, A.5-3, A.5-4, A.5-5, A.5-6, 3.6-1, 3.10-4, 3.10-10, 10.3, 10.4, 10.5, 10.8
#[test]
fn verdicts_over_values() {
    let rows = [
        "[0.95] | result[0] >= 0.9 | - => Successful",
        "[0.5] | result[0] >= 0.9 | - => Failed",
        "[] | result[0] >= 0.9 | - => Error",
        "[] | len(result) == 0 || result[0] >= 0.9 | - => Successful",
        "NaN | result < 0.1 | - => Failed",
        "NaN | - | result >= 0.1 => Successful",
        "NaN | result < 0.1 | result >= 0.1 => Inconclusive",
        "NaN | isNaN(result) || result < 0.1 | - => Successful",
        "[NaN] | result[0] < 0.1 | result[0] >= 0.1 => Inconclusive",
        "5.0 | result > 3 | result > 4 => Failed",
        "3.5 | result > 3 | result > 4 => Successful",
        "2.0 | result > 3 | result > 4 => Inconclusive",
        "null | default(result, 0) < 0.05 | - => Successful",
        "null | result < 0.05 | - => Error",
        "null | isNil(result) | - => Successful",
        "true | result == true | - => Successful",
        "\"12\" | asInt(result) > 10 | - => Successful",
        "\"x\" | asFloat(result) > 1 | - => Error",
        "7.0 | result | - => Error",
        // An empty list is not nil, whatever is asked of it.
        "[] | isNil(result) | - => Failed",
        "[] | default(result[0], 0) == 0 | - => Error",
        "[1] | default(nil, 7)[0] == 1 | - => Successful",
        // Success is asked first, and its error is the end.
        "[1] | result[5] > 1 | result[0] == 1 => Error",
        "[1] | - | - => Successful",
    ];
    rows.into_iter().for_each(check);
}

//= compat: 3.6-2, 3.6-3
#[test]
fn verdicts_give_their_reason() {
    let metric = Metric { success: Some("result[0] > 1".to_owned()), ..Metric::new("m") };
    let (_, message) = verdict::judge(&metric, &Value::from(Vec::<f64>::new()));
    let cause = "metric result is nil or empty: no data returned from the metric provider";
    assert_eq!(message, format!("could not evaluate successCondition \"result[0] > 1\": {cause}"));
    let metric = Metric { failure: Some("result".to_owned()), ..Metric::new("m") };
    let (_, message) = verdict::judge(&metric, &Value::from(1.0));
    assert!(message.starts_with("could not evaluate failureCondition \"result\": "), "{message}");

    // What the provider says about an error becomes the message of metric and run.
    let (spec, mut status) = run(vec![Metric { consecutive_error_limit: 0, ..Metric::new("m") }]);
    keep(&spec, &mut status, Measurement { message: "503".to_owned(), ..finished(RunPhase::Error, 0) });
    let ended = settle(&spec, &status, 0);
    assert_eq!(ended.metrics[0].message, "503");
    let limit = "consecutiveErrors (1) > consecutiveErrorLimit (0)";
    assert_eq!(ended.message, format!("Metric \"m\" assessed Error due to {limit}: \"Error Message: 503\""));
}

fn run(metrics: Vec<Metric>) -> (RunSpec, RunStatus) {
    (RunSpec { metrics, terminate: false }, RunStatus::default())
}

fn finished(phase: RunPhase, seconds: i64) -> Measurement {
    Measurement { phase, started: at(seconds), finished: Some(at(seconds)), ..Measurement::default() }
}

fn keep(spec: &RunSpec, status: &mut RunStatus, measurement: Measurement) {
    record(spec, status, 0, measurement);
}

/// A metric that ends badly ends the run in the pass after it.
fn settle(spec: &RunSpec, status: &RunStatus, seconds: i64) -> RunStatus {
    assess(spec, &assess(spec, status, at(seconds)), at(seconds))
}

fn every(seconds: i64) -> Metric {
    Metric { interval: Some(Span::from_secs(seconds)), count: 3, ..Metric::new("m") }
}

//= compat: 3.5-4, 3.7-2
#[test]
fn an_unfinished_measurement_is_resumed_and_nothing_else_begins() {
    let (spec, mut status) = run(vec![every(10)]);
    let unfinished =
        Measurement { phase: RunPhase::Running, started: at(0), resume_at: Some(at(30)), ..Measurement::default() };
    keep(&spec, &mut status, unfinished.clone());
    status = settle(&spec, &status, 0);
    assert_eq!((status.metrics[0].phase, status.metrics[0].count), (RunPhase::Running, 0), "it counts for nothing yet");
    assert_eq!(schedule::due(&spec, &status, at(29)), []);
    assert_eq!(schedule::wake_at(&spec, &status, at(0)), Some(at(30)));
    assert_eq!(schedule::due(&spec, &status, at(30)), [(0, Task::Resume)]);
    keep(&spec, &mut status, finished(RunPhase::Successful, 31));
    assert_eq!(
        (status.metrics[0].measurements.len(), status.metrics[0].count),
        (1, 1),
        "it takes the place of the unfinished one"
    );
    let at_once = Measurement { resume_at: None, ..unfinished.clone() };
    let (spec, mut status) = run(vec![every(10)]);
    keep(&spec, &mut status, at_once);
    assert_eq!(schedule::due(&spec, &status, at(0)), [(0, Task::Resume)], "without a time it is looked at always");

    let (mut spec, mut status) = run(vec![every(10)]);
    keep(&spec, &mut status, unfinished);
    spec.terminate = true;
    assert_eq!(schedule::due(&spec, &status, at(1)), [(0, Task::Terminate)]);
}

//= compat: 3.5-3, 3.5-6, 10.2
#[test]
fn a_run_wakes_for_its_next_measurement() {
    let slow = Metric { interval: Some(Span::from_secs(60)), count: 3, ..Metric::new("slow") };
    let late = Metric { initial_delay: Some(Span::from_secs(25)), ..Metric::new("late") };
    let (spec, mut status) = run(vec![every(10), slow, late]);
    assert_eq!(schedule::wake_at(&spec, &status, at(0)), Some(at(0)), "a run that has not begun");
    record(&spec, &mut status, 0, finished(RunPhase::Successful, 0));
    record(&spec, &mut status, 1, finished(RunPhase::Successful, 0));
    status = settle(&spec, &status, 0);
    let just_after = |seconds: i64| Some(at(seconds) + Span::from_millis(1));
    assert_eq!(schedule::wake_at(&spec, &status, at(0)), just_after(10), "the earliest of all metrics");
    assert_eq!(schedule::due(&spec, &status, at(10)), [], "strictly after the interval");
    assert_eq!(schedule::due(&spec, &status, just_after(10).unwrap()), [(0, Task::Measure)]);
    record(&spec, &mut status, 0, finished(RunPhase::Error, 12));
    assert_eq!(schedule::wake_at(&spec, &status, at(12)), just_after(22), "ten seconds after an error");
    record(&spec, &mut status, 0, finished(RunPhase::Successful, 24));
    assert_eq!(schedule::wake_at(&spec, &status, at(24)), Some(at(25)), "the first one is due at its time itself");
}

//= compat: 3.7-7, 3.8-8
#[test]
fn messages_and_times_of_the_end() {
    let (spec, mut status) = run(vec![every(10)]);
    status = settle(&spec, &status, 5);
    assert_eq!((status.started, status.completed, status.phase), (Some(at(5)), None, RunPhase::Running));
    keep(&spec, &mut status, Measurement { message: "first".to_owned(), ..finished(RunPhase::Successful, 6) });
    status = settle(&spec, &status, 6);
    assert_eq!(status.metrics[0].message, "", "still running as before: no change, no message");
    keep(&spec, &mut status, Measurement { message: "too high".to_owned(), ..finished(RunPhase::Failed, 17) });
    status = settle(&spec, &status, 17);
    assert_eq!((status.phase, status.completed), (RunPhase::Failed, Some(at(17))));
    assert_eq!(status.metrics[0].message, "too high");
    assert_eq!(settle(&spec, &status, 99), status, "what has ended stays as it is");
}

//= compat: 3.9-4, 3.9-5
#[test]
fn old_measurements_are_dropped_and_still_count() {
    let metric = Metric { count: 0, retention: 3, failure_limit: 100, ..every(1) };
    let (spec, mut status) = run(vec![metric]);
    for second in 0..25 {
        keep(
            &spec,
            &mut status,
            finished(if second % 5 == 0 { RunPhase::Failed } else { RunPhase::Successful }, second),
        );
    }
    let result = &status.metrics[0];
    assert_eq!((result.measurements.len(), result.measurements[0].started), (3, at(22)));
    assert_eq!((result.count, result.failed, result.successful), (25, 5, 20));
    assert_eq!(Metric::new("m").retention, 10);
}

//= compat: 3.8-7
#[test]
fn a_measurement_that_is_stopped_on_the_way_makes_the_run_inconclusive() {
    let (mut spec, mut status) = run(vec![Metric::new("job")]);
    let flying = Measurement { phase: RunPhase::Running, started: START, ..Measurement::default() };
    keep(&spec, &mut status, flying.clone());
    let mut status = assess(&spec, &status, at(1));
    assert_eq!(schedule::due(&spec, &status, at(2)), [(0, Task::Resume)]);
    spec.terminate = true;
    assert_eq!(schedule::due(&spec, &status, at(2)), [(0, Task::Terminate)]);
    let stopped = Measurement { phase: RunPhase::Inconclusive, finished: Some(at(2)), ..flying };
    record(&spec, &mut status, 0, analysis::terminated(stopped));
    let ended = assess(&spec, &status, at(2));
    assert_eq!((ended.phase, ended.metrics[0].message.as_str()), (RunPhase::Inconclusive, "Metric Terminated"));
    let bad = Measurement { phase: RunPhase::Failed, message: "5 of 9".to_owned(), ..Measurement::default() };
    assert_eq!(analysis::terminated(bad.clone()), bad);
}

//= compat: 3.9-6
#[test]
fn finished_runs_stay_as_long_as_their_end_says() {
    let seconds = |s: i64| Some(Span::from_secs(s));
    let all = Ttl { after_completion: seconds(10), after_failure: seconds(20), after_success: seconds(30) };
    let check = |ttl: Ttl, phase: RunPhase, want: Option<i64>| {
        let status = RunStatus { phase, completed: Some(START), ..RunStatus::default() };
        assert_eq!(ttl.expires(&status), want.map(at), "{phase} of {ttl:?}");
    };
    // Deleted when more whole seconds have passed.
    check(all, RunPhase::Successful, Some(31));
    check(all, RunPhase::Failed, Some(21));
    check(all, RunPhase::Error, Some(11));
    check(all, RunPhase::Inconclusive, Some(11));
    check(all, RunPhase::Running, None);
    let any = Ttl { after_completion: seconds(0), ..Ttl::default() };
    check(any, RunPhase::Successful, Some(1));
    check(any, RunPhase::Failed, Some(1));
    let some = Ttl { after_success: seconds(5), ..Ttl::default() };
    check(some, RunPhase::Successful, Some(6));
    check(some, RunPhase::Failed, None);
    check(some, RunPhase::Error, None);
    check(Ttl::default(), RunPhase::Successful, None);
    let without_end = RunStatus { phase: RunPhase::Successful, ..RunStatus::default() };
    assert_eq!(all.expires(&without_end), None);
}

/// Metrics are counted by how they ended, those that only look on apart.
//= compat: 3.8-9
#[test]
fn the_summary_counts_metrics_by_their_end() {
    use serin_core::analysis::{MetricResult, Summary};
    let ends = [
        (RunPhase::Successful, 1),
        (RunPhase::Failed, 2),
        (RunPhase::Inconclusive, 3),
        (RunPhase::Error, 4),
        (RunPhase::Running, 2),
    ];
    let (mut spec, mut status) = (RunSpec { terminate: true, ..RunSpec::default() }, RunStatus::default());
    for (dry_run, times) in [(false, 1), (true, 2)] {
        for (phase, count) in ends {
            for i in 0..count * times {
                let name = format!("{phase}-{dry_run}-{i}");
                spec.metrics.push(Metric { dry_run, ..Metric::new(&name) });
                // What was never measured has no result.
                if phase != RunPhase::Running {
                    status.metrics.push(MetricResult { name, phase, dry_run, ..MetricResult::default() });
                }
            }
        }
    }
    let after = assess(&spec, &status, START);
    assert_eq!(after.summary, Summary { count: 12, successful: 1, failed: 2, inconclusive: 3, error: 4 });
    assert_eq!(after.dry_run_summary, Summary { count: 24, successful: 2, failed: 4, inconclusive: 6, error: 8 });
}

/// Limits at their edges: what is just possible and what is not.
//= compat: 3.4-1, 3.4-2, 3.4-3, 3.4-4
#[test]
fn runs_that_are_impossible() {
    use serin_core::analysis::validity::problem;
    let check = |edit: &dyn Fn(&mut Metric), want: Option<&str>| {
        let mut metric = Metric::new("m");
        edit(&mut metric);
        let found = problem(&RunSpec { metrics: vec![metric.clone()], terminate: false });
        assert_eq!(found.as_deref(), want.map(|w| format!("metrics[0]: {w}")).as_deref(), "{metric:?}");
    };
    let every = Some(Span::from_secs(1));
    check(&|m| m.count = 1, None);
    check(&|m| m.count = 2, Some("interval must be specified when count > 1"));
    check(&|m| (m.count, m.interval) = (2, every), None);
    check(&|m| m.failure_limit = -2, Some("failureLimit must be >= -1"));
    check(&|m| m.failure_limit = -1, Some("failureLimit and consecutiveSuccessLimit cannot both be disabled"));
    check(&|m| (m.failure_limit, m.consecutive_success_limit) = (-1, 1), None);
    let limits = |count, failures, successes| {
        move |m: &mut Metric| {
            (m.count, m.interval, m.failure_limit, m.consecutive_success_limit) = (count, every, failures, successes);
        }
    };
    check(&limits(3, 1, 2), None);
    check(&limits(2, 1, 2), Some("count (2) must be >= failureLimit + consecutiveSuccessLimit (1 + 2) if both >= 0"));
    check(&limits(1, 0, 2), Some("count (1) must be >= failureLimit + consecutiveSuccessLimit (0 + 2) if both >= 0"));
    check(&limits(0, 9, 9), None);
    check(&limits(2, -1, 2), None);
    check(&limits(2, -1, 3), Some("count (2) must be >= consecutiveSuccessLimit (3) if failureLimit is -1"));
    check(&limits(0, -1, 3), None);
    check(&|m| (m.count, m.interval, m.inconclusive_limit) = (2, every, 2), None);
    check(&|m| (m.count, m.interval, m.inconclusive_limit) = (2, every, 3), Some("count must be >= inconclusiveLimit"));
    check(&|m| m.inconclusive_limit = 9, None);
    assert_eq!(problem(&RunSpec::default()).as_deref(), Some("no metrics specified"));
    let twice = RunSpec { metrics: vec![Metric::new("m"), Metric::new("n"), Metric::new("m")], terminate: false };
    assert_eq!(problem(&twice).as_deref(), Some("metrics[2]: duplicate name 'm'"));
}

#[test]
fn a_run_has_passed_where_all_its_deciding_sequential_metrics_have_at_one_weight() {
    use serin_core::Share;
    use serin_core::analysis::evidence::{PASSED_AT, passed_at};
    let metric = |name: &str, sequential: bool, dry_run: bool| Metric { sequential, dry_run, ..Metric::new(name) };
    let metrics =
        vec![metric("a", true, false), metric("b", true, false), metric("c", true, true), metric("d", false, false)];
    let spec = RunSpec { metrics, terminate: false };
    let check = |said: [&str; 2]| {
        let mut status = RunStatus::default();
        for (index, at) in said.into_iter().enumerate().filter(|(_, at)| !at.is_empty()) {
            let metadata = [(PASSED_AT.to_owned(), at.to_owned())].into();
            let phase = RunPhase::Running;
            record(&spec, &mut status, index, Measurement { phase, metadata, ..Measurement::default() });
        }
        passed_at(&spec, &status)
    };
    assert_eq!(check(["20/100", "20/100"]), Some(Share { weight: 20, total: 100 }));
    assert_eq!(check(["20/100", "50/100"]), None);
    assert_eq!(check(["20/100", ""]), None);
    assert_eq!(check(["20/100", "soon"]), None);
    let none = RunSpec { metrics: vec![metric("d", false, false)], terminate: false };
    assert_eq!(passed_at(&none, &RunStatus::default()), None);
}

/// The result of a metric that only watches says so from its first measurement on.
//= compat: 3.9-4
#[test]
fn a_dry_run_is_marked() {
    let spec = RunSpec {
        metrics: vec![Metric { dry_run: true, ..Metric::new("watched") }, Metric::new("judged")],
        ..RunSpec::default()
    };
    let mut status = RunStatus::default();
    (0..2).for_each(|index| record(&spec, &mut status, index, Measurement::default()));
    assert_eq!(status.metrics.iter().map(|m| m.dry_run).collect::<Vec<_>>(), [true, false]);
}
