//! Functions that evaluate a body for each element of a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{At, Machine, Outcome, Scope, Visited, Work, operate};
use crate::error::{EvalError, Span};
use crate::function::Loop;
use crate::syntax::{Comparison, Expr, Operator};
use crate::value::{Key, Value};

impl Machine<'_> {
    pub(super) fn looping(
        &mut self,
        span: Span,
        which: Loop,
        list: &Expr,
        body: Option<&Expr>,
        extra: Option<&Expr>,
    ) -> Visited {
        let items = self.visit(list)?;
        let items = elements(&items).at(list.span)?;
        match which {
            Loop::All | Loop::None | Loop::Any => {
                let stop = which != Loop::All;
                let found = self.find(&items, body, span, stop, false)?.is_some();
                Ok(Value::Bool(found == (which == Loop::Any)))
            }
            Loop::One | Loop::Count | Loop::Filter => self.select(&items, body, span, which),
            Loop::Find | Loop::FindLast => {
                let found = self.find(&items, body, span, true, which == Loop::FindLast)?;
                Ok(found.map_or(Value::Nil, |at| items[at].clone()))
            }
            Loop::FindIndex | Loop::FindLastIndex => {
                let found = self.find(&items, body, span, true, which == Loop::FindLastIndex)?;
                Ok(found.map_or(Value::Nil, |at| Value::Int(at as i64)))
            }
            Loop::Map => {
                let mut out = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    out.push(self.body(body, item, at, Value::Nil)?.0);
                }
                Ok(Value::List(Arc::new(out)))
            }
            Loop::Sum => {
                let mut total = Value::Int(0);
                for (at, item) in items.iter().enumerate() {
                    let value = self.body(body, item, at, Value::Nil)?.0;
                    total = operate::binary(Operator::Add, &value, &total, self.work).at(span)?;
                }
                Ok(total)
            }
            Loop::GroupBy => self.group(&items, body, span),
            Loop::SortBy => {
                let order = extra.map(|extra| self.visit(extra)).transpose()?;
                let mut pairs = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    pairs.push((self.body(body, item, at, Value::Nil)?.0, item.clone()));
                }
                let sorted = sort(pairs, descends(order.as_ref()).at(span)?, self.work).at(span)?;
                Ok(Value::List(Arc::new(sorted)))
            }
            Loop::Reduce => self.reduce(&items, body, extra, span),
        }
    }

    /// The value of the body for one element, and the accumulator it had; the element itself when there is no body.
    fn body(
        &mut self,
        body: Option<&Expr>,
        item: &Value,
        index: usize,
        accumulator: Value,
    ) -> Result<(Value, Value), EvalError> {
        let Some(body) = body else {
            return Ok((item.clone(), accumulator));
        };
        self.scopes.push(Scope { element: item.clone(), index, accumulator });
        let value = self.visit(body);
        let scope = self.scopes.pop();
        Ok((value?, scope.map_or(Value::Nil, |scope| scope.accumulator)))
    }

    fn holds(&mut self, body: Option<&Expr>, item: &Value, at: usize, span: Span) -> Result<bool, EvalError> {
        self.work.spend(1).at(span)?;
        match self.body(body, item, at, Value::Nil)?.0 {
            Value::Bool(b) => Ok(b),
            other => {
                let place = body.map_or(span, |body| body.span);
                Err(EvalError::new(place, format!("expected a boolean for each element, but got {}", other.kind())))
            }
        }
    }

    /// Index of the first element, or the last, for which the body gives `wanted`.
    fn find(
        &mut self,
        items: &[Value],
        body: Option<&Expr>,
        span: Span,
        wanted: bool,
        backwards: bool,
    ) -> Result<Option<usize>, EvalError> {
        for step in 0..items.len() {
            let at = if backwards { items.len() - 1 - step } else { step };
            if self.holds(body, &items[at], at, span)? == wanted {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn select(&mut self, items: &[Value], body: Option<&Expr>, span: Span, which: Loop) -> Visited {
        let mut kept = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if self.holds(body, item, at, span)? {
                kept.push(item.clone());
            }
        }
        Ok(match which {
            Loop::One => Value::Bool(kept.len() == 1),
            Loop::Count => Value::Int(kept.len() as i64),
            _ => Value::List(Arc::new(kept)),
        })
    }

    fn group(&mut self, items: &[Value], body: Option<&Expr>, span: Span) -> Visited {
        let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            let value = self.body(body, item, at, Value::Nil)?.0;
            let Some(key) = Key::of(&value) else {
                return Err(EvalError::new(span, format!("cannot group by {}", value.kind())));
            };
            groups.entry(key).or_default().push(item.clone());
        }
        let groups: BTreeMap<Key, Value> = groups.into_iter().map(|(key, items)| (key, Value::from(items))).collect();
        Ok(Value::from(groups))
    }

    fn reduce(&mut self, items: &[Value], body: Option<&Expr>, extra: Option<&Expr>, span: Span) -> Visited {
        let (mut accumulator, skip) = match (extra, items.first()) {
            (Some(extra), _) => (self.visit(extra)?, 0),
            (None, Some(first)) => (first.clone(), 1),
            (None, None) => {
                return Err(EvalError::new(span, "reduce of an empty list needs an initial value"));
            }
        };
        for (at, item) in items.iter().enumerate().skip(skip) {
            accumulator = self.body(body, item, at, accumulator)?.0;
            // Only here can a value grow deeper, or by sharing much larger, than the condition is long.
            self.work.spend_walk(&accumulator).at(span)?;
        }
        Ok(accumulator)
    }
}

