//! `Rollout` with the defaults of section 1 of the Argo reference.

use serin_core::rollout::{Amount, BlueGreen, Canary, PingPong, Rollout, Strategy, Threshold, Traffic};
use serin_core::{Hash, Metadata, RoleMetadata, Span};

use super::steps;
use crate::advance;
use crate::hash;
use crate::timestamp;
use crate::wire;
use crate::wire::canary::{BlueGreenStrategy, CanaryStrategy, ReplicaProgressThreshold, RolloutAnalysis};
use crate::wire::meta::{IntOrString, PodMetadata};
use crate::wire::rollout::RolloutStrategy;

/// Members when `replicas` is absent.
const REPLICAS: u32 = 1;
/// Seconds without progress when `progressDeadlineSeconds` is absent.
const PROGRESS_DEADLINE_S: i32 = 600;
/// Old pools kept when `revisionHistoryLimit` is absent.
const REVISION_HISTORY: u32 = 10;
/// Finished runs kept when `analysis.*RunHistoryLimit` is absent.
const RUN_HISTORY: usize = 5;
/// Seconds that an old version stays behind a traffic router, so that requests under way can end.
const SCALE_DOWN_DELAY_S: i32 = 30;

/// The rollout as the core sees it. `generation` is `metadata.generation`; `collision_count` is that of the status, and
/// goes into the hash of the template. A template that is missing (one behind a `workloadRef`) has the hash of an empty one.
///
/// A rollout without a strategy, which validation refuses, is lowered as a halted canary without steps: nothing moves.
//= compat: 1.2-2, 1.2-4, 1.2-13, 1.5-1
pub fn rollout(wire: &wire::Rollout, generation: i64, collision_count: Option<i32>) -> Rollout {
    let spec = &wire.spec;
    let canary = spec.strategy.canary.as_ref();
    let history = |limit: Option<i32>| limit.map_or(RUN_HISTORY, |n| usize::try_from(n).unwrap_or(0));
    let limits = spec.analysis.as_ref();
    Rollout {
        name: wire.metadata.name().to_owned(),
        generation,
        replicas: spec.replicas.map_or(REPLICAS, count),
        hash: template_hash(wire, collision_count),
        steps_hash: canary.map_or_else(String::new, |c| hash::steps(&c.steps)),
        paused: spec.paused || (canary.is_none() && spec.strategy.blue_green.is_none()),
        progress_deadline: seconds(spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE_S)),
        progress_deadline_abort: spec.progress_deadline_abort,
        revision_history_limit: spec.revision_history_limit.map_or(REVISION_HISTORY, count),
        rollback_window: spec.rollback_window.as_ref().and_then(|w| w.revisions).map(count).filter(|n| *n > 0),
        run_history_limits: (
            history(limits.and_then(|a| a.successful_run_history_limit)),
            history(limits.and_then(|a| a.unsuccessful_run_history_limit)),
        ),
        restart_at: timestamp::parse_optional(spec.restart_at.as_deref()),
        metadata: role_metadata(&spec.strategy),
        workload: None,
        strategy: match &spec.strategy.blue_green {
            Some(wire) if canary.is_none() => Strategy::BlueGreen(blue_green(wire)),
            _ => {
                let advance = advance::of(&wire.metadata);
                Strategy::Canary(Canary { advance, ..canary.map(self::canary).unwrap_or_default() })
            }
        },
    }
}

fn template_hash(wire: &wire::Rollout, collision_count: Option<i32>) -> Hash {
    match &wire.spec.template {
        Some(template) => hash::pod_template(template, collision_count),
        None => hash::pod_template(&wire::PodTemplate::default(), collision_count),
    }
}

