//! Decisions that follow from one snapshot are those that passes would have made one after the other.

use serde_json::json;
use serin_controller::render::Sources;
use serin_controller::write::Verb;
use serin_controller::{Cluster, Rendered, decide_ahead, merge_patch, render};
use serin_core::decide;
use serin_spec::wire::analysis::AnalysisRunSpec;

use crate::stage::{NOW, body, cluster, of_kind, pool, rollout, view};

/// Runs measure nothing.
fn sources() -> Sources<'static> {
    Sources { pods: &[], run_spec: &|_| Ok(AnalysisRunSpec::default()), now: NOW }
}

/// The rollout as these writes leave it.
fn written(cluster: &Cluster, rendered: &Rendered) -> Cluster {
    let mut stored = serde_json::to_value(&cluster.rollout).unwrap();
    for write in of_kind(&rendered.writes, "Rollout") {
        if matches!(write.verb, Verb::StatusPatch(_) | Verb::MergePatch(_)) {
            stored = merge_patch::apply(&stored, body(write));
        }
    }
    Cluster { rollout: serde_json::from_value(stored).unwrap(), ..cluster.clone() }
}

/// An update whose canary has come up: the first step is done, and what follows is the pause.
fn updated(pause: &serde_json::Value) -> Cluster {
    let canary = json!({ "steps": [{ "setWeight": 25 }, { "pause": pause }, { "setWeight": 50 }] });
    let patch = json!({
        "metadata": { "annotations": { "rollout.argoproj.io/revision": "2" } },
        "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "m:2", "ports": [{ "containerPort": 80 }] }] } }, "strategy": { "canary": canary } },
        "status": { "stableRS": "old", "currentPodHash": "new", "currentStepIndex": 0 },
    });
    let sized = |size: u32, revision: &str| {
        json!({
            "metadata": { "annotations": { "rollout.argoproj.io/revision": revision } },
            "spec": { "replicas": size },
            "status": { "replicas": size, "readyReplicas": size, "availableReplicas": size },
        })
    };
    let pools = vec![
        pool("old", "m:1", "2023-11-01T00:00:00Z", &sized(3, "1")),
        pool("new", "m:2", "2023-11-02T00:00:00Z", &sized(1, "2")),
    ];
    let mut cluster = cluster(rollout(patch), pools);
    for (service, hash) in cluster.services.iter_mut().zip(["new", "old"]) {
        service.0["spec"]["selector"]["rollouts-pod-template-hash"] = hash.into();
    }
    cluster
}

#[test]
fn a_pass_decides_what_passes_in_a_row_would_have_decided() {
    for pause in [json!({}), json!({ "duration": "10s" })] {
        let begun = updated(&pause);
        let (mut one_by_one, mut events, mut passes) = (begun.clone(), Vec::new(), 0);
        loop {
            let seen = view(&one_by_one);
            let decision = decide(&seen.world, NOW);
            assert!(decision.actions.is_empty(), "{:?}", decision.actions);
            events.extend(decision.events.clone());
            let next = written(&one_by_one, &render(&seen, &decision, &sources()));
            if next.rollout == one_by_one.rollout {
                break;
            }
            (one_by_one, passes) = (next, passes + 1);
        }
        assert!(passes >= 2, "{passes}");
        let reasons: Vec<&str> = events.iter().map(|event| event.reason).collect();
        assert!(reasons.ends_with(&["RolloutStepCompleted", "RolloutPaused"]), "{reasons:?}");

        let seen = view(&begun);
        let ahead = decide_ahead(&seen, NOW);
        assert_eq!(ahead.events(), events);
        let rendered = ahead.render(&seen, &sources());
        let at_once = written(&begun, &rendered);
        assert_eq!(at_once.rollout, one_by_one.rollout);
        // What is done with the status is told before anything that can fail.
        let first: Vec<&str> = rendered.writes.iter().map(|write| write.target.kind.as_str()).collect();
        assert!(first.starts_with(&["Rollout", "Event"]), "{first:?}");
        // Nothing is left to do, and the timer is that of the last decision.
        let settled = decide_ahead(&view(&at_once), NOW);
        assert_eq!((settled.decision.clone(), settled.before.len()), (decide(&view(&at_once).world, NOW), 0));
        assert_eq!(ahead.decision.wake_at, settled.decision.wake_at);
        assert_eq!(ahead.decision.wake_at.is_some(), pause != json!({}));
    }
}

#[test]
fn whatever_must_be_done_ends_it() {
    // The canary has no pod yet: nothing is decided as if it had grown.
    let mut cluster = updated(&json!({}));
    cluster.replica_sets.pop();
    let seen = view(&cluster);
    let (ahead, alone) = (decide_ahead(&seen, NOW), decide(&seen.world, NOW));
    assert!(!alone.actions.is_empty());
    assert_eq!((ahead.decision, ahead.before.len()), (alone, 0));
}
