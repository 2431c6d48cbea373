//! Whole rollouts on the server in memory, and what a crash between two writes changes: nothing.

use serde_json::{Value, json};

use crate::server::Server;
use crate::stage::{rollout_json, service, template};

fn shop(patch: &Value) -> Server {
    let services = ["web-canary", "web-stable"].map(|name| service(name, &json!({})).0);
    Server::new(services.into_iter().chain([rollout_json(patch)]))
}

fn routed() -> Value {
    json!({ "spec": { "strategy": { "canary": { "trafficRouting": { "nginx": { "stableIngress": "web" } } } } } })
}

fn image(image: &str) -> Value {
    json!({ "spec": { "template": template(image) } })
}

/// The first version comes up, the second one is tried, promoted by a person, and takes over.
fn update(server: &mut Server, mut pass: impl FnMut(&mut Server)) {
    let settle = |server: &mut Server, pass: &mut dyn FnMut(&mut Server)| {
        for _ in 0..12 {
            pass(server);
        }
        server.wait(5);
    };
    settle(server, &mut pass);
    assert_eq!(server.phase(), "Healthy");
    server.patch("Rollout", "web", &image("m:2"));
    settle(server, &mut pass);
    assert_eq!(server.phase(), "Paused CanaryPauseStep");
    server.patch("Rollout", "web", &json!({ "status": { "pauseConditions": null } }));
    settle(server, &mut pass);
    server.wait(60);
    assert_eq!(server.phase(), "Healthy");
}

//= compat: 2.1-1, 2.3-13, 2.11-1
#[test]
fn an_update_from_nothing_to_promoted() {
    let mut server = shop(&routed());
    update(&mut server, |_| {});
    let log = server.log.join("\n") + "\n";
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapter/update.transcript");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &log).unwrap();
    }
    assert_eq!(log, std::fs::read_to_string(&golden).unwrap_or_default(), "UPDATE_GOLDEN=1 rewrites it");
}

//= compat: 2.2-5
#[test]
fn a_crash_between_any_two_writes_changes_nothing_in_the_end() {
    for patch in [routed(), json!({})] {
        let mut whole = shop(&patch);
        update(&mut whole, |_| {});
        // The n-th of the first passes ends after so many writes.
        for cut in 0..6 {
            for turn in 0..6 {
                let mut server = shop(&patch);
                let mut passes = 0;
                update(&mut server, |server| {
                    server.pass(if passes % 12 == turn { cut } else { usize::MAX });
                    passes += 1;
                });
                assert_eq!(server.outcome(), whole.outcome(), "cut after {cut} writes in pass {turn}");
            }
        }
    }
}

#[test]
fn a_pool_of_another_controller_is_taken_over_without_a_new_version() {
    let mut server = shop(&json!({}));
    server.wait(5);
    let made = server.of("ReplicaSet")[0].clone();
    // The same pool under another hash and with nobody's name on it.
    let mut left = made.0.clone();
    left["metadata"]["name"] = "web-76bbb".into();
    left["metadata"]["labels"]["rollouts-pod-template-hash"] = "76bbb".into();
    left["spec"]["template"]["metadata"]["labels"]["rollouts-pod-template-hash"] = "76bbb".into();
    left["metadata"]["ownerReferences"] = Value::Null;
    let mut taken =
        Server::new([left, rollout_json(&json!({}))].into_iter().chain(server.of("Service").into_iter().map(|s| s.0)));
    taken.wait(5);
    let pools = taken.of("ReplicaSet");
    assert_eq!(pools.len(), 1);
    assert!(pools[0].is_controlled_by("r-1"));
    assert_eq!(
        (taken.phase().as_str(), &taken.get("Rollout", "web").unwrap()["status"]["stableRS"]),
        ("Healthy", &json!("76bbb"))
    );
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop", "generation": 3 },
        "spec": { "replicas": 4, "selector": { "matchLabels": { "app": "web" } }, "template": template("m:1") },
    })
}

fn behind(scale_down: &str) -> Server {
    let reference = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down });
    let mut rollout = rollout_json(&json!({ "spec": { "workloadRef": reference } }));
    let spec = rollout["spec"].as_object_mut().unwrap();
    spec.remove("template");
    spec.remove("selector");
    let services = ["web-canary", "web-stable"].map(|name| service(name, &json!({})).0);
    Server::new(services.into_iter().chain([rollout, deployment()]))
}

//= compat: 1.3-3, 1.3-7, 1.3-8, 1.3-11, 1.3-13
#[test]
fn a_deployment_hands_over_and_its_changes_are_updates() {
    let mut server = behind("onsuccess");
    server.wait(30);
    assert_eq!(server.phase(), "Healthy");
    assert_eq!(server.get("Deployment", "web").unwrap()["spec"]["replicas"], 0);
    let stored = server.get("Rollout", "web").unwrap();
    assert_eq!((stored["spec"].get("template"), stored["spec"].get("selector")), (None, None));
    assert_eq!(stored["status"]["workloadObservedGeneration"], "3");

    server.patch(
        "Deployment",
        "web",
        &json!({ "metadata": { "generation": 4 }, "spec": { "template": template("m:2") } }),
    );
    server.wait(5);
    assert_eq!(server.phase(), "Paused CanaryPauseStep");
    assert_eq!(server.of("ReplicaSet").len(), 2);
    assert_eq!(server.get("Rollout", "web").unwrap()["status"]["workloadObservedGeneration"], "4");
}

