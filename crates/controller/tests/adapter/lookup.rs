//! The pool of the current template, whoever made it (section 2.3).

use serde_json::{Value, json};
use serin_controller::{ReplicaSet, observe, pod};
use serin_spec::hash::{self, Types};
use serin_spec::wire::PodTemplate;

use crate::stage::{cluster, pool, rollout, template, view};

const EARLY: &str = "2023-11-14T00:00:00Z";
const LATE: &str = "2023-11-15T00:00:00Z";

/// The hash of the pool that is found for image `m:1`.
fn found(pools: &[ReplicaSet]) -> Option<String> {
    observe::find(&rollout(json!({})), pools).and_then(ReplicaSet::hash).map(str::to_owned)
}

fn own_hash() -> String {
    observe::new_hash(&rollout(json!({}))).to_string()
}

//= compat: 2.3-4, 2.3-6
#[test]
fn the_hash_is_tried_before_the_meaning_and_the_oldest_wins() {
    let (own, plain) = (own_hash(), json!({}));
    assert_eq!(found(&[]), None);
    assert_eq!(found(&[pool("x", "m:2", EARLY, &plain)]), None);
    assert_eq!(found(&[pool("x", "m:1", EARLY, &plain), pool("y", "m:1", LATE, &plain)]).as_deref(), Some("x"));
    // Even a pool of another template: its label is its name.
    let pools = [pool("x", "m:1", EARLY, &plain), pool(&own, "m:2", LATE, &plain)];
    assert_eq!(found(&pools), Some(own));
}

//= compat: 2.3-4, 2.3-3
#[test]
fn a_pool_of_a_controller_with_older_types_is_found_by_its_hash() {
    let older = hash::pod_template_by(&PodTemplate(template("m:1")), None, Types::Older).to_string();
    assert_ne!(older, own_hash());
    let pools = [pool("x", "m:1", EARLY, &json!({})), pool(&older, "m:1", LATE, &json!({}))];
    assert_eq!(found(&pools), Some(older));
}

//= compat: 2.3-4
#[test]
fn the_pool_keeps_the_name_it_was_found_under() {
    let world = view(&cluster(rollout(json!({})), vec![pool("x", "m:1", EARLY, &json!({}))])).world;
    assert_eq!(world.rollout.hash.as_str(), "x");
    assert_eq!(world.new_pool().map(|pool| pool.size), Some(4));
}

fn same(live: Value, desired: Value) -> bool {
    pod::is_same(&PodTemplate(live), &Default::default(), &PodTemplate(desired))
}

