//! Functions that see values only.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{At, Machine, Outcome, Visited, Work, looping, operate, sample, text};
use crate::check::call::has_int_literal;
use crate::error::Span;
use crate::function::Function as F;
use crate::json::{self, Numbers};
use crate::number;
use crate::syntax::Expr;
use crate::value::{Key, Value};

impl Machine<'_> {
    pub(super) fn call(&mut self, span: Span, function: F, arguments: &[Expr]) -> Visited {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.visit(argument)?);
        }
        if let (F::IsNaN | F::IsInf, Some(Value::Int(i)), Some(argument)) =
            (function, values.first(), arguments.first())
            && has_int_literal(argument)
        {
            values[0] = Value::Float(*i as f64);
        }
        match function {
            //= compat: 3.10-7
            F::IsNil => Ok(Value::Bool(*self.result == Value::Nil)),
            //= compat: 3.10-8
            F::Default if *self.result == Value::Nil => Ok(values.pop().unwrap_or(Value::Nil)),
            F::Default => Ok(self.result.clone()),
            _ => apply(function, &values, self.work).at(span),
        }
    }
}

fn apply(function: F, values: &[Value], work: &mut Work) -> Outcome<Value> {
    let first = values.first().unwrap_or(&Value::Nil);
    match function {
        F::AsInt | F::AsFloat | F::IsNaN | F::IsInf | F::Abs | F::Ceil | F::Floor | F::Round | F::Int | F::Float => {
            numeric(function, first)
        }
        F::BitAnd | F::BitOr | F::BitXor | F::BitNand | F::BitShl | F::BitShr | F::BitUshr | F::BitNot => {
            bits(function, values)
        }
        F::Max | F::Min | F::Mean | F::Median => sample::sample(function, values, work),
        F::Len => length(first, work),
        F::Type => Ok(Value::from(first.kind())),
        F::String => {
            work.spend_walk(first)?;
            Ok(Value::from(first.to_string()))
        }
        F::ToJson => {
            work.spend_walk(first)?;
            json::write(first).map(Value::from)
        }
        F::FromJson => match first {
            Value::Str(text) => {
                work.spend(text.len() as u64)?;
                json::read(text, Numbers::Floats)
            }
            other => Err(format!("fromJSON() takes text, not {}", other.kind())),
        },
        F::Join => text::join(first, values.get(1), work),
        F::First => Ok(end(first, 0)),
        F::Last => Ok(end(first, -1)),
        F::Get => get(first, &values[1]),
        F::Keys | F::Values | F::ToPairs => entries(function, first, work),
        F::Take | F::FromPairs | F::Reverse | F::Uniq | F::Concat | F::Flatten | F::Sort => {
            lists(function, values, work)
        }
        _ => text::text(function, values, work),
    }
}

fn refuse<T>(function: F, value: &Value) -> Outcome<T> {
    Err(format!("{}() does not take {}", function.signature().name, value.kind()))
}

//= compat: 3.10-5, 3.10-6
fn numeric(function: F, value: &Value) -> Outcome<Value> {
    let not_a_number = |text: &str| format!("{}() cannot read {text:?} as a number", function.signature().name);
    Ok(match (function, value) {
        (F::AsInt | F::Int, Value::Float(x)) => Value::Int(number::truncate(*x)),
        (F::AsInt | F::Int, Value::Int(_)) => value.clone(),
        (F::AsInt | F::Int, Value::Str(text)) => Value::Int(number::parse_int(text).ok_or_else(|| not_a_number(text))?),
        (F::AsFloat | F::Float, Value::Str(text)) => {
            Value::Float(number::parse_float(text).ok_or_else(|| not_a_number(text))?)
        }
        (F::IsNaN, Value::Float(x)) => Value::Bool(x.is_nan()),
        (F::IsInf, Value::Float(x)) => Value::Bool(x.is_infinite()),
        (F::Abs, Value::Int(i)) => Value::Int(i.wrapping_abs()),
        (F::IsNaN | F::IsInf | F::AsInt | F::Int, _) => return refuse(function, value),
        _ => {
            let Some(x) = value.number() else {
                return refuse(function, value);
            };
            Value::Float(match function {
                // The original leaves a negative zero alone.
                F::Abs => {
                    if x < 0.0 {
                        -x
                    } else {
                        x
                    }
                }
                F::Ceil => x.ceil(),
                F::Floor => x.floor(),
                F::Round => x.round(),
                _ => x,
            })
        }
    })
}

