//! The language of Prometheus' tests: load, evaluate, clear.

use serin_promql::{Labels, Value};

use crate::series::{self, Item, Line, duration};

pub(crate) enum Command {
    Clear,
    Load { lines: Vec<Line>, step_ms: i64, with_histograms: bool },
    Evaluate(Box<Evaluation>),
}

/// What an evaluation should give.
pub(crate) enum Expected {
    Scalar(f64),
    Text(String),
    Series(Vec<(Labels, Vec<Option<Item>>)>),
}

impl Default for Expected {
    fn default() -> Self {
        Expected::Series(Vec::new())
    }
}

#[derive(Default)]
pub(crate) struct Evaluation {
    pub(crate) line: usize,
    pub(crate) query: String,
    pub(crate) is_range: bool,
    pub(crate) at_ms: i64,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) fails: bool,
    pub(crate) ordered: bool,
    pub(crate) expected: Expected,
}

impl Evaluation {
    pub(crate) fn compare(&self, value: &Value) -> Result<(), String> {
        match (value, &self.expected) {
            (Value::Scalar(got), Expected::Scalar(want)) => near(*got, *want, "the scalar"),
            (Value::Text(got), Expected::Text(want)) if got == want => Ok(()),
            (Value::Vector(got), Expected::Series(want)) => self.compare_vector(got, want),
            (Value::Matrix(got), Expected::Series(want)) => {
                if !got.windows(2).all(|pair| pair[0].labels < pair[1].labels) {
                    return Err("the matrix is not sorted".into());
                }
                for (labels, values) in want {
                    let Some(series) = got.iter().find(|series| series.labels == *labels) else {
                        return Err(format!("{labels} is missing from {got:?}"));
                    };
                    let points = values.iter().enumerate().filter_map(|(index, item)| match item {
                        Some(Item::Number(value)) => Some((self.start_ms + index as i64 * self.step_ms, *value)),
                        _ => None,
                    });
                    let points: Vec<(i64, f64)> = points.collect();
                    let times = series.points.iter().map(|point| point.t_ms);
                    if !times.eq(points.iter().map(|(t_ms, _)| *t_ms)) {
                        return Err(format!("{labels} should be {points:?}, but is {:?}", series.points));
                    }
                    for (point, (t_ms, want)) in series.points.iter().zip(points) {
                        near(point.value, want, &format!("{labels} at {t_ms}"))?;
                    }
                }
                if got.len() == want.len() { Ok(()) } else { Err(format!("too much in {got:?}")) }
            }
            (got, _) => Err(format!("gives a {}: {got:?}", got.kind())),
        }
    }

    fn compare_vector(&self, got: &[(Labels, f64)], want: &[(Labels, Vec<Option<Item>>)]) -> Result<(), String> {
        for (index, (labels, values)) in want.iter().enumerate() {
            let Some(position) = got.iter().position(|(found, _)| found == labels) else {
                return Err(format!("{labels} is missing from {got:?}"));
            };
            if self.ordered && position != index {
                return Err(format!("{labels} should be at {index}, but is at {position}"));
            }
            let Some(Some(Item::Number(want))) = values.first() else {
                return Err(format!("{labels} should not be a number, but is {}", got[position].1));
            };
            near(got[position].1, *want, &labels.to_string())?;
        }
        if got.len() == want.len() { Ok(()) } else { Err(format!("too much in {got:?}")) }
    }
}

/// Refuses what differs by more than the tests of Prometheus allow.
fn near(got: f64, want: f64, what: &str) -> Result<(), String> {
    let sum = got.abs() + want.abs();
    let small = got == 0.0 || want == 0.0 || sum < f64::MIN_POSITIVE;
    let difference = (got - want).abs();
    let close = if small { difference < 1e-6 * f64::MIN_POSITIVE } else { difference / sum.min(f64::MAX) < 1e-6 };
    if (got.is_nan() && want.is_nan()) || got == want || close {
        return Ok(());
    }
    Err(format!("{what} should be {want}, but is {got}"))
}

pub(crate) fn read(text: &str) -> Vec<Command> {
    let trimmed = text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line });
    let lines: Vec<&str> = trimmed.collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let first = at;
        at += 1;
        if lines[first].is_empty() {
            continue;
        }
        let word = lines[first].split_whitespace().next().unwrap();
        if word == "clear" {
            commands.push(Command::Clear);
            continue;
        }
        let body = lines[at..].iter().take_while(|line| !line.is_empty()).count();
        let block = &lines[at..at + body];
        match word {
            "load" | "load_with_nhcb" => {
                let step_ms = duration(lines[first][word.len()..].trim());
                let lines = series::read_load(block);
                commands.push(Command::Load { lines, step_ms, with_histograms: word == "load_with_nhcb" });
                at += body;
            }
            _ if word.starts_with("eval") => {
                let (evaluation, taken) = evaluation(first + 1, lines[first], block);
                commands.push(Command::Evaluate(Box::new(evaluation)));
                at += taken;
            }
            _ => panic!("line {}: {}", first + 1, lines[first]),
        }
    }
    commands
}

/// An evaluation and the number of lines after its first that belong to it.
fn evaluation(line: usize, first: &str, block: &[&str]) -> (Evaluation, usize) {
    let mut out = Evaluation { line, ..Evaluation::default() };
    let (mode, rest) = first.split_once(char::is_whitespace).unwrap();
    out.fails = mode == "eval_fail";
    out.ordered = mode == "eval_ordered";
    let (kind, rest) = rest.trim().split_once(char::is_whitespace).unwrap();
    let mut rest = rest.trim();
    let mut argument = |word: &str| {
        let tail = rest.strip_prefix(word).unwrap_or_else(|| panic!("line {line}: expected {word} in {first}")).trim();
        let (value, tail) = tail.split_once(char::is_whitespace).unwrap();
        rest = tail.trim();
        duration(value)
    };
    out.is_range = kind == "range";
    if out.is_range {
        out.start_ms = argument("from");
        out.end_ms = argument("to");
        out.step_ms = argument("step");
    } else {
        out.at_ms = argument("at");
    }
    out.query = rest.to_owned();
    let mut series = Vec::new();
    for (index, text) in block.iter().enumerate() {
        if let Some(range) = text.strip_prefix("expect range vector from ") {
            let words: Vec<&str> = range.split_whitespace().collect();
            (out.start_ms, out.end_ms, out.step_ms) = (duration(words[0]), duration(words[2]), duration(words[4]));
            out.at_ms = out.end_ms;
        } else if let Some(text) = text.strip_prefix("expect string ") {
            out.expected = Expected::Text(series::unquote(text));
        } else if text.split(' ').next() == Some("expect") {
            out.fails |= text.starts_with("expect fail");
            out.ordered |= text.starts_with("expect ordered");
        } else if out.fails && text.starts_with("expected_fail") {
            return (out, index + 1);
        } else if let Some(value) = series::number(text) {
            out.expected = Expected::Scalar(value);
            return (out, index + 1);
        } else {
            let parsed = series::read_line(text);
            series.push((parsed.labels, parsed.values));
        }
    }
    if !series.is_empty() {
        out.expected = Expected::Series(series);
    }
    (out, block.len())
}
