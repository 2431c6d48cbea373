//! The published definitions: current, structural, and as permissive as Argo's own. `UPDATE_GOLDEN=1` rewrites them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use serin_spec::crd::definitions;

fn schema(object: &Value) -> &Value {
    &object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn of(kind: &str) -> Value {
    definitions().into_iter().find(|d| d.object["spec"]["names"]["kind"] == kind).unwrap().object
}

/// Every node of a schema with its path: `.spec.steps[].pause`, `.metadata.labels{}`.
fn nodes<'s>(schema: &'s Value, path: &str, out: &mut BTreeMap<String, &'s Value>) {
    out.insert(path.to_owned(), schema);
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        nodes(below, &format!("{path}.{name}"), out);
    }
    if schema["items"].is_object() {
        nodes(&schema["items"], &format!("{path}[]"), out);
    }
    if schema["additionalProperties"].is_object() {
        nodes(&schema["additionalProperties"], &format!("{path}{{}}"), out);
    }
}

fn is_free(node: &Value) -> bool {
    node["x-kubernetes-preserve-unknown-fields"] == true
}

/// `object free required name`, as the fixture has it.
fn described(node: &Value) -> (String, Vec<String>) {
    let kind = node["type"].as_str().unwrap_or("int-or-string");
    let format = node["format"].as_str().map(|f| format!(" {f}")).unwrap_or_default();
    let required = node["required"].as_array().into_iter().flatten().map(|n| n.as_str().unwrap().to_owned()).collect();
    (format!("{kind}{format}"), required)
}

#[test]
fn the_published_files_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    for definition in definitions() {
        let text = serde_saphyr::to_string(&definition.object).unwrap();
        let path = folder.join(definition.file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "{} is not what the wire types say: run `cargo xtask crds`", path.display());
        let read: Value = serde_saphyr::from_str(&published).unwrap();
        assert_eq!(read, definition.object);
    }
}

//= compat: 1.1-1, 1.1-2
#[test]
fn names_and_scopes_are_argos() {
    let names = |kind: &str| {
        let object = of(kind);
        let names = &object["spec"]["names"];
        (object["metadata"]["name"].clone(), names["shortNames"].clone(), object["spec"]["scope"].clone())
    };
    assert_eq!(names("Rollout"), (json!("rollouts.argoproj.io"), json!(["ro"]), json!("Namespaced")));
    assert_eq!(names("AnalysisRun"), (json!("analysisruns.argoproj.io"), json!(["ar"]), json!("Namespaced")));
    assert_eq!(names("AnalysisTemplate"), (json!("analysistemplates.argoproj.io"), json!(["at"]), json!("Namespaced")));
    let cluster = (json!("clusteranalysistemplates.argoproj.io"), json!(["cat"]), json!("Cluster"));
    assert_eq!(names("ClusterAnalysisTemplate"), cluster);
    assert_eq!(names("Experiment"), (json!("experiments.argoproj.io"), json!(["exp"]), json!("Namespaced")));
}

//= compat: 1.1-3, 1.1-4
#[test]
fn only_a_rollout_has_a_status_and_a_scale_of_its_own() {
    for definition in definitions() {
        let of_version = &definition.object["spec"]["versions"][0]["subresources"];
        match definition.object["spec"]["names"]["kind"].as_str() {
            Some("Rollout") => {
                assert_eq!(of_version["status"], json!({}));
                assert_eq!(of_version["scale"]["specReplicasPath"], ".spec.replicas");
                assert_eq!(of_version["scale"]["statusReplicasPath"], ".status.HPAReplicas");
                assert_eq!(of_version["scale"]["labelSelectorPath"], ".status.selector");
            }
            kind => assert_eq!(*of_version, json!({}), "{kind:?}"),
        }
    }
}

