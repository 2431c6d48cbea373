//! Replays Prometheus' own tests of PromQL: each evaluation is answered right or refused when it is parsed.

#[path = "promqltest/script.rs"]
mod script;
#[path = "promqltest/series.rs"]
mod series;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use script::{Command, Evaluation, Expected};
use serin_promql::{Labels, Limits, Options, Query, Store, Value};

/// Evaluations that are answered right. It may only rise.
const RIGHT_MIN: usize = 1_081;

/// What is done with each evaluation of a file.
#[derive(Debug, Default)]
struct Tally {
    right: usize,
    /// Refused when parsed.
    refused: usize,
    /// Over series that a metrics page cannot bring and the store cannot hold: native histograms, start timestamps.
    unheld: usize,
    wrong: Vec<String>,
}

/// What has been loaded so far.
#[derive(Default)]
struct World {
    held: BTreeMap<Labels, BTreeMap<i64, f64>>,
    unheld: BTreeSet<Labels>,
    store: Store,
}

impl World {
    fn load(&mut self, lines: Vec<series::Line>, step_ms: i64, with_histograms: bool) {
        for line in lines {
            if with_histograms {
                self.unheld.extend(series::native_twin(&line.labels));
            }
            if line.has_start_times || line.values.iter().any(Option::is_none) {
                self.unheld.insert(line.labels.clone());
            }
            let samples = self.held.entry(line.labels).or_default();
            for (index, value) in line.values.iter().enumerate() {
                if let Some(series::Item::Number(value)) = value {
                    samples.insert(index as i64 * step_ms, *value);
                }
            }
        }
        self.store = Store::new(Limits { retention_ms: i64::MAX, ..Limits::default() });
        for (labels, samples) in &self.held {
            for (t_ms, value) in samples {
                self.store.append(labels, *t_ms, *value).unwrap();
            }
        }
    }

    fn evaluate(&self, evaluation: &Evaluation, tally: &mut Tally) {
        // The tests are made for an engine that removes names late.
        let options = Options { delayed_name_removal: true, ..Options::default() };
        let query = match Query::parse_with(&evaluation.query, options) {
            Ok(query) => query,
            Err(error) => {
                assert!(error.start <= error.end && error.end <= evaluation.query.len(), "{error:?}");
                return if evaluation.fails { tally.right += 1 } else { tally.refused += 1 };
            }
        };
        if self.unheld.iter().any(|labels| query.reads(labels)) {
            tally.unheld += 1;
            return;
        }
        match self.answer(evaluation, &query) {
            Ok(()) => tally.right += 1,
            Err(problem) => {
                tally.wrong.push(format!("line {}: {}: {problem}", evaluation.line, evaluation.query));
            }
        }
    }

    fn answer(&self, evaluation: &Evaluation, query: &Query) -> Result<(), String> {
        let (start, end, step) = (evaluation.start_ms, evaluation.end_ms, evaluation.step_ms);
        let result = match evaluation.is_range {
            true => query.eval_range(&self.store, start, end, step),
            false => query.eval(&self.store, evaluation.at_ms),
        };
        let value = match (result, evaluation.fails) {
            (Err(_), true) => return Ok(()),
            (Ok(value), true) => return Err(format!("should fail, but gives {value:?}")),
            (Err(error), false) => return Err(error.to_string()),
            (Ok(value), false) => value,
        };
        evaluation.compare(&value)?;
        if evaluation.is_range || evaluation.ordered || !matches!(value, Value::Vector(_) | Value::Scalar(_)) {
            return Ok(());
        }
        // The same query as the middle of a range gives the same.
        let at_ms = evaluation.at_ms;
        let range = query
            .eval_range(&self.store, at_ms - 60_000, at_ms + 60_000, 60_000)
            .map_err(|error| format!("in a range: {error}"))?;
        let Value::Matrix(matrix) = range else { return Err("a range gives no matrix".into()) };
        let middle = matrix.iter().filter_map(|series| {
            let point = series.points.iter().find(|point| point.t_ms == at_ms)?;
            Some((series.labels.clone(), point.value))
        });
        let middle: Vec<(Labels, f64)> = middle.collect();
        let value = match value {
            Value::Scalar(_) => Value::Scalar(middle[0].1),
            _ => Value::Vector(middle),
        };
        evaluation.compare(&value).map_err(|problem| format!("in a range: {problem}"))
    }
}

fn replay(text: &str) -> Tally {
    let mut world = World::default();
    let mut tally = Tally::default();
    for command in script::read(text) {
        match command {
            Command::Clear => world = World::default(),
            Command::Load { lines, step_ms, with_histograms } => world.load(lines, step_ms, with_histograms),
            Command::Evaluate(evaluation) => world.evaluate(&evaluation, &mut tally),
        }
    }
    tally
}

#[test]
fn every_evaluation_is_right_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/promqltest");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    files.sort();
    assert_eq!(files.len(), 22);
    let (mut right, mut refused, mut unheld, mut wrong) = (0, 0, 0, Vec::new());
    println!("{:28} {:>6} {:>8} {:>7} {:>6}", "file", "right", "refused", "unheld", "wrong");
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let tally = replay(&std::fs::read_to_string(&path).unwrap());
        let bad = tally.wrong.len();
        println!("{name:28} {:6} {:8} {:7} {bad:6}", tally.right, tally.refused, tally.unheld);
        right += tally.right;
        refused += tally.refused;
        unheld += tally.unheld;
        wrong.extend(tally.wrong.into_iter().map(|problem| format!("{name}.test {problem}")));
    }
    println!("{:28} {right:6} {refused:8} {unheld:7} {:6}", "all", wrong.len());
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(right + refused + unheld, 2_434);
    assert!(right >= RIGHT_MIN, "only {right} right answers instead of {RIGHT_MIN}");
}

#[test]
fn the_replay_notices_wrong_answers() {
    let script = |expected: &str| format!("load 1m\n  x{{a=\"1\"}} 1+1x5\n\neval instant at 2m x\n  {expected}\n");
    let check = |expected: &str, right: usize| assert_eq!(replay(&script(expected)).right, right, "{expected}");
    check("x{a=\"1\"} 3", 1);
    check("x{a=\"1\"} 4", 0);
    check("x{a=\"2\"} 3", 0);
    check("expect fail", 0);
    check("", 0);
    assert!(matches!(Expected::default(), Expected::Series(series) if series.is_empty()));
}
