//! Promotion: when the new version becomes the stable one (section 2.7 of the reference).

use super::{Pass, sizing};
use crate::promotion;
use crate::revision;

/// Promotes if it is time.
//= compat: 2.7-12
pub fn promote(pass: &mut Pass) {
    if pass.status.stable.is_some() && pass.fully_promoted() {
        return;
    }
    let Some(why) = why(pass) else { return };
    promotion::promoted(pass, why);
}

/// Argo's reason for promoting now, `None` if it is not time.
//= compat: 2.7-16, 2.7-17, 2.7-11, 10.16
fn why(pass: &Pass) -> Option<String> {
    if pass.status.stable.is_none() {
        return Some("Initial deploy".to_owned());
    }
    if pass.status.abort || pass.halted() {
        return None;
    }
    let new = pass.world.new_pool()?;
    if !sizing::enough(pass.strategy.progress_threshold, pass.rollout().replicas, new.available) {
        return None;
    }
    if pass.status.promote_full {
        return Some("Full promotion requested".to_owned());
    }
    if revision::within_rollback_window(pass.world) {
        return Some("Rollback within window".to_owned());
    }
    let steps = pass.strategy.steps.len();
    let over = steps == 0 || pass.status.step_index.is_some_and(|i| i >= steps);
    (over && traffic_moved(pass)).then(|| format!("Completed all {steps} canary steps"))
}

/// After the last step the router must be seen to send everything to the new version, if that has members at all.
//= compat: 1.2-2
fn traffic_moved(pass: &Pass) -> bool {
    if pass.strategy.traffic.is_none() || pass.strategy.steps.is_empty() || pass.rollout().replicas == 0 {
        return true;
    }
    pass.status.weights.as_ref().is_some_and(|w| w.verified && w.canary == pass.strategy.weight_total())
}
