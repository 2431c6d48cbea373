//! Splits a query into tokens with byte offsets.

use super::{Span, duration};
use crate::query::QueryError;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword, as written.
    Word,
    Number(f64),
    /// A duration in milliseconds.
    Duration(i64),
    /// A quoted text with its escapes resolved.
    Text(String),
    /// An operator, bracket, comma or colon, as written.
    Sign,
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) span: Span,
}

/// Operators of two characters; all of one follow.
const LONG_SIGNS: [&str; 8] = ["==", "!=", ">=", "<=", "=~", "!~", "</", ">/"];
const SIGNS: &str = "+-*/%^<>=(){}[],:@";

/// All tokens of a query, the last of kind [`Token::End`].
pub(super) fn tokenize(source: &str) -> Result<Vec<Lexeme>, QueryError> {
    let mut lexer = Lexer { source, at: 0, braces: 0 };
    let mut out = Vec::new();
    loop {
        let lexeme = lexer.next()?;
        let end = lexeme.token == Token::End;
        out.push(lexeme);
        if end {
            return Ok(out);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// Open braces: between them `a:b` is not a name and `1` not a number.
    braces: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let space = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.at += space;
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn lexeme(&self, token: Token, start: usize) -> Lexeme {
        Lexeme { token, span: Span { start, end: self.at } }
    }

    fn fail<T>(&self, start: usize, message: impl Into<String>) -> Result<T, QueryError> {
        Err(QueryError::new(Span { start, end: self.at }, message))
    }

    fn next(&mut self) -> Result<Lexeme, QueryError> {
        self.skip();
        let start = self.at;
        let Some(c) = self.peek() else {
            return Ok(self.lexeme(Token::End, start));
        };
        let digit_next = self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit());
        if c.is_ascii_digit() || (c == '.' && digit_next) {
            return self.number(start);
        }
        if c.is_ascii_alphabetic() || c == '_' || (c == ':' && self.braces == 0 && self.names_follow()) {
            let colon = self.braces == 0;
            let rest = self.rest();
            let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
            self.at += rest.find(|c| !name(c)).unwrap_or(rest.len());
            return Ok(self.lexeme(Token::Word, start));
        }
        if matches!(c, '"' | '\'' | '`') {
            return self.text(c, start);
        }
        if let Some(sign) = LONG_SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            self.at += sign.len();
            return Ok(self.lexeme(Token::Sign, start));
        }
        self.at += c.len_utf8();
        if !SIGNS.contains(c) {
            return self.fail(start, format!("unexpected character {c:?}"));
        }
        match c {
            '{' => self.braces += 1,
            '}' => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        Ok(self.lexeme(Token::Sign, start))
    }

    /// Whether the colon here begins the name of a recording rule, and does not separate the step of a subquery.
    fn names_follow(&self) -> bool {
        let before = self.source[..self.at].trim_end();
        !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')')
            && self.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
    }

    fn number(&mut self, start: usize) -> Result<Lexeme, QueryError> {
        let rest = self.rest();
        let mut end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        // The sign of an exponent belongs to the number, unless it is hexadecimal.
        let hex = rest.starts_with("0x") || rest.starts_with("0X");
        if !hex && rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['+', '-']) {
            let tail = &rest[end + 1..];
            end += 1 + tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        }
        let text = &rest[..end];
        let token = match (number(text), duration::parse(text)) {
            (Some(value), _) => Some(Token::Number(value)),
            (None, Some(ms)) => Some(Token::Duration(ms)),
            (None, None) => None,
        };
        let message = format!("bad number or duration {text:?}");
        self.at += end;
        match token {
            Some(token) => Ok(self.lexeme(token, start)),
            None => self.fail(start, message),
        }
    }

    fn text(&mut self, quote: char, start: usize) -> Result<Lexeme, QueryError> {
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            let Some(c) = self.peek() else {
                return self.fail(start, "the string is not closed");
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => break,
                '\\' if quote != '`' => self.escape(quote, &mut bytes)?,
                '\n' if quote != '`' => return self.fail(start, "the string is not closed on its line"),
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(self.lexeme(Token::Text(text), start)),
            Err(_) => self.fail(start, "the string is not UTF-8"),
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, quote: char, out: &mut Vec<u8>) -> Result<(), QueryError> {
        let start = self.at - 1;
        let Some(c) = self.peek() else {
            return self.fail(start, "the string is not closed");
        };
        self.at += c.len_utf8();
        let simple = match c {
            'a' => Some(7),
            'b' => Some(8),
            'f' => Some(12),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(11),
            '\\' => Some(b'\\'),
            c if c == quote => Some(quote as u8),
            _ => None,
        };
        if let Some(byte) = simple {
            out.push(byte);
            return Ok(());
        }
        let (digits, base) = match c {
            '0'..='7' => {
                self.at -= 1;
                (3, 8)
            }
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            _ => return self.fail(start, format!("unknown escape \\{c}")),
        };
        let text = self.rest().get(..digits).filter(|text| text.chars().all(|c| c.is_digit(base)));
        let Some(code) = text.and_then(|text| u32::from_str_radix(text, base).ok()) else {
            return self.fail(start, format!("expected {digits} digits in the escape"));
        };
        self.at += digits;
        // Octal and two hexadecimal digits stand for a byte, the longer forms for a character.
        if digits < 4 {
            let Ok(byte) = u8::try_from(code) else {
                return self.fail(start, "the escape is not a byte");
            };
            out.push(byte);
            return Ok(());
        }
        match char::from_u32(code) {
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return self.fail(start, "the escape is not a character"),
        }
        Ok(())
    }
}