//= compat: 2.3-5
#[test]
fn what_a_server_fills_in_makes_no_difference() {
    let stored = json!({
        "metadata": { "creationTimestamp": null, "labels": { "app": "web", "rollouts-pod-template-hash": "x" } },
        "spec": {
            "containers": [{
                "name": "c", "image": "m:1", "imagePullPolicy": "IfNotPresent", "resources": {},
                "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
            "securityContext": {}, "terminationGracePeriodSeconds": 30, "serviceAccount": "default",
        },
    });
    assert!(same(stored.clone(), template("m:1")));
    for (path, value) in [
        ("/spec/restartPolicy", json!("Never")),
        ("/spec/terminationGracePeriodSeconds", json!(31)),
        ("/spec/containers/0/imagePullPolicy", json!("Always")),
        ("/spec/containers/0/ports/0/protocol", json!("UDP")),
        ("/metadata/labels/app", json!("other")),
    ] {
        let mut other = stored.clone();
        *other.pointer_mut(path).unwrap() = value;
        assert!(!same(other, template("m:1")), "{path}");
    }
}

/// Two spellings of a pod that a server stores alike, each as the only container or as the whole spec.
//= compat: 2.3-5
#[test]
fn defaults_of_every_kind_are_filled_in() {
    let container = |more: Value| {
        let base = json!({ "name": "c", "image": "m:1" });
        json!({ "spec": { "containers": [serin_controller::merge_patch::apply(&base, &more)] } })
    };
    let spec = |more: Value| json!({ "spec": more });
    let probe = |more: Value| {
        let base = json!({ "httpGet": { "port": 80 } });
        container(json!({ "readinessProbe": serin_controller::merge_patch::apply(&base, &more) }))
    };
    let pairs = [
        (container(json!({ "image": "m" })), container(json!({ "image": "m", "imagePullPolicy": "Always" }))),
        (
            container(json!({ "image": "m:latest" })),
            container(json!({ "image": "m:latest", "imagePullPolicy": "Always" })),
        ),
        (
            container(json!({ "image": "r:5/m@sha256:00" })),
            container(json!({ "image": "r:5/m@sha256:00", "imagePullPolicy": "IfNotPresent" })),
        ),
        (
            container(json!({ "resources": { "limits": { "cpu": "1000m" } } })),
            container(json!({ "resources": { "limits": { "cpu": "1" } } })),
        ),
        (
            probe(json!({})),
            probe(json!({ "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3 })),
        ),
        (
            probe(json!({ "timeoutSeconds": 0 })),
            probe(json!({ "httpGet": { "port": 80, "path": "/", "scheme": "HTTP" } })),
        ),
        (
            container(
                json!({ "env": [{ "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }] }),
            ),
            container(
                json!({ "env": [{ "name": "N", "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.name" } } }] }),
            ),
        ),
        (
            spec(json!({ "hostNetwork": true, "containers": [{ "name": "c", "ports": [{ "containerPort": 80 }] }] })),
            spec(
                json!({ "hostNetwork": true, "containers": [{ "name": "c", "ports": [{ "containerPort": 80, "hostPort": 80 }] }] }),
            ),
        ),
        (spec(json!({ "volumes": [{ "name": "v" }] })), spec(json!({ "volumes": [{ "name": "v", "emptyDir": {} }] }))),
        (
            spec(json!({ "volumes": [{ "name": "v", "configMap": { "name": "m" } }] })),
            spec(json!({ "volumes": [{ "name": "v", "configMap": { "name": "m", "defaultMode": 420 } }] })),
        ),
        (
            spec(
                json!({ "volumes": [{ "name": "v", "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } }] }),
            ),
            spec(
                json!({ "volumes": [{ "name": "v", "projected": { "defaultMode": 420, "sources": [{ "serviceAccountToken": { "expirationSeconds": 3600, "path": "t" } }] } }] }),
            ),
        ),
    ];
    for (short, long) in pairs {
        assert!(same(long.clone(), short.clone()), "{short}\n{long}");
    }
    assert!(!same(probe(json!({ "timeoutSeconds": 2 })), probe(json!({}))));
}

//= compat: 2.3-5, 1.8-4
#[test]
fn what_was_added_for_a_role_makes_no_difference() {
    let ephemeral = json!({ "labels": { "role": "canary" }, "annotations": { "note": "x" } }).to_string();
    let patch = json!({
        "metadata": { "annotations": { "rollout.argoproj.io/ephemeral-metadata": ephemeral } },
        "spec": { "template": {
            "metadata": { "labels": { "role": "canary" }, "annotations": { "note": "x" } },
            "spec": { "affinity": { "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": { "matchExpressions": [{ "key": "rollouts-pod-template-hash", "operator": "In", "values": ["old"] }] },
                "namespaces": ["shop"], "topologyKey": "kubernetes.io/hostname",
            }] } } },
        } },
    });
    assert_eq!(found(&[pool("x", "m:1", EARLY, &patch)]).as_deref(), Some("x"));
    let kept = json!({ "spec": { "template": { "metadata": { "labels": { "role": "canary" } } } } });
    assert_eq!(found(&[pool("x", "m:1", EARLY, &kept)]), None, "a label that nobody put there is the user's");
}