//= compat: 1.1-5, 1.1-6
#[test]
fn kubectl_shows_argos_columns() {
    let columns = |kind: &str| {
        let object = of(kind);
        let list = object["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().clone();
        let shown = list.iter().map(|c| format!("{}={}", c["name"].as_str().unwrap(), c["jsonPath"].as_str().unwrap()));
        shown.collect::<Vec<_>>().join(" ")
    };
    let age = "Age=.metadata.creationTimestamp";
    assert_eq!(
        columns("Rollout"),
        format!(
            "Desired=.spec.replicas Current=.status.replicas Up-to-date=.status.updatedReplicas Available=.status.availableReplicas {age}"
        )
    );
    assert_eq!(columns("AnalysisRun"), format!("Status=.status.phase {age}"));
    assert_eq!(columns("Experiment"), format!("Status=.status.phase {age}"));
    assert_eq!(columns("AnalysisTemplate"), age);
    assert_eq!(columns("ClusterAnalysisTemplate"), age);
}

//= compat: 1.1-7
#[test]
fn a_rollouts_selector_cannot_be_changed() {
    let rollout = of("Rollout");
    let selector = &schema(&rollout)["properties"]["spec"]["properties"]["selector"];
    assert_eq!(selector["x-kubernetes-validations"][0]["rule"], "self == oldSelf");
}

//= compat: 1.1-8
#[test]
fn what_plugins_define_is_kept_as_it_is_written() {
    let free = |kind: &str, path: &str| {
        let object = of(kind);
        let mut all = BTreeMap::new();
        nodes(schema(&object), "", &mut all);
        let node = all.get(path).unwrap_or_else(|| panic!("{kind}: no {path}"));
        assert!(is_free(node), "{kind}: {path}");
    };
    free("Rollout", ".spec.strategy.canary.trafficRouting.plugins");
    free("Rollout", ".spec.strategy.canary.steps[].plugin.config");
    free("Rollout", ".spec.template");
    for kind in ["AnalysisRun", "AnalysisTemplate", "ClusterAnalysisTemplate"] {
        free(kind, ".spec.metrics[].provider.plugin");
        free(kind, ".spec.metrics[].provider.web.jsonBody");
    }
}

//= compat: 3.14-2
#[test]
fn an_absent_datadog_version_is_the_first() {
    let template = of("AnalysisTemplate");
    let mut all = BTreeMap::new();
    nodes(schema(&template), "", &mut all);
    assert_eq!(all[".spec.metrics[].provider.datadog.apiVersion"]["default"], "v1");
    let defaults = all.iter().filter(|(_, node)| !node["default"].is_null()).map(|(path, _)| path.as_str());
    assert!(defaults.into_iter().all(|path| path.contains(".datadog.")), "the server fills nothing else in");
}

/// The rules that an API server holds a schema to.
#[test]
fn every_schema_is_structural() {
    const KNOWN: [&str; 14] = [
        "additionalProperties",
        "anyOf",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    for definition in definitions() {
        let mut all = BTreeMap::new();
        nodes(schema(&definition.object), "", &mut all);
        assert!(all.len() > 40, "{}: {} nodes", definition.file, all.len());
        for (path, node) in all {
            let at = format!("{}: {path}: {node}", definition.file);
            let fields = node.as_object().unwrap();
            assert!(fields.keys().all(|key| KNOWN.contains(&key.as_str())), "{at}");
            let either = node["x-kubernetes-int-or-string"] == true;
            assert_eq!(node["type"].is_string(), !either, "{at}");
            assert_eq!(fields.contains_key("anyOf"), either, "{at}");
            assert!(!fields.contains_key("properties") || !fields.contains_key("additionalProperties"), "{at}");
            assert!(node["type"] != "array" || node["items"].is_object(), "{at}");
            let names = node["required"].as_array().into_iter().flatten();
            assert!(names.into_iter().all(|name| node["properties"][name.as_str().unwrap()].is_object()), "{at}");
        }
    }
}

/// Parts that Argo's server knows and ours keeps as they are written, since they are read by nothing here, or are pods.
const KEPT_WHOLE: [&str; 14] = [
    ".spec.template",
    ".spec.templates[].template",
    ".spec.metrics[].provider.",
    ".spec.strategy.canary.trafficRouting.alb",
    ".spec.strategy.canary.trafficRouting.ambassador",
    ".spec.strategy.canary.trafficRouting.apisix",
    ".spec.strategy.canary.trafficRouting.appMesh",
    ".spec.strategy.canary.trafficRouting.istio",
    ".spec.strategy.canary.trafficRouting.smi",
    ".spec.strategy.canary.trafficRouting.traefik",
    ".status.alb",
    ".status.albs[]",
    ".status.canary.stepPluginStatuses[]",
    ".status.duration",
];

/// What Argo's server stores, ours stores too: the same fields, types and formats, and no more of them required.
#[test]
fn every_field_of_argos_definitions_is_there_and_no_other() {
    let argo: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(include_str!("data/argo-crds.json")).unwrap();
    assert_eq!(argo.len(), 5);
    for definition in definitions() {
        let theirs = &argo[definition.file];
        let mut ours = BTreeMap::new();
        nodes(schema(&definition.object), "", &mut ours);
        let kept: Vec<&String> = ours.iter().filter(|(_, node)| is_free(node)).map(|(path, _)| path).collect();
        let below = |path: &str| kept.iter().any(|kept| path.len() > kept.len() && path.starts_with(kept.as_str()));
        for (path, text) in theirs {
            let at = format!("{}: {path}", definition.file);
            let Some(node) = ours.get(path) else {
                assert!(below(path), "{at} is missing");
                continue;
            };
            let (text, required) = text.split_once(" required ").unwrap_or((text, ""));
            let (kind, needed) = described(node);
            assert_eq!(text.trim_end_matches(" free"), kind, "{at}");
            let more: Vec<&String> = needed.iter().filter(|name| !required.split(',').any(|r| r == **name)).collect();
            assert!(more.is_empty(), "{at}: {more:?} is required here only");
            let widened = is_free(node) && !text.ends_with(" free");
            assert!(
                !widened || KEPT_WHOLE.iter().any(|kept| path == kept || kept.ends_with('.') && path.starts_with(kept)),
                "{at} is kept whole"
            );
        }
        let other: Vec<&String> = ours.keys().filter(|path| !theirs.contains_key(*path)).collect();
        assert!(other.is_empty(), "{}: {other:?}", definition.file);
    }
}

/// The paths of what a document says, as the fixture has them.
fn said(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, below)| said(below, &format!("{path}.{name}"), out)),
        Value::Array(items) => items.iter().for_each(|item| said(item, &format!("{path}[]"), out)),
        _ => out.push(path.to_owned()),
    }
}

