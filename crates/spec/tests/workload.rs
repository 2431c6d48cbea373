//! Templates of other objects (section 1.3).

use serde_json::{Value, json};
use serin_core::rollout::ScaleDown;
use serin_spec::wire::rollout::{RolloutSpec, WorkloadRef};
use serin_spec::workload::{self, Kind};

fn reference(api_version: &str, kind: &str) -> WorkloadRef {
    serde_json::from_value(json!({ "apiVersion": api_version, "kind": kind, "name": "web" })).unwrap()
}

fn template() -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "c", "image": "m:1" }] } })
}

fn deployment() -> Value {
    json!({ "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": template() } })
}

//= compat: 1.3-1, 1.3-2
#[test]
fn the_group_decides_and_not_its_version() {
    let check = |api_version: &str, kind: &str, want: &str| {
        let found = workload::kind(&reference(api_version, kind));
        assert_eq!(found.map(|kind| kind.resource().to_owned()).unwrap_or_else(|error| error.to_string()), want);
    };
    check("apps/v1", "Deployment", "deployments.apps");
    check("apps/v1beta2", "Deployment", "deployments.apps");
    check("apps/v1", "ReplicaSet", "replicasets.apps");
    check("v1", "PodTemplate", "podtemplates");
    check("extensions/v1beta1", "Deployment", "workload of type extensions/Deployment is not supported");
    check("apps/v1", "StatefulSet", "workload of type apps/StatefulSet is not supported");
    check("v1", "Deployment", "workload of type /Deployment is not supported");
    check("apps/v1", "PodTemplate", "workload of type apps/PodTemplate is not supported");
}

//= compat: 1.3-1, 1.3-4
#[test]
fn template_and_selector_come_from_where_the_kind_has_them() {
    let held = workload::resolve(&reference("apps/v1", "Deployment"), Some(&deployment())).unwrap();
    assert_eq!(held.template.0, template());
    assert_eq!(held.selector.unwrap().match_labels["app"], "web");
    let held = workload::resolve(&reference("v1", "PodTemplate"), Some(&json!({ "template": template() }))).unwrap();
    assert_eq!((held.template.0, held.selector), (template(), None));
}

//= compat: 1.3-6
#[test]
fn a_missing_object_is_named_as_a_server_names_it() {
    let message = |api_version: &str, kind: &str, found: Option<Value>| {
        workload::resolve(&reference(api_version, kind), found.as_ref()).unwrap_err().to_string()
    };
    assert_eq!(message("apps/v1", "Deployment", None), "deployments.apps \"web\" not found");
    assert_eq!(message("v1", "PodTemplate", None), "podtemplates \"web\" not found");
    let empty = message("apps/v1", "ReplicaSet", Some(json!({ "spec": {} })));
    assert_eq!(empty, "failed to read the template of replicasets.apps \"web\": it has none");
}

//= compat: 1.3-4
#[test]
fn a_selector_of_the_rollouts_own_stays() {
    let held = || workload::resolve(&reference("apps/v1", "Deployment"), Some(&deployment())).unwrap();
    let mut spec = RolloutSpec::default();
    held().put_into(&mut spec);
    assert_eq!(spec.selector.as_ref().unwrap().match_labels["app"], "web");
    let own = json!({ "selector": { "matchLabels": { "app": "own" } }, "strategy": {} });
    let mut spec: RolloutSpec = serde_json::from_value(own).unwrap();
    held().put_into(&mut spec);
    assert_eq!(spec.selector.unwrap().match_labels["app"], "own");
    assert_eq!(spec.template.unwrap().0, template());
}

//= compat: 1.3-10
#[test]
fn only_a_deployment_is_taken_down_and_only_if_it_is_asked_for() {
    let lowered = |kind: &str, scale_down: Option<&str>| {
        let reference = WorkloadRef { scale_down: scale_down.map(str::to_owned), ..reference("apps/v1", kind) };
        workload::lowered(&reference, 3).map(|workload| workload.scale_down)
    };
    assert_eq!(lowered("Deployment", None), Some(ScaleDown::Never));
    assert_eq!(lowered("Deployment", Some("never")), Some(ScaleDown::Never));
    assert_eq!(lowered("Deployment", Some("onsuccess")), Some(ScaleDown::OnSuccess));
    assert_eq!(lowered("Deployment", Some("progressively")), Some(ScaleDown::Progressively));
    assert_eq!(lowered("ReplicaSet", Some("onsuccess")), None);
    assert_eq!(Kind::of("apps/v1", "ReplicaSet").map(Kind::as_str), Some("ReplicaSet"));
}
