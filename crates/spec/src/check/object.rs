//! From trees to typed objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kind::{Known, Recognised, recognise};
use super::nearest::nearest;
use super::schema::Schema;
use crate::catalog::{Catalog, Entry, Foreign, Key, Object, Origin, Place, is_namespaced, key};
use crate::document::{self, Kind, Node};
use crate::problem::{Findings, Problem, Severity, one_line};
use crate::read::Source;
use crate::workload::{self, Holder};

/// Most objects of all files: as many as a large cluster holds of these kinds, and few enough to compare with each other.
const OBJECTS_MAX: usize = 10_000;

/// The objects of all files.
#[derive(Default)]
pub(crate) struct Objects {
    /// Those whose shape is right.
    pub(crate) catalog: Catalog,
    /// The others, without what is wrong, so that the rest of them can be checked as well.
    pub(crate) partial: Catalog,
    /// How many objects there are so far.
    count: usize,
}

/// Reads every object of a source.
pub(crate) fn read(source: &Source, objects: &mut Objects, problems: &mut Findings) {
    let (documents, complete) = document::parse(source, problems);
    objects.catalog.incomplete |= !complete;
    let file: Arc<str> = source.name.as_str().into();
    for node in documents {
        admit(&file, node, objects, problems);
    }
}

/// Sorts one object by its kind. The items of a `List` are objects of their own.
fn admit(file: &Arc<str>, node: Node, objects: &mut Objects, problems: &mut Findings) {
    let catalog = &mut objects.catalog;
    if node.kind == Kind::Null {
        return;
    }
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let name = node.at("metadata.name").and_then(Node::text).unwrap_or_default().to_owned();
    let ident = match &kind {
        Some(kind) if name.is_empty() => format!("a {kind} without a name"),
        Some(kind) => format!("{kind} {name}"),
        None => String::new(),
    };
    let origin = Origin { file: file.clone(), ident: one_line(ident), node, wrong: Vec::new() };
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        problems.extend(unidentified(&origin));
        catalog.incomplete = true;
        return;
    };
    if is_list(&api_version, &kind) && origin.node.get("items").is_some_and(|items| matches!(items.kind, Kind::List(_)))
    {
        for item in origin.node.get("items").map(Node::items).unwrap_or_default() {
            admit(file, item.clone(), objects, problems);
        }
        return;
    }
    objects.count += 1;
    if objects.count > OBJECTS_MAX {
        if objects.count == OBJECTS_MAX + 1 {
            let message =
                format!("there are more than {OBJECTS_MAX} objects; this one and those behind it are left out");
            problems.push(origin.problem("too-many-objects", "", message));
        }
        catalog.incomplete = true;
        return;
    }
    match recognise(&api_version, &kind) {
        Recognised::Known(known) => known_object(known, origin, objects, problems),
        Recognised::Foreign if workload::Kind::of(&api_version, &kind).is_some() => {
            if let Some(object) = Holder::of(origin.node.to_value()) {
                let place = Place { file: file.clone(), line: origin.node.spot.line };
                catalog.workloads.push(Entry { object, place, origin: Arc::new(origin) });
            }
        }
        Recognised::Foreign => {
            let message = format!("{kind} ({api_version}) is not used on one machine");
            problems.push(origin.warning("not-used", "", message));
            let place = Place { file: file.clone(), line: origin.node.spot.line };
            catalog.foreign.push(Foreign { api_version, kind, name, place });
        }
        Recognised::NearMiss { field, message, hint } => {
            problems.push(origin.problem("unknown-kind", field, message).hint(hint));
            catalog.incomplete = true;
        }
    }
}

/// `List`, and the lists that `kubectl get -o yaml` writes of one kind.
fn is_list(api_version: &str, kind: &str) -> bool {
    api_version == "v1" && kind == "List"
        || kind.strip_suffix("List").is_some_and(|kind| matches!(recognise(api_version, kind), Recognised::Known(_)))
}

/// What is wrong with an object whose kind cannot be told.
fn unidentified(origin: &Origin) -> Vec<Problem> {
    if !matches!(origin.node.kind, Kind::Map(_)) {
        let message = format!("expected an object, found {}", origin.node.described());
        let problem = origin.problem("not-an-object", "", message);
        return vec![problem.expected("apiVersion, kind, metadata and spec")];
    }
    let mut problems = Vec::new();
    for field in ["apiVersion", "kind"] {
        match origin.node.get(field) {
            Some(node) if node.kind != Kind::Null => {
                if node.text().is_none() {
                    let message = format!("expected a string, found {}", node.described());
                    problems.push(origin.problem("wrong-type", field, message).expected("a string"));
                }
            }
            _ => {
                let keys = origin.node.fields().iter().map(|field| field.key.as_str());
                let near = nearest(field, keys.filter(|key| *key != "apiVersion" && *key != "kind"));
                let hint = near.map(|near| format!("is {near:?} meant to be {field:?}?"));
                let message = format!("the field {field:?} is missing");
                problems.push(origin.problem("missing-field", field, message).maybe_hint(hint));
            }
        }
    }
    problems
}

