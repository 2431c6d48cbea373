//! Reports of a log that is made up: golden files, and what must hold of any page.

use serde_json::json;
use serin_core::analysis::schedule::{self, Task};
use serin_core::analysis::{RunStatus, assess, record};
use serin_core::{Share, Span, Time};
use serin_providers::sequential::log::{
    self, Chain, Entry, Event, FORMAT, Place, Reader, Settled, Update, Version, begun, looked,
};
use serin_providers::sequential::{Fed, Look, Taken};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::{lower, recipe};
use serin_stats::batch::{Arm, Batch};

use super::data::{Collector, Data};
use super::page;
use crate::plot::well_formed;

/// Names that must not become markup.
const NASTY: &str = "<script>alert(\"a&b\")</script>";

fn update() -> Entry {
    let version = |hash: &str, image: &str| Version { hash: hash.to_owned(), image: image.to_owned() };
    Entry::Update(Box::new(Update {
        format: FORMAT,
        serin: "0.1.0".to_owned(),
        rollout: "shop/churn".to_owned(),
        revision: 3,
        canary: version("new", "registry.test/churn:2.1"),
        stable: version("old", "registry.test/churn:2.0"),
        begun_ms: 0,
        speed: 1.0,
    }))
}

fn settled(second: i64, step: usize, weight: u32, reason: &str, message: &str) -> Settled {
    let aborted = reason == "RolloutAborted";
    let place = Place {
        step: Some(step),
        steps: 4,
        phase: if aborted { "Degraded" } else { "Paused" }.to_owned(),
        message: message.to_owned(),
        aborted,
        promoted: false,
        weight: Some((weight, 100)),
    };
    let at_ms = second * 1000;
    let event = Event { at_ms, reason: reason.to_owned(), message: message.to_owned(), warning: aborted };
    Settled { at_ms, place, events: vec![event] }
}

fn spec() -> AnalysisRunSpec {
    let metric = |name: &str, plugin: &str, settings: serde_json::Value| json!({"name": name, "provider": {"plugin": {plugin: settings}}});
    let metrics = [
        metric("errors", "serin.dev/compare", json!({"tolerance": "1pt"})),
        metric("answers & classes", "serin.dev/drift", json!({"tolerance": "5pt"})),
    ];
    let mut spec: AnalysisRunSpec = serde_json::from_value(json!({ "metrics": metrics })).unwrap();
    let total = recipe::weight(&spec);
    recipe::resolve(&mut spec, total, true);
    spec
}

/// A canary that is as good as stable, until it begins to fail.
fn second(seq: u64, weight: u32) -> Batch {
    let sick = seq > 60;
    let arm = |answered: u64, errors: u64, slow: u16| Arm {
        answered,
        errors,
        latency: (0..8).map(|i| (180 + slow + i * 6 + (seq % 3) as u16, answered / 8)).collect(),
        classes: [("stays", answered - answered / 5), ("leaves", answered / 5 - 1), (NASTY, 1)]
            .into_iter()
            .map(|(class, n)| (class.to_owned(), n))
            .collect(),
        ..Arm::default()
    };
    let canary = u64::from(weight);
    let (start_ms, end_ms) = (seq as i64 * 1000 - 1000, seq as i64 * 1000);
    let (canary, stable) = (arm(canary, if sick { canary / 10 } else { 0 }, 6), arm(100 - canary, 0, 0));
    let (drawn, split) = ((canary.answered, stable.answered), (weight, 100));
    let slices =
        [("header:x-country".to_owned(), [(NASTY.to_owned(), (canary.clone(), stable.clone()))].into())].into();
    Batch { seq, start_ms, end_ms, canary, stable, split: Some(split), drawn: Some(drawn), slices, ..Batch::default() }
}

