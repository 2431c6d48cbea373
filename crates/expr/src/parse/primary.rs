//! Literals, names, calls and prefix operators.

use super::{Parsed, Parser};
use crate::error::{CompileError, Span};
use crate::function::{self, Function, Loop};
use crate::literal::{self, Number};
use crate::syntax::{Expr, Node};
use crate::token::{Kind, Token};

impl<'s> Parser<'s> {
    pub(super) fn primary(&mut self) -> Parsed {
        let token = self.current().clone();
        match (&token.kind, token.text) {
            (Kind::Operator, "not" | "!" | "-" | "+") => self.prefix(&token),
            (Kind::Bracket, "(") => {
                self.advance();
                let inner = self.sequence()?;
                self.expect_bracket(")")?;
                self.postfix(inner)
            }
            (Kind::Operator, "#" | ".") if self.loops > 0 => self.element(&token),
            (Kind::Operator, "#" | ".") => Err(CompileError::new(token.span, format!("unexpected {}", token.text))
                .with_hint("# and .field stand for an element, inside filter, all, any and the like")),
            (Kind::Operator, "::") => {
                self.advance();
                let name = self.expect_name()?;
                let call = self.call(name, None)?;
                self.postfix(call)
            }
            (Kind::Identifier, _) => self.name(token),
            (Kind::Number, _) => self.number(&token),
            (Kind::Text(text), _) => {
                self.advance();
                let node = self.make(Node::Str(text.clone()), token.span)?;
                self.postfix(node)
            }
            (Kind::Bracket, "[") => self.list(token.span),
            (Kind::Bracket, "{") => self.map(token.span),
            _ => self.unexpected(),
        }
    }

    fn prefix(&mut self, token: &Token<'s>) -> Parsed {
        self.advance();
        let negation = matches!(token.text, "not" | "!");
        let operand = self.expression(if negation { 50 } else { 90 })?;
        let span = token.span.to(operand.span);
        let operand = Box::new(operand);
        let node = match token.text {
            "-" => Node::Negate(operand),
            "+" => Node::Plus(operand),
            _ => Node::Not(operand),
        };
        let node = self.make(node, span)?;
        self.postfix(node)
    }

    /// `#`, `#acc`, `#index`, or the `#` that a leading `.field` leaves out.
    fn element(&mut self, token: &Token<'s>) -> Parsed {
        let mut span = token.span;
        let mut node = Node::Element;
        if token.text == "#" {
            self.advance();
            if self.current().kind == Kind::Identifier {
                let name = self.advance();
                span = span.to(name.span);
                node = match name.text {
                    "acc" => Node::Accumulator,
                    "index" => Node::Index,
                    other => return Err(CompileError::new(span, format!("unknown name #{other}"))),
                };
            }
        } else {
            span.end = span.start;
        }
        let node = self.make(node, span)?;
        self.postfix(node)
    }

    fn name(&mut self, token: Token<'s>) -> Parsed {
        let literal = match token.text {
            "true" => Some(Node::Bool(true)),
            "false" => Some(Node::Bool(false)),
            "nil" => Some(Node::Nil),
            _ => None,
        };
        self.advance();
        if let Some(node) = literal {
            return self.make(node, token.span);
        }
        let node = if self.current().is_bracket("(") {
            self.call(token, None)?
        } else if token.text == "$env" {
            return Err(CompileError::new(token.span, "$env is not supported").with_hint("use result"));
        } else if function::is_function_name(token.text) {
            return Err(CompileError::new(token.span, format!("{} is a function and needs (...)", token.text)));
        } else {
            self.make(Node::Name(token.text.into()), token.span)?
        };
        self.postfix(node)
    }

    fn number(&mut self, token: &Token<'s>) -> Parsed {
        self.advance();
        match literal::number(token.text) {
            Ok(Number::Int(value)) => self.make(Node::Int(value), token.span),
            Ok(Number::Float(value)) => self.make(Node::Float(value), token.span),
            Err(message) => Err(CompileError::new(token.span, message)),
        }
    }

