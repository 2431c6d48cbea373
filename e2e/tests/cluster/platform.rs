//! The cluster itself, without a controller: what the other tests stand on.

use std::time::Duration;

use serin_e2e::{Answers, Cluster, Namespace, ask, ask_with, prometheus, wait_for};

use crate::manifests;

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(60);

/// A version of a model service as a Deployment with a Service, as any team would run it without a rollout.
fn version(name: &str, tag: &str) -> String {
    let service = manifests::service(name, name);
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata:
      labels: {{app: {name}, rollouts-pod-template-hash: {name}}}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "8000", prometheus.io/path: /metrics}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: predictor
        image: ghcr.io/ml-portfolio/bankchurn-predictor:{tag}
        ports: [{{name: http, containerPort: 8000}}]
        readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 1}}
{service}"#
    )
}

fn ingress(name: &str, host: &str, service: &str, annotations: &str) -> String {
    format!(
        r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  ingressClassName: nginx
  rules:
  - host: {host}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}]}}
"#
    )
}

fn canary_ingress(host: &str, weight: u32) -> String {
    let annotations = format!(
        r#"{{nginx.ingress.kubernetes.io/canary: "true", nginx.ingress.kubernetes.io/canary-weight: "{weight}",
             nginx.ingress.kubernetes.io/canary-by-header: x-canary}}"#
    );
    ingress("canary", host, "canary", &annotations)
}

fn route(host: &str, canary: u32) -> String {
    format!(
        r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: split}}
spec:
  parentRefs: [{{name: traefik, namespace: traefik}}]
  hostnames: [{host}]
  rules:
  - backendRefs: [{{name: stable, port: 80, weight: {stable}}}, {{name: canary, port: 80, weight: {canary}}}]
",
        stable = 100 - canary
    )
}

/// Stable v3.1.0 and canary v3.2.0, ready.
fn two_versions(cluster: &Cluster) -> Namespace {
    let namespace = cluster.namespace("split");
    namespace.apply(&(version("stable", "v3.1.0") + "---" + &version("canary", "v3.2.0")));
    for name in ["stable", "canary"] {
        namespace.wait_for("deployment", name, "ready", SOON, |d| d["status"]["readyReplicas"] == 1);
    }
    namespace
}

/// A host of this namespace only, so that tests beside this one do not meet.
fn host(namespace: &Namespace) -> String {
    format!("{}.test", namespace.name())
}

/// Waits until the split is the wanted one and every request is answered. The tolerance is 4.5 standard deviations of 400
/// random draws at 20%; a router that deals in turn is far within.
fn assert_split(host: &str, want: f64) {
    let judge = |answers: &Answers| answers.failed == 0 && (answers.share("v3.2.0") - want).abs() <= 0.09;
    wait_for(&format!("{want} of the requests to the canary"), SOON, || {
        let answers = ask(host, 400, SOON);
        if answers.total() == 400 && judge(&answers) { Ok(()) } else { Err(format!("{answers:?}")) }
    });
}

#[test]
fn a_pod_is_reached_through_an_ingress() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("ingress");
    namespace.apply(&version("one", "v3.1.0"));
    namespace.apply(&ingress("one", &host(&namespace), "one", "{}"));
    let deployment = namespace.wait_for("deployment", "one", "ready", SOON, |d| d["status"]["readyReplicas"] == 1);
    assert_eq!(deployment["status"]["replicas"], 1);
    assert_eq!(namespace.objects("pods", "app=one").len(), 1);
    let answers = namespace.wait_until("answers", SOON, || {
        let answers = ask(&host(&namespace), 20, SOON);
        if answers.failed == 0 { Ok(answers) } else { Err(format!("{answers:?}")) }
    });
    assert_eq!(answers.versions, [("v3.1.0".to_owned(), 20)].into());
    let log = namespace.kubectl(&["logs", "deployment/one"]);
    assert!(log.contains("bankchurn v3.1.0 listens on 0.0.0.0:8000"), "{log}");
}

