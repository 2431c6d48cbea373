//! A small service with a canary behind an Ingress, and a source of measurements inside of the test that counts who asks. What
//! disturbed updates are made of.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use serin_e2e::{Namespace, ask};

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// For a whole update with all that disturbs it.
pub(crate) const WHOLE: Duration = Duration::from_secs(300);

/// Answers `{"well": true}`, and counts by path how often it was asked.
pub(crate) struct Source {
    port: u16,
    asked: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Source {
    /// Until the test ends.
    pub(crate) fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let counted = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = counted.clone();
                std::thread::spawn(move || answer(&stream, &counted));
            }
        });
        Self { port, asked }
    }

    /// An address of it for whatever a path stands for.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn asked(&self, path: &str) -> u64 {
        self.asked.lock().unwrap().get(&format!("/{path}")).copied().unwrap_or(0)
    }
}

/// One request of a connection that ends with it. A client that was killed meanwhile has been counted all the same.
fn answer(mut stream: &TcpStream, counted: &Mutex<BTreeMap<String, u64>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    *counted.lock().unwrap().entry(path).or_default() += 1;
    let body = r#"{"well": true}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

/// A template with one metric, `well`, which is measured so often, a second apart. `more` is what else it says, and
/// whom it asks.
pub(crate) fn template(name: &str, count: u64, more: &Value) -> Value {
    let mut metric = json!({ "name": "well", "interval": "1s", "count": count, "successCondition": "result == true" });
    metric.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": { "name": name },
        "spec": { "metrics": [metric] },
    })
}

/// The same with a source.
pub(crate) fn template_of(source: &Source, name: &str, path: &str, count: u64) -> Value {
    template(name, count, &json!({ "provider": { "web": { "url": source.url(path), "jsonPath": "{$.well}" } } }))
}

/// The host of the service in a namespace.
pub(crate) fn host(namespace: &Namespace) -> String {
    format!("{}.local", namespace.name())
}

/// Three members of the first version behind Services and an Ingress, and the steps of an update.
pub(crate) fn manifests(host: &str, steps: &Value) -> Vec<Value> {
    let service = |name: &str| {
        let spec =
            json!({ "selector": { "app": "web" }, "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] });
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec })
    };
    let container = json!({
        "name": "predictor", "image": "ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0",
        "ports": [{ "name": "http", "containerPort": 8000 }],
        // Patient: a member that answers late on a busy machine is no part of what is tested.
        "readinessProbe": { "httpGet": { "path": "/health", "port": "http" }, "periodSeconds": 1, "timeoutSeconds": 20 },
    });
    let canary = json!({
        "stableService": "stable", "canaryService": "canary",
        "trafficRouting": { "nginx": { "stableIngress": "web" } }, "steps": steps,
    });
    let path = json!({
        "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "stable", "port": { "name": "http" } } },
    });
    vec![
        service("stable"),
        service("canary"),
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "web" },
            "spec": { "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": [path] } }] },
        }),
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "web" },
            "spec": {
                "replicas": 3, "selector": { "matchLabels": { "app": "web" } }, "strategy": { "canary": canary },
                "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container] } },
            },
        }),
    ]
}

/// Applies the service with its templates. Somebody has to drive it.
pub(crate) fn apply(namespace: &Namespace, steps: &Value, templates: Vec<Value>) {
    let mut items = templates;
    items.extend(manifests(&host(namespace), steps));
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string());
}

/// The status is of the present spec.
pub(crate) fn is_current(rollout: &Value) -> bool {
    rollout["status"]["observedGeneration"].as_str() == Some(&rollout["metadata"]["generation"].to_string())
}

pub(crate) fn is_over(rollout: &Value) -> bool {
    let status = &rollout["status"];
    is_current(rollout) && status["phase"] == "Healthy" && status["stableRS"] == status["currentPodHash"]
}

pub(crate) fn healthy(namespace: &Namespace) {
    namespace.wait_for("rollout", "web", "healthy", WHOLE, is_over);
}

/// Waits until it is healthy and users get a version.
pub(crate) fn reached(namespace: &Namespace, version: &str) {
    healthy(namespace);
    namespace.wait_until(&format!("answers of {version}"), SOON, || {
        let answers = ask(&host(namespace), 20, SOON);
        if answers.share(version) >= 1.0 { Ok(()) } else { Err(format!("{answers:?}")) }
    });
}

/// Deploys the second version.
pub(crate) fn update(namespace: &Namespace) {
    deploy(namespace, "v3.2.0");
}

/// Deploys a version.
pub(crate) fn deploy(namespace: &Namespace, tag: &str) {
    let image = format!("ghcr.io/ml-portfolio/bankchurn-predictor:{tag}");
    let patch = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    namespace.kubectl(&["patch", "rollout", "web", "--type=json", "-p", &patch.to_string()]);
}

/// Every user got an answer, and a good one.
pub(crate) fn assert_none_failed(told: &Value) {
    assert_eq!((&told["failures"], &told["unsent"]), (&json!({}), &json!(0)), "{told}");
    let statuses: Vec<&String> = told["statuses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["200"], "{told}");
}
