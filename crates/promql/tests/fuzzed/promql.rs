//! What must hold for every query: it is refused with a place in its text, or answered within its budget, and then the
//! same in a range as alone.

use serin_promql::{EvalError, Labels, Limits, Options, Query, QueryError, Store, Value, stale_marker};

/// A few series with whatever makes trouble.
fn store() -> Store {
    let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
    let mut add = |pairs: &[(&str, &str)], values: &[f64]| {
        let labels = Labels::from_pairs(pairs.iter().copied());
        for (index, value) in values.iter().enumerate() {
            store.append(&labels, index as i64 * 15_000, *value).unwrap();
        }
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    add(&[("__name__", "x"), ("a", "1")], &[0.0, 5.0, 7.0, 2.0, 1e300, 1e308, -1e308]);
    add(&[("__name__", "x"), ("a", "2")], &[nan, inf, -inf, stale_marker(), 0.0, -0.0]);
    add(&[("__name__", "y"), ("a", "1"), ("b", "é")], &[1.0, 1.0, 1.0]);
    for (bound, values) in [("0.1", [0.0, 2.0]), ("1", [1.0, nan]), ("+Inf", [3.0, 4.0]), ("bad", [1.0, 1.0])] {
        add(&[("__name__", "h_bucket"), ("le", bound)], &values);
    }
    store
}

/// Whether two numbers are the same; any NaN is as good as another.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Scalar(value) => vec![*value],
        Value::Vector(elements) => elements.iter().map(|(_, value)| *value).collect(),
        Value::Matrix(series) => series.iter().flat_map(|s| s.points.iter().map(|point| point.value)).collect(),
        Value::Text(_) => Vec::new(),
    }
}

pub(crate) fn check(text: &str) {
    let options = Options { work_max: 20_000, ..Options::default() };
    let query = match Query::parse_with(text, options) {
        Ok(query) => query,
        Err(QueryError { start, end, message, .. }) => {
            assert!(start <= end && end <= text.len() && !message.is_empty(), "{start}..{end} {message}");
            assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{start}..{end} within a character");
            return;
        }
    };
    let facts = query.facts();
    let places = facts.reads.iter().map(|r| (r.start, r.end)).chain(facts.oddities.iter().map(|o| (o.start, o.end)));
    let places = places.chain(facts.windows.iter().map(|w| (w.start, w.end)));
    let places = places.chain(facts.centred.iter().map(|c| (c.start, c.end)));
    let places = places.chain(facts.needs_failures.iter().map(|r| (r.start, r.end)));
    for (start, end) in places.chain(facts.ratios.iter().map(|r| (r.start, r.end))) {
        assert!(text.get(start..end).is_some_and(|part| !part.is_empty()), "{start}..{end} is no part of the query");
    }
    let range = query.range(&|metric| (metric == "h_bucket").then_some((0.1, 1.0)));
    let store = store();
    for at_ms in [60_001, 0, -1, i64::MIN, i64::MAX] {
        let alone = query.eval(&store, at_ms);
        if let Ok(value) = &alone {
            assert_eq!(value.kind(), query.kind());
            for number in numbers(value) {
                assert!(!(number < range.low || number > range.high), "{number} is not in {range:?}");
            }
        }
        let ranged = query.eval_range(&store, at_ms, at_ms, 1000);
        match (&alone, &ranged) {
            (Ok(Value::Vector(elements)), Ok(Value::Matrix(series))) => {
                assert_eq!(elements.len(), series.len());
                for (labels, value) in elements {
                    let found = series.iter().find(|series| series.labels == *labels).unwrap();
                    assert!(found.points.len() == 1 && same(found.points[0].value, *value), "{labels} {value}");
                }
            }
            (Ok(Value::Scalar(value)), Ok(Value::Matrix(series))) => {
                assert!(series.len() == 1 && same(series[0].points[0].value, *value));
            }
            (Err(EvalError::TooMuchWork { limit }), Err(_)) => assert_eq!(*limit, options.work_max),
            (Err(alone), Err(ranged)) => assert_eq!(alone, ranged),
            (Ok(Value::Matrix(_) | Value::Text(_)), Err(_)) => {}
            (alone, ranged) => panic!("{alone:?} alone and {ranged:?} in a range"),
        }
    }
}
