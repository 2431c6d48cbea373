//! Looks at runs whose answers are made up.

use serde_json::json;
use serin_core::analysis::evidence::passed_at;
use serin_core::analysis::{Measurement, RunPhase, RunStatus, assess, record};
use serin_core::{Share, Span, Time};
use serin_spec::lower;
use serin_spec::recipe;
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_stats::batch::{Arm, Batch};

use super::{CURSOR, Fed, Look, STANDING, STATE, Taken, forget, judged_at, judged_until};
use crate::counters::{Counter, Reading};

const WINDOW: Share = Share { weight: 20, total: 100 };

fn spec(settings: serde_json::Value, goes_on: bool) -> AnalysisRunSpec {
    let metric = json!({"name": "errors", "provider": {"plugin": {"serin.dev/compare": settings}}});
    let mut spec: AnalysisRunSpec = serde_json::from_value(json!({ "metrics": [metric] })).unwrap();
    let total = recipe::weight(&spec);
    recipe::resolve(&mut spec, total, goes_on);
    spec
}

/// A run that is looked at by the second.
struct Running {
    spec: AnalysisRunSpec,
    status: RunStatus,
    batches: Vec<Batch>,
    now_s: i64,
    window: Share,
    /// What it is fed instead of the batches.
    fed: Option<Fed>,
}

impl Running {
    fn new(spec: AnalysisRunSpec) -> Self {
        Self { spec, status: RunStatus::default(), batches: Vec::new(), now_s: 0, window: WINDOW, fed: None }
    }

    fn look(&mut self) -> Measurement {
        let core = lower::run_spec(&self.spec);
        let now = Time::from_secs(self.now_s);
        let look = Look {
            filled: &self.spec,
            spec: &core,
            status: &self.status,
            window: self.window,
            now,
            every_min: Span::ZERO,
        };
        let newest = self.batches.last().map_or(0, |batch| batch.seq);
        let fed = self.fed.clone().unwrap_or_else(|| Fed::Batches(self.batches.clone()));
        let taken = look.take(&[0], newest, &|_| Ok(fed.clone()));
        let [Taken { index: 0, measurement, .. }] = taken.as_slice() else { panic!("{taken:?}") };
        let mut status = self.status.clone();
        record(&core, &mut status, 0, measurement.clone());
        self.status = assess(&core, &status, now);
        measurement.clone()
    }

    fn second(&mut self, canary: (u64, u64), stable: (u64, u64)) -> Measurement {
        let arm = |(answered, errors)| Arm { answered, errors, ..Arm::default() };
        let (seq, start_ms) = (self.now_s as u64 + 1, self.now_s * 1000);
        let (canary, stable) = (arm(canary), arm(stable));
        self.batches.push(Batch { seq, start_ms, end_ms: start_ms + 1000, canary, stable, ..Batch::default() });
        self.now_s += 1;
        self.look()
    }

    /// A second after which so many predictions of each version are labelled in all, and so many of them were wrong.
    fn labelled(&mut self, canary: (u64, u64), stable: (u64, u64), remark: Option<&str>) -> Measurement {
        let count = |n: u64| Counter::sum(n as f64);
        let reading = Reading {
            at_ms: self.now_s * 1000,
            canary_bad: count(canary.1),
            canary_total: count(canary.0),
            stable_bad: count(stable.1),
            stable_total: count(stable.0),
        };
        self.fed = Some(Fed::Labels { reading, remark: remark.map(str::to_owned) });
        self.now_s += 1;
        self.look()
    }

    fn until_end(&mut self, most: u32, canary: (u64, u64), stable: (u64, u64)) -> Measurement {
        for _ in 0..most {
            let measurement = self.second(canary, stable);
            if self.status.phase.is_completed() {
                return measurement;
            }
        }
        panic!("not over after {most} s: {:?}", self.status);
    }
}

#[test]
fn a_bad_version_fails_the_run_and_a_good_one_passes_it() {
    let mut run = Running::new(spec(json!({"tolerance": "1pt"}), false));
    let begun = run.look();
    assert_eq!((begun.phase, begun.resume_at), (RunPhase::Running, Some(Time::from_secs(1))));
    let bad = run.until_end(20, (20, 2), (80, 0));
    assert_eq!(run.status.phase, RunPhase::Failed);
    assert!(bad.message.contains("worse than tolerated"), "{bad:?}");
    assert_eq!(run.status.message.matches("errors").count(), 1, "{}", run.status.message);
    assert!(bad.metadata[STANDING].contains("\"verdict\":\"failed\""));

    let mut run = Running::new(spec(json!(null), false));
    run.look();
    let good = run.until_end(200, (20, 0), (80, 0));
    assert_eq!((run.status.phase, good.phase), (RunPhase::Successful, RunPhase::Successful));
}

