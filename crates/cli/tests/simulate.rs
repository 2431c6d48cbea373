//! `serin simulate` as its users run it: the five worlds against the example, wrong input, pictures.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_serin")).arg("simulate").args(arguments).current_dir(root()).output().unwrap()
}

/// 200 runs of one of the worlds, as JSON.
fn runs(world: &str, more: &[&str]) -> Value {
    let world = format!("examples/worlds/{world}.yaml");
    let mut arguments = vec!["examples/ml-portfolio", "--world", &world, "--runs", "200", "--output", "json"];
    arguments.extend(more);
    let output = simulate(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The share of an outcome lies between these.
fn assert_rate(report: &Value, outcome: &str, low: f64, high: f64) {
    let rate = report["outcomes"][outcome]["rate"].as_f64().unwrap();
    assert!((low..=high).contains(&rate), "{outcome}: {rate}, {}", report["outcomes"]);
}

fn number(report: &Value, what: &str, quantile: &str) -> f64 {
    report[what][quantile].as_f64().unwrap()
}

#[test]
fn a_healthy_version_is_promoted() {
    let report = runs("healthy", &[]);
    assert_rate(&report, "promoted", 0.98, 1.0);
    assert_eq!(report["wrong"]["count"], 0);
    // A minute, an analysis of a minute, two minutes, another analysis.
    let took = number(&report, "secondsToEnd", "p50");
    assert!((300.0..330.0).contains(&took), "{took}");
    let beyond = number(&report, "failedRequestsBeyondStable", "p50");
    assert!(beyond.abs() < 5.0, "{beyond}");
    assert_eq!(report["secondsToDetect"]["p50"], Value::Null);
}

#[test]
fn a_version_that_answers_500s_is_taken_back_within_the_first_analysis() {
    let report = runs("errors", &[]);
    assert_rate(&report, "aborted", 1.0, 1.0);
    let detected = number(&report, "secondsToDetect", "p90");
    assert!((90.0..130.0).contains(&detected), "{detected}");
    // An eighth of the 20% of some 36 requests a second for a minute and a half.
    let beyond = number(&report, "failedRequestsBeyondStable", "p50");
    assert!((70.0..130.0).contains(&beyond), "{beyond}");
}

#[test]
fn a_version_that_gets_slow_is_taken_back_in_the_second_analysis() {
    let report = runs("slow", &[]);
    assert_rate(&report, "aborted", 1.0, 1.0);
    assert!((260.0..310.0).contains(&number(&report, "secondsToDetect", "p50")));
}

#[test]
fn drift_is_mostly_seen_and_not_always() {
    let report = runs("drift", &[]);
    assert_rate(&report, "aborted", 0.88, 0.98);
    assert_eq!(report["wrong"]["count"], report["outcomes"]["promoted"]["count"]);
    let (low, high) = (report["wrong"]["low"].as_f64().unwrap(), report["wrong"]["high"].as_f64().unwrap());
    let rate = report["wrong"]["rate"].as_f64().unwrap();
    assert!(low < rate && rate < high && high - low < 0.1, "{}", report["wrong"]);
}

#[test]
fn a_shared_outage_is_blamed_on_the_new_version_now_and_then() {
    let report = runs("shared-outage", &[]);
    assert_rate(&report, "aborted", 0.08, 0.5);
    // The outage fails requests of every version; the new one has no more of them than the other would have had.
    assert!(number(&report, "failedRequests", "p50") > 200.0);
    assert!(number(&report, "failedRequestsBeyondStable", "p50").abs() < 15.0);
}

#[test]
fn the_same_seed_tells_the_same_story_and_the_order_of_threads_does_not_matter() {
    let one = |seed: &str| {
        let output = simulate(&["examples/ml-portfolio", "--world", "examples/worlds/errors.yaml", "--seed", seed]);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let told = one("7");
    assert_eq!(told, one("7"));
    assert_ne!(told, one("8"));
    assert!(told.contains("person: deploy v3.2.0") && told.contains("aborted after 1m3"), "{told}");
    let many = runs("errors", &["--seed", "7"]);
    assert_eq!(many, runs("errors", &["--seed", "7"]));
    let first = &many["runs"][0];
    assert_eq!(first["seed"], 7);
    let failed = format!("failed        {} (", first["failedRequests"]);
    assert!(told.contains(&failed), "{told}");
}

#[test]
fn the_other_services_can_be_tried_too() {
    let output = simulate(&[
        "examples/ml-portfolio",
        "--world",
        "examples/worlds/errors.yaml",
        "--rollout",
        "nlpinsight-predictor",
        "--runs",
        "20",
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ml-services/nlpinsight-predictor: v3.1.0 to v3.2.0, 20 runs, seeds 1 to 20"), "{text}");
    assert!(text.contains("aborted     100.0%"), "{text}");
}

#[test]
fn too_many_wrong_outcomes_are_a_failure() {
    let code = |most: &str| {
        let world = "examples/worlds/shared-outage.yaml";
        let arguments = ["examples/ml-portfolio", "--world", world, "--runs", "100", "--max-wrong", most];
        simulate(&arguments).status.code()
    };
    assert_eq!(code("0.01"), Some(1));
    assert_eq!(code("0.9"), Some(0));
}

#[test]
fn a_picture_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.svg");
    runs("errors", &["--plot", path.to_str().unwrap()]);
    let picture = std::fs::read_to_string(path).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n") && picture.contains("aborted 100%"));
}

#[test]
fn wrong_worlds_are_told_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.yaml");
    let path_text = path.to_str().unwrap();
    let complain = |world: &str| {
        std::fs::write(&path, world).unwrap();
        let output = simulate(&["examples/ml-portfolio", "--world", path_text]);
        assert_eq!(output.status.code(), Some(2), "{world}");
        String::from_utf8(output.stderr).unwrap()
    };
    let told = complain("deploi: {to: v2}\ntraffic: {rate: fast}\n");
    for want in ["world.yaml:1:1", "did you mean \"deploy\"?", "world.yaml:2:17", "2 errors: nothing was simulated"] {
        assert!(told.contains(want), "{want}: {told}");
    }
    let told = complain("rollout: bankchurn-predictor\ndeploy: {to: v9}\nversions: [{tag: v3.1.0}]\n");
    assert!(told.contains("failed to find version v9 in the world"), "{told}");
    let told = complain("deploy: {to: v9}\n");
    assert!(told.contains("name one of ml-services/bankchurn-predictor"), "{told}");
    let output = simulate(&["examples/ml-portfolio", "--world", "nowhere.yaml"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("failed to read nowhere.yaml"));
}
