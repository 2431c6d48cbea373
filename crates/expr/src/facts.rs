//! What a linter can know about a condition before any measurement.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::Span;
use crate::eval::{self, Work};
use crate::function::Function;
use crate::program::Budget;
use crate::syntax::{Comparison, Expr, Node, Operator};
use crate::value::Value;

/// Work for a part of a condition that has no result in it; such parts are short.
const CONSTANT_BUDGET: Budget = Budget::new(10_000);

/// What is known about a condition without a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// False when no result makes the condition true.
    pub can_hold: bool,
    /// False when no result makes the condition false. When both are false, every evaluation is an error.
    pub can_fail: bool,
    /// The parts of the result that the condition reads, in the order of the source.
    pub fields: Vec<Field>,
    /// The numbers that parts of the result are compared with.
    pub thresholds: Vec<Threshold>,
}

/// A part of the result that a condition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `result`, `result[0]`, `result.a.b`, `result.values[*].v`; `[?]` stands for a computed key.
    pub path: String,
    /// Where it is read.
    pub span: Span,
}

/// A comparison of something with a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// What is compared, as written: `result[0]`, `len(result)`.
    pub subject: String,
    /// Where the subject stands.
    pub subject_span: Span,
    /// How, with the subject on the left: `0.05 > result[0]` is `Less`.
    pub comparison: Comparison,
    /// The number.
    pub value: f64,
    /// Where the number stands.
    pub value_span: Span,
}

pub(crate) fn of(expr: &Expr, source: &str) -> Facts {
    let mut reader =
        Reader { source, lists: Vec::new(), names: Vec::new(), fields: Vec::new(), thresholds: Vec::new() };
    reader.visit(expr);
    let (can_hold, can_fail) = possible(expr, source);
    Facts { can_hold, can_fail, fields: reader.fields, thresholds: reader.thresholds }
}

struct Reader<'s> {
    source: &'s str,
    /// Paths of the lists whose elements `#` stands for.
    lists: Vec<Option<String>>,
    names: Vec<(Arc<str>, Option<String>)>,
    fields: Vec<Field>,
    thresholds: Vec<Threshold>,
}

impl Reader<'_> {
    fn visit(&mut self, expr: &Expr) {
        if let Some(path) = self.path(expr) {
            self.fields.push(Field { path, span: expr.span });
            self.visit_keys(expr);
            return;
        }
        self.thresholds.extend(thresholds(expr, self.source));
        match &expr.node {
            Node::Loop { list, body, extra, .. } => {
                self.visit(list);
                self.lists.push(self.path(list));
                if let Some(body) = body {
                    self.visit(body);
                }
                self.lists.pop();
                if let Some(extra) = extra {
                    self.visit(extra);
                }
            }
            Node::Let { name, value, body } => {
                self.visit(value);
                self.names.push((name.clone(), self.path(value)));
                self.visit(body);
                self.names.pop();
            }
            node => {
                for child in node.children() {
                    self.visit(child);
                }
            }
        }
    }

    /// Computed keys of a path read the result too.
    fn visit_keys(&mut self, expr: &Expr) {
        match &expr.node {
            Node::Chain(inner) => self.visit_keys(inner),
            Node::Member { base, key, .. } => {
                self.visit_keys(base);
                self.visit(key);
            }
            _ => {}
        }
    }

    fn path(&self, expr: &Expr) -> Option<String> {
        match &expr.node {
            Node::Name(name) => match self.names.iter().rev().find(|(known, _)| known == name) {
                Some((_, path)) => path.clone(),
                None => Some("result".to_owned()),
            },
            Node::Element => self.lists.last()?.as_ref().map(|list| format!("{list}[*]")),
            Node::Chain(inner) => self.path(inner),
            Node::Member { base, key, .. } => {
                let base = self.path(base)?;
                Some(match (&key.node, number(key)) {
                    (Node::Str(name), _) => format!("{base}.{name}"),
                    (_, Some(index)) => format!("{base}[{index}]"),
                    _ => format!("{base}[?]"),
                })
            }
            _ => None,
        }
    }
}

/// The number that `expr` is, if it is written as one.
fn number(expr: &Expr) -> Option<f64> {
    match &expr.node {
        Node::Int(i) => Some(*i as f64),
        Node::Float(x) => Some(*x),
        Node::Negate(inner) => number(inner).map(|x| -x),
        Node::Plus(inner) => number(inner),
        _ => None,
    }
}

