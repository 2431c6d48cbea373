//! Reads the literals of the language: numbers and escaped strings.

/// A number literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

/// The value of a number as written, underscores included.
pub(crate) fn number(text: &str) -> Result<Number, String> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    let based = |digits: &str, radix| {
        i64::from_str_radix(digits, radix)
            .map(Number::Int)
            .map_err(|_| format!("{text} is not a whole number within 64 bits"))
    };
    if let Some(digits) = plain.strip_prefix("0x") {
        return based(digits, 16);
    }
    if plain.contains(['.', 'e']) {
        return match plain.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Number::Float(value)),
            Ok(_) => Err(format!("{text} is too large")),
            Err(_) => Err(format!("{text} is not a number")),
        };
    }
    if let Some(digits) = plain.strip_prefix("0b") {
        return based(digits, 2);
    }
    if let Some(digits) = plain.strip_prefix("0o") {
        return based(digits, 8);
    }
    based(&plain, 10)
}

/// Resolves the escapes of a quoted string, given without its quotes.
pub(crate) fn unescape(body: &str) -> Result<String, String> {
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(body.len());
    let mut rest = body.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err("the string ends with a backslash".to_owned());
        };
        rest = &rest[c.len_utf8()..];
        let value = match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' | '?' => c,
            'u' if rest.starts_with('{') => braced(&mut rest)?,
            'x' | 'X' => coded(&mut rest, 2, 16)?,
            'u' => coded(&mut rest, 4, 16)?,
            'U' => coded(&mut rest, 8, 16)?,
            '0'..='3' => {
                let high = u32::from(c) - u32::from('0');
                let low = u32::from(coded(&mut rest, 2, 8)?);
                scalar(high * 64 + low)
            }
            _ => return Err(format!("unknown escape \\{c} in a string")),
        };
        out.push(value);
    }
    out.push_str(rest);
    Ok(out)
}

/// Surrogates have no encoding of their own; like Go, they become U+FFFD.
fn scalar(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn coded(rest: &mut &str, length: usize, radix: u32) -> Result<char, String> {
    let digits = rest.get(..length).ok_or("an escape in a string is too short")?;
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(format!("\\..{digits} is not a valid escape in a string"));
    }
    let code = u32::from_str_radix(digits, radix).map_err(|e| e.to_string())?;
    *rest = &rest[length..];
    if code > u32::from(char::MAX) {
        return Err(format!("\\..{digits} is not a character"));
    }
    Ok(scalar(code))
}

fn braced(rest: &mut &str) -> Result<char, String> {
    let end = rest.find('}').ok_or("\\u{ is not closed in a string")?;
    let digits = &rest[1..end];
    if digits.is_empty() || digits.len() > 6 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(format!("\\u{{{digits}}} is not a character"));
    }
    let code = u32::from_str_radix(digits, 16).map_err(|e| e.to_string())?;
    if code > u32::from(char::MAX) {
        return Err(format!("\\u{{{digits}}} is not a character"));
    }
    *rest = &rest[end + 1..];
    Ok(scalar(code))
}
