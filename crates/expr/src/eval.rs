//! Evaluates a checked condition.

mod call;
mod looping;
mod operate;
mod sample;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{EvalError, Span};
use crate::program::Budget;
use crate::syntax::{Expr, Node, Operator};
use crate::value::{Key, Value};

/// Nesting of a value that `reduce` may build; more would make walks over it overflow the stack.
const NESTING_MAX: u32 = 256;

/// A failure whose place is filled in by the node that caused it.
type Outcome<T> = Result<T, String>;

/// The work that is left.
pub(crate) struct Work {
    left: u64,
}

impl Work {
    pub(crate) fn new(budget: Budget) -> Self {
        Work { left: budget.units() }
    }

    /// Takes `units` off the budget.
    fn spend(&mut self, units: u64) -> Outcome<()> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err("the condition needs too much work; its budget is used up".to_owned())
            }
        }
    }

    /// Whether the budget was used up.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    fn spend_text(&mut self, bytes: usize) -> Outcome<()> {
        self.spend(1 + bytes as u64 / 16)
    }

    /// Pays for a walk over all of `value`, shared parts counted each time they are met.
    fn spend_walk(&mut self, value: &Value) -> Outcome<()> {
        self.walk(value, 0)
    }

    fn walk(&mut self, value: &Value, nesting: u32) -> Outcome<()> {
        if nesting > NESTING_MAX {
            return Err(format!("a value is nested more than {NESTING_MAX} levels deep"));
        }
        match value {
            Value::List(items) => {
                self.spend(1 + items.len() as u64)?;
                items.iter().try_for_each(|item| self.walk(item, nesting + 1))
            }
            Value::Map(map) => {
                self.spend(1 + map.len() as u64)?;
                map.values().try_for_each(|item| self.walk(item, nesting + 1))
            }
            Value::Str(text) => self.spend_text(text.len()),
            _ => Ok(()),
        }
    }
}

/// Evaluates `expr` on `result`; `exact` holds the ids that the checker noted, sorted.
pub(crate) fn eval(expr: &Expr, result: &Value, exact: &[u32], work: &mut Work) -> Result<Value, EvalError> {
    Machine { result, exact, work, names: Vec::new(), scopes: Vec::new() }.visit(expr)
}

/// The element that the body of a looping function looks at.
struct Scope {
    element: Value,
    index: usize,
    accumulator: Value,
}

struct Machine<'m> {
    result: &'m Value,
    exact: &'m [u32],
    work: &'m mut Work,
    names: Vec<(Arc<str>, Value)>,
    scopes: Vec<Scope>,
}

type Visited = Result<Value, EvalError>;

/// Puts a failure at a place.
trait At<T> {
    fn at(self, span: Span) -> Result<T, EvalError>;
}

impl<T> At<T> for Outcome<T> {
    fn at(self, span: Span) -> Result<T, EvalError> {
        self.map_err(|message| EvalError::new(span, message))
    }
}

