//! `serin plan` from the outside: what people and machines read, and how bad input is answered.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn serin(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(arguments).current_dir(root).env_remove("SERIN_STATE").env("NO_COLOR", "1");
    command.output().unwrap()
}

fn plan(arguments: &[&str]) -> String {
    let output = serin(&[&["plan"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let output = serin(&[&["plan"], arguments].concat());
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// The example's manifests with the comparisons beside the steps, pauses ending on evidence.
fn compared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ml-portfolio");
    for file in ["argo-rollouts/analysis-templates.yaml", "services.yaml", "ingresses.yaml", "00-namespace.yaml"] {
        let name = file.rsplit('/').next().unwrap();
        std::fs::copy(example.join("k8s").join(file), folder.path().join(name)).unwrap();
    }
    std::fs::copy(example.join("evidence/analysis-template.yaml"), folder.path().join("comparisons.yaml")).unwrap();
    let rollout = std::fs::read_to_string(example.join("k8s/argo-rollouts/bankchurn-rollout.yaml")).unwrap();
    let beside = "    canary:\n      analysis: {startingStep: 1, templates: [{templateName: comparisons}]}\n";
    let rollout = rollout.replacen("    canary:\n", beside, 1);
    let rollout = rollout.replacen("  annotations:\n", "  annotations:\n    serin.dev/advance: evidence\n", 1);
    std::fs::write(folder.path().join("rollout.yaml"), rollout).unwrap();
    folder
}

#[test]
fn a_plan_is_read_as_agreed() {
    let folder = compared();
    let told = plan(&[folder.path().to_str().unwrap(), "--rate", "40"]);
    insta::assert_snapshot!("plan", told);
    let few = plan(&[folder.path().to_str().unwrap(), "--rate", "1", "--stable-errors", "1%", "--power", "95%"]);
    insta::assert_snapshot!("plan-few", few);
    for line in told.lines().chain(few.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn machines_read_the_same() {
    let folder = compared();
    let text = plan(&[folder.path().to_str().unwrap(), "--rate", "40", "--output", "json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let rollout = &report["rollouts"][0];
    assert_eq!((&rollout["name"], &rollout["rateFrom"]), (&"bankchurn-predictor".into(), &"given".into()));
    assert_eq!(rollout["stableErrorsFrom"], "assumed");
    let errors = &rollout["steps"][0]["metrics"][0];
    assert_eq!(
        (&errors["name"], &errors["run"], &errors["judgedBy"]),
        (&"errors".into(), &"background".into(), &"tests".into())
    );
    let seen = errors["sights"][0]["seenFrom"].as_f64().unwrap();
    assert!((0.02..0.08).contains(&seen), "{errors:#}");
    assert!(rollout["warnings"].is_array());
}

#[test]
fn a_plan_needs_a_rate_a_rollout_and_good_manifests() {
    let folder = compared();
    let path = folder.path().to_str().unwrap();
    let state = folder.path().join("nothing");
    let nobody = refused(&[path, "--state", state.to_str().unwrap()]);
    assert!(nobody.contains("no control process runs here") && nobody.contains("--rate 40"), "{nobody}");
    let other = refused(&[path, "--rate", "40", "--rollout", "shop"]);
    assert!(other.contains("no Rollout \"shop\"") && other.contains("ml-services/bankchurn-predictor"), "{other}");
    assert!(refused(&[path, "--rate", "0"]).contains("above 0"));
    let comparisons = folder.path().join("comparisons.yaml");
    let text = std::fs::read_to_string(&comparisons).unwrap();
    std::fs::write(&comparisons, text.replace("tolerance: 1pt", "tolerance: 0pt").replace("50%", "-3%")).unwrap();
    let both = refused(&[path, "--rate", "40"]);
    assert!(both.contains("2 errors") && both.contains("nothing was planned"), "{both}");
}
