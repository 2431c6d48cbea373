//! The evidence of every test at fixed counts, compared with an independent implementation (see data/README.md).

use serde_json::{Map, Value};
use serin_stats::bounded::Bets;
use serin_stats::paired::{self, Pairs};
use serin_stats::two_arm::{self, Line, Side};
use serin_stats::{Counts, Equality, Process, Split, label, one_arm};

/// What the two implementations may differ by in `ln E`, relative to its size: the other one prints 15 digits.
const TOLERANCE: f64 = 1e-9;

fn vectors() -> Map<String, Value> {
    serde_json::from_str(include_str!("data/stats_vectors.json")).unwrap()
}

fn check(what: &str, got: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((got - expected).abs() <= TOLERANCE * (1.0 + expected.abs()), "{what}: {got} is not {expected}");
}

/// The numbers in a text: `"canary 3/10, stable 0/40"` is 3, 10, 0, 40.
fn numbers(text: &str) -> Vec<f64> {
    let parts = text.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|part| part.parse::<f64>().is_ok());
    parts.map(|part| part.parse().unwrap()).collect()
}

/// `ln E` of a mixture after the given batches.
fn log_e(batches: &[Vec<f64>]) -> f64 {
    let mut process = Process::new(batches[0].len(), false);
    batches.iter().for_each(|gains| process.step(gains, 0.0));
    process.log_e()
}

fn check_rows<const N: usize>(what: &str, got: &[[f64; N]], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (row, expected) in got.iter().zip(expected) {
        row.iter().zip(expected.as_array().unwrap()).for_each(|(got, expected)| check(what, *got, expected));
    }
}

fn counts(n: &[f64]) -> Counts {
    Counts { canary_bad: n[0], canary_ok: n[1] - n[0], stable_bad: n[2], stable_ok: n[3] - n[2] }
}

#[test]
fn shifts() {
    let vectors = vectors();
    let expected = |key: &str| -> Vec<f64> { serde_json::from_value(vectors[key].clone()).unwrap() };
    assert_eq!(expected("shifts_fail"), two_arm::FAIL_SHIFTS);
    assert_eq!(expected("shifts_pass"), two_arm::PASS_SHIFTS);
}

#[test]
fn one_arm_against_a_limit() {
    let vectors = vectors();
    for (key, side) in [("one_arm_fail_p0=0.05", Side::Fail), ("one_arm_pass_p0=0.05", Side::Pass)] {
        let table = one_arm::table(0.05, side);
        if let Some(rows) = vectors[key].get("table_rows[ln(p/p0), ln((1-p)/(1-p0))]") {
            check_rows(key, &table, rows);
        }
        for (case, expected) in vectors[key]["logE"].as_object().unwrap() {
            let n = numbers(case);
            check(case, log_e(&[one_arm::log_gains(&table, n[0], n[1] - n[0])]), expected);
        }
    }
}

#[test]
fn two_arms_along_a_line() {
    let mut seen = 0;
    for (key, value) in vectors().iter().filter(|(key, _)| key.starts_with("two_arm_")) {
        let n = numbers(key);
        let side = if key.starts_with("two_arm_pass") { Side::Pass } else { Side::Fail };
        let (stable_rate, weight, line) = (n[0], n[1], Line { ratio: n[2], delta: n[3] });
        let table = two_arm::table(stable_rate, weight, line, side);
        check_rows(key, &table, &value["rows[canary err, canary ok, stable err, stable ok]"]);
        assert_eq!(two_arm::is_vacuous(stable_rate, line), key.contains("vacuous"), "{key}");
        for (case, expected) in value["logE"].as_object().unwrap() {
            check(case, log_e(&[two_arm::log_gains(&table, &counts(&numbers(case)))]), expected);
            seen += 1;
        }
    }
    assert_eq!(seen, 30);
}

#[test]
fn evidence_is_carried_over_a_change_of_weight() {
    let line = Line { ratio: 1.0, delta: 0.01 };
    let gains =
        |weight: f64, n: [f64; 4]| two_arm::log_gains(&two_arm::table(0.005, weight, line, Side::Fail), &counts(&n));
    let got = log_e(&[gains(0.2, [1.0, 20.0, 0.0, 80.0]), gains(0.5, [3.0, 50.0, 1.0, 50.0])]);
    let key = "two_phase: (1/20,0/80)@.2 then (3/50,1/50)@.5";
    check(key, got, &vectors()[key]["logE"]);
}

#[test]
fn sample_ratio_mismatch() {
    for (case, expected) in vectors()["lindon_malek_srm logE (k=100)"].as_object().unwrap() {
        let n = numbers(case);
        let (seen, shares) = n.split_at(n.len() / 2);
        let mut split = Split::new(shares);
        split.step(seen);
        check(case, split.log_e(), expected);
    }
}

#[test]
fn labels_of_events() {
    let vector = &vectors()["label ratio test w=.2 r=2"];
    check("q0", label::share(0.25, 2.0), &vector["q0"]);
    let table = label::table(0.25, 2.0, Side::Fail);
    for (case, expected) in vector["logE"].as_object().unwrap() {
        let n = numbers(case);
        check(case, log_e(&[one_arm::log_gains(&table, n[0], n[1] - n[0])]), expected);
    }
}

#[test]
fn bounded_means() {
    let vector = &vectors()["bounded_mean w=.2 m=.3 d=.02, stream (1=canary)"];
    let bets = Bets::new(0.3, 0.2, Line { ratio: 1.0, delta: 0.02 }, Side::Fail);
    let gains = |outcome: &Value| {
        let y = outcome[1].as_f64().unwrap();
        if outcome[0] == 1 { bets.canary(y, 1.0).to_vec() } else { bets.stable(y, 1.0).to_vec() }
    };
    let stream: Vec<_> = vector["stream"].as_array().unwrap().iter().map(gains).collect();
    check("stream", log_e(&stream), &vector["logE"]);
}

#[test]
fn pairs() {
    let table = paired::table(0.03, Side::Fail);
    for (case, expected) in vectors()["paired shadow delta=.03 (up,tie,down)"].as_object().unwrap() {
        let n = numbers(case);
        let pairs = Pairs { worse: n[0], same: n[1], better: n[2] };
        check(case, log_e(&[paired::log_gains(&table, &pairs)]), expected);
    }
}

#[test]
fn equality_of_classes() {
    for (case, expected) in vectors()["class SRM logE kappa=20 w=.2"].as_object().unwrap() {
        let n = numbers(case);
        let (canary, stable) = n.split_at(n.len() / 2);
        let mut equality = Equality::new(0.2);
        equality.step(canary, stable);
        check(case, equality.log_e(), expected);
    }
}

#[test]
fn no_vector_is_left_out() {
    let known = |key: &str| {
        ["shifts", "one_arm", "two_arm", "two_phase", "lindon", "label", "bounded", "paired", "class"]
            .iter()
            .any(|k| key.starts_with(k))
    };
    assert!(vectors().keys().all(|key| known(key)));
}
