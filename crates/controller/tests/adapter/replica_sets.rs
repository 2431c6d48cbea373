//! ReplicaSets as they are made and changed (section 2.3).

use serde_json::{Value, json};
use serin_controller::render::Sources;
use serin_controller::render::replica_set::{Taken, taken};
use serin_controller::write::{Failure, Verb};
use serin_controller::{Cluster, Rendered, observe, render};
use serin_core::{Action, Hash, Time, decide};
use serin_spec::wire::analysis::AnalysisRunSpec;

use crate::stage::{NOW, body, cluster, of_kind, pass, pool, rollout, template, view};

const EARLY: &str = "2023-11-14T00:00:00Z";
const LATE: &str = "2023-11-15T00:00:00Z";

/// The writes for these actions instead of those that would be decided.
fn rendered(cluster: &Cluster, actions: Vec<Action>) -> Rendered {
    let view = view(cluster);
    let mut decision = decide(&view.world, NOW);
    decision.actions = actions;
    render(&view, &decision, &Sources { pods: &[], run_spec: &|_| Ok(AnalysisRunSpec::default()), now: NOW })
}

fn update(of: &str, rendered: &Rendered) -> (Value, Failure) {
    let found = rendered.writes.iter().filter(|w| w.target.name == format!("web-{of}") && w.can_conflict());
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), 1, "one write for each ReplicaSet, or the second would be refused");
    (body(found[0]).clone(), found[0].failure)
}

//= compat: 2.3-7, 2.3-15, 2.3-16
#[test]
fn a_new_pool() {
    let annotations = json!({
        "team": "shop", "rollout.argoproj.io/revision": "6", "notified.notifications.argoproj.io": "x",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    let rollout = rollout(json!({ "metadata": { "annotations": annotations }, "spec": { "minReadySeconds": 5 } }));
    let hash = observe::new_hash(&rollout);
    let rendered = pass(&cluster(rollout, vec![]), &[]);
    let made = of_kind(&rendered.writes, "ReplicaSet")[0];
    assert_eq!(
        *body(made),
        json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": format!("web-{hash}"),
                "namespace": "shop",
                "labels": { "app": "web", "rollouts-pod-template-hash": hash.as_str() },
                "annotations": {
                    "team": "shop", "rollout.argoproj.io/revision": "1", "rollout.argoproj.io/desired-replicas": "4",
                },
                "ownerReferences": [crate::stage::owner("Rollout", "web", "r-1")],
            },
            "spec": {
                "replicas": 0,
                "minReadySeconds": 5,
                "selector": { "matchLabels": { "app": "web", "rollouts-pod-template-hash": hash.as_str() } },
                "template": {
                    "metadata": { "labels": { "app": "web", "rollouts-pod-template-hash": hash.as_str() } },
                    "spec": template("m:1")["spec"],
                },
            },
        })
    );
}

fn history(revision: u64, copied: Value, held: Value) -> (Value, Value) {
    let with = |annotations: Value| json!({ "metadata": { "annotations": annotations } });
    let cluster = cluster(rollout(with(copied)), vec![pool("x", "m:1", EARLY, &with(held))]);
    let (written, _) = update("x", &rendered(&cluster, vec![Action::SetRevision { hash: "x".into(), revision }]));
    let annotations = &written["metadata"]["annotations"];
    (annotations["rollout.argoproj.io/revision"].clone(), annotations["rollout.argoproj.io/revision-history"].clone())
}

//= compat: 2.3-12, 2.3-14
#[test]
fn a_pool_that_comes_back_remembers_its_former_revisions() {
    assert_eq!(history(3, json!({}), json!({})), (json!("3"), json!("1")));
    let held = json!({ "rollout.argoproj.io/revision": "5", "rollout.argoproj.io/revision-history": "1,3" });
    assert_eq!(history(7, json!({}), held.clone()), (json!("7"), json!("1,3,5")));
    assert_eq!(history(4, json!({ "team": "shop" }), held.clone()), (json!("5"), json!("1,3,5")), "never lowered");
    assert_eq!(history(7, json!({ "team": "shop" }), held), (json!("7"), json!("1,3,5")), "one change");
    let none = json!({ "rollout.argoproj.io/revision": null });
    assert_eq!(history(2, json!({}), none), (json!("2"), Value::Null));
}

