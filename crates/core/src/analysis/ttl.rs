//! When a finished run is deleted (section 3.9 of the reference).

use super::{RunPhase, RunStatus};
use crate::time::{Span, Time};

/// `ttlStrategy`: how long finished runs stay; without a time they stay until somebody deletes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ttl {
    /// After any end.
    pub after_completion: Option<Span>,
    /// After a failure, instead.
    pub after_failure: Option<Span>,
    /// After a success, instead.
    pub after_success: Option<Span>,
}

impl Ttl {
    /// The moment from which a run is to be deleted; `None` for one that is not over, or that stays.
    //= compat: 3.9-6
    pub fn expires(&self, status: &RunStatus) -> Option<Time> {
        let own = match status.phase {
            RunPhase::Successful => self.after_success,
            RunPhase::Failed => self.after_failure,
            RunPhase::Error | RunPhase::Inconclusive => None,
            RunPhase::Pending | RunPhase::Running => return None,
        };
        let stay = own.or(self.after_completion)?;
        // More whole seconds than these must have passed.
        Some(status.completed? + stay + Span::from_secs(1))
    }
}
