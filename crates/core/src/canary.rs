//! The canary strategy: one pass from a snapshot to the next targets. The files beside this one hold one concern each;
//! this one holds their order.
//!
//! The order of a pass, each part seeing what the parts before it decided:
//! 1. the pool of the current template exists ([`crate::revision`]);
//! 2. a changed template or step list starts over ([`restart`]);
//! 3. services and traffic ([`traffic`]);
//! 4. analysis runs and what their results mean ([`runs`]);
//! 5. sizes of the pools ([`scale`]);
//! 6. promotion ([`promote`]), else the current step ([`advance`]);
//! 7. conditions, phase, reasons ([`outcome`]).

pub mod abort;
pub mod advance;
pub mod outcome;
pub mod promote;
pub mod restart;
pub mod runs;
pub mod scale;
pub mod sizing;
pub mod traffic;

use crate::action::Action;
use crate::decision::{Decision, Event};
use crate::reason::Reason;
use crate::revision;
use crate::rollout::{Canary, Rollout};
use crate::status::Status;
use crate::time::Time;
use crate::world::World;

/// What the parts of a pass share: the snapshot, and the decision as it grows.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The snapshot.
    pub world: &'a World,
    /// The strategy.
    pub canary: &'a Canary,
    /// The time of the pass.
    pub now: Time,
    /// The next status.
    pub status: Status,
    /// Actions so far.
    pub actions: Vec<Action>,
    /// Reasons so far.
    pub reasons: Vec<Reason>,
    /// Events so far.
    pub events: Vec<Event>,
    wake_at: Option<Time>,
}

impl<'a> Pass<'a> {
    fn new(world: &'a World, canary: &'a Canary, now: Time) -> Self {
        Self {
            world,
            canary,
            now,
            status: world.status.clone(),
            actions: Vec::new(),
            reasons: Vec::new(),
            events: Vec::new(),
            wake_at: None,
        }
    }

    /// The rollout.
    pub fn rollout(&self) -> &'a Rollout {
        &self.world.rollout
    }

    /// Asks to be woken at `at` or earlier.
    pub fn wake(&mut self, at: Time) {
        self.wake_at = Some(self.wake_at.map_or(at, |t| t.min(at)));
    }

    /// Adds a normal event.
    pub fn event(&mut self, reason: &'static str, message: String) {
        self.events.push(Event { reason, message, warning: false });
    }

    /// Adds a warning event.
    pub fn warning(&mut self, reason: &'static str, message: String) {
        self.events.push(Event { reason, message, warning: true });
    }

    /// Whether members must not be changed now: a person halted the rollout, or a run was inconclusive.
    //= compat: 1.2-7, 2.7-5
    pub fn halted(&self) -> bool {
        self.rollout().paused || self.status.pause(crate::status::PauseReason::InconclusiveAnalysisRun).is_some()
    }

    /// Whether the current template is the promoted one.
    pub fn fully_promoted(&self) -> bool {
        self.status.stable == self.status.current_hash
    }
}

/// One pass.
pub fn decide(world: &World, canary: &Canary, now: Time) -> Decision {
    let mut pass = Pass::new(world, canary, now);
    let settled = |pass: &mut Pass| {
        if let Some(action) = revision::sync_new_pool(world) {
            return note_new_pool(pass, action);
        }
        if restart::changed(pass) {
            return restart::start_over(pass);
        }
        abort::drop_when_promoted(pass);
        abort::outweighs_promotion(pass);
        restart::skip_within_window(pass);
        if scale::resized(pass) {
            return scale::resize(pass);
        }
        traffic::services(pass);
        traffic::split(pass);
        runs::reconcile(pass);
        scale::reconcile(pass);
        // First, so that what follows the last step is decided for the sizes and the traffic after it.
        promote::promote(pass);
        advance::step(pass);
        pass.actions.extend(revision::expired_pools(world));
    };
    settled(&mut pass);
    outcome::conclude(&mut pass);
    let again = pass.status != world.status || !pass.actions.is_empty();
    let wake_at = if again { Some(now) } else { pass.wake_at.map(|at| at.max(now)) };
    Decision { actions: pass.actions, status: pass.status, wake_at, reasons: pass.reasons, events: pass.events }
}

/// The new pool comes first and alone: everything else is decided once it is seen.
//= compat: 2.3-10, 2.3-13, B.1-1
fn note_new_pool(pass: &mut Pass, action: Action) {
    let revision = revision::number(pass.world);
    let hash = pass.rollout().hash.clone();
    pass.event("RolloutUpdated", format!("Rollout updated to revision {revision}"));
    if matches!(action, Action::CreatePool { .. }) {
        let name = revision::pool_name(pass.rollout(), &hash);
        pass.event("NewReplicaSetCreated", format!("Created ReplicaSet {name} (revision {revision})"));
        pass.reasons.push(Reason::NewRevision { hash: hash.clone(), revision });
    }
    pass.actions.push(action);
}
