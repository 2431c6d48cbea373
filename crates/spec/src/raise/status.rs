//! `status` of a rollout.

use serin_core::condition::Condition;
use serin_core::plugin::PluginStatus;
use serin_core::status::{Pause, RunRef, Weights};
use serin_core::{Span, Status};

use super::text;
use crate::timestamp;
use crate::wire::Rollout;
use crate::wire::meta::LabelSelector;
use crate::wire::status::{
    BlueGreenStatus, CanaryStatus, PauseCondition, RolloutCondition, RolloutStatus, RunStatusRef, StepPluginStatus,
    TrafficWeights, WeightDestination,
};

/// The status to write for `rollout`: the core's fields from `core`, names and selector from the spec, and what the core
/// knows nothing of (such as `alb` or `duration`) from the status that the rollout had.
//= compat: 1.10-4
pub fn status(core: &Status, rollout: &Rollout) -> RolloutStatus {
    let former = rollout.status.clone().unwrap_or_default();
    let count = |n: u32| Some(i32::try_from(n).unwrap_or(i32::MAX)).filter(|n| *n > 0);
    RolloutStatus {
        abort: core.abort,
        aborted_at: core.aborted_at.map(timestamp::format),
        pause_conditions: core.pauses.iter().map(pause).collect(),
        controller_pause: core.controller_pause,
        current_pod_hash: core.current_hash.as_ref().map(|h| h.as_str().to_owned()),
        current_step_hash: core.current_steps_hash.clone(),
        current_step_index: core.step_index.map(|i| i32::try_from(i).unwrap_or(i32::MAX)),
        replicas: count(core.counts.members),
        updated_replicas: count(core.counts.updated),
        ready_replicas: count(core.counts.ready),
        available_replicas: count(core.counts.available),
        hpa_replicas: count(core.counts.members),
        selector: rollout.spec.selector.as_ref().map(selector).filter(|text| !text.is_empty()),
        collision_count: count(core.collision_count),
        observed_generation: (core.observed_generation != 0).then(|| core.observed_generation.to_string()),
        conditions: core.conditions.iter().map(condition).collect(),
        stable_rs: core.stable.as_ref().map(|h| h.as_str().to_owned()),
        promote_full: core.promote_full,
        phase: Some(core.phase.as_str().to_owned()),
        message: text(&core.message),
        canary: canary(core, rollout),
        workload_observed_generation: former.workload_observed_generation,
        restarted_at: core.restarted_at.map(timestamp::format),
        blue_green: blue_green(core),
        alb: former.alb,
        albs: former.albs,
        duration: former.duration,
    }
}

fn pause(core: &Pause) -> PauseCondition {
    PauseCondition { reason: core.reason.as_str().to_owned(), start_time: timestamp::format(core.start) }
}

pub(super) fn condition(core: &Condition) -> RolloutCondition {
    RolloutCondition {
        kind: core.kind.as_str().to_owned(),
        status: core.truth.as_str().to_owned(),
        last_update_time: Some(timestamp::format(core.updated)),
        last_transition_time: Some(timestamp::format(core.transitioned)),
        reason: core.reason.clone(),
        message: core.message.clone(),
    }
}

fn canary(core: &Status, rollout: &Rollout) -> Option<CanaryStatus> {
    let status = CanaryStatus {
        current_step_analysis_run_status: core.step_run.as_ref().map(run_ref),
        current_background_analysis_run_status: core.background_run.as_ref().map(run_ref),
        weights: core.weights.as_ref().map(|w| weights(w, rollout)),
        current_experiment: core.current_experiment.clone(),
        stable_ping_pong: core.stable_ping_pong.map(|side| side.as_str().to_owned()),
        step_plugin_statuses: core.plugins.iter().map(plugin).collect(),
    };
    (status != CanaryStatus::default()).then_some(status)
}

fn plugin(core: &PluginStatus) -> StepPluginStatus {
    let number = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    StepPluginStatus {
        index: number(core.index as u64),
        name: core.name.clone(),
        operation: core.operation.as_str().to_owned(),
        phase: Some(core.phase.as_str().to_owned()),
        message: text(&core.message),
        started_at: Some(timestamp::format(core.started)),
        updated_at: core.updated.map(timestamp::format),
        finished_at: core.finished.map(timestamp::format),
        backoff: (core.backoff != Span::ZERO).then(|| core.backoff.to_string()),
        executions: Some(number(u64::from(core.executions))).filter(|n| *n > 0),
        disabled: core.disabled,
        // The core keeps it as text; what an adapter gave it was JSON.
        status: core.state.as_deref().and_then(|state| serde_json::from_str(state).ok()),
    }
}

fn blue_green(core: &Status) -> Option<BlueGreenStatus> {
    let hash = |hash: &Option<serin_core::Hash>| hash.as_ref().and_then(|h| text(h.as_str()));
    let core = &core.blue_green;
    let status = BlueGreenStatus {
        preview_selector: hash(&core.preview),
        active_selector: hash(&core.active),
        scale_up_preview_check_point: core.checkpoint,
        pre_promotion_analysis_run_status: core.pre_run.as_ref().map(run_ref),
        post_promotion_analysis_run_status: core.post_run.as_ref().map(run_ref),
    };
    (status != BlueGreenStatus::default()).then_some(status)
}

fn run_ref(core: &RunRef) -> RunStatusRef {
    RunStatusRef { name: core.name.clone(), status: Some(core.phase.as_str().to_owned()), message: text(&core.message) }
}

fn weights(core: &Weights, rollout: &Rollout) -> TrafficWeights {
    let canary = rollout.spec.strategy.canary.as_ref();
    let destination = |weight: u32, hash: &serin_core::Hash, service: Option<&String>| WeightDestination {
        weight: i32::try_from(weight).unwrap_or(i32::MAX),
        service_name: service.cloned(),
        pod_template_hash: text(hash.as_str()),
    };
    TrafficWeights {
        canary: destination(core.canary, &core.canary_hash, canary.and_then(|c| c.canary_service.as_ref())),
        stable: destination(core.stable, &core.stable_hash, canary.and_then(|c| c.stable_service.as_ref())),
        additional: core.additional.iter().map(|d| destination(d.weight, &d.hash, Some(&d.service))).collect(),
        verified: Some(core.verified),
    }
}

/// A selector in the form of `kubectl -l`, which the autoscaler reads. An operator that Kubernetes does not know cannot
/// be written so and is left out.
pub fn selector(wire: &LabelSelector) -> String {
    let labels = wire.match_labels.iter().map(|(key, value)| (key, format!("{key}={value}")));
    let expressions = wire.match_expressions.iter().filter_map(|r| {
        let (key, mut values) = (&r.key, r.values.clone());
        values.sort();
        let values = values.join(",");
        let term = match r.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.clone(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        Some((key, term))
    });
    let mut terms: Vec<(&String, String)> = labels.chain(expressions).collect();
    terms.sort_by(|a, b| a.0.cmp(b.0));
    let terms: Vec<String> = terms.into_iter().map(|(_, term)| term).collect();
    terms.join(",")
}