#[test]
fn what_is_in_the_background_goes_on_after_it_passed_and_says_at_which_weight() {
    let mut run = Running::new(spec(json!(null), true));
    run.look();
    for _ in 0..120 {
        run.second((20, 0), (80, 0));
    }
    let core = lower::run_spec(&run.spec);
    assert_eq!(run.status.phase, RunPhase::Running);
    assert_eq!(passed_at(&core, &run.status), Some(WINDOW));
    run.window = Share { weight: 50, total: 100 };
    run.now_s += 1;
    run.look();
    assert_eq!(passed_at(&core, &run.status), Some(WINDOW), "nothing was answered at the new weight");
    run.now_s -= 1;
    run.second((50, 0), (50, 0));
    assert_eq!(judged_at(&core, &run.status, 0), Some(run.window));
    assert_eq!(passed_at(&core, &run.status), None, "more load may bring out more");
    let late = run.until_end(20, (50, 5), (50, 0));
    assert_eq!((run.status.phase, late.phase), (RunPhase::Failed, RunPhase::Failed));
}

#[test]
fn time_without_a_verdict_follows_the_policy_and_no_data_never_passes() {
    let check = |settings: serde_json::Value, canary: (u64, u64)| {
        let mut run = Running::new(spec(settings, false));
        run.look();
        let end = run.until_end(40, canary, (8, 0));
        assert!(end.message.starts_with("not decided within 30 s: "), "{end:?}");
        run.status.phase
    };
    assert_eq!(check(json!({"within": "30s"}), (2, 0)), RunPhase::Inconclusive);
    assert_eq!(check(json!({"within": "30s", "undecided": "promote"}), (2, 0)), RunPhase::Successful);
    assert_eq!(check(json!({"within": "30s", "undecided": "rollback"}), (2, 0)), RunPhase::Failed);
    assert_eq!(check(json!({"within": "30s", "undecided": "promote"}), (0, 0)), RunPhase::Inconclusive);
}