fn bits(function: F, values: &[Value]) -> Outcome<Value> {
    let whole = |at: usize| match values.get(at) {
        Some(Value::Int(i)) => Ok(*i),
        Some(other) => refuse(function, other),
        None => Ok(0),
    };
    let (x, y) = (whole(0)?, whole(1)?);
    let shift = |by: i64| u32::try_from(by).ok().filter(|&by| by < 64);
    if matches!(function, F::BitShl | F::BitShr | F::BitUshr) && y < 0 {
        return Err(format!("cannot shift by {y} bits"));
    }
    Ok(Value::Int(match function {
        F::BitAnd => x & y,
        F::BitOr => x | y,
        F::BitXor => x ^ y,
        F::BitNand => x & !y,
        F::BitShl => shift(y).map_or(0, |y| x << y),
        F::BitShr => shift(y).map_or(if x < 0 { -1 } else { 0 }, |y| x >> y),
        F::BitUshr => shift(y).map_or(0, |y| (x.cast_unsigned() >> y).cast_signed()),
        _ => !x,
    }))
}

fn length(value: &Value, work: &mut Work) -> Outcome<Value> {
    Ok(Value::Int(match value {
        Value::Str(text) => {
            work.spend_text(text.len())?;
            text.chars().count()
        }
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return refuse(F::Len, other),
    } as i64))
}

/// The element at one end; nil when there is none, or no list.
fn end(value: &Value, at: i64) -> Value {
    match value {
        Value::List(_) | Value::Str(_) => operate::fetch(value, &Value::Int(at)).unwrap_or(Value::Nil),
        _ => Value::Nil,
    }
}

/// An element, or nil where `base[key]` would be an error.
fn get(base: &Value, key: &Value) -> Outcome<Value> {
    match base {
        Value::List(_) | Value::Str(_) => {
            let at = operate::index(key)?;
            Ok(operate::fetch(base, &Value::Int(at)).unwrap_or(Value::Nil))
        }
        Value::Map(_) => operate::fetch(base, key),
        _ => Ok(Value::Nil),
    }
}

/// Keys, values or pairs of a map, in the order of the keys.
fn entries(function: F, value: &Value, work: &mut Work) -> Outcome<Value> {
    let Value::Map(map) = value else {
        return refuse(function, value);
    };
    work.spend(map.len() as u64)?;
    let items = map.iter().map(|(key, value)| match function {
        F::Keys => key.value(),
        F::Values => value.clone(),
        _ => Value::from(vec![key.value(), value.clone()]),
    });
    Ok(Value::List(Arc::new(items.collect())))
}

fn list(function: F, value: &Value) -> Outcome<&Arc<Vec<Value>>> {
    match value {
        Value::List(items) => Ok(items),
        other => refuse(function, other),
    }
}

fn lists(function: F, values: &[Value], work: &mut Work) -> Outcome<Value> {
    let items = list(function, &values[0])?;
    work.spend(items.len() as u64)?;
    let out: Vec<Value> = match function {
        F::Take => match &values[1] {
            Value::Int(count) if *count >= 0 => {
                items.iter().take(usize::try_from(*count).unwrap_or(usize::MAX)).cloned().collect()
            }
            other => return Err(format!("cannot take {other} elements")),
        },
        F::FromPairs => return from_pairs(items),
        F::Reverse => items.iter().rev().cloned().collect(),
        F::Uniq => {
            let mut kept: Vec<Value> = Vec::new();
            'items: for item in items.iter() {
                for known in &kept {
                    work.spend(1)?;
                    if operate::equal(item, known, work)? {
                        continue 'items;
                    }
                }
                kept.push(item.clone());
            }
            kept
        }
        F::Concat => {
            let mut all = Vec::new();
            for value in values {
                let items = list(function, value)?;
                work.spend(items.len() as u64)?;
                all.extend(items.iter().cloned());
            }
            all
        }
        F::Flatten => {
            work.spend_walk(&values[0])?;
            let mut flat = Vec::new();
            flatten(items, &mut flat);
            flat
        }
        _ => {
            let descending = looping::descends(values.get(1))?;
            looping::sort(items.iter().map(|item| (item.clone(), item.clone())).collect(), descending, work)?
        }
    };
    Ok(Value::List(Arc::new(out)))
}

fn flatten(items: &[Value], out: &mut Vec<Value>) {
    for item in items {
        match item {
            Value::List(inner) => flatten(inner, out),
            other => out.push(other.clone()),
        }
    }
}

fn from_pairs(items: &[Value]) -> Outcome<Value> {
    let mut map: BTreeMap<Key, Value> = BTreeMap::new();
    for item in items {
        let Value::List(pair) = item else {
            return Err(format!("fromPairs() takes pairs, not {}", item.kind()));
        };
        let [key, value] = pair.as_slice() else {
            return Err(format!("fromPairs() takes pairs, not lists of {}", pair.len()));
        };
        let Some(key) = Key::of(key) else {
            return Err(format!("{} cannot be a key", key.kind()));
        };
        map.insert(key, value.clone());
    }
    Ok(Value::from(map))
}
