//! `status` of a rollout: the memory between decisions.

use serin_core::analysis::RunPhase;
use serin_core::condition::{Condition, Conditions, Kind, Truth};
use serin_core::phase::Phase;
use serin_core::plugin::{Operation, PluginPhase, PluginStatus};
use serin_core::status::{BlueGreenStatus, Counts, Pause, PauseReason, RunRef, Side, Weights};
use serin_core::{Destination, Hash, Span, Status, Time};

use crate::wire::status::{
    PauseCondition, RolloutCondition, RolloutStatus, RunStatusRef, StepPluginStatus, TrafficWeights,
};
use crate::{duration, timestamp};

/// The status as the core sees it. Fields of other strategies are left out; [`crate::raise::status`] keeps them.
pub fn status(wire: &RolloutStatus) -> Status {
    let canary = wire.canary.clone().unwrap_or_default();
    let blue_green = wire.blue_green.clone().unwrap_or_default();
    let count = |n: Option<i32>| n.map_or(0, |n| u32::try_from(n).unwrap_or(0));
    Status {
        abort: wire.abort,
        aborted_at: timestamp::parse_optional(wire.aborted_at.as_deref()),
        pauses: wire.pause_conditions.iter().map(pause).collect(),
        controller_pause: wire.controller_pause,
        current_hash: text(wire.current_pod_hash.as_deref()).map(Hash::new),
        current_steps_hash: text(wire.current_step_hash.as_deref()).map(str::to_owned),
        step_index: wire.current_step_index.and_then(|i| usize::try_from(i).ok()),
        stable: text(wire.stable_rs.as_deref()).map(Hash::new),
        promote_full: wire.promote_full,
        observed_generation: wire.observed_generation.as_deref().and_then(|g| g.parse().ok()).unwrap_or(0),
        conditions: Conditions::from_vec(wire.conditions.iter().filter_map(condition).collect()),
        phase: phase(wire.phase.as_deref()),
        message: wire.message.clone().unwrap_or_default(),
        counts: Counts {
            members: count(wire.replicas),
            updated: count(wire.updated_replicas),
            ready: count(wire.ready_replicas),
            available: count(wire.available_replicas),
        },
        step_run: canary.current_step_analysis_run_status.as_ref().map(run_ref),
        background_run: canary.current_background_analysis_run_status.as_ref().map(run_ref),
        weights: canary.weights.as_ref().map(weights),
        collision_count: count(wire.collision_count),
        current_experiment: canary.current_experiment.filter(|name| !name.is_empty()),
        restarted_at: timestamp::parse_optional(wire.restarted_at.as_deref()),
        stable_ping_pong: canary.stable_ping_pong.as_deref().and_then(side),
        plugins: canary.step_plugin_statuses.iter().filter_map(plugin).collect(),
        blue_green: BlueGreenStatus {
            active: text(blue_green.active_selector.as_deref()).map(Hash::new),
            preview: text(blue_green.preview_selector.as_deref()).map(Hash::new),
            checkpoint: blue_green.scale_up_preview_check_point,
            pre_run: blue_green.pre_promotion_analysis_run_status.as_ref().map(run_ref),
            post_run: blue_green.post_promotion_analysis_run_status.as_ref().map(run_ref),
        },
    }
}

/// Absent and empty say the same in Argo's status.
fn text(wire: Option<&str>) -> Option<&str> {
    wire.filter(|text| !text.is_empty())
}

/// A reason that is not known still is a reason to stand still, and so is a start that cannot be read: it
/// lies so far ahead that only a person ends the pause.
//= compat: 2.7-1
fn pause(wire: &PauseCondition) -> Pause {
    let reason = match wire.reason.as_str() {
        "CanaryPauseStep" => PauseReason::CanaryPauseStep,
        "BlueGreenPause" => PauseReason::BlueGreenPause,
        "InconclusiveExperiment" => PauseReason::InconclusiveExperiment,
        _ => PauseReason::InconclusiveAnalysisRun,
    };
    Pause { reason, start: timestamp::parse(&wire.start_time).unwrap_or(Time::from_millis(i64::MAX)) }
}

