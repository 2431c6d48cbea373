//! The whole process: the lock of the leader, probes, metrics, a clean stop, a panic.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use serin_cluster::process::Ports;
use serin_cluster::resource::{LEASE, REPLICA_SET, ROLLOUT};
use serin_cluster::{Election, Error, Fault, Process, Settings, Timing};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, LocalSet};

use crate::install::{phase, pods_come_up, rollout, sized};
use crate::server::{Server, Trouble};

const LOCK: &str = "argo-rollouts-controller-lock";

/// Short enough for a test; whole seconds, as leases have them.
const TIMING: Timing =
    Timing { lease: Duration::from_secs(3), renew: Duration::from_millis(1500), retry: Duration::from_millis(300) };

struct Running {
    health: SocketAddr,
    metrics: SocketAddr,
    identity: String,
    stop: watch::Sender<bool>,
    end: JoinHandle<Result<(), Error>>,
}

async fn start(server: &Server, elect: bool, fault: Fault) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let client = server.client(folder.path()).await;
    let any = "127.0.0.1:0".parse().unwrap();
    let election = elect.then(|| Election::new("ops", "", TIMING));
    let identity = election.as_ref().map(|election| election.identity.clone()).unwrap_or_default();
    let ports = Ports { health: any, metrics: any };
    let process = Process::new(client, Settings::default(), fault, election, ports, "1.2.3").await.unwrap();
    let (health, metrics) = (process.health().unwrap(), process.metrics().unwrap());
    let (stop, stopped) = watch::channel(false);
    let end = tokio::task::spawn_local(process.run(stopped));
    Running { health, metrics, identity, stop, end }
}

impl Running {
    async fn end(self) -> Result<(), Error> {
        self.stop.send(true).unwrap();
        self.end.await.unwrap()
    }

    async fn metric(&self, series: &str) -> Option<f64> {
        let (_, page) = ask(self.metrics, "/metrics").await;
        let samples = serin_promql::text::parse(&page).unwrap();
        assert!(samples.len() > 20, "{page}");
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }
}

async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (code, body.to_owned())
}

fn holder(server: &Server) -> String {
    let lease = server.get(LEASE, "ops", LOCK);
    lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned)).unwrap_or_default()
}

async fn local<F: Future<Output = ()>>(test: F) {
    LocalSet::new().run_until(test).await;
}

//= compat: 9.2-1, 9.2-2
#[tokio::test]
async fn a_second_process_waits_serves_probes_and_goes_on_soon_after_a_clean_stop() {
    local(async {
        let server = Server::start().await;
        let first = start(&server, true, Fault::default()).await;
        server.until("the first one leads", |server| holder(server) == first.identity).await;
        let second = start(&server, true, Fault::default()).await;
        server.put(rollout("taste", "model:1"));
        server.until("the first one works", sized).await;
        assert_eq!(first.metric("serin_leader").await, Some(1.0));
        assert_eq!(second.metric("serin_leader").await, Some(0.0));
        assert_eq!(ask(second.health, "/healthz").await, (200, "ok".to_owned()));
        assert_eq!(ask(second.health, "/readyz").await.0, 200);
        assert_eq!(second.metric("rollout_info_replicas_desired").await, None, "one that waits follows nothing");
        pods_come_up(&server);
        let spec = server.get(LEASE, "ops", LOCK).unwrap()["spec"].clone();
        assert_eq!((&spec["leaseDurationSeconds"], &spec["leaseTransitions"]), (&json!(3), &json!(0)));

        let (waiting, stopped) = (second.identity.clone(), Instant::now());
        first.end().await.unwrap();
        server.until("the second one leads", |server| holder(server) == waiting).await;
        assert!(stopped.elapsed() < Duration::from_secs(2), "it did not wait for the end of the lease");
        server.until("it works", |server| phase(server, "taste") == "Healthy").await;
        assert_eq!(server.get(LEASE, "ops", LOCK).unwrap()["spec"]["leaseTransitions"], 1);
        second.end().await.unwrap();
        assert_eq!(holder(&server), "");
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_another_program_renews_is_never_taken() {
    local(async {
        let server = Server::start().await;
        let renew = |n: u32| {
            server.put(json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": LOCK, "namespace": "ops" },
                // Its clock is far behind ours.
                "spec": {
                    "holderIdentity": "argo_1", "leaseDurationSeconds": 1, "leaseTransitions": 7,
                    "acquireTime": "2001-01-01T00:00:00.000000Z", "renewTime": format!("2001-01-01T00:00:{n:02}.000000Z"),
                },
            }))
        };
        server.put(rollout("taste", "model:1"));
        renew(0);
        let ours = start(&server, true, Fault::default()).await;
        for n in 1..6 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            renew(n);
        }
        assert_eq!(holder(&server), "argo_1");
        assert_eq!(server.written(), [""; 0]);
        // It has died.
        server.until("the lease is taken", |server| holder(server) == ours.identity).await;
        server.until("it works", |server| server.all(REPLICA_SET).len() == 1).await;
        assert_eq!(server.get(LEASE, "ops", LOCK).unwrap()["spec"]["leaseTransitions"], 8);
        ours.end().await.unwrap();
    })
    .await;
}

