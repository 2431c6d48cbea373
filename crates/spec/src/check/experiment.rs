//! One Experiment: its versions and the templates that it names.

use std::collections::BTreeSet;

use super::analysis;
use crate::catalog::{Catalog, Entry};
use crate::problem::Findings;
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::experiment::Experiment;

/// The problems of an experiment.
//= compat: 8.6-1
pub(super) fn check(catalog: &Catalog, entry: &Entry<Experiment>, problems: &mut Findings) {
    let origin = &entry.origin;
    let spec = &entry.object.spec;
    let deadline_s = spec.progress_deadline_seconds.unwrap_or(600);
    let mut names = BTreeSet::new();
    for (i, template) in spec.templates.iter().enumerate() {
        let path = format!("spec.templates[{i}]");
        if template.name.is_empty() {
            problems.push(origin.problem("missing-field", &format!("{path}.name"), "the template has no name"));
        } else if !names.insert(template.name.as_str()) {
            let message = format!("two templates have the name {:?}", template.name);
            problems.push(origin.problem("duplicate-name", &format!("{path}.name"), message));
        }
        match &template.selector {
            None => {
                problems.push(origin.problem(
                    "missing-field",
                    &format!("{path}.selector"),
                    "the template has no selector",
                ));
            }
            Some(selector) if selector.match_labels.is_empty() && selector.match_expressions.is_empty() => {
                let message = "an empty selector selects every pod";
                problems.push(origin.problem("invalid-value", &format!("{path}.selector"), message));
            }
            Some(selector) if !selector.matches(&template.template.labels()) => {
                let message = "`selector` does not match template `labels`";
                problems.push(origin.problem("invalid-value", &format!("{path}.selector"), message));
            }
            Some(_) => {}
        }
        if template.min_ready_seconds.is_some_and(|ready_s| ready_s > deadline_s) {
            let message = "minReadySeconds must not be greater than progressDeadlineSeconds";
            problems.push(origin.problem("invalid-value", &format!("{path}.minReadySeconds"), message));
        }
    }
    for (i, used) in spec.analyses.iter().enumerate() {
        let reference =
            AnalysisTemplateRef { template_name: used.template_name.clone(), cluster_scope: used.cluster_scope };
        let path = format!("spec.analyses[{i}]");
        analysis::missing(catalog, origin, entry.object.metadata.namespace(), &reference, &path, problems);
    }
}
