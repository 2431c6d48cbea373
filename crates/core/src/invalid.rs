//! A rollout that cannot be carried out at the moment: it says so and stands still, and goes on where it was once that is
//! mended (section 8.1 of the Argo reference).

use crate::condition::{Kind, Truth};
use crate::decision::Decision;
use crate::phase;
use crate::reason::Reason;
use crate::time::{Span, Time};
use crate::world::World;

/// What makes it invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The spec breaks a rule, or names something that is not there.
    Spec(String),
    /// The object that holds its template cannot be read.
    Workload(String),
}

impl Problem {
    /// What is wrong.
    pub fn message(&self) -> &str {
        match self {
            Problem::Spec(message) | Problem::Workload(message) => message,
        }
    }

    /// Wait before it is looked at again, though nothing was seen to change: what is missing may come unnoticed.
    //= compat: 8.1-5, 8.5-11, 1.3-15
    pub const fn retry(&self) -> Span {
        match self {
            Problem::Spec(_) => Span::from_secs(10),
            Problem::Workload(_) => Span::from_secs(20),
        }
    }
}

/// Says what is wrong, and leaves everything as it is: no member comes or goes, no request takes another way. The next
/// decision on a valid world takes the condition away again ([`crate::outcome`]).
//= compat: 8.1-3, 8.1-4
pub fn invalid(world: &World, problem: &Problem, now: Time) -> Decision {
    let message = format!("The Rollout \"{}\" is invalid: {}", world.rollout.name, problem.message());
    let mut status = world.status.clone();
    let known = status.conditions.get(Kind::InvalidSpec).is_some_and(|condition| condition.message == message);
    if !known {
        // A condition of the same truth and reason keeps its text; here the text is what matters.
        status.conditions.remove(Kind::InvalidSpec);
        status.conditions.set(Kind::InvalidSpec, Truth::True, "InvalidSpec", &message, now);
    }
    status.observed_generation = world.rollout.generation;
    (status.phase, status.message) = phase::phase(&world.rollout, &status, now);
    Decision {
        actions: Vec::new(),
        status,
        wake_at: Some(now + problem.retry()),
        reasons: vec![Reason::Invalid { message: problem.message().to_owned() }],
        events: Vec::new(),
    }
}