/// A number as written: decimal, hexadecimal after `0x`, octal after a `0`. Underscores may stand between digits of
/// whole numbers.
fn number(text: &str) -> Option<f64> {
    let bare: String = text.replace('_', "");
    let underscores = bare.len() < text.len();
    let misplaced = text.ends_with('_') || text.contains("__");
    if let Some(digits) = bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok().filter(|_| !misplaced).map(|value| value as f64);
    }
    if bare.len() > 1 && bare.starts_with('0') && bare.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return i64::from_str_radix(&bare, 8).ok().filter(|_| !misplaced).map(|value| value as f64);
    }
    if underscores && (misplaced || !bare.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    bare.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> Vec<Token> {
        tokenize(source).unwrap().into_iter().map(|lexeme| lexeme.token).collect()
    }

    #[test]
    fn numbers_and_durations() {
        let check = |source: &str, want: Token| assert_eq!(tokens(source)[0], want, "{source}");
        check("1", Token::Number(1.0));
        check("1.5e-3", Token::Number(0.0015));
        check("1e+3", Token::Number(1000.0));
        check(".5", Token::Number(0.5));
        check("0x1F", Token::Number(31.0));
        check("010", Token::Number(8.0));
        check("1_000", Token::Number(1000.0));
        check("5m", Token::Duration(300_000));
        check("1h30m", Token::Duration(5_400_000));
    }

    #[test]
    fn colons_name_rules_and_separate_steps() {
        let spans = |source: &str| -> Vec<String> {
            tokenize(source).unwrap().iter().map(|l| source[l.span.start..l.span.end].to_owned()).collect()
        };
        assert_eq!(spans("job:x:rate5m"), ["job:x:rate5m", ""]);
        assert_eq!(spans(":x"), [":x", ""]);
        assert_eq!(spans("[5m:1m]"), ["[", "5m", ":", "1m", "]", ""]);
        assert_eq!(spans("[5m:]"), ["[", "5m", ":", "]", ""]);
    }

    #[test]
    fn strings_resolve_escapes() {
        let check = |source: &str, want: &str| assert_eq!(tokens(source)[0], Token::Text(want.into()), "{source}");
        check(r#""a\n\"\\\x41\101\u00e9\U0001F600""#, "a\n\"\\AA\u{e9}\u{1F600}");
        check(r"'it\'s'", "it's");
        check("`a\\n\nb`", "a\\n\nb");
        check(r#""\xc3\xa9""#, "\u{e9}");
    }

    #[test]
    fn bad_tokens_say_where() {
        let check = |source: &str, message: &str, start: usize| {
            let error = tokenize(source).unwrap_err();
            assert_eq!((error.message.as_str(), error.start), (message, start), "{source}");
        };
        check("a $ b", "unexpected character '$'", 2);
        check("a + 5z", "bad number or duration \"5z\"", 4);
        check("\"abc", "the string is not closed", 0);
        check("\"a\nb\"", "the string is not closed on its line", 0);
        check(r#""a\q""#, "unknown escape \\q", 2);
        check(r#""\xff""#, "the string is not UTF-8", 0);
        check(r#""\ud800""#, "the escape is not a character", 1);
        check("1__0", "bad number or duration \"1__0\"", 0);
    }
}
