//! Analyses as they are used: which templates a rollout or experiment runs at which moment, with which arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Entry, Origin};
use crate::check::analysis::{Flat, Template, flatten, uses};
use crate::check::arguments::Arguments;
use crate::wire::Rollout;
use crate::wire::analysis::{AnalysisRunArgument, AnalysisTemplateSpec};
use crate::wire::canary::AnalysisTemplateRef;
use crate::wire::provider::{DryRun, Metric};

/// Stands for the hash of the new version in queries that are looked at.
pub const LATEST: &str = "latest0pod0template0hash";
/// Stands for the hash of the stable version.
pub const STABLE: &str = "stable0pod0template0hash";

/// When an analysis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Beside the steps, from this one on.
    Background { from: usize },
    /// As the step with this index.
    Step(usize),
    /// Before a blue-green switch.
    BeforeSwitch,
    /// After a blue-green switch.
    AfterSwitch,
    /// In an experiment.
    Experiment,
}

/// An analysis that a rollout or experiment runs.
pub(super) struct Used<'c> {
    pub(super) owner: Owner<'c>,
    /// The analysis in its owner.
    pub(super) path: String,
    pub(super) moment: Moment,
    /// The templates, as far as they are there.
    pub(super) templates: Vec<Template<'c>>,
    /// By name: arguments that the owner gives, `None` where only a run knows the value.
    given: BTreeMap<&'c str, Option<String>>,
    dry_run: Vec<&'c DryRun>,
}

/// Who runs an analysis.
#[derive(Clone, Copy)]
pub(super) enum Owner<'c> {
    Rollout(&'c Entry<Rollout>),
    /// An Experiment, or a rollout's step that makes one.
    Other(&'c Origin),
}

impl<'c> Owner<'c> {
    pub(super) fn origin(self) -> &'c Origin {
        match self {
            Owner::Rollout(entry) => &entry.origin,
            Owner::Other(origin) => origin,
        }
    }
}

impl<'c> Used<'c> {
    /// Every metric with its template, its path there, and the arguments that it gets.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (Template<'c>, String, &'c Metric)> {
        let templates = self.templates.iter().copied();
        templates.flat_map(|template| metrics_of(template.spec).map(move |(path, metric)| (template, path, metric)))
    }

    /// The arguments of its templates with their values.
    pub(super) fn arguments(&self) -> Arguments<'_> {
        let mut arguments = Arguments::default();
        for template in &self.templates {
            for argument in &template.spec.args {
                let value = arguments.values.entry(&argument.name).or_default();
                *value = value.or(argument.value.as_deref());
            }
        }
        for (name, value) in &self.given {
            arguments.values.insert(name, value.as_deref());
        }
        arguments
    }

    /// Whether a metric only looks on.
    pub(super) fn is_dry(&self, metric: &Metric) -> bool {
        let own = self.templates.iter().flat_map(|template| &template.spec.dry_run);
        self.dry_run.iter().copied().chain(own).any(|rule| {
            let pattern = crate::arguments::rule(&rule.metric_name);
            crate::arguments::selects(pattern.as_ref(), &metric.name)
        })
    }
}

pub(super) fn metrics_of(spec: &AnalysisTemplateSpec) -> impl Iterator<Item = (String, &Metric)> {
    spec.metrics.iter().enumerate().map(|(i, metric)| (format!("spec.metrics[{i}]"), metric))
}

/// Every analysis that a rollout runs, its experiments left out.
pub(super) fn of_rollout<'c>(catalog: &'c Catalog, entry: &'c Entry<Rollout>) -> Vec<Used<'c>> {
    let meta = &entry.object.metadata;
    let from = entry.object.spec.strategy.canary.as_ref().and_then(|canary| canary.analysis.as_ref());
    let from = from.and_then(|analysis| analysis.starting_step).map_or(0, |step| usize::try_from(step).unwrap_or(0));
    let all = uses(&entry.object).into_iter().map(|used| {
        let mut flat = Flat::default();
        flatten(catalog, meta.namespace(), used.templates, &mut flat);
        let moment = match used.path.rsplit('.').next() {
            _ if used.background => Moment::Background { from },
            Some("prePromotionAnalysis") => Moment::BeforeSwitch,
            Some("postPromotionAnalysis") => Moment::AfterSwitch,
            _ => Moment::Step(step_of(&used.path)),
        };
        Used {
            owner: Owner::Rollout(entry),
            path: used.path,
            moment,
            templates: flat.templates,
            given: given(entry, used.arguments),
            dry_run: used.dry_run.iter().collect(),
        }
    });
    all.collect()
}

/// `2` of `spec.strategy.canary.steps[2].analysis`.
fn step_of(path: &str) -> usize {
    let index = path.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(index, _)| index);
    index.and_then(|index| index.parse().ok()).unwrap_or(0)
}

