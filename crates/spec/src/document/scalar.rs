//! What a plain scalar means: YAML 1.1 as Kubernetes' own reader takes it, not YAML 1.2.

use serde_json::Number;

use super::Kind;

/// Why a plain scalar has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotFinite;

/// The value of a plain scalar. `yes`, `on` and `n` are booleans, `0644` is octal, `1_000` is a thousand; times stay
/// texts.
///
/// # Errors
/// For `.inf` and `.nan`, which JSON, and so Kubernetes, does not have.
pub(crate) fn resolve(text: &str) -> Result<Kind, NotFinite> {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Kind::Null);
    }
    for (words, value) in [(TRUE, true), (FALSE, false)] {
        if let Some(word) = words.into_iter().find(|word| *word == text) {
            return Ok(Kind::Bool(value, word));
        }
    }
    if is_not_finite(text) {
        return Err(NotFinite);
    }
    Ok(number(text).map_or_else(|| Kind::Text(text.to_owned()), Kind::Number))
}

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];

fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    whole(&digits).or_else(|| if is_float(&digits) { digits.parse().ok().and_then(Number::from_f64) } else { None })
}

/// A whole number of 64 bits, in the base that its prefix tells.
fn whole(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(size.into());
    }
    0_i64.checked_sub_unsigned(size).map(Number::from)
}

/// `12.5`, `.5`, `1e3`, `-2.E+4`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(before)
        && digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: serde_json::Value) {
        let got = match resolve(text).unwrap() {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(value, _) => value.into(),
            Kind::Number(number) => number.into(),
            Kind::Text(text) => text.into(),
            other => panic!("{other:?}"),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn scalars_mean_what_yaml_1_1_says() {
        check("", serde_json::Value::Null);
        check("~", serde_json::Value::Null);
        for text in ["y", "yes", "On", "TRUE"] {
            check(text, true.into());
        }
        for text in ["n", "No", "off", "false"] {
            check(text, false.into());
        }
        check("yEs", "yEs".into());
        check("0644", 420.into());
        check("0o17", 15.into());
        check("0x1F", 31.into());
        check("0b11", 3.into());
        check("-0x1F", (-31).into());
        check("1_000", 1000.into());
        check("089", serde_json::json!(89.0));
        check("1e3", serde_json::json!(1000.0));
        check(".5", serde_json::json!(0.5));
        check("-9223372036854775808", i64::MIN.into());
        check("18446744073709551615", u64::MAX.into());
        check("18446744073709551616", serde_json::json!(18446744073709551616.0));
        for text in ["1h", "25%", "-", ".", "+", "0x", "1.2.3", "2026-01-01", "1e", "--1", "0x-1", "e3"] {
            check(text, text.into());
        }
    }

    #[test]
    fn what_json_does_not_have_is_refused() {
        for text in [".inf", "-.Inf", "+.INF", ".nan", ".NaN"] {
            assert_eq!(resolve(text), Err(NotFinite), "{text}");
        }
        check("1e999", "1e999".into());
    }
}
