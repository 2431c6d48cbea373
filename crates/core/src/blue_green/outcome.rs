//! The end of a blue-green pass: what conditions and phase are derived from (sections 2.1, 2.5 and 2.6 of the reference).

use super::{Pass, switch};
use crate::outcome::{self, Judged};
use crate::status::Counts;

/// Completes the status and the reasons.
//= compat: 2.6-3
pub fn conclude(pass: &mut Pass) {
    let counts = counts(pass);
    let active = pass.status.blue_green.active.as_ref().and_then(|hash| pass.world.pool(hash));
    let judged = Judged {
        counts,
        available: active.is_some_and(|p| switch::whole(pass.world, p)),
        healthy: healthy(pass, &counts),
        waits: waits(pass),
    };
    outcome::conclude(pass, judged);
}

/// Ready and available are what the users have; only before there is an active pool, all are counted.
fn counts(pass: &Pass) -> Counts {
    let all = outcome::counts(pass.world);
    match pass.status.blue_green.active.as_ref().and_then(|hash| pass.world.pool(hash)) {
        Some(active) => Counts { ready: active.ready, available: active.available, ..all },
        None => all,
    }
}

/// The strict meaning of healthy: promoted, both services at the current version, every member there.
//= compat: 2.6-5
fn healthy(pass: &Pass, counts: &Counts) -> bool {
    let status = &pass.status;
    let replicas = pass.rollout().replicas;
    let previewed = pass.strategy.preview_service.is_none() || status.blue_green.preview == status.current_hash;
    status.stable.is_some()
        && pass.fully_promoted()
        && switch::is_active(pass)
        && previewed
        && counts.updated == replicas
        && counts.available == replicas
        && pass.world.status.observed_generation == pass.rollout().generation
}

/// Whether an analysis is what the rollout waits for. The original lets the deadline run meanwhile, so that a thorough
/// analysis degrades its rollout.
//= compat-differs: 2.6-13 the analysis before or after a blue-green switch suspends the deadline too
fn waits(pass: &Pass) -> bool {
    let blue_green = &pass.status.blue_green;
    [&blue_green.pre_run, &blue_green.post_run].into_iter().flatten().any(|r| !r.phase.is_completed())
}
