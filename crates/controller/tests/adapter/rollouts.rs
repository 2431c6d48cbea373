//! What is written on the rollout: status, revision, replicas (sections 1.2, 2.1 and 2.2).

use serde_json::{Value, json};
use serin_controller::render::rollout::{create_failed, status};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Observed, observe};
use serin_core::{Time, decide};

use crate::stage::{NOW, body, cluster, of_kind, pass, pool, rollout, view};

const DAY: &str = "2023-11-14T00:00:00Z";

//= compat: 1.2-1, 2.2-5
#[test]
fn absent_replicas_are_written_first_and_alone() {
    let writes = match observe(&cluster(rollout(json!({ "spec": { "replicas": null } })), vec![])) {
        Observed::Written(writes) => writes,
        other => panic!("{other:?}"),
    };
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].verb, Verb::MergePatch(json!({ "spec": { "replicas": 1 } })));
    assert!(matches!(observe(&cluster(rollout(json!({ "spec": { "replicas": 0 } })), vec![])), Observed::Ready(_)));
}

#[test]
fn a_rollout_that_is_being_deleted_is_left_alone() {
    let dying = json!({ "metadata": { "deletionTimestamp": DAY }, "spec": { "replicas": null } });
    assert!(matches!(observe(&cluster(rollout(dying), vec![])), Observed::Leaving));
}

//= compat: 2.1-1
#[test]
fn a_status_is_a_patch_of_what_differs_and_nothing_if_nothing_does() {
    let cluster = cluster(rollout(json!({})), vec![pool("x", "m:1", DAY, &json!({}))]);
    let before = view(&cluster);
    let mut decided = before.world.status.clone();
    decided.stable = Some("x".into());
    decided.abort = true;
    let write = status(&before, &decided).unwrap();
    let patch = body(&write);
    assert!(matches!(write.verb, Verb::StatusPatch(_)) && !write.can_conflict());
    assert_eq!((&patch["status"]["stableRS"], &patch["status"]["abort"]), (&json!("x"), &json!(true)));
    assert_eq!(patch["status"].get("pauseConditions"), None);

    let mut stored = crate::stage::rollout_json(&json!({}));
    stored = serin_controller::merge_patch::apply(&stored, patch);
    let mut again = cluster.clone();
    again.rollout = serde_json::from_value(stored).unwrap();
    let after = view(&again);
    assert_eq!(after.world.status, decided);
    assert_eq!(status(&after, &decided), None);
    decided.abort = false;
    assert_eq!(*body(&status(&after, &decided).unwrap()), json!({ "status": { "abort": null } }));
}

/// Argo's controller leaves parts that say nothing as empty objects; to take a rollout over from it needs no write.
#[test]
fn empty_parts_of_a_status_are_left_as_they_are() {
    let cluster = cluster(rollout(json!({})), vec![pool("x", "m:1", DAY, &json!({}))]);
    let before = view(&cluster);
    let mut decided = before.world.status.clone();
    decided.stable = Some("x".into());
    let patch = body(&status(&before, &decided).unwrap()).clone();
    let stored = serin_controller::merge_patch::apply(&crate::stage::rollout_json(&json!({})), &patch);
    let argos = json!({ "status": { "canary": {}, "blueGreen": {}, "alb": {} } });
    let mut again = cluster.clone();
    again.rollout = serde_json::from_value(serin_controller::merge_patch::apply(&stored, &argos)).unwrap();
    assert_eq!(status(&view(&again), &decided), None);
}

//= compat: 2.1-2
#[test]
fn only_whole_objects_can_conflict() {
    let rendered = pass(
        &cluster(rollout(json!({ "spec": { "minReadySeconds": 1 } })), vec![pool("x", "m:1", DAY, &json!({}))]),
        &[],
    );
    for write in &rendered.writes {
        assert_eq!(write.can_conflict(), matches!(write.verb, Verb::Update(_)));
        // Stopped, never repeated by itself: the pass is made again from what is read then.
        assert!(!write.can_conflict() || write.failure == Failure::Stop);
    }
    assert!(rendered.writes.iter().any(|write| write.can_conflict()));
}

