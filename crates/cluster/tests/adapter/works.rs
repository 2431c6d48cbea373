//! What makes objects due, and what is told of them.

use std::time::Duration;

use serde_json::{Value, json};
use serin_cluster::Settings;
use serin_cluster::resource::{ANALYSIS_RUN, EVENT, EXPERIMENT, JOB, REPLICA_SET, ROLLOUT, SERVICE};
use serin_spec::wire::keys::HASH_LABEL;

use crate::server::{Server, Trouble};
use crate::stage::{SHOP, blue_green, change_spec, is, play, routed, set_image};

/// The events of an object: type, reason and message.
fn events(server: &Server, kind: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = server.all(EVENT).into_iter().filter(|event| event["involvedObject"]["kind"] == kind);
    all.map(|event| (text(&event["type"]), text(&event["reason"]), text(&event["message"]))).collect()
}

fn reasons(server: &Server, kind: &str) -> Vec<String> {
    events(server, kind).into_iter().map(|(_, reason, _)| reason).collect()
}

//= compat: 9.4-1, 9.4-2, 9.6-4
#[tokio::test]
async fn an_update_tells_of_itself_and_its_pause_ends_by_itself() {
    let server = Server::start().await;
    let mut rollout = crate::install::rollout("taste", "model:1");
    rollout["spec"]["strategy"]["canary"]["steps"] = json!([{ "setWeight": 50 }, { "pause": { "duration": "1s" } }]);
    server.put(rollout);
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        set_image(&server, "taste", "model:2");
        is(&server, "taste", "Paused").await;
        is(&server, "taste", "Healthy").await;
    })
    .await;
    let told = reasons(&server, "Rollout");
    for reason in [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "ScalingReplicaSet",
        "RolloutStepCompleted",
        "RolloutPaused",
        "RolloutCompleted",
    ] {
        assert!(told.iter().any(|one| one == reason), "{reason} is missing in {told:?}");
    }
    let scaled = events(&server, "Rollout").into_iter().find(|(_, reason, _)| reason == "ScalingReplicaSet").unwrap();
    assert!(scaled.2.starts_with("Scaled up ReplicaSet taste-") && scaled.2.ends_with(" (revision 1) from 0 to 2"));
    assert!(events(&server, "Rollout").iter().all(|(kind, ..)| kind == "Normal"));
}

/// Each event is a call: an update tells every turn once, and nothing twice.
//= compat: 9.4-1
#[tokio::test]
async fn a_routed_update_tells_each_turn_once() {
    let server = Server::start().await;
    let steps = json!([{ "setWeight": 25 }, { "pause": { "duration": "1s" } }, { "setWeight": 50 }, { "pause": { "duration": "1s" } }]);
    routed("taste", "model:1", &steps).into_iter().for_each(|object| _ = server.put(object));
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        let installed = |server: &Server| {
            let told = reasons(server, "Rollout");
            let routed =
                ["CreatingCanaryIngress", "TrafficWeightUpdated"].map(|reason| told.iter().any(|one| one == reason));
            routed == [true; 2] && told.iter().filter(|one| *one == "SwitchService").count() == 2
        };
        server.until("all of the first version is told", installed).await;
        server.all(EVENT).iter().for_each(|one| server.remove(EVENT, SHOP, one["metadata"]["name"].as_str().unwrap()));
        set_image(&server, "taste", "model:2");
        is(&server, "taste", "Paused").await;
        is(&server, "taste", "Healthy").await;
        let gone = |server: &Server| events(server, "Rollout").iter().any(|(.., text)| text.starts_with("Scaled down"));
        server.until("the old version is gone", gone).await;
    })
    .await;
    let mut told = reasons(&server, "Rollout");
    told.sort();
    let counted = |reason: &str| told.iter().filter(|one| *one == reason).count();
    let wanted = [
        ("NewReplicaSetCreated", 1),
        ("RolloutCompleted", 1),
        ("RolloutPaused", 1),
        ("RolloutStepCompleted", 4),
        ("RolloutUpdated", 1),
        ("ScalingReplicaSet", 4),
        ("SwitchService", 2),
        ("TrafficWeightUpdated", 4),
    ];
    for (reason, times) in wanted {
        assert_eq!(counted(reason), times, "{reason} in {told:?}");
    }
    assert_eq!(told.len(), wanted.iter().map(|(_, times)| times).sum::<usize>(), "{told:?}");
}

//= compat: 9.4-1
#[tokio::test]
async fn an_abort_is_a_warning() {
    let server = Server::start().await;
    server.put(crate::install::rollout("taste", "model:1"));
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        set_image(&server, "taste", "model:2");
        is(&server, "taste", "Paused").await;
        server.edit(ROLLOUT, SHOP, "taste", |rollout| rollout["status"]["abort"] = true.into());
        is(&server, "taste", "Degraded").await;
        let told = |server: &Server| {
            events(server, "Rollout").iter().any(|(kind, reason, _)| kind == "Warning" && reason == "RolloutAborted")
        };
        server.until("it is told", told).await;
    })
    .await;
}

