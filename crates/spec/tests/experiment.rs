//! Experiments on the wire: the object of a step, defaults, rules, the arguments of their runs, and their status.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_core::analysis::RunPhase;
use serin_core::condition::{Condition, Conditions, Kind, Truth};
use serin_core::experiment::{AnalysisStatus, Experiment, ExperimentStatus, TemplatePhase, TemplateStatus};
use serin_core::{Hash, Span, Step, Time};
use serin_spec::arguments::{Environment, experiment_run_spec};
use serin_spec::raise::Versions;
use serin_spec::wire::analysis::AnalysisTemplateSpec;
use serin_spec::wire::experiment as wire;
use serin_spec::wire::{PodTemplate, Rollout};
use serin_spec::{hash, lower, raise, validate};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn pods(image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": "churn", "rollouts-pod-template-hash": "former" } },
        "spec": { "containers": [{ "name": "c", "image": image, "ports": [{ "containerPort": 8000 }] }] },
    })
}

fn object(spec: Value) -> wire::Experiment {
    let head = json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": { "name": "exp" } });
    let mut object = head;
    object["spec"] = spec;
    read(object)
}

fn lowered(spec: Value) -> Experiment {
    lower::experiment(&object(spec), &ExperimentStatus::default(), &|_| None)
}

fn template(extra: Value) -> Value {
    let mut template =
        json!({ "name": "a", "selector": { "matchLabels": { "app": "churn" } }, "template": pods("m:1") });
    template.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
    template
}

//= compat: 5.1-1, 5.2-3
#[test]
fn an_experiment_has_argos_defaults() {
    let experiment = lowered(json!({ "templates": [template(json!({}))] }));
    assert_eq!((experiment.name.as_str(), experiment.duration, experiment.terminate), ("exp", None, false));
    assert_eq!(experiment.progress_deadline, Span::from_secs(600));
    assert_eq!(experiment.scale_down_delay, Span::from_secs(30));
    assert_eq!((experiment.templates[0].replicas, experiment.templates[0].service.clone()), (1, None));
    assert_eq!(experiment.invalid, None);
    let written = lowered(json!({
        "templates": [template(json!({ "replicas": 3 }))], "duration": "1h30m", "progressDeadlineSeconds": 20,
        "scaleDownDelaySeconds": 0, "terminate": true,
        "analyses": [{ "name": "x", "templateName": "t", "requiredForCompletion": true }],
    }));
    assert_eq!((written.templates[0].replicas, written.duration), (3, Some(Span::from_secs(5400))));
    assert_eq!((written.progress_deadline, written.scale_down_delay), (Span::from_secs(20), Span::ZERO));
    assert!(written.terminate && written.analyses[0].required);
}

//= compat: 5.2-3
#[test]
fn a_service_needs_a_port_and_is_named_after_its_pool() {
    let check = |service: Value, ports: bool, wanted: Option<&str>| {
        let mut extra = json!({ "service": service });
        if !ports {
            extra["template"] = json!({ "metadata": { "labels": { "app": "churn" } }, "spec": { "containers": [{ "name": "c", "image": "m" }] } });
        }
        let experiment = lowered(json!({ "templates": [template(extra)] }));
        assert_eq!(experiment.templates[0].service.as_deref(), wanted);
    };
    check(json!({}), true, Some("exp-a"));
    check(json!({ "name": "web" }), true, Some("web"));
    check(json!({ "name": "" }), true, Some("exp-a"));
    check(json!({}), false, None);
}

//= compat: 5.2-2
#[test]
fn the_hash_of_a_version_is_its_own_and_former_hash_labels_do_not_count() {
    let with: PodTemplate = read(pods("m:1"));
    let mut without = with.clone();
    without.0["metadata"]["labels"].as_object_mut().unwrap().remove("rollouts-pod-template-hash");
    let of = |template: &PodTemplate, pool: &str| hash::experiment_template(template, None, pool);
    assert_eq!(of(&with, "exp-a"), of(&without, "exp-a"));
    assert_ne!(of(&with, "exp-a"), of(&with, "exp-b"), "two versions of the same pods are told apart");
    assert_ne!(of(&without, "exp-a"), hash::pod_template(&without, None), "and from the rollout's own");
    assert_ne!(of(&with, "exp-a"), hash::experiment_template(&with, Some(1), "exp-a"));
    let known = TemplateStatus { name: "a".to_owned(), hash: Some(Hash::new("kept")), ..TemplateStatus::default() };
    let status = ExperimentStatus { templates: vec![known], ..ExperimentStatus::default() };
    let wire = object(json!({ "templates": [template(json!({}))] }));
    assert_eq!(lower::experiment(&wire, &status, &|_| None).templates[0].hash, Hash::new("kept"));
}

