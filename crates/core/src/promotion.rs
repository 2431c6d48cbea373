//! The moment a version becomes the stable one, whatever the strategy (section 2.7 of the reference).

use crate::canary::pingpong;
use crate::pass::Pass;
use crate::reason::Reason;
use crate::revision;
use crate::rollout::Canary;

/// Makes the current version the stable one; `why` is Argo's reason text.
//= compat: 2.7-19, 2.7-12, 1.10-2
pub fn promoted<S>(pass: &mut Pass<S>, why: String) {
    let behind_last_step = pass.rollout().behind_last_step();
    let hash = pass.rollout().hash.clone();
    let revision = revision::number(pass.world);
    let status = &mut pass.status;
    status.clear_pauses();
    status.clear_abort();
    status.promote_full = false;
    status.step_index = behind_last_step;
    status.step_run = None;
    status.background_run = None;
    status.blue_green.checkpoint = false;
    if let Some(Canary { ping_pong: Some(_), .. }) = pass.world.rollout.canary() {
        status.stable_ping_pong = Some(pingpong::flipped(status.stable_ping_pong));
    }
    status.stable = Some(hash.clone());
    pass.event("RolloutCompleted", format!("Rollout completed update to revision {revision} ({hash}): {why}"));
    pass.reasons.push(Reason::Promoted { why });
}
