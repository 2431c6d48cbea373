//! The pod template, as far as Serin and its users depend on it: what Kubernetes refuses and one machine reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ErrorType, FieldError, selector};
use crate::wire::rollout::RolloutSpec;

/// Text of Kubernetes for names that must be a DNS label.
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// The rules for `spec.template` of a Rollout that has its own.
pub(super) fn errors(spec: &RolloutSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let template = spec.template.as_ref();
    let labels = template.map(|template| template.labels()).unwrap_or_default();
    let empty = spec.selector.as_ref().is_some_and(|s| s.match_labels.is_empty() && s.match_expressions.is_empty());
    let unaskable = spec.selector.as_ref().is_some_and(|s| !selector::can_match(s));
    let matches = spec.selector.as_ref().is_some_and(|selector| selector.matches(&labels));
    if !matches && !empty && !unaskable {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", detail));
    }
    let nothing = Value::Null;
    let pod = template.map_or(&nothing, |template| &template.0["spec"]);
    containers(pod, &mut errors);
    if let Some(policy) = pod["restartPolicy"].as_str().filter(|policy| *policy != "Always" && !policy.is_empty()) {
        let _ = policy;
        let path = "spec.template.spec.restartPolicy";
        errors.push(FieldError::new(ErrorType::NotSupported, path, "supported values: \"Always\""));
    }
    if !pod["activeDeadlineSeconds"].is_null() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::new(ErrorType::Forbidden, "spec.template.spec.activeDeadlineSeconds", detail));
    }
    errors
}

fn containers(pod: &Value, errors: &mut Vec<FieldError>) {
    let path = "spec.template.spec.containers";
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let mut names = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let name = container["name"].as_str().unwrap_or_default();
        let here = format!("{path}[{i}].name");
        if name.is_empty() {
            errors.push(FieldError::required(&here, ""));
        } else if !is_label(name) {
            errors.push(FieldError::invalid(&here, LABEL));
        } else if !names.insert(name) {
            errors.push(FieldError::new(ErrorType::Duplicate, &here, ""));
        }
        if container["image"].as_str().unwrap_or_default().trim().is_empty() {
            errors.push(FieldError::required(&format!("{path}[{i}].image"), ""));
        }
    }
}

fn is_label(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 63 && name.bytes().all(inside) && !name.starts_with('-') && !name.ends_with('-')
}