/// `strategy.canary`.
//= compat: 1.7-1, 1.7-2, 1.7-4, 4.2-2
fn canary(wire: &CanaryStrategy) -> Canary {
    let traffic = wire.traffic_routing.as_ref().map(|routing| Traffic {
        weight_total: routing.max_traffic_weight.and_then(|w| u32::try_from(w).ok()).filter(|w| *w > 0).unwrap_or(100),
    });
    let background = wire.analysis.as_ref().filter(|a| !a.templates.is_empty());
    Canary {
        steps: steps::steps(&wire.steps),
        max_surge: amount(wire.max_surge.as_ref()),
        max_unavailable: amount(wire.max_unavailable.as_ref()),
        traffic,
        canary_service: name(wire.canary_service.as_ref()),
        stable_service: name(wire.stable_service.as_ref()),
        ping_pong: wire.ping_pong.as_ref().map(ping_pong),
        managed_routes: managed_routes(wire),
        background_from: background.map(|a| a.starting_step.map_or(0, |n| usize::try_from(n).unwrap_or(0))),
        scale_down_delay: match traffic {
            Some(_) => seconds(wire.scale_down_delay_seconds.unwrap_or(SCALE_DOWN_DELAY_S)),
            None => Span::ZERO,
        },
        scale_down_delay_revision_limit: wire.scale_down_delay_revision_limit.map(count),
        abort_scale_down_delay: wire.abort_scale_down_delay_seconds.map(seconds),
        dynamic_stable_scale: wire.dynamic_stable_scale,
        min_pods: wire.min_pods_per_replica_set.map(count),
        progress_threshold: wire.replica_progress_threshold.as_ref().and_then(threshold),
        advance: None,
    }
}

fn managed_routes(wire: &CanaryStrategy) -> Vec<String> {
    let routes = wire.traffic_routing.iter().flat_map(|routing| &routing.managed_routes);
    routes.map(|route| route.name.clone()).collect()
}

fn ping_pong(wire: &wire::canary::PingPong) -> PingPong {
    PingPong { ping: wire.ping_service.clone(), pong: wire.pong_service.clone() }
}

/// `canaryMetadata` and `stableMetadata`, or their counterparts of a blue-green rollout.
//= compat: 1.9-1
fn role_metadata(strategy: &RolloutStrategy) -> RoleMetadata {
    let metadata = |wire: &Option<PodMetadata>| {
        let wire = wire.clone().unwrap_or_default();
        Metadata { labels: wire.labels, annotations: wire.annotations }
    };
    match (&strategy.canary, &strategy.blue_green) {
        (Some(canary), _) => {
            RoleMetadata { new: metadata(&canary.canary_metadata), stable: metadata(&canary.stable_metadata) }
        }
        (None, Some(bg)) => RoleMetadata { new: metadata(&bg.preview_metadata), stable: metadata(&bg.active_metadata) },
        (None, None) => RoleMetadata::default(),
    }
}

/// `strategy.blueGreen`. An analysis without templates is none.
fn blue_green(wire: &BlueGreenStrategy) -> BlueGreen {
    let analysed = |analysis: Option<&RolloutAnalysis>| analysis.is_some_and(|a| !a.templates.is_empty());
    BlueGreen {
        active_service: wire.active_service.clone().unwrap_or_default(),
        preview_service: name(wire.preview_service.as_ref()),
        preview_replicas: wire.preview_replica_count.map(count),
        auto_promotion: wire.auto_promotion_enabled.unwrap_or(true),
        auto_promotion_delay: seconds(wire.auto_promotion_seconds.unwrap_or(0)),
        max_unavailable: amount(wire.max_unavailable.as_ref()),
        pre_promotion: analysed(wire.pre_promotion_analysis.as_ref()),
        post_promotion: analysed(wire.post_promotion_analysis.as_ref()),
        scale_down_delay: wire.scale_down_delay_seconds.map(seconds),
        scale_down_delay_revision_limit: wire.scale_down_delay_revision_limit.map(count),
        abort_scale_down_delay: wire.abort_scale_down_delay_seconds.map(seconds),
    }
}

/// An int is a number of members; a string is a percentage, with or without its sign.
//= compat: 1.7-2, 10.7
pub(crate) fn amount(wire: Option<&IntOrString>) -> Amount {
    match wire {
        None => Amount::default(),
        Some(IntOrString::Int(n)) => Amount::Count(u32::try_from((*n).max(0)).unwrap_or(u32::MAX)),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().map(Amount::Percent).unwrap_or_default(),
    }
}

/// A negative value switches the threshold off; any type but `Percent` counts members.
//= compat: 2.9-1, 2.9-3
fn threshold(wire: &ReplicaProgressThreshold) -> Option<Threshold> {
    let value = u32::try_from(wire.value).ok()?;
    Some(if wire.kind == "Percent" { Threshold::Percent(value) } else { Threshold::Pods(value) })
}

/// An empty name names nothing.
fn name(wire: Option<&String>) -> Option<String> {
    wire.filter(|text| !text.is_empty()).cloned()
}

pub(super) fn seconds(s: i32) -> Span {
    Span::from_secs(i64::from(s.max(0)))
}

/// Counts below zero, which validation refuses, mean none.
pub(super) fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}
