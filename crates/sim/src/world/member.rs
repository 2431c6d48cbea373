//! Members of a pool: when they come, how they fail.

use serin_core::{Span, Time};

use crate::random::Rng;
use crate::sample;

/// How the members of a version come and go.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// From the start of a member to its readiness.
    pub ready_after: Delay,
    /// Share of the starts that never lead to readiness, 0 to 1. A member that crashes starts again.
    pub never_ready: f64,
    /// Mean time from readiness to a crash; `None` does not crash.
    pub crash_every: Option<Span>,
    /// Mean time from readiness to a moment of not being ready; `None` stays ready.
    pub flap_every: Option<Span>,
    /// How long such a moment lasts.
    pub flap_lasts: Delay,
}

impl Behaviour {
    /// Members that are ready after a fixed time and stay so; `None` never gets there.
    pub fn steady(ready_after: Option<Span>) -> Self {
        Self {
            ready_after: Delay::Fixed(ready_after.unwrap_or(Span::ZERO)),
            never_ready: if ready_after.is_none() { 1.0 } else { 0.0 },
            crash_every: None,
            flap_every: None,
            flap_lasts: Delay::Fixed(Span::from_secs(10)),
        }
    }
}

/// A length of time that may differ from one time to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always the same.
    Fixed(Span),
    /// Anything between the two, equally likely.
    Uniform(Span, Span),
    /// Log-normal: half of them up to the first, 95% of them up to the second.
    LogNormal(Span, Span),
}

impl Delay {
    /// Draws one, never negative.
    pub fn draw(self, rng: &mut Rng) -> Span {
        let ms = match self {
            Delay::Fixed(span) => span.as_millis(),
            Delay::Uniform(low, high) => rng.between(low.as_millis(), high.as_millis()),
            Delay::LogNormal(p50, p95) => {
                let curve = sample::LogNormal::of_quantiles(p50.as_millis() as f64, p95.as_millis() as f64);
                curve.draw(rng) as i64
            }
        };
        Span::from_millis(ms.max(0))
    }
}

/// A member that exists.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Unique in its world; a member that starts again after a crash is another one.
    pub(crate) id: u64,
    /// When it was started.
    pub(crate) started: Time,
    /// Since when it is ready.
    pub(crate) ready_since: Option<Time>,
    /// Whether the load knows that this is another process.
    pub(crate) told: bool,
}

/// What happens to a member by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It passes its probe.
    Ready,
    /// It has been ready for so long that it counts as available.
    Available,
    /// It fails its probe for a moment.
    Unready,
    /// It ends, and starts again.
    Crash,
}
