//! The logs of what was judged: whatever happens at a write, a log gives what its run says.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use serin_cluster::EvidenceLog;
use serin_core::analysis::RunStatus;
use serin_providers::sequential::log::folder::found;
use serin_providers::sequential::log::{self, Entry, Reader};
use serin_providers::sequential::replay::{Played, Replay};
use serin_spec::lower;

use super::*;
use crate::server::Trouble;

/// What nobody may read in a log.
const SECRET: &str = "hunter2-hunter2";

/// A controller that measures what others drive, and logs what it judges.
fn logging(prometheus: &Prometheus, folder: &Path) -> Settings {
    let log = EvidenceLog { folder: folder.to_owned(), bytes_max: 64 << 20 };
    Settings { evidence_log: Some(log), analysis_only: true, ..settings(prometheus) }
}

/// An update that is under way, and the run that judges it.
fn under_way(server: &Server) {
    let named = |kind: &str, name: &str| json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": { "name": name, "namespace": SHOP } });
    let mut rollout = crate::install::rollout("taste", "model:2");
    rollout["status"] = json!({ "stableRS": "old", "currentPodHash": "new", "currentStepIndex": 0 });
    let uid = server.put(rollout)["metadata"]["uid"].clone();
    let owner = json!([{ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "taste", "uid": uid, "controller": true }]);
    for (hash, revision, image) in [("old", "1", "model:1"), ("new", "2", "model:2")] {
        let mut pool = named("ReplicaSet", &format!("taste-{hash}"));
        pool["apiVersion"] = "apps/v1".into();
        pool["metadata"]["labels"] = json!({ "rollouts-pod-template-hash": hash });
        pool["metadata"]["annotations"] = json!({ "rollout.argoproj.io/revision": revision });
        pool["metadata"]["ownerReferences"] = owner.clone();
        pool["spec"] = json!({
            "replicas": 0, "template": { "spec": { "containers": [{ "name": "model", "image": image }] } },
        });
        server.put(pool);
    }
    server.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login", "namespace": SHOP },
        "data": { "token": "aHVudGVyMi1odW50ZXIy" },
    }));
    let mut run = run(json!({ "tolerance": "5pt" }));
    run["metadata"]["labels"] = json!({ "rollouts-pod-template-hash": "new", "rollout-type": "Background" });
    run["metadata"]["ownerReferences"] = owner;
    run["spec"]["args"] =
        json!([{ "name": "token", "valueFrom": { "secretKeyRef": { "name": "login", "key": "token" } } }]);
    let compare = &mut run["spec"]["metrics"][0]["provider"]["plugin"]["serin.dev/compare"];
    compare["prometheus"]["headers"] = json!([{ "key": "x-token", "value": "{{args.token}}" }]);
    compare["prometheus"]["canary"]["bad"] = "sum by (pod) (bad{v='canary', token='{{args.token}}'})".into();
    server.put(run);
}

/// The entries of the one log in a folder; none while there is no log.
fn entries(folder: &Path) -> Vec<Entry> {
    let logs = found(folder).unwrap_or_default();
    assert!(logs.len() <= 1, "{logs:?}");
    let Some(log) = logs.first() else { return Vec::new() };
    assert_eq!(log.path, folder.join(SHOP).join("shop_taste_2.log"));
    let bytes = std::fs::read(&log.path).unwrap();
    Reader::new(&bytes).map_while(Result::ok).collect()
}

/// Waits until the end of the run is logged, and holds the log to what the run says.
async fn check_log(server: &Server, folder: &Path, what: &str) -> Vec<Entry> {
    let concluded = |_: &Server| entries(folder).iter().any(|entry| matches!(entry, Entry::Concluded(_)));
    server.until("the end is logged", concluded).await;
    let entries = entries(folder);
    let text = serde_json::to_string(&entries).unwrap();
    assert!(!text.contains(SECRET) && text.contains("token='*****'"), "{what}: {text}");
    let mut replay = Replay::default();
    let mut held: Vec<_> = Vec::new();
    for entry in &entries {
        if let Played::Judged(judged) = replay.take(entry) {
            held.extend(judged);
        }
    }
    held.extend(replay.finish());
    assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()), "{what}");
    let run: serin_spec::wire::AnalysisRun = serde_json::from_value(check(server)).unwrap();
    let status: RunStatus = lower::run_status(&run.status.unwrap());
    let bare = |results: &[serin_core::analysis::MetricResult]| {
        let all = results.iter().flat_map(|result| result.measurements.iter());
        all.map(|m| (m.phase, m.started, m.finished, log::digest(m), log::verdict(m))).collect::<Vec<_>>()
    };
    assert_eq!(bare(replay.results("check")), bare(&status.metrics), "{what}");
    // What a report counts is what was judged.
    let judged: u64 = held.iter().flat_map(|one| &one.batches).map(|batch| batch.canary.answered).sum();
    assert_eq!(answered(&check(server))[0], judged, "{what}");
    entries
}

