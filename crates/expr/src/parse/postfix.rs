//! What follows a value: fields, indexes, slices.

use super::{Parsed, Parser};
use crate::error::CompileError;
use crate::syntax::{Expr, Node};
use crate::token::{self, Kind};

impl Parser<'_> {
    /// Reads every `.field`, `?.field`, `[index]` and `[from:to]` behind `value`.
    pub(super) fn postfix(&mut self, mut value: Expr) -> Parsed {
        loop {
            let token = self.current().clone();
            value = match (&token.kind, token.text) {
                (Kind::Operator, "?.") if self.following().is_bracket("[") => {
                    self.advance();
                    self.advance();
                    self.index(value, true)?
                }
                (Kind::Operator, "." | "?.") => {
                    self.advance();
                    self.field(value, token.text == "?.")?
                }
                (Kind::Bracket, "[") => {
                    self.advance();
                    self.index(value, false)?
                }
                _ => return Ok(value),
            };
        }
    }

    fn field(&mut self, base: Expr, optional: bool) -> Parsed {
        let name = self.advance();
        // Words such as `in` and `matches` are operators elsewhere and names here.
        let word = name.kind == Kind::Operator && name.text.chars().all(token::is_name_char);
        if name.kind != Kind::Identifier && !word {
            return Err(CompileError::new(name.span, "expected the name of a field"));
        }
        if self.current().is_bracket("(") {
            return Err(CompileError::new(name.span, format!("results have no method {}", name.text)));
        }
        let span = base.span.to(name.span);
        let key = Box::new(self.make(Node::Str(name.text.into()), name.span)?);
        // One chain spans all fields behind the first `?.`: when its base is nil, all of them are skipped.
        let (base, chained) = match base.node {
            Node::Chain(inner) => (inner, true),
            _ => (Box::new(base), false),
        };
        let member = self.make(Node::Member { base, key, optional }, span)?;
        if chained || optional { self.make(Node::Chain(Box::new(member)), span) } else { Ok(member) }
    }

    /// The inside of brackets, whose opening one has been read.
    fn index(&mut self, base: Expr, optional: bool) -> Parsed {
        let from = if self.current().is_operator(":") { None } else { Some(Box::new(self.expression(0)?)) };
        if self.current().is_operator(":") {
            self.advance();
            let to = if self.current().is_bracket("]") { None } else { Some(Box::new(self.expression(0)?)) };
            let span = base.span.to(self.expect_bracket("]")?.span);
            return self.make(Node::Slice { base: Box::new(base), from, to }, span);
        }
        let span = base.span.to(self.expect_bracket("]")?.span);
        let Some(key) = from else {
            return self.unexpected();
        };
        let member = self.make(Node::Member { base: Box::new(base), key, optional }, span)?;
        if optional { self.make(Node::Chain(Box::new(member)), span) } else { Ok(member) }
    }
}
