//! Static types of calls.

use super::{Checker, Scope, Type, Visited, fail};
use crate::function::{Function, Give, Loop, Take};
use crate::syntax::{Expr, Node};

impl Checker {
    pub(super) fn call(&mut self, function: Function, arguments: &[Expr]) -> Visited {
        if function == Function::Get {
            return self.get(arguments);
        }
        let signature = function.signature();
        let mut first = Type::Any;
        let mut lists = false;
        for (i, argument) in arguments.iter().enumerate() {
            let kind = self.visit(argument)?;
            let take = signature.take.get(i).or(signature.take.last()).copied().unwrap_or(Take::Any);
            // The original stops looking once a list makes the outcome open.
            let skipped = lists && take == Take::Sample;
            if !skipped && !accepts(take, &kind) {
                return fail(argument.span, format!("{}() does not take {kind}", signature.name));
            }
            lists |= take == Take::Sample && !kind.is_number();
            if i == 0 {
                first = kind;
            }
        }
        Ok(match signature.give {
            Give::Any => Type::Any,
            Give::Unknown => Type::Unknown,
            Give::Bool => Type::Bool,
            Give::Int => Type::Int,
            Give::Float => Type::Float,
            Give::Str => Type::Str,
            Give::Texts => Type::Texts,
            Give::List => Type::List(Box::new(Type::Any)),
            Give::Map => Type::Map { any_key: true, element: Box::new(Type::Any) },
            Give::Element if first == Type::Texts => Type::Str,
            Give::Element => Type::Any,
            Give::Same if lists || first.is_open() => Type::Any,
            Give::Same if matches!(first, Type::List(_)) => Type::List(Box::new(Type::Any)),
            Give::Same => first,
        })
    }

    fn get(&mut self, arguments: &[Expr]) -> Visited {
        let [base, key] = arguments else {
            return Ok(Type::Unknown);
        };
        let (kind, index) = (self.visit(base)?, self.visit(key)?);
        match &kind {
            _ if kind.is_open() => Ok(Type::Unknown),
            Type::Map { any_key, element } if *any_key || index == Type::Str || index.is_open() => {
                Ok((**element).clone())
            }
            Type::Map { .. } => fail(key.span, format!("{index} cannot be a key of this map")),
            _ if !kind.is_list() => fail(base.span, format!("{kind} has no elements")),
            _ if index == Type::Int || index.is_open() => Ok(kind.element()),
            _ => fail(key.span, format!("an element of a list is selected by a whole number, not {index}")),
        }
    }

    pub(super) fn looping(&mut self, which: Loop, list: &Expr, body: Option<&Expr>, extra: Option<&Expr>) -> Visited {
        let kind = self.visit(list)?;
        if !kind.is_list() && !kind.is_open() {
            return fail(list.span, format!("{}() takes a list, not {kind}", which.name()));
        }
        let outcome = match body {
            Some(body) => {
                let has_accumulator = which == Loop::Reduce;
                let has_index = has_accumulator || which == Loop::Map;
                self.scopes.push(Scope { list: kind.clone(), has_index, has_accumulator });
                let outcome = self.visit(body);
                self.scopes.pop();
                Some((outcome?, body.span))
            }
            None => None,
        };
        if let Some(extra) = extra {
            let order = self.visit(extra)?;
            if which == Loop::SortBy && order != Type::Str && !order.is_open() {
                return fail(extra.span, format!("the order is \"asc\" or \"desc\", not {order}"));
            }
        }
        use Loop as L;
        if let Some((outcome, span)) = &outcome {
            let asks = matches!(
                which,
                L::All
                    | L::None
                    | L::Any
                    | L::One
                    | L::Filter
                    | L::Count
                    | L::Find
                    | L::FindIndex
                    | L::FindLast
                    | L::FindLastIndex
            );
            if asks && *outcome != Type::Bool && !outcome.is_open() {
                return fail(*span, format!("{}() needs a boolean for each element, not {outcome}", which.name()));
            }
            if *outcome == Type::Nil && which != L::Reduce {
                return fail(*span, format!("{}() needs a value for each element, not nil", which.name()));
            }
        }
        let outcome = outcome.map(|(outcome, _)| outcome);
        Ok(match which {
            L::All | L::None | L::Any | L::One => Type::Bool,
            L::Count | L::FindIndex | L::FindLastIndex => Type::Int,
            L::Filter => Type::List(Box::new(if kind.is_open() { Type::Any } else { kind.element() })),
            L::Map => Type::List(Box::new(outcome.unwrap_or(Type::Unknown))),
            L::Sum => outcome.unwrap_or_else(|| kind.element()),
            L::Find | L::FindLast => kind.element(),
            L::SortBy => kind,
            L::GroupBy => Type::Map { any_key: true, element: Box::new(Type::List(Box::new(Type::Any))) },
            L::Reduce => outcome.unwrap_or(Type::Unknown),
        })
    }
}

fn accepts(take: Take, kind: &Type) -> bool {
    if kind.is_open() {
        return true;
    }
    match take {
        Take::Any => true,
        Take::Str => *kind == Type::Str,
        Take::Int => *kind == Type::Int,
        // A whole number passes here; unless it is written in the call, it fails when it is measured.
        Take::Float | Take::Number => kind.is_number(),
        Take::NumberOrStr => kind.is_number() || *kind == Type::Str,
        Take::List => kind.is_list(),
        Take::Sample => kind.is_list() || kind.is_number(),
        Take::Map => matches!(kind, Type::Map { .. }),
        Take::Sized => *kind == Type::Str || kind.is_list() || matches!(kind, Type::Map { .. }),
    }
}

/// Whether a number is written in this sum, difference or product: the original then takes it for a float where one
/// is needed.
pub(crate) fn has_int_literal(expr: &Expr) -> bool {
    use crate::syntax::Operator::{Add, Multiply, Subtract};
    match &expr.node {
        Node::Int(_) => true,
        Node::Negate(inner) | Node::Plus(inner) => has_int_literal(inner),
        Node::Binary(Add | Subtract | Multiply, left, right) => has_int_literal(left) || has_int_literal(right),
        _ => false,
    }
}