//= compat: 9.6-3
#[tokio::test]
async fn a_service_that_somebody_turned_away_is_turned_back() {
    let server = Server::start().await;
    blue_green("taste", "model:1").into_iter().for_each(|object| _ = server.put(object));
    play(&server, Settings::default(), async || {
        is(&server, "taste", "Healthy").await;
        let selected = |server: &Server| {
            server.get(SERVICE, SHOP, "taste-active").unwrap()["spec"]["selector"][HASH_LABEL].clone()
        };
        let hash = selected(&server);
        assert!(hash.is_string());
        server.edit(SERVICE, SHOP, "taste-active", |one| one["spec"]["selector"][HASH_LABEL] = "elsewhere".into());
        server.until("it is turned back", |server| selected(server) == hash).await;
        // A ReplicaSet that somebody scaled.
        let name = server.all(REPLICA_SET)[0]["metadata"]["name"].as_str().unwrap().to_owned();
        server.edit(REPLICA_SET, SHOP, &name, |pool| pool["spec"]["replicas"] = 7.into());
        let replicas = |server: &Server| server.get(REPLICA_SET, SHOP, &name).unwrap()["spec"]["replicas"].clone();
        server.until("it has its size again", |server| replicas(server) == 2).await;
        change_spec(&server, "taste", |spec| spec["replicas"] = 3.into());
        server.until("it has its new size", |server| replicas(server) == 3).await;
    })
    .await;
}

/// A run of its own that waits for a Job.
fn smoke_run() -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": { "name": "check", "namespace": SHOP },
        "spec": { "metrics": [{ "name": "smoke", "provider": { "job": { "spec": { "template": { "spec": {
            "containers": [{ "name": "smoke", "image": "smoke:1" }], "restartPolicy": "Never",
        } } } } } }] },
    })
}

//= compat: 9.4-4, 9.6-5
#[tokio::test]
async fn a_run_goes_on_when_its_job_has_ended_and_tells_its_result() {
    let server = Server::start().await;
    server.put(smoke_run());
    play(&server, Settings::default(), async || {
        server.until("its Job is made", |server| server.all(JOB).len() == 1).await;
        let name = server.all(JOB)[0]["metadata"]["name"].as_str().unwrap().to_owned();
        // Longer than the events of its begin take, much shorter than it would be looked at by itself.
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.edit(JOB, SHOP, &name, |job| {
            job["status"] = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
        });
        let phase = |server: &Server| server.get(ANALYSIS_RUN, SHOP, "check").unwrap()["status"]["phase"].clone();
        server.until("the run has ended", |server| phase(server) == "Successful").await;
        server.until("both are told", |server| reasons(server, "AnalysisRun").len() == 2).await;
    })
    .await;
    assert_eq!(reasons(&server, "AnalysisRun"), ["MetricSuccessful", "AnalysisRunSuccessful"]);
}

#[tokio::test]
async fn a_job_whose_deletion_is_refused_is_deleted_when_that_is_allowed_and_its_run_does_not_wait() {
    let server = Server::start().await;
    server.put(smoke_run());
    play(&server, Settings::default(), async || {
        server.until("its Job is made", |server| server.all(JOB).len() == 1).await;
        server.always("delete", "/jobs/", Trouble::Refuse(403, "Forbidden", "cannot delete jobs"));
        server.edit(ANALYSIS_RUN, SHOP, "check", |run| run["spec"]["terminate"] = true.into());
        let ended =
            |server: &Server| server.get(ANALYSIS_RUN, SHOP, "check").unwrap()["status"]["completedAt"].is_string();
        server.until("the run has ended", ended).await;
        server
            .until("it is told", |server| reasons(server, "AnalysisRun").contains(&"ReconciliationError".to_owned()))
            .await;
        assert_eq!(server.all(JOB).len(), 1);
        server.calm();
        server.until("the Job has gone", |server| server.all(JOB).is_empty()).await;
    })
    .await;
}

//= compat: 9.6-5
#[tokio::test]
async fn an_experiment_goes_on_when_its_pods_are_there_and_when_its_time_is_over() {
    let server = Server::start().await;
    server.put(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": { "name": "compare", "namespace": SHOP },
        "spec": {
            "duration": "1s",
            "templates": [{
                "name": "one", "replicas": 1,
                "selector": { "matchLabels": { "app": "one" } },
                "template": {
                    "metadata": { "labels": { "app": "one" } },
                    "spec": { "containers": [{ "name": "model", "image": "model:1" }] },
                },
            }],
        },
    }));
    play(&server, Settings::default(), async || {
        let phase = |server: &Server| server.get(EXPERIMENT, SHOP, "compare").unwrap()["status"]["phase"].clone();
        server.until("it runs", |server| phase(server) == "Running").await;
        server.until("it has ended", |server| phase(server) == "Successful").await;
    })
    .await;
}
