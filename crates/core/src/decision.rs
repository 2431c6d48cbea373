//! `decide`: the one entry, and what it returns.

use crate::action::Action;
use crate::blue_green;
use crate::canary;
use crate::reason::Reason;
use crate::rollout::Strategy;
use crate::status::Status;
use crate::time::Time;
use crate::world::World;

/// What to do next, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Targets to apply, in order.
    pub actions: Vec<Action>,
    /// The memory to keep. Write it before the actions are applied.
    pub status: Status,
    /// When to decide again even if nothing is observed before. `None` only in a final state, or in one that waits for
    /// something the adapter observes.
    pub wake_at: Option<Time>,
    /// Why; the most important first.
    pub reasons: Vec<Reason>,
    /// Events with Argo's reasons and texts, to be emitted once the status is written.
    pub events: Vec<Event>,
}

/// Something worth telling people once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Argo's reason word.
    pub reason: &'static str,
    /// The text.
    pub message: String,
    /// Whether it is a warning.
    pub warning: bool,
}

/// Decides what to do in `world` at `now`. Pure: the same arguments give the same decision.
///
/// Applying the actions and deciding again must converge: an adapter repeats observe, decide, apply until a decision has no
/// actions and no other status, and then sleeps until `wake_at` or until it observes a change.
pub fn decide(world: &World, now: Time) -> Decision {
    match &world.rollout.strategy {
        Strategy::Canary(canary) => canary::decide(world, canary, now),
        Strategy::BlueGreen(blue_green) => blue_green::decide(world, blue_green, now),
    }
}
