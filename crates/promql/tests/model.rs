//! The store against a model of it that keeps everything in one list.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serin_promql::{AppendError, Labels, Limits, Point, Query, Store, Value, is_stale, stale_marker};

/// Sets of series with their points.
type Series = BTreeMap<String, Vec<Point>>;

fn labels(index: u8) -> Labels {
    Labels::from_pairs([("__name__", if index.is_multiple_of(2) { "x" } else { "y" }), ("i", &index.to_string())])
}

/// What a store must hold after some samples.
#[derive(Default)]
struct Model(BTreeMap<Labels, Vec<(i64, f64)>>);

impl Model {
    fn append(&mut self, labels: &Labels, t_ms: i64, value: f64) -> Result<(), AppendError> {
        let points = self.0.entry(labels.clone()).or_default();
        match points.last() {
            Some((last_ms, _)) if t_ms < *last_ms => Err(AppendError::OutOfOrder),
            Some((last_ms, last)) if t_ms == *last_ms && last.to_bits() == value.to_bits() => Ok(()),
            Some((last_ms, _)) if t_ms == *last_ms => Err(AppendError::DuplicateTimestamp),
            _ => {
                points.push((t_ms, value));
                Ok(())
            }
        }
    }

    fn latest(&self, at_ms: i64) -> Series {
        let value = |points: &Vec<(i64, f64)>| {
            let (t_ms, value) = *points.iter().rev().find(|(t_ms, _)| *t_ms <= at_ms)?;
            (t_ms > at_ms - 300_000 && !is_stale(value)).then_some(vec![Point { t_ms: at_ms, value }])
        };
        self.0.iter().filter_map(|(labels, points)| Some((labels.to_string(), value(points)?))).collect()
    }

    fn window(&self, after_ms: i64, until_ms: i64) -> Series {
        let within = |points: &Vec<(i64, f64)>| -> Vec<Point> {
            let kept = points.iter().filter(|(t, value)| *t > after_ms && *t <= until_ms && !is_stale(*value));
            kept.map(|&(t_ms, value)| Point { t_ms, value }).collect()
        };
        let all = self.0.iter().map(|(labels, points)| (labels.to_string(), within(points)));
        all.filter(|(_, points)| !points.is_empty()).collect()
    }
}

fn ask(store: &Store, query: &str, at_ms: i64) -> Series {
    match Query::parse(query).unwrap().eval(store, at_ms).unwrap() {
        Value::Vector(elements) => {
            elements.into_iter().map(|(l, value)| (l.to_string(), vec![Point { t_ms: at_ms, value }])).collect()
        }
        Value::Matrix(series) => series.into_iter().map(|series| (series.labels.to_string(), series.points)).collect(),
        value => panic!("{value:?}"),
    }
}

/// Samples of a few series, mostly in order; a value of 0 stands for the end of the series.
fn samples() -> impl Strategy<Value = Vec<(u8, i64, u8)>> {
    prop::collection::vec((0..5_u8, prop_oneof![9 => 0..2_000_i64, 1 => -3_000..400_000_i64], 0..5_u8), 0..1500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_holds_what_the_model_holds(steps in samples()) {
        let mut store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
        let mut model = Model::default();
        let mut now_ms = 0;
        for (index, step_ms, value) in steps {
            let t_ms = now_ms + step_ms;
            now_ms = now_ms.max(t_ms);
            let value = if value == 0 { stale_marker() } else { f64::from(value) };
            prop_assert_eq!(store.append(&labels(index), t_ms, value), model.append(&labels(index), t_ms, value));
        }
        let held: usize = model.0.values().map(Vec::len).sum();
        prop_assert_eq!((store.sample_count(), store.series_count()), (held, model.0.len()));
        for at_ms in [-1, 0, now_ms / 3, now_ms / 2, now_ms, now_ms + 299_000] {
            let at_ms = at_ms.max(-1000);
            prop_assert_eq!(ask(&store, r#"{__name__=~"x|y"}"#, at_ms), model.latest(at_ms));
            let window = ask(&store, r#"{__name__=~"x|y"}[7m]"#, at_ms);
            prop_assert_eq!(window, model.window(at_ms - 420_000, at_ms));
        }
    }
}
