//! Every object of the checked manifests, each with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::document::{Node, Spot};
use crate::problem::{Problem, Severity};
use crate::wire::experiment::Experiment;
use crate::wire::kubernetes::{ConfigMap, Ingress, Namespace, Secret, Service};
use crate::wire::rollout::WorkloadRef;
use crate::wire::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, ObjectMeta, Rollout};
use crate::workload::Holder;

/// Where an object begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named on the command line.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What an object was read from: its tree with every place in it.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) file: Arc<str>,
    /// `Rollout bankchurn-predictor`.
    pub(crate) ident: String,
    pub(crate) node: Node,
    /// Paths of what is wrong with the object's shape; what is said about them is a consequence and no problem of its
    /// own.
    pub(crate) wrong: Vec<String>,
}

impl Origin {
    /// Whether a path is, lies in, or holds something that is wrong already.
    pub(crate) fn is_consequence(&self, path: &str) -> bool {
        let below = |path: &str, above: &str| {
            path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.wrong.iter().any(|wrong| below(path, wrong) || below(wrong, path))
    }

    /// A problem with a field of this object, at its place or at the place of the deepest field around it.
    pub(crate) fn problem(&self, code: &'static str, path: &str, message: impl Into<String>) -> Problem {
        self.problem_at(code, self.node.nearest_spot(path), path, message)
    }

    /// A problem with a field of this object at a place that is known better.
    pub(crate) fn problem_at(&self, code: &'static str, spot: Spot, path: &str, message: impl Into<String>) -> Problem {
        let problem = Problem::of_file(code, &self.file, message).at(spot.line, spot.column, spot.width);
        problem.of(&self.ident, path)
    }

    /// As [`Origin::problem`], but no error.
    pub(crate) fn warning(&self, code: &'static str, path: &str, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..self.problem(code, path, message) }
    }
}

/// An object and where it was read.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// The object.
    pub object: T,
    /// Where it begins.
    pub place: Place,
    pub(crate) origin: Arc<Origin>,
}

impl<T> Entry<T> {
    /// Line and column of a field, such as `spec.strategy.canary.steps[2].setWeight` or
    /// `metadata.labels[app.kubernetes.io/name]`; `None` if the manifest does not have it.
    pub fn place_of(&self, path: &str) -> Option<(usize, usize)> {
        self.origin.node.spot_of(path).map(|spot| (spot.line, spot.column))
    }

    /// What a field holds, as it is written; `None` if the manifest does not have it.
    pub fn value_of(&self, path: &str) -> Option<serde_json::Value> {
        self.origin.node.at(path).map(Node::to_value)
    }

    /// What problems call the object, such as `Rollout bankchurn-predictor`.
    pub fn ident(&self) -> &str {
        &self.origin.ident
    }

    /// A problem with a field of this object, for checks outside of this crate. If the field does not exist, the
    /// place is that of the deepest field around it.
    pub fn problem(&self, severity: Severity, code: &'static str, path: &str, message: impl Into<String>) -> Problem {
        Problem { severity, ..self.origin.problem(code, path, message) }
    }
}

/// An object of a kind that is not used on one machine, such as a Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name, empty if it has none.
    pub name: String,
    /// Where it begins.
    pub place: Place,
}

/// Kind, namespace (empty for kinds without) and name.
pub(crate) type Key = (&'static str, String, String);

/// Every object, in the order of the files.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Rollouts.
    pub rollouts: Vec<Entry<Rollout>>,
    /// AnalysisTemplates.
    pub analysis_templates: Vec<Entry<AnalysisTemplate>>,
    /// ClusterAnalysisTemplates.
    pub cluster_analysis_templates: Vec<Entry<ClusterAnalysisTemplate>>,
    /// AnalysisRuns.
    pub analysis_runs: Vec<Entry<AnalysisRun>>,
    /// Experiments.
    pub experiments: Vec<Entry<Experiment>>,
    /// Services.
    pub services: Vec<Entry<Service>>,
    /// Ingresses.
    pub ingresses: Vec<Entry<Ingress>>,
    /// ConfigMaps.
    pub config_maps: Vec<Entry<ConfigMap>>,
    /// Secrets.
    pub secrets: Vec<Entry<Secret>>,
    /// Namespaces.
    pub namespaces: Vec<Entry<Namespace>>,
    /// Objects that hold a template which a `workloadRef` may name.
    pub workloads: Vec<Entry<Holder>>,
    /// Objects of other kinds.
    pub foreign: Vec<Foreign>,
    /// Kind, namespace and name of objects that have problems of their own and are left out above. They are there all
    /// the same, so nothing that names them is told that they are missing.
    pub(crate) broken: BTreeSet<Key>,
    /// By kind, namespace and name: where in its list an object is.
    pub(crate) index: BTreeMap<Key, usize>,
    /// A document could not be read at all, so it is not known what is missing.
    pub(crate) incomplete: bool,
}