/// What a looping function runs over. Texts count as lists of their bytes, an empty map as an empty list.
fn elements(value: &Value) -> Outcome<Arc<Vec<Value>>> {
    match value {
        Value::List(items) => Ok(items.clone()),
        Value::Str(text) => Ok(Arc::new(text.bytes().map(|byte| Value::Int(i64::from(byte))).collect())),
        Value::Map(map) if map.is_empty() => Ok(Arc::default()),
        other => Err(format!("expected a list, but got {}", other.kind())),
    }
}

/// Whether `order` asks for the largest first.
pub(super) fn descends(order: Option<&Value>) -> Outcome<bool> {
    match order {
        None => Ok(false),
        Some(Value::Str(text)) if &**text == "asc" => Ok(false),
        Some(Value::Str(text)) if &**text == "desc" => Ok(true),
        Some(other) => Err(format!("the order is \"asc\" or \"desc\", not {other}")),
    }
}

/// Sorts by the first of each pair and keeps the second. A stable merge sort of our own: the library's may panic on
/// an order that NaN makes inconsistent, and cannot stop at values that have no order.
pub(super) fn sort(pairs: Vec<(Value, Value)>, descending: bool, work: &mut Work) -> Outcome<Vec<Value>> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    let mut width = 1;
    while width < order.len() {
        work.spend(order.len() as u64)?;
        let mut merged = Vec::with_capacity(order.len());
        for run in order.chunks(2 * width) {
            let (left, right) = run.split_at(width.min(run.len()));
            let (mut i, mut j) = (0, 0);
            while i < left.len() && j < right.len() {
                let (a, b) = (&pairs[left[i]].0, &pairs[right[j]].0);
                let comparison = if descending { Comparison::Greater } else { Comparison::Less };
                if operate::order(comparison, b, a)? {
                    merged.push(right[j]);
                    j += 1;
                } else {
                    merged.push(left[i]);
                    i += 1;
                }
            }
            merged.extend_from_slice(&left[i..]);
            merged.extend_from_slice(&right[j..]);
        }
        order = merged;
        width *= 2;
    }
    Ok(order.into_iter().map(|at| pairs[at].1.clone()).collect())
}
