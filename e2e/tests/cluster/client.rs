//! `kubectl argo rollouts` as the client of this controller: Argo's own, and ours under the same name, with the same effects.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use serin_e2e::{Cluster, Namespace, Output};

use crate::manifests::{SOON, canary, condition, controller, healthy, is_current, phase, rollout, template, uids};

/// A client in a namespace, as its administrator.
struct Client {
    program: PathBuf,
    fixed: Vec<String>,
}

impl Client {
    /// Argo's plugin, v1.10.1, as it was built with the cluster.
    fn argo(cluster: &Cluster, namespace: &Namespace) -> Self {
        let build = Command::new(Cluster::root().join("e2e/cluster/build")).args(["--path", "plugin"]).output();
        let folder = String::from_utf8(build.unwrap().stdout).unwrap();
        let kubeconfig = cluster.kubeconfig("admin").display().to_string();
        let fixed = ["--kubeconfig", &kubeconfig, "--namespace", namespace.name()].map(str::to_owned);
        Self { program: PathBuf::from(folder.trim()).join("kubectl-argo-rollouts"), fixed: fixed.to_vec() }
    }

    /// Our own program under the plugin's name, as kubectl finds it.
    fn serin(cluster: &Cluster, namespace: &Namespace) -> Self {
        let folder = cluster.dir().join("commands").join(namespace.name());
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("kubectl-argo-rollouts");
        std::os::unix::fs::symlink(Cluster::built("serin"), &program).unwrap();
        Self { program, ..Self::argo(cluster, namespace) }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        let output = command.args(words).args(&self.fixed).stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// What it printed; it had to succeed.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.success, "{words:?}: {output:?}");
        output.stdout
    }
}

/// Which of the two.
type Choice = fn(&Cluster, &Namespace) -> Client;

/// Waits for a pause at a step.
fn paused_at(namespace: &Namespace, step: u32) -> Value {
    namespace.wait_for("rollout", "web", &format!("paused at step {step}"), SOON, |r| {
        is_current(r) && r["status"]["phase"] == "Paused" && r["status"]["currentStepIndex"] == step
    })
}

/// Whether a text has a line with the words, whatever the room between them.
fn has_line(text: &str, words: &str) -> bool {
    text.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").contains(words))
}

fn image(tag: &str) -> String {
    format!("predictor=ghcr.io/ml-portfolio/bankchurn-predictor:{tag}")
}

/// A canary of two pods that stands at no step.
fn set_up(namespace: &Namespace) {
    let steps = canary("[{setWeight: 50}, {pause: {}}, {setWeight: 75}, {pause: {}}]");
    namespace.apply(&rollout("web", 2, "v3.1.0", &steps, ""));
}

#[test]
fn an_update_is_watched_promoted_aborted_and_retried() {
    update(Client::argo);
}

#[test]
fn our_plugin_does_the_same_to_an_update() {
    update(Client::serin);
}

fn update(client: Choice) {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("plugin");
    let _controller = controller(&namespace);
    let client = client(&cluster, &namespace);
    set_up(&namespace);
    let watched = client.says(&["status", "web", "--timeout", "150s"]);
    assert!(watched.ends_with("Healthy\n"), "{watched}");

    client.says(&["set", "image", "web", &image("v3.2.0")]);
    paused_at(&namespace, 1);
    let status = client.run(&["status", "web", "--watch=false"]);
    assert_eq!((status.success, status.stdout.as_str()), (true, "Paused - CanaryPauseStep\n"), "{status:?}");
    let tree = client.says(&["get", "rollout", "web", "--no-color"]);
    for line in [
        "Status: ॥ Paused",
        "Message: CanaryPauseStep",
        "Step: 1/4",
        "SetWeight: 50",
        "ActualWeight: 50",
        "bankchurn-predictor:v3.1.0 (stable)",
        "bankchurn-predictor:v3.2.0 (canary)",
        "Desired: 2",
        "# revision:2",
    ] {
        assert!(has_line(&tree, line), "{line}\n{tree}");
    }
    let list = client.says(&["list", "rollouts"]);
    assert!(has_line(&list, "web Canary Paused 1/4 50"), "{list}");

    client.says(&["promote", "web"]);
    paused_at(&namespace, 3);
    client.says(&["abort", "web"]);
    let aborted = phase(&namespace, "web", "Degraded");
    assert_eq!((&aborted["status"]["abort"], &aborted["status"]["currentStepIndex"]), (&true.into(), &0.into()));
    let status = client.run(&["status", "web", "--timeout", "20s"]);
    assert!(!status.success && status.stdout.contains("Degraded - RolloutAborted"), "{status:?}");

    client.says(&["retry", "rollout", "web"]);
    paused_at(&namespace, 1);
    client.says(&["promote", "web", "--full"]);
    let done = healthy(&namespace, "web");
    assert_eq!(
        (&done["status"]["stableRS"], &done["status"]["currentStepIndex"]),
        (&done["status"]["currentPodHash"], &4.into())
    );
    assert_eq!(done["status"]["promoteFull"], Value::Null);
}

