//! The CustomResourceDefinitions of Argo's kinds, made of the wire types: what an API server needs to know to store them.

mod structural;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::wire::experiment::Experiment;
use crate::wire::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout};

/// The group of all kinds.
pub const GROUP: &str = "argoproj.io";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// One definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The file it is published in, such as `rollout-crd.yaml`.
    pub file: &'static str,
    /// The object.
    pub object: Value,
}

/// A column of `kubectl get`: its name, type, path, and what it says.
type Column = (&'static str, &'static str, &'static str, &'static str);

/// What the wire type of a kind does not say.
struct Kind {
    file: &'static str,
    kind: &'static str,
    singular: &'static str,
    short: &'static str,
    scope: &'static str,
    about: &'static str,
    columns: &'static [Column],
    subresources: fn() -> Value,
    schema: fn() -> Value,
}

const AGE: Column = ("Age", "date", ".metadata.creationTimestamp", "Time since the object was created");
const STATUS: Column = ("Status", "string", ".status.phase", "Where it stands");

//= compat: 1.1-5
const ROLLOUT_COLUMNS: &[Column] = &[
    ("Desired", "integer", ".spec.replicas", "Number of wanted pods"),
    ("Current", "integer", ".status.replicas", "Number of existing pods"),
    ("Up-to-date", "integer", ".status.updatedReplicas", "Number of existing pods of the current template"),
    ("Available", "integer", ".status.availableReplicas", "Number of pods that have been ready for minReadySeconds"),
    AGE,
];

//= compat: 1.1-1, 1.1-2, 1.1-3, 1.1-6
const KINDS: [Kind; 5] = [
    Kind {
        file: "rollout-crd.yaml",
        kind: "Rollout",
        singular: "rollout",
        short: "ro",
        scope: "Namespaced",
        about: "A service whose versions take over step by step.",
        columns: ROLLOUT_COLUMNS,
        subresources: rollout_subresources,
        schema: root::<Rollout>,
    },
    Kind {
        file: "analysis-run-crd.yaml",
        kind: "AnalysisRun",
        singular: "analysisrun",
        short: "ar",
        scope: "Namespaced",
        about: "Metrics that are measured, and what came of it.",
        columns: &[STATUS, AGE],
        subresources: none,
        schema: root::<AnalysisRun>,
    },
    Kind {
        file: "analysis-template-crd.yaml",
        kind: "AnalysisTemplate",
        singular: "analysistemplate",
        short: "at",
        scope: "Namespaced",
        about: "Metrics that runs of this namespace measure.",
        columns: &[AGE],
        subresources: none,
        schema: root::<AnalysisTemplate>,
    },
    Kind {
        file: "cluster-analysis-template-crd.yaml",
        kind: "ClusterAnalysisTemplate",
        singular: "clusteranalysistemplate",
        short: "cat",
        scope: "Cluster",
        about: "Metrics that runs of every namespace measure.",
        columns: &[AGE],
        subresources: none,
        schema: root::<ClusterAnalysisTemplate>,
    },
    Kind {
        file: "experiment-crd.yaml",
        kind: "Experiment",
        singular: "experiment",
        short: "exp",
        scope: "Namespaced",
        about: "Versions that run side by side for a while.",
        columns: &[STATUS, AGE],
        subresources: none,
        schema: root::<Experiment>,
    },
];

/// All five, in the order in which they are published. Their label tells them from those of another controller.
pub fn definitions() -> Vec<Definition> {
    KINDS.iter().map(|kind| Definition { file: kind.file, object: definition(kind) }).collect()
}

fn definition(kind: &Kind) -> Value {
    let plural = format!("{}s", kind.singular);
    let columns = kind
        .columns
        .iter()
        .map(|(name, kind, path, about)| json!({ "description": about, "jsonPath": path, "name": name, "type": kind }));
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{GROUP}"), "labels": { "app.kubernetes.io/part-of": "serin" } },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": format!("{}List", kind.kind),
                "plural": plural,
                "shortNames": [kind.short],
                "singular": kind.singular,
            },
            "scope": kind.scope,
            "versions": [{
                "additionalPrinterColumns": columns.collect::<Vec<_>>(),
                "name": VERSION,
                "schema": { "openAPIV3Schema": schema(kind) },
                "served": true,
                "storage": true,
                "subresources": (kind.subresources)(),
            }],
        },
    })
}

/// The schema of a kind, with what no Rust type can say.
fn schema(kind: &Kind) -> Value {
    let mut schema = structural::schema(&(kind.schema)());
    schema["description"] = Value::from(kind.about);
    // The server itself knows what metadata is; who writes an object must give its spec, all else is filled in.
    schema["properties"]["metadata"] = json!({ "type": "object" });
    schema["required"] = json!(["spec"]);
    if let Some(selector) = schema.pointer_mut("/properties/spec/properties/selector") {
        immutable(selector);
    }
    if let Some(datadog) =
        schema.pointer_mut("/properties/spec/properties/metrics/items/properties/provider/properties/datadog")
    {
        datadog["properties"] = datadog_defaults();
    }
    relax(&mut schema);
    schema
}

/// Argo's server stores objects without these fields, so ours must not refuse them; they are found to be invalid later. A
/// step's `replicaProgressThreshold`, which only some documents know, is no field there either.
fn relax(schema: &mut Value) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "templateName");
    }
    if schema["required"].as_array().is_some_and(Vec::is_empty) {
        schema.as_object_mut().map(|schema| schema.remove("required"));
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, below) in properties.into_iter().flatten() {
        if name == "setHeaderRoute" {
            below.as_object_mut().map(|route| route.remove("required"));
        }
        if name == "steps" {
            let step = below.pointer_mut("/items/properties").and_then(Value::as_object_mut);
            step.map(|step| step.remove("replicaProgressThreshold"));
        }
        relax(below);
    }
    if let Some(items) = schema.get_mut("items") {
        relax(items);
    }
}

/// Pools are found by the selector; with another one they would be lost.
//= compat: 1.1-7
fn immutable(selector: &mut Value) {
    selector["x-kubernetes-map-type"] = Value::from("atomic");
    selector["x-kubernetes-validations"] =
        json!([{ "message": ".spec.selector is immutable", "rule": "self == oldSelf" }]);
}

/// Without them an absent version would mean the second one.
//= compat: 3.14-2
fn datadog_defaults() -> Value {
    json!({
        "apiVersion": { "type": "string", "enum": ["v1", "v2"], "default": "v1" },
        "interval": { "type": "string", "default": "5m" },
        "requestTimeout": { "type": "string", "default": "10s" },
    })
}

//= compat: 1.1-3, 1.1-4
fn rollout_subresources() -> Value {
    json!({
        "scale": {
            "labelSelectorPath": ".status.selector",
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.HPAReplicas",
        },
        "status": {},
    })
}

/// Status is written with the whole object.
fn none() -> Value {
    json!({})
}

fn root<T: JsonSchema>() -> Value {
    SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}
