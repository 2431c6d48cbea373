//! Rollouts and the templates that they name: whether they are there, fit together, and get their arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::nearest::{did_you_mean, suggest};
use super::references::template_secrets;
use super::template::rules_match;
use crate::catalog::{Catalog, Entry, Origin};
use crate::problem::Findings;
use crate::recipe;
use crate::validate::metadata_field_exists;
use crate::wire::analysis::{AnalysisRunArgument, AnalysisTemplateSpec, Argument, ClusterAnalysisTemplate};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::provider::{DryRun, MeasurementRetention};
use crate::wire::{AnalysisTemplate, Rollout};

/// Most templates of one run that are looked at together; also bounds how deep they name each other.
const COMPOSED_MAX: usize = 100;

/// Where a rollout names templates.
pub(crate) struct Use<'r> {
    pub(crate) path: String,
    pub(crate) templates: &'r [AnalysisTemplateRef],
    pub(crate) arguments: &'r [AnalysisRunArgument],
    pub(crate) dry_run: &'r [DryRun],
    retention: &'r [MeasurementRetention],
    /// It runs beside the steps, so it may go on without end.
    pub(crate) background: bool,
}

/// Where a rollout names templates, but for its experiments.
pub(crate) fn uses(rollout: &Rollout) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    let strategy = &rollout.spec.strategy;
    if let Some(canary) = &strategy.canary {
        if let Some(analysis) = &canary.analysis {
            uses.push(Use {
                path: "spec.strategy.canary.analysis".to_owned(),
                templates: &analysis.templates,
                arguments: &analysis.args,
                dry_run: &analysis.dry_run,
                retention: &analysis.measurement_retention,
                background: true,
            });
        }
        let steps = canary.steps.iter().enumerate();
        let steps = steps.filter_map(|(i, step)| step.analysis.as_ref().map(|analysis| (i, analysis)));
        let paths = steps.map(|(i, analysis)| (format!("spec.strategy.canary.steps[{i}].analysis"), analysis));
        uses.extend(paths.map(|(path, analysis)| inline(path, analysis)));
    }
    if let Some(blue_green) = &strategy.blue_green {
        let both = [
            ("prePromotionAnalysis", &blue_green.pre_promotion_analysis),
            ("postPromotionAnalysis", &blue_green.post_promotion_analysis),
        ];
        for (field, analysis) in both {
            let path = format!("spec.strategy.blueGreen.{field}");
            uses.extend(analysis.as_ref().map(|analysis| inline(path, analysis)));
        }
    }
    uses
}

fn inline(path: String, analysis: &crate::wire::canary::RolloutAnalysis) -> Use<'_> {
    Use {
        path,
        templates: &analysis.templates,
        arguments: &analysis.args,
        dry_run: &analysis.dry_run,
        retention: &analysis.measurement_retention,
        background: false,
    }
}

/// A template of either kind.
#[derive(Clone, Copy)]
pub(crate) struct Template<'c> {
    pub(crate) spec: &'c AnalysisTemplateSpec,
    pub(crate) origin: &'c Arc<Origin>,
    /// It has no namespace of its own.
    cluster: bool,
}

impl<'c> Template<'c> {
    pub(crate) fn new(entry: &'c Entry<AnalysisTemplate>) -> Self {
        Template { spec: &entry.object.spec, origin: &entry.origin, cluster: false }
    }

    pub(crate) fn of_cluster(entry: &'c Entry<ClusterAnalysisTemplate>) -> Self {
        Template { spec: &entry.object.spec, origin: &entry.origin, cluster: true }
    }
}

/// Templates with those that they name, each once.
#[derive(Default)]
pub(crate) struct Flat<'c> {
    pub(crate) templates: Vec<Template<'c>>,
    seen: BTreeSet<(bool, &'c str)>,
    /// Some could not be found, so nothing can be said about what is missing.
    partial: bool,
}

//= compat: 3.3-1, 3.3-2, 3.3-3
pub(crate) fn flatten<'c>(
    catalog: &'c Catalog,
    namespace: &str,
    references: &'c [AnalysisTemplateRef],
    flat: &mut Flat<'c>,
) {
    for reference in references {
        if flat.seen.len() >= COMPOSED_MAX {
            flat.partial = true;
            return;
        }
        if !flat.seen.insert((reference.is_cluster_scope(), reference.template_name.as_str())) {
            continue;
        }
        match find(catalog, namespace, reference) {
            Some(template) => {
                flat.templates.push(template);
                flatten(catalog, namespace, &template.spec.templates, flat);
            }
            None => flat.partial = true,
        }
    }
}

