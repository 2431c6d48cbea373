//! Go durations (`1h30m`, `1.5s`, `300ms`), as `time.ParseDuration` reads them.

use std::fmt;

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError(String);

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DurationError {}

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds of a Go duration: an optional sign, then numbers with a fraction and a unit each; `0` needs no unit.
///
/// # Errors
/// When the text has another form or does not fit 64 bits.
pub fn parse_ns(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError(format!("invalid duration \"{text}\": expected a form such as 30s, 5m or 1h30m"));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let whole_end = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(whole_end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(DurationError(format!("missing unit in duration \"{text}\": write for example {text}s")));
        }
        let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ns)| *ns).ok_or_else(|| {
            DurationError(format!("unknown unit \"{unit}\" in duration \"{text}\": use ns, us, ms, s, m or h"))
        })?;
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|ns| total.checked_add(ns)).ok_or_else(invalid)?;
        total += fraction_ns(fraction, scale);
        if total > 1 << 63 {
            return Err(invalid());
        }
        rest = tail;
    }
    let signed = if negative { -total } else { total };
    i64::try_from(signed).map_err(|_| invalid())
}

/// The part after the point, cut off (not rounded) to whole nanoseconds as Go does; digits beyond 18 say nothing.
fn fraction_ns(digits: &str, scale: i128) -> i128 {
    let digits = &digits[..digits.len().min(18)];
    let number: i128 = digits.parse().unwrap_or(0);
    number * scale / 10_i128.pow(digits.len() as u32)
}

/// Milliseconds of a Go duration, cut off.
///
/// # Errors
/// As [`parse_ns`].
pub fn parse_ms(text: &str) -> Result<i64, DurationError> {
    parse_ns(text).map(|ns| ns / 1_000_000)
}
