//! A controller on the server, with pods that come up by themselves, and a script.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::resource::{INGRESS, REPLICA_SET, ROLLOUT, SERVICE};
use serin_cluster::{Controller, Fault, Settings};
use serin_spec::wire::keys::HASH_LABEL;
use tokio::task::LocalSet;

use crate::server::Server;

/// The namespace of everything.
pub(crate) const SHOP: &str = "shop";

/// Runs a script against a server with a controller. A controller that the server leaves without an answer for good is killed,
/// and another one started.
pub(crate) async fn play(server: &Server, settings: Settings, script: impl AsyncFnOnce()) {
    let folder = tempfile::tempdir().unwrap();
    let controllers = async {
        loop {
            let client = server.client(folder.path()).await;
            let controller = Controller::new(client, settings.clone(), Fault::default());
            let (_stop, stopped) = tokio::sync::watch::channel(false);
            // Its tasks end with the set, as those of a process do.
            let process = LocalSet::new();
            tokio::select! {
                () = process.run_until(controller.run(stopped)) => {}
                () = frozen(server) => {}
            }
            drop(process);
            server.thaw();
        }
    };
    tokio::select! {
        () = controllers => unreachable!("they are started for ever"),
        () = pods(server) => unreachable!("they come up for ever"),
        () = script() => {}
    }
}

async fn frozen(server: &Server) {
    while !server.is_frozen() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The cluster: ReplicaSets get their pods.
async fn pods(server: &Server) {
    loop {
        crate::install::pods_come_up(server);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A service that selects by label.
pub(crate) fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": SHOP },
        "spec": { "selector": { "app": app }, "ports": [{ "name": "http", "port": 80 }] },
    })
}

/// An Ingress to a service.
pub(crate) fn ingress(name: &str, to: &str) -> Value {
    let backend = json!({ "service": { "name": to, "port": { "name": "http" } } });
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": name, "namespace": SHOP },
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{
                "host": "taste.local",
                "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
            }],
        },
    })
}

/// A routed canary with its services and its Ingress, all named after it.
pub(crate) fn routed(name: &str, image: &str, steps: &Value) -> Vec<Value> {
    let mut rollout = crate::install::rollout(name, image);
    rollout["spec"]["replicas"] = 4.into();
    rollout["spec"]["strategy"]["canary"] = json!({
        "stableService": format!("{name}-stable"),
        "canaryService": format!("{name}-canary"),
        "scaleDownDelaySeconds": 0,
        "abortScaleDownDelaySeconds": 1,
        "trafficRouting": { "nginx": { "stableIngress": name } },
        "steps": steps,
    });
    let stable = format!("{name}-stable");
    vec![service(&stable, name), service(&format!("{name}-canary"), name), ingress(name, &stable), rollout]
}

/// A blue-green rollout with its services.
pub(crate) fn blue_green(name: &str, image: &str) -> Vec<Value> {
    let mut rollout = crate::install::rollout(name, image);
    rollout["spec"]["strategy"] = json!({ "blueGreen": {
        "activeService": format!("{name}-active"),
        "previewService": format!("{name}-preview"),
        "scaleDownDelaySeconds": 1,
    }});
    vec![service(&format!("{name}-active"), name), service(&format!("{name}-preview"), name), rollout]
}

/// Another image for a rollout.
pub(crate) fn set_image(server: &Server, name: &str, image: &str) {
    change_spec(server, name, |spec| spec["template"]["spec"]["containers"][0]["image"] = image.into());
}

/// A change of a rollout's spec by its owner.
pub(crate) fn change_spec(server: &Server, name: &str, change: impl FnOnce(&mut Value)) {
    server.edit(ROLLOUT, SHOP, name, |rollout| {
        change(&mut rollout["spec"]);
        let generation = rollout["metadata"]["generation"].as_i64().unwrap_or(1);
        rollout["metadata"]["generation"] = (generation + 1).into();
    });
}