/// The log as a file.
pub(crate) fn made_up() -> Vec<u8> {
    let (spec, mut chain, mut status, mut batches) = (spec(), Chain::default(), RunStatus::default(), Vec::new());
    let core = lower::run_spec(&spec);
    let mut bytes =
        chain.block(&[update(), Entry::Settled(settled(0, 0, 20, "RolloutUpdated", "Rollout updated to revision 3"))]);
    bytes.extend(chain.block(&[Entry::Run(Box::new(begun("churn-6d4-3", "Background", 0, &spec)))]));
    for seq in 0..90u64 {
        let weight = if seq < 40 { 20 } else { 50 };
        if seq == 40 {
            bytes.extend(chain.block(&[Entry::Settled(settled(
                40,
                2,
                50,
                "TrafficWeightUpdated",
                "Traffic weight updated from 20 to 50",
            ))]));
        }
        if seq > 0 {
            batches.push(second(seq, weight));
        }
        let (now, window) = (Time::from_secs(seq as i64), Share { weight, total: 100 });
        let look = Look { filled: &spec, spec: &core, status: &status, window, now, every_min: Span::ZERO };
        let (stopped, due): (Vec<_>, Vec<_>) =
            schedule::due(&core, &status, now).into_iter().partition(|(_, task)| *task == Task::Terminate);
        let due: Vec<usize> = due.into_iter().map(|(index, _)| index).collect();
        let mut taken = look.take(&due, seq, &|_| Ok(Fed::Batches(batches.clone())));
        let stop = |(index, _)| Taken { index, measurement: look.terminate(index), judged: Vec::new() };
        taken.extend(stopped.into_iter().map(stop));
        if taken.is_empty() {
            break;
        }
        bytes.extend(chain.block(&looked(&look, "churn-6d4-3", seq, &taken, &str::to_owned)));
        taken.into_iter().for_each(|one| record(&core, &mut status, one.index, one.measurement));
        status = assess(&core, &status, now);
    }
    let end = settled(66, 2, 0, "RolloutAborted", &format!("Rollout aborted update to revision 3: {NASTY}"));
    bytes.extend(chain.block(&[Entry::Settled(end)]));
    bytes
}

fn data(bytes: &[u8]) -> Data {
    let mut collector = Collector::default();
    let mut flaw = None;
    for entry in Reader::new(bytes) {
        match entry {
            Ok(entry) => collector.take(&entry),
            Err(found) => flaw = Some(found),
        }
    }
    collector.finish(flaw).unwrap()
}

#[test]
fn a_late_regression_is_told_in_a_sentence() {
    let data = data(&made_up());
    assert!(data.summary.starts_with("shop/churn was taken back from 2.1 to 2.0 after 6"), "{}", data.summary);
    assert!(data.summary.contains("since errors was worse than tolerated"), "{}", data.summary);
    assert_eq!((data.ended, data.notes.len(), data.metrics.len()), (true, 0, 2));
}

#[test]
fn the_numbers_are_those_of_the_golden_file() {
    let mut data = data(&made_up());
    // Every tenth point is enough to see that they are right.
    let tenth = |i: &mut usize| {
        *i += 1;
        (*i - 1).is_multiple_of(10)
    };
    let mut i = 0;
    data.traffic.retain(|_| tenth(&mut i));
    for metric in &mut data.metrics {
        let mut i = 0;
        metric.points.retain(|_| tenth(&mut i));
    }
    insta::assert_snapshot!("report.json", serde_json::to_string_pretty(&data).unwrap());
}

#[test]
fn the_page_is_the_golden_file_and_needs_nothing_else() {
    let data = data(&made_up());
    let html = page::html(&data);
    well_formed(&html);
    assert!(
        !html.contains("<script") && !html.contains("NaN") && !html.contains("inf "),
        "markup of a user, or no number"
    );
    let own = html.replace("http://www.w3.org/2000/svg", "");
    assert!(["http:", "https:", "url(", "src=", "href=", "@import"].iter().all(|word| !own.contains(word)));
    assert!(html.len() < 120_000, "{} bytes", html.len());
    insta::assert_snapshot!("report.html", html);
    let svg = page::svg(&data);
    well_formed(&svg);
    assert!(!svg.contains("<script") && svg.matches("<svg ").count() >= 8);
}

#[test]
fn a_log_that_was_cut_off_gives_a_report_that_says_so() {
    let bytes = made_up();
    let data = data(&bytes[..bytes.len() * 2 / 3]);
    assert!(
        data.notes[0].starts_with("the log is cut off at entry") && data.notes[0].contains("after second "),
        "{:?}",
        data.notes
    );
    assert!(!data.ended && data.verdicts.iter().all(|row| row.phase != "Failed"));
    well_formed(&page::html(&data));
}

#[test]
fn an_update_that_was_just_begun_has_a_page_as_well() {
    let bytes = Chain::default().block(&[update()]);
    let data = data(&bytes);
    assert_eq!(data.summary, "shop/churn is on its way from 2.0 to 2.1.");
    well_formed(&page::html(&data));
    well_formed(&page::svg(&data));
    assert_eq!(log::FORMAT, 1);
}
