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

use crate::control::Fate;

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
    if again != played.digest {
        return Err(Failure { oracle: "repeats", why: format!("{:x} became {again:x}", played.digest), at: None });
    }
    if scenario.seed.is_multiple_of(DOUBLED) && play::digest(&doubled(scenario)) != played.digest {
        let why = "with every action applied twice other things are decided".to_owned();
        return Err(Failure { oracle: "twice", why, at: None });
    }
    Ok(played)
}

/// Every so many seeds are played a third time, with every action applied twice.
const DOUBLED: u64 = 8;

/// More actions than any play has.
const ACTIONS_MAX: u64 = 2_000;

/// The same scenario, but what goes through is applied twice: an action is a target, so that changes nothing.
fn doubled(scenario: &Scenario) -> Scenario {
    let mut doubled = scenario.clone();
    for number in 0..ACTIONS_MAX {
        doubled.faults.actions.entry(number).or_insert(Fate::Twice);
    }
    doubled
}
