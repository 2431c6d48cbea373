//! What the operators do with values.

use super::{Outcome, Work};
use crate::number;
use crate::syntax::{Comparison, Operator};
use crate::value::{Key, Value};

pub(super) fn negate(value: &Value) -> Outcome<Value> {
    match value {
        Value::Int(i) => Ok(Value::Int(i.wrapping_neg())),
        Value::Float(x) => Ok(Value::Float(-x)),
        other => Err(format!("cannot negate {}", other.kind())),
    }
}

/// `==`: numbers by value, lists element by element, maps exactly.
pub(super) fn equal(left: &Value, right: &Value, work: &mut Work) -> Outcome<bool> {
    match (left, right) {
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            work.spend(a.len() as u64)?;
            for (x, y) in a.iter().zip(b.iter()) {
                if !equal(x, y, work)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(_), Value::Map(_)) => {
            work.spend_walk(left)?;
            Ok(left == right)
        }
        (Value::Str(a), Value::Str(b)) => {
            work.spend_text(a.len().min(b.len()))?;
            Ok(a == b)
        }
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        //= compat: 3.10-10
        _ => Ok(match (left.number(), right.number()) {
            (Some(a), Some(b)) => a == b,
            _ => left == right,
        }),
    }
}

/// `<` and its kin: numbers with numbers, text with text.
//= compat: 3.10-10
pub(super) fn order(comparison: Comparison, left: &Value, right: &Value) -> Outcome<bool> {
    use std::cmp::Ordering;
    let ordering = match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => match (left.number(), right.number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => {
                let symbol = comparison.symbol();
                return Err(format!("{symbol} cannot compare {} with {}", left.kind(), right.kind()));
            }
        },
    };
    Ok(match comparison {
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
    })
}

/// The operators that look at two values and at nothing else.
pub(super) fn binary(operator: Operator, left: &Value, right: &Value, work: &mut Work) -> Outcome<Value> {
    match operator {
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => search(operator, left, right, work),
        Operator::Range => range(left, right, work),
        Operator::Add => match (left, right) {
            (Value::Str(a), Value::Str(b)) => {
                work.spend_text(a.len() + b.len())?;
                Ok(Value::from(format!("{a}{b}")))
            }
            _ => arithmetic(operator, left, right),
        },
        _ => arithmetic(operator, left, right),
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Outcome<Value> {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        match operator {
            Operator::Add => return Ok(Value::Int(a.wrapping_add(*b))),
            Operator::Subtract => return Ok(Value::Int(a.wrapping_sub(*b))),
            Operator::Multiply => return Ok(Value::Int(a.wrapping_mul(*b))),
            Operator::Remainder if *b == 0 => return Err("division by zero".to_owned()),
            Operator::Remainder => return Ok(Value::Int(a.wrapping_rem(*b))),
            _ => {}
        }
    }
    let (Some(a), Some(b), false) = (left.number(), right.number(), operator == Operator::Remainder) else {
        return Err(format!("{} cannot combine {} and {}", operator.symbol(), left.kind(), right.kind()));
    };
    Ok(Value::Float(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => a.powf(b),
    }))
}

fn search(operator: Operator, left: &Value, right: &Value, work: &mut Work) -> Outcome<Value> {
    match (left, right) {
        // As in the original, nil contains nothing and is in nothing.
        (Value::Nil, _) | (_, Value::Nil) => Ok(Value::Bool(false)),
        (Value::Str(a), Value::Str(b)) => {
            work.spend_text(a.len())?;
            Ok(Value::Bool(match operator {
                Operator::Contains => a.contains(&**b),
                Operator::StartsWith => a.starts_with(&**b),
                _ => a.ends_with(&**b),
            }))
        }
        _ => Err(format!("{} cannot combine {} and {}", operator.symbol(), left.kind(), right.kind())),
    }
}

