//! `scripts/deploy-canary.sh` against a `serin` that writes down how it was called.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/deploy-canary.sh")
}

/// Puts a `serin` somewhere that prints its arguments, one a line, and ends with a code.
fn fake(at: &Path, code: i32) {
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    std::fs::write(at, format!("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit {code}\n")).unwrap();
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(script: &Path, path: &str, arguments: &[&str]) -> Output {
    Command::new("bash").arg(script).args(arguments).env("PATH", path).output().unwrap()
}

fn system_path() -> &'static str {
    "/usr/bin:/bin"
}

#[test]
fn every_action_is_one_command() {
    let dir = tempfile::tempdir().unwrap();
    fake(&dir.path().join("serin"), 0);
    let path = format!("{}:{}", dir.path().display(), system_path());
    let check = |arguments: &[&str], want: &str| {
        let output = run(&script(), &path, arguments);
        let called: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        assert_eq!((called.join(" ").as_str(), output.status.code()), (want, Some(0)), "{arguments:?}: {output:?}");
    };
    check(&["bankchurn", "v3.2.0"], "deploy bankchurn v3.2.0");
    check(&["chicagotaxi", "v3.4.0"], "deploy chicagotaxi v3.4.0");
    check(&["all", "v3.2.0"], "deploy all v3.2.0");
    check(&["nlpinsight", "--promote"], "promote nlpinsight");
    check(&["bankchurn", "--rollback"], "rollback bankchurn");
    check(&["bankchurn", "--watch"], "get rollout bankchurn --watch");
    check(&["--status"], "status");
}

#[test]
fn a_version_is_one_argument_whatever_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    fake(&dir.path().join("serin"), 0);
    let path = format!("{}:{}", dir.path().display(), system_path());
    let output = run(&script(), &path, &["bankchurn", "v1 $(touch owned) *"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "deploy\nbankchurn\nv1 $(touch owned) *\n");
}

#[test]
fn exit_codes_are_passed_through() {
    let dir = tempfile::tempdir().unwrap();
    for code in [1, 2, 3, 4] {
        fake(&dir.path().join("serin"), code);
        let path = format!("{}:{}", dir.path().display(), system_path());
        assert_eq!(run(&script(), &path, &["bankchurn", "--promote"]).status.code(), Some(code));
    }
}

#[test]
fn wrong_usage_calls_nothing_and_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    fake(&dir.path().join("serin"), 0);
    let path = format!("{}:{}", dir.path().display(), system_path());
    let check = |arguments: &[&str], want: &str| {
        let output = run(&script(), &path, arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(error.starts_with(&format!("deploy-canary.sh: {want}\n")), "{arguments:?}: {error}");
        assert!(error.contains("usage: deploy-canary.sh SERVICE VERSION"), "{arguments:?}: {error}");
    };
    check(&[], "a service is missing");
    check(&["bankchurn"], "a version or an action is missing");
    check(&["frauddetect", "v1"], "there is no service 'frauddetect'");
    check(&["bankchurn", "--explode"], "there is no action '--explode'");
    check(&["bankchurn", "v3.2.0", "--force", "now"], "too much: --force now");
    check(&["all", "--promote"], "--promote needs one service");
    check(&["--status", "bankchurn"], "--status stands alone");
    let help = run(&script(), &path, &["--help"]);
    assert!(help.status.success() && help.stdout.starts_with(b"usage: "), "{help:?}");
}

#[test]
fn serin_is_found_in_the_build_folders_release_first() {
    let repository = tempfile::tempdir().unwrap();
    let copy = repository.path().join("scripts/deploy-canary.sh");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::copy(script(), &copy).unwrap();
    let missing = run(&copy, system_path(), &["--status"]);
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    assert!(String::from_utf8(missing.stderr).unwrap().contains("serin is neither in PATH nor built"));
    fake(&repository.path().join("target/debug/serin"), 7);
    assert_eq!(run(&copy, system_path(), &["--status"]).status.code(), Some(7));
    fake(&repository.path().join("target/release/serin"), 8);
    assert_eq!(run(&copy, system_path(), &["--status"]).status.code(), Some(8));
}