fn find<'c>(catalog: &'c Catalog, namespace: &str, reference: &AnalysisTemplateRef) -> Option<Template<'c>> {
    let name = &reference.template_name;
    if reference.is_cluster_scope() {
        catalog.find::<ClusterAnalysisTemplate>("", name).map(Template::of_cluster)
    } else {
        catalog.find::<AnalysisTemplate>(namespace, name).map(Template::new)
    }
}

/// The names of arguments that each template gets from the templates it is used together with, by the place of the
/// template.
pub(super) fn shared_arguments(catalog: &Catalog) -> BTreeMap<*const Origin, BTreeSet<&str>> {
    let mut shared = BTreeMap::new();
    for entry in &catalog.rollouts {
        for used in uses(&entry.object) {
            share(catalog, entry.object.metadata.namespace(), None, used.templates, &mut shared);
        }
    }
    for entry in &catalog.analysis_templates {
        let template = Template::new(entry);
        share(catalog, entry.object.metadata.namespace(), Some(template), &template.spec.templates, &mut shared);
    }
    for entry in &catalog.cluster_analysis_templates {
        let template = Template::of_cluster(entry);
        share(catalog, "default", Some(template), &template.spec.templates, &mut shared);
    }
    shared
}

fn share<'c>(
    catalog: &'c Catalog,
    namespace: &str,
    first: Option<Template<'c>>,
    references: &'c [AnalysisTemplateRef],
    shared: &mut BTreeMap<*const Origin, BTreeSet<&'c str>>,
) {
    let mut flat = Flat::default();
    flat.templates.extend(first);
    flatten(catalog, namespace, references, &mut flat);
    // One alone shares nothing with others.
    if flat.templates.len() < 2 {
        return;
    }
    let names: BTreeSet<&str> = flat.templates.iter().flat_map(|template| names(&template.spec.args)).collect();
    for template in flat.templates {
        shared.entry(Arc::as_ptr(template.origin)).or_default().extend(names.iter().copied());
    }
}

fn names(arguments: &[Argument]) -> impl Iterator<Item = &str> {
    arguments.iter().map(|argument| argument.name.as_str())
}

/// The templates that the template of an origin names must be there, and must not name it again.
pub(super) fn nested(
    catalog: &Catalog,
    origin: &Origin,
    (namespace, name, cluster): (&str, &str, bool),
    spec: &AnalysisTemplateSpec,
    problems: &mut Findings,
) {
    for (i, reference) in spec.templates.iter().enumerate() {
        let path = format!("spec.templates[{i}]");
        // In which namespace a cluster's template looks is known only from the rollout that uses it.
        if !cluster || reference.is_cluster_scope() {
            missing(catalog, origin, namespace, reference, &path, problems);
        }
        let mut below = Flat::default();
        flatten(catalog, namespace, std::slice::from_ref(reference), &mut below);
        if below.seen.contains(&(cluster, name)) {
            let message = format!("the template {name} names itself, directly or through others");
            problems.push(origin.problem("circular-template", &format!("{path}.templateName"), message));
        }
    }
}

/// Reports a template that is not there.
//= compat: 8.5-4, 3.3-7
pub(super) fn missing(
    catalog: &Catalog,
    origin: &Origin,
    namespace: &str,
    reference: &AnalysisTemplateRef,
    path: &str,
    problems: &mut Findings,
) {
    let name = reference.template_name.as_str();
    let (in_namespace, in_cluster) =
        (catalog.has::<AnalysisTemplate>(namespace, name), catalog.has::<ClusterAnalysisTemplate>("", name));
    if catalog.incomplete || if reference.is_cluster_scope() { in_cluster } else { in_namespace } {
        return;
    }
    let elsewhere = catalog.analysis_templates.iter().find(|entry| entry.object.metadata.name() == name);
    let (kind, names, hint) = if reference.is_cluster_scope() {
        let hint = in_namespace.then(|| "there is an AnalysisTemplate of that name: remove clusterScope".to_owned());
        ("ClusterAnalysisTemplate", catalog.names::<ClusterAnalysisTemplate>(""), hint)
    } else if in_cluster {
        let hint = "there is a ClusterAnalysisTemplate of that name: set clusterScope: true".to_owned();
        ("AnalysisTemplate", Vec::new(), Some(hint))
    } else {
        let hint = elsewhere.map(|entry| {
            format!("there is one in the namespace {} ({})", entry.object.metadata.namespace(), entry.place)
        });
        ("AnalysisTemplate", catalog.names::<AnalysisTemplate>(namespace), hint)
    };
    let path = format!("{path}.templateName");
    let problem = origin.problem("missing-template", &path, format!("there is no {kind} {name:?}"));
    problems.push(problem.maybe_hint(hint.or_else(|| suggest(name, &names))));
}