//= compat: 8.6-1
#[test]
fn an_experiment_that_breaks_a_rule_is_lowered_as_invalid() {
    let check = |templates: Value, wanted: &str| {
        let spec = json!({ "templates": templates, "progressDeadlineSeconds": 10 });
        assert_eq!(lowered(spec.clone()).invalid.as_deref(), Some(wanted));
        assert_eq!(validate::experiment(&object(spec))[0].to_string(), wanted);
    };
    let of = |extra: Value| json!([template(extra)]);
    check(of(json!({ "selector": null })), "spec.templates[0].selector: Required value: the template has no selector");
    check(
        of(json!({ "selector": {} })),
        "spec.templates[0].selector: Invalid value: an empty selector selects every pod",
    );
    let late = "spec.templates[0].minReadySeconds: Invalid value: minReadySeconds must not be greater than progressDeadlineSeconds";
    check(of(json!({ "minReadySeconds": 11 })), late);
    check(of(json!({ "name": "" })), "spec.templates[0].name: Required value: the template has no name");
    let both = json!([template(json!({})), template(json!({}))]);
    check(both, "spec.templates[1].name: Duplicate value: two templates have the name \"a\"");
    let other = json!({ "selector": { "matchLabels": { "app": "other" } } });
    check(of(other), "spec.templates[0].selector: Invalid value: `selector` does not match template `labels`");
    for name in ["A", "a.b", "-a", "a-", &"a".repeat(64)] {
        assert!(lowered(json!({ "templates": of(json!({ "name": name })) })).invalid.is_some(), "{name}");
    }
    assert!(lowered(json!({ "duration": "soon" })).invalid.is_some());
    assert_eq!(lowered(json!({ "templates": of(json!({ "minReadySeconds": 600 })) })).invalid, None);
}

fn rollout(step: Value) -> Rollout {
    read(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {
            "name": "churn", "namespace": "ml", "uid": "u-1", "generation": 3,
            "labels": { "team": "risk", "argo-rollouts.argoproj.io/controller-instance-id": "blue" },
        },
        "spec": {
            "minReadySeconds": 7, "progressDeadlineSeconds": 90, "selector": { "matchLabels": { "app": "churn" } },
            "template": pods("m:2"), "strategy": { "canary": { "steps": [{ "experiment": step }] } },
        },
    }))
}

fn made(step: Value) -> wire::Experiment {
    let rollout = rollout(step);
    let (canary, stable): (PodTemplate, PodTemplate) = (read(pods("m:2")), read(pods("m:1")));
    let (latest, former) = (Hash::new("new"), Hash::new("old"));
    let value = serde_json::to_value(&rollout).unwrap();
    let environment = Environment { rollout: &value, latest: &latest, stable: Some(&former) };
    let versions = Versions { canary: &canary, stable: &stable };
    raise::experiment(&rollout, 0, "churn-new-2-0", (&latest, 2), versions, &environment).unwrap().unwrap()
}

//= compat: 5.4-1
#[test]
fn weights_are_what_the_rollout_decides_by() {
    let step = json!({ "templates": [{ "name": "a", "weight": 5 }, { "name": "b" }, { "name": "c", "weight": 0 }] });
    let lowered = lower::rollout(&rollout(step), 1, None);
    let Some(Step::Experiment(step)) = lowered.canary().unwrap().steps.first() else { panic!("no experiment") };
    assert_eq!(step.weights, [("a".to_owned(), 5)]);
}

//= compat: 5.4-3
#[test]
fn an_experiment_of_a_step_belongs_to_its_rollout() {
    let made =
        made(json!({ "templates": [], "duration": "5m", "scaleDownDelaySeconds": 4, "dryRun": [{ "metricName": "x" }],
        "analysisRunMetadata": { "labels": { "l": "v" } } }));
    let meta = &made.metadata;
    assert_eq!((meta.name(), meta.namespace()), ("churn-new-2-0", "ml"));
    assert_eq!(meta.labels["team"], "risk");
    assert_eq!(meta.labels["rollouts-pod-template-hash"], "new");
    assert_eq!(meta.labels["argo-rollouts.argoproj.io/controller-instance-id"], "blue");
    assert_eq!(meta.annotations["rollout.argoproj.io/revision"], "2");
    assert_eq!(
        (meta.owner_references[0]["kind"].as_str(), meta.owner_references[0]["uid"].as_str()),
        (Some("Rollout"), Some("u-1"))
    );
    let spec = &made.spec;
    assert_eq!((spec.progress_deadline_seconds, spec.scale_down_delay_seconds), (Some(90), Some(4)));
    assert_eq!((spec.duration.as_deref(), spec.dry_run.len()), (Some("5m"), 1));
    assert_eq!(spec.analysis_run_metadata.as_ref().unwrap().labels["l"], "v");
}