fn range(left: &Value, right: &Value, work: &mut Work) -> Outcome<Value> {
    let (from, to) = (index(left)?, index(right)?);
    let length = i128::from(to) - i128::from(from) + 1;
    if length <= 0 {
        return Ok(Value::from(Vec::<Value>::new()));
    }
    work.spend(u64::try_from(length).unwrap_or(u64::MAX))?;
    Ok(Value::from((from..=to).collect::<Vec<i64>>()))
}

/// A number cut to a whole one, for places that count.
pub(super) fn index(value: &Value) -> Outcome<i64> {
    match value {
        Value::Int(i) => Ok(*i),
        Value::Float(x) => Ok(number::truncate(*x)),
        other => Err(format!("expected a whole number, but got {}", other.kind())),
    }
}

/// The place of `at` in something `length` long; negative ones count from the end.
fn position(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add(length as i64)? } else { at };
    usize::try_from(at).ok().filter(|&at| at < length)
}

/// `base[key]`. A missing key of a map is nil, a missing element of a list an error.
//= compat: 3.10-9
pub(super) fn fetch(base: &Value, key: &Value) -> Outcome<Value> {
    match base {
        Value::List(items) => {
            let at = index(key)?;
            position(at, items.len())
                .map(|at| items[at].clone())
                .ok_or_else(|| format!("index {at} is out of range: the list has {} elements", items.len()))
        }
        Value::Str(text) => {
            let at = index(key)?;
            position(at, text.len())
                .map(|at| Value::Int(i64::from(text.as_bytes()[at])))
                .ok_or_else(|| format!("index {at} is out of range: the text has {} bytes", text.len()))
        }
        Value::Map(map) => {
            let key = map_key(map, key)?;
            Ok(map.get(&key).cloned().unwrap_or(Value::Nil))
        }
        other => Err(format!("cannot take {key} of {}", other.kind())),
    }
}

/// The key to look for. Maps with text keys take text only, and nil for the empty text.
fn map_key(map: &std::collections::BTreeMap<Key, Value>, key: &Value) -> Outcome<Key> {
    let texts = map.keys().next().is_none_or(|key| matches!(key, Key::Str(_)));
    match Key::of(key) {
        Some(found @ Key::Str(_)) => Ok(found),
        Some(Key::Nil) if texts => Ok(Key::from("")),
        Some(found) if !texts || map.is_empty() => Ok(found),
        _ => Err(format!("{} is no key of this map", key.kind())),
    }
}

/// `needle in place`.
pub(super) fn contains(needle: &Value, place: &Value, work: &mut Work) -> Outcome<bool> {
    match place {
        Value::Nil => Ok(false),
        Value::List(items) => {
            work.spend(items.len() as u64)?;
            for item in items.iter() {
                if equal(item, needle, work)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => Ok(map.contains_key(&map_key(map, needle)?)),
        other => Err(format!("nothing can be in {}", other.kind())),
    }
}

/// `base[from:to]`, cut to what there is.
pub(super) fn slice(base: &Value, from: Option<&Value>, to: Option<&Value>, work: &mut Work) -> Outcome<Value> {
    let length = match base {
        Value::List(items) => items.len(),
        Value::Str(text) => text.len(),
        other => return Err(format!("cannot slice {}", other.kind())),
    };
    let bound = |value: Option<&Value>, default: usize| -> Outcome<usize> {
        let Some(value) = value else {
            return Ok(default);
        };
        let at = index(value)?;
        let at = if at < 0 { at.saturating_add(length as i64).max(0) } else { at };
        Ok(usize::try_from(at).unwrap_or(usize::MAX).min(length))
    };
    let to = bound(to, length)?;
    let from = bound(from, 0)?.min(to);
    match base {
        Value::List(items) => {
            work.spend((to - from) as u64)?;
            Ok(Value::from(items[from..to].to_vec()))
        }
        Value::Str(text) => {
            work.spend_text(to - from)?;
            text.get(from..to).map(Value::from).ok_or_else(|| "the slice cuts a character in two".to_owned())
        }
        _ => Ok(Value::Nil),
    }
}
