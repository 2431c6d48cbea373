//! The screens of a namespace in many states: byte for byte what Argo's own plugin prints (see `data/README.md`).

use std::path::{Path, PathBuf};

use serin_controller::Object;
use serin_core::Time;
use serin_kubectl::info::{ExperimentInfo, RolloutInfo};
use serin_kubectl::list::Before;
use serin_kubectl::{Family, Paint, list, phase, screen};
use serin_spec::{Source, read, timestamp};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/screens")
}

fn now() -> Time {
    timestamp::parse("2026-01-10T12:00:00Z").unwrap()
}

fn objects(kind: &str) -> Vec<Object> {
    let text = std::fs::read_to_string(folder().join("shop.yaml")).unwrap();
    let all = read::objects(&[Source::new("shop.yaml", text)]);
    let mut all: Vec<Object> = all.into_iter().map(Object).filter(|object| object.kind() == kind).collect();
    // The order in which an API server lists.
    all.sort_by_key(|object| object.name().to_owned());
    all
}

fn family() -> Family {
    Family {
        replica_sets: objects("ReplicaSet"),
        pods: objects("Pod"),
        experiments: objects("Experiment"),
        runs: objects("AnalysisRun"),
    }
}

#[track_caller]
fn check(name: &str, screen: &str) {
    let wanted = std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap_or_default();
    assert_eq!(screen, wanted, "{name}.txt");
}

//= compat: 7.2-2, 7.2-3, 7.2-4, 7.2-5, 7.2-6, 7.2-7, 7.2-8, 2.5-1, 2.5-2, 2.5-4
#[test]
fn rollouts_are_drawn_as_the_original_draws_them() {
    for rollout in objects("Rollout") {
        let drawn = screen::rollout(&RolloutInfo::of(&rollout, &family(), now()), now(), Paint::Plain);
        check(&format!("get-rollout-{}", rollout.name()), &drawn);
    }
}

//= compat: 7.3-1
#[test]
fn experiments_are_drawn_as_the_original_draws_them() {
    for experiment in objects("Experiment") {
        let drawn = screen::experiment(&ExperimentInfo::of(&experiment, &family()), now(), Paint::Plain);
        check(&format!("get-experiment-{}", experiment.name()), &drawn);
    }
}

//= compat: 7.3-2, 7.3-3
#[test]
fn lists_are_those_of_the_original() {
    let rollouts = objects("Rollout");
    check("list-rollouts", &list::rollouts(&rollouts, Before::default(), now(), true));
    let all = Before { namespace: true, timestamp: false };
    check("list-rollouts-all-namespaces", &list::rollouts(&rollouts, all, now(), true));
    check("list-experiments", &list::experiments(&objects("Experiment"), false, now()));
    check("list-experiments-all-namespaces", &list::experiments(&objects("Experiment"), true, now()));
    let both = Before { namespace: true, timestamp: true };
    let first = list::rollouts(&rollouts[..1], both, now(), true);
    let lines: Vec<&str> = first.lines().collect();
    assert!(lines[0].starts_with("TIMESTAMP             NAMESPACE  NAME "), "{first}");
    assert!(lines[1].starts_with("2026-01-10T12:00:00Z  shop       api  "), "{first}");
}

//= compat: 7.2-6
#[test]
fn colours_change_no_column() {
    let plain = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            out.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    };
    for rollout in objects("Rollout") {
        let draw = |paint| screen::rollout(&RolloutInfo::of(&rollout, &family(), now()), now(), paint);
        let coloured = draw(Paint::Colour);
        assert!(rollout.name() == "done" || coloured.contains('\u{1b}'), "{}", rollout.name());
        assert_eq!(plain(&coloured), draw(Paint::Plain));
    }
}

//= compat: 2.5-3
#[test]
fn a_generation_of_old_counts_as_seen() {
    let check = |seen: &str, want: &str| {
        let mut rollout = objects("Rollout").into_iter().find(|r| r.name() == "done").unwrap();
        rollout.0["status"]["observedGeneration"] = seen.into();
        assert_eq!(phase::of(&rollout, now()).0, want, "{seen}");
    };
    check("1", "Healthy");
    check("0", "Progressing");
    check("78dcd9f4c", "Healthy");
    check("99", "Healthy");
}
