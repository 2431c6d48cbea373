//! Analysis runs as the rollout sees them.

use serin_core::analysis::{RunKind, RunPhase, evidence};
use serin_core::world::{Run, World};
use serin_core::{Hash, Share};
use serin_spec::wire::analysis::Measurement;
use serin_spec::wire::keys::HASH_LABEL;
use serin_spec::wire::{AnalysisRun, Rollout};
use serin_spec::{lower, timestamp};

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
        passed_at: passed_at(run),
        created: run.metadata.creation_timestamp.as_deref().and_then(timestamp::parse).unwrap_or_default(),
    })
}

/// The weight at which the run's sequential tests have passed. Most runs have none, and are not read whole for it.
fn passed_at(run: &AnalysisRun) -> Option<Share> {
    let status = run.status.as_ref()?;
    let marked = |m: &Measurement| m.metadata.contains_key(evidence::PASSED_AT);
    status.metric_results.iter().any(|result| result.measurements.last().is_some_and(marked)).then_some(())?;
    evidence::passed_at(&lower::run_spec(&run.spec), &lower::run_status(status))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(provider: &Value, metadata: &Value) -> Run {
        let metric = json!({ "name": "errors", "provider": provider });
        let measurement = json!({ "phase": "Running", "startedAt": "2026-01-02T03:04:05Z", "metadata": metadata });
        let labels = json!({ "rollout-type": "Background", HASH_LABEL: "x" });
        let read = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": { "name": "r", "labels": labels },
            "spec": { "metrics": [metric] },
            "status": { "phase": "Running", "metricResults": [{ "name": "errors", "phase": "Running", "measurements": [measurement] }] },
        });
        run(&serde_json::from_value(read).unwrap()).unwrap()
    }

    #[test]
    fn a_run_says_at_which_weight_its_tests_have_passed() {
        let plugin = json!({ "plugin": { "serin.dev/compare": {} } });
        let passed = json!({ evidence::PASSED_AT: "20/100" });
        assert_eq!(seen(&plugin, &passed).passed_at, Some(Share { weight: 20, total: 100 }));
        assert_eq!(seen(&plugin, &json!({})).passed_at, None);
        // No word of another provider is taken for that.
        assert_eq!(seen(&json!({ "job": { "spec": {} } }), &passed).passed_at, None);
    }
}
