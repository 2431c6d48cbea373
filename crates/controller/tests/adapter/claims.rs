//! Which ReplicaSets and runs are a rollout's (section 2.2).

use serde_json::{Value, json};
use serin_controller::observe::{claim, is_mine};
use serin_controller::write::Failure;
use serin_controller::{Object, ReplicaSet};
use serin_core::analysis::RunKind;
use serin_spec::wire::AnalysisRun;

use crate::stage::{body, cluster, owner, pool, rollout, view};

const DAY: &str = "2023-11-14T00:00:00Z";

/// `owned`, or what is written to the one ReplicaSet, with the owner that must still be there.
fn fate(patch: Value, of_rollout: Value) -> String {
    let replica_set = pool("h1", "m:1", DAY, &patch);
    let claimed = claim(&rollout(of_rollout), &[replica_set]);
    let mut said: Vec<String> = claimed.owned.iter().map(|_| "owned".to_owned()).collect();
    said.extend(claimed.writes.iter().map(|write| {
        let reference = &body(write)["metadata"]["ownerReferences"][0];
        let verb = if reference["$patch"] == "delete" { "release" } else { "adopt" };
        let fresh = write.owner.as_deref().map(|uid| format!(" if {uid} lives")).unwrap_or_default();
        format!("{verb} {}{fresh}", body(write)["metadata"]["uid"].as_str().unwrap())
    }));
    said.join(", ")
}

//= compat: 2.2-2, 2.2-3
#[test]
fn replica_sets_are_kept_taken_or_let_go() {
    let check = |patch: Value, want: &str| assert_eq!(fate(patch, json!({})), want);
    check(json!({}), "owned");
    check(json!({ "metadata": { "ownerReferences": null } }), "owned, adopt rs-h1 if r-1 lives");
    check(json!({ "metadata": { "ownerReferences": [owner("Rollout", "web", "r-0")] } }), "");
    check(json!({ "metadata": { "ownerReferences": [owner("Deployment", "web", "d-1")] } }), "");
    check(json!({ "metadata": { "labels": { "app": "other" } } }), "release rs-h1");
    check(json!({ "metadata": { "namespace": "other" } }), "");
    let orphan = |more: Value| {
        let patch = json!({ "metadata": { "ownerReferences": null } });
        serin_controller::merge_patch::apply(&patch, &more)
    };
    let without_hash =
        json!({ "metadata": { "ownerReferences": null, "labels": { "rollouts-pod-template-hash": null } } });
    check(without_hash, "");
    let mut dying = orphan(json!({}));
    dying["metadata"]["deletionTimestamp"] = DAY.into();
    check(dying, "");
}

//= compat: 1.5-2
#[test]
fn a_pool_of_an_experiment_is_none_of_the_rollouts() {
    let of_experiment = json!({ "metadata": {
        "annotations": { "experiment.argoproj.io/name": "e" }, "ownerReferences": [owner("Experiment", "e", "e-1")],
    } });
    let cluster =
        cluster(rollout(json!({})), vec![pool("h1", "m:1", DAY, &json!({})), pool("h2", "m:2", DAY, &of_experiment)]);
    let pools = view(&cluster).world.pools;
    assert_eq!(pools.iter().map(|pool| pool.hash.as_str()).collect::<Vec<_>>(), ["h1"]);
}

//= compat: 2.2-2
#[test]
fn nothing_else_is_written_when_a_pool_cannot_be_taken() {
    let orphan = pool("h1", "m:1", DAY, &json!({ "metadata": { "ownerReferences": null } }));
    assert_eq!(claim(&rollout(json!({})), &[orphan]).writes[0].failure, Failure::Stop);
    let let_go = pool("h1", "m:1", DAY, &json!({ "metadata": { "labels": { "app": "other" } } }));
    assert_eq!(claim(&rollout(json!({})), &[let_go]).writes[0].failure, Failure::Gone);
}

//= compat: 2.2-2
#[test]
fn a_rollout_that_is_being_deleted_takes_nothing() {
    let dying = || json!({ "metadata": { "deletionTimestamp": DAY } });
    assert_eq!(fate(json!({ "metadata": { "ownerReferences": null } }), dying()), "");
    assert_eq!(fate(json!({}), dying()), "owned");
    assert_eq!(fate(json!({ "metadata": { "labels": { "app": "other" } } }), dying()), "");
}

