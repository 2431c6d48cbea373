//! What a query says and cannot mean.

use super::{children, each, metric};
use crate::syntax::{Aggregate, Aggregator, Expr, Node, Operator, Span};

/// A part of a query that cannot be meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Oddity {
    /// In which way.
    pub kind: OddityKind,
    /// First byte of the part.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// In which way a part of a query cannot be meant.
#[derive(Debug, Clone, PartialEq)]
pub enum OddityKind {
    /// The value of a counter since its process started, of a metric with this name.
    RawCounter(String),
    /// A quantile of buckets that were added up without their bound.
    QuantileWithoutBound,
    /// A quantile that is not between 0 and 1.
    QuantileOutOfRange(f64),
    /// A rate over a range of so many milliseconds, which may hold fewer than two samples.
    ShortRange(i64),
}

/// The usual interval of a Prometheus is 15 seconds and more: a shorter range holds fewer than two samples of it.
const RANGE_MIN_MS: i64 = 30_000;

pub(super) fn of(root: &Expr) -> Vec<Oddity> {
    let mut found = Vec::new();
    each(root, &mut |expr| {
        let mut push = |kind, Span { start, end }: Span| found.push(Oddity { kind, start, end });
        match &expr.node {
            Node::Call { function, args } => match function.name {
                "histogram_quantile" => {
                    quantile(&args[0], &mut push);
                    if without_bound(&args[1]) {
                        push(OddityKind::QuantileWithoutBound, args[1].span);
                    }
                }
                "quantile_over_time" => quantile(&args[0], &mut push),
                "rate" | "irate" | "increase" | "delta" | "idelta" | "deriv" => {
                    if let Node::Range { range_ms, .. } = args[0].node
                        && range_ms < RANGE_MIN_MS
                    {
                        push(OddityKind::ShortRange(range_ms), args[0].span);
                    }
                }
                _ => {}
            },
            Node::Aggregate(aggregate) if aggregate.operator == Aggregator::Quantile => {
                aggregate.parameter.iter().for_each(|parameter| quantile(parameter, &mut push));
            }
            _ => {}
        }
    });
    raw_counters(root, &mut found);
    found.sort_by_key(|oddity| oddity.start);
    found
}

fn quantile(parameter: &Expr, push: &mut impl FnMut(OddityKind, Span)) {
    if let Node::Number(number) = parameter.node
        && !(0.0..=1.0).contains(&number)
    {
        push(OddityKind::QuantileOutOfRange(number), parameter.span);
    }
}

/// Whether buckets are added up over their bounds, after which none is left to find a quantile with.
fn without_bound(expr: &Expr) -> bool {
    let Node::Aggregate(aggregate) = &expr.node else { return false };
    let Aggregate { names, without, .. } = &**aggregate;
    names.iter().any(|name| &**name == "le") == *without
}

/// Counters whose value since the start of their process is the answer or a part of it. The value only grows, so a limit
/// on it says how old the process is; only the quotient of two of them says something.
fn raw_counters(expr: &Expr, found: &mut Vec<Oddity>) {
    match &expr.node {
        Node::Selector(_) => {
            if let Some(name) = metric(expr).filter(|name| name.ends_with("_total") || name.ends_with("_bucket")) {
                let Span { start, end } = expr.span;
                found.push(Oddity { kind: OddityKind::RawCounter(name.to_owned()), start, end });
            }
        }
        Node::Aggregate(aggregate) if matches!(aggregate.operator, Aggregator::Count | Aggregator::Group) => {}
        Node::Binary(binary) if binary.operator == Operator::Div || binary.operator.is_set() => {
            if binary.operator.is_set() {
                raw_counters(&binary.left, found);
            }
        }
        // What changes over a range is not the value any more, and the others do not look at it.
        Node::Subquery(_) => {}
        Node::Call { function, .. }
            if matches!(function.name, "absent" | "timestamp" | "changes" | "histogram_quantile") => {}
        _ => children(expr).into_iter().for_each(|child| raw_counters(child, found)),
    }
}
