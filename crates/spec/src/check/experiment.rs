//! One Experiment: its versions and the templates that it names.

use super::analysis;
use crate::catalog::{Catalog, Entry};
use crate::problem::Findings;
use crate::validate::{self, ErrorType};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::experiment::Experiment;

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
