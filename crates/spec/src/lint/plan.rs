//! A canary's steps as they will be: the weight in force, and how many members the new version has.

use serin_core::canary::sizing::{basic_target, share_rounded_up};

use crate::lower::{amount, pause_span};
use crate::wire::Rollout;
use crate::wire::canary::{CanaryStep, CanaryStrategy, SetCanaryScale};

/// What holds while a step runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'r> {
    pub(super) step: &'r CanaryStep,
    /// The weight in force, this step's own included; `None` before the first.
    pub(super) weight: Option<u32>,
    /// The weight before this step.
    pub(super) before: Option<u32>,
    /// The scale in force, this step's own included.
    pub(super) scale: Option<&'r SetCanaryScale>,
}

/// The steps of a rollout with what they are counted by.
pub(super) struct Plan<'r> {
    pub(super) stages: Vec<Stage<'r>>,
    /// The weight that is everything.
    pub(super) total: u32,
    /// Members of the rollout; `None` where something else sets the number.
    pub(super) replicas: Option<u32>,
    /// A router splits the requests, so members and weight are set apart.
    pub(super) routed: bool,
    surge: u32,
    min_pods: u32,
}

/// How many members the new version and the stable one get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) canary: u32,
    pub(super) all: u32,
}

impl<'r> Plan<'r> {
    pub(super) fn of(rollout: &'r Rollout, canary: &'r CanaryStrategy) -> Plan<'r> {
        let routing = canary.traffic_routing.as_ref();
        let total =
            routing.and_then(|routing| routing.max_traffic_weight).and_then(|weight| u32::try_from(weight).ok());
        let replicas = rollout.spec.replicas.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
        let (mut weight, mut scale) = (None, None);
        let stages = canary.steps.iter().map(|step| {
            let before = weight;
            if let Some(new) = step.set_weight {
                weight = u32::try_from(new).ok();
            }
            if let Some(new) = &step.set_canary_scale {
                let follows = new.match_traffic_weight || new.replicas.is_none() && new.weight.is_none();
                scale = (!follows).then_some(new);
            }
            Stage { step, weight, before, scale }
        });
        Plan {
            stages: stages.collect(),
            total: total.filter(|total| *total > 0).unwrap_or(100),
            replicas,
            routed: routing.is_some(),
            surge: amount(canary.max_surge.as_ref()).of_rounded_up(replicas.unwrap_or(1)),
            min_pods: canary.min_pods_per_replica_set.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        }
    }

    /// The members at a stage; `None` if the number of replicas decides and is not written down.
    pub(super) fn members(&self, stage: &Stage<'_>) -> Option<Members> {
        let weight = stage.weight.unwrap_or(0).min(self.total);
        if !self.routed {
            let sizes = basic_target(self.replicas?, weight, self.total, self.surge);
            return Some(Members { canary: sizes.new, all: sizes.new.saturating_add(sizes.stable) });
        }
        let nonnegative = |n: i32| u32::try_from(n).unwrap_or(0);
        let canary = match stage.scale.map(|scale| (scale.replicas, scale.weight)) {
            Some((Some(replicas), _)) => nonnegative(replicas),
            Some((None, Some(0))) => 0,
            Some((None, Some(scale))) => share_rounded_up(self.replicas?, nonnegative(scale), self.total),
            _ if weight == 0 => 0,
            _ => self.at_weight(weight)?,
        };
        Some(Members { canary, all: canary.saturating_add(self.replicas.unwrap_or(canary)) })
    }

    /// Members that a weight gets by itself behind a router.
    pub(super) fn at_weight(&self, weight: u32) -> Option<u32> {
        let replicas = self.replicas?;
        let share = share_rounded_up(replicas, weight, self.total);
        Some(if share == 0 { 0 } else { share.max(self.min_pods.min(replicas)) })
    }

    /// Whether the new version has no member at a stage, as far as that is known.
    pub(super) fn is_empty(&self, stage: &Stage<'_>) -> bool {
        let known = self.members(stage).is_some_and(|members| members.canary == 0);
        let follows = stage.scale.is_none() || !self.routed;
        known || follows && stage.weight.unwrap_or(0) == 0
    }
}

/// Seconds of a pause; `None` if a person ends it.
pub(super) fn pause_s(step: &CanaryStep) -> Option<f64> {
    let duration = step.pause.as_ref()?.duration.as_ref()?;
    pause_span(duration).map(|span| span.as_millis() as f64 / 1000.0)
}

/// Whether a step waits for a person.
pub(super) fn waits_for_a_person(step: &CanaryStep) -> bool {
    step.pause.as_ref().is_some_and(|pause| pause.duration.is_none())
}