#[test]
fn canary_annotations_split_the_requests() {
    let cluster = Cluster::booted();
    let namespace = two_versions(&cluster);
    let host = host(&namespace);
    namespace.apply(&ingress("stable", &host, "stable", "{}"));
    namespace.apply(&canary_ingress(&host, 20));
    assert_split(&host, 0.2);
    let chosen = ask_with(&host, &[("x-canary", "always")], 20, SOON);
    assert_eq!(chosen.versions, [("v3.2.0".to_owned(), 20)].into(), "{chosen:?}");
    namespace.apply(&canary_ingress(&host, 50));
    assert_split(&host, 0.5);
    namespace.kubectl(&["delete", "ingress", "canary"]);
    assert_split(&host, 0.0);
}

#[test]
fn weights_of_an_httproute_split_the_requests() {
    let cluster = Cluster::booted();
    let namespace = two_versions(&cluster);
    let host = host(&namespace);
    for (weight, share) in [(20, 0.2), (50, 0.5), (100, 1.0)] {
        namespace.apply(&route(&host, weight));
        assert_split(&host, share);
    }
}

#[test]
fn the_definitions_are_accepted_and_hold_what_the_example_says() {
    let cluster = Cluster::booted();
    // Twice, since an upgrade does the same.
    for _ in 0..2 {
        let definitions = Cluster::root().join("deploy/crds").display().to_string();
        cluster.kubectl(&["apply", "--server-side", "-f", &definitions]);
    }
    for name in ["rollouts", "analysisruns", "analysistemplates", "clusteranalysistemplates", "experiments"] {
        let condition = "jsonpath={.status.conditions[?(@.type==\"Established\")].status}";
        let established = cluster.kubectl(&["get", "crd", &format!("{name}.argoproj.io"), "-o", condition]);
        assert_eq!(established, "True", "{name}");
    }
    let namespace = cluster.claim("ml-services");
    namespace.apply_path("examples/ml-portfolio/k8s/services.yaml");
    namespace.apply_path("examples/ml-portfolio/k8s/ingresses.yaml");
    namespace.apply_path("examples/ml-portfolio/k8s/argo-rollouts");
    let rollout = namespace.object("rollout", "bankchurn-predictor").unwrap();
    assert_eq!(rollout["spec"]["strategy"]["canary"]["steps"][0]["setWeight"], 20);
    // The pod template passes untouched, though the definition does not spell it out.
    assert_eq!(rollout["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"], "256Mi");
    assert_eq!(namespace.objects("rollouts", "").len(), 3);
}

#[test]
fn a_rollout_with_a_wrong_type_or_field_is_refused() {
    let namespace = Cluster::booted().namespace("refused");
    let rollout = |spec: &str| {
        format!("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: wrong}}\nspec: {{{spec}}}\n")
    };
    let check = |spec: &str, want: &str| {
        let answer = namespace.try_kubectl(&["apply", "--server-side", "--validate=strict", "-f", "-"], &rollout(spec));
        assert!(!answer.success && answer.stderr.contains(want), "{spec}: {answer:?}");
    };
    check("replicas: two", "spec.replicas");
    check("strategy: {canary: {steps: [{setWeight: twenty}]}}", "spec.strategy.canary.steps");
    check("strategy: {canary: {stepz: []}}", "stepz");
    check("strategi: {canary: {}}", "strategi");
    assert_eq!(namespace.objects("rollouts", "").len(), 0);
}

#[test]
fn prometheus_knows_the_metrics_of_a_pod_by_its_labels() {
    let namespace = Cluster::booted().namespace("metrics");
    namespace.apply(&version("one", "v3.1.0"));
    namespace.apply(&ingress("one", &host(&namespace), "one", "{}"));
    namespace.wait_for("deployment", "one", "ready", SOON, |d| d["status"]["readyReplicas"] == 1);
    // The query as the example's templates ask it, at the address that they name.
    let query = format!(
        "sum by (app, rollouts_pod_template_hash) (bankchurn_requests_total{{namespace=\"{}\", app=\"one\"}}) >= 0",
        namespace.name()
    );
    let series = namespace.wait_until("a series", SOON, || match prometheus::query(&query)?.as_slice() {
        [one] => Ok(one["metric"].clone()),
        others => Err(format!("{others:?}")),
    });
    assert_eq!(series, serde_json::json!({ "app": "one", "rollouts_pod_template_hash": "one" }));
    assert!(prometheus::query("sum(").is_err_and(|e| e.contains("parse error")));
}
