//! Queries: checked once, then asked as often as one likes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::eval::{Answer, Evaluator, Windows};
use crate::facts::{self, Buckets, Facts, Range};
use crate::labels::Labels;
use crate::store::Store;
use crate::syntax::{Aggregate, Binary, Expr, Kind, Node, Selector, Span, Subquery, parse};
use crate::value::{Point, Series, Value};

/// How a query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long the last sample of a series stands for its value, in milliseconds. 5 minutes, as in Prometheus.
    pub lookback_ms: i64,
    /// Step of a subquery that names none, in milliseconds. 1 minute, the evaluation interval of Prometheus.
    pub subquery_step_ms: i64,
    /// Remove the metric's name only at the end, so that `label_replace` still sees it: what Prometheus does with its
    /// flag `promql-delayed-name-removal`. Off, as in Prometheus.
    pub delayed_name_removal: bool,
    /// Work that one evaluation may do, about one unit for a sample that is read or a value that is computed.
    pub work_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        // Fifty million take 0.2 to 1.5 seconds. The queries of analysis templates take some ten thousand.
        let work_max = 50_000_000;
        Options { lookback_ms: 300_000, subquery_step_ms: 60_000, delayed_name_removal: false, work_max }
    }
}

/// A query that cannot be answered, whatever the data are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// First byte of the part of the query that is wrong.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// What to do about it, if we know.
    pub hint: Option<String>,
}

impl QueryError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        QueryError { message: message.into(), start: span.start, end: span.end, hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for QueryError {}

/// A query that has no answer for some data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// The data do not fit the query, for example because two series match where one may.
    #[error("failed to evaluate the query: {message}")]
    Data {
        /// What is wrong.
        message: String,
        /// First byte of the part of the query that failed.
        start: usize,
        /// One past its last byte.
        end: usize,
    },
    /// The query takes more than [`Options::work_max`].
    #[error("failed to evaluate the query: it takes more than {limit} units of work")]
    TooMuchWork {
        /// The limit.
        limit: u64,
    },
    /// A range without end: the step is not positive, or the end is before the start.
    #[error("failed to evaluate the query: the range needs a positive step and an end that is not before its start")]
    BadRange,
}

impl EvalError {
    pub(crate) fn data(span: Span, message: impl Into<String>) -> Self {
        EvalError::Data { message: message.into(), start: span.start, end: span.end }
    }
}

/// A query that this crate can answer as Prometheus does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Query {
    root: Arc<Expr>,
    slots: usize,
    options: Options,
}