/// Waits until a rollout's status is of the newest spec and says this.
pub(crate) async fn is(server: &Server, name: &str, phase: &str) {
    let holds = |server: &Server| {
        let rollout = server.get(ROLLOUT, SHOP, name).unwrap();
        let observed = rollout["status"]["observedGeneration"].as_str().and_then(|text| text.parse::<i64>().ok());
        let generation = rollout["metadata"]["generation"].as_i64().unwrap_or(1);
        observed.is_some_and(|observed| observed >= generation) && rollout["status"]["phase"] == phase
    };
    server.until(&format!("{name} is {phase}"), holds).await;
}

/// What matters in the end, times and versions of objects left out.
pub(crate) fn outcome(server: &Server, name: &str) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut pools: Vec<Value> = server
        .all(REPLICA_SET)
        .iter()
        .map(|pool| {
            json!([
                text(&pool["metadata"]["labels"][HASH_LABEL]),
                pool["spec"]["replicas"],
                pool["metadata"]["annotations"]["rollout.argoproj.io/revision"],
            ])
        })
        .collect();
    pools.sort_by_key(Value::to_string);
    let services = server.all(SERVICE);
    let services = services.iter().map(|one| json!([one["metadata"]["name"], one["spec"]["selector"][HASH_LABEL]]));
    let weights = server.all(INGRESS);
    let weights = weights.iter().map(|one| {
        json!([one["metadata"]["name"], one["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]])
    });
    let rollout = server.get(ROLLOUT, SHOP, name).unwrap();
    let status = ["phase", "stableRS", "currentPodHash", "currentStepIndex", "abort"];
    let status = status.map(|key| rollout["status"][key].clone());
    json!({
        "pools": pools,
        "services": services.collect::<Vec<_>>(),
        "weights": weights.collect::<Vec<_>>(),
        "status": status,
        "revision": rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"],
    })
}

/// What must hold at every moment: requests go to pods that are there.
#[derive(Debug, Default)]
pub(crate) struct Watchman {
    on_duty: Cell<bool>,
    seen: RefCell<Vec<String>>,
}

impl Watchman {
    /// From now on. A first version has no pods to begin with, and there is nobody else to serve its requests.
    pub(crate) fn begin(&self) {
        self.on_duty.set(true);
    }

    /// Watches for ever.
    pub(crate) async fn watch(&self, server: &Server, name: &str) {
        loop {
            if let Some(wrong) = wrong(server, name).filter(|_| self.on_duty.get()) {
                let calls = server.written();
                let last = calls.iter().rev().take(8).rev().cloned().collect::<Vec<_>>().join("\n  ");
                self.seen.borrow_mut().push(format!("{wrong}, after\n  {last}\n{}", outcome(server, name)));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What was wrong.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }
}

fn wrong(server: &Server, name: &str) -> Option<String> {
    let available = |hash: &str| {
        let pools = server.all(REPLICA_SET);
        let pool = pools.iter().find(|pool| pool["metadata"]["labels"][HASH_LABEL] == hash)?;
        pool["status"]["availableReplicas"].as_u64()
    };
    let selected = |service: &str| {
        let service = server.get(SERVICE, SHOP, &format!("{name}-{service}"))?;
        service["spec"]["selector"][HASH_LABEL].as_str().map(str::to_owned)
    };
    for service in ["stable", "active"] {
        if let Some(hash) = selected(service)
            && available(&hash).unwrap_or(0) == 0
        {
            return Some(format!("the {service} service selects {hash}, which has no pod"));
        }
    }
    let canary = server.get(INGRESS, SHOP, &format!("{name}-{name}-canary"))?;
    let weight = canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"].as_str()?.to_owned();
    let hash = selected("canary")?;
    (weight != "0" && available(&hash).unwrap_or(0) == 0)
        .then(|| format!("{weight} of the requests go to {hash}, which has no pod"))
}