/// Plays the run with trouble at one write, if any. Returns how many writes there were.
async fn logged(trouble: Option<(At, u32)>) -> usize {
    let (server, prometheus) = (Server::start().await, Prometheus::start().await);
    let folder = tempfile::tempdir().unwrap();
    let writes = std::cell::Cell::new(0);
    play(&server, logging(&prometheus, folder.path()), async || {
        if let Some((at, nth)) = trouble {
            at.prepare(&server, nth);
        }
        under_way(&server);
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        prometheus.grow([15, 300, 12, 1200]);
        server.until("it has judged", |server| answered(&check(server)) == json!([300, 1200])).await;
        prometheus.grow([900, 5000, 0, 20000]);
        server.until("it has ended", |server| check(server)["status"]["phase"] == "Failed").await;
        writes.set(server.written().len());
        check_log(&server, folder.path(), &format!("{trouble:?}")).await;
    })
    .await;
    writes.get()
}

#[tokio::test]
async fn the_log_gives_what_the_run_says_whatever_happens_at_a_write() {
    let writes = logged(None).await;
    assert!(writes >= 3, "{writes} writes make no story");
    for at in ALL {
        let all = (1..=u32::try_from(writes).unwrap()).map(|nth| logged(Some((at, nth))));
        futures::future::join_all(all).await;
    }
}

