//! Operators between numbers and vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Answer, Element, Evaluator, LABEL_WORK};
use crate::labels::{Labels, METADATA};
use crate::query::EvalError;
use crate::syntax::{Binary, Many, Matching, Operator, Span};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, span: Span, at_ms: i64) -> Result<Answer, EvalError> {
        let left = self.answer(&binary.left, at_ms)?;
        let right = self.answer(&binary.right, at_ms)?;
        let vector = match (left, right) {
            (Answer::Scalar(left), Answer::Scalar(right)) => {
                let (value, holds) = apply(binary.operator, left, right);
                let value = if binary.operator.is_comparison() { f64::from(u8::from(holds)) } else { value };
                return Ok(Answer::Scalar(value));
            }
            (Answer::Vector(left), Answer::Scalar(right)) => self.with_scalar(binary, left, right, false, span)?,
            (Answer::Scalar(left), Answer::Vector(right)) => self.with_scalar(binary, right, left, true, span)?,
            (Answer::Vector(left), Answer::Vector(right)) => {
                self.work((left.len() + right.len()) * LABEL_WORK)?;
                match binary.operator {
                    Operator::And => keep(left, &right, &binary.matching, true),
                    Operator::Unless => keep(left, &right, &binary.matching, false),
                    Operator::Or => either(left, right, &binary.matching),
                    _ => self.matched(binary, left, right, span)?,
                }
            }
            _ => return Err(EvalError::data(span, "an operator needs numbers")),
        };
        // Elements of different metrics may have come to the same labels.
        if !self.options.delayed_name_removal {
            super::unique(&vector, span)?;
        }
        Ok(Answer::Vector(vector))
    }

    /// Each element with the same number.
    fn with_scalar(
        &mut self,
        binary: &Binary,
        elements: Vec<Element>,
        scalar: f64,
        scalar_is_left: bool,
        span: Span,
    ) -> Result<Vec<Element>, EvalError> {
        self.work(elements.len())?;
        let compares = binary.operator.is_comparison();
        let mut out = Vec::with_capacity(elements.len());
        for mut element in elements {
            let (left, right) = if scalar_is_left { (scalar, element.value) } else { (element.value, scalar) };
            let (value, holds) = apply(binary.operator, left, right);
            if binary.returns_bool {
                element.value = f64::from(u8::from(holds));
            } else if !holds {
                continue;
            } else if !compares {
                // A comparison keeps the value of the element, on whichever side it stands.
                element.value = value;
            }
            out.push(element);
        }
        if !compares || binary.returns_bool {
            self.remove_names(&mut out, span)?;
        }
        Ok(out)
    }

    /// Each element with that of the other side that has the same labels.
    fn matched(
        &mut self,
        binary: &Binary,
        left: Vec<Element>,
        right: Vec<Element>,
        span: Span,
    ) -> Result<Vec<Element>, EvalError> {
        if left.is_empty() || right.is_empty() {
            return Ok(Vec::new());
        }
        let matching = &binary.matching;
        let swapped = matching.many == Many::Right;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut ones: BTreeMap<Labels, &Element> = BTreeMap::new();
        for element in &one {
            let key = signature(&element.labels, matching);
            if let Some(other) = ones.get(&key) {
                return Err(EvalError::data(span, ambiguous(&key, swapped, &element.labels, &other.labels)));
            }
            ones.insert(key, element);
        }
        let mut used: BTreeSet<(Labels, Option<Labels>)> = BTreeSet::new();
        let mut out = Vec::new();
        for element in &many {
            let key = signature(&element.labels, matching);
            let Some(other) = ones.get(&key) else { continue };
            let (left, right) = if swapped { (other.value, element.value) } else { (element.value, other.value) };
            let (value, holds) = apply(binary.operator, left, right);
            let drop_name =
                !binary.operator.is_comparison() || (binary.returns_bool && !self.options.delayed_name_removal);
            let labels = result_labels(&element.labels, &other.labels, matching, drop_name);
            let single = matching.many == Many::Neither;
            if !used.insert((key, (!single).then(|| labels.clone()))) {
                let message = if single {
                    "several series match one: say group_left or group_right if that is meant"
                } else {
                    "several series of the result have the same labels: group_left or group_right must keep them apart"
                };
                return Err(EvalError::data(span, message));
            }
            if holds || binary.returns_bool {
                let value = if binary.returns_bool { f64::from(u8::from(holds)) } else { value };
                out.push(Element { labels, value, t_ms: element.t_ms, unnamed: binary.returns_bool });
            }
        }
        if !self.options.delayed_name_removal {
            out.iter_mut().for_each(|element| element.unnamed = false);
        }
        Ok(out)
    }
}

/// The value of an operation, and whether a comparison holds. Where a comparison filters, the value is the left one.
fn apply(operator: Operator, left: f64, right: f64) -> (f64, bool) {
    match operator {
        Operator::Add => (left + right, true),
        Operator::Sub => (left - right, true),
        Operator::Mul => (left * right, true),
        Operator::Div => (left / right, true),
        Operator::Mod => (left % right, true),
        Operator::Pow => (left.powf(right), true),
        Operator::Atan2 => (left.atan2(right), true),
        Operator::Equal => (left, left == right),
        Operator::NotEqual => (left, left != right),
        Operator::Less => (left, left < right),
        Operator::LessEqual => (left, left <= right),
        Operator::Greater => (left, left > right),
        Operator::GreaterEqual => (left, left >= right),
        // These work on labels, not on values.
        Operator::And | Operator::Or | Operator::Unless => (left, true),
    }
}

/// The labels that must be equal on both sides.
fn signature(labels: &Labels, matching: &Matching) -> Labels {
    if matching.on { labels.keep(&matching.names) } else { labels.without(&matching.names) }
}

fn result_labels(many: &Labels, one: &Labels, matching: &Matching, drop_name: bool) -> Labels {
    if matching.many == Many::Neither && !matching.on && matching.names.is_empty() {
        return if drop_name { many.without_metadata() } else { many.clone() };
    }
    let mut builder = many.edit();
    if drop_name {
        METADATA.iter().for_each(|name| {
            builder.remove(name);
        });
    }
    if matching.many == Many::Neither {
        let named = |name: &str| matching.names.iter().any(|n| **n == *name);
        for (name, _) in many.iter().filter(|(name, _)| named(name) != matching.on) {
            builder.remove(name);
        }
    }
    for name in &matching.include {
        let value: Arc<str> = one.value(name).cloned().unwrap_or_default();
        builder.set(name.clone(), value);
    }
    builder.build()
}

fn ambiguous(key: &Labels, left: bool, a: &Labels, b: &Labels) -> String {
    let side = if left { "left" } else { "right" };
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    format!("two series on the {side} side match the group {key}: {a} and {b}; one side must be unique")
}

/// `and`, `unless`: the left elements that have, or have not, a match on the right.
fn keep(left: Vec<Element>, right: &[Element], matching: &Matching, matched: bool) -> Vec<Element> {
    let keys: BTreeSet<Labels> = right.iter().map(|element| signature(&element.labels, matching)).collect();
    left.into_iter().filter(|element| keys.contains(&signature(&element.labels, matching)) == matched).collect()
}

/// `or`: the left elements, and the right ones that match none of them.
fn either(mut left: Vec<Element>, right: Vec<Element>, matching: &Matching) -> Vec<Element> {
    let keys: BTreeSet<Labels> = left.iter().map(|element| signature(&element.labels, matching)).collect();
    left.extend(right.into_iter().filter(|element| !keys.contains(&signature(&element.labels, matching))));
    left
}