#[test]
fn what_was_counted_before_it_began_or_was_judged_is_not_counted_again() {
    let mut run = Running::new(spec(json!(null), false));
    let arm = Arm { answered: 100, errors: 100, ..Arm::default() };
    run.batches.push(Batch { seq: 1, end_ms: 1000, canary: arm, ..Batch::default() });
    run.now_s = 1;
    let begun = run.look();
    assert!(begun.value.contains("no data"), "{begun:?}");
    run.second((20, 1), (80, 1));
    let once = run.second((0, 0), (0, 0));
    let core = lower::run_spec(&run.spec);
    assert_eq!(judged_until(&core, &run.status, 0), Some(3));
    assert_eq!(run.look().value, once.value);
    assert!(once.value.starts_with("canary 5.00 % of 20"), "{once:?}");
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_verdict() {
    let mut run = Running::new(spec(json!(null), false));
    run.look();
    run.status.metrics[0].measurements[0].metadata.insert(STATE.to_owned(), "{".to_owned());
    let broken = run.second((20, 2), (80, 0));
    assert_eq!(broken.phase, RunPhase::Error);
    assert!(broken.message.starts_with("what was seen so far cannot be read"), "{broken:?}");
    let mut run = Running::new(spec(json!(null), false));
    run.spec.metrics[0].provider.plugin = [("serin.dev/compare".to_owned(), json!({"tolerence": 1}))].into();
    assert_eq!(run.look().message, "tolerence: unknown field \"tolerence\"");
}

fn about_truth(tolerance: &str) -> Running {
    Running::new(spec(json!({"outcome": "wrongPrediction", "tolerance": tolerance}), true))
}

#[test]
fn labels_of_what_was_predicted_are_judged_once_however_late_they_come() {
    let mut run = about_truth("5pt");
    run.labelled((40, 40), (40, 0), None);
    let begun = run.labelled((40, 40), (40, 0), None);
    assert!(begun.value.contains("no data"), "what was known before it began is not its own: {begun:?}");
    run.labelled((50, 42), (50, 1), None);
    run.now_s += 100_000;
    let late = run.labelled((60, 44), (60, 1), None);
    assert!(late.value.starts_with("canary 20.00 % of 20, stable 5.00 % of 20"), "{late:?}");
    assert!(late.metadata[CURSOR].contains("60"), "{late:?}");
    let again = run.labelled((60, 44), (60, 1), Some("labels came for few"));
    assert_eq!(again.value, format!("{}; labels came for few", late.value));
    for n in 1..20 {
        run.labelled((60 + 10 * n, 44 + 5 * n), (60 + 10 * n, 1), None);
        if run.status.phase.is_completed() {
            break;
        }
    }
    assert_eq!(run.status.phase, RunPhase::Failed);
}

#[test]
fn labels_that_come_one_by_one_wait_for_those_of_the_other_version() {
    let mut run = about_truth("30pt");
    run.labelled((0, 0), (0, 0), None);
    let mut counts = (0, 0);
    for n in 1..=400 {
        if n % 5 == 0 {
            counts.0 += 1
        } else {
            counts.1 += 1
        }
        run.labelled((counts.0, 0), (counts.1, 0), None);
    }
    let core = lower::run_spec(&run.spec);
    assert_eq!(passed_at(&core, &run.status), Some(WINDOW), "{:?}", run.status);
    let last = run.labelled((counts.0, 0), (counts.1 + 1, 0), None);
    assert!(last.value.starts_with("canary 0.00 % of 80, stable 0.00 % of 320"), "{last:?}");
}

#[test]
fn truth_is_not_what_a_router_counts() {
    let mut run = about_truth("5pt");
    let broken = run.second((20, 2), (80, 0));
    assert_eq!(broken.phase, RunPhase::Error);
    assert!(broken.message.contains("elsewhere write prometheus"), "{broken:?}");
}

/// A run that is looked at by its counters.
struct Counting {
    spec: AnalysisRunSpec,
    status: RunStatus,
}

impl Counting {
    fn new() -> Self {
        let counters = json!({"bad": "sum by (pod) (bad)", "total": "sum by (pod) (all)"});
        let prometheus = json!({"canary": counters, "stable": counters});
        Self { spec: spec(json!({"prometheus": prometheus}), false), status: RunStatus::default() }
    }

    /// Looks at counters of the canary and of stable; whether that was news.
    fn look(&mut self, at_s: i64, canary: (f64, f64), stable: (f64, f64)) -> bool {
        let reading = Reading {
            at_ms: at_s * 1000,
            canary_bad: Counter::sum(canary.0),
            canary_total: Counter::sum(canary.1),
            stable_bad: Counter::sum(stable.0),
            stable_total: Counter::sum(stable.1),
        };
        self.take(at_s, &Ok(reading))
    }

    fn take(&mut self, at_s: i64, reading: &Result<Reading, String>) -> bool {
        let core = lower::run_spec(&self.spec);
        let (now, every_min) = (Time::from_secs(at_s), Span::ZERO);
        let look = Look { filled: &self.spec, spec: &core, status: &self.status, window: WINDOW, now, every_min };
        let taken = look.take(&[0], 0, &|_| Ok(Fed::Counters(reading.clone()))).remove(0);
        let news = look.is_news(&taken);
        assert!(news || taken.judged.is_empty());
        let mut status = self.status.clone();
        record(&core, &mut status, 0, taken.measurement);
        // As an adapter does that writes news only.
        if news {
            self.status = assess(&core, &status, now);
        }
        news
    }

    fn last(&self) -> &Measurement {
        self.status.metrics[0].measurements.last().unwrap()
    }
}

#[test]
fn counters_that_stand_still_are_no_news_and_what_they_grow_by_is_judged_once() {
    let mut run = Counting::new();
    assert!(run.look(0, (1.0, 10.0), (2.0, 100.0)));
    assert!(!run.look(5, (1.0, 10.0), (2.0, 100.0)));
    assert!(run.look(10, (2.0, 30.0), (2.0, 180.0)));
    assert!(run.last().value.starts_with("canary 5.00 % of 20, stable 0.00 % of 80"), "{}", run.last().value);
    assert!(!run.look(15, (2.0, 30.0), (2.0, 180.0)));
    assert!(run.take(20, &Err("nobody answers".to_owned())));
    assert!(!run.take(25, &Err("nobody answers".to_owned())), "that is said once");
    assert!(run.look(30, (2.0, 31.0), (2.0, 181.0)));
    assert!(run.last().value.starts_with("canary 4.76 % of 21, stable 0.00 % of 81"), "{}", run.last().value);
    assert!(run.look(200, (2.0, 31.0), (2.0, 181.0)), "it could be forgotten");
}

#[test]
fn what_is_remembered_has_its_bounds() {
    let mut run = Counting::new();
    run.look(0, (1.0, 10.0), (2.0, 100.0));
    let core = lower::run_spec(&run.spec);
    let (now, every_min) = (Time::from_secs(1), Span::ZERO);
    let look = Look { filled: &run.spec, spec: &core, status: &run.status, window: WINDOW, now, every_min };
    let taken = Taken { index: 0, measurement: run.last().clone(), judged: Vec::new() };
    assert_eq!(look.bounded(taken.clone(), 100_000), taken);
    let broken = look.bounded(taken, 1000).measurement;
    assert_eq!((broken.phase, broken.finished), (RunPhase::Error, Some(now)));
    assert!(broken.message.starts_with("what is remembered of it takes ") && broken.message.contains("the pod"));
    assert!(!broken.metadata.contains_key(STATE) && !broken.metadata.contains_key(CURSOR), "{broken:?}");
    // Of measurements that are over nobody goes on.
    let mut status = run.status.clone();
    status.metrics[0].measurements.push(run.last().clone());
    forget(&mut status);
    let kept: Vec<bool> = status.metrics[0].measurements.iter().map(|m| m.metadata.contains_key(STATE)).collect();
    assert_eq!(kept, [false, true]);
    assert!(status.metrics[0].measurements[0].metadata.contains_key(STANDING), "where it stood stays");
}
