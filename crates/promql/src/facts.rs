//! What a linter can know about a query before any data: which series it reads, what its numbers are, and what cannot be
//! meant.

mod absence;
mod centre;
mod oddity;
mod quantity;
mod range;

use crate::matcher::{Matcher, Test};
use crate::syntax::{Aggregate, Binary, Expr, Node, Operator, Selector, Subquery};

pub use centre::Centred;
pub use oddity::{Oddity, OddityKind};
pub use quantity::Quantity;
pub use range::{Buckets, Range};

pub(crate) use range::of as range;

/// What is known about a query without data.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The series that it reads, in the order of the text.
    pub reads: Vec<Reads>,
    /// Labels by which some aggregation in it groups.
    pub groups: Vec<String>,
    /// Labels that tell the elements of the answer apart; empty if there is at most one element or nothing is known.
    pub apart: Vec<String>,
    /// What the numbers of the answer are.
    pub quantity: Quantity,
    /// The quantile of a histogram that the answer is, from 0 to 1: the first of the text.
    pub quantile: Option<f64>,
    /// Divisions of one flow of events by another.
    pub ratios: Vec<Ratio>,
    /// The answer is NaN, and not empty, while the series that it reads stand still: a division by nothing, or a quantile
    /// of nothing.
    pub nan_when_idle: bool,
    /// Selectors of failed requests without which the answer is empty: while nothing fails there are no such series.
    pub needs_failures: Vec<Reads>,
    /// Distances of shares from fixed numbers.
    pub centred: Vec<Centred>,
    /// Functions over ranges of time, in the order of the text.
    pub windows: Vec<Window>,
    /// What cannot be meant.
    pub oddities: Vec<Oddity>,
}

/// A range of time that a function looks back over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The function: `rate`, `max_over_time`.
    pub function: String,
    /// How far back, in milliseconds.
    pub range_ms: i64,
    /// First byte of the range in the query, the selector included.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// One selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// The name of the metric; empty if the selector names none, or several.
    pub metric: String,
    /// The conditions on its other labels.
    pub conditions: Vec<Condition>,
    /// First byte of the selector in the query.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// A condition on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The label.
    pub label: String,
    /// What it is compared with; a pattern for `=~` and `!~`.
    pub value: String,
    /// `!=` or `!~`.
    pub negated: bool,
}

/// A division of one flow of events by another, such as errors by requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ratio {
    /// What is read above.
    pub above: Vec<Reads>,
    /// What is read below.
    pub below: Vec<Reads>,
    /// First byte of the division in the query.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

pub(crate) fn of(root: &Expr) -> Facts {
    let mut facts = Facts {
        reads: reads(root),
        groups: Vec::new(),
        apart: apart(root),
        quantity: quantity::of(root),
        quantile: None,
        ratios: Vec::new(),
        nan_when_idle: quantity::nan_when_idle(root),
        needs_failures: absence::of(root),
        centred: centre::of(root),
        windows: Vec::new(),
        oddities: oddity::of(root),
    };
    each(root, &mut |expr| match &expr.node {
        Node::Call { function, args } => {
            facts.windows.extend(args.iter().filter_map(|arg| window(function.name, arg)));
            if let ("histogram_quantile", Some(Node::Number(number))) =
                (function.name, args.first().map(|arg| &arg.node))
                && (0.0..=1.0).contains(number)
            {
                facts.quantile.get_or_insert(*number);
            }
        }
        Node::Aggregate(aggregate) if !aggregate.without => {
            facts.groups.extend(aggregate.names.iter().map(|name| name.to_string()));
        }
        Node::Binary(binary) if binary.operator == Operator::Div => {
            let (above, below) = (above(&binary.left), below(&binary.right));
            if is_flow(above) && is_flow(below) {
                let ratio =
                    Ratio { above: reads(above), below: reads(below), start: expr.span.start, end: expr.span.end };
                facts.ratios.push(ratio);
            }
        }
        _ => {}
    });
    facts
}

fn window(function: &str, arg: &Expr) -> Option<Window> {
    let range_ms = match &arg.node {
        Node::Range { range_ms, .. } => *range_ms,
        Node::Subquery(subquery) => subquery.range_ms,
        _ => return None,
    };
    Some(Window { function: function.to_owned(), range_ms, start: arg.span.start, end: arg.span.end })
}

/// Whether what is read from series with different values of a label is told apart in the answer, as far as the text says.
pub(crate) fn keeps_label(expr: &Expr, label: &str) -> bool {
    let named = |names: &[std::sync::Arc<str>]| names.iter().any(|name| &**name == label);
    match &expr.node {
        Node::Number(_) | Node::Text(_) | Node::Selector(_) | Node::Range { .. } => true,
        Node::Subquery(subquery) => keeps_label(&subquery.inner, label),
        Node::Unary { inner, .. } => keeps_label(inner, label),
        Node::Binary(binary) => {
            let compared = binary.matching.on == named(&binary.matching.names);
            let apart = binary.operator.is_set() || compared || binary.left.kind() != binary.right.kind();
            apart && keeps_label(&binary.left, label) && keeps_label(&binary.right, label)
        }
        Node::Call { function, args } => {
            let number_by_number = matches!(
                function.name,
                "abs" | "ceil" | "clamp" | "clamp_max" | "clamp_min" | "floor" | "round" | "sort" | "sort_desc"
            );
            number_by_number && keeps_label(&args[0], label)
        }
        Node::Aggregate(aggregate) => {
            named(&aggregate.names) != aggregate.without && keeps_label(&aggregate.inner, label)
        }
    }
}

