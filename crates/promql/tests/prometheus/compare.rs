//! Answers of both sides as the same kind of thing.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serin_promql::{Labels, Value};

/// Answers that may differ by this part.
const TOLERANCE: f64 = 1e-9;

/// Series and their values over time; an instant has one time.
pub(crate) type Numbers = BTreeMap<Labels, Vec<(i64, f64)>>;

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
pub(crate) fn theirs(answer: &Json) -> Numbers {
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

pub(crate) fn ours(value: Value, at_ms: i64) -> Numbers {
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

pub(crate) fn agree(ours: &Numbers, theirs: &Numbers) -> bool {
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
