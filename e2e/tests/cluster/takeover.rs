//! Argo's own controller and this one take rollouts over from each other, where they stand.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use serin_e2e::{Cluster, Controller, Namespace};

use crate::manifests::{
    SOON, canary, controller, healthy, ingress, passed, phase, resume, rollout, service, set_tag, uids,
};

/// Argo's controller, for one namespace; killed when it is dropped.
struct Argo(Child);

impl Argo {
    fn start(cluster: &Cluster, namespace: &Namespace) -> Self {
        let build =
            Command::new(Cluster::root().join("e2e/cluster/build")).args(["--path", "argo-controller"]).output();
        let folder = String::from_utf8(build.unwrap().stdout).unwrap();
        let path = cluster.dir().join(format!("log/argo-{}.log", namespace.name()));
        let log = File::options().create(true).append(true).open(path).unwrap();
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [health, metrics] = ports.map(|port| port.local_addr().unwrap().port().to_string());
        let mut command = Command::new(format!("{}/argo-controller", folder.trim()));
        command.args(["--namespaced", "--namespace", namespace.name(), "--leader-elect=false"]);
        command.args(["--healthzPort", &health, "--metricsPort", &metrics, "--kubeconfig"]);
        command.arg(cluster.kubeconfig("argo")).env("POD_NAMESPACE", namespace.name());
        Self(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Argo {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of the two; ended when it is dropped.
#[expect(dead_code, reason = "held so that it runs")]
enum Driver {
    Serin(Controller),
    Argo(Argo),
}

#[derive(Clone, Copy)]
enum Who {
    Serin,
    Argo,
}

impl Who {
    fn start(self, cluster: &Cluster, namespace: &Namespace) -> Driver {
        match self {
            Self::Serin => Driver::Serin(controller(namespace)),
            Self::Argo => Driver::Argo(Argo::start(cluster, namespace)),
        }
    }
}

/// What a take-over must leave as it is.
fn standing(namespace: &Namespace, name: &str) -> (Value, [Vec<(String, String)>; 2]) {
    let status = namespace.object("rollout", name).unwrap()["status"].take();
    let kept =
        ["currentStepIndex", "currentPodHash", "stableRS", "pauseConditions", "phase", "message", "currentStepHash"];
    let kept = kept.iter().map(|field| ((*field).to_owned(), status[field].clone())).collect();
    let app = format!("app={name}");
    (Value::Object(kept), [uids(namespace, "replicasets", &app), uids(namespace, "pods", &app)])
}

fn version(namespace: &Namespace, name: &str) -> Value {
    namespace.object("rollout", name).unwrap()["metadata"]["resourceVersion"].take()
}

fn weight(namespace: &Namespace) -> Value {
    let ingress = namespace.object("ingress", "web-web-canary").unwrap_or_default();
    ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"].clone()
}

/// A canary behind nginx that stands in its first pause, and an idle rollout beside it; then the other one drives.
fn a_canary_changes_hands(first: Who, second: Who) {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("hands");
    let driver = first.start(&cluster, &namespace);
    let strategy = "{canary: {stableService: stable, canaryService: canary, \
         trafficRouting: {nginx: {stableIngress: web}}, \
         steps: [{setWeight: 25}, {pause: {}}, {setWeight: 60}, {pause: {duration: 2}}]}}";
    let host = format!("{}.test", namespace.name());
    namespace.apply(&(service("stable", "web") + &service("canary", "web") + &ingress("web", &host, "stable")));
    namespace.apply(&rollout("web", 2, "v3.1.0", strategy, ""));
    namespace.apply(&rollout("idle", 1, "v3.1.0", &canary("[{setWeight: 50}, {pause: {}}]"), ""));
    healthy(&namespace, "web");
    healthy(&namespace, "idle");
    set_tag(&namespace, "web", "v3.2.0");
    phase(&namespace, "web", "Paused");
    namespace.wait_until("the weight", SOON, || {
        let found = weight(&namespace);
        if found == "25" { Ok(()) } else { Err(found.to_string()) }
    });
    let before = namespace.wait_until("a state that stays", SOON, || {
        let before = standing(&namespace, "web");
        if before.1[1].len() == 3 { Ok(before) } else { Err(format!("{before:?}")) }
    });
    assert_eq!(before.0["currentStepIndex"], 1, "{before:?}");
    drop(driver);

    let idle = version(&namespace, "idle");
    let _driver = second.start(&cluster, &namespace);
    passed(&namespace, "marker");
    assert_eq!(standing(&namespace, "web"), before);
    assert_eq!(weight(&namespace), "25");
    assert_eq!(version(&namespace, "idle"), idle, "the idle rollout was written");
    resume(&namespace, "web");
    let done = healthy(&namespace, "web");
    assert_eq!(
        (&done["status"]["currentStepIndex"], &done["status"]["stableRS"]),
        (&4.into(), &before.0["currentPodHash"])
    );
    // No version was made a second time, and the canary's pod went on serving.
    assert_eq!(uids(&namespace, "replicasets", "app=web"), before.1[0]);
    let pods = uids(
        &namespace,
        "pods",
        &format!("app=web,rollouts-pod-template-hash={}", before.0["currentPodHash"].as_str().unwrap()),
    );
    assert!(pods.iter().any(|pod| before.1[1].contains(pod)), "{pods:?}");
    namespace.wait_until("the weight of nobody", SOON, || {
        let found = weight(&namespace);
        if found == "0" { Ok(()) } else { Err(found.to_string()) }
    });
}

#[test]
fn a_canary_is_taken_over_from_argo() {
    a_canary_changes_hands(Who::Argo, Who::Serin);
}

#[test]
fn a_canary_is_taken_over_by_argo() {
    a_canary_changes_hands(Who::Serin, Who::Argo);
}

fn a_blue_green_rollout_changes_hands(first: Who, second: Who) {
    let cluster = Cluster::booted();
    let namespace = cluster.namespace("colours");
    let driver = first.start(&cluster, &namespace);
    let strategy = "{blueGreen: {activeService: active, previewService: preview, autoPromotionEnabled: false, \
         scaleDownDelaySeconds: 3600}}";
    namespace.apply(&(service("active", "web") + &service("preview", "web")));
    namespace.apply(&rollout("web", 1, "v3.1.0", strategy, ""));
    healthy(&namespace, "web");
    set_tag(&namespace, "web", "v3.2.0");
    phase(&namespace, "web", "Paused");
    let before = standing(&namespace, "web");
    assert_eq!(before.1[1].len(), 2, "{before:?}");
    drop(driver);

    let _driver = second.start(&cluster, &namespace);
    passed(&namespace, "marker");
    assert_eq!(standing(&namespace, "web"), before);
    let selected = |name: &str| {
        namespace.object("service", name).unwrap()["spec"]["selector"]["rollouts-pod-template-hash"].take()
    };
    assert_eq!(
        (selected("active"), selected("preview")),
        (before.0["stableRS"].clone(), before.0["currentPodHash"].clone())
    );
    resume(&namespace, "web");
    healthy(&namespace, "web");
    assert_eq!(selected("active"), before.0["currentPodHash"]);
    let after = standing(&namespace, "web").1;
    assert_eq!(after, before.1, "versions and pods of both colours");
}

#[test]
fn a_blue_green_rollout_is_taken_over_from_argo() {
    a_blue_green_rollout_changes_hands(Who::Argo, Who::Serin);
}

#[test]
fn a_blue_green_rollout_is_taken_over_by_argo() {
    a_blue_green_rollout_changes_hands(Who::Serin, Who::Argo);
}
