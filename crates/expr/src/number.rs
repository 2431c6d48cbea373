//! Numbers as Go reads and prints them.

/// The shortest digits of a finite float and the power of ten of the first one: 0.97 is ("97", -1).
pub(crate) fn digits(x: f64) -> (String, i32) {
    let text = format!("{:e}", x.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// `d.ddde+XX`, the exponent at least `width` digits wide.
pub(crate) fn scientific(digits: &str, exponent: i32, width: usize) -> String {
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{rest}e{sign}{:0width$}", exponent.unsigned_abs())
}

/// A float as Go's `%v`: shortest digits, an exponent below 1e-4 and from 1e6 on (for the shortest digits Go decides as if six
/// were asked for).
pub(crate) fn go_text(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let (digits, exponent) = digits(x);
    if x == 0.0 || (-4..6).contains(&exponent) {
        return format!("{x}");
    }
    let sign = if x < 0.0 { "-" } else { "" };
    format!("{sign}{}", scientific(&digits, exponent, 2))
}

/// A whole number in decimal with an optional sign, nothing around it.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A float as Go's `ParseFloat` reads it, hexadecimal floats excepted. Too large a number is not one.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let signed = unsigned.len() < text.len();
    if unsigned.eq_ignore_ascii_case("nan") {
        return (!signed).then_some(f64::NAN);
    }
    let named = unsigned.starts_with(['i', 'I']);
    text.parse().ok().filter(|x: &f64| named || x.is_finite())
}

/// A float cut to a whole number; out of range it is the smallest one, as on amd64.
pub(crate) fn truncate(x: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&x) { x as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        let check = |x: f64, want: &str| assert_eq!(go_text(x), want);
        check(0.0, "0");
        check(0.97, "0.97");
        check(999_999.0, "999999");
        check(1_000_000.0, "1e+06");
        check(-123_456_789.0, "-1.23456789e+08");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(f64::INFINITY, "+Inf");
    }
}
