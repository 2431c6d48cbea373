//! Promotion: when the version that has the users becomes the stable one (section 2.7 of the reference).

use super::{Pass, runs, switch};
use crate::action::Action;
use crate::promotion;

/// Promotes if it is time.
//= compat: 2.7-18, 2.7-19
pub fn promote(pass: &mut Pass) {
    let due = pass.status.stable.is_none() || !pass.fully_promoted();
    if let Some(why) = due.then(|| why(pass)).flatten() {
        promotion::promoted(pass, why);
    }
    remember(pass);
}

/// Argo's reason for promoting now, `None` if it is not time.
fn why(pass: &Pass) -> Option<String> {
    if pass.status.stable.is_none() {
        return Some("Initial deploy".to_owned());
    }
    if !switch::is_active(pass) || !switch::carried(pass) || pass.status.abort || pass.halted() {
        return None;
    }
    if let Some(why) = switch::fast_track(pass) {
        return Some(why.to_owned());
    }
    let judged = !pass.strategy.post_promotion || runs::succeeded(&pass.status.blue_green.post_run);
    judged.then(|| "Completed blue-green update".to_owned())
}

/// A version that was stable has proved itself: while its pool has members a rollback may return to it at once.
fn remember(pass: &mut Pass) {
    let stable = pass.status.stable.as_ref().and_then(|hash| pass.world.pool(hash));
    if let Some(pool) = stable.filter(|p| !p.promoted) {
        pass.actions.push(Action::MarkPromoted { hash: pool.hash.clone() });
    }
}
