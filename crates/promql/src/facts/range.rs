//! The numbers that an answer can have at all, by interval arithmetic over the query.

use super::{quantity, reads};
use crate::syntax::{Aggregator, Binary, Expr, Kind, Node, Operator};

/// Bounds of the buckets of a histogram, by the name of its `_bucket` series: the lowest and the highest finite bound.
pub type Buckets<'b> = &'b dyn Fn(&str) -> Option<(f64, f64)>;

/// Numbers from `low` to `high`, both included; NaN is none of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// No number is lower; may be infinite.
    pub low: f64,
    /// No number is higher; may be infinite.
    pub high: f64,
}

impl Range {
    /// Every number.
    pub const ANY: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };
    const COUNT: Range = Range { low: 0.0, high: f64::INFINITY };

    fn new(low: f64, high: f64) -> Range {
        // Infinities of both signs that meet say nothing.
        if low.is_nan() || high.is_nan() || low > high { Range::ANY } else { Range { low, high } }
    }

    fn at(number: f64) -> Range {
        Range::new(number, number)
    }

    fn negated(self) -> Range {
        Range::new(-self.high, -self.low)
    }

    fn with(self, other: Range) -> Range {
        Range::new(self.low.min(other.low), self.high.max(other.high))
    }

    fn added(self, other: Range) -> Range {
        Range::new(self.low + other.low, self.high + other.high)
    }

    fn multiplied(self, other: Range) -> Range {
        // A bound that is not reached gives nothing with 0.
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        Range::around([
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ])
    }

    /// From the lowest of these corners to the highest; nothing is known if one is none.
    fn around(corners: [f64; 4]) -> Range {
        if corners.iter().any(|corner| corner.is_nan()) {
            return Range::ANY;
        }
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
        Range::new(low, corners.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    /// `counts` says that what stands below is never the negative zero, by which a positive number gives a negative infinity.
    fn divided(self, other: Range, counts: bool) -> Range {
        if other.low > 0.0 || other.high < 0.0 {
            return Range::around([
                self.low / other.low,
                self.low / other.high,
                self.high / other.low,
                self.high / other.high,
            ]);
        }
        if self.low >= 0.0 && other.low >= 0.0 && counts { Range::COUNT } else { Range::ANY }
    }

    fn absolute(self) -> Range {
        match (self.low >= 0.0, self.high <= 0.0) {
            (true, _) => self,
            (_, true) => self.negated(),
            _ => Range::new(0.0, self.high.max(-self.low)),
        }
    }

    fn at_least(self, low: f64) -> Range {
        Range::new(self.low.max(low), self.high.max(low))
    }

    fn at_most(self, high: f64) -> Range {
        Range::new(self.low.min(high), self.high.min(high))
    }

    /// What of these numbers is in another range; nothing is known if none is.
    fn within(self, other: Range) -> Range {
        Range::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// The sum of one or more of these numbers.
    fn summed(self) -> Range {
        Range::new(
            if self.low >= 0.0 { self.low } else { f64::NEG_INFINITY },
            if self.high <= 0.0 { self.high } else { f64::INFINITY },
        )
    }
}

pub(crate) fn of(expr: &Expr, buckets: Buckets<'_>) -> Range {
    match &expr.node {
        Node::Number(number) => Range::at(*number),
        Node::Text(_) => Range::ANY,
        Node::Selector(_) | Node::Range { .. } => of_series(super::metric(expr).unwrap_or_default()),
        Node::Subquery(subquery) => of(&subquery.inner, buckets),
        Node::Unary { negate, inner } => {
            let inner = of(inner, buckets);
            if *negate { inner.negated() } else { inner }
        }
        Node::Binary(binary) if is_part(binary) => match quantity::of(expr) {
            quantity::Quantity::Share => Range::new(0.0, 1.0),
            quantity::Quantity::Percent => Range::new(0.0, 100.0),
            _ => of_binary(binary, buckets),
        },
        Node::Binary(binary) => of_binary(binary, buckets),
        Node::Call { function, args } => of_call(function.name, args, buckets),
        Node::Aggregate(aggregate) => {
            let inner = || of(&aggregate.inner, buckets);
            match aggregate.operator {
                Aggregator::Sum => inner().summed(),
                Aggregator::Count | Aggregator::CountValues => Range::new(1.0, f64::INFINITY),
                Aggregator::Group => Range::at(1.0),
                Aggregator::Stddev | Aggregator::Stdvar => Range::COUNT,
                Aggregator::Quantile if !aggregate.parameter.as_ref().is_some_and(is_quantile) => Range::ANY,
                _ => inner(),
            }
        }
    }
}

/// What the name of a metric promises, by the conventions of Prometheus.
fn of_series(metric: &str) -> Range {
    match metric {
        "up" => Range::new(0.0, 1.0),
        _ if ["_total", "_bucket", "_count"].iter().any(|ending| metric.ends_with(ending)) => Range::COUNT,
        _ => Range::ANY,
    }
}

fn is_quantile(expr: &Expr) -> bool {
    matches!(expr.node, Node::Number(number) if (0.0..=1.0).contains(&number))
}

fn number(expr: &Expr) -> Option<f64> {
    match &expr.node {
        Node::Number(number) => Some(*number),
        Node::Unary { negate: true, inner } => number(inner).map(|number| -number),
        _ => None,
    }
}

/// Whether a division of flows that are parts of others cannot exceed 1: both are counted over the same time in the same way,
/// and what is put in for no part is nothing.
fn is_part(binary: &Binary) -> bool {
    let flow = |expr: &Expr| -> Vec<(String, i64)> {
        let mut found = Vec::new();
        super::each(expr, &mut |expr| {
            if let Node::Call { function, args } = &expr.node {
                found.extend(args.iter().filter_map(|arg| super::window(function.name, arg)));
            }
        });
        found.into_iter().map(|window| (window.function, window.range_ms)).collect()
    };
    binary.operator == Operator::Div
        && is_counted(&binary.left)
        && is_counted_below(&binary.right)
        && matches!((flow(&binary.left).as_slice(), flow(&binary.right).as_slice()), ([a], [b]) if a == b)
}

/// A flow, also in other units, where none is counted as 0.
fn is_counted(expr: &Expr) -> bool {
    match &expr.node {
        Node::Binary(binary) if binary.operator == Operator::Or => {
            is_counted(&binary.left) && of(&binary.right, &|_| None) == Range::at(0.0)
        }
        _ => super::times(expr).map_or_else(|| super::is_flow(expr), |(_, inner)| is_counted(inner)),
    }
}

/// A flow, where less than some number is left out or counted as that.
fn is_counted_below(expr: &Expr) -> bool {
    match &expr.node {
        Node::Binary(binary) => binary.operator.is_comparison() && !binary.returns_bool && super::is_flow(&binary.left),
        Node::Call { function, args } if function.name == "clamp_min" => super::is_flow(&args[0]),
        _ => super::is_flow(expr),
    }
}

fn of_binary(binary: &Binary, buckets: Buckets<'_>) -> Range {
    let Binary { operator, left, right, returns_bool, .. } = binary;
    let (a, b) = (of(left, buckets), of(right, buckets));
    match operator {
        operator if operator.is_comparison() && *returns_bool => Range::new(0.0, 1.0),
        Operator::Add => a.added(b),
        Operator::Sub => a.added(b.negated()),
        Operator::Mul => a.multiplied(b),
        Operator::Div => a.divided(b, is_counted_below(right) || super::metric(right).is_some()),
        Operator::Pow if a.low > 0.0 => Range::COUNT,
        Operator::Mod | Operator::Pow | Operator::Atan2 => Range::ANY,
        Operator::Or => a.with(b),
        Operator::And | Operator::Unless => a,
        _ => {
            // A comparison leaves the elements that meet it; of a number and a vector those of the vector.
            let (kept, operator, other) = match (left.kind(), right.kind()) {
                (Kind::Scalar, Kind::Vector) => (b, mirrored(*operator), a),
                _ => (a, *operator, b),
            };
            match operator {
                Operator::Greater | Operator::GreaterEqual => kept.within(Range::new(other.low, f64::INFINITY)),
                Operator::Less | Operator::LessEqual => kept.within(Range::new(f64::NEG_INFINITY, other.high)),
                Operator::Equal => kept.within(other),
                _ => kept,
            }
        }
    }
}

/// The comparison with its sides exchanged.
fn mirrored(operator: Operator) -> Operator {
    match operator {
        Operator::Less => Operator::Greater,
        Operator::LessEqual => Operator::GreaterEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterEqual => Operator::LessEqual,
        operator => operator,
    }
}
fn of_call(function: &str, args: &[Expr], buckets: Buckets<'_>) -> Range {
    let arg = |i: usize| args.get(i).map_or(Range::ANY, |arg| of(arg, buckets));
    match function {
        "rate" | "irate" | "increase" | "count_over_time" | "changes" | "resets" | "stddev_over_time"
        | "stdvar_over_time" | "sqrt" | "exp" => Range::COUNT,
        "absent" | "absent_over_time" | "present_over_time" => Range::at(1.0),
        "sgn" => Range::new(-1.0, 1.0),
        "abs" => arg(0).absolute(),
        "min_over_time" | "max_over_time" | "avg_over_time" | "last_over_time" | "scalar" | "vector" | "sort"
        | "sort_desc" | "label_replace" | "label_join" => arg(0),
        "quantile_over_time" if is_quantile(&args[0]) => arg(1),
        "sum_over_time" => arg(0).summed(),
        "ceil" | "floor" | "round" if args.len() == 1 => Range::new(arg(0).low.floor(), arg(0).high.ceil()),
        "clamp_min" => number(&args[1]).map_or(Range::ANY, |low| arg(0).at_least(low)),
        "clamp_max" => number(&args[1]).map_or(Range::ANY, |high| arg(0).at_most(high)),
        "clamp" => match (number(&args[1]), number(&args[2])) {
            (Some(low), Some(high)) if low <= high => arg(0).at_least(low).at_most(high),
            _ => Range::ANY,
        },
        "histogram_quantile" if is_quantile(&args[0]) => of_quantile(args, buckets),
        _ => Range::ANY,
    }
}

/// A quantile lies between 0 and the highest finite bound of the buckets, where the lowest is positive.
fn of_quantile(args: &[Expr], buckets: Buckets<'_>) -> Range {
    let found = reads(&args[1]);
    let [only] = found.as_slice() else { return Range::ANY };
    match buckets(&only.metric) {
        Some((low, high)) => Range::new(low.min(0.0), high),
        // Nothing takes less than no time.
        None if matches!(quantity::unit_of(&args[1]), quantity::Quantity::Unknown) => Range::ANY,
        None => Range::COUNT,
    }
}
