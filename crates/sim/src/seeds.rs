//! Random worlds and faults against oracles: a seed becomes a [`Scenario`], a scenario is played, and everything that was
//! decided on the way is asked what must always hold.
//!
//! [`draw`] makes scenarios, [`play`] plays them, [`oracle`] judges decisions and states of rest, [`shrink`] makes a failing
//! scenario small. All of it is pure: the same seed gives the same decisions on every machine.

pub mod coverage;
pub mod draw;
pub mod oracle;
pub mod play;
pub mod scenario;
pub mod shrink;
mod tell;

pub use coverage::Figures;
pub use play::{Failure, Played};
pub use scenario::Scenario;

/// Plays the scenario of a seed twice, judged; both times must agree.
///
/// # Errors
/// What does not hold.
pub fn check(seed: u64) -> Result<Played, Failure> {
    check_scenario(&draw::scenario(seed))
}

/// Plays a scenario twice, judged; both times must agree.
///
/// # Errors
/// What does not hold.
pub fn check_scenario(scenario: &Scenario) -> Result<Played, Failure> {
    let played = play::judged(scenario)?;
    let again = play::digest(scenario);
    if again == played.digest {
        return Ok(played);
    }
    Err(Failure { oracle: "repeats", why: format!("{:x} became {again:x}", played.digest), at: None })
}
