//! From templates and arguments to a run that can be measured.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serin_core::Hash;
use serin_spec::arguments::{self, ArgumentError, Environment};
use serin_spec::wire::analysis::{AnalysisRunArgument, AnalysisRunSpec, AnalysisTemplateSpec, Argument};
use serin_spec::wire::canary::AnalysisTemplateRef;
use serin_spec::wire::provider::{DryRun, MeasurementRetention};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Templates by name; those that begin with `c-` are the cluster's.
fn compose(templates: &Value, names: &[&str]) -> Result<AnalysisTemplateSpec, ArgumentError> {
    let templates: BTreeMap<String, AnalysisTemplateSpec> = read(templates.clone());
    let reference = |name: &&str| AnalysisTemplateRef {
        template_name: (*name).to_owned(),
        cluster_scope: Some(name.starts_with("c-")),
    };
    let references: Vec<AnalysisTemplateRef> = names.iter().map(reference).collect();
    arguments::compose(&references, &|reference| {
        assert_eq!(reference.is_cluster_scope(), reference.template_name.starts_with("c-"));
        templates.get(&reference.template_name)
    })
}

fn metric(name: &str) -> Value {
    json!({ "name": name, "provider": { "web": { "url": "u" } } })
}

fn metrics(spec: &AnalysisTemplateSpec) -> Vec<&str> {
    spec.metrics.iter().map(|m| m.name.as_str()).collect()
}

//= compat: 3.3-1, 3.3-2, 3.3-3
#[test]
fn templates_are_unfolded_depth_first_and_each_counts_once() {
    let nested = |names: &[&str], own: &str| {
        let list: Vec<Value> =
            names.iter().map(|n| json!({ "templateName": n, "clusterScope": n.starts_with("c-") })).collect();
        json!({ "metrics": [metric(own)], "templates": list })
    };
    let templates = json!({
        "a": nested(&["c-x", "b"], "ma"), "b": nested(&["a"], "mb"), "c": nested(&[], "mc"),
        "c-x": nested(&["c"], "mx"), "c-y": nested(&["c-y"], "my"),
    });
    assert_eq!(metrics(&compose(&templates, &["c-y", "a", "a"]).unwrap()), ["ma", "mc", "mb", "my", "mx"]);
}

//= compat: 3.3-7
#[test]
fn a_missing_template_is_named() {
    let templates = json!({ "a": { "templates": [{ "templateName": "c-b", "clusterScope": true }] } });
    assert_eq!(compose(&templates, &["a"]).unwrap_err().to_string(), "ClusterAnalysisTemplate 'c-b' not found");
    assert_eq!(compose(&templates, &["z"]).unwrap_err().to_string(), "AnalysisTemplate 'z' not found");
}

//= compat: 3.3-4, 3.3-5, 3.3-6
#[test]
fn what_two_templates_say_of_the_same_name() {
    let error = |a: Value, b: Value| compose(&json!({ "a": a, "b": b }), &["a", "b"]).unwrap_err().to_string();
    assert_eq!(
        error(json!({ "metrics": [metric("m")] }), json!({ "metrics": [metric("m")] })),
        "two metrics have the same name 'm'"
    );
    let rule = |field: &str| json!({ field: [{ "metricName": "m", "limit": 1 }] });
    let dry = json!({ "dryRun": [{ "metricName": "m" }] });
    assert_eq!(error(dry.clone(), dry), "two Dry-Run metric rules have the same name 'm'");
    let retention = rule("measurementRetention");
    assert_eq!(error(retention.clone(), retention), "two Measurement Retention metric rules have the same name 'm'");
    let arg = |value: Value| json!({ "args": [value] });
    assert_eq!(
        error(arg(json!({ "name": "x", "value": "1" })), arg(json!({ "name": "x", "value": "2" }))),
        "Argument `x` specified multiple times with different values: '1', '2'"
    );
    let args = |a: Value, b: Value| compose(&json!({ "a": arg(a), "b": arg(b) }), &["a", "b"]).unwrap().args;
    let (open, one) = (json!({ "name": "x" }), json!({ "name": "x", "value": "1" }));
    let want: Vec<Argument> = read(json!([one]));
    assert_eq!(args(open.clone(), one.clone()), want);
    assert_eq!(args(one.clone(), open), want);
    assert_eq!(args(one.clone(), one), want);
}

