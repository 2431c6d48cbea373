//! Reads a query by descent. Everything that can be known without data is checked here.

mod primary;
mod selector;

use std::sync::Arc;

use super::token::{Lexeme, Token, tokenize};
use super::{Binary, Expr, Kind, Many, Matching, Node, Operator, Span};
use crate::query::QueryError;

/// Levels that an expression may have. Queries of people have ten; the bound keeps every walk off the end of the stack.
const DEPTH_MAX: usize = 128;

/// Bytes of a query.
const LENGTH_MAX: usize = 65_536;

/// How tightly `^` binds; a sign before it binds less tightly.
const POWER: u8 = 6;

/// Reads a query. Also gives the number of selectors in it.
pub(crate) fn parse(source: &str) -> Result<(Expr, usize), QueryError> {
    let whole = Span { start: 0, end: source.len() };
    if source.len() > LENGTH_MAX {
        return Err(QueryError::new(whole, format!("the query is longer than {LENGTH_MAX} bytes")));
    }
    let mut parser = Parser { source, lexemes: tokenize(source)?, at: 0, depth: 0, slots: 0 };
    if parser.peek().token == Token::End {
        return Err(QueryError::new(whole, "the query is empty"));
    }
    let expr = parser.expression(0)?;
    if parser.peek().token != Token::End {
        return Err(parser.unexpected("an operator or the end of the query"));
    }
    Ok((expr, parser.slots))
}

pub(super) struct Parser<'s> {
    source: &'s str,
    lexemes: Vec<Lexeme>,
    at: usize,
    depth: usize,
    slots: usize,
}

impl<'s> Parser<'s> {
    fn peek(&self) -> &Lexeme {
        // The last token is the end, and nothing steps over it.
        &self.lexemes[self.at.min(self.lexemes.len() - 1)]
    }

    fn peek_second(&self) -> &Lexeme {
        &self.lexemes[(self.at + 1).min(self.lexemes.len() - 1)]
    }

    fn advance(&mut self) -> Lexeme {
        let lexeme = self.peek().clone();
        if lexeme.token != Token::End {
            self.at += 1;
        }
        lexeme
    }

    fn text_of(&self, lexeme: &Lexeme) -> &'s str {
        &self.source[lexeme.span.start..lexeme.span.end]
    }

    fn is_sign(&self, lexeme: &Lexeme, sign: &str) -> bool {
        lexeme.token == Token::Sign && self.text_of(lexeme) == sign
    }

    /// The next token in lower case if it is a word; keywords are written in any case.
    fn keyword(&self) -> Option<String> {
        let lexeme = self.peek();
        (lexeme.token == Token::Word).then(|| self.text_of(lexeme).to_ascii_lowercase())
    }

    fn accept_keyword(&mut self, word: &str) -> bool {
        let found = self.keyword().is_some_and(|keyword| keyword == word);
        if found {
            self.at += 1;
        }
        found
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.is_sign(self.peek(), sign);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<Span, QueryError> {
        if self.is_sign(self.peek(), sign) { Ok(self.advance().span) } else { Err(self.unexpected(sign)) }
    }

    fn unexpected(&self, wanted: &str) -> QueryError {
        let lexeme = self.peek();
        let found = match lexeme.token {
            Token::End => "the end of the query".to_owned(),
            _ => format!("{:?}", self.text_of(lexeme)),
        };
        QueryError::new(lexeme.span, format!("expected {wanted}, found {found}"))
    }

    /// An expression of operators that bind at least as tightly as `min`.
    fn expression(&mut self, min: u8) -> Result<Expr, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(QueryError::new(self.peek().span, too_deep()));
        }
        let mut left = self.unary()?;
        while let Some((operator, tightness)) = self.operator()? {
            if tightness < min {
                break;
            }
            let sign = self.advance().span;
            let returns_bool = self.accept_keyword("bool");
            let matching = self.matching()?;
            let right = self.expression(if operator == Operator::Pow { tightness } else { tightness + 1 })?;
            left = binary(operator, sign, left, right, returns_bool, matching)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The operator that comes next, and how tightly it binds.
    fn operator(&self) -> Result<Option<(Operator, u8)>, QueryError> {
        use Operator::{Add, And, Atan2, Div, Equal, Greater, GreaterEqual, Less, LessEqual, Mod, Mul};
        use Operator::{NotEqual, Or, Pow, Sub, Unless};
        let lexeme = self.peek();
        if !matches!(lexeme.token, Token::Word | Token::Sign) {
            return Ok(None);
        }
        Ok(Some(match self.text_of(lexeme).to_ascii_lowercase().as_str() {
            "or" => (Or, 1),
            "and" => (And, 2),
            "unless" => (Unless, 2),
            "==" => (Equal, 3),
            "!=" => (NotEqual, 3),
            "<" => (Less, 3),
            "<=" => (LessEqual, 3),
            ">" => (Greater, 3),
            ">=" => (GreaterEqual, 3),
            "+" => (Add, 4),
            "-" => (Sub, 4),
            "*" => (Mul, 5),
            "/" => (Div, 5),
            "%" => (Mod, 5),
            "atan2" => (Atan2, 5),
            "^" => (Pow, POWER),
            sign @ ("</" | ">/") => {
                return Err(QueryError::new(lexeme.span, format!("the operator {sign} is not supported")));
            }
            _ => return Ok(None),
        }))
    }

    /// What may stand between an operator and its right side.
    fn matching(&mut self) -> Result<Matching, QueryError> {
        let mut matching = Matching { on: self.accept_keyword("on"), ..Matching::default() };
        let matches = matching.on || self.accept_keyword("ignoring");
        if matches {
            matching.names = self.label_names()?;
        }
        for (word, many) in [("group_left", Many::Left), ("group_right", Many::Right)] {
            let span = self.peek().span;
            if matching.many == Many::Neither && self.accept_keyword(word) {
                if !matches {
                    return Err(QueryError::new(span, format!("{word} needs on or ignoring before it")));
                }
                matching.many = many;
                if self.is_sign(self.peek(), "(") {
                    matching.include = self.label_names()?;
                }
            }
        }
        let fill = self.keyword().filter(|word| ["fill", "fill_left", "fill_right"].contains(&word.as_str()));
        if let Some(word) = fill
            && self.is_sign(self.peek_second(), "(")
        {
            return Err(QueryError::new(self.peek().span, format!("the modifier {word} is not supported")));
        }
        Ok(matching)
    }

    /// Names of labels in parentheses.
    fn label_names(&mut self) -> Result<Vec<Arc<str>>, QueryError> {
        let mut names = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            let lexeme = self.peek().clone();
            match &lexeme.token {
                Token::Word => names.push(self.text_of(&lexeme).into()),
                Token::Text(name) if !name.is_empty() => names.push(name.as_str().into()),
                _ => return Err(self.unexpected("the name of a label or )")),
            }
            self.at += 1;
            if !self.is_sign(self.peek(), ")") {
                self.expect(",")?;
            }
        }
        Ok(names)
    }

    fn unary(&mut self) -> Result<Expr, QueryError> {
        let negate = self.is_sign(self.peek(), "-");
        if !negate && !self.is_sign(self.peek(), "+") {
            return self.postfix();
        }
        let sign = self.advance().span;
        let inner = self.expression(POWER)?;
        let span = sign.to(inner.span);
        if !matches!(inner.kind(), Kind::Scalar | Kind::Vector) {
            let found = inner.kind().name();
            return Err(QueryError::new(span, format!("a sign needs a scalar or an instant vector, not {found}")));
        }
        if let Node::Number(value) = inner.node {
            return Ok(leaf(Node::Number(if negate { -value } else { value }), span));
        }
        let depth = inner.depth;
        above(Node::Unary { negate, inner: Box::new(inner) }, span, depth)
    }
}

