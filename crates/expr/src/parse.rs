//! Turns tokens into a syntax tree by operator precedence.

mod postfix;
mod primary;

use crate::error::{CompileError, Span};
use crate::syntax::{Comparison, Expr, Node, Operator};
use crate::token::{self, Kind, Token};

/// Height of a tree and nesting of the parser. A condition that people read needs a tenth of it; the bound keeps
/// parser, checker and evaluator within a 2 MB stack even in debug builds.
pub(crate) const HEIGHT_MAX: u16 = 200;

/// Parts of one condition: the bound of the original.
const NODES_MAX: u32 = 10_000;

/// Parses `source`.
pub(crate) fn parse(source: &str) -> Result<Expr, CompileError> {
    let tokens = token::tokenize(source)?;
    let mut parser = Parser { tokens, at: 0, nesting: 0, loops: 0, nodes: 0 };
    let expr = parser.sequence()?;
    match parser.current().kind {
        Kind::End => Ok(expr),
        _ => parser.unexpected(),
    }
}

type Parsed = Result<Expr, CompileError>;

struct Parser<'s> {
    tokens: Vec<Token<'s>>,
    at: usize,
    nesting: u16,
    /// How many bodies of looping functions surround the current token.
    loops: u16,
    nodes: u32,
}

/// How tightly an operator binds, and what it makes.
enum Infix {
    Binary(Operator),
    Order(Comparison),
    Matches,
    Pipe,
}

fn infix(text: &str) -> Option<(u16, Infix)> {
    use Infix::{Binary, Order};
    Some(match text {
        "|" => (0, Infix::Pipe),
        "or" | "||" => (10, Binary(Operator::Or)),
        "and" | "&&" => (15, Binary(Operator::And)),
        "==" => (20, Binary(Operator::Equal)),
        "!=" => (20, Binary(Operator::NotEqual)),
        "<" => (20, Order(Comparison::Less)),
        ">" => (20, Order(Comparison::Greater)),
        "<=" => (20, Order(Comparison::LessOrEqual)),
        ">=" => (20, Order(Comparison::GreaterOrEqual)),
        "in" => (20, Binary(Operator::In)),
        "matches" => (20, Infix::Matches),
        "contains" => (20, Binary(Operator::Contains)),
        "startsWith" => (20, Binary(Operator::StartsWith)),
        "endsWith" => (20, Binary(Operator::EndsWith)),
        ".." => (25, Binary(Operator::Range)),
        "+" => (30, Binary(Operator::Add)),
        "-" => (30, Binary(Operator::Subtract)),
        "*" => (60, Binary(Operator::Multiply)),
        "/" => (60, Binary(Operator::Divide)),
        "%" => (60, Binary(Operator::Remainder)),
        "**" | "^" => (100, Binary(Operator::Power)),
        "??" => (500, Binary(Operator::Coalesce)),
        _ => return None,
    })
}

/// Words that `not` may stand before.
const NEGATABLE: [&str; 5] = ["in", "matches", "contains", "startsWith", "endsWith"];