fn resolve(args: Value) -> Result<Vec<String>, ArgumentError> {
    let rollout = json!({
        "metadata": { "name": "fraud", "namespace": "ml", "uid": "u-1", "labels": { "team": "risk", "app": "fraud" },
            "annotations": { "note": "say \"hi\"\n" } },
        "spec": { "replicas": 5, "paused": false, "strategy": { "canary": { "steps": [{ "setWeight": 20 }, { "pause": {} }] } } },
        "status": { "canary": { "weights": { "canary": { "weight": 1_500_000 } } } },
    });
    let (latest, stable) = (Hash::new("new1"), Hash::new("old1"));
    let environment = Environment { rollout: &rollout, latest: &latest, stable: Some(&stable) };
    let args: Vec<AnalysisRunArgument> = read(args);
    let resolved = arguments::resolve(&args, &environment)?;
    Ok(resolved.into_iter().map(|arg| arg.value.unwrap()).collect())
}

//= compat: 3.2-1, 3.2-2, 3.2-7
#[test]
fn values_and_hashes_are_resolved() {
    let args = json!([
        { "name": "a", "value": "plain" },
        { "name": "b", "valueFrom": { "podTemplateHashValue": "Latest" } },
        { "name": "c", "valueFrom": { "podTemplateHashValue": "Stable" } },
        { "name": "d" },
    ]);
    assert_eq!(resolve(args).unwrap(), ["plain", "new1", "old1", ""]);
}

//= compat: 3.2-3, 3.2-4
#[test]
fn fields_of_the_rollout_are_resolved() {
    let field = |path: &str| {
        let args = json!([{ "name": "x", "valueFrom": { "fieldRef": { "fieldPath": path } } }]);
        resolve(args).map(|mut values| values.remove(0)).map_err(|error| error.to_string())
    };
    let check = |path: &str, want: &str| assert_eq!(field(path).as_deref(), Ok(want), "{path}");
    check("metadata.name", "fraud");
    check("metadata.namespace", "ml");
    check("metadata.uid", "u-1");
    check("metadata.labels['team']", "risk");
    check("metadata.labels['none']", "");
    check("metadata.annotations['note']", "say \"hi\"\n");
    check("metadata.labels", "app=\"fraud\"\nteam=\"risk\"");
    check("metadata.annotations", "note=\"say \\\"hi\\\"\\n\"");
    check("spec.replicas", "5");
    check("spec.paused", "false");
    check("spec.strategy.canary.steps[0].setWeight", "20");
    check("status.canary.weights.canary.weight", "1.5e+06");
    let fails = |path: &str, want: &str| assert_eq!(field(path), Err(want.to_owned()), "{path}");
    fails("metadata.generation", "unsupported fieldPath: metadata.generation");
    fails("metadata.name['x']", "unsupported fieldPath: metadata.name['x']");
    fails("spec.none", "invalid path spec.none in rollout");
    fails("spec.replicas.deep", "invalid path spec.replicas.deep in rollout");
    fails("spec.strategy.canary.steps[first]", "invalid index 'first'");
    fails("spec.strategy.canary.steps[-1]", "invalid index '-1'");
    fails("spec.strategy.canary.steps[2]", "index 2 out of range");
    fails(
        "spec.strategy.canary.steps[1].pause",
        "path spec.strategy.canary.steps[1].pause in rollout must terminate in a primitive value",
    );
}

