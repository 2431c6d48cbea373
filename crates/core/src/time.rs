//! Points in time and lengths of time, in whole milliseconds, so that no decision compares floats.

use std::fmt;
use std::ops::{Add, Sub};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z on the rollout's clock (which a demo may run faster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(i64);

/// A length of time in milliseconds; may be negative as the difference of two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(i64);

impl Time {
    /// The time `ms` milliseconds after the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// The time `s` seconds after the epoch.
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The span since `earlier`; negative if `earlier` is later.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of `ms` milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// A span of `s` seconds.
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The length in whole seconds, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl Add<Span> for Time {
    type Output = Time;

    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;

    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for Span {
    /// Go's form for the usual cases: `1h30m`, `45s`, `1.5s`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, ms) = if self.0 < 0 { ("-", self.0.unsigned_abs()) } else { ("", self.0.unsigned_abs()) };
        let (h, m, s, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        f.write_str(sign)?;
        if h > 0 {
            write!(f, "{h}h")?;
        }
        if m > 0 {
            write!(f, "{m}m")?;
        }
        if rest > 0 {
            let fraction = format!("{rest:03}");
            return write!(f, "{s}.{}s", fraction.trim_end_matches('0'));
        }
        if s > 0 || (h == 0 && m == 0) {
            write!(f, "{s}s")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_as_go_prints_them() {
        let check = |ms: i64, want: &str| assert_eq!(Span::from_millis(ms).to_string(), want);
        check(0, "0s");
        check(30_000, "30s");
        check(60_000, "1m");
        check(90_000, "1m30s");
        check(5_400_000, "1h30m");
        check(1_500, "1.5s");
        check(-2_000, "-2s");
    }

    #[test]
    fn times_add_and_subtract_without_overflow() {
        assert_eq!(Time::from_secs(5) + Span::from_secs(3), Time::from_secs(8));
        assert_eq!(Time::from_secs(5) - Span::from_secs(3), Time::from_secs(2));
        assert_eq!(Time::from_secs(5).since(Time::from_secs(8)), Span::from_secs(-3));
        assert_eq!((Time::from_millis(i64::MAX) + Span::from_secs(1)).as_millis(), i64::MAX);
        assert_eq!((Span::from_secs(2).as_millis(), Span::from_millis(-1).as_secs()), (2_000, -1));
    }
}
