//! The mathematics of verdicts: sequential tests that may be looked at after every batch and keep their promised error rate, measures of drift, sketches.
//!
//! A test is evidence `E` that is at most 1 in expectation as long as its null holds, at every time. So `P(E ever >= 1 / alpha) <= alpha` (Ville): reject when it
//! gets there, look as often as you like, stop when you like. Evidence is kept as `ln E` everywhere.
//!
//! | module | null | input |
//! |---|---|---|
//! | [`two_arm`] | canary's bad share at most `ratio * stable + delta` (or at least, to pass) | [`Counts`] |
//! | [`one_arm`] | bad share at most (at least) a limit | bad, good |
//! | [`bounded`] | the same for the mean of a metric in \[0, 1\] | outcomes, or their sums |
//! | [`paired`] | two answers to one request: mean difference at most (at least) `delta` | [`paired::Pairs`] |
//! | [`label`] | events without a denominator: rate at most (at least) `ratio` times stable's | events |
//! | [`equality`] | both versions answer alike | answers a class |
//! | [`split`] | requests are split as configured | requests an arm |
//!
//! [`two_arm`], [`one_arm`] and their relatives make tables of log multipliers from what was known before a batch; a [`Process`] adds
//! `table x counts` up, [`combine`] joins the evidence of several, a [`Detector`] watches without an end.
//!
//! ```
//! use serin_stats::two_arm::{Line, Side, log_gains, smoothed, table};
//! use serin_stats::{Counts, Process};
//!
//! // No worse than the stable version by more than a point, at an error probability of 1 %.
//! let line = Line { ratio: 1.0, delta: 0.01 };
//! let batch = Counts { canary_bad: 6.0, canary_ok: 14.0, stable_bad: 0.0, stable_ok: 80.0 };
//! let weight = batch.realised_weight().unwrap_or_default();
//! let bets = table(smoothed(10.0, 2_000.0), weight, line, Side::Fail);
//! let mut evidence = Process::new(bets.len(), false);
//! evidence.step(&log_gains(&bets, &batch), 0.0);
//! assert!(evidence.log_e() > 100f64.ln());
//! ```
//!
//! There is no clock, no randomness, no hash map and no I/O; `ln` and `exp` are those of `libm`. The same batches give the same bits on every machine.
//! All state is plain data, finite, and survives JSON bit for bit.

// Expectations may come from the standard library; what is shipped may not.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod batch;
pub mod boundaries;
pub mod bounded;
pub mod combine;
mod counts;
mod detector;
mod difference;
pub mod equality;
mod gamma;
pub mod judge;
pub mod label;
pub mod needed;
mod numeric;
pub mod one_arm;
pub mod paired;
mod process;
pub mod ratio;
pub mod recipe;
pub mod shift;
mod side;
pub mod sketch;
mod special;
pub mod split;
pub mod two_arm;

pub use counts::Counts;
pub use detector::Detector;
pub use difference::{Difference, Interval};
pub use equality::Equality;
pub use process::Process;
pub use side::Side;
pub use split::Split;
