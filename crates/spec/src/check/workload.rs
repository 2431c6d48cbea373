//! Rollouts whose template is in another object: that object must be there, and its template is checked as their own.

use super::nearest::suggest;
use super::rollout::problem_of;
use crate::catalog::{Catalog, Entry};
use crate::problem::{Findings, Problem};
use crate::validate;
use crate::wire::Rollout;
use crate::workload::{self, Holder};

/// Hands the rollout on with the template it really has. What is wrong with a template of another object is reported where it
/// is written.
//= compat: 1.3-1, 1.3-3, 1.3-4
pub(super) fn with_template(
    catalog: &Catalog,
    entry: &Entry<Rollout>,
    problems: &mut Findings,
    check: impl FnOnce(&Entry<Rollout>, &mut Findings),
) {
    let Some(reference) = &entry.object.spec.workload_ref else { return check(entry, problems) };
    let namespace = entry.object.metadata.namespace();
    let holder = catalog.workload(namespace, reference);
    let held = workload::resolve(reference, holder.map(|holder| &holder.object.object));
    let (Some(holder), Ok(held)) = (holder, &held) else {
        if let Err(error) = held {
            problems.extend(unresolved(catalog, entry, error));
        }
        // The rest can be looked at without a template too.
        return check(entry, problems);
    };
    let whole = with_held(entry, held.clone());
    let mut found = Findings::default();
    found.extend(validate::resolved(&whole.object).iter().map(|error| problem_of(&whole, error)));
    check(&whole, &mut found);
    problems.extend(found.into_list().into_iter().map(|problem| where_it_is_written(problem, entry, holder)));
}

fn with_held(entry: &Entry<Rollout>, held: workload::Held) -> Entry<Rollout> {
    let mut whole = entry.clone();
    held.put_into(&mut whole.object.spec);
    whole
}

/// As [`with_template`], for what is said of templates beyond the rules. A template that cannot be taken was reported.
pub(crate) fn look_at_template(
    catalog: &Catalog,
    entry: &Entry<Rollout>,
    problems: &mut Vec<Problem>,
    look: impl FnOnce(&Entry<Rollout>, &mut Vec<Problem>),
) {
    let Some(reference) = &entry.object.spec.workload_ref else { return look(entry, problems) };
    let Some(holder) = catalog.workload(entry.object.metadata.namespace(), reference) else { return };
    let Ok(held) = workload::resolve(reference, Some(&holder.object.object)) else { return };
    let mut found = Vec::new();
    look(&with_held(entry, held), &mut found);
    problems.extend(found.into_iter().map(|problem| where_it_is_written(problem, entry, holder)));
}

/// A problem with the template at its place in the object that holds it.
fn where_it_is_written(problem: Problem, entry: &Entry<Rollout>, holder: &Entry<Holder>) -> Problem {
    let Some(rest) = problem.path.strip_prefix("spec.template").filter(|_| problem.object == entry.origin.ident) else {
        return problem;
    };
    let path = format!("{}{rest}", holder.object.template_path());
    let there = holder.origin.problem(problem.code, &path, problem.message.clone());
    Problem { severity: problem.severity, expected: problem.expected, hint: problem.hint, ..there }
}

fn unresolved(catalog: &Catalog, entry: &Entry<Rollout>, error: workload::WorkloadError) -> Option<Problem> {
    let reference = entry.object.spec.workload_ref.as_ref()?;
    let origin = &entry.origin;
    match &error {
        workload::WorkloadError::Unsupported { .. } => {
            let problem = origin.problem("not-supported", "spec.workloadRef.kind", error.to_string());
            Some(problem.expected("an apps Deployment or ReplicaSet, or a v1 PodTemplate"))
        }
        workload::WorkloadError::NotFound { name, .. } if !catalog.incomplete => {
            let kind = workload::kind(reference).ok()?;
            let namespace = entry.object.metadata.namespace();
            let alike = |holder: &&Entry<Holder>| holder.object.kind == kind && holder.object.namespace == namespace;
            let names: Vec<&str> = catalog.workloads.iter().filter(alike).map(|h| h.object.name.as_str()).collect();
            let message = format!("there is no {} {name:?} in the namespace {namespace}", kind.as_str());
            let problem = origin.problem("missing-workload", "spec.workloadRef.name", message);
            Some(problem.maybe_hint(suggest(name, &names)))
        }
        workload::WorkloadError::NotFound { .. } => None,
        workload::WorkloadError::Unreadable { .. } => {
            Some(origin.problem("invalid-value", "spec.workloadRef", error.to_string()))
        }
    }
}

/// Objects that hold a template which no rollout takes.
pub(super) fn unused(catalog: &Catalog, problems: &mut Findings) {
    for entry in &catalog.workloads {
        let taken = catalog.rollouts.iter().any(|rollout| {
            let reference = rollout.object.spec.workload_ref.as_ref();
            reference.is_some_and(|reference| entry.object.is_named_by(rollout.object.metadata.namespace(), reference))
        });
        if !taken {
            let api_version = entry.object.object["apiVersion"].as_str().unwrap_or_default();
            let message = format!("{} ({api_version}) is not used on one machine", entry.object.kind.as_str());
            problems.push(entry.origin.warning("not-used", "", message));
        }
    }
}
