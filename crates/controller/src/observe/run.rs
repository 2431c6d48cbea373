//! Analysis runs as the rollout sees them.

use serin_core::Hash;
use serin_core::analysis::{RunKind, RunPhase};
use serin_core::world::{Run, World};
use serin_spec::timestamp;
use serin_spec::wire::keys::HASH_LABEL;
use serin_spec::wire::{AnalysisRun, Rollout};

/// Whether a run's controller is the object with this uid.
//= compat: 2.2-4
pub(super) fn is_owned_by(run: &AnalysisRun, uid: &str) -> bool {
    let mut owners = run.metadata.owner_references.iter();
    !uid.is_empty() && owners.any(|owner| owner["controller"] == true && owner["uid"] == uid)
}

/// A run of the rollout; `None` for one that does not say what it judges.
pub fn run(run: &AnalysisRun) -> Option<Run> {
    let labels = &run.metadata.labels;
    let status = run.status.clone().unwrap_or_default();
    Some(Run {
        name: run.metadata.name().to_owned(),
        kind: kind(labels.get("rollout-type")?, labels.get("step-index").map(String::as_str))?,
        hash: Hash::new(labels.get(HASH_LABEL).cloned().unwrap_or_default()),
        phase: status.phase.as_deref().and_then(RunPhase::parse).unwrap_or_default(),
        message: status.message.unwrap_or_default(),
        terminating: run.spec.terminate,
        created: run.metadata.creation_timestamp.as_deref().and_then(timestamp::parse).unwrap_or_default(),
    })
}

fn kind(word: &str, step: Option<&str>) -> Option<RunKind> {
    match word {
        "Step" => Some(RunKind::Step(step?.parse().ok()?)),
        "Background" => Some(RunKind::Background),
        "PrePromotion" => Some(RunKind::PrePromotion),
        "PostPromotion" => Some(RunKind::PostPromotion),
        _ => None,
    }
}

/// Runs that the status names and that were not read: a cache may be behind, and without them they would be made again.
//= compat: 2.2-4
pub(super) fn missing(rollout: &Rollout, world: &World) -> Vec<String> {
    let status = rollout.status.clone().unwrap_or_default();
    let canary = status.canary.unwrap_or_default();
    let blue_green = status.blue_green.unwrap_or_default();
    let named = [
        canary.current_step_analysis_run_status,
        canary.current_background_analysis_run_status,
        blue_green.pre_promotion_analysis_run_status,
        blue_green.post_promotion_analysis_run_status,
    ];
    named.into_iter().flatten().map(|run| run.name).filter(|name| world.run(name).is_none()).collect()
}