//= compat: 5.4-4
#[test]
fn versions_are_copied_with_labels_and_annotations_of_their_own() {
    let made = made(json!({ "templates": [
        { "name": "baseline", "specRef": "stable", "replicas": 2, "metadata": { "labels": { "role": "b" }, "annotations": { "n": "1" } } },
        { "name": "canary", "specRef": "canary", "selector": { "matchLabels": { "app": "churn", "x": "y" } } },
    ] }));
    let [baseline, canary] = made.spec.templates.as_slice() else { panic!("two templates") };
    assert_eq!((baseline.replicas, baseline.min_ready_seconds), (Some(2), Some(7)));
    assert_eq!(baseline.template.containers()[0].image, "m:1");
    assert_eq!(canary.template.containers()[0].image, "m:2");
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    assert_eq!(baseline.template.labels(), labels(&[("app", "churn"), ("role", "b")]));
    assert_eq!(baseline.template.annotations(), labels(&[("n", "1")]));
    assert_eq!(baseline.selector.as_ref().unwrap().match_labels, labels(&[("app", "churn"), ("role", "b")]));
    assert_eq!(canary.selector.as_ref().unwrap().match_labels, labels(&[("app", "churn"), ("x", "y")]));
}

//= compat: 5.4-5
#[test]
fn a_weight_brings_a_service() {
    let made = made(json!({ "templates": [
        { "name": "a", "weight": 5 }, { "name": "b", "service": { "name": "web" } }, { "name": "c" }, { "name": "d", "weight": 0 },
    ] }));
    let services: Vec<_> = made.spec.templates.iter().map(|t| t.service.as_ref().map(|s| s.name.as_deref())).collect();
    assert_eq!(services, [Some(None), Some(Some("web")), None, None]);
}

#[test]
fn arguments_from_the_rollout_are_values_in_the_experiment() {
    let made = made(
        json!({ "templates": [], "analyses": [{ "name": "x", "templateName": "t", "requiredForCompletion": true, "args": [
        { "name": "new", "valueFrom": { "podTemplateHashValue": "Latest" } },
        { "name": "name", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
        { "name": "baseline", "value": "{{templates.baseline.podTemplateHash}}" },
    ] }] }),
    );
    let args: Vec<_> = made.spec.analyses[0].args.iter().map(|a| a.value.as_deref().unwrap()).collect();
    assert_eq!(args, ["new", "churn", "{{templates.baseline.podTemplateHash}}"]);
}

fn run(args: Value, experiment: Value) -> Result<Vec<(String, String)>, String> {
    let template: AnalysisTemplateSpec = read(json!({
        "metrics": [{ "name": "m", "provider": { "web": { "url": "u" } } }],
        "args": [{ "name": "a" }, { "name": "b", "value": "default" }],
    }));
    let mut spec = json!({ "templates": [template_named("base"), template_named("new")] });
    spec.as_object_mut().unwrap().extend(experiment.as_object().cloned().unwrap_or_default());
    spec["analyses"] = json!([{ "name": "x", "templateName": "t", "args": args }]);
    let object = object(spec);
    let hashed = |name: &str| TemplateStatus {
        name: name.to_owned(),
        hash: Some(Hash::new(format!("h-{name}"))),
        ..TemplateStatus::default()
    };
    let status = ExperimentStatus {
        templates: vec![hashed("base"), hashed("new")],
        available_at: Some(Time::from_millis(1_700_000_000_900)),
        ..ExperimentStatus::default()
    };
    let found = |r: &serin_spec::wire::canary::AnalysisTemplateRef| (r.template_name == "t").then_some(&template);
    let spec = experiment_run_spec(&object, &object.spec.analyses[0], &status, &found).map_err(|e| e.to_string())?;
    Ok(spec.args.into_iter().map(|a| (a.name, a.value.unwrap_or_default())).collect())
}

fn template_named(name: &str) -> Value {
    template(json!({ "name": name }))
}

//= compat: 5.3-9
#[test]
fn arguments_of_a_run_may_speak_of_versions_and_times() {
    let value = |text: &str| {
        run(json!([{ "name": "a", "value": text }]), json!({ "duration": "5m" })).map(|args| args[0].1.clone())
    };
    assert_eq!(value("{{templates.base.podTemplateHash}}").unwrap(), "h-base");
    assert_eq!(
        value("x{{ templates.new.podTemplateHash }}y{{templates.base.replicaset.name}}").unwrap(),
        "xh-newyexp-base"
    );
    assert_eq!(value("{{experiment.availableAt}}").unwrap(), "2023-11-14T22:13:20Z");
    assert_eq!(value("{{experiment.finishedAt}}").unwrap(), "2023-11-14T22:18:20Z");
    for lost in
        ["{{templates.gone.podTemplateHash}}", "{{templates.gone.replicaset.name}}", "{{other}}", "{{templates.base"]
    {
        assert_eq!(value(lost).unwrap_err(), format!("failed to resolve {lost}"));
    }
    let endless = run(json!([{ "name": "a", "value": "{{experiment.finishedAt}}" }]), json!({}));
    assert_eq!(endless.unwrap_err(), "failed to resolve {{experiment.finishedAt}}");
}

//= compat: 5.3-9
#[test]
fn only_values_are_passed_on() {
    let args = json!([
        { "name": "a", "value": "1" },
        { "name": "b", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } },
    ]);
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(run(args, json!({})).unwrap(), [pair("a", "1"), pair("b", "default")]);
    assert_eq!(run(json!([]), json!({})).unwrap_err(), "args.a was not resolved");
}

