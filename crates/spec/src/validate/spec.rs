//! The fields of `spec` besides the strategy, and the choice of one.

use super::{ErrorType, FieldError, canary, pod, selector};
use crate::wire::canary::BlueGreenStrategy;
use crate::wire::rollout::RolloutSpec;

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// Everything but the strategy.
//= compat: 1.3-5
pub(super) fn errors(spec: &RolloutSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if spec.replicas.is_some_and(|replicas| replicas < 0) {
        errors.push(FieldError::invalid("spec.replicas", NOT_NEGATIVE));
    }
    let referenced = spec.workload_ref.is_some();
    if !referenced && spec.selector.is_none() {
        errors.push(FieldError::required("spec.selector", "Rollout has missing field '.spec.selector'"));
    }
    if let Some(selector) = &spec.selector {
        errors.extend(selector::errors(selector));
    }
    if referenced {
        // Argo looks at labels and annotations only: a template with nothing but a spec is replaced in silence.
        let set = spec
            .template
            .as_ref()
            .is_some_and(|template| !template.labels().is_empty() || !template.annotations().is_empty());
        if set {
            let detail = "template must be empty for workload reference rollout";
            errors.push(FieldError::new(ErrorType::Internal, "spec.template", detail));
        }
    } else {
        errors.extend(pod::errors(spec));
    }
    let ready_s = spec.min_ready_seconds.unwrap_or(0);
    if ready_s < 0 {
        errors.push(FieldError::invalid("spec.minReadySeconds", NOT_NEGATIVE));
    }
    if spec.revision_history_limit.is_some_and(|limit| limit < 0) {
        errors.push(FieldError::invalid("spec.revisionHistoryLimit", NOT_NEGATIVE));
    }
    let deadline_s = spec.progress_deadline_seconds.unwrap_or(600);
    if deadline_s < 0 {
        errors.push(FieldError::invalid("spec.progressDeadlineSeconds", NOT_NEGATIVE));
    }
    if deadline_s <= ready_s {
        errors.push(FieldError::invalid("spec.progressDeadlineSeconds", "must be greater than minReadySeconds"));
    }
    errors
}

/// The strategy: exactly one, and its own rules.
pub(super) fn strategy(spec: &RolloutSpec) -> Vec<FieldError> {
    let strategy = &spec.strategy;
    match (&strategy.canary, &strategy.blue_green) {
        (None, None) => {
            let detail = "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'";
            vec![FieldError {
                path: "spec.strategy".to_owned(),
                ..FieldError::required("spec.strategy.strategy", detail)
            }]
        }
        (Some(_), Some(_)) => {
            let detail = "Multiple Strategies can not be listed";
            vec![FieldError {
                path: "spec.strategy".to_owned(),
                ..FieldError::invalid("spec.strategy.strategy", detail)
            }]
        }
        (Some(canary), None) => canary::errors(canary),
        (None, Some(blue_green)) => self::blue_green(spec, blue_green),
    }
}

//= compat: 8.3-1, 8.3-2, 8.3-3, 8.3-4
fn blue_green(spec: &RolloutSpec, strategy: &BlueGreenStrategy) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if strategy.active_service.as_deref().unwrap_or("") == strategy.preview_service.as_deref().unwrap_or("") {
        let detail = "This rollout uses the same service for the active and preview services, but two different services are required.";
        errors.push(FieldError::invalid("spec.strategy.blueGreen.activeService", detail));
    }
    let history = spec.revision_history_limit.unwrap_or(10);
    if strategy.scale_down_delay_revision_limit.is_some_and(|limit| limit > history) {
        let detail = "This rollout's revision history limit is lower than its scale down delay revision limit";
        errors.push(FieldError::invalid("spec.strategy.blueGreen.scaleDownDelayRevisionLimit", detail));
    }
    errors.extend(canary::anti_affinity("spec.strategy.blueGreen", strategy.anti_affinity.as_ref()));
    errors
}
