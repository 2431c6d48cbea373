//! Tables: settings and the recipe they mean, and the parts of one alpha.

use serde_json::{Value, json};
use serin_core::Span;
use serin_core::rollout::Undecided;
use serin_stats::recipe::{Distribution, Outcome, Paired, Test};
use serin_stats::two_arm::Line;

use super::{COMPARE, DRIFT, Resolved, SHADOW, SliceField, Source, read, resolve, resolved, weight};
use crate::wire::analysis::AnalysisRunSpec;

fn test(name: &str, settings: Value) -> Test {
    read(name, &settings).unwrap_or_else(|problems| panic!("{problems:?}")).recipe.test
}

#[test]
fn what_is_not_said_has_sensible_defaults() {
    let line = |ratio: f64, delta: f64| Line { ratio, delta };
    let errors = |lines: &[Line]| Test::Compare { outcome: Outcome::Errors, lines: lines.to_vec() };
    assert_eq!(test(COMPARE, json!(null)), errors(&[line(1.0, 0.01)]));
    assert_eq!(test(COMPARE, json!({"tolerance": 0.02})), errors(&[line(1.0, 0.02)]));
    assert_eq!(test(COMPARE, json!({"tolerance": "2 pt"})), errors(&[line(1.0, 0.02)]));
    assert_eq!(test(COMPARE, json!({"tolerance": "50%"})), errors(&[line(1.5, 0.0)]));
    let both = json!({"tolerance": {"absolute": "1pt", "relative": "50%"}});
    assert_eq!(test(COMPARE, both), errors(&[line(1.0, 0.01), line(1.5, 0.0)]));
    assert_eq!(test(DRIFT, json!({})), Test::Drift { of: Distribution::Classes(Vec::new()), tolerance: 0.03 });
    assert_eq!(test(SHADOW, json!({})), Test::Shadow { of: Paired::Errors, tolerance: 0.01 });
    let sequential = read(COMPARE, &json!({})).unwrap();
    assert_eq!((sequential.within, sequential.undecided), (Span::from_secs(600), Undecided::Hold));
    assert_eq!((sequential.recipe.budget.alpha, sequential.recipe.budget.beta), (0.01, 0.05));
    assert_eq!(sequential.source, Source::Router);
}

#[test]
fn outcomes_and_limits() {
    let slower = |quantiles: &[f64]| Test::Slower { quantiles: quantiles.to_vec(), tolerance: 0.2 };
    assert_eq!(test(COMPARE, json!({"outcome": "latency"})), slower(&[0.95]));
    assert_eq!(test(COMPARE, json!({"outcome": "latency", "quantiles": [0.5, 0.99]})), slower(&[0.5, 0.99]));
    let Test::Limit { outcome, limit } = test(COMPARE, json!({"outcome": "latency", "limit": "500ms"})) else {
        panic!()
    };
    assert_eq!(outcome, Outcome::SlowerThan(500_000));
    assert!((limit - 0.05).abs() < 1e-12);
    assert_eq!(test(COMPARE, json!({"limit": "5%"})), Test::Limit { outcome: Outcome::Errors, limit: 0.05 });
    let class = |worse: &str| {
        let Test::Compare { outcome, .. } = test(COMPARE, json!({"outcome": {"class": 1}, "worse": worse})) else {
            panic!()
        };
        outcome
    };
    assert_eq!((class("higher"), class("lower")), (Outcome::Class("1".into()), Outcome::NotClass("1".into())));
    let settings = json!({"of": "classes", "classes": ["yes", true, 0]});
    let named = ["yes", "true", "0"].map(str::to_owned).to_vec();
    assert_eq!(test(DRIFT, settings), Test::Drift { of: Distribution::Classes(named), tolerance: 0.03 });
}

#[test]
fn a_slice_has_one_name_whoever_asks_for_it() {
    let slice = |field: Value| read(COMPARE, &json!({ "slice": field })).unwrap();
    let sequential = slice(json!({"header": "X-Country"}));
    assert_eq!(sequential.slice, Some(SliceField::Header("X-Country".into())));
    assert_eq!(sequential.recipe.slice.as_deref(), Some("header:x-country"));
    assert_eq!(slice(json!({"requestField": "$.country"})).recipe.slice.as_deref(), Some("request:$.country"));
}

#[test]
fn counters_are_four_queries_and_a_server() {
    let settings = json!({"prometheus": {
        "address": "http://p:9090", "timeout": 5,
        "canary": {"bad": "errors{v=\"new\"}", "total": "requests{v=\"new\"}"},
        "stable": {"bad": "errors{v=\"old\"}", "total": "requests{v=\"old\"}"},
    }});
    let Source::Counters(counters) = read(COMPARE, &settings).unwrap().source else { panic!() };
    assert_eq!(counters.server.address.as_deref(), Some("http://p:9090"));
    assert_eq!((counters.server.timeout, counters.server.query.as_deref()), (Some(5), None));
    assert_eq!(counters.stable_total, "requests{v=\"old\"}");
}

#[test]
fn the_metrics_of_all_runs_share_one_alpha() {
    let metric = |name: &str, settings: Value| json!({"name": name, "provider": {"plugin": {COMPARE: settings}}});
    let other = json!({"name": "c", "provider": {"prometheus": {"query": "up"}}});
    let metrics = [metric("a", json!({})), metric("b", json!({"weight": 3})), other];
    let mut spec: AnalysisRunSpec = serde_json::from_value(json!({ "metrics": metrics })).unwrap();
    assert_eq!(weight(&spec), 4.0);
    let share = |spec: &AnalysisRunSpec, index: usize| resolved(&spec.metrics[index].provider.plugin[COMPARE], spec);
    assert_eq!(share(&spec, 0), Resolved { share: 0.5, goes_on: false }, "a run made by hand");
    resolve(&mut spec, 8.0, true);
    assert_eq!(share(&spec, 0), Resolved { share: 0.125, goes_on: true });
    assert_eq!(share(&spec, 1), Resolved { share: 0.375, goes_on: true });
    assert!(read(COMPARE, &spec.metrics[1].provider.plugin[COMPARE]).is_ok(), "what is filled in is no unknown field");
}
