//! The times of a range query: `now()`, or `now() - duration("1h")`, and a step.

use serin_spec::duration;
use serin_spec::wire::provider::RangeQuery;

use crate::error::ProviderError;

const MS: i64 = 1_000_000;

/// A range of times relative to the time of the measurement, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    start_offset_ms: i64,
    end_offset_ms: i64,
    pub(crate) step_ms: i64,
}

impl TimeRange {
    //= compat: 3.11-4, 3.10-11
    pub(crate) fn of(range: &RangeQuery) -> Result<TimeRange, ProviderError> {
        let part = |name: &str, text: &Option<String>| {
            let missing = || ProviderError::config(format!("rangeQuery.{name} is not set"));
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).ok_or_else(missing).map(str::to_owned)
        };
        let (start, end, step) = (part("start", &range.start)?, part("end", &range.end)?, part("step", &range.step)?);
        let step_ns =
            duration::parse_ns(&step).map_err(|error| ProviderError::config(format!("rangeQuery.step: {error}")))?;
        if step_ns < MS {
            return Err(ProviderError::config(format!("rangeQuery.step {step:?} is not a positive length of time")));
        }
        Ok(TimeRange {
            start_offset_ms: offset_ms("start", &start)?,
            end_offset_ms: offset_ms("end", &end)?,
            step_ms: step_ns / MS,
        })
    }

    /// Start and end in milliseconds since 1970.
    pub(crate) fn at(&self, now_ms: i64) -> (i64, i64) {
        (now_ms.saturating_add(self.start_offset_ms), now_ms.saturating_add(self.end_offset_ms))
    }
}

/// Milliseconds from now to the time that an expression means.
fn offset_ms(name: &str, text: &str) -> Result<i64, ProviderError> {
    // Spaces mean nothing outside of the durations, and durations have none.
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let fail = || {
        let message = format!(
            "rangeQuery.{name} {text:?} is not a time: expected now(), or now() with + or - duration(\"1h\") after it"
        );
        ProviderError::config(message)
    };
    let mut rest = compact.strip_prefix("now()").ok_or_else(fail)?;
    let mut total_ns = 0_i64;
    while !rest.is_empty() {
        let sign = match rest.as_bytes()[0] {
            b'+' => 1,
            b'-' => -1,
            _ => return Err(fail()),
        };
        let call = rest[1..].strip_prefix("duration(").ok_or_else(fail)?;
        let (quoted, tail) = call.split_once(')').ok_or_else(fail)?;
        let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(fail)?;
        let inner = quoted[1..].strip_suffix(quote).ok_or_else(fail)?;
        let ns = duration::parse_ns(inner).map_err(|_| fail())?;
        total_ns = ns.checked_mul(sign).and_then(|ns| total_ns.checked_add(ns)).ok_or_else(fail)?;
        rest = tail;
    }
    Ok(total_ns / MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &str, end: &str, step: &str) -> RangeQuery {
        RangeQuery { start: Some(start.into()), end: Some(end.into()), step: Some(step.into()) }
    }

    //= compat: 3.11-4, 3.10-11
    #[test]
    fn times_are_relative_to_now() {
        let check = |start: &str, end: &str, step: &str, want: (i64, i64, i64)| {
            let range = TimeRange::of(&range(start, end, step)).unwrap();
            let (start_ms, end_ms) = range.at(10_000_000);
            assert_eq!((start_ms, end_ms, range.step_ms), want);
        };
        check("now() - duration(\"1h\")", "now()", "1m", (6_400_000, 10_000_000, 60_000));
        check("now()-duration('90s')+duration('500ms')", " now( ) ", "1.5s", (9_910_500, 10_000_000, 1_500));
    }

    #[test]
    fn other_times_are_refused() {
        let check = |start: &str, end: &str, step: &str, part: &str| {
            let error = TimeRange::of(&range(start, end, step)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("", "now()", "1m", "rangeQuery.start is not set");
        check("now()", "date('2026-01-01')", "1m", "rangeQuery.end \"date('2026-01-01')\" is not a time");
        check("now() - 5", "now()", "1m", "rangeQuery.start");
        check("now() - duration(\"1x\")", "now()", "1m", "rangeQuery.start");
        check("now()", "now()", "0s", "rangeQuery.step");
        check("now()", "now()", "x", "rangeQuery.step");
    }
}
