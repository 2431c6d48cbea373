//! Argo's own kubectl plugin, and ours, as people use them: each drives a rollout of its own through every verb.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serin_e2e::{Cluster, Namespace};

/// For what takes a cluster seconds; a machine that is busy with a build needs more of them.
const SOON: Duration = Duration::from_secs(90);

const ROLLOUT: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0"}]}
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}, {pause: {duration: 1s}}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {name: trial}
spec:
  templates:
  - name: a
    selector: {matchLabels: {app: trial}}
    template:
      metadata: {labels: {app: trial}}
      spec: {containers: [{name: a, image: "ghcr.io/ml-portfolio/bankchurn-predictor:v3.1.0"}]}
"#;

/// A program as somebody in a namespace calls it.
struct Plugin<'n> {
    program: PathBuf,
    namespace: &'n Namespace,
}

impl Plugin<'_> {
    /// What it says.
    fn says(&self, line: &str) -> String {
        let mut command = Command::new(&self.program);
        command.args(line.split_whitespace()).args(["-n", self.namespace.name()]);
        let ended = command.env("KUBECONFIG", Cluster::booted().kubeconfig("admin")).output();
        let ended = ended.unwrap_or_else(|e| panic!("failed to run {}: {e}", self.program.display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ended.status.success(), "{line}: {}{}", text(&ended.stdout), text(&ended.stderr));
        text(&ended.stdout)
    }

    fn until(&self, what: &str, phase: &str, image: &str) {
        self.namespace.wait_for("rollout", "web", what, SOON, |rollout| {
            // A phase speaks of the latest spec once that was observed, and of no pause that was just ended.
            let generation = rollout["metadata"]["generation"].to_string();
            let seen = rollout["status"]["observedGeneration"].as_str() == Some(generation.as_str());
            let stable = rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"].is_string();
            let wanted = rollout["spec"]["template"]["spec"]["containers"][0]["image"].as_str();
            let resumed =
                rollout["status"]["controllerPause"] != true || !rollout["status"]["pauseConditions"].is_null();
            let tag = wanted.is_some_and(|wanted| wanted.ends_with(image));
            rollout["status"]["phase"] == phase && seen && stable && tag && resumed
        });
    }
}

fn drive(program: PathBuf, purpose: &str) {
    let namespace = Cluster::booted().namespace(purpose);
    namespace.apply(ROLLOUT);
    // Any free ports: tests run side by side.
    let mut controller = namespace.controller(&["--healthz-port=0", "--metrics-port=0"]);
    let plugin = Plugin { program, namespace: &namespace };
    plugin.until("up", "Healthy", "v3.1.0");
    assert_eq!(plugin.says("status web --timeout 60s").lines().last(), Some("Healthy"));

    let image = "set image web web=ghcr.io/ml-portfolio/bankchurn-predictor:v3.2.0";
    assert_eq!(plugin.says(image), "rollout \"web\" image updated\n");
    plugin.until("paused", "Paused", "v3.2.0");
    let screen = plugin.says("get rollout web --no-color");
    for part in ["Status:          ॥ Paused", "  Step:          1/3", "v3.2.0 (canary)", "v3.1.0 (stable)", "ready:1/1"]
    {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    assert!(plugin.says("list rollouts").contains("web         Canary     Paused        1/3   50 "));
    assert_eq!(plugin.says("status web --watch=false"), "Paused - CanaryPauseStep\n");

    assert_eq!(plugin.says("abort web"), "rollout 'web' aborted\n");
    plugin.until("aborted", "Degraded", "v3.2.0");
    assert_eq!(plugin.says("retry rollout web"), "rollout 'web' retried\n");
    plugin.until("paused again", "Paused", "v3.2.0");
    assert_eq!(plugin.says("promote web"), "rollout 'web' promoted\n");
    plugin.until("promoted", "Healthy", "v3.2.0");

    assert_eq!(plugin.says("undo web"), "rollout 'web' undo\n");
    plugin.until("on the way back", "Paused", "v3.1.0");
    assert_eq!(plugin.says("promote web --full"), "rollout 'web' fully promoted\n");
    plugin.until("back", "Healthy", "v3.1.0");
    assert_eq!(plugin.says("pause web"), "rollout 'web' paused\n");
    plugin.until("halted", "Paused", "v3.1.0");
    assert_eq!(plugin.says("promote web"), "rollout 'web' promoted\n");
    plugin.until("goes on", "Healthy", "v3.1.0");

    let before = namespace.objects("pods", "app=web");
    assert_eq!(plugin.says("restart web"), "rollout 'web' restarts in 0s\n");
    let old: Vec<&str> = before.iter().filter_map(|pod| pod["metadata"]["uid"].as_str()).collect();
    namespace.wait_until("new pods", SOON, || {
        let now = namespace.objects("pods", "app=web");
        let left = now.iter().any(|pod| old.iter().any(|uid| pod["metadata"]["uid"] == *uid));
        if now.len() == 2 && !left { Ok(()) } else { Err(format!("{} pods", now.len())) }
    });

    namespace.wait_for("experiment", "trial", "running", SOON, |e| e["status"]["phase"] == "Running");
    assert!(plugin.says("get experiment trial --no-color").contains("Status:          ◌ Running"));
    plugin.says("terminate experiment trial");
    namespace.wait_for("experiment", "trial", "over", SOON, |e| e["status"]["phase"] == "Successful");
    assert!(plugin.says("list experiments").contains("trial       Successful"));
    assert!(controller.is_running(), "{}", controller.log());
}

#[test]
fn the_plugin_of_the_original_drives_a_rollout() {
    let built = Command::new(Cluster::root().join("e2e/cluster/build")).args(["--path", "plugin"]).output().unwrap();
    let folder = String::from_utf8(built.stdout).unwrap();
    drive(Path::new(folder.trim()).join("kubectl-argo-rollouts"), "argo-plugin");
}

#[test]
fn our_plugin_drives_a_rollout() {
    let link = Cluster::built("serin").with_file_name("kubectl-argo-rollouts");
    let _ = std::os::unix::fs::symlink("serin", &link);
    drive(link, "our-plugin");
}
