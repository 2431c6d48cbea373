//! Verdicts from what the router counts: versions that fail in the middle of a pause, versions that are promoted on evidence, and a control process
//! that dies in between.

use std::cell::RefCell;

use serde_json::Value;

use crate::machine::Machine;
use crate::manifests::{App, analysis, background, sequential};

/// A pause that no test waits for.
const LONG: &str = "pause: {duration: 1000h}";

fn watched(template: &str, annotations: &[(&str, &str)]) -> App {
    let mut app = App::new("model", &["setWeight: 20", LONG, "setWeight: 50", LONG]);
    app.canary = background(template);
    app.annotations = annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    app
}

fn standing(view: &Value) -> Value {
    view["runs"][0]["metrics"][0]["standing"].clone()
}

#[test]
fn a_version_with_some_errors_is_rolled_back_in_the_middle_of_a_pause() {
    let app = watched("errors", &[]);
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 1pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    let view = machine.until("model", "rolled back", |v| v["phase"] == "Degraded" && v["aborted"] == true);
    assert_eq!(view["runs"][0]["phase"], "Failed", "{view:#}");
    let standing = standing(&view);
    assert_eq!(
        (&standing["verdict"], &standing["part"]),
        (&"failed".into(), &"stable +1 points".into()),
        "{standing:#}"
    );
    assert!(standing["canary"]["bad"].as_f64() >= Some(3.0), "{standing:#}");
    let said = machine.run(&["explain", "model"]).ok();
    assert!(said.contains("worse than tolerated"), "{said}");
    // What reached users is a tenth of a fifth of the requests of some seconds.
    let failed = load.finish().failures.len();
    assert!(failed > 0, "the version was seen to fail");
}

#[test]
fn a_good_version_is_promoted_on_evidence_long_before_its_pauses_are_over() {
    let app = watched("errors", &[("serin.dev/advance", "evidence")]);
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 2pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2", "--wait"]).ok();
    let view = machine.view("model");
    assert_eq!((&view["phase"], &view["promoted"]), (&"Healthy".into(), &true.into()));
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn an_analysis_step_ends_as_soon_as_it_has_passed() {
    let mut app = App::new("model", &["setWeight: 30", &analysis("errors")]);
    app.annotations = Vec::new();
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 2pt, within: 1000h}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2", "--wait"]).ok();
    let view = machine.view("model");
    assert_eq!(view["runs"][0]["phase"], "Successful", "{view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn without_traffic_nothing_is_promoted_and_it_says_so() {
    let app = App::new("model", &["setWeight: 30", &analysis("errors")]);
    let template = sequential("errors", "compare", "{within: 60s, undecided: promote}");
    let machine = Machine::with(&[&app], &[template]);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "held", |v| v["runs"][0]["phase"] == "Inconclusive");
    assert_eq!(standing(&view)["verdict"], "noData", "{view:#}");
    assert!(machine.run(&["explain", "model"]).ok().contains("no data"));
}

