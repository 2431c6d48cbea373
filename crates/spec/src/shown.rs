//! What a client shows of a rollout that a server sent: the stored phase speaks of the spec that the controller saw last, which
//! may be an older one (section 2.5 of the Argo reference).

use serin_core::Time;
use serin_core::phase::{self, Phase};

use crate::lower;
use crate::wire::Rollout;
use crate::wire::keys::WORKLOAD_GENERATION;

/// Phase and message to show at `now`, with what the stored ones cannot know yet.
//= compat: 2.5-2, 2.5-4
pub fn phase(rollout: &Rollout, now: Time) -> (Phase, String) {
    let status = rollout.status.clone().unwrap_or_default();
    let progressing = |message: &str| (Phase::Progressing, message.to_owned());
    let generation = rollout.metadata.generation.unwrap_or(0);
    if !is_observed(status.observed_generation.as_deref(), generation) {
        return progressing("waiting for rollout spec update to be observed");
    }
    if status.controller_pause && status.pause_conditions.is_empty() {
        return progressing("waiting for rollout to unpause");
    }
    let workload = rollout.metadata.annotations.get(WORKLOAD_GENERATION).and_then(|text| text.parse().ok());
    if workload.is_some_and(|workload| !is_observed(status.workload_observed_generation.as_deref(), workload)) {
        return progressing("waiting for rollout spec update to be observed for the reference workload");
    }
    let core = lower::status(&status);
    match status.phase.as_deref() {
        Some(phase) if !phase.is_empty() => (core.phase, core.message),
        // A controller that wrote no phase left it to be told from the rest.
        _ => phase::phase(&lower::rollout(rollout, generation, status.collision_count), &core, now),
    }
}

/// Whether a controller saw this generation. What is no number was written by one that counted otherwise, and a greater one
/// belongs to an object that was restored: both count as seen.
//= compat: 2.5-3
fn is_observed(observed: Option<&str>, generation: i64) -> bool {
    observed.unwrap_or_default().parse::<i64>().map_or(true, |observed| observed >= generation)
}
