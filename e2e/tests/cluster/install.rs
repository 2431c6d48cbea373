//! What `serin install` prints on a real API server, and a running Deployment that is moved under its users' requests.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serin_e2e::{Cluster, Namespace, ask};

use crate::manifests;

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(90);

/// What a command of `serin` printed, as the administrator unless told otherwise.
fn serin(cluster: &Cluster, words: &[&str]) -> String {
    let mut command = Command::new(Cluster::built("serin"));
    command.args(words).args(["--kubeconfig"]).arg(cluster.kubeconfig("admin")).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{words:?}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Installs with names of this test, and returns the name of the account. Instances stand side by side, so tests do.
fn install(cluster: &Cluster, home: &Namespace, instance: &str, words: &[&str]) -> String {
    let base = ["install", "--apply", "--controller-namespace", home.name(), "--instance-id", instance, "--image"];
    let base = base.into_iter().chain(["serin/serin:dev"]);
    serin(cluster, &base.chain(words.iter().copied()).collect::<Vec<_>>());
    format!("system:serviceaccount:{}:serin-{instance}", home.name())
}

fn may(cluster: &Cluster, account: &str, verb: &str, what: &str, namespace: &str) -> bool {
    let output = cluster.try_kubectl(&["auth", "can-i", verb, what, "--namespace", namespace, "--as", account], "");
    match output.stdout.trim() {
        "yes" => true,
        "no" => false,
        other => panic!("{other} {}", output.stderr),
    }
}

/// Objects of an instance's installation that no namespace takes along.
pub(crate) struct OfTheCluster<'c>(pub(crate) &'c Cluster, pub(crate) &'static str);

impl Drop for OfTheCluster<'_> {
    fn drop(&mut self) {
        let (role, secrets) = (format!("serin-{}", self.1), format!("serin-{}-secrets", self.1));
        let _ = self.0.try_kubectl(&["delete", "clusterrole", &role, &secrets], "");
        let _ = self.0.try_kubectl(&["delete", "clusterrolebinding", &role], "");
    }
}

//= compat: 9.7-1
#[test]
fn a_second_installation_changes_nothing() {
    let cluster = Cluster::booted();
    let home = cluster.namespace("install");
    let _roles = OfTheCluster(&cluster, "twice");
    install(&cluster, &home, "twice", &[]);
    let words = [
        "install",
        "--diff",
        "--controller-namespace",
        home.name(),
        "--instance-id",
        "twice",
        "--image",
        "serin/serin:dev",
    ];
    let compared = serin(&cluster, &words);
    let other: Vec<&str> = compared.lines().filter(|line| !line.ends_with(": unchanged")).collect();
    assert_eq!(other, Vec::<&str>::new());
    // A person's change is seen, and nothing else.
    home.kubectl(&["scale", "deployment", "serin-twice", "--replicas=1"]);
    let compared = serin(&cluster, &words);
    assert!(compared.contains("  spec.replicas: 1 -> 2"), "{compared}");
}

//= compat: 9.7-2
#[test]
fn secrets_outside_the_watched_namespaces_cannot_be_read() {
    let cluster = Cluster::booted();
    let (home, named, other) = (cluster.namespace("home"), cluster.namespace("named"), cluster.namespace("other"));
    let _roles = OfTheCluster(&cluster, "secrets");
    let whole = install(&cluster, &home, "secrets", &["--secrets-in", named.name()]);
    let reads = |account: &str, of: &Namespace| may(&cluster, account, "get", "secrets", of.name());
    assert!(reads(&whole, &named));
    assert!(!reads(&whole, &other) && !reads(&whole, &home));
    assert!(!may(&cluster, &whole, "list", "secrets", named.name()));
    assert!(may(&cluster, &whole, "patch", "rollouts.argoproj.io", other.name()));

    let bound = install(&cluster, &named, "bound", &["--namespaced", named.name(), "--without-crds"]);
    assert!(reads(&bound, &named) && !reads(&bound, &other) && !reads(&bound, &home));
    assert!(!may(&cluster, &bound, "list", "rollouts.argoproj.io", other.name()));
    assert!(may(&cluster, &bound, "list", "rollouts.argoproj.io", named.name()));
    for account in [&whole, &bound] {
        assert!(!may(&cluster, account, "create", "clusterrolebindings", named.name()));
        assert!(!may(&cluster, account, "update", "deployments/scale", named.name()));
    }
}