//= compat: 2.3-16
#[test]
fn annotations_of_the_rollout_are_copied_and_never_removed() {
    let with = |annotations: Value| json!({ "metadata": { "annotations": annotations } });
    let cluster =
        cluster(rollout(with(json!({ "team": "shop" }))), vec![pool("x", "m:1", EARLY, &with(json!({ "gone": "1" })))]);
    let (written, _) = update("x", &rendered(&cluster, vec![]));
    assert_eq!(written["metadata"]["annotations"]["team"], "shop");
    assert_eq!(written["metadata"]["annotations"]["gone"], "1");
}

fn two() -> Cluster {
    let patch =
        json!({ "spec": { "template": template("m:2") }, "status": { "stableRS": "old", "currentPodHash": "x" } });
    let later = json!({ "metadata": { "annotations": { "rollout.argoproj.io/revision": "2" } } });
    let oldest = json!({ "metadata": { "annotations": { "scale-down-deadline": "2023-11-14T22:13:20Z" } } });
    cluster(
        rollout(patch),
        vec![
            pool("older", "m:0", "2023-11-13T00:00:00Z", &oldest),
            pool("old", "m:1", EARLY, &json!({})),
            pool("x", "m:2", LATE, &later),
        ],
    )
}

//= compat: 2.3-15, 2.3-17, 2.8-30
#[test]
fn everything_about_a_pool_is_one_write() {
    let scale = |hash: &str, size| Action::ScalePool { hash: hash.into(), size, replicas_seen: 6 };
    let actions = vec![
        scale("x", 2),
        Action::SetScaleDownAt { hash: "x".into(), at: Some(Time::from_secs(1_700_000_030)) },
        Action::MarkPromoted { hash: "x".into() },
        scale("older", 0),
    ];
    let rendered = rendered(&two(), actions);
    let (x, failure) = update("x", &rendered);
    assert_eq!((&x["spec"]["replicas"], failure), (&json!(2), Failure::Stop));
    let annotations = &x["metadata"]["annotations"];
    assert_eq!(annotations["rollout.argoproj.io/desired-replicas"], "6");
    assert_eq!(annotations["scale-down-deadline"], "2023-11-14T22:13:50Z");
    assert_eq!(annotations["serin.dev/promoted"], "true");
    let (older, _) = update("older", &rendered);
    assert_eq!(
        (&older["spec"]["replicas"], &older["metadata"]["annotations"]["scale-down-deadline"]),
        (&json!(0), &Value::Null)
    );
    assert!(!rendered.writes.iter().any(|write| write.target.name == "web-old"), "nothing was decided about it");
}

//= compat: 2.2-12
#[test]
fn an_old_pool_that_cannot_be_written_holds_nobody_up() {
    let scale = |hash: &str| Action::ScalePool { hash: hash.into(), size: 3, replicas_seen: 4 };
    let rendered = rendered(&two(), vec![scale("older"), scale("old"), scale("x")]);
    let failures = ["older", "old", "x"].map(|hash| update(hash, &rendered).1);
    assert_eq!(failures, [Failure::Skip, Failure::Stop, Failure::Stop]);
}

#[test]
fn a_pool_that_is_deleted_is_not_written_besides() {
    let rendered = rendered(&two(), vec![Action::DeletePool { hash: Hash::new("older") }]);
    let of_older: Vec<_> = rendered.writes.iter().filter(|w| w.target.name == "web-older").collect();
    assert_eq!(of_older.len(), 1);
    assert_eq!((&of_older[0].verb, of_older[0].failure), (&Verb::Delete { foreground: false }, Failure::Gone));
}

//= compat: 1.2-3
#[test]
fn another_min_ready_seconds_changes_the_pool_that_is_there() {
    let rollout = rollout(json!({ "spec": { "minReadySeconds": 9 } }));
    let (written, _) = update("x", &rendered(&cluster(rollout, vec![pool("x", "m:1", EARLY, &json!({}))]), vec![]));
    assert_eq!(written["spec"]["minReadySeconds"], 9);
}

//= compat: 2.3-8
#[test]
fn a_name_that_is_taken() {
    let view = view(&cluster(rollout(json!({})), vec![]));
    let check =
        |patch: Value, image: &str, want: Taken| assert_eq!(taken(&view, &pool("x", image, EARLY, &patch)), want);
    check(json!({}), "m:1", Taken::Ours);
    check(json!({}), "m:2", Taken::Collision);
    check(json!({ "metadata": { "ownerReferences": null } }), "m:1", Taken::Collision);
    let patch = render::rollout::name_taken(&view).unwrap();
    assert_eq!(body(&patch)["status"]["collisionCount"], 1);
    // The next try has another name.
    let hash = |count: Value| observe::new_hash(&rollout(json!({ "status": { "collisionCount": count } })));
    assert_ne!(hash(json!(1)), hash(Value::Null));
}
