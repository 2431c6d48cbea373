//! Labels and annotations for a role (section 1.9).

use serde_json::{Value, json};
use serin_controller::ephemeral::{Role, pod_writes, put_on};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Object, Write};
use serin_spec::wire::Rollout;
use serin_spec::wire::meta::PodMetadata;

use crate::stage::{body, cluster, of_kind, owner, pass, pool, rollout, template};

const DAY: &str = "2023-11-14T00:00:00Z";
const KEY: &str = "rollout.argoproj.io/ephemeral-metadata";

fn roles() -> Value {
    json!({ "spec": { "strategy": { "canary": {
        "canaryMetadata": { "labels": { "role": "canary" }, "annotations": { "new": "yes" } },
        "stableMetadata": { "labels": { "role": "stable" } },
    } } } })
}

fn with_roles(more: Value) -> Rollout {
    rollout(serin_controller::merge_patch::apply(&roles(), &more))
}

fn set(labels: Value, annotations: Value) -> PodMetadata {
    serde_json::from_value(json!({ "labels": labels, "annotations": annotations })).unwrap()
}

fn pod(name: &str, of: &str, labels: Value) -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "shop", "labels": labels, "ownerReferences": [owner("ReplicaSet", "x", of)] },
    }))
}

//= compat: 1.9-1
#[test]
fn roles_follow_the_stable_version() {
    let check = |hash: &str, stable: Option<&str>, want: Role| assert_eq!(Role::of(hash, "new", stable), want);
    check("new", Some("old"), Role::New);
    check("old", Some("old"), Role::Stable);
    check("older", Some("old"), Role::Old);
    check("new", Some("new"), Role::Stable);
    check("old", Some("new"), Role::Old);
    check("new", None, Role::Stable);
    check("old", None, Role::Old);
}

//= compat: 1.9-2
#[test]
fn what_was_put_there_is_remembered_and_only_that_is_taken_off() {
    let mut replica_set = pool("h", "m:1", DAY, &json!({})).0.0;
    assert!(put_on(&mut replica_set, &set(json!({ "role": "canary" }), json!({ "new": "yes" }))));
    assert_eq!(
        replica_set["metadata"]["annotations"][KEY],
        r#"{"labels":{"role":"canary"},"annotations":{"new":"yes"}}"#
    );
    assert_eq!(replica_set["spec"]["template"]["metadata"]["labels"]["role"], "canary");
    assert!(!put_on(&mut replica_set, &set(json!({ "role": "canary" }), json!({ "new": "yes" }))), "twice is once");

    assert!(put_on(&mut replica_set, &set(json!({ "role": "stable" }), json!({}))));
    let metadata = &replica_set["spec"]["template"]["metadata"];
    assert_eq!((&metadata["labels"]["role"], &metadata["labels"]["app"]), (&json!("stable"), &json!("web")));
    assert_eq!(metadata["annotations"], json!({}));

    assert!(put_on(&mut replica_set, &PodMetadata::default()));
    assert_eq!(replica_set["spec"]["template"]["metadata"]["labels"]["role"], Value::Null);
    assert_eq!(replica_set["metadata"]["annotations"][KEY], Value::Null);
}

//= compat: 1.9-6
#[test]
fn a_new_pool_is_made_with_its_set() {
    let role = |status: Value| {
        let more = serin_controller::merge_patch::apply(&json!({ "spec": { "template": template("m:2") } }), &status);
        let rendered = pass(&cluster(with_roles(more), vec![pool("old", "m:1", DAY, &json!({}))]), &[]);
        let made: Vec<&Write> = rendered
            .writes
            .iter()
            .filter(|w| matches!(w.verb, Verb::Create(_)) && w.target.kind == "ReplicaSet")
            .collect();
        body(made[0])["spec"]["template"]["metadata"]["labels"]["role"].clone()
    };
    assert_eq!(role(json!({ "status": { "stableRS": "old", "currentPodHash": "old" } })), "canary");
    assert_eq!(role(json!({})), "stable");
}

fn writes(pods: &[Object], pool_patch: Value, role: Role) -> Vec<String> {
    let written = pod_writes(&with_roles(json!({})), &pool("h", "m:1", DAY, &pool_patch), role, pods);
    assert!(written.iter().all(|write| write.failure == Failure::Gone), "a pod that is gone is no failure");
    written.iter().map(|write| format!("{} {}", write.target.name, body(write)["metadata"])).collect()
}

//= compat: 1.9-3, 1.9-4
#[test]
fn live_pods_are_changed_in_place_whenever_one_is_found_wrong() {
    let right = pod("right", "rs-h", json!({ "app": "web", "role": "stable" }));
    let fresh = pod("fresh", "rs-h", json!({ "app": "web" }));
    let was_canary = pod("was-canary", "rs-h", json!({ "role": "canary", "mine": "x" }));
    let of_another = pod("of-another", "rs-x", json!({ "app": "web" }));
    let pods = [right, fresh, was_canary, of_another];
    assert_eq!(
        writes(&pods, json!({}), Role::Stable),
        [r#"fresh {"labels":{"role":"stable"}}"#, r#"was-canary {"labels":{"role":"stable"}}"#]
    );
    assert_eq!(
        writes(&pods, json!({}), Role::Old),
        [r#"right {"labels":{"role":null}}"#, r#"was-canary {"labels":{"role":null}}"#],
        "though the ReplicaSet no longer says what was put there"
    );
    assert!(writes(&pods, json!({ "spec": { "replicas": 0 } }), Role::Stable).is_empty());
}

//= compat: 1.9-2
#[test]
fn a_key_that_the_users_template_has_too_stays_on_pods() {
    let users = json!({ "spec": { "template": { "metadata": { "labels": { "role": "mine" } } } } });
    let pods = [pod("p", "rs-h", json!({ "role": "mine" }))];
    assert!(writes(&pods, users, Role::Old).is_empty());
}

//= compat: 1.9-3
#[test]
fn the_replica_set_is_written_before_its_pods() {
    let status = json!({ "status": { "stableRS": "old", "currentPodHash": "old" } });
    let pods = [pod("p", "rs-old", json!({ "app": "web" }))];
    let rendered = pass(&cluster(with_roles(status), vec![pool("old", "m:1", DAY, &json!({}))]), &pods);
    let order: Vec<&str> = rendered
        .writes
        .iter()
        .map(|w| w.target.kind.as_str())
        .filter(|kind| matches!(*kind, "ReplicaSet" | "Pod"))
        .collect();
    assert_eq!(order, ["ReplicaSet", "Pod"]);
}

/// Argo leaves what it put there for ever; here it goes with the fields that asked for it.
#[test]
fn fields_that_are_removed_from_the_spec_take_their_labels_with_them() {
    let former = json!({ "labels": { "role": "stable" } }).to_string();
    let patch = json!({ "metadata": { "annotations": { KEY: former } }, "spec": { "template": { "metadata": { "labels": { "role": "stable" } } } } });
    let status = json!({ "status": { "stableRS": "old", "currentPodHash": "old" } });
    let pods = [pod("p", "rs-old", json!({ "app": "web", "role": "stable" }))];
    let rendered = pass(&cluster(rollout(status), vec![pool("old", "m:1", DAY, &patch)]), &pods);
    let written = body(of_kind(&rendered.writes, "ReplicaSet")[0]);
    assert_eq!(written["metadata"]["annotations"][KEY], Value::Null);
    assert_eq!(body(of_kind(&rendered.writes, "Pod")[0])["metadata"]["labels"], json!({ "role": null }));
}
