//! The first install of a rollout, call by call.

use serde_json::{Value, json};
use serin_cluster::resource::{REPLICA_SET, ROLLOUT};
use serin_cluster::{Controller, Fault, Settings};
use tokio::task::LocalSet;

use crate::server::Server;

pub(crate) fn rollout(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "model", "image": image }] },
            },
            "strategy": { "canary": { "steps": [{ "setWeight": 50 }, { "pause": {} }] } },
        },
    })
}

/// Makes the pods of every ReplicaSet available, as the cluster would.
pub(crate) fn pods_come_up(server: &Server) {
    for pool in server.all(REPLICA_SET) {
        let wanted = pool["spec"]["replicas"].clone();
        if pool["status"]["availableReplicas"] != wanted {
            let name = pool["metadata"]["name"].as_str().unwrap();
            server.edit(REPLICA_SET, "shop", name, |pool| {
                pool["status"] = json!({
                    "replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted,
                    "observedGeneration": pool["metadata"]["generation"],
                });
            });
        }
    }
}

/// Whether there is a ReplicaSet of the size that is wanted.
pub(crate) fn sized(server: &Server) -> bool {
    server.all(REPLICA_SET).first().is_some_and(|pool| pool["spec"]["replicas"] == 2)
}

pub(crate) fn phase(server: &Server, name: &str) -> String {
    let rollout = server.get(ROLLOUT, "shop", name).unwrap();
    rollout["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_rollout_is_installed_and_then_nothing_is_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    server.put(rollout("taste", "model:1"));
    let client = server.client(folder.path()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let work = async {
        let controller = Controller::new(client, Settings::default(), Fault::default());
        controller.run(stopped).await;
    };
    let watching = async {
        server.until("its ReplicaSet has its size", sized).await;
        assert_eq!(server.all(REPLICA_SET)[0]["metadata"]["ownerReferences"][0]["name"], "taste");
        server.until("it waits for its pods", |server| phase(server, "taste") == "Progressing").await;
        pods_come_up(&server);
        server.until("it is healthy", |server| phase(server, "taste") == "Healthy").await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.forget_calls();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(server.written(), [""; 0]);
        stop.send(true).unwrap();
    };
    LocalSet::new().run_until(async { tokio::join!(work, watching) }).await;
}
