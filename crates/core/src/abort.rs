//! Aborting: the flag, its causes, and when it loses its meaning (section 2.7 of the reference).

use crate::condition::{Kind, Truth};
use crate::pass::Pass;
use crate::time::Span;

/// An abort of a version that is already promoted means nothing and is dropped.
//= compat: 2.2-6
pub fn drop_when_promoted<S>(pass: &mut Pass<S>) {
    if pass.status.abort && pass.fully_promoted() && pass.status.stable.is_some() {
        pass.status.clear_abort();
    }
    if pass.status.promote_full && pass.fully_promoted() {
        pass.status.promote_full = false;
    }
}

/// An abort is the last word: asking to skip the rest takes an abort back, so where both are set the abort came later.
pub fn outweighs_promotion<S>(pass: &mut Pass<S>) {
    if pass.status.abort {
        pass.status.promote_full = false;
    }
}

/// Whether a person took back an abort that was carried out: the version is tried once more, and judged anew.
//= compat: 2.7-10, 4.3-5
pub fn retried<S>(pass: &Pass<S>) -> bool {
    pass.status.aborted_at.is_some() && !pass.status.abort
}

/// Aborts the update: traffic goes back to stable in the next pass, the steps start from the first on a retry.
/// `cause` is kept in the condition's message.
//= compat: 2.6-14, 2.6-15, 2.7-6
pub fn abort<S>(pass: &mut Pass<S>, cause: &str) {
    pass.status.set_abort(pass.now);
    mark(pass, cause);
}

/// Carries out an abort that was asked for by a person or that an earlier pass decided.
//= compat: 2.7-6, B.2-3
pub fn mark<S>(pass: &mut Pass<S>, cause: &str) {
    let revision = pass.world.new_pool().map_or(0, |p| p.revision);
    let mut message = format!("Rollout aborted update to revision {revision}");
    if !cause.is_empty() {
        message.push_str(&format!(": {cause}"));
    }
    pass.status.aborted_at.get_or_insert(pass.now);
    pass.status.promote_full = false;
    pass.status.clear_pauses();
    pass.status.blue_green.checkpoint = false;
    pass.status.current_experiment = None;
    pass.status.step_index = pass.rollout().first_step();
    if pass.status.conditions.set(Kind::Progressing, Truth::False, "RolloutAborted", &message, pass.now) {
        pass.warning("RolloutAborted", message);
    }
}

/// The cause of the abort as it stands in the condition, empty if none is known.
pub fn cause<S>(pass: &Pass<S>) -> String {
    let condition = pass.status.conditions.get(Kind::Progressing);
    condition.filter(|c| c.reason == "RolloutAborted").map_or_else(String::new, |c| {
        c.message.split_once(": ").map_or_else(String::new, |(_, cause)| cause.to_owned())
    })
}

/// Argo's default: long enough for requests under way to end and for a look at the bad members.
pub const DEFAULT_DELAY: Span = Span::from_secs(30);