#[test]
fn predictions_that_moved_roll_back_and_those_that_did_not_pass() {
    let mut app = watched("drift", &[("serin.dev/prediction", "$.prediction"), ("serin.dev/advance", "evidence")]);
    app.tag = "fifth.1".to_owned();
    let machine = Machine::with(&[&app], &[sequential("drift", "drift", "{tolerance: 10pt}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "half.2"]).ok();
    let view = machine.until("model", "rolled back", |v| v["phase"] == "Degraded" && v["aborted"] == true);
    let standing = standing(&view);
    assert_eq!(standing["verdict"], "failed", "{standing:#}");
    assert!(standing["scores"]["tv"]["value"].as_f64() > Some(0.1), "{standing:#}");
    machine.run(&["deploy", "model", "fifth.3", "--wait"]).ok();
    assert_eq!(machine.view("model")["promoted"], true);
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_killed_control_process_judges_every_answer_once() {
    let app = watched("errors", &[]);
    // A tolerance that a tenth of errors is within: it goes on.
    let mut machine = Machine::with(&[&app], &[sequential("errors", "compare", "{tolerance: 40pt}")]);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    machine.at_step("model", 1, 20);
    machine.until("model", "watched", |v| v["runs"][0]["metrics"][0]["standing"].is_object());
    let load = machine.load(&app);
    let judged = |v: &Value| standing(v)["canary"]["total"].as_f64().unwrap_or_default();
    for more in [200.0, 400.0, 600.0] {
        machine.until("model", "judged", |v| judged(v) > more);
        machine.kill_control();
        machine.up_again();
    }
    drop(load);
    // The load has ended: in the end all that the canary ever answered is judged, and nothing twice.
    let view = machine.until("model", "all judged", |v| {
        let canary = v["traffic"].as_array().unwrap().iter().find(|t| t["version"] == v["pools"][0]["hash"]);
        canary.is_some_and(|canary| canary["requests"].as_f64() == Some(judged(v)) && canary["inFlight"] == 0)
    });
    assert_eq!(view["runs"].as_array().unwrap().len(), 1);
}

/// Steps that copy every request to a version that answers nobody.
fn shadowed() -> App {
    let mirror = "setMirrorRoute: {name: shadow, percentage: 100, match: [{path: {prefix: /predict}}]}";
    let steps = ["setCanaryScale: {replicas: 1}", mirror, &analysis("shadow"), "setWeight: 50", LONG];
    let mut app = App::new("model", &steps);
    app.routing = ", managedRoutes: [{name: shadow}]".to_owned();
    app.annotations = vec![
        ("serin.dev/prediction".to_owned(), "$.prediction".to_owned()),
        // A cluster's nginx mirrors nothing.
        ("serin.dev/allow".to_owned(), "all".to_owned()),
    ];
    app
}

#[test]
fn a_shadow_finds_what_is_wrong_before_any_user_meets_it() {
    let app = shadowed();
    let machine = Machine::with(&[&app], &[sequential("shadow", "shadow", "{of: errors, within: 1000h}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "tenth.2"]).ok();
    let view = machine.until("model", "rolled back", |v| v["phase"] == "Degraded" && v["aborted"] == true);
    assert_eq!(standing(&view)["verdict"], "failed", "{view:#}");
    let load = load.finish();
    assert_eq!(load.failures, Vec::<String>::new());
    assert_eq!(load.good.len(), 1, "no user was answered by the new version: {:?}", load.good.keys());
}

#[test]
fn a_version_that_agrees_in_the_shadow_goes_on_to_its_users() {
    let app = shadowed();
    let machine =
        Machine::with(&[&app], &[sequential("shadow", "shadow", "{of: agreement, tolerance: 5pt, within: 1000h}")]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.at_step("model", 4, 50);
    assert_eq!(standing(&view)["verdict"], "passed", "{view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new());
}

#[test]
fn a_version_that_fails_one_kind_of_requests_is_caught_by_its_slice() {
    let app = watched("errors", &[]);
    // However fast the one visitor asks, the version as a whole stays within it.
    let settings = "{tolerance: 40pt, slice: {header: x-country}}";
    let machine = Machine::with(&[&app], &[sequential("errors", "compare", settings)]);
    let load = machine.load(&app);
    machine.run(&["deploy", "model", "austria.2"]).ok();
    machine.at_step("model", 1, 20);
    let austrian = RefCell::new((machine.visitor(&app).with("x-country", "at"), 0));
    let view = machine.until("model", "rolled back", |v| {
        let (visitor, failed) = &mut *austrian.borrow_mut();
        for _ in 0..5 {
            *failed += u32::from(visitor.get("/predict").unwrap().status == 500);
        }
        v["phase"] == "Degraded" && v["aborted"] == true
    });
    assert!(austrian.into_inner().1 >= 3);
    assert_eq!(standing(&view)["slice"], "at", "{view:#}");
    assert_eq!(load.finish().failures, Vec::<String>::new(), "everybody else was fine");
}
