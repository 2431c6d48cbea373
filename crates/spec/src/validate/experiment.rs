//! The rules of an Experiment.

use std::collections::BTreeSet;

use super::{ErrorType, FieldError};
use crate::duration;
use crate::wire::experiment::{Experiment, ExperimentTemplate};
use crate::wire::keys::HASH_LABEL;

/// Seconds without progress when `progressDeadlineSeconds` is absent.
const PROGRESS_DEADLINE_S: i32 = 600;

/// Every rule that an Experiment breaks on its own. Argo's controller reports only the first, in the condition
/// `InvalidSpec`, and does nothing else for such an experiment.
//= compat: 8.6-1
pub fn experiment(experiment: &Experiment) -> Vec<FieldError> {
    let spec = &experiment.spec;
    let deadline_s = spec.progress_deadline_seconds.unwrap_or(PROGRESS_DEADLINE_S);
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (i, template) in spec.templates.iter().enumerate() {
        let path = format!("spec.templates[{i}]");
        if template.name.is_empty() {
            errors.push(FieldError::required(&format!("{path}.name"), "the template has no name"));
        } else if !names.insert(template.name.as_str()) {
            let message = format!("two templates have the name {:?}", template.name);
            errors.push(FieldError::new(ErrorType::Duplicate, &format!("{path}.name"), message));
        } else if !is_template_name(&template.name) {
            let message = "a name in lower case is needed: letters, digits and dashes between them, at most 63";
            errors.push(FieldError::invalid(&format!("{path}.name"), message));
        }
        errors.extend(selector(template, &format!("{path}.selector")));
        if template.min_ready_seconds.is_some_and(|ready_s| ready_s > deadline_s) {
            let message = "minReadySeconds must not be greater than progressDeadlineSeconds";
            errors.push(FieldError::invalid(&format!("{path}.minReadySeconds"), message));
        }
    }
    if let Some(problem) = spec.duration.as_deref().and_then(|text| duration::parse_ms(text).err()) {
        errors.push(FieldError::invalid("spec.duration", problem.to_string()));
    }
    errors
}

fn selector(template: &ExperimentTemplate, path: &str) -> Option<FieldError> {
    let Some(selector) = &template.selector else {
        return Some(FieldError::required(path, "the template has no selector"));
    };
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        return Some(FieldError::invalid(path, "an empty selector selects every pod"));
    }
    let mut labels = template.template.labels();
    // Its value is not known before the pods are made.
    if let Some(hash) = selector.match_labels.get(HASH_LABEL) {
        labels.insert(HASH_LABEL.to_owned(), hash.clone());
    }
    let matches = selector.matches(&labels);
    (!matches).then(|| FieldError::invalid(path, "`selector` does not match template `labels`"))
}

/// Whether a name can be part of the names of pools, pods and services.
pub(crate) fn is_template_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 63
        && name.bytes().all(|b| plain(b) || b == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().last().is_some_and(plain)
}
