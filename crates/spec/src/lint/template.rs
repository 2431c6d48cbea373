//! Templates and runs: whether their metrics can fail and can pass.

use std::collections::BTreeSet;

use super::judgement::{Judgement, Outcome};
use super::schedule::Schedule;
use super::uses::{all, distinct, metrics_of};
use crate::catalog::{Catalog, Entry, Object, Origin};
use crate::check::analysis::Template;
use crate::check::arguments::Arguments;
use crate::problem::Problem;
use crate::wire::analysis::{AnalysisRun, AnalysisTemplateSpec, Argument};
use crate::wire::provider::Metric;
use crate::wire::{AnalysisTemplate, ClusterAnalysisTemplate};

/// A limit of errors that takes longer than this to reach leaves an update standing for no reason that anybody sees.
const ERRORS_S: f64 = 3600.0;

pub(super) fn check(catalog: &Catalog, problems: &mut Vec<Problem>) {
    // With the arguments of whoever uses it, and for whatever nobody uses with its own defaults.
    for used in distinct(catalog) {
        let arguments = used.arguments();
        for (template, path, metric) in used.metrics() {
            self::metric(template.origin, &path, metric, &arguments, problems);
        }
    }
    let templates = catalog.analysis_templates.iter().map(Template::new);
    for template in templates.chain(catalog.cluster_analysis_templates.iter().map(Template::of_cluster)) {
        alone(template.origin, template.spec, problems);
    }
    for entry in &catalog.analysis_runs {
        let arguments = defaults(&entry.object.spec.args);
        for (i, metric) in entry.object.spec.metrics.iter().enumerate() {
            self::metric(&entry.origin, &format!("spec.metrics[{i}]"), metric, &arguments, problems);
        }
    }
    unused(catalog, problems);
}

pub(super) fn defaults(arguments: &[Argument]) -> Arguments<'_> {
    let values = arguments.iter().map(|argument| (argument.name.as_str(), argument.value.as_deref()));
    Arguments { values: values.collect() }
}

fn alone(origin: &Origin, spec: &AnalysisTemplateSpec, problems: &mut Vec<Problem>) {
    let arguments = defaults(&spec.args);
    for (path, metric) in metrics_of(spec) {
        self::metric(origin, &path, metric, &arguments, problems);
    }
}

fn metric(origin: &Origin, path: &str, metric: &Metric, arguments: &Arguments<'_>, problems: &mut Vec<Problem>) {
    let judgement = Judgement::of(metric, arguments);
    if let Some(schedule) = Schedule::of(metric, arguments) {
        limits(origin, path, schedule, judgement.as_ref(), problems);
    }
    let Some(judgement) = judgement else { return };
    let field = |name| format!("{path}.{name}");
    if judgement.no_data_is_an_error() {
        let name = if metric.success_condition.is_some() { "successCondition" } else { "failureCondition" };
        let message = "without data the condition is an error; errors in a row end the update";
        let problem = origin.warning("no-data-is-an-error", &field(name), message);
        problems.push(problem.hint("say what no data means: len(result) == 0 || …"));
    }
    let outcomes = judgement.outcomes();
    let any = |wanted: &[Outcome]| outcomes.iter().find(|(_, outcome)| wanted.contains(outcome));
    if outcomes.is_empty() {
        return;
    }
    if any(&[Outcome::Successful]).is_none() {
        let name = if metric.success_condition.is_some() { "successCondition" } else { "failureCondition" };
        let message = "no value passes: every update ends here";
        problems.push(origin.warning("never-passes", &field(name), message).hint("are < and > the right way round?"));
    } else if let Some((value, _)) = any(&[Outcome::Both]) {
        let message = format!("{value} meets both conditions, and failureCondition wins");
        let problem = origin.warning("overlapping-conditions", &field("failureCondition"), message);
        problems.push(problem.hint("leave a gap between the two, or keep one of them"));
    } else if any(&[Outcome::Failed]).is_none() {
        let name = if metric.failure_condition.is_some() { "failureCondition" } else { "successCondition" };
        let problem = origin.warning("never-fails", &field(name), "no value fails: the metric cannot stop an update");
        problems.push(problem.hint("are < and > the right way round?"));
    }
}

