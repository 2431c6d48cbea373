//! The syntax tree of a condition.

use std::sync::Arc;

use regex::Regex;

use crate::error::Span;
use crate::function::{Function, Loop};

/// A part of a condition.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) span: Span,
    /// Number of the node, by which the checker leaves notes for the evaluator.
    pub(crate) id: u32,
    /// Height of the tree; bounded, so that recursion over it is safe.
    pub(crate) height: u16,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    Name(Arc<str>),
    /// `#`, the element that a predicate looks at.
    Element,
    /// `#acc` of `reduce`.
    Accumulator,
    /// `#index` of `map` and `reduce`.
    Index,
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Plus(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a < b <= c`: holds when every neighbouring pair does.
    Order(Box<Expr>, Vec<(Comparison, Expr)>),
    /// `text matches pattern`; a literal pattern is compiled once.
    Matches(Box<Expr>, Box<Expr>, Option<Regex>),
    Member {
        base: Box<Expr>,
        key: Box<Expr>,
        /// `?.`: nil instead of an error when the base is nil.
        optional: bool,
    },
    /// The extent of a `?.`: what is skipped when its base is nil.
    Chain(Box<Expr>),
    Slice {
        base: Box<Expr>,
        from: Option<Box<Expr>>,
        to: Option<Box<Expr>>,
    },
    Call(Function, Vec<Expr>),
    Loop {
        which: Loop,
        list: Box<Expr>,
        body: Option<Box<Expr>>,
        /// The initial value of `reduce`, the order of `sortBy`.
        extra: Option<Box<Expr>>,
    },
    Let {
        name: Arc<str>,
        value: Box<Expr>,
        body: Box<Expr>,
    },
    Sequence(Vec<Expr>),
    If {
        condition: Box<Expr>,
        /// None in `a ?: b`, where the condition itself is the answer.
        then: Option<Box<Expr>>,
        other: Box<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

/// Operators with two operands, the ordering ones excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Coalesce,
}

impl Operator {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Operator::Or => "||",
            Operator::And => "&&",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::In => "in",
            Operator::Contains => "contains",
            Operator::StartsWith => "startsWith",
            Operator::EndsWith => "endsWith",
            Operator::Range => "..",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Power => "**",
            Operator::Coalesce => "??",
        }
    }
}

/// How a result is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Comparison {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
        }
    }

    /// The comparison with its sides exchanged: `0.05 > result` says `result < 0.05`.
    pub(crate) fn mirrored(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same => same,
        }
    }
}

impl Node {
    /// The parts of which this node is made, in the order of the source.
    pub(crate) fn children(&self) -> Vec<&Expr> {
        fn some(part: &Option<Box<Expr>>) -> Option<&Expr> {
            part.as_deref()
        }
        match self {
            Node::Nil | Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Str(_) => Vec::new(),
            Node::Name(_) | Node::Element | Node::Accumulator | Node::Index => Vec::new(),
            Node::Not(part) | Node::Negate(part) | Node::Plus(part) | Node::Chain(part) => {
                vec![part]
            }
            Node::Binary(_, left, right) | Node::Matches(left, right, _) => vec![left, right],
            Node::Order(first, rest) => std::iter::once(&**first).chain(rest.iter().map(|(_, e)| e)).collect(),
            Node::Member { base, key, .. } => vec![base, key],
            Node::Slice { base, from, to } => std::iter::once(&**base).chain(some(from)).chain(some(to)).collect(),
            Node::Call(_, parts) | Node::Sequence(parts) | Node::List(parts) => parts.iter().collect(),
            Node::Loop { list, body, extra, .. } => {
                std::iter::once(&**list).chain(some(body)).chain(some(extra)).collect()
            }
            Node::Let { value, body, .. } => vec![value, body],
            Node::If { condition, then, other } => {
                std::iter::once(&**condition).chain(some(then)).chain(std::iter::once(&**other)).collect()
            }
            Node::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
        }
    }
}