/// The answer to the write of a look is lost while the watch is late, so that the same is looked at from before once more, with other counts.
async fn looked_at_from_before(grown: [[u64; 4]; 2], phase: &str) {
    let (server, prometheus) = (Server::start().await, Prometheus::start().await);
    let folder = tempfile::tempdir().unwrap();
    play(&server, logging(&prometheus, folder.path()), async || {
        under_way(&server);
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        server.hold_watches(true);
        server.trouble("patch", "/analysisruns", 1, Trouble::LoseAnswer);
        server.forget_calls();
        prometheus.grow(grown[0]);
        let [_, canary, _, stable] = grown[0];
        server.until("it has judged", |server| answered(&check(server)) == json!([canary, stable])).await;
        let written = last(&check(&server));
        prometheus.grow(grown[1]);
        let refused = |server: &Server| server.calls().iter().any(|call| call.verb == "patch" && call.code == 409);
        server.until("a look from before is refused", refused).await;
        assert_eq!(last(&check(&server)), written);
        server.hold_watches(false);
        if phase == "Running" {
            let both = json!([canary + grown[1][1], stable + grown[1][3]]);
            server.until("it has judged the rest", |server| answered(&check(server)) == both).await;
            server.edit(ANALYSIS_RUN, SHOP, "check", |run| run["spec"]["terminate"] = true.into());
        }
        let ended = if phase == "Running" { "Successful" } else { phase };
        server.until("it has ended", |server| check(server)["status"]["phase"] == ended).await;
        let entries = check_log(&server, folder.path(), phase).await;
        let looks = entries.iter().filter(|entry| matches!(entry, Entry::Look(_))).count();
        assert!(looks > if phase == "Running" { 4 } else { 2 }, "{entries:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_that_was_made_again_from_before_counts_for_nothing() {
    looked_at_from_before([[1, 20, 2, 40], [2, 10, 1, 20]], "Running").await;
}

#[tokio::test]
async fn a_verdict_that_was_given_again_from_before_is_that_of_the_run() {
    looked_at_from_before([[200, 300, 12, 1200], [90, 100, 3, 400]], "Failed").await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_changes_nothing_and_is_gone_on_with_when_it_can() {
    let (server, prometheus) = (Server::start().await, Prometheus::start().await);
    let beside = tempfile::tempdir().unwrap();
    let folder = beside.path().join("logs");
    std::fs::write(&folder, "no folder").unwrap();
    play(&server, logging(&prometheus, &folder), async || {
        under_way(&server);
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        prometheus.grow([15, 300, 12, 1200]);
        server.until("it has judged", |server| answered(&check(server)) == json!([300, 1200])).await;
        std::fs::remove_file(&folder).unwrap();
        prometheus.grow([20, 400, 12, 1600]);
        server.until("it has judged again", |server| answered(&check(server)) == json!([700, 2800])).await;
        prometheus.grow([900, 5000, 0, 20000]);
        server.until("it has ended", |server| check(server)["status"]["phase"] == "Failed").await;
        let concluded = |_: &Server| entries(&folder).iter().any(|entry| matches!(entry, Entry::Concluded(_)));
        server.until("the end is logged", concluded).await;
    })
    .await;
    // It begins in the midst of the run, with what that remembers.
    let entries = entries(&folder);
    let Entry::Run(begun) = &entries[1] else { panic!("{entries:?}") };
    assert_eq!(begun.remembered.len(), 1);
    let mut replay = Replay::default();
    entries.iter().for_each(|entry| _ = replay.take(entry));
    replay.finish();
    assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()));
    let result = &replay.results("check")[0];
    assert_eq!((result.phase.as_str(), replay.looks), ("Failed", 2));
}

#[tokio::test]
async fn an_update_is_logged_from_its_begin_to_its_end() {
    let (server, prometheus) = (Server::start().await, Prometheus::start().await);
    let folder = tempfile::tempdir().unwrap();
    let (objects, settings) = advancing(&prometheus);
    let settings = Settings {
        analysis_only: false,
        ..Settings { prometheus: settings.prometheus, ..logging(&prometheus, folder.path()) }
    };
    objects.into_iter().for_each(|object| _ = server.put(object));
    play(&server, settings, async || {
        deploy_a_bad_one(&server, &prometheus).await;
        let over = |_: &Server| {
            let over = |entry: &Entry| matches!(entry, Entry::Settled(settled) if settled.place.is_over());
            entries(folder.path()).iter().any(over)
        };
        server.until("the end is logged", over).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    })
    .await;
    let entries = entries(folder.path());
    let Entry::Update(update) = &entries[0] else { panic!("{entries:?}") };
    assert_eq!((update.revision, update.rollout.as_str()), (2, "shop/taste"));
    assert_eq!((update.canary.image.as_str(), update.stable.image.as_str()), ("model:2", "model:1"));
    let settled = || {
        entries.iter().filter_map(|entry| match entry {
            Entry::Settled(settled) => Some(settled),
            _ => None,
        })
    };
    let steps: Vec<_> = settled().map(|settled| (settled.place.step, settled.place.weight)).collect();
    assert!(steps.contains(&(Some(1), Some((25, 100)))), "{steps:?}");
    let last = settled().next_back().unwrap();
    assert!(last.place.aborted && last.place.phase == "Degraded", "{last:?}");
    assert!(settled().flat_map(|settled| &settled.events).any(|event| event.reason == "RolloutAborted"), "{entries:?}");
    let ended = |entry: &Entry| matches!(entry, Entry::Ended(event) if event.message.contains(" is Failed"));
    assert!(entries.iter().any(ended), "{entries:?}");
    let mut replay = Replay::default();
    entries.iter().for_each(|entry| _ = replay.take(entry));
    assert_eq!((&replay.differences, &replay.gaps), (&Vec::new(), &Vec::new()));
}

#[tokio::test]
async fn without_a_folder_nothing_is_logged_and_runs_of_their_own_never_are() {
    let (server, prometheus) = (Server::start().await, Prometheus::start().await);
    let folder = tempfile::tempdir().unwrap();
    play(&server, logging(&prometheus, folder.path()), async || {
        server.put(run(json!({ "tolerance": "5pt" })));
        server.until("it has begun", |server| answered(&check(server)) == json!([0, 0])).await;
        prometheus.grow([900, 5000, 0, 20000]);
        server.until("it has ended", |server| check(server)["status"]["phase"] == "Failed").await;
    })
    .await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
