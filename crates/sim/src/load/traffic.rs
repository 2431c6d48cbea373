//! How many requests come.

use serin_core::{Span, Time};

/// Requests of the users, and those of whoever looks at a preview.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Mean number of requests a second over a day.
    pub rate: f64,
    /// How far the rate swings around its mean in a day, as a share of it, 0 to 1.
    pub swing: f64,
    /// A moment of the highest rate.
    pub peak: Time,
    /// Requests a second to the preview service.
    pub preview_rate: f64,
    /// Requests with a header of their own.
    pub headers: Vec<HeaderShare>,
}

/// Requests that carry a header.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderShare {
    /// The header's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Their share of all requests, 0 to 1.
    pub share: f64,
}

const DAY: Span = Span::from_secs(24 * 3600);

impl Traffic {
    /// So many requests a second, day and night.
    pub fn steady(rate: f64) -> Self {
        Self { rate, swing: 0.0, peak: Time::default(), preview_rate: 0.0, headers: Vec::new() }
    }

    /// Requests a second at a moment.
    pub fn rate_at(&self, now: Time) -> f64 {
        if self.swing == 0.0 {
            return self.rate;
        }
        let day = now.since(self.peak).as_millis() as f64 / DAY.as_millis() as f64;
        self.rate * (1.0 + self.swing * libm::cos(day * core::f64::consts::TAU))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_swings_once_a_day() {
        let peak = Time::from_secs(1_000_000);
        let traffic = Traffic { swing: 0.6, peak, ..Traffic::steady(100.0) };
        let check = |hours: i64, want: f64| {
            let got = traffic.rate_at(peak + Span::from_secs(hours * 3600));
            assert!((got - want).abs() < 1e-9, "{hours} h: {got}");
        };
        check(0, 160.0);
        check(6, 100.0);
        check(12, 40.0);
        check(-24, 160.0);
    }
}