fn given<'c>(entry: &Entry<Rollout>, arguments: &'c [AnalysisRunArgument]) -> BTreeMap<&'c str, Option<String>> {
    let meta = &entry.object.metadata;
    let value = |argument: &AnalysisRunArgument| {
        if let Some(value) = &argument.value {
            return Some(with_hashes(value));
        }
        let from = argument.value_from.as_ref()?;
        match (from.pod_template_hash_value.as_deref(), &from.field_ref) {
            (Some("Stable"), _) => Some(STABLE.to_owned()),
            (Some(_), _) => Some(LATEST.to_owned()),
            (None, Some(field)) if field.field_path == "metadata.name" => Some(meta.name().to_owned()),
            (None, Some(field)) if field.field_path == "metadata.namespace" => Some(meta.namespace().to_owned()),
            _ => None,
        }
    };
    arguments.iter().map(|argument| (argument.name.as_str(), value(argument))).collect()
}

/// Experiments name the hashes of their versions in braces of their own.
fn with_hashes(value: &str) -> String {
    if value.contains("podTemplateHash}}") { LATEST.to_owned() } else { value.to_owned() }
}

/// Every analysis that an experiment, or a step that makes one, runs.
pub(super) fn of_experiments(catalog: &Catalog) -> Vec<Used<'_>> {
    let mut all = Vec::new();
    for entry in &catalog.rollouts {
        let steps = entry.object.spec.strategy.canary.iter().flat_map(|canary| canary.steps.iter().enumerate());
        for (i, experiment) in steps.filter_map(|(i, step)| step.experiment.as_ref().map(|e| (i, e))) {
            for (j, analysis) in experiment.analyses.iter().enumerate() {
                all.push(Used {
                    owner: Owner::Other(&entry.origin),
                    path: format!("spec.strategy.canary.steps[{i}].experiment.analyses[{j}]"),
                    moment: Moment::Experiment,
                    templates: one(
                        catalog,
                        entry.object.metadata.namespace(),
                        &analysis.template_name,
                        analysis.cluster_scope == Some(true),
                    ),
                    given: given(entry, &analysis.args),
                    dry_run: experiment.dry_run.iter().collect(),
                });
            }
        }
    }
    for entry in &catalog.experiments {
        let spec = &entry.object.spec;
        for (j, analysis) in spec.analyses.iter().enumerate() {
            let values = analysis.args.iter();
            let values = values.map(|argument| (argument.name.as_str(), argument.value.as_deref().map(with_hashes)));
            all.push(Used {
                owner: Owner::Other(&entry.origin),
                path: format!("spec.analyses[{j}]"),
                moment: Moment::Experiment,
                templates: one(
                    catalog,
                    entry.object.metadata.namespace(),
                    &analysis.template_name,
                    analysis.cluster_scope == Some(true),
                ),
                given: values.collect(),
                dry_run: spec.dry_run.iter().collect(),
            });
        }
    }
    all
}

/// A template with those that it names.
fn one<'c>(catalog: &'c Catalog, namespace: &str, name: &str, cluster: bool) -> Vec<Template<'c>> {
    use crate::wire::{AnalysisTemplate, ClusterAnalysisTemplate};
    let found = match cluster {
        true => catalog.find::<ClusterAnalysisTemplate>("", name).map(Template::of_cluster),
        false => catalog.find::<AnalysisTemplate>(namespace, name).map(Template::new),
    };
    let Some(template) = found else { return Vec::new() };
    let references: &'c [AnalysisTemplateRef] = &template.spec.templates;
    let mut flat = Flat::default();
    flat.templates.push(template);
    flatten(catalog, namespace, references, &mut flat);
    flat.templates
}

/// Every analysis that something runs.
pub(super) fn all(catalog: &Catalog) -> Vec<Used<'_>> {
    let rollouts = catalog.rollouts.iter().flat_map(|entry| of_rollout(catalog, entry));
    rollouts.chain(of_experiments(catalog)).collect()
}

/// Every analysis that something runs, together those that run the same templates with the same arguments: what is said about
/// a template does not depend on how often it is used.
pub(super) fn grouped(catalog: &Catalog) -> Vec<Vec<Used<'_>>> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<Vec<Used<'_>>> = Vec::new();
    for used in all(catalog) {
        let templates: Vec<*const Origin> =
            used.templates.iter().map(|template| Arc::as_ptr(template.origin)).collect();
        let place = *places.entry((templates, used.given.clone())).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(used),
            None => groups.push(vec![used]),
        }
    }
    groups
}

/// The first of every group of [`grouped`].
pub(super) fn distinct(catalog: &Catalog) -> Vec<Used<'_>> {
    grouped(catalog).into_iter().filter_map(|group| group.into_iter().next()).collect()
}