/// The problems between a rollout and its templates.
pub(super) fn check(catalog: &Catalog, entry: &Entry<Rollout>, problems: &mut Findings) {
    for used in uses(&entry.object) {
        check_use(catalog, entry, &used, problems);
    }
    let steps = entry.object.spec.strategy.canary.iter().flat_map(|canary| canary.steps.iter().enumerate());
    for (i, step) in steps {
        for (j, analysis) in step.experiment.iter().flat_map(|experiment| experiment.analyses.iter().enumerate()) {
            let reference = AnalysisTemplateRef {
                template_name: analysis.template_name.clone(),
                cluster_scope: analysis.cluster_scope,
            };
            let path = format!("spec.strategy.canary.steps[{i}].experiment.analyses[{j}]");
            let namespace = entry.object.metadata.namespace();
            missing(catalog, &entry.origin, namespace, &reference, &path, problems);
        }
    }
}

fn check_use(catalog: &Catalog, entry: &Entry<Rollout>, used: &Use<'_>, problems: &mut Findings) {
    let origin = &entry.origin;
    let namespace = entry.object.metadata.namespace();
    if used.templates.is_empty() {
        // Argo lets this pass and then makes a run without metrics, which ends in Error.
        let problem =
            origin.problem("no-templates", &format!("{}.templates", used.path), "the analysis names no template");
        problems.push(problem.hint("add templates: [{templateName: …}]"));
        return;
    }
    for (i, reference) in used.templates.iter().enumerate() {
        missing(catalog, origin, namespace, reference, &format!("{}.templates[{i}]", used.path), problems);
    }
    let mut flat = Flat::default();
    flatten(catalog, namespace, used.templates, &mut flat);
    //= compat: 3.15-2
    for template in flat.templates.iter().filter(|template| template.cluster) {
        template_secrets(catalog, template.origin, namespace, &template.spec.args, problems);
        for (i, reference) in
            template.spec.templates.iter().enumerate().filter(|(_, further)| !further.is_cluster_scope())
        {
            missing(catalog, template.origin, namespace, reference, &format!("spec.templates[{i}]"), problems);
        }
    }
    metrics(entry, used, &flat, problems);
    supplied(entry, used, &flat, problems);
    given(entry, used, &flat, problems);
}

/// Metrics of several templates must have different names, and a run between steps must come to an end.
//= compat: 3.3-4, 8.5-5
fn metrics(entry: &Entry<Rollout>, used: &Use<'_>, flat: &Flat<'_>, problems: &mut Findings) {
    let origin = &entry.origin;
    let path = format!("{}.templates", used.path);
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for template in &flat.templates {
        let ident = template.origin.ident.as_str();
        for metric in &template.spec.metrics {
            if let Some(first) = seen.insert(&metric.name, ident)
                && first != ident
            {
                let message = format!("two metrics have the same name '{}': in {first} and in {ident}", metric.name);
                problems.push(origin.problem("duplicate-name", &path, message));
            }
            let endless = metric.interval.is_some()
                && !recipe::is_sequential(metric)
                && metric.count.as_ref().is_none_or(|count| count.to_string().parse::<i64>() == Ok(0));
            if endless && !used.background {
                let message = format!(
                    "the metric {} of {ident} has an interval and no count, so the run never ends",
                    metric.name
                );
                let problem = origin.problem("endless-analysis", &path, message);
                problems.push(problem.hint("set count, or use the template in spec.strategy.canary.analysis"));
            }
        }
    }
    if flat.partial {
        return;
    }
    let names: Vec<&str> = seen.keys().copied().collect();
    let dry_run = used.dry_run.iter().map(|rule| rule.metric_name.as_str());
    rules_match(origin, &format!("{}.dryRun", used.path), dry_run, &names, problems);
    let retention = used.retention.iter().map(|rule| rule.metric_name.as_str());
    rules_match(origin, &format!("{}.measurementRetention", used.path), retention, &names, problems);
    for template in &flat.templates {
        let dry_run = template.spec.dry_run.iter().map(|rule| rule.metric_name.as_str());
        rules_match(template.origin, "spec.dryRun", dry_run, &names, problems);
        let retention = template.spec.measurement_retention.iter().map(|rule| rule.metric_name.as_str());
        rules_match(template.origin, "spec.measurementRetention", retention, &names, problems);
    }
}

