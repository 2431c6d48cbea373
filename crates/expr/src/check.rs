//! Static types: refuses what cannot work for a result of a given shape, as the original's compile step does.

pub(crate) mod call;
mod kind;

use std::sync::Arc;

pub(crate) use kind::Type;

use crate::error::{EvalError, Span};
use crate::syntax::{Expr, Node, Operator};

/// What the checker found about one condition and one shape of result.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// Type of the whole condition.
    pub(crate) outcome: Type,
    /// Ids of the `==` and `!=` nodes whose sides are both known to be int, or both text. The original compares
    /// those without looking at the kind again, and fails when one turns out to be nil after all.
    pub(crate) exact: Vec<u32>,
}

/// Checks `expr` for results of type `result`.
//= compat: 3.10-2
pub(crate) fn check(expr: &Expr, result: Type) -> Result<Checked, EvalError> {
    let mut checker = Checker { result, names: Vec::new(), scopes: Vec::new(), exact: Vec::new() };
    let outcome = checker.visit(expr)?;
    checker.exact.sort_unstable();
    Ok(Checked { outcome, exact: checker.exact })
}

/// The list that the body of a looping function looks at.
struct Scope {
    list: Type,
    has_index: bool,
    has_accumulator: bool,
}

struct Checker {
    result: Type,
    names: Vec<(Arc<str>, Type)>,
    scopes: Vec<Scope>,
    exact: Vec<u32>,
}

type Visited = Result<Type, EvalError>;

fn fail(span: Span, message: impl Into<String>) -> Visited {
    Err(EvalError::new(span, message))
}

impl Checker {
    fn visit(&mut self, expr: &Expr) -> Visited {
        let span = expr.span;
        match &expr.node {
            Node::Nil => Ok(Type::Nil),
            Node::Bool(_) => Ok(Type::Bool),
            Node::Int(_) => Ok(Type::Int),
            Node::Float(_) => Ok(Type::Float),
            Node::Str(_) => Ok(Type::Str),
            Node::Name(name) => self.name(name, span),
            Node::Element | Node::Accumulator | Node::Index => self.element(expr),
            Node::Not(operand) => match self.visit(operand)? {
                kind if kind == Type::Bool || kind.is_open() => Ok(Type::Bool),
                kind => fail(span, format!("! needs a boolean, not {kind}")),
            },
            Node::Negate(operand) | Node::Plus(operand) => match self.visit(operand)? {
                kind if kind.is_number() => Ok(kind),
                kind if kind.is_open() => Ok(Type::Unknown),
                kind => fail(span, format!("a sign needs a number, not {kind}")),
            },
            Node::Binary(operator, left, right) => self.binary(expr, *operator, left, right),
            Node::Order(first, rest) => {
                let mut left = self.visit(first)?;
                for (comparison, next) in rest {
                    let right = self.visit(next)?;
                    let fits = left.is_number() && right.is_number()
                        || left == Type::Str && right == Type::Str
                        || left.may_fit(&right, |t| t.is_number() || *t == Type::Str);
                    if !fits {
                        return mismatch(span, comparison.symbol(), &left, &right);
                    }
                    left = right;
                }
                Ok(Type::Bool)
            }
            Node::Matches(left, right, _) => self.texts(span, "matches", left, right),
            Node::Member { base, key, .. } => self.member(base, key),
            Node::Chain(inner) => self.visit(inner),
            Node::Slice { base, from, to } => {
                let kind = self.visit(base)?;
                for bound in [from, to].into_iter().flatten() {
                    let index = self.visit(bound)?;
                    if index != Type::Int && !index.is_open() {
                        return fail(bound.span, format!("a slice needs whole numbers, not {index}"));
                    }
                }
                match kind {
                    kind if kind.is_open() => Ok(Type::Unknown),
                    kind if kind == Type::Str || kind.is_list() => Ok(kind),
                    kind => fail(span, format!("cannot slice {kind}")),
                }
            }
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Loop { which, list, body, extra } => self.looping(*which, list, body.as_deref(), extra.as_deref()),
            Node::Let { name, value, body } => {
                let taken = name.as_ref() == "result" || self.names.iter().any(|(n, _)| n == name);
                if taken || crate::function::is_function_name(name) {
                    return fail(span, format!("{name} is already defined"));
                }
                let kind = self.visit(value)?;
                self.names.push((name.clone(), kind));
                let outcome = self.visit(body);
                self.names.pop();
                outcome
            }
            Node::Sequence(parts) => {
                let mut last = Type::Nil;
                for part in parts {
                    last = self.visit(part)?;
                }
                Ok(last)
            }
            Node::If { condition, then, other } => self.conditional(condition, then.as_deref(), other),
            Node::List(items) => self.list(items),
            Node::Map(pairs) => {
                for (key, value) in pairs {
                    self.visit(key)?;
                    self.visit(value)?;
                }
                Ok(Type::Map { any_key: false, element: Box::new(Type::Any) })
            }
        }
    }

