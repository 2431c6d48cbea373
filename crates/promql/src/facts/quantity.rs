//! What the numbers of an answer are: seconds, shares, or something that nobody can tell.

use super::{above, below, is_flow, metric, reads, times};
use crate::syntax::{Aggregator, Binary, Expr, Node, Operator};

/// What a number is, where the names of the metrics and the way they are combined say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// How long something took, in seconds.
    Seconds,
    /// How long something took, in milliseconds.
    Milliseconds,
    /// A part of a whole, from 0 to 1.
    Share,
    /// A part of a whole, from 0 to 100.
    Percent,
    /// Anything else.
    Unknown,
}

pub(super) fn of(expr: &Expr) -> Quantity {
    match &expr.node {
        Node::Binary(binary) => match times(expr) {
            Some((factor, inner)) => scaled(of(inner), factor),
            None => of_binary(binary),
        },
        Node::Call { function, args } => match function.name {
            "histogram_quantile" => unit_of(&args[1]),
            "clamp_min" | "clamp_max" | "clamp" | "round" | "sort" | "sort_desc" | "scalar" => of(&args[0]),
            _ => Quantity::Unknown,
        },
        Node::Aggregate(aggregate)
            if matches!(aggregate.operator, Aggregator::Avg | Aggregator::Min | Aggregator::Max) =>
        {
            of(&aggregate.inner)
        }
        _ => Quantity::Unknown,
    }
}

fn of_binary(binary: &Binary) -> Quantity {
    let Binary { operator, left, right, returns_bool, .. } = binary;
    match operator {
        _ if *returns_bool => Quantity::Unknown,
        Operator::Or | Operator::And | Operator::Unless => of(left),
        operator if operator.is_comparison() => of(left),
        Operator::Div => match number(right) {
            Some(divisor) => scaled(of(left), 1.0 / divisor),
            None => {
                let factor = times(left).map_or(1.0, |(factor, _)| factor);
                scaled(of_division(above(left), below(right)), factor)
            }
        },
        Operator::Sub => match (number(left), of(right)) {
            (Some(1.0), Quantity::Share) => Quantity::Share,
            (Some(100.0), Quantity::Percent) => Quantity::Percent,
            _ => Quantity::Unknown,
        },
        _ => Quantity::Unknown,
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr.node {
        Node::Number(number) => Some(number),
        _ => None,
    }
}

fn scaled(quantity: Quantity, factor: f64) -> Quantity {
    match quantity {
        Quantity::Share if factor == 100.0 => Quantity::Percent,
        Quantity::Percent if factor == 0.01 => Quantity::Share,
        Quantity::Seconds if factor == 1000.0 => Quantity::Milliseconds,
        Quantity::Milliseconds if factor == 0.001 => Quantity::Seconds,
        quantity if factor == 1.0 => quantity,
        _ => Quantity::Unknown,
    }
}

/// The mean of a histogram or summary, or the part that one flow is of another.
fn of_division(above: &Expr, below: &Expr) -> Quantity {
    if !is_flow(above) || !is_flow(below) {
        return Quantity::Unknown;
    }
    let (parts, wholes) = (reads(above), reads(below));
    let ([part], [whole]) = (parts.as_slice(), wholes.as_slice()) else { return Quantity::Unknown };
    if part.metric.ends_with("_sum") {
        return unit(part.metric.trim_end_matches("_sum"));
    }
    // The same events with more conditions are a part of them; so are events that are called errors.
    let named = ["error", "fail", "success"].iter().any(|word| part.metric.contains(word));
    let within = whole.conditions.iter().all(|condition| part.conditions.contains(condition));
    let same = !part.metric.is_empty() && part.metric == whole.metric;
    if within && (same || named) { Quantity::Share } else { Quantity::Unknown }
}

/// The unit of the buckets that an expression reads.
pub(super) fn unit_of(expr: &Expr) -> Quantity {
    of_duration(expr, "_bucket")
}

/// The unit of the histogram that an expression reads.
fn of_duration(expr: &Expr, suffix: &str) -> Quantity {
    let found = reads(expr);
    match found.as_slice() {
        [only] => only.metric.strip_suffix(suffix).map_or(Quantity::Unknown, unit),
        _ => Quantity::Unknown,
    }
}

/// What the name of a metric says about its unit, by the conventions of Prometheus.
fn unit(name: &str) -> Quantity {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&["_milliseconds", "_millis", "_ms"]) {
        Quantity::Milliseconds
    } else if ends(&["_seconds"]) {
        Quantity::Seconds
    } else {
        Quantity::Unknown
    }
}

/// Whether the answer is NaN while nothing happens: counters that stand still have a rate of 0, and 0 / 0 is NaN, as is a
/// quantile of no observations. A comparison of the answer or of what stands below removes it.
pub(super) fn nan_when_idle(expr: &Expr) -> bool {
    match &expr.node {
        Node::Unary { inner, .. } => nan_when_idle(inner),
        Node::Call { function, args } if function.name == "histogram_quantile" => metric_flows(&args[1]),
        Node::Call { function, args } if matches!(function.name, "scalar" | "abs" | "round" | "clamp_min") => {
            nan_when_idle(&args[0])
        }
        Node::Binary(binary) => {
            let Binary { operator, left, right, .. } = &**binary;
            match operator {
                Operator::Div if is_flow(right) && is_flow(above(left)) => true,
                operator if operator.is_comparison() => false,
                operator if operator.is_set() => nan_when_idle(left),
                _ => nan_when_idle(left) || nan_when_idle(right),
            }
        }
        _ => false,
    }
}

fn metric_flows(expr: &Expr) -> bool {
    is_flow(expr) && !reads(expr).is_empty() || metric(expr).is_some()
}
