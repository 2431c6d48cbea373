//! What people read, as golden files: the help and the screen of a rollout in the middle of an update. What differs from run
//! to run is replaced: ports, ages and rates.

use std::path::Path;

use crate::blue_green::{testers, waits};
use crate::machine::{Machine, PATIENCE, finish};
use crate::manifests::{App, analysis, around_switch, error_rate};

fn help(arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(arguments).env("COLUMNS", "100").env_remove("SERIN_STATE").current_dir(Path::new("/"));
    finish(command, "--help", PATIENCE).ok()
}

#[test]
fn the_help_is_as_agreed() {
    insta::assert_snapshot!("help", help(&["--help"]));
    insta::assert_snapshot!("help-up", help(&["up", "--help"]));
}

/// The screen with its numbers of the day replaced.
fn redacted(screen: &str) -> String {
    let line = |line: &str| -> String {
        let line = line.trim_end();
        let first = line.split_whitespace().next().unwrap_or_default();
        // Graphs of the last minute, and what stands beside them.
        if line.contains("p95") || first == "errors" {
            return format!("  {first} ...");
        }
        // How long ago the analysis began.
        if first == "α" {
            return line.rsplit_once("  ").map_or_else(String::new, |(before, _)| format!("{before}  #"));
        }
        match line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()) {
            Some(port) => line.replace(port, "#"),
            // Measurements before there was anything to measure.
            None => line.replace(" []", ""),
        }
    };
    screen.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_screen_of_a_rollout_is_as_agreed() {
    let app = App::new(
        "model",
        &["setWeight: 20", "pause: {duration: 60s}", "setWeight: 50", &analysis("health"), "pause: {}"],
    );
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.at_step("model", 4, 50);
    insta::assert_snapshot!("screen", redacted(&machine.run(&["get", "rollout", "model"]).ok()));
    drop(load);
}

#[test]
fn the_screen_of_a_blue_green_rollout_is_as_agreed() {
    let (before, after) = (around_switch("pre", "health"), around_switch("post", "health"));
    let app = App::blue_green("model", &["autoPromotionEnabled: false", "previewReplicaCount: 1", &before, &after]);
    let machine = Machine::with(&[&app], &[error_rate("health", "10s", 3, 0)]);
    let (users, tests) = (machine.load(&app), testers(&machine, &app));
    machine.run(&["deploy", "model", "good.2"]).ok();
    machine.until("model", "seen on both ways", |v| waits(v) && v["traffic"].as_array().is_some_and(|t| t.len() >= 2));
    insta::assert_snapshot!("screen-blue-green", redacted(&machine.run(&["get", "rollout", "model"]).ok()));
    drop((users, tests));
}