    fn name(&self, name: &str, span: Span) -> Visited {
        if let Some((_, kind)) = self.names.iter().rev().find(|(known, _)| known.as_ref() == name) {
            return Ok(kind.clone());
        }
        if name == "result" {
            return Ok(self.result.clone());
        }
        fail(span, format!("unknown name {name}"))
    }

    fn element(&self, expr: &Expr) -> Visited {
        let scope = self.scopes.last();
        match (&expr.node, scope) {
            (Node::Element, Some(scope)) => Ok(scope.list.element()),
            (Node::Index, Some(scope)) if scope.has_index => Ok(Type::Int),
            (Node::Accumulator, Some(scope)) if scope.has_accumulator => Ok(Type::Unknown),
            (Node::Index, Some(_)) => fail(expr.span, "#index exists in map and reduce only"),
            (Node::Accumulator, Some(_)) => fail(expr.span, "#acc exists in reduce only"),
            _ => fail(expr.span, "# stands for an element, inside filter, all, any and the like"),
        }
    }

    fn texts(&mut self, span: Span, symbol: &str, left: &Expr, right: &Expr) -> Visited {
        let (left, right) = (self.visit(left)?, self.visit(right)?);
        let fits = left == Type::Str && right == Type::Str || left.may_fit(&right, |t| *t == Type::Str);
        if fits { Ok(Type::Bool) } else { mismatch(span, symbol, &left, &right) }
    }

    fn binary(&mut self, expr: &Expr, operator: Operator, left: &Expr, right: &Expr) -> Visited {
        use Operator as Op;
        if matches!(operator, Op::Contains | Op::StartsWith | Op::EndsWith) {
            return self.texts(expr.span, operator.symbol(), left, right);
        }
        if operator == Op::Remainder && matches!((&left.node, &right.node), (Node::Int(_), Node::Int(0))) {
            return fail(expr.span, "division by zero");
        }
        let (l, r) = (self.visit(left)?, self.visit(right)?);
        let numbers = l.is_number() && r.is_number();
        let maybe_numbers = numbers || l.may_fit(&r, Type::is_number);
        let found = match operator {
            Op::Equal | Op::NotEqual => {
                if l == r && matches!(l, Type::Int | Type::Str) {
                    self.exact.push(expr.id);
                }
                l.comparable(&r).then_some(Type::Bool)
            }
            Op::Or | Op::And => {
                let fits = l == Type::Bool && r == Type::Bool || l.may_fit(&r, |t| *t == Type::Bool);
                fits.then_some(Type::Bool)
            }
            Op::Add if l == Type::Str && r == Type::Str => Some(Type::Str),
            Op::Add if !numbers => l.may_fit(&r, |t| t.is_number() || *t == Type::Str).then_some(Type::Unknown),
            Op::Add | Op::Subtract | Op::Multiply if numbers => {
                Some(if l == Type::Int && r == Type::Int { Type::Int } else { Type::Float })
            }
            Op::Add | Op::Subtract | Op::Multiply => maybe_numbers.then_some(Type::Unknown),
            Op::Divide | Op::Power => maybe_numbers.then_some(Type::Float),
            Op::Remainder | Op::Range => {
                let fits = l == Type::Int && r == Type::Int || l.may_fit(&r, |t| *t == Type::Int);
                fits.then_some(if operator == Op::Range { Type::List(Box::new(Type::Int)) } else { Type::Int })
            }
            Op::In => return self.membership(expr.span, &l, &r),
            Op::Coalesce => Some(match (&l, &r) {
                (Type::Nil, _) => r.clone(),
                (_, Type::Nil) => l.clone(),
                _ if r.assignable_to(&l) => l.clone(),
                _ => Type::Unknown,
            }),
            Op::Contains | Op::StartsWith | Op::EndsWith => None,
        };
        found.map_or_else(|| mismatch(expr.span, operator.symbol(), &l, &r), Ok)
    }