    /// The call of `name`, which has been read; `piped` is its first argument if it stands before a `|`.
    pub(super) fn call(&mut self, name: Token<'s>, piped: Option<Expr>) -> Parsed {
        if let Some(which) = Loop::named(name.text) {
            return self.looping(which, &name, piped);
        }
        let start = piped.as_ref().map_or(name.span, |first| first.span);
        let mut arguments: Vec<Expr> = piped.into_iter().collect();
        let offset = arguments.len();
        self.expect_bracket("(")?;
        while !self.current().is_bracket(")") {
            if arguments.len() > offset {
                self.expect_operator(",")?;
            }
            if self.current().is_bracket(")") {
                break;
            }
            arguments.push(self.expression(0)?);
        }
        let span = start.to(self.expect_bracket(")")?.span);
        let Some(function) = Function::named(name.text) else {
            return Err(unknown_function(&name));
        };
        let signature = function.signature();
        let most = if signature.variadic { usize::MAX } else { signature.take.len() };
        if arguments.len() < signature.arity_min || arguments.len() > most {
            let few = arguments.len() < signature.arity_min;
            let message = format!("too {} arguments for {}", if few { "few" } else { "many" }, name.text);
            return Err(CompileError::new(span, message));
        }
        self.make(Node::Call(function, arguments), span)
    }

    fn looping(&mut self, which: Loop, name: &Token<'s>, piped: Option<Expr>) -> Parsed {
        let start = piped.as_ref().map_or(name.span, |first| first.span);
        self.expect_bracket("(")?;
        let mut first_read = false;
        let list = match piped {
            Some(list) => list,
            None if self.current().is_bracket(")") => {
                return Err(CompileError::new(name.span, format!("too few arguments for {}", name.text)));
            }
            None => {
                first_read = true;
                self.expression(0)?
            }
        };
        let (least, most) = which.arguments();
        let mut arguments = Vec::new();
        while arguments.len() < most {
            if self.current().is_bracket(")") && arguments.len() >= least {
                break;
            }
            if self.current().is_bracket(")") {
                return Err(CompileError::new(name.span, format!("too few arguments for {}", name.text)));
            }
            if first_read || !arguments.is_empty() {
                self.expect_operator(",")?;
            }
            let argument = if arguments.is_empty() { self.body()? } else { self.expression(0)? };
            arguments.push(Box::new(argument));
        }
        if self.current().is_operator(",") {
            self.advance();
        }
        let span = start.to(self.expect_bracket(")")?.span);
        let mut arguments = arguments.into_iter();
        let (body, extra) = (arguments.next(), arguments.next());
        self.make(Node::Loop { which, list: Box::new(list), body, extra }, span)
    }

    /// What a looping function evaluates for each element, with or without braces.
    fn body(&mut self) -> Parsed {
        let braced = self.current().is_bracket("{");
        if braced {
            self.advance();
        }
        self.loops += 1;
        let body = if braced { self.sequence() } else { self.expression(0) };
        self.loops -= 1;
        let body = body?;
        if braced {
            self.expect_bracket("}")?;
        } else if self.current().is_operator(";") {
            return Err(CompileError::new(self.current().span, "unexpected ;").with_hint("put the body into braces"));
        }
        Ok(body)
    }

    fn list(&mut self, start: Span) -> Parsed {
        self.advance();
        let mut items = Vec::new();
        while !self.current().is_bracket("]") {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.current().is_bracket("]") {
                    break;
                }
            }
            items.push(self.expression(0)?);
        }
        let span = start.to(self.expect_bracket("]")?.span);
        let node = self.make(Node::List(items), span)?;
        self.postfix(node)
    }

    fn map(&mut self, start: Span) -> Parsed {
        self.advance();
        let mut pairs = Vec::new();
        while !self.current().is_bracket("}") {
            if !pairs.is_empty() {
                self.expect_operator(",")?;
                if self.current().is_bracket("}") {
                    break;
                }
            }
            let token = self.current().clone();
            let key = match &token.kind {
                Kind::Text(text) => {
                    self.advance();
                    self.make(Node::Str(text.clone()), token.span)?
                }
                Kind::Number | Kind::Identifier => {
                    self.advance();
                    self.make(Node::Str(token.text.into()), token.span)?
                }
                Kind::Bracket if token.text == "(" => self.expression(0)?,
                _ => {
                    return Err(CompileError::new(token.span, "expected the key of a map")
                        .with_hint("a key is a name, a text, a number or an expression in parentheses"));
                }
            };
            self.expect_operator(":")?;
            pairs.push((key, self.expression(0)?));
        }
        let span = start.to(self.expect_bracket("}")?.span);
        let node = self.make(Node::Map(pairs), span)?;
        self.postfix(node)
    }
}

fn unknown_function(name: &Token<'_>) -> CompileError {
    match function::refused(name.text) {
        Some(hint) => CompileError::new(name.span, format!("{}() is not supported", name.text)).with_hint(hint),
        None => CompileError::new(name.span, format!("unknown function {}", name.text)),
    }
}
