//! Functions on text.

use super::{Outcome, Work, operate};
use crate::function::Function as F;
use crate::value::Value;

/// Runs one of the text functions.
pub(super) fn text(function: F, arguments: &[Value], work: &mut Work) -> Outcome<Value> {
    for argument in arguments {
        if let Value::Str(text) = argument {
            work.spend_text(text.len())?;
        }
    }
    let name = function.signature().name;
    let subject = string(name, arguments.first())?;
    let second = || string(name, arguments.get(1));
    let limit = |at: usize| arguments.get(at).map(operate::index).transpose();
    Ok(match function {
        F::Trim => match arguments.get(1) {
            None => Value::from(subject.trim()),
            Some(_) => {
                let set = second()?;
                Value::from(subject.trim_matches(|c| set.contains(c)))
            }
        },
        F::TrimPrefix => {
            let prefix = if arguments.len() > 1 { second()? } else { " " };
            Value::from(subject.strip_prefix(prefix).unwrap_or(subject))
        }
        F::TrimSuffix => {
            let suffix = if arguments.len() > 1 { second()? } else { " " };
            Value::from(subject.strip_suffix(suffix).unwrap_or(subject))
        }
        F::Upper => Value::from(subject.chars().map(upper).collect::<String>()),
        F::Lower => Value::from(subject.chars().map(lower).collect::<String>()),
        F::Split | F::SplitAfter => split(subject, second()?, limit(2)?, function == F::SplitAfter, work)?,
        F::Replace => {
            let (old, new) = (second()?, string(name, arguments.get(2))?);
            replace(subject, old, new, limit(3)?, work)?
        }
        F::Repeat => {
            let times = limit(1)?.unwrap_or(0);
            let times = usize::try_from(times).map_err(|_| format!("repeat() takes no negative number, {times}"))?;
            work.spend_text(subject.len().saturating_mul(times).saturating_add(times))?;
            Value::from(subject.repeat(times))
        }
        F::IndexOf => Value::Int(subject.find(second()?).map_or(-1, |at| at as i64)),
        F::LastIndexOf => Value::Int(subject.rfind(second()?).map_or(-1, |at| at as i64)),
        F::HasPrefix => Value::Bool(subject.starts_with(second()?)),
        F::HasSuffix => Value::Bool(subject.ends_with(second()?)),
        _ => return Err(format!("{name}() is no function on text")),
    })
}

fn string<'v>(name: &str, value: Option<&'v Value>) -> Outcome<&'v str> {
    match value {
        Some(Value::Str(text)) => Ok(text),
        Some(other) => Err(format!("{name}() takes text, not {}", other.kind())),
        None => Err(format!("{name}() takes text")),
    }
}

/// One character each, as in Go: those whose other case is several characters stay.
fn upper(c: char) -> char {
    let mut cased = c.to_uppercase();
    match (cased.next(), cased.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut cased = c.to_lowercase();
    match (cased.next(), cased.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Splits into at most `limit` parts (negative or none: all; 0: no list); an empty separator splits characters.
fn split(text: &str, separator: &str, limit: Option<i64>, keep: bool, work: &mut Work) -> Outcome<Value> {
    let most = match limit {
        Some(0) => return Ok(Value::from(Vec::<Value>::new())),
        Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < most {
        let (part, tail) = if separator.is_empty() {
            let Some(c) = rest.chars().next().filter(|c| rest.len() > c.len_utf8()) else {
                break;
            };
            (c.len_utf8(), c.len_utf8())
        } else {
            let Some(at) = rest.find(separator) else {
                break;
            };
            (if keep { at + separator.len() } else { at }, at + separator.len())
        };
        parts.push(&rest[..part]);
        rest = &rest[tail..];
        work.spend(1)?;
    }
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    Ok(Value::from(parts))
}

fn replace(text: &str, old: &str, new: &str, limit: Option<i64>, work: &mut Work) -> Outcome<Value> {
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let found = text.matches(old).count().min(most);
    work.spend_text(found.saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(Value::from(text.replacen(old, new, most)))
}

/// Joins a list of texts.
pub(super) fn join(items: &Value, glue: Option<&Value>, work: &mut Work) -> Outcome<Value> {
    let glue = glue.map_or(Ok(""), |glue| string("join", Some(glue)))?;
    let Value::List(items) = items else {
        return Err(format!("join() takes a list, not {}", items.kind()));
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items.iter() {
        let text = string("join", Some(item))?;
        work.spend_text(text.len() + glue.len())?;
        texts.push(text);
    }
    Ok(Value::from(texts.join(glue)))
}