impl<'s> Parser<'s> {
    fn current(&self) -> &Token<'s> {
        &self.tokens[self.at]
    }

    /// The token after the current one; the last token is its own successor.
    fn following(&self) -> &Token<'s> {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token<'s> {
        let token = self.current().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn previous_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn unexpected<T>(&self) -> Result<T, CompileError> {
        let token = self.current();
        let error = match token.kind {
            Kind::End => CompileError::new(token.span, "the condition ends too early"),
            _ => CompileError::new(token.span, format!("unexpected {}", token.text)),
        };
        Err(match token.text {
            "=" => error.with_hint("use == to compare"),
            "&" => error.with_hint("use && or and"),
            _ => error,
        })
    }

    fn expect_operator(&mut self, text: &str) -> Result<Token<'s>, CompileError> {
        if self.current().is_operator(text) { Ok(self.advance()) } else { self.unexpected() }
    }

    fn expect_bracket(&mut self, text: &str) -> Result<Token<'s>, CompileError> {
        if self.current().is_bracket(text) { Ok(self.advance()) } else { self.unexpected() }
    }

    fn expect_name(&mut self) -> Result<Token<'s>, CompileError> {
        if self.current().kind == Kind::Identifier { Ok(self.advance()) } else { self.unexpected() }
    }

    /// Makes a node, within the bounds on number and height.
    fn make(&mut self, node: Node, span: Span) -> Parsed {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(CompileError::new(span, format!("the condition has more than {NODES_MAX} parts")));
        }
        let height = 1 + node.children().iter().map(|child| child.height).max().unwrap_or(0);
        if height > HEIGHT_MAX {
            return Err(too_deep(span));
        }
        Ok(Expr { node, span, id: self.nodes, height })
    }

    /// Runs `parse` one level deeper.
    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.nesting += 1;
        if self.nesting > HEIGHT_MAX {
            return Err(too_deep(self.current().span));
        }
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// `a; b; c`: the value of the last one. A final `;` is allowed at the very end.
    fn sequence(&mut self) -> Parsed {
        let first = self.expression(0)?;
        let span = first.span;
        let mut parts = vec![first];
        while self.current().is_operator(";") {
            self.advance();
            if self.current().kind == Kind::End {
                break;
            }
            parts.push(self.expression(0)?);
        }
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let span = span.to(self.previous_span());
        self.make(Node::Sequence(parts), span)
    }

    /// An expression whose operators bind at least as tightly as `min`.
    fn expression(&mut self, min: u16) -> Parsed {
        self.nested(|parser| {
            if min == 0 && parser.current().is_operator("let") {
                return parser.let_in();
            }
            if min == 0 && parser.current().is_operator("if") {
                return parser.if_else();
            }
            let left = parser.primary()?;
            let left = parser.operators(left, min)?;
            if min == 0 { parser.ternary(left) } else { Ok(left) }
        })
    }

    fn operators(&mut self, mut left: Expr, min: u16) -> Parsed {
        let mut after_coalesce = false;
        loop {
            let negated = self.current().is_operator("not");
            let token = if negated { self.following().clone() } else { self.current().clone() };
            if token.kind != Kind::Operator {
                return if negated { self.unexpected_negation() } else { Ok(left) };
            }
            if negated && !NEGATABLE.contains(&token.text) {
                return self.unexpected_negation();
            }
            let Some((precedence, kind)) = infix(token.text).filter(|found| found.0 >= min) else {
                return Ok(left);
            };
            if negated {
                self.advance();
            }
            self.advance();
            if after_coalesce && !matches!(kind, Infix::Pipe | Infix::Binary(Operator::Coalesce)) {
                return Err(CompileError::new(token.span, format!("?? and {} cannot be mixed", token.text))
                    .with_hint("put one of them into parentheses"));
            }
            after_coalesce = matches!(kind, Infix::Binary(Operator::Coalesce));
            left = match kind {
                Infix::Pipe => {
                    let name = self.expect_name()?;
                    self.call(name, Some(left))?
                }
                Infix::Order(comparison) => self.order(left, comparison)?,
                Infix::Binary(operator) => {
                    let right = self.expression(precedence + u16::from(operator != Operator::Power))?;
                    let span = left.span.to(right.span);
                    self.make(Node::Binary(operator, Box::new(left), Box::new(right)), span)?
                }
                Infix::Matches => self.matches(left, precedence)?,
            };
            if negated {
                let span = left.span;
                left = self.make(Node::Not(Box::new(left)), span)?;
            }
        }
    }

    fn unexpected_negation(&self) -> Parsed {
        let token = self.following();
        Err(CompileError::new(token.span, format!("unexpected {} after not", token.text)))
    }

    /// The rest of `a < b <= c`, from `b` on.
    fn order(&mut self, first: Expr, comparison: Comparison) -> Parsed {
        let span = first.span;
        let mut rest = vec![(comparison, self.expression(21)?)];
        while self.current().kind == Kind::Operator
            && let Some((_, Infix::Order(next))) = infix(self.current().text)
        {
            self.advance();
            rest.push((next, self.expression(21)?));
        }
        let span = span.to(self.previous_span());
        self.make(Node::Order(Box::new(first), rest), span)
    }

    fn matches(&mut self, text: Expr, precedence: u16) -> Parsed {
        let pattern = self.expression(precedence + 1)?;
        let compiled = match &pattern.node {
            Node::Str(source) => {
                Some(crate::pattern::compile(source).map_err(|message| CompileError::new(pattern.span, message))?)
            }
            _ => None,
        };
        let span = text.span.to(pattern.span);
        self.make(Node::Matches(Box::new(text), Box::new(pattern), compiled), span)
    }

    fn let_in(&mut self) -> Parsed {
        let start = self.advance().span;
        let name = self.expect_name()?;
        self.expect_operator("=")?;
        let value = self.expression(0)?;
        self.expect_operator(";")?;
        let body = self.nested(Self::sequence)?;
        let span = start.to(body.span);
        self.make(Node::Let { name: name.text.into(), value: Box::new(value), body: Box::new(body) }, span)
    }

    fn if_else(&mut self) -> Parsed {
        let start = self.advance().span;
        let condition = self.expression(0)?;
        self.expect_bracket("{")?;
        let then = self.sequence()?;
        self.expect_bracket("}")?;
        self.expect_operator("else")?;
        let other = if self.current().is_operator("if") {
            self.nested(Self::if_else)?
        } else {
            self.expect_bracket("{")?;
            let other = self.sequence()?;
            self.expect_bracket("}")?;
            other
        };
        let span = start.to(self.previous_span());
        let node = Node::If { condition: Box::new(condition), then: Some(Box::new(then)), other: Box::new(other) };
        self.make(node, span)
    }

    fn ternary(&mut self, mut left: Expr) -> Parsed {
        while self.current().is_operator("?") {
            self.advance();
            let then = if self.current().is_operator(":") { None } else { Some(Box::new(self.expression(0)?)) };
            self.expect_operator(":")?;
            let other = self.expression(0)?;
            let span = left.span.to(other.span);
            left = self.make(Node::If { condition: Box::new(left), then, other: Box::new(other) }, span)?;
        }
        Ok(left)
    }
}

fn too_deep(span: Span) -> CompileError {
    CompileError::new(span, format!("the condition is nested more than {HEIGHT_MAX} levels deep"))
        .with_hint("split it into two metrics, or test membership with `in [...]`")
}
