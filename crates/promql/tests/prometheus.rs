//! The same queries over the same series here and in a real Prometheus: the numbers agree.

#![expect(clippy::disallowed_methods, reason = "it starts a server and waits for it")]

#[path = "prometheus/data.rs"]
mod data;
#[path = "prometheus/queries.rs"]
mod queries;
#[path = "prometheus/server.rs"]
mod server;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serin_promql::{Labels, Query, Store, Value};
use server::Server;

/// Answers that may differ by this part.
const TOLERANCE: f64 = 1e-9;

/// Series and their values over time; an instant has one time.
type Numbers = BTreeMap<Labels, Vec<(i64, f64)>>;

fn number(json: &Json) -> f64 {
    match json.as_str().unwrap() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap(),
    }
}

fn point(json: &Json) -> (i64, f64) {
    ((json[0].as_f64().unwrap() * 1000.0).round() as i64, number(&json[1]))
}

/// The numbers in an answer of Prometheus.
fn theirs(answer: &Json) -> Numbers {
    assert_eq!(answer["status"], "success", "{answer}");
    let result = &answer["data"]["result"];
    if answer["data"]["resultType"] == "scalar" {
        return BTreeMap::from([(Labels::empty(), vec![point(result)])]);
    }
    let series = result.as_array().unwrap().iter().map(|series| {
        let pairs = series["metric"].as_object().unwrap();
        let labels = Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        let points = match series["values"].as_array() {
            Some(values) => values.iter().map(point).collect(),
            None => vec![point(&series["value"])],
        };
        (labels, points)
    });
    series.collect()
}

fn ours(value: Value, at_ms: i64) -> Numbers {
    match value {
        Value::Scalar(value) => BTreeMap::from([(Labels::empty(), vec![(at_ms, value)])]),
        Value::Vector(elements) => elements.into_iter().map(|(l, v)| (l, vec![(at_ms, v)])).collect(),
        Value::Matrix(series) => {
            let points = |points: Vec<serin_promql::Point>| points.iter().map(|p| (p.t_ms, p.value)).collect();
            series.into_iter().map(|series| (series.labels, points(series.points))).collect()
        }
        Value::Text(text) => panic!("{text}"),
    }
}

fn agree(ours: &Numbers, theirs: &Numbers) -> bool {
    let close = |a: f64, b: f64| {
        (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1e-3)
    };
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|((our_labels, our_points), (their_labels, their_points))| {
            our_labels == their_labels
                && our_points.len() == their_points.len()
                && our_points.iter().zip(their_points).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
        })
}

#[test]
fn numbers_agree_with_a_real_prometheus() {
    let samples = data::generate();
    let mut store = Store::default();
    for (labels, t_ms, value) in &samples {
        store.append(labels, *t_ms, *value).unwrap();
    }
    let server = Server::start(&data::open_metrics(&samples));
    let mut different = Vec::new();
    let (mut asked, mut answered) = (0, 0);
    for text in queries::all() {
        let query = Query::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for at_ms in data::TIMES_MS {
            let (our, their) = (
                ours(query.eval(&store, at_ms).unwrap_or_else(|error| panic!("{text}: {error}")), at_ms),
                theirs(&server.query(&queries::old_names(&text), at_ms)),
            );
            asked += 1;
            answered += usize::from(!their.is_empty());
            if !agree(&our, &their) {
                different.push(format!("{text} at {at_ms}:\n  ours   {our:?}\n  theirs {their:?}"));
            }
        }
        let (start_ms, end_ms) = (data::TIMES_MS[0], data::TIMES_MS[0] + 20 * 67_000);
        let our = ours(query.eval_range(&store, start_ms, end_ms, 67_000).unwrap(), start_ms);
        let their = theirs(&server.query_range(&queries::old_names(&text), start_ms, end_ms, 67_000));
        asked += 1;
        answered += usize::from(!their.is_empty());
        if !agree(&our, &their) {
            different.push(format!("{text} over time:\n  ours   {our:?}\n  theirs {their:?}"));
        }
    }
    println!("{asked} answers compared, {answered} of them with data, over {} samples", samples.len());
    assert!(different.is_empty(), "{} of {asked} differ:\n{}", different.len(), different.join("\n"));
    assert!(answered * 10 > asked * 9, "only {answered} of {asked} answers have data");
}

#[test]
fn the_comparison_notices_differences() {
    let numbers = |label: &str, value: f64| Numbers::from([(Labels::from_pairs([("a", label)]), vec![(0, value)])]);
    assert!(agree(&numbers("1", 1.0), &numbers("1", 1.0 + 1e-12)));
    assert!(agree(&numbers("1", f64::NAN), &numbers("1", f64::NAN)));
    assert!(!agree(&numbers("1", 1.0), &numbers("1", 1.0 + 1e-8)));
    assert!(!agree(&numbers("1", 1.0), &numbers("2", 1.0)));
    assert!(!agree(&numbers("1", 1.0), &Numbers::new()));
}