    fn membership(&self, span: Span, needle: &Type, place: &Type) -> Visited {
        match place {
            Type::Map { any_key, .. } => {
                if *any_key || needle.is_open() || *needle == Type::Str {
                    return Ok(Type::Bool);
                }
                fail(span, format!("{needle} cannot be a key of this map"))
            }
            _ if place.is_list() => {
                if needle.comparable(&place.element()) {
                    return Ok(Type::Bool);
                }
                fail(span, format!("{needle} cannot be in a list of {}", place.element()))
            }
            Type::Str if needle.is_open() => Ok(Type::Bool),
            _ if place.is_open() => Ok(Type::Bool),
            _ => mismatch(span, "in", needle, place),
        }
    }

    fn member(&mut self, base: &Expr, key: &Expr) -> Visited {
        let (kind, index) = (self.visit(base)?, self.visit(key)?);
        match (&kind, &key.node) {
            _ if kind.is_open() => Ok(Type::Unknown),
            (Type::Map { any_key, element }, _) => {
                if *any_key || index == Type::Str || index.is_open() {
                    return Ok((**element).clone());
                }
                fail(key.span, format!("{index} cannot be a key of this map"))
            }
            _ if kind.is_list() => {
                if index == Type::Int || index.is_open() {
                    return Ok(kind.element());
                }
                fail(key.span, format!("an element of a list is selected by a whole number, not {index}"))
            }
            (_, Node::Str(name)) => fail(key.span, format!("{kind} has no field {name}")),
            _ => fail(key.span, format!("{kind} has no elements")),
        }
    }

    fn conditional(&mut self, condition: &Expr, then: Option<&Expr>, other: &Expr) -> Visited {
        let kind = self.visit(condition)?;
        if kind != Type::Bool && !kind.is_open() {
            return fail(condition.span, format!("expected a boolean condition, not {kind}"));
        }
        let first = match then {
            Some(then) => self.visit(then)?,
            None => kind,
        };
        let second = self.visit(other)?;
        Ok(match (&first, &second) {
            (Type::Nil, _) => second,
            (_, Type::Nil) => first,
            _ if first.assignable_to(&second) => {
                let both_lists = first.is_list() && second.is_list();
                if both_lists && first != second { Type::List(Box::new(Type::Any)) } else { first }
            }
            _ => Type::Unknown,
        })
    }

    fn list(&mut self, items: &[Expr]) -> Visited {
        let mut last = Type::Unknown;
        let mut alike = true;
        for (i, item) in items.iter().enumerate() {
            let kind = self.visit(item)?;
            alike &= i == 0 || kind.same_kind(&last);
            last = kind;
        }
        Ok(Type::List(Box::new(if alike { last } else { Type::Any })))
    }
}

fn mismatch(span: Span, symbol: &str, left: &Type, right: &Type) -> Visited {
    fail(span, format!("{symbol} cannot combine {left} and {right}"))
}