/// Every expression of a tree, from the outside.
pub(crate) fn each<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e Expr)) {
    visit(expr);
    children(expr).into_iter().for_each(|child| each(child, visit));
}

pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    match &expr.node {
        Node::Number(_) | Node::Text(_) | Node::Selector(_) | Node::Range { .. } => Vec::new(),
        Node::Subquery(subquery) => {
            let Subquery { inner, .. } = &**subquery;
            vec![inner]
        }
        Node::Unary { inner, .. } => vec![inner],
        Node::Binary(binary) => {
            let Binary { left, right, .. } = &**binary;
            vec![left, right]
        }
        Node::Call { args, .. } => args.iter().collect(),
        Node::Aggregate(aggregate) => {
            let Aggregate { inner, parameter, .. } = &**aggregate;
            std::iter::once(inner).chain(parameter).collect()
        }
    }
}

fn reads(root: &Expr) -> Vec<Reads> {
    let mut found = Vec::new();
    each(root, &mut |expr| {
        if let Node::Selector(selector) | Node::Range { selector, .. } = &expr.node {
            found.push(read(selector, expr));
        }
    });
    found
}

fn read(selector: &Selector, expr: &Expr) -> Reads {
    let is_name = |matcher: &&Matcher| &*matcher.name == "__name__";
    let metric = selector.matchers.iter().find(|matcher| is_name(matcher) && matcher.is_equal());
    let others = selector.matchers.iter().filter(|matcher| !is_name(matcher));
    Reads {
        metric: metric.map(|matcher| matcher.value.to_string()).unwrap_or_default(),
        conditions: others
            .map(|matcher| Condition {
                label: matcher.name.to_string(),
                value: matcher.value.to_string(),
                negated: matches!(matcher.test, Test::NotEqual | Test::NotMatch(_)),
            })
            .collect(),
        start: expr.span.start,
        end: expr.span.end,
    }
}

/// The name of the metric that a selector reads.
fn metric(expr: &Expr) -> Option<&str> {
    let (Node::Selector(selector) | Node::Range { selector, .. }) = &expr.node else { return None };
    selector.matchers.iter().find(|m| &*m.name == "__name__" && m.is_equal()).map(|m| &*m.value)
}

/// What counts above a division: `x or vector(0)` and `100 * x` are `x`.
fn above(expr: &Expr) -> &Expr {
    match &expr.node {
        Node::Binary(binary) if binary.operator == Operator::Or => above(&binary.left),
        _ => times(expr).map_or(expr, |(_, inner)| above(inner)),
    }
}

/// The number and the other factor of a product with a number.
fn times(expr: &Expr) -> Option<(f64, &Expr)> {
    let Node::Binary(binary) = &expr.node else { return None };
    match (binary.operator, &binary.left.node, &binary.right.node) {
        (Operator::Mul, Node::Number(factor), _) => Some((*factor, &binary.right)),
        (Operator::Mul, _, Node::Number(factor)) => Some((*factor, &binary.left)),
        _ => None,
    }
}

/// What counts below a division: `x > 0` and `clamp_min(x, 1)` are `x`.
fn below(expr: &Expr) -> &Expr {
    match &expr.node {
        Node::Binary(binary) if binary.returns_bool => expr,
        Node::Binary(binary) if binary.operator.is_comparison() || binary.operator.is_set() => &binary.left,
        Node::Call { function, args } if matches!(function.name, "clamp_min" | "clamp" | "clamp_max") => &args[0],
        _ => expr,
    }
}

/// Whether an expression counts events per time: a rate, or a sum of rates.
fn is_flow(expr: &Expr) -> bool {
    match &expr.node {
        Node::Call { function, .. } => matches!(function.name, "rate" | "irate" | "increase"),
        Node::Aggregate(aggregate) => aggregate.operator == crate::syntax::Aggregator::Sum && is_flow(&aggregate.inner),
        _ => false,
    }
}

/// The labels that tell the elements of an answer apart, where an aggregation says them.
fn apart(expr: &Expr) -> Vec<String> {
    match &expr.node {
        Node::Aggregate(aggregate) if !aggregate.without => aggregate.names.iter().map(|n| n.to_string()).collect(),
        Node::Unary { inner, .. } => apart(inner),
        Node::Call { function, args } if function.name == "histogram_quantile" => {
            apart(&args[1]).into_iter().filter(|label| label != "le").collect()
        }
        Node::Binary(binary) => {
            let (left, right) = (apart(&binary.left), apart(&binary.right));
            if left.is_empty() { right } else { left }
        }
        _ => Vec::new(),
    }
}