//= compat: 9.2-3
#[tokio::test]
async fn a_leader_that_cannot_renew_ends_with_an_error_before_the_lease_can_be_taken() {
    local(async {
        let server = Server::start().await;
        let ours = start(&server, true, Fault::default()).await;
        server.until("it leads", |server| holder(server) == ours.identity).await;
        let identity = ours.identity.clone();
        // The writes of its passes arrive late from now on, and its renewals not at all.
        server.always("*", "/leases/", Trouble::Refuse(500, "InternalError", "etcd is away"));
        server.always("create", "/replicasets", Trouble::Delay(Duration::from_secs(5)));
        let begun = Instant::now();
        server.put(rollout("taste", "model:1"));
        let error = ours.end.await.unwrap().unwrap_err();
        assert!(begun.elapsed() < TIMING.renew + Duration::from_millis(500), "{:?}", begun.elapsed());
        assert!(
            error.to_string().starts_with("failed to keep the lease ops/argo-rollouts-controller-lock: "),
            "{error}"
        );
        assert!(error.to_string().contains("etcd is away"), "{error}");
        assert_eq!(holder(&server), identity, "it is not given back: what was sent may still arrive");
        server.forget_calls();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(server.written(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_leader_whose_lease_was_taken_from_it_ends_at_once() {
    local(async {
        let server = Server::start().await;
        let ours = start(&server, true, Fault::default()).await;
        server.until("it leads", |server| holder(server) == ours.identity).await;
        server.edit(LEASE, "ops", LOCK, |lease| lease["spec"]["holderIdentity"] = "somebody".into());
        let error = ours.end.await.unwrap().unwrap_err();
        assert!(error.to_string().ends_with("somebody has taken it"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_and_a_deleted_lease_do_not_end_a_leader() {
    local(async {
        let server = Server::start().await;
        let ours = start(&server, true, Fault::default()).await;
        server.until("it leads", |server| holder(server) == ours.identity).await;
        let renewed = |server: &Server| server.calls().iter().filter(|call| call.path.contains("/leases")).count();
        server.trouble("update", "/leases/", 1, Trouble::LoseAnswer);
        server.forget_calls();
        server.until("it is renewed again", |server| renewed(server) >= 3).await;
        server.remove(LEASE, "ops", LOCK);
        server.until("it is made anew", |server| holder(server) == ours.identity).await;
        ours.end().await.unwrap();
    })
    .await;
}

//= compat: 9.2-2
#[tokio::test]
async fn probes_and_metrics_tell_of_the_loop() {
    local(async {
        let server = Server::start().await;
        server.always("list", "/experiments", Trouble::Refuse(500, "InternalError", "not now"));
        server.put(rollout("taste", "model:1"));
        let ours = start(&server, false, Fault::default()).await;
        server.until("rollouts are listed", |s| s.calls().iter().any(|c| c.path.ends_with("/rollouts"))).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(ask(ours.health, "/healthz").await, (200, "ok".to_owned()));
        assert_eq!(ask(ours.health, "/readyz").await, (503, "not known yet: experiments\n".to_owned()));
        server.calm();
        server.until("it works", sized).await;
        pods_come_up(&server);
        server.until("it is healthy", |server| phase(server, "taste") == "Healthy").await;
        assert_eq!(ask(ours.health, "/readyz").await.0, 200);
        assert_eq!(ask(ours.health, "/metrics").await.0, 404, "each has its own port");
        assert_eq!(ask(ours.metrics, "/healthz").await.0, 404);
        let named = r#"{namespace="shop",name="taste"}"#;
        assert_eq!(ours.metric(&format!("rollout_info_replicas_desired{named}")).await, Some(2.0));
        assert!(ours.metric(&format!("rollout_reconcile_count{named}")).await.unwrap() >= 1.0);
        assert!(ours.metric("serin_decision_duration_seconds_count").await.unwrap() >= 1.0);
        assert!(ours.metric(r#"serin_api_requests_total{verb="create",code="200"}"#).await.unwrap() >= 1.0);
        ours.end().await.unwrap();
    })
    .await;
}

//= compat: 9.6-1
#[tokio::test]
async fn a_rollout_whose_passes_panic_says_so_and_stops_no_other() {
    local(async {
        let server = Server::start().await;
        server.put(rollout("bad", "model:1"));
        server.put(rollout("taste", "model:1"));
        let ours = start(&server, false, Fault::parse("panic:shop/bad").unwrap()).await;
        server.until("the other one is made", sized).await;
        let told = |server: &Server| {
            let rollout = server.get(ROLLOUT, "shop", "bad").unwrap();
            let conditions = rollout["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let told = conditions.iter().find(|one| one["type"] == "ReconciliationError");
            told.is_some_and(|one| one["message"].as_str().unwrap().contains("fault of the controller"))
        };
        server.until("it says so", told).await;
        pods_come_up(&server);
        server.until("the other one is healthy", |server| phase(server, "taste") == "Healthy").await;
        assert!(ours.metric("serin_panics_total").await.unwrap() >= 1.0);
        assert_eq!(server.all(REPLICA_SET).len(), 1);
        ours.end().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_what_was_begun_and_begins_nothing_more() {
    local(async {
        let server = Server::start().await;
        let ours = start(&server, true, Fault::default()).await;
        server.until("it leads", |server| holder(server) == ours.identity).await;
        server.always("create", "/replicasets", Trouble::Delay(Duration::from_millis(700)));
        server.put(rollout("taste", "model:1"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.all(REPLICA_SET).len(), 0, "the write is on its way");
        ours.end().await.unwrap();
        assert_eq!(server.all(REPLICA_SET).len(), 1, "it was waited for");
        assert_eq!(holder(&server), "");
        server.forget_calls();
        server.put(rollout("late", "model:1"));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.written(), [""; 0]);
    })
    .await;
}
