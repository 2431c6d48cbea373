//! Objects of any shape: a server may hold what nobody here would write, and no pass may end in a panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_controller::observe::claim;
use serin_controller::render::service::give_back;
use serin_controller::{Object, Observed, ReplicaSet, ephemeral, job, observe, pod};
use serin_core::analysis::Measurement;
use serin_spec::wire::PodTemplate;

use crate::stage::{NOW, cluster, rollout, view};

/// JSON with the keys that are looked at, in places where they do not belong.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!("{\"labels\":3}")),
    ];
    let keys = prop::sample::select(vec![
        "metadata",
        "labels",
        "annotations",
        "spec",
        "template",
        "containers",
        "replicas",
        "status",
        "conditions",
        "image",
        "ports",
        "selector",
        "volumes",
        "affinity",
        "podAntiAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "name",
        "namespace",
        "ownerReferences",
        "rollouts-pod-template-hash",
        "rollout.argoproj.io/ephemeral-metadata",
        "scale-down-deadline",
        "uid",
        "readinessProbe",
        "httpGet",
        "env",
        "valueFrom",
        "state",
        "waiting",
        "containerStatuses",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

/// An object of the rollout's namespace with odd contents.
fn object() -> impl Strategy<Value = Value> {
    (odd(), odd(), odd(), odd()).prop_map(|(labels, annotations, spec, status)| {
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": { "name": "odd", "namespace": "shop", "uid": "u", "labels": labels, "annotations": annotations },
            "spec": spec, "status": status,
        })
    })
}

proptest! {
    #[test]
    fn no_object_ends_a_pass(objects in prop::collection::vec(object(), 0..4), other in odd()) {
        let sets: Vec<ReplicaSet> = objects.iter().cloned().chain([other.clone()]).map(ReplicaSet::new).collect();
        let rollout = rollout(json!({}));
        for set in &sets {
            let _ = (set.pool(), set.scale_down_at(), set.ephemeral(), set.selector());
            let mut edited = set.0.0.clone();
            ephemeral::put_on(&mut edited, &ephemeral::wanted(&rollout, ephemeral::Role::New));
            let _ = pod::is_same(&set.template(), &set.ephemeral(), &PodTemplate(other.clone()));
            let _ = give_back(&set.0, std::slice::from_ref(&rollout));
            let reference = job::JobRef { name: "j".to_owned(), namespace: "shop".to_owned() };
            let pods: Vec<Object> = sets.iter().map(|set| set.0.clone()).collect();
            let _ = job::resumed(&Measurement::default(), &reference, Some(&set.0), &pods, NOW);
        }
        let _ = claim(&rollout, &sets);
        let mut cluster = cluster(rollout, sets);
        cluster.services.extend(objects.into_iter().map(Object));
        if let Observed::Ready(_) = observe(&cluster) {
            let _ = serin_core::decide(&view(&cluster).world, NOW);
            let _ = crate::stage::pass(&cluster, &cluster.services.clone());
        }
    }
}
