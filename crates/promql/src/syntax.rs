//! The syntax tree of a query, and how text becomes one.

mod duration;
mod parse;
mod token;

use std::sync::Arc;

pub(crate) use parse::parse;

use crate::dialect::Function;
use crate::matcher::Matcher;

/// A half-open range of byte offsets in the text of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    Vector,
    Range,
    Text,
}

impl Kind {
    /// The name that the documentation of Prometheus uses, with its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Scalar => "a scalar",
            Kind::Vector => "an instant vector",
            Kind::Range => "a range vector",
            Kind::Text => "a string",
        }
    }
}

/// An expression with its place.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) span: Span,
    /// Levels below and with this one. Bounded, because evaluating and dropping walk the tree by recursion.
    pub(crate) depth: usize,
    /// Whether it stands in parentheses; then it is no longer a selector that a range or an offset can follow.
    pub(crate) in_parentheses: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Number(f64),
    Text(String),
    Selector(Selector),
    Range { selector: Selector, range_ms: i64 },
    Subquery(Box<Subquery>),
    Unary { negate: bool, inner: Box<Expr> },
    Binary(Box<Binary>),
    Call { function: &'static Function, args: Vec<Expr> },
    Aggregate(Box<Aggregate>),
}

/// Which series.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
    /// Number of the selector within the query; a query looks its series up once.
    pub(crate) slot: usize,
}

/// Which time, instead of that of the query.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shift {
    pub(crate) offset_ms: Option<i64>,
    pub(crate) at: Option<At>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Time(i64),
    Start,
    End,
}

#[derive(Debug, Clone)]
pub(crate) struct Subquery {
    pub(crate) inner: Expr,
    pub(crate) range_ms: i64,
    pub(crate) step_ms: Option<i64>,
    pub(crate) shift: Shift,
}

#[derive(Debug, Clone)]
pub(crate) struct Binary {
    pub(crate) operator: Operator,
    pub(crate) left: Expr,
    pub(crate) right: Expr,
    /// A comparison that gives 0 or 1 instead of filtering.
    pub(crate) returns_bool: bool,
    pub(crate) matching: Matching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Unless,
}

impl Operator {
    pub(crate) fn is_comparison(self) -> bool {
        use Operator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
    }

    pub(crate) fn is_set(self) -> bool {
        matches!(self, Operator::And | Operator::Or | Operator::Unless)
    }
}

/// Which element of one side belongs to which of the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matching {
    /// Whether only `names` are compared, and not all others.
    pub(crate) on: bool,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) many: Many,
    /// Labels that the many take over from the one.
    pub(crate) include: Vec<Arc<str>>,
}

/// Which side may have many elements for one of the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Many {
    #[default]
    Neither,
    Left,
    Right,
}

#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) operator: Aggregator,
    pub(crate) inner: Expr,
    pub(crate) parameter: Option<Expr>,
    pub(crate) without: bool,
    pub(crate) names: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Quantile,
    TopK,
    BottomK,
    LimitK,
    CountValues,
}

impl Aggregator {
    /// What it takes before the vector, if anything.
    pub(crate) fn parameter(self) -> Option<Kind> {
        match self {
            Aggregator::Quantile | Aggregator::TopK | Aggregator::BottomK | Aggregator::LimitK => Some(Kind::Scalar),
            Aggregator::CountValues => Some(Kind::Text),
            _ => None,
        }
    }
}

impl Expr {
    pub(crate) fn kind(&self) -> Kind {
        match &self.node {
            Node::Number(_) => Kind::Scalar,
            Node::Text(_) => Kind::Text,
            Node::Selector(_) | Node::Aggregate(_) => Kind::Vector,
            Node::Range { .. } | Node::Subquery(_) => Kind::Range,
            Node::Unary { inner, .. } => inner.kind(),
            Node::Call { function, .. } => function.gives,
            Node::Binary(binary) => match (binary.left.kind(), binary.right.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
        }
    }
}