#[test]
fn a_rollout_without_a_namespace_is_in_the_default_one() {
    let (rollout, latest) = (json!({ "metadata": { "name": "fraud" } }), Hash::new("new1"));
    let environment = Environment { rollout: &rollout, latest: &latest, stable: None };
    let args = read(json!([{ "name": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
        { "name": "y", "valueFrom": { "podTemplateHashValue": "Stable" } }]));
    let args: Vec<AnalysisRunArgument> = args;
    let values: Vec<Option<String>> =
        arguments::resolve(&args, &environment).unwrap().into_iter().map(|arg| arg.value).collect();
    assert_eq!(values, [Some("default".to_owned()), Some(String::new())]);
}

//= compat: 3.1-2, 3.2-5, 3.2-6, 10.14
#[test]
fn a_run_has_the_declared_arguments_with_the_values_given() {
    let template: AnalysisTemplateSpec = read(json!({
        "metrics": [metric("m")],
        "args": [{ "name": "service" }, { "name": "limit", "value": "1" }, { "name": "empty" },
            { "name": "token", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } }],
    }));
    let given = |args: Value| arguments::instantiate(&template, &read::<Vec<Argument>>(args), &[], &[]);
    let run = given(json!([{ "name": "service", "value": "fraud" }, { "name": "typo", "value": "x" }, { "name": "empty", "value": "" }])).unwrap();
    let want: Vec<Argument> = read(
        json!([{ "name": "service", "value": "fraud" }, { "name": "limit", "value": "1" }, { "name": "empty", "value": "" },
        { "name": "token", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } }]),
    );
    assert_eq!((&run.args, run.metrics), (&want, template.metrics.clone()));
    assert_eq!(
        given(json!([{ "name": "service", "value": "fraud" }])).unwrap_err().to_string(),
        "args.empty was not resolved"
    );
    let plain = given(json!([{ "name": "service", "value": "a" }, { "name": "empty", "value": "" }, { "name": "token", "value": "t" }])).unwrap();
    assert_eq!(plain.args[3], read(json!({ "name": "token", "value": "t" })));
}