//= compat: 1.3-6, 1.3-15, 8.1-3, 8.1-4, 8.1-6, 8.5-11
#[test]
fn a_deployment_that_is_missing_for_a_while_stops_nothing_that_runs() {
    let mut server = behind("never");
    server.wait(30);
    let (before, deployment) = (server.outcome(), server.get("Deployment", "web").unwrap().clone());
    let mut without = server.clone();
    without.delete("Deployment", "web");
    without.wait(60);
    let text = "Degraded InvalidSpec: The Rollout \"web\" is invalid: deployments.apps \"web\" not found";
    assert_eq!(without.phase(), text);
    assert_eq!(without.outcome()["pools"], before["pools"]);
    without.put(deployment);
    without.wait(30);
    assert_eq!(without.outcome(), before, "it heals by itself");
}

/// A blue-green rollout of 4 pods that waits for a person before its switch.
fn blue_green() -> Server {
    let strategy =
        json!({ "activeService": "web-active", "previewService": "web-preview", "autoPromotionEnabled": false });
    let mut rollout = rollout_json(&json!({}));
    rollout["spec"]["strategy"] = json!({ "blueGreen": strategy });
    let services = ["web-active", "web-preview"].map(|name| service(name, &json!({})).0);
    let mut server = Server::new(services.into_iter().chain([rollout]));
    server.wait(5);
    assert_eq!(server.phase(), "Healthy");
    server
}

//= compat: 2.10-6, 2.11-1
#[test]
fn a_blue_green_switch_and_what_the_autoscaler_reads() {
    let mut server = blue_green();
    let read = |server: &Server| {
        let status = server.get("Rollout", "web").unwrap()["status"].clone();
        let hash =
            |name: &str| server.get("Service", name).unwrap()["spec"]["selector"]["rollouts-pod-template-hash"].clone();
        (
            status["HPAReplicas"].clone(),
            status["selector"].as_str().unwrap().to_owned(),
            hash("web-active"),
            hash("web-preview"),
        )
    };
    let (replicas, selector, old, _) = read(&server);
    let selects = |hash: &Value| format!("app=web,rollouts-pod-template-hash={}", hash.as_str().unwrap());
    assert_eq!((replicas, selector), (json!(4), selects(&old)));

    server.patch("Rollout", "web", &image("m:2"));
    server.wait(5);
    assert_eq!(server.phase(), "Paused BlueGreenPause");
    let (replicas, selector, active, preview) = read(&server);
    assert_eq!((active == old, preview == old), (true, false));
    assert_eq!((replicas, selector), (json!(4), selects(&old)), "the version that the users see");

    server.patch("Rollout", "web", &json!({ "status": { "pauseConditions": null } }));
    server.wait(5);
    let (_, selector, active, preview) = read(&server);
    assert_eq!((&active, selector), (&preview, selects(&preview)));
    let deadlines = server.of("ReplicaSet").into_iter().filter(|pool| pool.annotation("scale-down-deadline").is_some());
    assert_eq!(deadlines.count(), 1, "the old version stays for a while");
    server.wait(60);
    assert_eq!(server.phase(), "Healthy");
    let sizes: Vec<Value> =
        server.of("ReplicaSet").into_iter().map(|pool| pool.0["spec"]["replicas"].clone()).collect();
    assert_eq!(sizes.iter().filter(|size| **size == json!(0)).count(), 1);
}

#[test]
fn a_crash_between_any_two_writes_of_a_switch_changes_nothing_in_the_end() {
    let switch = |cut: Option<(usize, usize)>| {
        let mut server = blue_green();
        server.patch("Rollout", "web", &image("m:2"));
        for turn in 0..8 {
            server.pass(cut.filter(|(at, _)| *at == turn).map_or(usize::MAX, |(_, writes)| writes));
        }
        server.wait(5);
        server.patch("Rollout", "web", &json!({ "status": { "pauseConditions": null } }));
        for turn in 8..14 {
            server.pass(cut.filter(|(at, _)| *at == turn).map_or(usize::MAX, |(_, writes)| writes));
        }
        server.wait(90);
        server.outcome()
    };
    let whole = switch(None);
    for turn in 0..14 {
        for writes in 0..5 {
            assert_eq!(switch(Some((turn, writes))), whole, "cut after {writes} writes in pass {turn}");
        }
    }
}

//= compat: 2.3-8
#[test]
fn a_name_that_somebody_else_has_leads_to_another_one() {
    let mut plain = shop(&json!({}));
    plain.wait(5);
    let first = plain.of("ReplicaSet")[0].0.clone();
    let mut foreign = first.clone();
    foreign["metadata"]["ownerReferences"] = json!([crate::stage::owner("Experiment", "e", "e-1")]);
    let mut server = shop(&json!({}));
    server.put(foreign.clone());
    server.wait(5);
    assert_eq!(server.phase(), "Healthy");
    assert_eq!(server.get("Rollout", "web").unwrap()["status"]["collisionCount"], 1);
    let names: Vec<String> = server.of("ReplicaSet").iter().map(|pool| pool.name().to_owned()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let kept = server.get("ReplicaSet", first["metadata"]["name"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&kept["spec"], &kept["metadata"]["ownerReferences"]),
        (&foreign["spec"], &foreign["metadata"]["ownerReferences"])
    );
}
