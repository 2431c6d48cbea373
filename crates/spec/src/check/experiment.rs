//! One Experiment: its versions and the templates that it names.

use std::collections::BTreeSet;

use super::analysis;
use super::nearest::nearest;
use crate::catalog::{Catalog, Entry};
use crate::problem::Findings;
use crate::validate::{self, ErrorType, is_template_name};
use crate::wire::Rollout;
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::experiment::{Experiment, ExperimentStep};

/// The problems of an experiment.
//= compat: 8.6-1
pub(super) fn check(catalog: &Catalog, entry: &Entry<Experiment>, problems: &mut Findings) {
    let origin = &entry.origin;
    for error in validate::experiment(&entry.object) {
        let code = match error.kind {
            ErrorType::Required => "missing-field",
            ErrorType::Duplicate => "duplicate-name",
            _ => "invalid-value",
        };
        problems.push(origin.problem(code, &error.path, error.detail));
    }
    for (i, used) in entry.object.spec.analyses.iter().enumerate() {
        let reference =
            AnalysisTemplateRef { template_name: used.template_name.clone(), cluster_scope: used.cluster_scope };
        let path = format!("spec.analyses[{i}]");
        analysis::missing(catalog, origin, entry.object.metadata.namespace(), &reference, &path, problems);
    }
}

/// The problems of the experiment step at `path`: what would make an experiment that is invalid, or more weight than there is.
/// `taken` are the weight of the canary at this step and the total.
pub(super) fn step(
    entry: &Entry<Rollout>,
    step: &ExperimentStep,
    path: &str,
    (canary, total): (i32, i32),
    problems: &mut Findings,
) {
    let origin = &entry.origin;
    let mut names = BTreeSet::new();
    for (i, template) in step.templates.iter().enumerate() {
        let path = format!("{path}.templates[{i}]");
        if !names.insert(template.name.as_str()) {
            let message = format!("two templates have the name {:?}", template.name);
            problems.push(origin.problem("duplicate-name", &format!("{path}.name"), message));
        } else if !is_template_name(&template.name) {
            let problem = origin.problem("invalid-value", &format!("{path}.name"), "pools cannot be named after it");
            problems.push(problem.expected("letters in lower case, digits and dashes between them, at most 63"));
        }
        let version = template.spec_ref.as_deref().unwrap_or_default();
        if !matches!(version, "stable" | "canary") {
            let message = match version {
                "" => "the version to copy is not named".to_owned(),
                other => format!("{other:?} is not allowed"),
            };
            let hint = nearest(version, ["stable", "canary"]).map(|near| format!("did you mean {near:?}?"));
            let problem = origin.problem("bad-value", &format!("{path}.specRef"), message);
            problems.push(problem.expected("one of stable, canary").maybe_hint(hint));
        }
    }
    let weights = step.templates.iter().filter_map(|t| t.weight).fold(0, i32::saturating_add);
    if weights.saturating_add(canary) > total {
        let message = format!("{weights} for its templates and {canary} for the canary are more than {total}");
        let problem = origin.problem("contradiction", &format!("{path}.templates"), message);
        problems.push(problem.hint("what is left of the total is the stable version's"));
    }
    if let Some(error) = step.duration.as_deref().and_then(|text| crate::duration::parse_ms(text).err()) {
        problems.push(origin.problem("invalid-value", &format!("{path}.duration"), error.to_string()));
    }
}