fn known_object(known: Known, mut origin: Origin, objects: &mut Objects, problems: &mut Findings) {
    let mut outcome = Schema::of(known).check(&origin);
    outcome.problems.extend(unnamed(known, &origin));
    origin.wrong = outcome.wrong;
    let whole = !outcome.problems.iter().any(Problem::is_error);
    problems.extend(outcome.problems);
    let (namespace, name) = identity(known, &origin);
    let list = if whole { &mut objects.catalog } else { &mut objects.partial };
    match enter(known, outcome.value, origin, list) {
        Ok(()) if whole => return,
        Err(problem) if whole => problems.push(*problem),
        // What stands in for wrong values may not fit everywhere; what is wrong is reported already.
        _ => {}
    }
    objects.catalog.broken.insert((known.name(), namespace, name));
}

fn enter(known: Known, value: Value, origin: Origin, catalog: &mut Catalog) -> Result<(), Box<Problem>> {
    let origin = Arc::new(origin);
    let index = &mut catalog.index;
    match known {
        Known::Rollout => typed(value, origin, &mut catalog.rollouts, index),
        Known::AnalysisTemplate => typed(value, origin, &mut catalog.analysis_templates, index),
        Known::ClusterAnalysisTemplate => typed(value, origin, &mut catalog.cluster_analysis_templates, index),
        Known::AnalysisRun => typed(value, origin, &mut catalog.analysis_runs, index),
        Known::Experiment => typed(value, origin, &mut catalog.experiments, index),
        Known::Service => typed(value, origin, &mut catalog.services, index),
        Known::Ingress => typed(value, origin, &mut catalog.ingresses, index),
        Known::ConfigMap => typed(value, origin, &mut catalog.config_maps, index),
        Known::Secret => typed(value, origin, &mut catalog.secrets, index),
        Known::Namespace => typed(value, origin, &mut catalog.namespaces, index),
    }
}

/// Namespace (empty for kinds that have none) and name as written.
fn identity(known: Known, origin: &Origin) -> (String, String) {
    let text = |path| origin.node.at(path).and_then(Node::text).map(str::to_owned);
    let namespace = text("metadata.namespace").unwrap_or_else(|| "default".to_owned());
    let namespace = if is_namespaced(known.name()) { namespace } else { String::new() };
    (namespace, text("metadata.name").unwrap_or_default())
}

/// The name must be there, and be one that Kubernetes takes.
fn unnamed(known: Known, origin: &Origin) -> Option<Problem> {
    let metadata = origin.node.get("metadata").filter(|node| matches!(node.kind, Kind::Map(_)))?;
    match metadata.get("name").map(|node| &node.kind) {
        None | Some(Kind::Null) => {
            let generated = metadata.get("generateName").is_some();
            if generated && matches!(known, Known::AnalysisRun | Known::Experiment) {
                return None;
            }
            // A key that is almost right is reported as an unknown field.
            let others = ["namespace", "generateName"];
            let keys = metadata.fields().iter().map(|field| field.key.as_str()).filter(|key| !others.contains(key));
            if nearest("name", keys).is_some() {
                return None;
            }
            Some(origin.problem("missing-field", "metadata.name", "the object has no name"))
        }
        Some(Kind::Text(name)) if !is_name(name) => {
            let message = format!("{} is no name of an object", document::quoted(name));
            let problem = origin.problem("bad-name", "metadata.name", message);
            Some(problem.expected("lower case letters, digits, '-' and '.', at most 253 of them, beginning and ending with a letter or digit"))
        }
        _ => None,
    }
}

/// A DNS subdomain, which the names of all our kinds have to be.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        edge(label.as_bytes().first()) && edge(label.as_bytes().last()) && label.bytes().all(inside)
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn typed<T: DeserializeOwned + Object>(
    value: Value,
    origin: Arc<Origin>,
    list: &mut Vec<Entry<T>>,
    index: &mut BTreeMap<Key, usize>,
) -> Result<(), Box<Problem>> {
    let place = Place { file: origin.file.clone(), line: origin.node.spot.line };
    match serde_json::from_value::<T>(value) {
        Ok(object) => {
            let meta = object.metadata();
            // Of two with the same name the first one stays: the second is reported as a duplicate.
            index.entry(key::<T>(meta.namespace(), meta.name())).or_insert(list.len());
            list.push(Entry { object, place, origin });
            Ok(())
        }
        Err(error) => {
            let problem = origin.problem("unreadable-object", "", format!("failed to read {}: {error}", T::KIND));
            Err(Box::new(Problem { severity: Severity::Error, ..problem }))
        }
    }
}