//= compat: 3.3-6
#[test]
fn rules_of_the_analysis_stand_before_those_of_the_template() {
    let template: AnalysisTemplateSpec =
        read(json!({ "dryRun": [{ "metricName": "b" }], "measurementRetention": [{ "metricName": "b", "limit": 2 }] }));
    let (dry, keep) = (
        |name: &str| DryRun { metric_name: name.to_owned() },
        |name: &str| MeasurementRetention { metric_name: name.to_owned(), limit: 1 },
    );
    let run = arguments::instantiate(&template, &[], &[dry("a")], &[keep("a")]).unwrap();
    assert_eq!(run.dry_run.iter().map(|r| r.metric_name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(run.measurement_retention.iter().map(|r| r.limit).collect::<Vec<_>>(), [1, 2]);
    let twice = arguments::instantiate(&template, &[], &[dry("b")], &[]);
    assert_eq!(twice.unwrap_err(), ArgumentError::DuplicateDryRun("b".to_owned()));
    let twice = arguments::instantiate(&template, &[], &[], &[keep("b")]);
    assert_eq!(twice.unwrap_err(), ArgumentError::DuplicateRetention("b".to_owned()));
}

fn secrets(name: &str) -> Option<BTreeMap<String, String>> {
    (name == "s").then(|| read(json!({ "k": "hunter2", "long": "hunter2hunter2", "none": "" })))
}

fn run(metric: Value, args: Value) -> AnalysisRunSpec {
    read(json!({ "metrics": [metric], "args": args }))
}

//= compat: 3.2-8, 3.1-4
#[test]
fn every_string_of_a_metric_is_filled_in() {
    let metric = json!({
        "name": "{{args.name}}", "interval": "{{ args.interval }}", "count": "{{args.count}}", "successCondition": "result > {{args.limit}}",
        "provider": { "prometheus": { "query": "sum(x{v=\"{{args.name}}\"})", "headers": [{ "key": "K", "value": "{{args.quoted}}" }] } },
    });
    let args = json!([{ "name": "name", "value": "errors" }, { "name": "interval", "value": "1m" }, { "name": "count", "value": "3" },
        { "name": "limit", "value": "0.5" }, { "name": "quoted", "value": "a\"b\\c\nd\u{1}é" }]);
    let filled = arguments::fill(&run(metric, args), &secrets).unwrap();
    let want = json!({
        "name": "errors", "interval": "1m", "count": "3", "successCondition": "result > 0.5",
        "provider": { "prometheus": { "query": "sum(x{v=\"errors\"})", "headers": [{ "key": "K", "value": "a\"b\\c\nd\u{1}é" }] } },
    });
    assert_eq!(serde_json::to_value(&filled.spec.metrics[0]).unwrap(), want);
}

/// A placeholder ends where its string ends, whatever an argument is called.
#[test]
fn no_value_changes_the_shape_of_a_metric() {
    let metric = json!({ "name": "m", "provider": { "web": { "url": "{{args.", "jsonPath": "x}}" } } });
    let args = json!([{ "name": "\",\"jsonPath\":\"x", "value": "\"}}]" }]);
    let error = arguments::fill(&run(metric, args), &secrets).unwrap_err();
    assert_eq!(error.to_string(), "failed to resolve {{args.");
    let free = json!({ "name": "m", "provider": { "plugin": { "{{args.p}}": { "list": ["{{args.p}}", 1, null] } } } });
    let filled = arguments::fill(&run(free, json!([{ "name": "p", "value": "a\"b" }])), &secrets).unwrap();
    let want = json!({ "a\"b": { "list": ["a\"b", 1, null] } });
    assert_eq!(serde_json::to_value(&filled.spec.metrics[0].provider.plugin).unwrap(), want);
}

//= compat: 3.2-9, 3.2-12
#[test]
fn placeholders_that_cannot_be_filled_in_are_errors() {
    let error = |query: &str, args: Value| {
        let metric = json!({ "name": "m", "provider": { "prometheus": { "query": query } } });
        arguments::fill(&run(metric, args), &secrets).unwrap_err().to_string()
    };
    assert_eq!(error("{{ args.none }}", json!([])), "failed to resolve {{ args.none }}");
    assert_eq!(error("{{inputs.x}}", json!([])), "failed to resolve {{inputs.x}}");
    assert!(error("up{{", json!([])).starts_with("failed to resolve {{"));
    assert_eq!(error("up", json!([{ "name": "x" }])), "argument \"x\" was not supplied");
    let field = json!([{ "name": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }]);
    assert_eq!(error("up", field), "argument \"x\" was not supplied");
}

//= compat: 3.2-10, 3.2-11
#[test]
fn secrets_are_read_at_every_measurement_and_shown_nowhere() {
    let metric = json!({ "name": "m", "provider": { "web": { "url": "http://{{args.token}}/{{args.long}}" } } });
    let secret = |name: &str, arg: &str, key: &str| json!({ "name": arg, "valueFrom": { "secretKeyRef": { "name": name, "key": key } } });
    let spec = run(
        metric.clone(),
        json!([secret("s", "token", "k"), secret("s", "long", "long"), secret("s", "none", "none")]),
    );
    let filled = arguments::fill(&spec, &secrets).unwrap();
    assert_eq!(filled.spec.metrics[0].provider.web.as_ref().unwrap().url, "http://hunter2/hunter2hunter2");
    assert_eq!(filled.redact("GET http://hunter2/hunter2hunter2: 500"), "GET http://*****/*****: 500");
    assert!(!format!("{filled:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&filled.spec.args).unwrap().contains("hunter2"));
    let masked = arguments::fill_masked(&spec).unwrap();
    assert_eq!(masked.metrics[0].provider.web.as_ref().unwrap().url, "http://*****/*****");
    let error = |name: &str, key: &str| {
        arguments::fill(&run(metric.clone(), json!([secret(name, "token", key)])), &secrets).unwrap_err().to_string()
    };
    assert_eq!(error("gone", "k"), "secrets \"gone\" not found");
    assert_eq!(error("s", "other"), "key 'other' does not exist in secret 's'");
}
