//! Roles for people: whoever is admin, editor or viewer of a namespace is that of the rollouts in it as well.

use serde_json::json;

use super::{object, with};
use crate::object::{Object, at};

const RESOURCES: [&str; 7] = [
    "rollouts",
    "rollouts/scale",
    "rollouts/status",
    "experiments",
    "analysistemplates",
    "clusteranalysistemplates",
    "analysisruns",
];
const CHANGE: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const LOOK: [&str; 3] = ["get", "list", "watch"];

/// Roles that Kubernetes adds to its own of these names.
pub(super) fn roles() -> Vec<Object> {
    let role = |to: &str, verbs: &[&str]| {
        let mut role = object("rbac.authorization.k8s.io/v1", "ClusterRole", None, &format!("serin-aggregate-to-{to}"));
        at(&mut role.0, &["metadata", "labels"])[&format!("rbac.authorization.k8s.io/aggregate-to-{to}")] =
            "true".into();
        with(role, json!({ "rules": [{ "apiGroups": ["argoproj.io"], "resources": RESOURCES, "verbs": verbs }] }))
    };
    vec![role("admin", &CHANGE), role("edit", &CHANGE), role("view", &LOOK)]
}
