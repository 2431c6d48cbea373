//! What goes wrong between the controller and the API server, and that it passes.

use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::resource::{EXPERIMENT, REPLICA_SET, ROLLOUT};
use serin_cluster::{Controller, Fault, Settings};
use tokio::task::LocalSet;

use crate::install::{phase, pods_come_up, rollout, sized};
use crate::server::{Server, Trouble};

/// Runs a controller beside a test.
async fn with_controller(server: &Server, test: impl Future<Output = ()>) {
    let folder = tempfile::tempdir().unwrap();
    let client = server.client(folder.path()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let controller = Controller::new(client, Settings::default(), Fault::default());
    let watching = async {
        test.await;
        stop.send(true).unwrap();
    };
    LocalSet::new().run_until(async { tokio::join!(controller.run(stopped), watching) }).await;
}

async fn healthy(server: &Server) {
    server.until("its ReplicaSet has its size", sized).await;
    pods_come_up(server);
    server.until("it is healthy", |server| phase(server, "taste") == "Healthy").await;
    assert_eq!(server.all(REPLICA_SET).len(), 1);
}

#[tokio::test]
async fn conflicts_lost_answers_and_slow_ones_pass() {
    let server = Server::start().await;
    server.put(rollout("taste", "model:1"));
    server.trouble("create", "/replicasets", 1, Trouble::LoseAnswer);
    server.trouble("patch", "/rollouts/taste/status", 1, Trouble::Refuse(409, "Conflict", "somebody was faster"));
    server.trouble("patch", "/rollouts/taste/status", 2, Trouble::Drop);
    server.trouble("list", "/services", 1, Trouble::Delay(Duration::from_millis(200)));
    with_controller(&server, healthy(&server)).await;
    let codes: Vec<u16> = server.writes().iter().map(|call| call.code).collect();
    assert!(codes.contains(&409) && codes.contains(&0), "{codes:?}");
}

#[tokio::test]
async fn a_watch_that_is_cut_or_too_late_goes_on() {
    let server = Server::start().await;
    with_controller(&server, async {
        server.until("everything is watched", |s| s.calls().iter().filter(|c| c.verb == "watch").count() == 7).await;
        server.compact();
        server.cut();
        server.put(rollout("taste", "model:1"));
        server.compact();
        healthy(&server).await;
        server.remove(ROLLOUT, "shop", "taste");
        server.forget_calls();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.written(), [""; 0], "nothing is left to do for one that has gone");
    })
    .await;
}

#[tokio::test]
async fn a_kind_that_is_not_there_stops_nothing() {
    let server = Server::start().await;
    server.without(EXPERIMENT);
    server.put(rollout("taste", "model:1"));
    with_controller(&server, healthy(&server)).await;
}

fn condition(server: &Server, kind: &str) -> Value {
    let rollout = server.get(ROLLOUT, "shop", "taste").unwrap_or_default();
    let conditions = rollout["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|one| one["type"] == kind).unwrap_or_default()
}

/// How often this was asked for.
fn asked(server: &Server, verb: &str, path: &str) -> usize {
    server.calls().iter().filter(|call| call.verb == verb && call.path.contains(path)).count()
}

//= compat: 2.3-9
#[tokio::test]
async fn a_version_that_cannot_be_made_is_told_once_however_often_it_is_tried() {
    for (code, reason) in [(400, "BadRequest"), (403, "Forbidden")] {
        let server = Server::start().await;
        server.put(rollout("taste", "model:1"));
        server.always("create", "/replicasets", Trouble::Refuse(code, reason, "exceeded quota: sets"));
        with_controller(&server, async {
            let told = |server: &Server| condition(server, "ReconciliationError")["message"].is_string();
            // Until it stays: a status that was decided meanwhile is written without the condition, which is then set again.
            server.until("it is told", |s| told(s) && asked(s, "create", "/replicasets") >= 5).await;
            server.forget_calls();
            server.until("it was tried three times more", |s| asked(s, "create", "/replicasets") >= 3).await;
            let others: Vec<String> = server.writes().into_iter().map(|call| call.path).collect();
            assert!(others.iter().all(|path| path.contains("/replicasets")), "{code}: {others:?}");
            // Both say it, Argo's own condition and ours.
            let progressing = condition(&server, "Progressing");
            assert_eq!(
                (&progressing["status"], &progressing["reason"]),
                (&"False".into(), &"ReplicaSetCreateError".into())
            );
            server.calm();
            healthy(&server).await;
            assert!(!told(&server));
        })
        .await;
    }
}

//= compat: 1.4-5
#[tokio::test]
async fn an_eviction_that_a_budget_refuses_holds_nothing_up() {
    let server = Server::start().await;
    server.put(rollout("taste", "model:1"));
    server.always(
        "create",
        "/eviction",
        Trouble::Refuse(429, "TooManyRequests", "it would violate the disruption budget"),
    );
    with_controller(&server, async {
        healthy(&server).await;
        let pool = server.all(REPLICA_SET).remove(0);
        for name in ["taste-1", "taste-2"] {
            server.put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": name, "namespace": "shop", "labels": pool["spec"]["template"]["metadata"]["labels"],
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                        "name": pool["metadata"]["name"], "uid": pool["metadata"]["uid"],
                    }],
                },
                "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
            }));
        }
        // Later than the time at which this server makes everything.
        server.edit(ROLLOUT, "shop", "taste", |rollout| rollout["spec"]["restartAt"] = "2026-01-03T00:00:00Z".into());
        server.until("an eviction was asked for", |s| asked(s, "create", "/eviction") >= 1).await;
        server.edit(ROLLOUT, "shop", "taste", |rollout| {
            rollout["spec"]["template"]["spec"]["containers"][0]["image"] = "model:2".into();
        });
        server.until("it goes on with an update", |s| s.all(REPLICA_SET).len() == 2).await;
        assert!(condition(&server, "ReconciliationError").is_null());
    })
    .await;
}
