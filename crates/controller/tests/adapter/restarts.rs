//! `restartAt` on a cluster: which pods are old, and evictions instead of deletions (section 1.4).

use serde_json::{Value, json};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Cluster, Object, Observed, observe};
use serin_core::{Action, Span, decide};

use crate::stage::{NOW, cluster, owner, pool, rollout};

const DAY: &str = "2023-11-13T22:13:20Z";

fn pod(name: &str, created: &str, patch: &Value) -> Object {
    let base = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "creationTimestamp": created,
            "ownerReferences": [owner("ReplicaSet", "web-x", "rs-x")],
        },
        "status": { "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": created }] },
    });
    Object(serin_controller::merge_patch::apply(&base, patch))
}

fn restarting(pods: Vec<Object>) -> Cluster {
    let steps = serin_spec::hash::steps(&rollout(json!({})).spec.strategy.canary.unwrap().steps);
    let status = json!({ "currentPodHash": "x", "stableRS": "x", "currentStepHash": steps, "currentStepIndex": 2 });
    let asked = rollout(json!({ "spec": { "restartAt": "2023-11-14T22:00:00Z" }, "status": status }));
    Cluster { pods, ..cluster(asked, vec![pool("x", "m:1", DAY, &json!({}))]) }
}

/// Names of the pods that the next decisions evict.
fn evicted(cluster: &Cluster) -> Vec<String> {
    let Observed::Ready(view) = observe(cluster) else { panic!("nothing to decide on") };
    let mut world = view.world.clone();
    for _ in 0..10 {
        let decision = decide(&world, NOW);
        let evicts = decision.actions.iter().filter_map(|action| match action {
            Action::EvictMember { member, .. } => Some(member.clone()),
            _ => None,
        });
        let evicts: Vec<String> = evicts.collect();
        if !evicts.is_empty() || decision.status == world.status {
            return evicts;
        }
        world.status = decision.status;
    }
    panic!("decisions do not settle");
}

//= compat: 1.4-2, 1.4-4, 1.4-6
#[test]
fn pods_that_are_older_and_may_be_missed_are_evicted() {
    let new = "2023-11-14T22:05:00Z";
    let four = |patches: [&Value; 4]| {
        let names = [("a", DAY), ("b", new), ("c", DAY), ("d", DAY)];
        restarting(names.iter().zip(patches).map(|((name, created), patch)| pod(name, created, patch)).collect())
    };
    let none = json!({});
    assert_eq!(evicted(&four([&none, &none, &none, &none])), ["a"], "one may be missing");
    let leaving = json!({ "metadata": { "deletionTimestamp": new } });
    assert_eq!(evicted(&four([&leaving, &none, &none, &none])), [""; 0], "and is");
    let unready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "False" }] } });
    assert_eq!(evicted(&four([&none, &none, &unready, &none])), ["c"], "who serves nobody is replaced first");
    let foreign = json!({ "metadata": { "ownerReferences": [owner("ReplicaSet", "web-x", "another")] } });
    assert_eq!(
        evicted(&four([&foreign, &none, &foreign, &foreign])),
        [""; 0],
        "those that are not seen are waited for"
    );
}

//= compat: 1.4-5
#[test]
fn an_eviction_may_be_refused() {
    let cluster = restarting(vec![pod("a", DAY, &json!({}))]);
    let Observed::Ready(view) = observe(&cluster) else { panic!("nothing to decide on") };
    let mut decision = decide(&view.world, NOW + Span::from_secs(1));
    let restart = view.world.rollout.restart_at.unwrap();
    decision.actions = vec![Action::EvictMember { hash: "x".into(), member: "a".to_owned(), older_than: restart }];
    let run_spec = |_| Err(String::new());
    let sources = serin_controller::render::Sources { pods: &[], run_spec: &run_spec, now: NOW };
    let writes = serin_controller::render(&view, &decision, &sources).writes;
    let eviction = writes.iter().find(|write| write.target.kind == "Eviction").unwrap();
    assert_eq!((eviction.target.name.as_str(), eviction.target.namespace.as_str()), ("a", "shop"));
    assert_eq!((eviction.target.api_version.as_str(), eviction.failure), ("policy/v1", Failure::Skip));
    assert!(matches!(eviction.verb, Verb::Create(_)));
}

/// A cluster runs no step plugins, and says so instead of waiting for ever.
#[test]
fn a_step_plugin_says_that_it_is_not_run_here() {
    let steps = json!([{ "plugin": { "name": "acme/gate" } }]);
    let asked = rollout(json!({
        "spec": { "strategy": { "canary": { "steps": steps } } },
        "status": { "canary": { "stepPluginStatuses": [
            { "index": 0, "name": "acme/gate", "operation": "Run", "phase": "Running", "startedAt": DAY },
        ] } },
    }));
    let Observed::Ready(view) = observe(&cluster(asked, vec![])) else { panic!("nothing to decide on") };
    let answer = view.world.plugins.calls[0].answer.clone();
    assert_eq!(answer, Some(Err("step plugins are not run on a cluster yet: promote or abort".to_owned())));
}
