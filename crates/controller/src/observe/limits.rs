//! Limits of a strategy that are neither a number nor a percentage. The definitions of a cluster take any text there.

use serin_spec::validate::{ErrorType, FieldError};
use serin_spec::wire::Rollout;

/// The first of them.
pub(super) fn problem(rollout: &Rollout) -> Option<FieldError> {
    let strategy = &rollout.spec.strategy;
    let canary = strategy.canary.iter().flat_map(|canary| {
        [("canary.maxSurge", &canary.max_surge), ("canary.maxUnavailable", &canary.max_unavailable)]
    });
    let blue_green = strategy.blue_green.iter().map(|both| ("blueGreen.maxUnavailable", &both.max_unavailable));
    canary.chain(blue_green).find_map(|(field, limit)| {
        let limit = limit.as_ref().filter(|limit| !limit.is_limit())?;
        let path = format!("spec.strategy.{field}");
        let detail = format!("{:?}: is neither a whole number from 0 nor a percentage such as 25%", limit.to_string());
        Some(FieldError { kind: ErrorType::Invalid, path: path.clone(), field: path, detail })
    })
}
