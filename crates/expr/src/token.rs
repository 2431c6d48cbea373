//! Splits a condition into tokens with byte offsets.

use std::sync::Arc;

use crate::error::{CompileError, Span};
use crate::literal;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Identifier,
    /// A number as written; its value is read by the parser.
    Number,
    /// A quoted string with its escapes resolved.
    Text(Arc<str>),
    Operator,
    Bracket,
    End,
}

/// A token: its kind, its text as written and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) text: &'s str,
    pub(crate) span: Span,
}

impl Token<'_> {
    pub(crate) fn is_operator(&self, text: &str) -> bool {
        self.kind == Kind::Operator && self.text == text
    }

    pub(crate) fn is_bracket(&self, text: &str) -> bool {
        self.kind == Kind::Bracket && self.text == text
    }
}

/// Words that are operators rather than names.
const WORD_OPERATORS: [&str; 11] =
    ["not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"];

/// Letters, digits, `_` and `$` make up names.
pub(crate) fn is_name_char(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphabetic() || c.is_numeric()
}

/// All tokens of `source`, ending with one of kind [`Kind::End`].
pub(crate) fn tokenize(source: &str) -> Result<Vec<Token<'_>>, CompileError> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new() };
    while lexer.step()? {}
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    tokens: Vec<Token<'s>>,
}

impl<'s> Lexer<'s> {
    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn accept(&mut self, set: &str) -> bool {
        match self.peek() {
            Some(c) if set.contains(c) => {
                self.at += c.len_utf8();
                true
            }
            _ => false,
        }
    }

    fn accept_while(&mut self, keep: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|&c| keep(c)) {
            self.at += c.len_utf8();
        }
    }

    fn emit(&mut self, kind: Kind, start: usize) {
        let span = Span { start, end: self.at };
        self.tokens.push(Token { kind, text: &self.source[start..self.at], span });
    }

    fn fail<T>(&self, start: usize, message: impl Into<String>) -> Result<T, CompileError> {
        Err(CompileError::new(Span { start, end: self.at }, message))
    }

    /// Reads one token; false at the end.
    fn step(&mut self) -> Result<bool, CompileError> {
        self.accept_while(char::is_whitespace);
        let start = self.at;
        let Some(c) = self.peek() else {
            self.emit(Kind::End, start);
            return Ok(false);
        };
        if c.is_ascii_digit() {
            return self.number(start);
        }
        if is_name_char(c) {
            return self.name(start);
        }
        self.at += c.len_utf8();
        match c {
            '\'' | '"' => return self.quoted(c, start),
            '`' => return self.raw(start),
            '/' => return self.slash(start),
            '.' => {
                if self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    self.at = start;
                    return self.number(start);
                }
                self.accept(".");
            }
            '#' => {
                self.accept("#");
            }
            '|' => {
                self.accept("|");
            }
            ':' => {
                self.accept(":");
            }
            '?' => {
                self.accept(".?");
            }
            '&' | '!' | '=' | '*' | '<' | '>' => {
                self.accept("&=*");
            }
            ',' | ';' | '%' | '+' | '-' | '^' => {}
            '(' | ')' | '[' | ']' | '{' | '}' => {
                self.emit(Kind::Bracket, start);
                return Ok(true);
            }
            _ => return self.fail(start, format!("unexpected character {c:?}")),
        }
        self.emit(Kind::Operator, start);
        Ok(true)
    }

    fn name(&mut self, start: usize) -> Result<bool, CompileError> {
        self.accept_while(is_name_char);
        let word = &self.source[start..self.at];
        if (word == "b" || word == "B") && matches!(self.peek(), Some('\'' | '"')) {
            return self.fail(start, "byte strings are not supported");
        }
        // A name right after `#` is the accumulator or index, never an operator.
        let after_pointer = self.tokens.last().is_some_and(|t| t.is_operator("#") && t.span.end == start);
        let operator = WORD_OPERATORS.contains(&word) && !after_pointer;
        self.emit(if operator { Kind::Operator } else { Kind::Identifier }, start);
        Ok(true)
    }

    fn number(&mut self, start: usize) -> Result<bool, CompileError> {
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_while(|c| digits.contains(c));
        // Two dots after a number are the range operator.
        if !self.source[self.at..].starts_with("..") {
            if self.accept(".") {
                self.accept_while(|c| digits.contains(c));
            }
            if self.accept("eE") {
                self.accept("+-");
                self.accept_while(|c| digits.contains(c));
            }
            if self.peek().is_some_and(is_name_char) {
                self.accept_while(is_name_char);
                return self.fail(start, format!("bad number {:?}", &self.source[start..self.at]));
            }
        }
        self.emit(Kind::Number, start);
        Ok(true)
    }

    fn quoted(&mut self, quote: char, start: usize) -> Result<bool, CompileError> {
        loop {
            let Some(c) = self.peek() else {
                return self.fail(start, "the string is not closed");
            };
            self.at += c.len_utf8();
            match c {
                '\\' => {
                    let Some(escaped) = self.peek() else {
                        return self.fail(start, "the string is not closed");
                    };
                    self.at += escaped.len_utf8();
                }
                '\n' => return self.fail(start, "the string is not closed on its line"),
                c if c == quote => break,
                _ => {}
            }
        }
        match literal::unescape(&self.source[start + 1..self.at - 1]) {
            Ok(text) => {
                self.emit(Kind::Text(text.into()), start);
                Ok(true)
            }
            Err(message) => self.fail(start, message),
        }
    }

    /// A string between backquotes: no escapes, a doubled backquote stands for one.
    fn raw(&mut self, start: usize) -> Result<bool, CompileError> {
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                return self.fail(start, "the string is not closed");
            };
            self.at += c.len_utf8();
            if c != '`' {
                text.push(c);
            } else if self.accept("`") {
                text.push('`');
            } else {
                break;
            }
        }
        self.emit(Kind::Text(text.into()), start);
        Ok(true)
    }

    /// A division or a comment.
    fn slash(&mut self, start: usize) -> Result<bool, CompileError> {
        if self.accept("/") {
            self.accept_while(|c| c != '\n');
        } else if self.accept("*") {
            match self.source[self.at..].find("*/") {
                Some(length) => self.at += length + 2,
                None => {
                    self.at = self.source.len();
                    return self.fail(start, "the comment is not closed");
                }
            }
        } else {
            self.emit(Kind::Operator, start);
        }
        Ok(true)
    }
}