/// A model service as a Deployment, with all that stands around one.
fn running(name: &str, host: &str) -> String {
    let (service, ingress) = (manifests::service(name, name), manifests::ingress(name, host, name));
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: predictor
        image: ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0
        ports: [{{name: http, containerPort: 8000}}]
        readinessProbe: {{httpGet: {{path: /health, port: http}}, periodSeconds: 1}}
{service}{ingress}---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}}}
spec:
  minReplicas: 2
  maxReplicas: 6
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 80}}}}}}]
"#
    )
}

/// The account of an installation as the user of a controller under test; its own processes are sent home.
fn with_its_rights(cluster: &Cluster, namespace: &Namespace) -> std::path::PathBuf {
    let words =
        ["install", "--apply", "--namespaced", namespace.name(), "--without-crds", "--image", "serin/serin:dev"];
    serin(cluster, &words);
    namespace.kubectl(&["scale", "deployment", "serin", "--replicas=0"]);
    let token = namespace.kubectl(&["create", "token", "serin", "--duration=1h"]);
    cluster.kubeconfig_of_token(namespace.name(), token.trim())
}

/// Asks without a pause until it is dropped; answers that were none, with what came instead.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(u64, Vec<String>)>>,
}

impl Asking {
    fn begin(host: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (host, stopped) = (host.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (mut total, mut failures) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let answers = ask(&host, 20, SOON);
                total += answers.total();
                failures.extend(answers.failures);
            }
            (total, failures)
        });
        Self { stop, thread: Some(thread) }
    }

    fn end(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

#[test]
fn a_running_deployment_is_moved_without_a_failed_request() {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("moved");
    let host = format!("{}.local", namespace.name());
    let kubeconfig = with_its_rights(&cluster, &namespace);
    namespace.apply(&running("web", &host));
    namespace.wait_for("deployment", "web", "available", SOON, |d| d["status"]["availableReplicas"] == 3);
    namespace.wait_until("the first answer", SOON, || {
        let answers = ask(&host, 1, SOON);
        if answers.failed == 0 && answers.total() == 1 { Ok(()) } else { Err(answers.failures.join("\n")) }
    });
    let controller = namespace.controller_with(&kubeconfig, &["--namespaced", "--namespace", namespace.name()], &[]);
    let asking = Asking::begin(&host);
    let words = ["migrate", "deployment", "web", "--namespace", namespace.name(), "--strategy", "blueGreen"];
    let plan = serin(&cluster, &[&words[..], &["--plan"]].concat());
    assert!(plan.contains("create Rollout web") && plan.contains("scale Deployment web to 0"), "{plan}");
    let moved = serin(&cluster, &[&words[..], &["--apply", "--timeout", "120"]].concat());
    assert!(moved.ends_with("Rollout web has taken the Deployment's place\n"), "{moved}");
    let (total, failures) = asking.end();
    assert!(total > 100, "{total}");
    assert_eq!(failures, Vec::<String>::new(), "of {total}; {}", controller.log());

    let deployment = namespace.object("deployment", "web").unwrap();
    assert_eq!(deployment["spec"]["replicas"], 0);
    let rollout = namespace.object("rollout", "web").unwrap();
    assert_eq!((&rollout["status"]["phase"], &rollout["status"]["availableReplicas"]), (&"Healthy".into(), &3.into()));
    let autoscaler = namespace.object("hpa", "web").unwrap();
    assert_eq!(autoscaler["spec"]["scaleTargetRef"]["kind"], "Rollout");
    assert_ne!(autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"], "Disabled");
    let service = namespace.object("service", "web").unwrap();
    assert_eq!(service["spec"]["selector"]["rollouts-pod-template-hash"], rollout["status"]["stableRS"]);
    // With nothing but the rights of the installation: no refusal was met on the way.
    assert!(!controller.log().contains("forbidden"), "{}", controller.log());
    let again = serin(&cluster, &[&words[..], &["--plan"]].concat());
    assert_eq!(again, "nothing is left to do\n");
}
