//! Numbers as Go reads and prints them.

/// A float as Prometheus reads it from a metrics page or a query: decimal, or a name of infinity or NaN in any case.
/// Too large a number is not one.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.eq_ignore_ascii_case("nan") {
        return (unsigned.len() == text.len()).then_some(f64::NAN);
    }
    let named = unsigned.starts_with(['i', 'I']);
    text.parse().ok().filter(|value: &f64| named || value.is_finite())
}

/// A value as Prometheus writes it in its answers: the shortest digits that give the number back, never with an
/// exponent; `NaN`, `+Inf`, `-Inf`.
pub fn format_value(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

/// A float as OpenMetrics writes it: like Go's `%g`, but whole numbers get a `.0`.
pub(crate) fn open_metrics(value: f64) -> String {
    if !value.is_finite() {
        return format_value(value);
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0.0" } else { "0.0" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        let text = format!("{value}");
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let check = |text: &str, want: Option<f64>| assert_eq!(parse_float(text), want, "{text}");
        check("1", Some(1.0));
        check("+1.5e3", Some(1500.0));
        check(".5", Some(0.5));
        check("5.", Some(5.0));
        check("+Inf", Some(f64::INFINITY));
        check("-inf", Some(f64::NEG_INFINITY));
        check("Infinity", Some(f64::INFINITY));
        check("1e999", None);
        check("", None);
        check("1_0", None);
        check("0x1p3", None);
        check("-NaN", None);
        assert!(parse_float("nan").unwrap().is_nan());
    }

    #[test]
    fn prints_without_exponent_and_as_open_metrics() {
        assert_eq!(
            [format_value(1e21), format_value(0.5), format_value(f64::INFINITY)],
            ["1000000000000000000000", "0.5", "+Inf"]
        );
        let check = |value: f64, want: &str| assert_eq!(open_metrics(value), want);
        check(1.0, "1.0");
        check(0.99, "0.99");
        check(1e21, "1e+21");
        check(1.5e-7, "1.5e-07");
        check(f64::NAN, "NaN");
    }
}