/// Every argument that the templates declare must have a value in the end.
//= compat: 3.2-5, 3.2-6, 3.2-12, 3.3-5, 8.5-6
fn supplied(entry: &Entry<Rollout>, used: &Use<'_>, flat: &Flat<'_>, problems: &mut Findings) {
    let given: BTreeSet<&str> = used.arguments.iter().map(|argument| argument.name.as_str()).collect();
    let mut declared: BTreeMap<&str, (Option<&str>, bool, &str)> = BTreeMap::new();
    for template in &flat.templates {
        let ident = template.origin.ident.as_str();
        for argument in &template.spec.args {
            let secret = argument.value_from.as_ref().is_some_and(|from| from.secret_key_ref.is_some());
            let value = argument.value.as_deref();
            match declared.get_mut(argument.name.as_str()) {
                None => drop(declared.insert(&argument.name, (value, value.is_some() || secret, ident))),
                Some((first, _, other)) if first.is_some() && value.is_some() && *first != value => {
                    let message =
                        format!("the argument {} has different values in {other} and in {ident}", argument.name);
                    let problem = entry.origin.problem("contradiction", &format!("{}.templates", used.path), message);
                    problems.push(problem);
                }
                Some((first, has_value, _)) => {
                    *first = first.or(value);
                    *has_value |= value.is_some() || secret;
                }
            }
        }
    }
    for (name, (_, has_value, ident)) in declared {
        if has_value || given.contains(name) {
            continue;
        }
        let message = format!("the argument {name:?} of {ident} is not supplied");
        let path = if used.arguments.is_empty() { used.path.clone() } else { format!("{}.args", used.path) };
        let unused = given.iter().copied().filter(|given| !declared_in(flat, given));
        let hint = did_you_mean(name, unused)
            .map(|_| format!("an argument with almost this name is supplied; write {name:?}"));
        let hint = hint.unwrap_or_else(|| match field_ref(flat, name) {
            true => {
                "a fieldRef in a template is never resolved; give the fieldRef under args of the rollout".to_owned()
            }
            false => format!("add it under args: {{name: {name}, value: …}}"),
        });
        problems.push(entry.origin.problem("argument-not-supplied", &path, message).hint(hint));
    }
}

/// Whether a template takes the argument from a field, which only a rollout can do.
//= compat: 3.2-12
fn field_ref(flat: &Flat<'_>, name: &str) -> bool {
    let arguments = flat.templates.iter().flat_map(|template| &template.spec.args);
    let sources =
        arguments.filter(|argument| argument.name == name).filter_map(|argument| argument.value_from.as_ref());
    sources.into_iter().any(|from| from.field_ref.is_some())
}

fn declared_in(flat: &Flat<'_>, name: &str) -> bool {
    flat.templates.iter().any(|template| names(&template.spec.args).any(|declared| declared == name))
}

/// Arguments that no template declares are dropped in silence by Argo, and arguments must say what they are.
//= compat: 3.2-5, 3.2-7
fn given(entry: &Entry<Rollout>, used: &Use<'_>, flat: &Flat<'_>, problems: &mut Findings) {
    let declared: Vec<&str> = flat.templates.iter().flat_map(|template| names(&template.spec.args)).collect();
    let mut seen = BTreeSet::new();
    for (i, argument) in used.arguments.iter().enumerate() {
        let path = format!("{}.args[{i}]", used.path);
        let origin = &entry.origin;
        if !seen.insert(argument.name.as_str()) {
            let message = format!("two arguments have the name {:?}", argument.name);
            problems.push(origin.problem("duplicate-name", &format!("{path}.name"), message));
        }
        if !flat.partial && !declared.contains(&argument.name.as_str()) {
            let message = format!("no template has an argument {:?}; it is ignored", argument.name);
            let problem = origin.warning("unused-argument", &format!("{path}.name"), message);
            problems.push(problem.maybe_hint(suggest(&argument.name, &declared)));
        }
        let Some(from) = &argument.value_from else {
            if argument.value.is_none() {
                let message =
                    format!("the argument {} has neither value nor valueFrom: it is the empty text", argument.name);
                let problem = origin.warning("empty-argument", &path, message);
                problems.push(problem.hint("give it a value, or leave it out to take the template's own"));
            }
            continue;
        };
        if let Some(hash) = from.pod_template_hash_value.as_deref().filter(|hash| !matches!(*hash, "Stable" | "Latest"))
        {
            let path = format!("{path}.valueFrom.podTemplateHashValue");
            let problem = origin.problem("bad-value", &path, format!("{hash:?} is not allowed"));
            problems
                .push(problem.expected("one of Stable, Latest").maybe_hint(did_you_mean(hash, ["Stable", "Latest"])));
        }
        // Those of steps are among Argo's own rules.
        let field = from.field_ref.as_ref().filter(|_| !used.path.contains(".steps["));
        if let Some(field) = field.filter(|field| !metadata_field_exists(&field.field_path)) {
            let path = format!("{path}.valueFrom.fieldRef.fieldPath");
            let message = format!("unsupported fieldPath: {}", field.field_path);
            problems.push(origin.problem("invalid-value", &path, message));
        }
        if argument.value.is_some() || from.pod_template_hash_value.is_some() && from.field_ref.is_some() {
            let message = "only one of value, podTemplateHashValue and fieldRef may be set";
            problems.push(origin.problem("contradiction", &path, message));
        }
    }
}