fn limits(origin: &Origin, path: &str, schedule: Schedule, judgement: Option<&Judgement>, problems: &mut Vec<Problem>) {
    if let Some(count) = schedule.count
        && schedule.failure_limit >= count
        && schedule.success_limit == 0
    {
        let limit = schedule.failure_limit;
        let message = format!("all {count} measurements may fail: a metric fails when more than {limit} did");
        let problem = origin.warning("never-fails", &format!("{path}.failureLimit"), message);
        problems.push(problem.hint("set failureLimit below count"));
    } else if let Some(count) = schedule.count.filter(|count| *count > 1)
        && schedule.failure_limit == count - 1
        && schedule.success_limit == 0
    {
        let message =
            format!("the metric fails only if all {count} measurements do: one good reading lets the rest pass");
        let problem = origin.warning("all-must-fail", &format!("{path}.failureLimit"), message);
        problems
            .push(problem.hint(format!("a metric fails when more than failureLimit did: set it below {}", count - 1)));
    }
    if let (Some(count), Some(true)) = (schedule.count, judgement.map(Judgement::has_both))
        && schedule.inconclusive_limit >= count
    {
        let message = format!("the metric passes though none of its {count} measurements did");
        let problem = origin.warning("inconclusive-passes", &format!("{path}.inconclusiveLimit"), message);
        problems.push(problem.hint("set inconclusiveLimit below count"));
    }
    if schedule.errors_s() >= ERRORS_S {
        let hours = schedule.errors_s() / 3600.0;
        let message = format!("an error is repeated every 10 s, so it takes {hours:.0} h until errors end the run");
        let problem = origin.warning("endless-errors", &format!("{path}.consecutiveErrorLimit"), message);
        problems.push(problem.hint("with 30 it takes five minutes"));
    }
}

/// Templates that nothing names, where there is something that could.
fn unused(catalog: &Catalog, problems: &mut Vec<Problem>) {
    let mut named: BTreeSet<*const Origin> = BTreeSet::new();
    for used in all(catalog) {
        named.extend(used.templates.iter().map(|template| std::sync::Arc::as_ptr(template.origin)));
    }
    let templates = catalog.analysis_templates.iter().map(Template::new);
    let templates: Vec<Template<'_>> =
        templates.chain(catalog.cluster_analysis_templates.iter().map(Template::of_cluster)).collect();
    for template in &templates {
        for reference in &template.spec.templates {
            let name = &reference.template_name;
            let further = if reference.is_cluster_scope() {
                origins::<ClusterAnalysisTemplate>(catalog, name)
            } else {
                origins::<AnalysisTemplate>(catalog, name)
            };
            named.extend(further);
        }
    }
    if catalog.rollouts.is_empty() && catalog.experiments.is_empty() || catalog.incomplete || !catalog.broken.is_empty()
    {
        return;
    }
    for template in templates.iter().filter(|template| !named.contains(&std::sync::Arc::as_ptr(template.origin))) {
        let message = "no rollout, experiment or template names this template";
        let problem = template.origin.warning("unused-template", "metadata.name", message);
        problems.push(problem.hint("name it under templates of an analysis, or remove it"));
    }
}

/// The objects of a name, whatever their namespace.
fn origins<T: Object>(catalog: &Catalog, name: &str) -> Vec<*const Origin> {
    let entries = T::list(catalog).iter().filter(|entry: &&Entry<T>| entry.object.metadata().name() == name);
    entries.map(|entry| std::sync::Arc::as_ptr(&entry.origin)).collect()
}

/// Runs, with what they measure: for lints of queries.
pub(super) fn runs(catalog: &Catalog) -> impl Iterator<Item = &Entry<AnalysisRun>> {
    catalog.analysis_runs.iter()
}