/// Templates with sequential metrics, and what their runs remember, pass a server with Argo's definitions and one with ours without a loss.
#[test]
fn sequential_metrics_and_their_memory_are_stored_by_either_definition() {
    let counters = json!({ "bad": "a", "total": "b" });
    let settings = json!({
        "tolerance": { "absolute": "1pt", "relative": "50%" },
        "prometheus": { "address": "http://p:9090", "canary": counters, "stable": counters },
        "resolved": { "share": 0.5, "goesOn": true },
    });
    let metric =
        json!({ "name": "errors", "interval": "5s", "provider": { "plugin": { "serin.dev/compare": settings } } });
    let metadata = json!({ "serin.dev/state": "{}", "serin.dev/standing": "{}", "serin.dev/cursor": "{}", "serin.dev/passed-at": "20/100" });
    let measurement = json!({
        "phase": "Running", "value": "v", "startedAt": "2026-01-02T03:04:05.678Z", "resumeAt": "2026-01-02T03:04:10Z",
        "metadata": metadata,
    });
    let run = json!({
        "spec": { "metrics": [metric] },
        "status": { "phase": "Running", "metricResults": [{ "name": "errors", "phase": "Running", "measurements": [measurement] }] },
    });
    let argo: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(include_str!("data/argo-crds.json")).unwrap();
    let mut ours = BTreeMap::new();
    let definition = of("AnalysisRun");
    nodes(schema(&definition), "", &mut ours);
    let theirs = &argo["analysis-run-crd.yaml"];
    let mut paths = Vec::new();
    said(&run, "", &mut paths);
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        // A map of texts takes any name.
        let path = match path.split_once(".metadata.") {
            Some((before, _)) => format!("{before}.metadata{{}}"),
            None => path,
        };
        let free = |is_free: &dyn Fn(&str) -> bool| {
            path.match_indices('.').any(|(end, _)| is_free(&path[..end])) || is_free(&path)
        };
        let kept_by_argo =
            theirs.contains_key(&path) || free(&|part| theirs.get(part).is_some_and(|text| text.ends_with(" free")));
        let kept_by_us = ours.contains_key(&path) || free(&|part| ours.get(part).is_some_and(|node| is_free(node)));
        assert!(kept_by_argo && kept_by_us, "{path}: by Argo's {kept_by_argo}, by ours {kept_by_us}");
    }
}
