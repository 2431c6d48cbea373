//! Lengths of time as Prometheus writes them: `5m`, `1h30m`, `250ms`.

/// Units from the largest to the smallest; in a duration each comes at most once and in this order.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds of a duration; none if the text is not one, or too long a time for 64 bits of nanoseconds, which is
/// where Prometheus stops.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total_ms = 0_i64;
    let mut allowed = &UNITS[..];
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let at = allowed.iter().position(|(unit, _)| *unit == &rest[..letters])?;
        total_ms = total_ms.checked_add(count.checked_mul(allowed[at].1)?)?;
        allowed = &allowed[at + 1..];
        rest = &rest[letters..];
    }
    (!text.is_empty() && total_ms <= i64::MAX / 1_000_000).then_some(total_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        let check = |text: &str, want: Option<i64>| assert_eq!(parse(text), want, "{text}");
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        check("1m5ms", Some(60_005));
        check("1y2w3d", Some(31_536_000_000 + 1_209_600_000 + 259_200_000));
        check("30m1h", None);
        check("1m1m", None);
        check("5", None);
        check("m", None);
        check("", None);
        check("5x", None);
        check("300y", None);
        check("99999999999999999999s", None);
    }
}