#[test]
fn a_rollout_is_undone_paused_and_restarted() {
    undo(Client::argo);
}

#[test]
fn our_plugin_undoes_pauses_and_restarts_alike() {
    undo(Client::serin);
}

fn undo(client: Choice) {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("undo");
    let _controller = controller(&namespace);
    let client = client(&cluster, &namespace);
    set_up(&namespace);
    let first = healthy(&namespace, "web");
    client.says(&["set", "image", "web", &image("v3.2.0")]);
    paused_at(&namespace, 1);
    client.says(&["promote", "web", "--full"]);
    let second = healthy(&namespace, "web");
    assert_ne!(first["status"]["stableRS"], second["status"]["stableRS"]);

    client.says(&["undo", "web"]);
    let undone = paused_at(&namespace, 1);
    assert_eq!(undone["status"]["currentPodHash"], first["status"]["stableRS"]);
    // A version that was there is taken again and counted as the newest.
    assert_eq!(undone["metadata"]["annotations"]["rollout.argoproj.io/revision"], "3");
    client.says(&["pause", "web"]);
    let paused = namespace.wait_for("rollout", "web", "paused by hand", SOON, |r| {
        is_current(r) && condition(r, "Paused")["status"] == "True" && r["spec"]["paused"] == true
    });
    assert_eq!(paused["status"]["phase"], "Paused");
    client.says(&["promote", "web"]);
    let resumed = paused_at(&namespace, 3);
    assert_ne!(resumed["spec"]["paused"], true);
    client.says(&["promote", "web", "--full"]);
    let third = healthy(&namespace, "web");
    assert_eq!(third["status"]["stableRS"], first["status"]["stableRS"]);

    let before = uids(&namespace, "pods", "app=web");
    client.says(&["restart", "web"]);
    namespace.wait_for("rollout", "web", "restarted", SOON, |r| {
        r["spec"]["restartAt"].is_string() && r["status"]["restartedAt"] == r["spec"]["restartAt"]
    });
    namespace.wait_until("two other pods", SOON, || {
        let pods = uids(&namespace, "pods", "app=web");
        if pods.len() == 2 && pods.iter().all(|pod| !before.contains(pod)) { Ok(()) } else { Err(format!("{pods:?}")) }
    });
    healthy(&namespace, "web");
    client.says(&["undo", "web", "--to-revision=2"]);
    let undone = paused_at(&namespace, 1);
    assert_eq!(undone["status"]["currentPodHash"], second["status"]["stableRS"]);
}

#[test]
fn runs_and_experiments_are_shown_and_terminated() {
    runs(Client::argo);
}

#[test]
fn our_plugin_shows_runs_and_experiments_alike() {
    runs(Client::serin);
}

fn runs(client: Choice) {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("runs");
    let _controller = controller(&namespace);
    let client = client(&cluster, &namespace);
    namespace.apply(&format!(
        "
apiVersion: argoproj.io/v1alpha1
kind: AnalysisRun
metadata: {{name: endless}}
spec:
  metrics:
  - name: one
    interval: 1s
    successCondition: result[0] == 1
    provider: {{prometheus: {{address: \"http://prometheus.monitoring.svc.cluster.local:9090\", query: vector(1)}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {{name: compare}}
spec:
  templates: [{{name: trial, replicas: 1, selector: {{matchLabels: {{app: trial}}}}, template: {template}}}]
",
        template = template("trial", "v3.2.0")
    ));
    namespace.wait_for("analysisrun", "endless", "measured twice", SOON, |run| {
        run["status"]["metricResults"][0]["successful"].as_u64() >= Some(2)
    });
    client.says(&["terminate", "analysisrun", "endless"]);
    let run = namespace.wait_for("analysisrun", "endless", "over", SOON, |run| run["status"]["phase"] == "Successful");
    assert_eq!(run["status"]["message"], "Run Terminated");

    namespace.wait_for("experiment", "compare", "running", SOON, |one| one["status"]["phase"] == "Running");
    let tree = client.says(&["get", "experiment", "compare", "--no-color"]);
    for line in ["Name: compare", "Status: ◌ Running", "bankchurn-predictor:v3.2.0", "compare-trial"] {
        assert!(has_line(&tree, line), "{line}\n{tree}");
    }
    assert!(has_line(&client.says(&["list", "experiments"]), "compare Running"));
    client.says(&["terminate", "experiment", "compare"]);
    namespace.wait_for("experiment", "compare", "over", SOON, |one| one["status"]["phase"] == "Successful");
}