//= compat: 5.3-10
#[test]
fn rules_and_metadata_of_the_experiment_go_to_every_run() {
    let template: AnalysisTemplateSpec =
        read(json!({ "metrics": [{ "name": "m", "provider": { "web": { "url": "u" } } }] }));
    let object = object(json!({
        "analyses": [{ "name": "x", "templateName": "t" }], "dryRun": [{ "metricName": "m" }],
        "measurementRetention": [{ "metricName": "m", "limit": 3 }],
        "analysisRunMetadata": { "labels": { "l": "v" }, "annotations": { "a": "w" } },
    }));
    let status = ExperimentStatus::default();
    let spec = experiment_run_spec(&object, &object.spec.analyses[0], &status, &|_| Some(&template)).unwrap();
    assert_eq!((spec.dry_run.len(), spec.measurement_retention[0].limit), (1, 3));
    let made = raise::experiment_run(&object, "exp-x", spec);
    assert_eq!((made.metadata.name(), made.metadata.labels["l"].as_str()), ("exp-x", "v"));
    assert_eq!(made.metadata.annotations["a"], "w");
    let mut owned = object;
    owned.metadata.uid = Some("u-2".to_owned());
    let made = raise::experiment_run(&owned, "exp-x", made.spec);
    assert_eq!(made.metadata.owner_references[0]["kind"], "Experiment");
}

fn phase() -> impl Strategy<Value = RunPhase> {
    prop_oneof![
        Just(RunPhase::Pending),
        Just(RunPhase::Running),
        Just(RunPhase::Successful),
        Just(RunPhase::Failed),
        Just(RunPhase::Error),
        Just(RunPhase::Inconclusive)
    ]
}

fn time() -> impl Strategy<Value = Time> {
    (0_i64..4_000_000_000_000).prop_map(Time::from_millis)
}

fn template_status() -> impl Strategy<Value = TemplateStatus> {
    use TemplatePhase::{Error, Failed, Progressing, Running, Successful};
    let phase = prop_oneof![Just(Progressing), Just(Running), Just(Successful), Just(Failed), Just(Error)];
    let counts = (0_u32..9, 0_u32..9, 0_u32..9, 0_u32..9);
    let named = (prop::option::of("[a-z]{1,9}"), prop::option::of("[bcdf4-9]{1,10}"));
    ("[a-z]{1,9}", phase, ".{0,20}", time(), counts, named).prop_map(
        |(name, phase, message, transitioned, counts, named)| {
            let (members, ready, available, collision_count) = counts;
            let (service, hash) = (named.0, named.1.map(Hash::new));
            TemplateStatus {
                name,
                phase,
                message,
                transitioned,
                members,
                ready,
                available,
                collision_count,
                service,
                hash,
            }
        },
    )
}

fn status() -> impl Strategy<Value = ExperimentStatus> {
    let analysis = ("[a-z]{1,9}", "[a-z-]{0,9}", phase(), ".{0,20}")
        .prop_map(|(name, run, phase, message)| AnalysisStatus { name, run, phase, message });
    let condition =
        (time(), time(), "[A-Z][a-z]{2,8}", ".{0,20}").prop_map(|(updated, transitioned, reason, message)| {
            let (kind, truth) = (Kind::Progressing, Truth::True);
            Conditions::from_vec(vec![Condition { kind, truth, reason, message, updated, transitioned }])
        });
    let lists = (prop::collection::vec(template_status(), 0..3), prop::collection::vec(analysis, 0..3));
    (prop::option::of(phase()), ".{0,20}", prop::option::of(time()), lists, condition).prop_map(
        |(phase, message, available_at, (templates, analyses), conditions)| ExperimentStatus {
            phase,
            message,
            available_at,
            templates,
            analyses,
            conditions,
        },
    )
}

proptest! {
    //= compat: 5.1-2
    #[test]
    fn a_status_survives_the_wire(status in status()) {
        let raised = raise::experiment_status(&status);
        let text = serde_json::to_string(&raised).unwrap();
        let read: wire::ExperimentStatus = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &raised);
        prop_assert_eq!(lower::experiment_status(&read), status);
    }
}