impl Query {
    /// Reads and checks a query.
    ///
    /// # Errors
    /// The first place that is not PromQL, or is PromQL that this crate does not answer.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        Query::parse_with(text, Options::default())
    }

    /// Reads and checks a query that is to be answered in a certain way.
    ///
    /// # Errors
    /// The first place that is not PromQL, or is PromQL that this crate does not answer.
    pub fn parse_with(text: &str, options: Options) -> Result<Query, QueryError> {
        let (root, slots) = parse(text)?;
        Ok(Query { root: Arc::new(root), slots, options })
    }

    /// What [`Query::eval`] gives, in the words of the Prometheus API: `scalar`, `vector`, `matrix` or `string`.
    pub fn kind(&self) -> &'static str {
        match self.root.kind() {
            Kind::Scalar => "scalar",
            Kind::Vector => "vector",
            Kind::Range => "matrix",
            Kind::Text => "string",
        }
    }

    /// What can be known about the answers without any data.
    pub fn facts(&self) -> Facts {
        facts::of(&self.root)
    }

    /// The numbers that the answer can have at all, whatever the data: shares are from 0 to 1, rates and counts not below 0,
    /// quantiles within the buckets that `buckets` knows. NaN and no answer are always possible.
    pub fn range(&self, buckets: Buckets<'_>) -> Range {
        facts::range(&self.root, buckets)
    }

    /// Whether series with different values of a label are told apart in the answer, as far as the text of the query says:
    /// no aggregation over the label, and no function that may drop it.
    pub fn keeps_label(&self, label: &str) -> bool {
        facts::keeps_label(&self.root, label)
    }

    /// Whether the query reads a series with these labels.
    pub fn reads(&self, labels: &Labels) -> bool {
        let mut found = false;
        each_selector(&self.root, &mut |selector| {
            found |= selector.matchers.iter().all(|matcher| matcher.matches(labels));
        });
        found
    }

    /// The answer at a time in milliseconds since 1970.
    ///
    /// # Errors
    /// When the data do not fit the query, or it takes too much work.
    pub fn eval(&self, store: &Store, at_ms: i64) -> Result<Value, EvalError> {
        let mut evaluator = Evaluator::new(store, self.options, self.slots, (at_ms, at_ms));
        if self.root.kind() == Kind::Range {
            let windows = evaluator.windows(&self.root, at_ms)?;
            return Ok(Value::Matrix(raw(&evaluator, &windows)?));
        }
        Ok(match evaluator.top(&self.root, at_ms)? {
            Answer::Scalar(value) => Value::Scalar(value),
            Answer::Text(text) => Value::Text(text),
            Answer::Vector(elements) => Value::Vector(elements.into_iter().map(|e| (e.labels, e.value)).collect()),
        })
    }

    /// The answers from `start_ms` to `end_ms` every `step_ms`, as a matrix that is sorted by labels. A scalar gives one
    /// series without labels.
    ///
    /// # Errors
    /// When the range has no end, the query gives no number, the data do not fit it, or it takes too much work.
    pub fn eval_range(&self, store: &Store, start_ms: i64, end_ms: i64, step_ms: i64) -> Result<Value, EvalError> {
        if step_ms <= 0 || end_ms < start_ms {
            return Err(EvalError::BadRange);
        }
        if !matches!(self.root.kind(), Kind::Scalar | Kind::Vector) {
            let message = format!("{} has no values over time", self.root.kind().name());
            return Err(EvalError::data(self.root.span, message));
        }
        let mut evaluator = Evaluator::new(store, self.options, self.slots, (start_ms, end_ms));
        let mut series: BTreeMap<Labels, Vec<Point>> = BTreeMap::new();
        let mut t_ms = start_ms;
        loop {
            match evaluator.top(&self.root, t_ms)? {
                Answer::Scalar(value) => series.entry(Labels::empty()).or_default().push(Point { t_ms, value }),
                Answer::Vector(elements) => {
                    for element in elements {
                        series.entry(element.labels).or_default().push(Point { t_ms, value: element.value });
                    }
                }
                Answer::Text(_) => {}
            }
            t_ms = match t_ms.checked_add(step_ms) {
                Some(next) if next <= end_ms => next,
                _ => break,
            };
        }
        Ok(Value::Matrix(series.into_iter().map(|(labels, points)| Series { labels, points }).collect()))
    }
}

/// The samples of a range as they are.
fn raw(evaluator: &Evaluator<'_>, windows: &Windows<'_>) -> Result<Vec<Series>, EvalError> {
    let mut out = Vec::new();
    for index in 0..windows.len() {
        let mut points = Vec::new();
        windows.points(index, &mut points);
        if !points.is_empty() {
            out.push(Series { labels: evaluator.final_labels(windows, index), points });
        }
    }
    out.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(out)
}

fn each_selector(expr: &Expr, visit: &mut impl FnMut(&Selector)) {
    match &expr.node {
        Node::Number(_) | Node::Text(_) => {}
        Node::Selector(selector) | Node::Range { selector, .. } => visit(selector),
        Node::Subquery(subquery) => {
            let Subquery { inner, .. } = &**subquery;
            each_selector(inner, visit);
        }
        Node::Unary { inner, .. } => each_selector(inner, visit),
        Node::Binary(binary) => {
            let Binary { left, right, .. } = &**binary;
            each_selector(left, visit);
            each_selector(right, visit);
        }
        Node::Call { args, .. } => args.iter().for_each(|arg| each_selector(arg, visit)),
        Node::Aggregate(aggregate) => {
            let Aggregate { inner, parameter, .. } = &**aggregate;
            each_selector(inner, visit);
            parameter.iter().for_each(|expr| each_selector(expr, visit));
        }
    }
}