//= compat: 2.3-13
#[test]
fn the_revision_is_noted_on_the_rollout() {
    let noted = |annotations: Value, pools| {
        let rendered = pass(&cluster(rollout(json!({ "metadata": { "annotations": annotations } })), pools), &[]);
        let of_rollout = of_kind(&rendered.writes, "Rollout");
        let patches = of_rollout.into_iter().filter(|write| matches!(write.verb, Verb::MergePatch(_)));
        patches.map(|write| body(write)["metadata"]["annotations"].clone()).collect::<Vec<_>>()
    };
    let revision = |number: &str| json!({ "rollout.argoproj.io/revision": number });
    assert_eq!(noted(json!({}), vec![]), [revision("1")]);
    let third = json!({ "metadata": { "annotations": { "rollout.argoproj.io/revision": "3" } } });
    let pools = || vec![pool("y", "m:0", DAY, &third), pool("x", "m:1", DAY, &json!({}))];
    assert_eq!(noted(revision("3"), pools()), [revision("4")], "the pool comes back");
    assert_eq!(noted(revision("3"), vec![pool("x", "m:1", DAY, &third)]), [] as [Value; 0]);
    assert_eq!(noted(json!({}), vec![pool("x", "m:1", DAY, &third)]), [revision("3")], "somebody removed it");
}

//= compat: 2.3-9
#[test]
fn a_pool_that_cannot_be_made_is_told() {
    let view = view(&cluster(rollout(json!({})), vec![]));
    let writes = create_failed(&view, "web-x", "quota exceeded", NOW);
    let text = "Failed to create new replica set \"web-x\": quota exceeded";
    let condition = &body(&writes[0])["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("Progressing"), &json!("False")));
    assert_eq!((&condition["reason"], &condition["message"]), (&json!("ReplicaSetCreateError"), &json!(text)));
    let event = body(&writes[1]);
    assert_eq!(
        (&event["type"], &event["reason"], &event["message"]),
        (&json!("Warning"), &json!("ReplicaSetCreateError"), &json!(text))
    );
    assert_eq!(event["involvedObject"]["uid"], "r-1");
}

//= compat: 2.1-1
#[test]
fn a_status_written_and_read_back_decides_the_same() {
    let mut stored = crate::stage::rollout_json(&json!({}));
    let mut pools = vec![pool("x", "m:1", DAY, &json!({}))];
    let mut now = NOW;
    for turn in 0..40 {
        let mut cluster = cluster(serde_json::from_value(stored.clone()).unwrap(), pools.clone());
        cluster
            .services
            .iter_mut()
            .for_each(|service| service.0["spec"]["selector"]["rollouts-pod-template-hash"] = json!("x"));
        let view = view(&cluster);
        let decision = decide(&view.world, now);
        let Some(write) = status(&view, &decision.status) else {
            assert!(turn > 1, "something was decided");
            return;
        };
        stored = serin_controller::merge_patch::apply(&stored, body(&write));
        cluster.rollout = serde_json::from_value(stored.clone()).unwrap();
        let read = crate::stage::view(&cluster);
        assert_eq!(read.world.status, decision.status, "turn {turn}");
        let mut straight = view.world.clone();
        straight.status = decision.status.clone();
        assert_eq!(decide(&read.world, now), decide(&straight, now), "turn {turn}");
        now = decision.wake_at.unwrap_or(now).max(now) + serin_core::Span::from_secs(1);
        pools[0].0.0["metadata"]["annotations"]["rollout.argoproj.io/desired-replicas"] = json!("4");
    }
    panic!("it never settles");
}

//= compat: 2.2-1
#[test]
fn times_survive_in_whole_seconds() {
    assert_eq!(serin_spec::timestamp::parse(&serin_spec::timestamp::format(NOW)), Some(Time::from_secs(NOW.as_secs())));
}
