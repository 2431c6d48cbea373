//! What a controller looks at: instances, one namespace, analysis runs alone.

use std::collections::BTreeMap;

use serin_cluster::Settings;

use crate::server::Server;
use crate::stage::play;

const INSTANCE: &str = "argo-rollouts.argoproj.io%2Fcontroller-instance-id";

/// The lists that a controller with these settings asks for, by kind: path and label selector.
async fn lists(settings: Settings, expected: usize) -> BTreeMap<String, (String, String)> {
    let server = Server::start().await;
    let script = async || {
        let watches = |server: &Server| server.calls().iter().filter(|call| call.verb == "watch").count();
        server.until("everything is watched", |server| watches(server) >= expected).await;
        // What must not be followed had its time, too.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    play(&server, settings, script).await;
    let lists = server.calls().into_iter().filter(|call| call.verb == "list").map(|call| {
        let selector = call.query.split('&').find_map(|pair| pair.strip_prefix("labelSelector="));
        let kind = call.path.rsplit('/').next().unwrap_or_default().to_owned();
        (kind, (call.path, selector.unwrap_or_default().to_owned()))
    });
    lists.collect()
}

//= compat: 9.2-5, 9.2-7
#[tokio::test]
async fn a_controller_without_an_instance_leaves_the_objects_of_instances_alone() {
    let lists = lists(Settings::default(), 7).await;
    let kinds: Vec<&str> = lists.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        [
            "analysisruns",
            "analysistemplates",
            "clusteranalysistemplates",
            "experiments",
            "replicasets",
            "rollouts",
            "services"
        ]
    );
    for kind in ["analysisruns", "analysistemplates", "clusteranalysistemplates", "experiments", "rollouts"] {
        assert_eq!(lists[kind].1, format!("%21{INSTANCE}"), "{kind}");
        assert_eq!(lists[kind].0, format!("/apis/argoproj.io/v1alpha1/{kind}"));
    }
    for kind in ["services", "replicasets"] {
        assert!(!lists[kind].1.contains(INSTANCE), "{kind}");
    }
}

//= compat: 9.2-5, 9.2-7
#[tokio::test]
async fn a_namespaced_controller_of_an_instance_asks_for_nothing_else() {
    let settings = Settings { namespace: Some("shop".into()), instance: "blue".into(), ..Settings::default() };
    let lists = lists(settings, 6).await;
    assert!(!lists.contains_key("clusteranalysistemplates"));
    assert_eq!(lists.len(), 6);
    for (kind, (path, selector)) in &lists {
        assert!(path.contains("/namespaces/shop/"), "{path}");
        if !["services", "replicasets"].contains(&kind.as_str()) {
            assert_eq!(*selector, format!("{INSTANCE}%3Dblue"), "{kind}");
        }
    }
}

//= compat: 9.2-6
#[tokio::test]
async fn a_controller_of_analysis_runs_looks_at_nothing_but_them() {
    let lists = lists(Settings { analysis_only: true, ..Settings::default() }, 1).await;
    assert_eq!(lists.keys().collect::<Vec<_>>(), ["analysisruns"]);
}
