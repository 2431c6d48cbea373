//! Points in time as they stand in objects: RFC 3339, in UTC, with milliseconds where they are not zero.

use jiff::Timestamp;
use serin_core::Time;

/// Reads a time; any offset is accepted, fractions beyond the millisecond are cut off.
pub fn parse(text: &str) -> Option<Time> {
    let stamp: Timestamp = text.parse().ok()?;
    Some(Time::from_millis(stamp.as_millisecond()))
}

/// Reads a time that may be missing.
pub fn parse_optional(text: Option<&str>) -> Option<Time> {
    text.and_then(parse)
}

/// Writes a time. Kubernetes writes whole seconds but reads fractions, so nothing is lost by writing them. Times that a
/// calendar of four-digit years cannot hold are written as its first or last moment.
pub fn format(time: Time) -> String {
    const FIRST_MS: i64 = -62_167_219_200_000; // 0000-01-01T00:00:00Z
    const LAST_MS: i64 = 253_402_207_199_999; // the last millisecond that jiff holds
    let ms = time.as_millis().clamp(FIRST_MS, LAST_MS);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds_only_where_there_are_some() {
        let check = |ms: i64, want: &str| assert_eq!(format(Time::from_millis(ms)), want);
        check(0, "1970-01-01T00:00:00Z");
        check(1_700_000_000_000, "2023-11-14T22:13:20Z");
        check(1_700_000_000_120, "2023-11-14T22:13:20.12Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(i64::MAX, "9999-12-30T21:59:59.999Z");
        check(i64::MIN, "0000-01-01T00:00:00Z");
    }

    #[test]
    fn times_are_read_with_any_offset_and_fraction() {
        let check = |text: &str, ms: Option<i64>| assert_eq!(parse(text).map(Time::as_millis), ms, "{text}");
        check("2023-11-14T22:13:20Z", Some(1_700_000_000_000));
        check("2023-11-14T23:13:20.123456+01:00", Some(1_700_000_000_123));
        check("2023-11-14", None);
        check("", None);
    }
}