fn run(name: &str, owner_uid: &str, labels: Value) -> AnalysisRun {
    serde_json::from_value(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": { "name": name, "namespace": "shop", "labels": labels, "ownerReferences": [owner("Rollout", "web", owner_uid)] },
        "spec": {}, "status": { "phase": "Running" },
    }))
    .unwrap()
}

//= compat: 2.2-4
#[test]
fn runs_belong_to_the_rollout_whose_uid_their_controller_has() {
    let step = json!({ "rollout-type": "Step", "step-index": "1", "rollouts-pod-template-hash": "h1" });
    let mut cluster = cluster(rollout(json!({})), vec![pool("h1", "m:1", DAY, &json!({}))]);
    cluster.runs = vec![
        run("a", "r-1", step.clone()),
        run("b", "r-0", step),
        run("c", "r-1", json!({ "rollout-type": "Background" })),
        run("d", "r-1", json!({})),
        run("e", "r-1", json!({ "rollout-type": "PostPromotion" })),
    ];
    let runs = view(&cluster).world.runs;
    let found: Vec<_> = runs.iter().map(|run| (run.name.as_str(), run.kind)).collect();
    assert_eq!(found, [("a", RunKind::Step(1)), ("c", RunKind::Background), ("e", RunKind::PostPromotion)]);
}

//= compat: 2.2-4
#[test]
fn a_run_that_the_status_names_and_nobody_saw_is_asked_for() {
    let status = json!({ "status": { "canary": {
        "currentStepAnalysisRunStatus": { "name": "a", "status": "Running" },
        "currentBackgroundAnalysisRunStatus": { "name": "b", "status": "Running" },
    } } });
    let mut cluster = cluster(rollout(status), vec![pool("h1", "m:1", DAY, &json!({}))]);
    assert_eq!(view(&cluster).missing_runs, ["a", "b"]);
    cluster.runs = vec![run("a", "r-1", json!({ "rollout-type": "Step", "step-index": "1" }))];
    assert_eq!(view(&cluster).missing_runs, ["b"]);
}

//= compat: 2.3-19
#[test]
fn objects_belong_to_the_controller_that_their_label_names() {
    let object = |label: Value| {
        Object(json!({ "metadata": { "labels": { "argo-rollouts.argoproj.io/controller-instance-id": label } } }))
    };
    assert!(is_mine(&object(json!("a")), "a") && !is_mine(&object(json!("a")), "b"));
    assert!(!is_mine(&object(json!("a")), "") && is_mine(&object(Value::Null), ""));
    assert!(!is_mine(&object(Value::Null), "a"));
}

//= compat: 2.3-17, 2.8-28
#[test]
fn a_pool_is_read_whole() {
    let read = |patch: Value| pool("h1", "m:1", DAY, &patch).pool().unwrap();
    let plain = read(json!({ "status": { "replicas": 4, "readyReplicas": 3, "availableReplicas": 2 } }));
    let counts = (plain.size, plain.members, plain.ready, plain.available, plain.revision, plain.replicas_seen);
    assert_eq!(counts, (4, 4, 3, 2, 1, Some(4)));
    assert_eq!((plain.scale_down_at, plain.failure, plain.promoted), (None, None, false));
    let annotated = |key: &str, value: &str| read(json!({ "metadata": { "annotations": { key: value } } }));
    let deadline = annotated("scale-down-deadline", "2023-11-14T22:13:20Z").scale_down_at.unwrap();
    assert_eq!(deadline.as_secs(), 1_700_000_000);
    let unreadable = annotated("scale-down-deadline", "soon").scale_down_at.unwrap();
    assert!(unreadable < deadline, "what cannot be read has passed");
    assert!(annotated("serin.dev/promoted", "true").promoted);
    let conditions = json!([{ "type": "ReplicaFailure", "status": "True", "message": "quota" }]);
    assert_eq!(read(json!({ "status": { "conditions": conditions } })).failure.as_deref(), Some("quota"));
    assert_eq!(ReplicaSet::new(json!({ "metadata": { "name": "x" } })).pool(), None);
}
