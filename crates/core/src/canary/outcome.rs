//! The end of a canary pass: what conditions and phase are derived from (sections 2.5 and 2.6 of the reference).

use super::Pass;
use crate::outcome::{self, Judged};
use crate::rollout::Step;
use crate::status::Counts;

/// Completes the status and the reasons.
//= compat: 2.6-3
pub fn conclude(pass: &mut Pass) {
    let counts = outcome::counts(pass.world);
    let judged = Judged {
        counts,
        available: counts.available >= pass.rollout().replicas,
        healthy: healthy(pass, &counts),
        waits: waits(pass),
    };
    outcome::conclude(pass, judged);
}

/// The strict meaning of healthy: promoted, steps over, every member there and no other one.
//= compat: 2.6-5
fn healthy(pass: &Pass, counts: &Counts) -> bool {
    let status = &pass.status;
    let replicas = pass.rollout().replicas;
    let steps = pass.strategy.steps.len();
    status.stable.is_some()
        && pass.fully_promoted()
        && status.step_index.is_none_or(|i| i >= steps)
        && counts.updated == replicas
        && counts.available == replicas
        && counts.members == replicas
        && pass.world.status.observed_generation == pass.rollout().generation
}

/// Whether the current step is one that is meant to wait.
//= compat: 2.6-13
fn waits(pass: &Pass) -> bool {
    let step = pass.strategy.step(pass.status.step_index);
    let waiting_step = matches!(step, Some(Step::Analysis | Step::Experiment(_) | Step::Pause(_)));
    waiting_step && !pass.fully_promoted()
}
