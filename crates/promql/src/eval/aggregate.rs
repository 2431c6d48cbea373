//! Aggregations of many series into few: `sum by (…)` and its kin.

use std::collections::BTreeMap;

use super::order::{self, Best};
use super::sum::{Mean, Sum};
use super::{Element, Evaluator, LABEL_WORK};
use crate::labels::Labels;
use crate::number;
use crate::query::EvalError;
use crate::syntax::{Aggregate, Aggregator, Node, Span};

impl Evaluator<'_> {
    /// One element a group, or some of its elements. Groups come in the order of their first element.
    pub(super) fn aggregate(
        &mut self,
        aggregate: &Aggregate,
        span: Span,
        at_ms: i64,
    ) -> Result<Vec<Element>, EvalError> {
        let mut parameter = f64::NAN;
        let mut label = None;
        if let Some(expr) = &aggregate.parameter {
            match &expr.node {
                Node::Text(text) => label = Some(text.as_str()),
                _ => parameter = self.scalar(expr, at_ms)?,
            }
        }
        let mut elements = self.vector(&aggregate.inner, at_ms)?;
        self.work(elements.len() * LABEL_WORK)?;
        if let Some(label) = label {
            for element in &mut elements {
                element.labels = element.labels.edit().set(label, number::format_value(element.value)).build();
                element.unnamed = false;
            }
        }
        let mut wanted = 0;
        if matches!(aggregate.operator, Aggregator::TopK | Aggregator::BottomK | Aggregator::LimitK) {
            wanted = how_many(parameter, elements.len(), span)?;
            if wanted == 0 {
                return Ok(Vec::new());
            }
        }
        let mut out = Vec::new();
        for (labels, members) in groups(aggregate, label, elements) {
            match aggregate.operator {
                Aggregator::TopK | Aggregator::BottomK => {
                    let mut best = Best::new(wanted, aggregate.operator == Aggregator::TopK);
                    members.into_iter().for_each(|element| best.add(element));
                    out.extend(best.into_sorted());
                }
                Aggregator::LimitK => out.extend(members.into_iter().take(wanted)),
                operator => {
                    let unnamed = members.iter().any(|element| element.unnamed);
                    let values: Vec<f64> = members.iter().map(|element| element.value).collect();
                    let value = combine(operator, parameter, values);
                    out.push(Element { labels, value, t_ms: at_ms, unnamed });
                }
            }
        }
        Ok(out)
    }
}

/// How many elements of each group are wanted.
fn how_many(parameter: f64, available: usize, span: Span) -> Result<usize, EvalError> {
    if parameter.is_nan() {
        return Err(EvalError::data(span, "the number of elements is NaN"));
    }
    if parameter.abs() >= i64::MAX as f64 {
        return Err(EvalError::data(span, "the number of elements is out of range"));
    }
    Ok((parameter as i64).clamp(0, available as i64) as usize)
}

/// The elements by group.
fn groups(aggregate: &Aggregate, label: Option<&str>, elements: Vec<Element>) -> Vec<(Labels, Vec<Element>)> {
    let mut names = aggregate.names.clone();
    if let (Some(label), false) = (label, aggregate.without) {
        names.push(label.into());
    }
    if names.is_empty() && !aggregate.without {
        return if elements.is_empty() { Vec::new() } else { vec![(Labels::empty(), elements)] };
    }
    let mut out: Vec<(Labels, Vec<Element>)> = Vec::new();
    let mut known: BTreeMap<Labels, usize> = BTreeMap::new();
    for element in elements {
        let key = if aggregate.without { element.labels.without(&names) } else { element.labels.keep(&names) };
        let index = *known.entry(key.clone()).or_insert(out.len());
        if index == out.len() {
            out.push((key, Vec::new()));
        }
        out[index].1.push(element);
    }
    out
}

/// One value of a group of at least one.
fn combine(operator: Aggregator, parameter: f64, values: Vec<f64>) -> f64 {
    let first = values.first().copied().unwrap_or(f64::NAN);
    let rest = values.iter().skip(1).copied();
    match operator {
        Aggregator::Sum => {
            let mut sum = Sum::starting_with(first);
            rest.for_each(|value| sum.add(value));
            sum.total()
        }
        Aggregator::Avg => {
            let mut mean = Mean::starting_with(first);
            rest.for_each(|value| mean.add(value));
            mean.mean()
        }
        Aggregator::Min => rest.fold(first, |best, value| if best > value || best.is_nan() { value } else { best }),
        Aggregator::Max => rest.fold(first, |best, value| if best < value || best.is_nan() { value } else { best }),
        Aggregator::Group => 1.0,
        Aggregator::Stdvar => variance(&values),
        Aggregator::Stddev => variance(&values).sqrt(),
        Aggregator::Quantile => order::quantile(parameter, values),
        Aggregator::Count | Aggregator::CountValues => values.len() as f64,
        // These keep elements instead of combining them.
        Aggregator::TopK | Aggregator::BottomK | Aggregator::LimitK => f64::NAN,
    }
}

fn variance(values: &[f64]) -> f64 {
    let mut mean = values[0];
    let mut squares = if mean.is_finite() { 0.0 } else { f64::NAN };
    for (index, value) in values.iter().enumerate().skip(1) {
        let delta = value - mean;
        mean += delta / (index + 1) as f64;
        squares += delta * (value - mean);
    }
    squares / values.len() as f64
}
