//! Calls of functions.

use super::date::Civil;
use super::functions::{self, Window};
use super::{Answer, Element, Evaluator, LABEL_WORK, histogram, order, relabel, unique};
use crate::dialect::{Body, Function};
use crate::labels::{Labels, LabelsBuilder, METADATA};
use crate::number;
use crate::query::EvalError;
use crate::syntax::{Expr, Kind, Node, Span};

impl Evaluator<'_> {
    pub(super) fn call(
        &mut self,
        function: &Function,
        args: &[Expr],
        span: Span,
        at_ms: i64,
    ) -> Result<Answer, EvalError> {
        match function.body {
            Body::Math(compute) => {
                let elements = self.vector(&args[0], at_ms)?;
                Ok(Answer::Vector(self.map(elements, span, compute)?))
            }
            Body::Date(field) => {
                let Some(arg) = args.first() else {
                    return Ok(single(Civil::of(seconds(at_ms)).map_or(f64::NAN, field), at_ms));
                };
                let elements = self.vector(arg, at_ms)?;
                Ok(Answer::Vector(self.map(elements, span, |value| Civil::of(value).map_or(f64::NAN, field))?))
            }
            Body::Window(compute) => self.over_windows(compute, args, false, span, at_ms),
            Body::Sample(compute) => self.over_windows(compute, args, true, span, at_ms),
            Body::Smoothing => self.smoothing(args, span, at_ms),
            Body::AbsentOverTime => self.absent_over_time(&args[0], at_ms),
            Body::Time => Ok(Answer::Scalar(seconds(at_ms))),
            Body::Pi => Ok(Answer::Scalar(std::f64::consts::PI)),
            Body::Vector => Ok(single(self.scalar(&args[0], at_ms)?, at_ms)),
            Body::Scalar => match &self.vector(&args[0], at_ms)?[..] {
                [only] => Ok(Answer::Scalar(only.value)),
                _ => Ok(Answer::Scalar(f64::NAN)),
            },
            Body::MaxOf => Ok(Answer::Scalar(max(self.scalar(&args[0], at_ms)?, self.scalar(&args[1], at_ms)?))),
            Body::MinOf => Ok(Answer::Scalar(min(self.scalar(&args[0], at_ms)?, self.scalar(&args[1], at_ms)?))),
            Body::Absent => Ok(match self.vector(&args[0], at_ms)?.is_empty() {
                true => Answer::Vector(vec![element(absent_labels(&args[0]), 1.0, at_ms)]),
                false => Answer::Vector(Vec::new()),
            }),
            Body::Round | Body::Clamp | Body::ClampMin | Body::ClampMax => self.bounded(function, args, span, at_ms),
            Body::Timestamp => self.timestamp(&args[0], span, at_ms),
            Body::Sort { descending } => {
                let mut elements = self.vector(&args[0], at_ms)?;
                order::sort(&mut elements, descending);
                Ok(Answer::Vector(elements))
            }
            Body::SortByLabel { descending } => {
                let mut elements = self.vector(&args[0], at_ms)?;
                relabel::sort(&mut elements, &texts(&args[1..]), descending);
                Ok(Answer::Vector(elements))
            }
            Body::LabelReplace => {
                let elements = self.vector(&args[0], at_ms)?;
                self.work(elements.len() * LABEL_WORK)?;
                Ok(Answer::Vector(relabel::replace(elements, &texts(&args[1..]), span)?))
            }
            Body::LabelJoin => {
                let elements = self.vector(&args[0], at_ms)?;
                self.work(elements.len() * LABEL_WORK)?;
                Ok(Answer::Vector(relabel::join(elements, &texts(&args[1..]), span)?))
            }
            Body::HistogramQuantile | Body::HistogramQuantiles | Body::HistogramFraction => {
                self.histogram(function, args, span, at_ms)
            }
        }
    }

    /// A function of the samples of each series in a range. The scalars among the arguments go along.
    fn over_windows(
        &mut self,
        compute: fn(&Window<'_>) -> Option<f64>,
        args: &[Expr],
        keeps_name: bool,
        span: Span,
        at_ms: i64,
    ) -> Result<Answer, EvalError> {
        let mut scalars = Vec::new();
        let mut range = &args[0];
        for arg in args {
            match arg.kind() {
                Kind::Range => range = arg,
                _ => scalars.push(self.scalar(arg, at_ms)?),
            }
        }
        let windows = self.windows(range, at_ms)?;
        let delayed = self.options.delayed_name_removal;
        let mut points = Vec::new();
        let mut out = Vec::with_capacity(windows.len());
        for index in 0..windows.len() {
            points.clear();
            windows.points(index, &mut points);
            self.work(1 + points.len())?;
            if points.is_empty() {
                continue;
            }
            let (start_ms, end_ms, range_ms) = (windows.start_ms, windows.end_ms, windows.range_ms);
            let window = Window { points: &points, start_ms, end_ms, range_ms, at_ms, scalars: &scalars };
            if let Some(value) = compute(&window) {
                let named = keeps_name || delayed;
                let labels = if named { windows.labels(index).clone() } else { windows.bare(index) };
                let unnamed = windows.unnamed(index) || (delayed && !keeps_name);
                out.push(Element { labels, value, t_ms: at_ms, unnamed });
            }
        }
        if !keeps_name && !delayed && windows.may_collide() {
            unique(&out, span)?;
        }
        Ok(Answer::Vector(out))
    }

    fn smoothing(&mut self, args: &[Expr], span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        for arg in &args[1..] {
            let factor = self.scalar(arg, at_ms)?;
            if !(factor > 0.0 && factor < 1.0) {
                let message = format!("the factor must be between 0 and 1, not {}", number::format_value(factor));
                return Err(EvalError::data(arg.span, message));
            }
        }
        self.over_windows(functions::double_exponential_smoothing, args, false, span, at_ms)
    }

    fn absent_over_time(&mut self, arg: &Expr, at_ms: i64) -> Result<Answer, EvalError> {
        let windows = self.windows(arg, at_ms)?;
        let mut points = Vec::new();
        for index in 0..windows.len() {
            windows.points(index, &mut points);
            self.work(1 + points.len())?;
            if !points.is_empty() {
                return Ok(Answer::Vector(Vec::new()));
            }
        }
        Ok(Answer::Vector(vec![element(absent_labels(arg), 1.0, at_ms)]))
    }

    fn bounded(&mut self, function: &Function, args: &[Expr], span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        let elements = self.vector(&args[0], at_ms)?;
        let mut scalars = Vec::new();
        for arg in &args[1..] {
            scalars.push(self.scalar(arg, at_ms)?);
        }
        let scalar = |index: usize, default: f64| scalars.get(index).copied().unwrap_or(default);
        if let Body::Round = function.body {
            // Dividing by the inverse loses less than multiplying.
            let inverse = 1.0 / scalar(0, 1.0);
            let round = |value: f64| (value * inverse + 0.5).floor() / inverse;
            return Ok(Answer::Vector(self.map(elements, span, round)?));
        }
        let (lower, upper) = match function.body {
            Body::ClampMin => (scalar(0, f64::NAN), f64::INFINITY),
            Body::ClampMax => (f64::NEG_INFINITY, scalar(0, f64::NAN)),
            _ => (scalar(0, f64::NAN), scalar(1, f64::NAN)),
        };
        if upper < lower {
            return Ok(Answer::Vector(Vec::new()));
        }
        Ok(Answer::Vector(self.map(elements, span, |value| max(lower, min(upper, value)))?))
    }

    /// When each value was measured. Only a selector knows; anything else is of the time of the query.
    fn timestamp(&mut self, arg: &Expr, span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        let mut elements = self.vector(arg, at_ms)?;
        let measured = matches!(arg.node, Node::Selector(_));
        for element in &mut elements {
            element.value = seconds(if measured { element.t_ms } else { at_ms });
        }
        self.remove_names(&mut elements, span)?;
        Ok(Answer::Vector(elements))
    }

    fn histogram(&mut self, function: &Function, args: &[Expr], span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        let mut scalars = Vec::new();
        let (mut elements, mut label) = (Vec::new(), "");
        for arg in args {
            match self.answer(arg, at_ms)? {
                Answer::Scalar(value) => scalars.push(value),
                Answer::Vector(vector) => elements = vector,
                Answer::Text(_) => label = texts(std::slice::from_ref(arg)).first().copied().unwrap_or_default(),
            }
        }
        self.work(elements.len() * LABEL_WORK)?;
        let histograms = histogram::collect(&elements);
        let mut out = Vec::new();
        let mut push = |histogram: &histogram::Histogram, labels: Labels, value: f64| {
            out.push(Element { labels, value, t_ms: at_ms, unnamed: histogram.unnamed });
        };
        match function.body {
            Body::HistogramFraction => {
                for h in &histograms {
                    push(h, h.labels.clone(), h.fraction(scalars[0], scalars[1]));
                }
            }
            Body::HistogramQuantiles => {
                for &quantile in &scalars {
                    for h in &histograms {
                        let labels = h.labels.edit().set(label, number::open_metrics(quantile)).build();
                        push(h, labels, h.quantile(quantile));
                    }
                }
            }
            _ => {
                for h in &histograms {
                    push(h, h.labels.clone(), h.quantile(scalars[0]));
                }
            }
        }
        self.remove_names(&mut out, span)?;
        Ok(Answer::Vector(out))
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn element(labels: Labels, value: f64, t_ms: i64) -> Element {
    Element { labels, value, t_ms, unnamed: false }
}

/// A vector of one value without labels.
fn single(value: f64, at_ms: i64) -> Answer {
    Answer::Vector(vec![element(Labels::empty(), value, at_ms)])
}

/// The texts among arguments.
fn texts(args: &[Expr]) -> Vec<&str> {
    args.iter().filter_map(|arg| if let Node::Text(text) = &arg.node { Some(text.as_str()) } else { None }).collect()
}

/// The labels that the absent series would have had for sure: those that the selector asks for by value, once.
fn absent_labels(arg: &Expr) -> Labels {
    let (Node::Selector(selector) | Node::Range { selector, .. }) = &arg.node else {
        return Labels::empty();
    };
    let mut builder = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|m| !METADATA.contains(&&*m.name)) {
        if matcher.is_equal() && !seen.contains(&&*matcher.name) {
            builder.set(matcher.name.clone(), matcher.value.clone());
            seen.push(&matcher.name);
        } else {
            builder.remove(&matcher.name);
        }
    }
    builder.build()
}

/// The larger number; NaN if either is.
fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The smaller number; NaN if either is.
fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}
