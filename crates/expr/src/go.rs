//! Scalars as Go's JSON encoder writes them: for values in a status, and for what is hashed as Go would hash it.

use crate::number::{digits, scientific};

/// A finite float: shortest digits, an exponent below 1e-6 and from 1e21 on.
pub fn number(x: f64) -> String {
    let (digits, exponent) = digits(x);
    if x == 0.0 || (-6..21).contains(&exponent) {
        return format!("{x}");
    }
    let sign = if x < 0.0 { "-" } else { "" };
    // Go widens exponents to two digits and its JSON writer narrows only the negative ones again.
    let width = if exponent < 0 { 1 } else { 2 };
    format!("{sign}{}", scientific(&digits, exponent, width))
}

/// A string with its quotes: the escapes of JSON, and those that keep it harmless inside HTML and JavaScript.
pub fn text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
