//! Experiments on a cluster: their objects, and both of them, rollout and experiment, played through.

use serde_json::{Value, json};
use serin_core::Span;

use crate::server::Server;
use crate::stage::{rollout_json, template};

fn experiment(spec: Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": { "name": "exp", "namespace": "shop", "uid": "e-1" }, "spec": spec,
    })
}

fn one(extra: Value) -> Value {
    let mut template =
        json!({ "name": "a", "selector": { "matchLabels": { "app": "web" } }, "template": template("m:1") });
    template.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
    template
}

fn phase(server: &Server, name: &str) -> String {
    server.get("Experiment", name).unwrap()["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

//= compat: 5.2-1, 5.2-2
#[test]
fn a_pool_is_named_labelled_and_owned() {
    let mut server =
        Server::new([experiment(json!({ "templates": [one(json!({ "replicas": 2, "minReadySeconds": 5 }))] }))]);
    server.settle_experiment("exp");
    let pool = server.get("ReplicaSet", "exp-a").unwrap();
    let hash = pool["metadata"]["labels"]["rollouts-pod-template-hash"].as_str().unwrap();
    assert_eq!(pool["metadata"]["labels"], json!({ "app": "web", "rollouts-pod-template-hash": hash }));
    assert_eq!(pool["spec"]["template"]["metadata"]["labels"], pool["metadata"]["labels"]);
    assert_eq!(
        pool["spec"]["selector"],
        json!({ "matchLabels": { "app": "web", "rollouts-pod-template-hash": hash } })
    );
    let annotations = json!({ "experiment.argoproj.io/name": "exp", "experiment.argoproj.io/template-name": "a" });
    assert_eq!(pool["metadata"]["annotations"], annotations);
    let owner = &pool["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["uid"], &owner["controller"]),
        (&json!("Experiment"), &json!("e-1"), &json!(true))
    );
    assert_eq!((&pool["spec"]["replicas"], &pool["spec"]["minReadySeconds"]), (&json!(2), &json!(5)));
    let writes = server.log.iter().filter(|l| l.contains("ReplicaSet")).count();
    assert!(writes >= 2, "made and scaled by two writes: {:?}", server.log);
    let status = &server.get("Experiment", "exp").unwrap()["status"];
    assert_eq!(status["templateStatuses"][0]["podTemplateHash"], hash);
}

//= compat: 5.2-3, 5.2-4
#[test]
fn a_service_has_the_labels_and_ports_of_its_pool_and_goes_with_it() {
    let mut pods = template("m:1");
    pods["spec"]["containers"] = json!([
        { "name": "c", "image": "m:1", "ports": [{ "name": "http", "containerPort": 80 }, { "containerPort": 53, "protocol": "UDP" }] },
        { "name": "d", "image": "n:1", "ports": [{ "containerPort": 9000 }] },
    ]);
    let spec = json!({ "templates": [one(json!({ "template": pods, "service": { "name": "web" } }))], "scaleDownDelaySeconds": 0 });
    let mut server = Server::new([experiment(spec)]);
    server.settle_experiment("exp");
    let service = server.get("Service", "web").unwrap();
    assert_eq!(service["spec"]["selector"], server.get("ReplicaSet", "exp-a").unwrap()["metadata"]["labels"]);
    let ports = json!([
        { "port": 80, "targetPort": 80, "protocol": "TCP", "name": "http" },
        { "port": 53, "targetPort": 53, "protocol": "UDP" },
        { "port": 9000, "targetPort": 9000, "protocol": "TCP" },
    ]);
    assert_eq!(service["spec"]["ports"], ports);
    server.patch("Experiment", "exp", &json!({ "spec": { "terminate": true } }));
    server.settle_experiment("exp");
    assert_eq!((server.get("Service", "web"), phase(&server, "exp").as_str()), (None, "Successful"));
}

//= compat: 5.2-3
#[test]
fn a_service_of_somebody_else_is_left_alone() {
    let foreign = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "exp-a", "namespace": "shop" }, "spec": {} });
    let mut server =
        Server::new([experiment(json!({ "templates": [one(json!({ "service": {} }))] })), foreign.clone()]);
    server.settle_experiment("exp");
    assert_eq!(phase(&server, "exp"), "Error");
    assert_eq!(server.get("Service", "exp-a").unwrap()["spec"], foreign["spec"]);
}

//= compat: 5.2-6, 1.1-3
#[test]
fn the_scale_down_time_is_an_annotation_and_the_status_is_written_on_the_object() {
    let mut server = Server::new([experiment(json!({ "templates": [one(json!({}))], "terminate": false }))]);
    server.settle_experiment("exp");
    server.patch("Experiment", "exp", &json!({ "spec": { "terminate": true } }));
    let wake = server.settle_experiment("exp").unwrap();
    assert_eq!(wake, server.now + Span::from_secs(30));
    let annotation = |server: &Server| {
        server.get("ReplicaSet", "exp-a").unwrap()["metadata"]["annotations"]["scale-down-deadline"].clone()
    };
    assert_eq!(annotation(&server), "2023-11-14T22:13:50Z");
    server.now = wake;
    server.settle_experiment("exp");
    assert_eq!(annotation(&server), Value::Null);
    assert_eq!(server.get("ReplicaSet", "exp-a").unwrap()["spec"]["replicas"], 0);
}

