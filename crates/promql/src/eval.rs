//! Answers a query at one time. A range of times is answered time by time.

mod aggregate;
mod binary;
mod call;
pub(crate) mod date;
pub(crate) mod functions;
mod histogram;
mod order;
mod relabel;
mod select;
mod sum;

use std::collections::BTreeSet;
use std::rc::Rc;

use select::Selection;
pub(crate) use select::Windows;

use crate::labels::{Labels, METADATA, NAME};
use crate::query::{EvalError, Options};
use crate::store::Store;
use crate::syntax::{Expr, Node, Span};

/// Units of work for an element whose labels are compared or made anew, which takes that much longer than reading a
/// sample.
const LABEL_WORK: usize = 8;

/// Units of work for one evaluation of a whole expression among many.
const STEP_WORK: usize = 16;

/// What an expression gives at one time.
#[derive(Debug)]
pub(crate) enum Answer {
    Scalar(f64),
    Vector(Vec<Element>),
    Text(String),
}

/// One value of a vector.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// When it was measured; only `timestamp` asks.
    pub(crate) t_ms: i64,
    /// Its name goes at the end of the query. Never set unless names are removed late.
    pub(crate) unnamed: bool,
}

/// Evaluates one query over one store.
pub(crate) struct Evaluator<'s> {
    store: &'s Store,
    options: Options,
    /// First and last time of the whole query.
    bounds_ms: (i64, i64),
    /// Series by selector, looked up once.
    found: Vec<Option<Rc<Selection<'s>>>>,
    work_left: u64,
}

impl<'s> Evaluator<'s> {
    pub(crate) fn new(store: &'s Store, options: Options, slots: usize, bounds_ms: (i64, i64)) -> Self {
        Evaluator { store, options, bounds_ms, found: vec![None; slots], work_left: options.work_max }
    }

    /// Counts work, so that no query runs for ever.
    fn work(&mut self, units: usize) -> Result<(), EvalError> {
        match self.work_left.checked_sub(units as u64) {
            Some(left) => {
                self.work_left = left;
                Ok(())
            }
            None => Err(EvalError::TooMuchWork { limit: self.options.work_max }),
        }
    }

    /// The answer of the whole query at one time.
    pub(crate) fn top(&mut self, expr: &Expr, at_ms: i64) -> Result<Answer, EvalError> {
        self.work(STEP_WORK)?;
        let mut answer = self.answer(expr, at_ms)?;
        if let Answer::Vector(elements) = &mut answer
            && elements.iter().any(|element| element.unnamed)
        {
            for element in elements.iter_mut().filter(|element| element.unnamed) {
                element.labels = element.labels.without_metadata();
            }
            unique(elements, expr.span)?;
        }
        Ok(answer)
    }

    fn answer(&mut self, expr: &Expr, at_ms: i64) -> Result<Answer, EvalError> {
        self.work(1)?;
        match &expr.node {
            Node::Number(value) => Ok(Answer::Scalar(*value)),
            Node::Text(text) => Ok(Answer::Text(text.clone())),
            Node::Selector(selector) => Ok(Answer::Vector(self.instant(selector, at_ms)?)),
            Node::Unary { negate, inner } => self.unary(*negate, inner, expr.span, at_ms),
            Node::Binary(binary) => self.binary(binary, expr.span, at_ms),
            Node::Call { function, args } => self.call(function, args, expr.span, at_ms),
            Node::Aggregate(aggregate) => Ok(Answer::Vector(self.aggregate(aggregate, expr.span, at_ms)?)),
            Node::Range { .. } | Node::Subquery(_) => {
                Err(EvalError::data(expr.span, "a range vector is no value by itself"))
            }
        }
    }

    /// The value of an expression that was checked to be a scalar.
    fn scalar(&mut self, expr: &Expr, at_ms: i64) -> Result<f64, EvalError> {
        match self.answer(expr, at_ms)? {
            Answer::Scalar(value) => Ok(value),
            _ => Err(EvalError::data(expr.span, "expected a scalar")),
        }
    }

    /// The elements of an expression that was checked to be an instant vector.
    fn vector(&mut self, expr: &Expr, at_ms: i64) -> Result<Vec<Element>, EvalError> {
        match self.answer(expr, at_ms)? {
            Answer::Vector(elements) => Ok(elements),
            _ => Err(EvalError::data(expr.span, "expected an instant vector")),
        }
    }

    fn unary(&mut self, negate: bool, inner: &Expr, span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        let answer = self.answer(inner, at_ms)?;
        if !negate {
            return Ok(answer);
        }
        match answer {
            Answer::Vector(elements) => Ok(Answer::Vector(self.map(elements, span, |value| -value)?)),
            Answer::Scalar(value) => Ok(Answer::Scalar(-value)),
            text => Ok(text),
        }
    }

    /// Computes each value anew. The results are no longer the metric that they were made from.
    fn map(
        &self,
        mut elements: Vec<Element>,
        span: Span,
        compute: impl Fn(f64) -> f64,
    ) -> Result<Vec<Element>, EvalError> {
        for element in &mut elements {
            element.value = compute(element.value);
        }
        self.remove_names(&mut elements, span)?;
        Ok(elements)
    }

    /// Takes the metric's name from all elements, now or at the end.
    fn remove_names(&self, elements: &mut [Element], span: Span) -> Result<(), EvalError> {
        if self.options.delayed_name_removal {
            elements.iter_mut().for_each(|element| element.unnamed = true);
            return Ok(());
        }
        // Series of one name stay different without it, and that is the usual case.
        let mixed = elements.windows(2).any(|pair| pair[0].labels.value(NAME) != pair[1].labels.value(NAME));
        let described = elements.iter().any(|e| METADATA[1..].iter().any(|name| e.labels.get(name).is_some()));
        for element in elements.iter_mut() {
            element.labels = element.labels.without_metadata();
        }
        if mixed || described { unique(elements, span) } else { Ok(()) }
    }
}

/// Refuses two elements with the same labels.
fn unique(elements: &[Element], span: Span) -> Result<(), EvalError> {
    let mut seen = BTreeSet::new();
    match elements.iter().find(|element| !seen.insert(&element.labels)) {
        None => Ok(()),
        Some(element) => {
            let message = format!("two series of the result have the same labels {}", element.labels);
            Err(EvalError::data(span, message))
        }
    }
}
