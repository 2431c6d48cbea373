//! Extremes and averages over numbers and nested lists of numbers.

use super::{Outcome, Work, operate};
use crate::function::Function;
use crate::syntax::Comparison;
use crate::value::Value;

/// `max`, `min`, `mean` and `median`.
pub(super) fn sample(function: Function, arguments: &[Value], work: &mut Work) -> Outcome<Value> {
    let name = function.signature().name;
    if let ([only], Function::Max | Function::Min) = (arguments, function)
        && !matches!(only, Value::List(_) | Value::Int(_) | Value::Float(_))
    {
        // As in the original, the extreme of one thing that is no list is that thing.
        return Ok(only.clone());
    }
    let mut numbers = Vec::new();
    for argument in arguments {
        work.spend_walk(argument)?;
        collect(name, argument, &mut numbers)?;
    }
    match function {
        Function::Max => extreme(numbers, Comparison::Less),
        Function::Min => extreme(numbers, Comparison::Greater),
        _ => {
            let mut floats: Vec<f64> = numbers.iter().filter_map(Value::number).collect();
            if floats.is_empty() {
                return Ok(Value::Float(0.0));
            }
            if function == Function::Mean {
                return Ok(Value::Float(floats.iter().sum::<f64>() / floats.len() as f64));
            }
            // NaN first, as Go sorts it.
            floats.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
            let middle = floats.len() / 2;
            Ok(Value::Float(if floats.len() % 2 == 1 {
                floats[middle]
            } else {
                f64::midpoint(floats[middle - 1], floats[middle])
            }))
        }
    }
}

fn collect(name: &str, value: &Value, out: &mut Vec<Value>) -> Outcome<()> {
    match value {
        Value::Int(_) | Value::Float(_) => {
            out.push(value.clone());
            Ok(())
        }
        Value::List(items) => items.iter().try_for_each(|item| collect(name, item, out)),
        other => Err(format!("{name}() takes numbers, not {}", other.kind())),
    }
}

fn extreme(numbers: Vec<Value>, replace_when: Comparison) -> Outcome<Value> {
    let mut best = Value::Nil;
    for number in numbers {
        if best == Value::Nil || operate::order(replace_when, &best, &number)? {
            best = number;
        }
    }
    Ok(best)
}