fn too_deep() -> String {
    format!("the query is nested deeper than {DEPTH_MAX} levels")
}

/// An expression without others in it.
fn leaf(node: Node, span: Span) -> Expr {
    Expr { node, span, depth: 1, in_parentheses: false }
}

/// An expression over others, the deepest of which has `depth`.
fn above(node: Node, span: Span, depth: usize) -> Result<Expr, QueryError> {
    if depth >= DEPTH_MAX {
        return Err(QueryError::new(span, too_deep()));
    }
    Ok(Expr { node, span, depth: depth + 1, in_parentheses: false })
}

fn binary(
    operator: Operator,
    sign: Span,
    left: Expr,
    right: Expr,
    returns_bool: bool,
    matching: Matching,
) -> Result<Expr, QueryError> {
    let span = left.span.to(right.span);
    for side in [&left, &right] {
        if !matches!(side.kind(), Kind::Scalar | Kind::Vector) {
            let message = format!("an operator needs scalars or instant vectors, not {}", side.kind().name());
            return Err(QueryError::new(side.span, message));
        }
    }
    let fail = |message: &str| Err(QueryError::new(sign, message));
    let vectors = left.kind() == Kind::Vector && right.kind() == Kind::Vector;
    let scalars = left.kind() == Kind::Scalar && right.kind() == Kind::Scalar;
    if returns_bool && !operator.is_comparison() {
        return fail("bool is for comparisons only");
    }
    if scalars && operator.is_comparison() && !returns_bool {
        return Err(QueryError::new(sign, "a comparison of two scalars needs bool").with_hint("write it as `== bool`"));
    }
    if operator.is_set() && !vectors {
        return fail("and, or and unless need an instant vector on both sides");
    }
    if operator.is_set() && matching.many != Many::Neither {
        return fail("and, or and unless take no group_left or group_right");
    }
    if !vectors && !matching.names.is_empty() {
        return fail("on and ignoring need an instant vector on both sides");
    }
    if let Some(name) = matching.include.iter().find(|name| matching.on && matching.names.contains(name)) {
        return fail(&format!("label {name:?} stands both in on and in the group"));
    }
    let depth = left.depth.max(right.depth);
    above(Node::Binary(Box::new(Binary { operator, left, right, returns_bool, matching })), span, depth)
}
