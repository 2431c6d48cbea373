//! The decision of a pass, with the decisions that follow from it though nothing is read in between.

use serin_core::decision::Event;
use serin_core::plugin::open_calls;
use serin_core::{Decision, Time, decide};
use serin_spec::{lower, raise};

use crate::observe::{View, is_complete};
use crate::render::{Rendered, Sources, event, render};
use crate::write::Verb;

/// Decisions of one pass at most: a rollout of more steps that are over at once goes on in the next pass.
const AHEAD_MAX: usize = 16;

/// What a pass decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Ahead {
    /// The last decision, with the reasons of all.
    pub decision: Decision,
    /// What the decisions before it tell: all of it is done with the status.
    pub before: Vec<Event>,
}

/// Decides until something must be done besides writing the status, or until nothing changes any more. A decision that asks for
/// nothing would be written, read back, and decided on from the same snapshot; this is the same without the writes in between.
pub fn decide_ahead(view: &View, now: Time) -> Ahead {
    let mut ahead = Ahead { decision: decide(&view.world, now), before: Vec::new() };
    let (mut rollout, mut world) = (None, None);
    for _ in 1..AHEAD_MAX {
        let (status, decided) = (&world.as_ref().unwrap_or(&view.world).status, &ahead.decision.status);
        let rereads = decided.restarted_at != status.restarted_at || decided.collision_count != status.collision_count;
        if !ahead.decision.actions.is_empty() || decided == status || rereads {
            break;
        }
        let rollout = rollout.get_or_insert_with(|| view.rollout.clone());
        // Written and read back, so that times are what a later pass would read.
        let written = raise::status(decided, rollout);
        let status = lower::status(&written);
        rollout.status = Some(written);
        let world = world.get_or_insert_with(|| view.world.clone());
        if !open_calls(&status, &world.rollout.name).is_empty() || !is_complete(rollout, world) {
            break;
        }
        world.status = status;
        let next = decide(world, now);
        let Decision { events, mut reasons, .. } = std::mem::replace(&mut ahead.decision, next);
        ahead.before.extend(events);
        reasons.append(&mut ahead.decision.reasons);
        ahead.decision.reasons = reasons;
    }
    ahead
}

impl Ahead {
    /// What all decisions tell, in their order.
    pub fn events(&self) -> Vec<Event> {
        self.before.iter().chain(&self.decision.events).cloned().collect()
    }

    /// The writes of the last decision. What the decisions before it tell comes right behind the status, since what fails after that
    /// is no matter of theirs.
    pub fn render(&self, view: &View, sources: &Sources<'_>) -> Rendered {
        let mut rendered = render(view, &self.decision, sources);
        let status = rendered.writes.iter().position(|write| matches!(write.verb, Verb::StatusPatch(_)));
        if let Some(at) = status {
            let told = event::news(&self.before).map(|told| event::create(&view.rollout, told, sources.now));
            let told: Vec<_> = told.collect();
            rendered.before_split += told.len();
            rendered.writes.splice(at + 1..at + 1, told);
        }
        rendered
    }
}
