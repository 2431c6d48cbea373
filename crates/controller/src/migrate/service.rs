//! The service in front of the pods, and the one beside it for the new version.

use serde_json::Value;
use serin_spec::wire::keys::{HASH_LABEL, MANAGED_BY};

use super::{Options, Refusal, pod_labels, without_annotations, written};
use crate::object::{Object, at, strings};

/// Longest name of a service.
const NAME_MAX: usize = 63;

/// Fields of a service that belong to it alone: its addresses and ports outside.
const ITS_OWN: [&str; 10] = [
    "clusterIP",
    "clusterIPs",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "type",
];

/// The service that selects the pods: the one that is named, or the only one.
pub(super) fn in_front<'o>(
    deployment: &Object,
    others: &[&'o Object],
    options: &Options,
) -> Result<Option<&'o Object>, Refusal> {
    let labels = pod_labels(deployment);
    let selects = |service: &&&Object| {
        let mut selector = strings(&service.0["spec"]["selector"]);
        // In the middle of a move the controller has bound it to a version already.
        selector.remove(HASH_LABEL);
        service.kind() == "Service" && !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
    };
    let found: Vec<&'o Object> = others.iter().filter(selects).copied().collect();
    if let Some(name) = &options.service {
        let named = found.into_iter().find(|service| service.name() == name);
        return named.map(Some).ok_or_else(|| Refusal::OtherService(name.clone()));
    }
    // What was made for a version by an earlier migration is in front of nothing.
    let name = |service: &Object| service.name().to_owned();
    let beside = |service: &Object| {
        ["canary", "preview"].iter().any(|role| found.iter().any(|of| beside_name(of.name(), role) == service.name()))
    };
    let front: Vec<&'o Object> = found.iter().filter(|service| !beside(service)).copied().collect();
    match front.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        many => Err(Refusal::ManyServices(many.iter().map(|one| name(one)).collect())),
    }
}

fn beside_name(front: &str, role: &str) -> String {
    let room = NAME_MAX - role.len() - 1;
    format!("{}-{role}", front.get(..room).unwrap_or(front).trim_end_matches('-'))
}

/// The name of the service for the new version, and the service itself if it is not there yet. It selects what the first one
/// does; the controller adds the version.
pub(super) fn beside(front: &Object, others: &[&Object], role: &str) -> (String, Option<Object>) {
    let name = beside_name(front.name(), role);
    if others.iter().any(|other| other.kind() == "Service" && other.name() == name) {
        return (name, None);
    }
    let mut made = written(front);
    *at(&mut made.0, &["metadata", "name"]) = name.as_str().into();
    if let Some(spec) = made.0["spec"].as_object_mut() {
        let headless = spec.get("clusterIP").is_some_and(|address| address == "None");
        spec.retain(|key, _| !ITS_OWN.contains(&key.as_str()));
        if headless {
            spec.insert("clusterIP".to_owned(), "None".into());
        }
        let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        ports.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|port| {
            port.remove("nodePort");
        });
        // A version that the first service was bound to already is not that of the new one.
        if let Some(selector) = spec.get_mut("selector").and_then(Value::as_object_mut) {
            selector.remove(HASH_LABEL);
        }
    }
    if let Some(metadata) = made.0["metadata"].as_object_mut() {
        without_annotations(metadata, &[MANAGED_BY]);
    }
    (name, Some(made))
}