/// The comparisons with a number that `expr` itself makes.
fn thresholds(expr: &Expr, source: &str) -> Vec<Threshold> {
    let pairs: Vec<(&Expr, Comparison, &Expr)> = match &expr.node {
        Node::Order(first, rest) => {
            let lefts = std::iter::once(&**first).chain(rest.iter().map(|(_, right)| right));
            lefts.zip(rest).map(|(left, (comparison, right))| (left, *comparison, right)).collect()
        }
        Node::Binary(Operator::Equal, left, right) => vec![(left, Comparison::Equal, right)],
        Node::Binary(Operator::NotEqual, left, right) => vec![(left, Comparison::NotEqual, right)],
        _ => Vec::new(),
    };
    let make = |subject: &Expr, comparison, value, place: &Expr| Threshold {
        subject: source[subject.span.start..subject.span.end].to_owned(),
        subject_span: subject.span,
        comparison,
        value,
        value_span: place.span,
    };
    pairs
        .into_iter()
        .filter_map(|(left, comparison, right)| match (number(left), number(right)) {
            (None, Some(value)) => Some(make(left, comparison, value, right)),
            (Some(value), None) => Some(make(right, comparison.mirrored(), value, left)),
            _ => None,
        })
        .collect()
}

/// Whether the value of `expr` can differ from result to result.
fn varies(expr: &Expr) -> bool {
    let reads = match &expr.node {
        Node::Name(name) => name.as_ref() == "result",
        Node::Call(Function::IsNil | Function::Default, _) => true,
        _ => false,
    };
    reads || expr.node.children().into_iter().any(varies)
}

/// Whether some result can make `expr` true, and whether some can make it false.
fn possible(expr: &Expr, source: &str) -> (bool, bool) {
    if !varies(expr) {
        let mut work = Work::new(CONSTANT_BUDGET);
        return match eval::eval(expr, &Value::Nil, &[], &mut work) {
            Ok(Value::Bool(answer)) => (answer, !answer),
            _ if work.is_spent() => (true, true),
            _ => (false, false),
        };
    }
    match &expr.node {
        Node::Not(inner) => {
            let (holds, fails) = possible(inner, source);
            (fails, holds)
        }
        Node::Binary(Operator::And, left, right) => {
            let (left_holds, left_fails) = possible(left, source);
            let (right_holds, right_fails) = possible(right, source);
            let holds = left_holds && right_holds && !contradicts(expr, source);
            (holds, left_fails || left_holds && right_fails)
        }
        Node::Binary(Operator::Or, left, right) => {
            let (left_holds, left_fails) = possible(left, source);
            let (right_holds, right_fails) = possible(right, source);
            (left_holds || left_fails && right_holds, left_fails && right_fails)
        }
        Node::Order(..) => (!contradicts(expr, source), true),
        Node::If { condition, then: Some(then), other } => {
            let (holds, fails) = possible(condition, source);
            let (then, other) = (possible(then, source), possible(other, source));
            (holds && then.0 || fails && other.0, holds && then.1 || fails && other.1)
        }
        _ => (true, true),
    }
}

/// Whether the comparisons joined by `&&` leave some subject no number at all, as in `result > 1 && result < 0`.
fn contradicts(expr: &Expr, source: &str) -> bool {
    let mut joined = Vec::new();
    conjuncts(expr, source, &mut joined);
    // Lowest and highest number that is left, and whether each bound is itself excluded.
    let mut bounds: BTreeMap<&str, (f64, bool, f64, bool)> = BTreeMap::new();
    for threshold in &joined {
        let entry = bounds.entry(&threshold.subject).or_insert((f64::NEG_INFINITY, false, f64::INFINITY, false));
        let value = threshold.value;
        let open = matches!(threshold.comparison, Comparison::Less | Comparison::Greater);
        let raises =
            matches!(threshold.comparison, Comparison::Greater | Comparison::GreaterOrEqual | Comparison::Equal);
        let lowers = matches!(threshold.comparison, Comparison::Less | Comparison::LessOrEqual | Comparison::Equal);
        if raises && (value > entry.0 || value == entry.0 && open) {
            (entry.0, entry.1) = (value, open);
        }
        if lowers && (value < entry.2 || value == entry.2 && open) {
            (entry.2, entry.3) = (value, open);
        }
    }
    bounds.values().any(|(low, low_open, high, high_open)| low > high || low == high && (*low_open || *high_open))
}

fn conjuncts(expr: &Expr, source: &str, out: &mut Vec<Threshold>) {
    match &expr.node {
        Node::Binary(Operator::And, left, right) => {
            conjuncts(left, source, out);
            conjuncts(right, source, out);
        }
        _ => out.extend(thresholds(expr, source)),
    }
}