impl Machine<'_> {
    fn visit(&mut self, expr: &Expr) -> Visited {
        self.work.spend(1).at(expr.span)?;
        match &expr.node {
            Node::Nil => Ok(Value::Nil),
            Node::Bool(b) => Ok(Value::Bool(*b)),
            Node::Int(i) => Ok(Value::Int(*i)),
            Node::Float(x) => Ok(Value::Float(*x)),
            Node::Str(text) => Ok(Value::Str(text.clone())),
            Node::Name(name) => Ok(self.name(name)),
            Node::Element => Ok(self.scopes.last().map_or(Value::Nil, |scope| scope.element.clone())),
            Node::Index => Ok(Value::Int(self.scopes.last().map_or(0, |scope| scope.index as i64))),
            Node::Accumulator => Ok(self.scopes.last().map_or(Value::Nil, |scope| scope.accumulator.clone())),
            Node::Not(operand) => Ok(Value::Bool(!self.truth(operand)?)),
            Node::Negate(operand) => {
                let value = self.visit(operand)?;
                operate::negate(&value).at(expr.span)
            }
            Node::Plus(operand) => self.visit(operand),
            Node::Binary(operator, left, right) => self.binary(expr, *operator, left, right),
            Node::Order(first, rest) => {
                let mut left = self.visit(first)?;
                for (comparison, next) in rest {
                    let right = self.visit(next)?;
                    let span = first.span.to(next.span);
                    if !operate::order(*comparison, &left, &right).at(span)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Ok(Value::Bool(true))
            }
            Node::Matches(..) => self.matches(expr),
            Node::Member { .. } => Ok(self.member(expr)?.unwrap_or(Value::Nil)),
            Node::Chain(inner) => Ok(self.chain(inner)?.unwrap_or(Value::Nil)),
            Node::Slice { base, from, to } => self.slice(expr.span, base, from.as_deref(), to.as_deref()),
            Node::Call(function, arguments) => self.call(expr.span, *function, arguments),
            Node::Loop { which, list, body, extra } => {
                self.looping(expr.span, *which, list, body.as_deref(), extra.as_deref())
            }
            Node::Let { name, value, body } => {
                let value = self.visit(value)?;
                self.names.push((name.clone(), value));
                let outcome = self.visit(body);
                self.names.pop();
                outcome
            }
            Node::Sequence(parts) => {
                let mut last = Value::Nil;
                for part in parts {
                    last = self.visit(part)?;
                }
                Ok(last)
            }
            Node::If { condition, then, other } => match then {
                Some(then) => {
                    if self.truth(condition)? {
                        self.visit(then)
                    } else {
                        self.visit(other)
                    }
                }
                None => {
                    if self.truth(condition)? {
                        Ok(Value::Bool(true))
                    } else {
                        self.visit(other)
                    }
                }
            },
            Node::List(items) => {
                let items = items.iter().map(|item| self.visit(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::List(Arc::new(items)))
            }
            Node::Map(pairs) => self.map(pairs),
        }
    }

    fn name(&self, name: &str) -> Value {
        let local = self.names.iter().rev().find(|(known, _)| known.as_ref() == name);
        // The checker has refused every name that is neither local nor the result.
        local.map_or_else(|| self.result.clone(), |(_, value)| value.clone())
    }

    /// The boolean that `expr` must be.
    fn truth(&mut self, expr: &Expr) -> Result<bool, EvalError> {
        match self.visit(expr)? {
            Value::Bool(b) => Ok(b),
            other => Err(EvalError::new(expr.span, format!("expected a boolean, but got {}", other.kind()))),
        }
    }

    fn binary(&mut self, expr: &Expr, operator: Operator, left: &Expr, right: &Expr) -> Visited {
        match operator {
            Operator::Or => return Ok(Value::Bool(self.truth(left)? || self.truth(right)?)),
            Operator::And => return Ok(Value::Bool(self.truth(left)? && self.truth(right)?)),
            Operator::Coalesce => {
                return match self.visit(left)? {
                    Value::Nil => self.visit(right),
                    value => Ok(value),
                };
            }
            Operator::In => return self.membership(expr.span, left, right),
            _ => {}
        }
        let (l, r) = (self.visit(left)?, self.visit(right)?);
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            if self.exact.binary_search(&expr.id).is_ok()
                && !matches!((&l, &r), (Value::Int(_), Value::Int(_)) | (Value::Str(_), Value::Str(_)))
            {
                let message = format!("== compares {} with {} where both were to be alike", l.kind(), r.kind());
                return Err(EvalError::new(expr.span, message));
            }
            let equal = operate::equal(&l, &r, self.work).at(expr.span)?;
            return Ok(Value::Bool(equal == (operator == Operator::Equal)));
        }
        operate::binary(operator, &l, &r, self.work).at(expr.span)
    }

    fn membership(&mut self, span: Span, needle: &Expr, place: &Expr) -> Visited {
        let value = self.visit(needle)?;
        if let Node::Binary(Operator::Range, from, to) = &place.node
            && let (Node::Int(from), Node::Int(to)) = (&from.node, &to.node)
        {
            // A range of literals need not be made to be looked into.
            let inside = match value {
                Value::Int(i) => (*from..=*to).contains(&i),
                Value::Float(x) => x.fract() == 0.0 && x >= *from as f64 && x <= *to as f64,
                _ => false,
            };
            return Ok(Value::Bool(inside));
        }
        if let Node::List(items) = &place.node
            && !items.is_empty()
            && items.iter().all(|item| matches!(item.node, Node::Str(_)))
            && !matches!(value, Value::Str(_) | Value::Nil)
        {
            // The original turns such a list into a map with text keys, which takes no other needle.
            return Err(EvalError::new(span, format!("{} cannot be in a list of texts", value.kind())));
        }
        let place = self.visit(place)?;
        operate::contains(&value, &place, self.work).map(Value::Bool).at(span)
    }

    fn matches(&mut self, expr: &Expr) -> Visited {
        let Node::Matches(text, pattern, compiled) = &expr.node else {
            return Ok(Value::Nil);
        };
        let text = self.visit(text)?;
        // The original takes nil for a text that matches nothing.
        if text == Value::Nil {
            return Ok(Value::Bool(false));
        }
        let Value::Str(text) = text else {
            return Err(EvalError::new(expr.span, format!("matches needs a text, not {}", text.kind())));
        };
        self.work.spend_text(text.len()).at(expr.span)?;
        if let Some(regex) = compiled {
            return Ok(Value::Bool(regex.is_match(&text)));
        }
        let Value::Str(source) = self.visit(pattern)? else {
            return Err(EvalError::new(pattern.span, "matches needs a pattern"));
        };
        // Compiling costs far more than a step.
        self.work.spend(1_000 + 10 * source.len() as u64).at(expr.span)?;
        let regex = crate::pattern::compile(&source).at(pattern.span)?;
        Ok(Value::Bool(regex.is_match(&text)))
    }

    /// A member, or none when a `?.` in the chain met nil.
    fn member(&mut self, expr: &Expr) -> Result<Option<Value>, EvalError> {
        let Node::Member { base, key, optional } = &expr.node else {
            return self.visit(expr).map(Some);
        };
        let base = match &base.node {
            Node::Member { .. } => match self.member(base)? {
                Some(value) => value,
                None => return Ok(None),
            },
            _ => self.visit(base)?,
        };
        if *optional && base == Value::Nil {
            return Ok(None);
        }
        let key_value = self.visit(key)?;
        operate::fetch(&base, &key_value).map(Some).at(expr.span)
    }

    fn chain(&mut self, inner: &Expr) -> Result<Option<Value>, EvalError> {
        self.member(inner)
    }

    fn slice(&mut self, span: Span, base: &Expr, from: Option<&Expr>, to: Option<&Expr>) -> Visited {
        let base = self.visit(base)?;
        let to = to.map(|to| self.visit(to)).transpose()?;
        let from = from.map(|from| self.visit(from)).transpose()?;
        operate::slice(&base, from.as_ref(), to.as_ref(), self.work).at(span)
    }

    fn map(&mut self, pairs: &[(Expr, Expr)]) -> Visited {
        let mut map = BTreeMap::new();
        for (key, value) in pairs {
            let key_value = self.visit(key)?;
            let Some(key @ Key::Str(_)) = Key::of(&key_value) else {
                return Err(EvalError::new(key.span, format!("the key of a map is text, not {}", key_value.kind())));
            };
            let value = self.visit(value)?;
            // Of equal keys the original keeps the first.
            map.entry(key).or_insert(value);
        }
        Ok(Value::Map(Arc::new(map)))
    }
}