/// Somebody else wrote the ReplicaSet in between: the write is refused, and the next pass makes it anew.
//= compat: 5.2-7
#[test]
fn a_conflict_is_tried_again_and_is_no_error() {
    let mut server = Server::new([experiment(json!({ "templates": [one(json!({}))], "scaleDownDelaySeconds": 5 }))]);
    server.settle_experiment("exp");
    server.patch("Experiment", "exp", &json!({ "spec": { "templates": [one(json!({ "replicas": 0 }))] } }));
    server.settle_experiment("exp");
    // Two targets of one ReplicaSet in one pass: the second write finds a newer one.
    server.patch("Experiment", "exp", &json!({ "spec": { "templates": [one(json!({ "replicas": 3 }))] } }));
    server.settle_experiment("exp");
    server.patch("Experiment", "exp", &json!({ "spec": { "templates": [one(json!({ "replicas": 0 }))] } }));
    server.settle_experiment("exp");
    server.now = server.now + Span::from_secs(1);
    server.patch("Experiment", "exp", &json!({ "spec": { "templates": [one(json!({ "replicas": 2 }))] } }));
    server.settle_experiment("exp");
    assert_eq!(server.get("ReplicaSet", "exp-a").unwrap()["spec"]["replicas"], 2);
    assert_eq!(phase(&server, "exp"), "Running");
}

//= compat: 5.3-9, 5.3-10
#[test]
fn runs_belong_to_the_experiment_and_decide_it() {
    let spec = json!({
        "templates": [one(json!({}))], "analyses": [{ "name": "x", "templateName": "t", "requiredForCompletion": true }],
        "analysisRunMetadata": { "labels": { "l": "v" } },
    });
    let mut server = Server::new([experiment(spec)]);
    server.settle_experiment("exp");
    let run = server.get("AnalysisRun", "exp-x").unwrap();
    assert_eq!(
        (&run["metadata"]["ownerReferences"][0]["uid"], &run["metadata"]["labels"]["l"]),
        (&json!("e-1"), &json!("v"))
    );
    server.patch("AnalysisRun", "exp-x", &json!({ "status": { "phase": "Failed", "message": "bad" } }));
    server.settle_experiment("exp");
    assert_eq!(phase(&server, "exp"), "Failed");
    assert_eq!(server.get("Experiment", "exp").unwrap()["status"]["message"], "bad");
}

fn service(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "shop" }, "spec": { "selector": { "app": "web" } } })
}

//= compat: 5.4-3, 5.4-4, 5.4-7, 5.4-8
#[test]
fn a_rollout_makes_its_experiment_gives_it_weight_and_goes_on_when_it_succeeded() {
    let templates = json!([
        { "name": "baseline", "specRef": "stable", "weight": 10 }, { "name": "canary", "specRef": "canary", "weight": 10 },
    ]);
    let steps =
        json!([{ "setWeight": 25 }, { "experiment": { "templates": templates, "duration": "5m" } }, { "pause": {} }]);
    let routing = json!({ "smi": {} });
    let patch = json!({ "spec": { "strategy": { "canary": { "steps": steps, "trafficRouting": routing } } } });
    let mut server = Server::new([rollout_json(&patch), service("web-canary"), service("web-stable")]);
    server.wait(60);
    server.patch("Rollout", "web", &json!({ "spec": { "template": template("m:2") } }));
    server.wait(60);
    let name = server.of("Experiment").first().unwrap().name().to_owned();
    let status = &server.get("Rollout", "web").unwrap()["status"]["canary"];
    assert_eq!(status["currentExperiment"], name.as_str());
    let made = server.get("Experiment", &name).unwrap();
    assert_eq!(made["spec"]["templates"][0]["template"]["spec"]["containers"][0]["image"], "m:1");
    assert_eq!(made["spec"]["templates"][1]["template"]["spec"]["containers"][0]["image"], "m:2");
    server.settle_experiment(&name);
    server.settle();
    let split = server.split.clone().unwrap();
    assert_eq!((split.weight_stable(), split.weight, split.experiment.len()), (55, 25, 2));
    assert_eq!(split.experiment[0].service, format!("{name}-baseline"));

    server.now = server.now + Span::from_secs(301);
    server.settle_experiment(&name);
    assert_eq!(phase(&server, &name), "Successful");
    server.settle();
    let split = server.split.clone().unwrap();
    assert_eq!((split.weight_stable(), split.weight, split.experiment.len()), (75, 25, 0));
    assert!(server.phase().starts_with("Paused"), "{}", server.phase());
}

//= compat: 5.4-8, 5.4-10
#[test]
fn an_abort_ends_the_experiment_on_the_cluster_too() {
    let steps = json!([{ "experiment": { "templates": [{ "name": "a", "specRef": "canary" }] } }, { "pause": {} }]);
    let patch = json!({ "spec": {
        "analysis": { "successfulRunHistoryLimit": 0 }, "strategy": { "canary": { "steps": steps } },
    } });
    let mut server = Server::new([rollout_json(&patch), service("web-canary"), service("web-stable")]);
    server.wait(60);
    server.patch("Rollout", "web", &json!({ "spec": { "template": template("m:2") } }));
    server.wait(60);
    let name = server.of("Experiment").first().unwrap().name().to_owned();
    server.settle_experiment(&name);
    server.patch("Rollout", "web", &json!({ "status": { "abort": true } }));
    server.settle();
    assert_eq!(server.get("Experiment", &name).unwrap()["spec"]["terminate"], true);
    while let Some(at) = server.settle_experiment(&name) {
        server.now = at;
    }
    server.settle();
    assert!(server.get("Experiment", &name).is_some(), "a retry of this update must not give its name again");
    server.patch("Rollout", "web", &json!({ "spec": { "template": template("m:1") } }));
    server.settle();
    assert_eq!(server.get("Experiment", &name), None, "no history is kept");
}