/// A kind of object that catalogues hold, for lookups by name.
pub trait Object: 'static {
    /// Its kind.
    const KIND: &'static str;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Where a catalogue holds such objects.
    fn list(catalog: &Catalog) -> &[Entry<Self>]
    where
        Self: Sized;
}

macro_rules! objects {
    ($($kind:ident: $list:ident),+ $(,)?) => {$(
        impl Object for $kind {
            const KIND: &'static str = stringify!($kind);

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn list(catalog: &Catalog) -> &[Entry<Self>] {
                &catalog.$list
            }
        }
    )+};
}

objects! {
    Rollout: rollouts,
    AnalysisTemplate: analysis_templates,
    ClusterAnalysisTemplate: cluster_analysis_templates,
    AnalysisRun: analysis_runs,
    Experiment: experiments,
    Service: services,
    Ingress: ingresses,
    ConfigMap: config_maps,
    Secret: secrets,
    Namespace: namespaces,
}

impl Catalog {
    /// The object of a kind, namespace and name. Kinds without namespaces (ClusterAnalysisTemplate, Namespace) are
    /// found by any.
    ///
    /// ```
    /// use serin_spec::{Source, check, wire::kubernetes::Service};
    ///
    /// let text = "{apiVersion: v1, kind: Service, metadata: {name: web}}";
    /// let catalog = check(&[Source::new("web.yaml", text)]).catalog;
    /// assert!(catalog.find::<Service>("default", "web").is_some());
    /// ```
    pub fn find<T: Object>(&self, namespace: &str, name: &str) -> Option<&Entry<T>> {
        T::list(self).get(*self.index.get(&key::<T>(namespace, name))?).filter(|entry| {
            // The lists are public, so one of them may have been changed since.
            let meta = entry.object.metadata();
            meta.name() == name && (!is_namespaced(T::KIND) || meta.namespace() == namespace)
        })
    }

    /// The object that a rollout of this namespace takes its template from.
    pub fn workload(&self, namespace: &str, reference: &WorkloadRef) -> Option<&Entry<Holder>> {
        self.workloads.iter().find(|entry| entry.object.is_named_by(namespace, reference))
    }

    /// Whether an object is there, be it with problems of its own.
    pub(crate) fn has<T: Object>(&self, namespace: &str, name: &str) -> bool {
        self.find::<T>(namespace, name).is_some() || self.broken.contains(&key::<T>(namespace, name))
    }

    /// The names of a kind in a namespace.
    pub(crate) fn names<T: Object>(&self, namespace: &str) -> Vec<&str> {
        let all = T::list(self).iter().map(|entry| entry.object.metadata());
        all.filter(|meta| !is_namespaced(T::KIND) || meta.namespace() == namespace).map(ObjectMeta::name).collect()
    }
}

/// The key of an object.
pub(crate) fn key<T: Object>(namespace: &str, name: &str) -> Key {
    let namespace = if is_namespaced(T::KIND) { namespace } else { "" };
    (T::KIND, namespace.to_owned(), name.to_owned())
}

/// Whether objects of a kind lie in namespaces.
pub(crate) fn is_namespaced(kind: &str) -> bool {
    kind != ClusterAnalysisTemplate::KIND && kind != Namespace::KIND
}