//= compat: 2.6-1, 2.6-2
pub(super) fn condition(wire: &RolloutCondition) -> Option<Condition> {
    let kinds = [
        Kind::InvalidSpec,
        Kind::Available,
        Kind::Progressing,
        Kind::ReplicaFailure,
        Kind::Paused,
        Kind::Completed,
        Kind::Healthy,
    ];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == wire.kind)?;
    let truth = [Truth::True, Truth::False].into_iter().find(|truth| truth.as_str() == wire.status);
    let transitioned = timestamp::parse_optional(wire.last_transition_time.as_deref());
    let updated = timestamp::parse_optional(wire.last_update_time.as_deref());
    Some(Condition {
        kind,
        truth: truth.unwrap_or(Truth::Unknown),
        reason: wire.reason.clone(),
        message: wire.message.clone(),
        updated: updated.or(transitioned).unwrap_or_default(),
        transitioned: transitioned.or(updated).unwrap_or_default(),
    })
}

fn phase(wire: Option<&str>) -> Phase {
    let phases = [Phase::Progressing, Phase::Paused, Phase::Healthy, Phase::Degraded];
    phases.into_iter().find(|phase| Some(phase.as_str()) == wire).unwrap_or_default()
}

fn run_ref(wire: &RunStatusRef) -> RunRef {
    RunRef {
        name: wire.name.clone(),
        phase: wire.status.as_deref().and_then(RunPhase::parse).unwrap_or_default(),
        message: wire.message.clone().unwrap_or_default(),
    }
}

//= compat: 1.10-1
fn side(wire: &str) -> Option<Side> {
    [Side::Ping, Side::Pong].into_iter().find(|side| side.as_str() == wire)
}

/// An entry without an operation that is known says nothing about what was asked, and is left out.
fn plugin(wire: &StepPluginStatus) -> Option<PluginStatus> {
    let operations = [Operation::Run, Operation::Abort, Operation::Terminate];
    let phases = [PluginPhase::Running, PluginPhase::Successful, PluginPhase::Failed, PluginPhase::Error];
    let backoff = wire.backoff.as_deref().and_then(|text| duration::parse_ns(text).ok());
    Some(PluginStatus {
        index: usize::try_from(wire.index).ok()?,
        name: wire.name.clone(),
        operation: operations.into_iter().find(|o| o.as_str() == wire.operation)?,
        phase: phases.into_iter().find(|p| Some(p.as_str()) == wire.phase.as_deref()).unwrap_or(PluginPhase::Error),
        message: wire.message.clone().unwrap_or_default(),
        started: timestamp::parse_optional(wire.started_at.as_deref()).unwrap_or_default(),
        updated: timestamp::parse_optional(wire.updated_at.as_deref()),
        finished: timestamp::parse_optional(wire.finished_at.as_deref()),
        backoff: Span::from_millis(backoff.unwrap_or(0) / 1_000_000),
        executions: u32::try_from(wire.executions.unwrap_or(0)).unwrap_or(0),
        disabled: wire.disabled,
        state: wire.status.as_ref().map(ToString::to_string),
    })
}

fn weights(wire: &TrafficWeights) -> Weights {
    let weight = |n: i32| u32::try_from(n).unwrap_or(0);
    let hash = |hash: &Option<String>| Hash::new(hash.clone().unwrap_or_default());
    Weights {
        canary: weight(wire.canary.weight),
        canary_hash: hash(&wire.canary.pod_template_hash),
        stable: weight(wire.stable.weight),
        stable_hash: hash(&wire.stable.pod_template_hash),
        additional: wire
            .additional
            .iter()
            .map(|d| Destination {
                service: d.service_name.clone().unwrap_or_default(),
                hash: hash(&d.pod_template_hash),
                weight: weight(d.weight),
            })
            .collect(),
        verified: wire.verified.unwrap_or(false),
    }
}
