//! Reads and writes JSON, so that the crate needs no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::go;
use crate::number;
use crate::value::{Key, Value};

/// Nesting that we read. A metric result is a few levels deep; the bound keeps every walk off the end of the stack.
const DEPTH_MAX: usize = 128;

/// How numbers without fraction and exponent are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Typed,
    Floats,
}

impl Value {
    /// Reads JSON; a number without fraction and exponent is an `Int`. Refuses nesting beyond 128 levels.
    ///
    /// # Errors
    /// Says what is wrong and at which byte.
    pub fn from_json(text: &str) -> Result<Value, String> {
        read(text, Numbers::Typed)
    }
}

pub(crate) fn read(text: &str, numbers: Numbers) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0, numbers };
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.fail("text after the end of the JSON value"),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    numbers: Numbers,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn fail<T>(&self, message: &str) -> Result<T, String> {
        Err(format!("{message} at byte {}", self.at))
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > DEPTH_MAX {
            return self.fail("JSON is nested too deeply");
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Str(self.text()?.into())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.accept("true") => Ok(Value::Bool(true)),
            _ if self.accept("false") => Ok(Value::Bool(false)),
            _ if self.accept("null") => Ok(Value::Nil),
            _ => self.fail("expected a JSON value"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.accept("]") {
            return Ok(Value::List(Arc::new(items)));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.accept("]") {
                return Ok(Value::List(Arc::new(items)));
            }
            if !self.accept(",") {
                return self.fail("expected , or ]");
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut map = BTreeMap::new();
        self.space();
        if self.accept("}") {
            return Ok(Value::Map(Arc::new(map)));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.fail("expected a key in double quotes");
            }
            let key = Key::Str(self.text()?.into());
            self.space();
            if !self.accept(":") {
                return self.fail("expected :");
            }
            map.insert(key, self.value(depth + 1)?);
            self.space();
            if self.accept("}") {
                return Ok(Value::Map(Arc::new(map)));
            }
            if !self.accept(",") {
                return self.fail("expected , or }");
            }
        }
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.fail("expected a digit") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.accept("-");
        if !self.accept("0") {
            self.digits()?;
        }
        let mut whole = true;
        if self.accept(".") {
            whole = false;
            self.digits()?;
        }
        if self.accept("e") || self.accept("E") {
            whole = false;
            let _ = self.accept("+") || self.accept("-");
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if whole
            && self.numbers == Numbers::Typed
            && let Some(i) = number::parse_int(text)
        {
            return Ok(Value::Int(i));
        }
        match number::parse_float(text) {
            Some(x) => Ok(Value::Float(x)),
            None => self.fail("number out of range"),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                return self.fail("string is not closed");
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if u32::from(c) < 0x20 => return self.fail("control character in a string"),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let Some(c) = self.peek() else {
            return self.fail("string is not closed");
        };
        if c != b'u' {
            let value = match c {
                b'"' | b'\\' | b'/' => char::from(c),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                _ => return self.fail("unknown escape in a string"),
            };
            self.at += 1;
            return Ok(value);
        }
        self.at += 1;
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|c| c.is_ascii_hexdigit()));
        match digits.and_then(|d| u32::from_str_radix(d, 16).ok()) {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fail("expected four hexadecimal digits"),
        }
    }
}

/// Writes indented JSON as Go does, with `<`, `>` and `&` escaped. NaN, infinities and keys that are not text have
/// no JSON.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    write_value(value, 0, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, indent: usize, out: &mut String) -> Result<(), String> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) => out.push_str(&value.to_string()),
        Value::Float(x) if x.is_finite() => out.push_str(&go::number(*x)),
        Value::Float(x) => {
            return Err(format!("{} cannot be written as JSON", number::go_text(*x)));
        }
        Value::Str(s) => go::text(s, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                line(i > 0, indent + 1, out);
                write_value(item, indent + 1, out)?;
            }
            line(false, indent, out);
            out.push(']');
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                let Key::Str(key) = key else {
                    return Err("a map with keys that are not text cannot be written as JSON".to_owned());
                };
                line(i > 0, indent + 1, out);
                go::text(key, out);
                out.push_str(": ");
                write_value(item, indent + 1, out)?;
            }
            line(false, indent, out);
            out.push('}');
        }
    }
    Ok(())
}

fn line(comma: bool, indent: usize, out: &mut String) {
    out.push_str(if comma { ",\n" } else { "\n" });
    for _ in 0..indent {
        out.push_str("  ");
    }
}
