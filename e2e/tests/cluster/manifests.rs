//! Manifests that several tests use, and what they look at in the objects made of them.

use std::time::Duration;

use serde_json::Value;
use serin_e2e::{Controller, Namespace};

/// For what takes a cluster seconds; a machine that is busy with a build needs many more of them.
pub(crate) const SOON: Duration = Duration::from_secs(150);

/// A controller for a namespace, on ports that are free.
pub(crate) fn controller(namespace: &Namespace) -> Controller {
    namespace.controller(&["--healthz-port=0", "--metrics-port=0"])
}

/// A rollout of a model service. `strategy` is what stands behind `strategy:`, `more` further lines of the spec in YAML's
/// flow style, such as `progressDeadlineSeconds: 5, minReadySeconds: 1`; empty for none.
pub(crate) fn rollout(name: &str, replicas: u32, tag: &str, strategy: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(
        "
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: {name}}}
spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: {name}}}}}, strategy: {strategy}, template: {template}{more}}}
",
        template = template(name, tag)
    )
}

/// A pod template with the label `app`.
pub(crate) fn template(app: &str, tag: &str) -> String {
    let image = format!("ghcr.io/ml-portfolio/bankchurn-predictor:{tag}");
    format!(
        "{{metadata: {{labels: {{app: {app}}}}}, spec: {{terminationGracePeriodSeconds: 1, containers: [{{name: predictor, \
           image: \"{image}\", ports: [{{name: http, containerPort: 8000}}], \
           readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 1, timeoutSeconds: 5}}}}]}}}}"
    )
}

/// A Service that selects the pods of an app.
pub(crate) fn service(name: &str, app: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {app}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}
"
    )
}

/// An Ingress of class nginx from a host to a Service.
pub(crate) fn ingress(name: &str, host: &str, service: &str) -> String {
    format!(
        "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec:
  ingressClassName: nginx
  rules:
  - host: {host}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}]}}
"
    )
}

/// A canary with the given steps and no router.
pub(crate) fn canary(steps: &str) -> String {
    format!("{{canary: {{maxSurge: 1, maxUnavailable: 0, steps: {steps}}}}}")
}

/// Another version of a model service: the image of a rollout's only container.
pub(crate) fn set_tag(namespace: &Namespace, rollout: &str, tag: &str) {
    let image = format!("ghcr.io/ml-portfolio/bankchurn-predictor:{tag}");
    let patch =
        serde_json::json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }]);
    namespace.kubectl(&["patch", "rollout", rollout, "--type=json", "--patch", &patch.to_string()]);
}

/// Ends the pause of a rollout as Argo's plugin does.
pub(crate) fn resume(namespace: &Namespace, rollout: &str) {
    let patch = r#"{"status":{"pauseConditions":null}}"#;
    namespace.kubectl(&["patch", "rollout", rollout, "--subresource=status", "--type=merge", "--patch", patch]);
}

/// Waits until a rollout is healthy and its status is about the spec as it is.
pub(crate) fn healthy(namespace: &Namespace, rollout: &str) -> Value {
    phase(namespace, rollout, "Healthy")
}

/// The same for another phase.
pub(crate) fn phase(namespace: &Namespace, rollout: &str, phase: &str) -> Value {
    namespace.wait_for("rollout", rollout, phase, SOON, |r| is_current(r) && r["status"]["phase"] == phase)
}

/// Whether the status is about the spec as it is.
pub(crate) fn is_current(rollout: &Value) -> bool {
    rollout["status"]["observedGeneration"].as_str() == Some(rollout["metadata"]["generation"].to_string().as_str())
}

/// A condition by its type; null if there is none.
pub(crate) fn condition<'a>(rollout: &'a Value, kind: &str) -> &'a Value {
    let conditions = rollout["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

/// Waits until a condition has a reason and its message has a part.
pub(crate) fn told(namespace: &Namespace, rollout: &str, kind: &str, reason: &str, part: &str) -> Value {
    let what = format!("told {kind} {reason} {part:?}");
    namespace.wait_for("rollout", rollout, &what, SOON, |r| {
        let found = condition(r, kind);
        found["reason"] == reason && found["message"].as_str().is_some_and(|message| message.contains(part))
    })
}

/// Waits for an event on an object with a reason and a part of a message.
pub(crate) fn event(namespace: &Namespace, object: &str, reason: &str, part: &str) {
    namespace.wait_until(&format!("an event {reason} on {object} with {part:?}"), SOON, || {
        let events = namespace.objects("events", "");
        let found = events.iter().any(|one| {
            one["involvedObject"]["name"] == object
                && one["reason"] == reason
                && one["message"].as_str().is_some_and(|message| message.contains(part))
        });
        if found { Ok(()) } else { Err("none".to_owned()) }
    });
}

/// Names and uids of all objects of a kind with the labels, sorted.
pub(crate) fn uids(namespace: &Namespace, kind: &str, labels: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = namespace
        .objects(kind, labels)
        .iter()
        .filter(|object| object["metadata"]["deletionTimestamp"].is_null())
        .map(|object| (text(&object["metadata"]["name"]), text(&object["metadata"]["uid"])))
        .collect();
    found.sort();
    found
}

/// Waits until the controller has been through everything once: an object that was made after its start is done.
pub(crate) fn passed(namespace: &Namespace, marker: &str) {
    namespace.apply(&rollout(marker, 0, "v3.1.0", &canary("[]"), ""));
    healthy(namespace, marker);
}
