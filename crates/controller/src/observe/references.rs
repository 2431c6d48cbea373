//! What a rollout names must be there and fit (section 8.5 of the Argo reference).

use serin_spec::validate::{ErrorType, FieldError};
use serin_spec::wire::Rollout;
use serin_spec::wire::keys::{HASH_LABEL, MANAGED_BY};

use crate::object::{Object, strings};

/// The first service that is missing or cannot be this rollout's.
//= compat: 8.5-1, 8.5-2, 8.5-3
pub(super) fn problem(rollout: &Rollout, services: &[Object]) -> Option<FieldError> {
    fields(rollout).into_iter().filter(|(_, name)| !name.is_empty()).find_map(|(field, name)| {
        let found = services.iter().find(|service| service.name() == name);
        let detail = match found {
            None => format!("{name:?}: service {name:?} not found"),
            Some(service) => unfit(rollout, service).map(|why| format!("{name:?}: {why}"))?,
        };
        let field = format!("spec.strategy.{field}");
        Some(FieldError { kind: ErrorType::Invalid, path: field.clone(), field, detail })
    })
}

/// The fields that name services, in the order in which they are looked at.
fn fields(rollout: &Rollout) -> Vec<(&'static str, &str)> {
    let strategy = &rollout.spec.strategy;
    let mut fields: Vec<(&'static str, &str)> = Vec::new();
    if let Some(blue_green) = &strategy.blue_green {
        fields.push(("blueGreen.activeService", blue_green.active_service.as_deref().unwrap_or_default()));
        fields.push(("blueGreen.previewService", blue_green.preview_service.as_deref().unwrap_or_default()));
    }
    if let Some(canary) = &strategy.canary {
        fields.push(("canary.canaryService", canary.canary_service.as_deref().unwrap_or_default()));
        fields.push(("canary.stableService", canary.stable_service.as_deref().unwrap_or_default()));
        if let Some(both) = &canary.ping_pong {
            fields.push(("canary.pingPong.pingService", &both.ping_service));
            fields.push(("canary.pingPong.pongService", &both.pong_service));
        }
    }
    fields
}

fn unfit(rollout: &Rollout, service: &Object) -> Option<String> {
    let name = service.name();
    if service.annotation(MANAGED_BY).is_some_and(|manager| manager != rollout.metadata.name()) {
        return Some(format!("Service {name:?} is managed by another Rollout"));
    }
    let labels = rollout.spec.template.as_ref()?.labels();
    let selector = strings(&service.0["spec"]["selector"]);
    let unmatched = selector.into_iter().find(|(key, value)| key != HASH_LABEL && labels.get(key) != Some(value));
    unmatched.map(|(key, _)| format!("Service {name:?} has unmatch label {key:?} in rollout"))
}
