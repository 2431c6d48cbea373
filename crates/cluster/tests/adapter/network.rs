//! What goes wrong between the controller and the API server, and that it passes.

use std::time::Duration;

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
