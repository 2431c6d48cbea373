//! Services: switched and given back (section 2.11).

use serde_json::{Value, json};
use serin_controller::render;
use serin_controller::render::Sources;
use serin_controller::render::service::{give_back, let_go};
use serin_controller::write::Verb;
use serin_core::{Action, decide};
use serin_spec::wire::analysis::AnalysisRunSpec;

use crate::stage::{NOW, body, cluster, of_kind, rollout, service, view};

const KEY: &str = "argo-rollouts.argoproj.io/managed-by-rollouts";

fn pointed(annotations: Value) -> (Verb, String) {
    let mut cluster = cluster(rollout(json!({})), vec![]);
    cluster.services[1] = service("web-stable", &json!({ "metadata": { "annotations": annotations } }));
    let view = view(&cluster);
    let mut decision = decide(&view.world, NOW);
    let action = |name: &str| Action::PointService { service: name.to_owned(), hash: "x".into() };
    decision.actions = vec![action("web-stable"), action("unknown")];
    let rendered =
        render(&view, &decision, &Sources { pods: &[], run_spec: &|_| Ok(AnalysisRunSpec::default()), now: NOW });
    let writes = of_kind(&rendered.writes, "Service");
    assert_eq!(writes.len(), 1, "a service that is not there cannot be pointed anywhere");
    (writes[0].verb.clone(), writes[0].target.name.clone())
}

//= compat: 2.11-1, 2.3-18
#[test]
fn a_switch_names_the_version_and_its_rollout() {
    let selector = json!({ "selector": { "rollouts-pod-template-hash": "x" } });
    let first = json!({ "spec": selector, "metadata": { "annotations": { KEY: "web" } } });
    assert_eq!(pointed(json!({})), (Verb::StrategicPatch(first), "web-stable".to_owned()));
    let again = json!({ "spec": selector });
    assert_eq!(pointed(json!({ KEY: "web" })).0, Verb::StrategicPatch(again));
}

fn given_back(annotations: Value, selector: Value, rollout_patch: Option<Value>) -> bool {
    let service =
        service("web-stable", &json!({ "metadata": { "annotations": annotations }, "spec": { "selector": selector } }));
    let rollouts: Vec<_> = rollout_patch.into_iter().map(rollout).collect();
    let write = give_back(&service, &rollouts);
    if let Some(write) = &write {
        let want = json!({
            "metadata": { "annotations": { KEY: null } },
            "spec": { "selector": { "rollouts-pod-template-hash": null } },
        });
        assert_eq!(*body(write), want);
    }
    write.is_some()
}

//= compat: 2.11-7
#[test]
fn a_service_that_no_rollout_cares_for_selects_all_pods_again() {
    let hash = || json!({ "rollouts-pod-template-hash": "x" });
    let managed = || json!({ KEY: "web" });
    assert!(given_back(managed(), hash(), None), "the rollout is gone");
    assert!(!given_back(managed(), hash(), Some(json!({}))), "it is in use");
    let renamed = || json!({ "spec": { "strategy": { "canary": { "stableService": "other" } } } });
    assert!(given_back(managed(), hash(), Some(renamed())));
    assert!(given_back(json!({ KEY: "another" }), hash(), Some(json!({}))), "its manager is gone");
    assert!(!given_back(json!({}), hash(), Some(json!({}))), "without a manager any rollout that names it counts");
    assert!(given_back(json!({}), hash(), Some(renamed())));
    assert!(given_back(managed(), hash(), Some(json!({ "metadata": { "namespace": "elsewhere" } }))));
    assert!(!given_back(managed(), json!({}), None), "it selects no version");
}

//= compat: 2.11-7
#[test]
fn every_field_that_names_a_service_counts() {
    let hash = || json!({ "rollouts-pod-template-hash": "x" });
    let canary = |fields: Value| {
        let mut all = json!({ "canaryService": "a", "stableService": "b" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "spec": { "strategy": { "canary": all } } })
    };
    for patch in [
        canary(json!({ "canaryService": "web-stable" })),
        canary(json!({ "pingPong": { "pingService": "web-stable", "pongService": "c" } })),
        canary(json!({ "pingPong": { "pingService": "c", "pongService": "web-stable" } })),
        json!({ "spec": { "strategy": { "canary": null, "blueGreen": { "activeService": "web-stable" } } } }),
        json!({ "spec": { "strategy": { "canary": null, "blueGreen": { "activeService": "a", "previewService": "web-stable" } } } }),
    ] {
        assert!(!given_back(json!({}), hash(), Some(patch)));
    }
}

//= compat: 2.11-8
#[test]
fn services_that_a_change_lets_go_are_looked_at() {
    let canary = |canary: &str, stable: &str| {
        rollout(json!({ "spec": { "strategy": { "canary": { "canaryService": canary, "stableService": stable } } } }))
    };
    assert_eq!(let_go(&canary("a", "b"), &canary("a", "c")), ["b"]);
    assert_eq!(let_go(&canary("a", "b"), &canary("b", "a")), Vec::<&str>::new());
}
