//! What the parts of a pass share, whatever the strategy: the snapshot, and the decision as it grows.

use crate::Hash;
use crate::action::Action;
use crate::decision::{Decision, Event};
use crate::metadata;
use crate::reason::Reason;
use crate::revision;
use crate::rollout::Rollout;
use crate::status::Status;
use crate::time::Time;
use crate::world::World;

/// One pass of a strategy `S` ([`Canary`](crate::rollout::Canary) or [`BlueGreen`](crate::rollout::BlueGreen)).
#[derive(Debug)]
pub struct Pass<'a, S> {
    /// The snapshot.
    pub world: &'a World,
    /// The strategy.
    pub strategy: &'a S,
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

impl<'a, S> Pass<'a, S> {
    /// A pass that has decided nothing yet.
    pub fn new(world: &'a World, strategy: &'a S, now: Time) -> Self {
        Self {
            world,
            strategy,
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

    /// Whether nothing must move now: a person halted the rollout, or a run or an experiment was inconclusive.
    //= compat: 1.2-7, 2.7-5
    pub fn halted(&self) -> bool {
        self.rollout().paused || self.status.is_inconclusive()
    }

    /// Whether the current template is the promoted one.
    pub fn fully_promoted(&self) -> bool {
        self.status.stable == self.status.current_hash
    }

    /// Whether this is the version under way: that of the spec, as long as it is not the stable one.
    pub fn under_way(&self, hash: &Hash) -> bool {
        *hash == self.rollout().hash && !self.fully_promoted()
    }

    /// The new pool comes first and alone: everything else is decided once it is seen. Returns whether it had to be made
    /// or to get a newer revision number.
    //= compat: 2.3-10, 2.3-13, B.1-1
    pub(crate) fn sync_new_pool(&mut self) -> bool {
        let Some(action) = revision::sync_new_pool(self.world) else {
            return false;
        };
        let revision = revision::number(self.world);
        let hash = self.rollout().hash.clone();
        self.event("RolloutUpdated", format!("Rollout updated to revision {revision}"));
        if matches!(action, Action::CreatePool { .. }) {
            let name = revision::pool_name(self.rollout(), &hash);
            self.event("NewReplicaSetCreated", format!("Created ReplicaSet {name} (revision {revision})"));
            self.reasons.push(Reason::NewRevision { hash, revision });
        }
        let made = matches!(action, Action::CreatePool { .. });
        self.actions.push(action);
        let metadata = metadata::of_new_pool(self);
        if made && !metadata.is_empty() {
            let hash = self.rollout().hash.clone();
            self.actions.push(Action::SetMetadata { hash, metadata });
        }
        true
    }

    /// The decision. One that changes anything is followed by another pass at once.
    pub(crate) fn into_decision(self) -> Decision {
        let again = self.status != self.world.status || !self.actions.is_empty();
        let wake_at = if again { Some(self.now) } else { self.wake_at.map(|at| at.max(self.now)) };
        Decision { actions: self.actions, status: self.status, wake_at, reasons: self.reasons, events: self.events }
    }
}
