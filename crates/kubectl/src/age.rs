//! Lengths of time as kubectl's tables write them: two units at most, none smaller than what matters.

use serin_core::Time;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How long ago a moment was; `<unknown>` for one that nobody wrote down.
pub fn since(at: Option<Time>, now: Time) -> String {
    at.map_or_else(|| "<unknown>".to_owned(), |at| short(now.as_millis() - at.as_millis()))
}

/// A length in milliseconds. Two seconds below zero are a clock that differs; more are `<invalid>`.
pub fn short(ms: i64) -> String {
    let s = ms / 1000;
    if s < -1 {
        return "<invalid>".to_owned();
    }
    match s.max(0) {
        s @ ..120 => format!("{s}s"),
        s @ ..600 => two((s / MINUTE, "m"), (s % MINUTE, "s")),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two((s / HOUR, "h"), (s % HOUR / MINUTE, "m")),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two((s / DAY, "d"), (s % DAY / HOUR, "h")),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        s if s < 8 * YEAR => two((s / YEAR, "y"), (s % YEAR / DAY, "d")),
        s => format!("{}y", s / YEAR),
    }
}

/// A unit and the next smaller one, where there is something of it.
fn two((great, unit): (i64, &str), (small, smaller): (i64, &str)) -> String {
    if small == 0 { format!("{great}{unit}") } else { format!("{great}{unit}{small}{smaller}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_kubectl() {
        let check = |s: i64, want: &str| assert_eq!(short(s * 1000), want, "{s} s");
        check(-5, "<invalid>");
        check(-1, "0s");
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(193, "3m13s");
        check(600, "10m");
        check(3 * HOUR - 1, "179m");
        check(3 * HOUR, "3h");
        check(7 * HOUR + 61, "7h1m");
        check(8 * HOUR, "8h");
        check(2 * DAY - 1, "47h");
        check(2 * DAY, "2d");
        check(3 * DAY + 5 * HOUR, "3d5h");
        check(8 * DAY, "8d");
        check(729 * DAY, "729d");
        check(2 * YEAR, "2y");
        check(2 * YEAR + 3 * DAY, "2y3d");
        check(8 * YEAR + 3 * DAY, "8y");
        assert_eq!(since(None, Time::from_millis(5)), "<unknown>");
        assert_eq!(since(Some(Time::from_millis(1_000)), Time::from_millis(3_500)), "2s");
    }
}
