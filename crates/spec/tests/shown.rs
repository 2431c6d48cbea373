//! What a client shows of a rollout (section 2.5).

use serde_json::{Value, json};
use serin_spec::shown;
use serin_spec::wire::Rollout;

/// The phase shown of a rollout of generation 3 with this status and these annotations.
fn shown(status: Value, annotations: Value) -> String {
    let rollout: Rollout = serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": { "name": "web", "generation": 3, "annotations": annotations },
        "spec": { "replicas": 2, "strategy": { "canary": { "steps": [{ "setWeight": 10 }] } } },
        "status": status,
    }))
    .unwrap();
    let (phase, message) = shown::phase(&rollout, serin_core::Time::from_secs(0));
    format!("{} {message}", phase.as_str()).trim().to_owned()
}

const UNSEEN: &str = "Progressing waiting for rollout spec update to be observed";

//= compat: 2.5-2
#[test]
fn a_stored_phase_counts_once_everything_was_seen() {
    let status = |more: Value| {
        let mut status = json!({ "phase": "Healthy", "observedGeneration": "3" });
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        status
    };
    assert_eq!(shown(status(json!({})), json!({})), "Healthy");
    assert_eq!(shown(status(json!({ "observedGeneration": "2" })), json!({})), UNSEEN);
    let unpausing = json!({ "phase": "Paused", "message": "CanaryPauseStep", "controllerPause": true });
    assert_eq!(shown(status(unpausing.clone()), json!({})), "Progressing waiting for rollout to unpause");
    let mut paused = status(unpausing);
    paused["pauseConditions"] = json!([{ "reason": "CanaryPauseStep", "startTime": "2023-11-14T22:13:20Z" }]);
    assert_eq!(shown(paused, json!({})), "Paused CanaryPauseStep");
    let workload = || json!({ "rollout.argoproj.io/workload-generation": "5" });
    let behind = status(json!({ "workloadObservedGeneration": "4" }));
    assert_eq!(shown(behind, workload()), format!("{UNSEEN} for the reference workload"));
    assert_eq!(shown(status(json!({ "workloadObservedGeneration": "5" })), workload()), "Healthy");
}

//= compat: 2.5-3
#[test]
fn generations_that_are_no_number_or_greater_count_as_seen() {
    let check = |observed: Value, want: &str| {
        assert_eq!(shown(json!({ "phase": "Healthy", "observedGeneration": observed }), json!({})), want);
    };
    check(json!("3"), "Healthy");
    check(json!("4"), "Healthy");
    check(json!("7f9c"), "Healthy");
    check(Value::Null, "Healthy");
    check(json!("2"), UNSEEN);
}

//= compat: 2.5-4
#[test]
fn without_a_stored_phase_it_is_told_from_the_rest() {
    let counts = json!({ "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1, "observedGeneration": "3" });
    assert_eq!(shown(counts, json!({})), "Progressing updated replicas are still becoming available");
    let promoted = json!({
        "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": "3",
        "stableRS": "a", "currentPodHash": "a", "currentStepIndex": 1,
    });
    assert_eq!(shown(promoted, json!({})), "Healthy");
}
