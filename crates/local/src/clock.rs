//! The one clock: wall time, or wall time run faster for a demo. Everything that waits or measures asks it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serin_core::{Span, Time};

/// Milliseconds of the machine's clock since 1970.
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A rollout's clock. It is kept with the state, so that a restarted process goes on where time stood: at the same speed, and
/// never backwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Wall time at which this clock showed `began_ms`.
    pub wall_ms: i64,
    /// What it showed then.
    pub began_ms: i64,
    /// How many of its seconds pass in one second; 1 is real time.
    pub speed: f64,
}

/// Fastest clock. Beyond this a scrape interval is shorter than a scrape takes.
pub const SPEED_MAX: f64 = 100.0;

impl Clock {
    /// A clock that shows wall time now and runs at `speed` (1 to [`SPEED_MAX`]; other values are brought into that range).
    pub fn new(speed: f64) -> Self {
        let now = wall_ms();
        Self { wall_ms: now, began_ms: now, speed: clamp(speed) }
    }

    /// The same moment at another speed.
    pub fn with_speed(self, speed: f64, wall_now_ms: i64) -> Self {
        Self { wall_ms: wall_now_ms, began_ms: self.at(wall_now_ms).as_millis(), speed: clamp(speed) }
    }

    /// What it shows when the wall clock shows `wall_now_ms`. A wall clock that was set back stops it until it is past again.
    pub fn at(&self, wall_now_ms: i64) -> Time {
        let passed = (wall_now_ms - self.wall_ms).max(0) as f64;
        Time::from_millis(self.began_ms + (passed * self.speed) as i64)
    }

    /// What it shows now.
    pub fn now(&self) -> Time {
        self.at(wall_ms())
    }

    /// How long to sleep for `span` to pass on this clock.
    pub fn real(&self, span: Span) -> Duration {
        let ms = (span.as_millis().max(0) as f64 / self.speed).ceil();
        Duration::from_millis(ms as u64)
    }

    /// How much passes on this clock while `real` passes on the wall.
    pub fn span(&self, real: Duration) -> Span {
        Span::from_millis((real.as_millis() as f64 * self.speed) as i64)
    }
}

fn clamp(speed: f64) -> f64 {
    if speed.is_finite() { speed.clamp(1.0, SPEED_MAX) } else { 1.0 }
}

/// A time as RFC 3339, to the second.
pub fn rfc3339(time: Time) -> String {
    jiff::Timestamp::from_second(time.as_secs()).map_or_else(|_| format!("{}s", time.as_secs()), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_shows_more_time_and_never_goes_back() {
        let clock = Clock { wall_ms: 1_000, began_ms: 50_000, speed: 20.0 };
        assert_eq!(clock.at(1_000), Time::from_millis(50_000));
        assert_eq!(clock.at(1_500), Time::from_millis(60_000));
        assert_eq!(clock.at(0), Time::from_millis(50_000));
        assert_eq!(clock.real(Span::from_secs(60)), Duration::from_secs(3));
    }

    #[test]
    fn changing_the_speed_keeps_the_moment() {
        let clock = Clock { wall_ms: 1_000, began_ms: 50_000, speed: 20.0 }.with_speed(1.0, 2_000);
        assert_eq!(clock.at(2_000), Time::from_millis(70_000));
        assert_eq!(clock.at(3_000), Time::from_millis(71_000));
    }

    #[test]
    fn impossible_speeds_are_brought_into_range() {
        for (asked, got) in [(0.0, 1.0), (-3.0, 1.0), (f64::NAN, 1.0), (1e9, SPEED_MAX), (20.0, 20.0)] {
            assert_eq!(Clock::new(asked).speed, got);
        }
    }
}
