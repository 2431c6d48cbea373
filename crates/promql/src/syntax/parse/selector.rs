//! Selectors and what follows them: ranges, subqueries, `offset` and `@`.

use std::sync::Arc;

use super::{Parser, above, leaf};
use crate::labels::{self, NAME};
use crate::matcher::{self, Matcher, Test};
use crate::query::QueryError;
use crate::syntax::token::{Lexeme, Token};
use crate::syntax::{At, Expr, Kind, Node, Selector, Shift, Span, Subquery};

/// The latest time that `@` may name, in seconds: what fits into 64 bits of milliseconds.
const TIME_MAX_S: f64 = 9.2e15;

impl Parser<'_> {
    /// A selector with or without the name of a metric before its braces.
    pub(super) fn selector(&mut self, name: Option<Lexeme>) -> Result<Expr, QueryError> {
        let mut matchers = Vec::new();
        let mut span = self.peek().span;
        if let Some(lexeme) = &name {
            matchers.push(Matcher::equal(NAME, self.text_of(lexeme)));
            self.at += 1;
        }
        if self.accept("{") {
            while !self.is_sign(self.peek(), "}") {
                let matcher = self.matcher()?;
                if name.is_some() && &*matcher.name == NAME {
                    return Err(QueryError::new(span, "the name of the metric is given twice"));
                }
                matchers.push(matcher);
                if !self.accept(",") && !self.is_sign(self.peek(), "}") {
                    return Err(self.unexpected(", or }"));
                }
            }
            span = span.to(self.expect("}")?);
        }
        if matchers.iter().all(|matcher| matcher.accepts("")) {
            let message = "the selector matches every series: at least one matcher must refuse the empty value";
            return Err(QueryError::new(span, message));
        }
        let slot = self.slots;
        self.slots += 1;
        Ok(leaf(Node::Selector(Selector { matchers, shift: Shift::default(), slot }), span))
    }

    fn matcher(&mut self) -> Result<Matcher, QueryError> {
        let lexeme = self.advance();
        let name: Arc<str> = match &lexeme.token {
            Token::Word => self.text_of(&lexeme).into(),
            Token::Text(name) if !name.is_empty() => name.as_str().into(),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("the name of a label or }"));
            }
        };
        let sign = self.peek().clone();
        let lone = self.is_sign(&sign, ",") || self.is_sign(&sign, "}");
        if matches!(lexeme.token, Token::Text(_)) && lone {
            return Ok(Matcher::equal(NAME, &name));
        }
        if sign.token != Token::Sign || !["=", "!=", "=~", "!~"].contains(&self.text_of(&sign)) {
            return Err(self.unexpected("=, !=, =~ or !~"));
        }
        self.at += 1;
        let lexeme = self.peek().clone();
        let Token::Text(value) = &lexeme.token else {
            return Err(self.unexpected("a string"));
        };
        self.at += 1;
        let pattern = || {
            matcher::whole(value).map_err(|problem| {
                QueryError::new(lexeme.span, format!("bad pattern {}: {problem}", labels::quoted(value)))
            })
        };
        let test = match self.text_of(&sign) {
            "=" => Test::Equal,
            "!=" => Test::NotEqual,
            "=~" => Test::Match(pattern()?),
            _ => Test::NotMatch(pattern()?),
        };
        Ok(Matcher { name, value: value.as_str().into(), test })
    }

    /// An expression with the modifiers that follow it.
    pub(super) fn postfix(&mut self) -> Result<Expr, QueryError> {
        let mut expr = self.primary()?;
        loop {
            let lexeme = self.peek().clone();
            match &lexeme.token {
                Token::Sign if self.text_of(&lexeme) == "[" => expr = self.bracket(expr)?,
                Token::Sign if self.text_of(&lexeme) == "@" => {
                    self.at += 1;
                    let at = self.instant()?;
                    let span = expr.span.to(self.lexemes[self.at - 1].span);
                    let shift = shift_of(&mut expr, lexeme.span, "@")?;
                    if shift.at.replace(at).is_some() {
                        return Err(QueryError::new(span, "@ is given twice"));
                    }
                    expr.span = span;
                }
                Token::Word => match self.text_of(&lexeme).to_ascii_lowercase().as_str() {
                    "offset" => {
                        self.at += 1;
                        let offset_ms = self.offset()?;
                        let span = expr.span.to(self.lexemes[self.at - 1].span);
                        let shift = shift_of(&mut expr, lexeme.span, "offset")?;
                        if shift.offset_ms.replace(offset_ms).is_some() {
                            return Err(QueryError::new(span, "offset is given twice"));
                        }
                        expr.span = span;
                    }
                    word @ ("anchored" | "smoothed") => {
                        let message = format!("the modifier {word} is not supported");
                        return Err(QueryError::new(lexeme.span, message));
                    }
                    _ => return Ok(expr),
                },
                _ => return Ok(expr),
            }
        }
    }

    /// A range or a subquery after `expr`.
    fn bracket(&mut self, expr: Expr) -> Result<Expr, QueryError> {
        let open = self.expect("[")?;
        let range_ms = self.length()?;
        if self.accept(":") {
            let step_ms = if self.is_sign(self.peek(), "]") { None } else { Some(self.length()?) };
            let span = expr.span.to(self.close()?);
            if expr.kind() != Kind::Vector {
                let message = format!("a subquery needs an instant vector, not {}", expr.kind().name());
                return Err(QueryError::new(span, message));
            }
            let depth = expr.depth;
            let node = Subquery { inner: expr, range_ms, step_ms, shift: Shift::default() };
            return above(Node::Subquery(Box::new(node)), span, depth);
        }
        let span = expr.span.to(self.close()?);
        let fail = |message: &str| Err(QueryError::new(Span { start: open.start, end: span.end }, message));
        match expr.node {
            Node::Selector(selector) if !expr.in_parentheses => {
                if selector.shift.offset_ms.is_some() || selector.shift.at.is_some() {
                    return fail("the range must come before offset and @");
                }
                Ok(leaf(Node::Range { selector, range_ms }, span))
            }
            _ => Err(QueryError::new(Span { start: open.start, end: span.end }, "a range needs a selector before it")
                .with_hint("for a range over another expression write a subquery such as [5m:]")),
        }
    }

    fn close(&mut self) -> Result<Span, QueryError> {
        if self.is_sign(self.peek(), "]") {
            return Ok(self.advance().span);
        }
        Err(self.unexpected("]").with_hint("arithmetic on durations is not supported"))
    }

    /// The length of a range or step in milliseconds.
    fn length(&mut self) -> Result<i64, QueryError> {
        let lexeme = self.peek().clone();
        match milliseconds(&lexeme.token) {
            Some(ms) if ms > 0 => {
                self.at += 1;
                Ok(ms)
            }
            Some(_) => Err(QueryError::new(lexeme.span, "the duration must be greater than 0")),
            None => Err(self.unexpected("a duration such as 5m").with_hint("arithmetic on durations is not supported")),
        }
    }

    fn offset(&mut self) -> Result<i64, QueryError> {
        let sign = if self.accept("-") { -1 } else { 1 };
        if sign == 1 {
            self.accept("+");
        }
        let lexeme = self.peek().clone();
        match milliseconds(&lexeme.token) {
            Some(ms) => {
                self.at += 1;
                Ok(sign * ms)
            }
            None => Err(self.unexpected("a duration such as 5m").with_hint("arithmetic on durations is not supported")),
        }
    }

    /// The time after `@`.
    fn instant(&mut self) -> Result<At, QueryError> {
        let start = self.peek().span;
        for (word, at) in [("start", At::Start), ("end", At::End)] {
            if self.accept_keyword(word) {
                self.expect("(")?;
                self.expect(")")?;
                return Ok(at);
            }
        }
        let negative = self.accept("-");
        if !negative {
            self.accept("+");
        }
        let lexeme = self.peek().clone();
        let special = |word: &str| match word.to_ascii_lowercase().as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            _ => None,
        };
        let value = match lexeme.token {
            Token::Number(value) => Some(value),
            Token::Duration(ms) => Some(ms as f64 / 1000.0),
            Token::Word => special(self.text_of(&lexeme)),
            _ => None,
        };
        let Some(seconds) = value.map(|value| if negative { -value } else { value }) else {
            return Err(self.unexpected("a time in seconds, start() or end()"));
        };
        self.at += 1;
        // NaN is refused here as well.
        if seconds.abs() < TIME_MAX_S {
            return Ok(At::Time((seconds * 1000.0).round() as i64));
        }
        Err(QueryError::new(start.to(lexeme.span), "the time after @ is out of range"))
    }
}

/// Milliseconds of a duration, or of a number of seconds; less than 2^53, which is far beyond any time.
fn milliseconds(token: &Token) -> Option<i64> {
    match token {
        Token::Duration(ms) => Some(*ms),
        Token::Number(seconds) if seconds.abs() < TIME_MAX_S / 1000.0 => Some((seconds * 1000.0).round() as i64),
        _ => None,
    }
}

/// The shift of the selector, range or subquery that `word` stands behind.
fn shift_of<'e>(expr: &'e mut Expr, place: Span, word: &str) -> Result<&'e mut Shift, QueryError> {
    if !expr.in_parentheses {
        match &mut expr.node {
            Node::Selector(selector) | Node::Range { selector, .. } => return Ok(&mut selector.shift),
            Node::Subquery(subquery) => return Ok(&mut subquery.shift),
            _ => {}
        }
    }
    Err(QueryError::new(place, format!("{word} must stand directly behind a selector, a range or a subquery")))
}
