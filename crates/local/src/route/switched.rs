//! Which host leads to which version of a blue-green rollout, and what the router is read back to carry of it.

use serde_json::json;
use serin_core::{Status, Time};

use super::*;
use crate::model::PoolState;
use crate::request;

/// A blue-green rollout with the versions `old` and `new`, whose services lead where it is said.
fn workload(active: Option<&str>, preview: Option<&str>) -> Workload {
    let template =
        json!({"metadata": {"labels": {"app": "m"}}, "spec": {"containers": [{"name": "m", "image": "m:1"}]}});
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "m", "namespace": "ns"},
        "spec": {
            "selector": {"matchLabels": {"app": "m"}}, "template": template,
            "strategy": {"blueGreen": {"activeService": "m-active", "previewService": "m-preview"}},
        },
    });
    let object = serde_json::from_value(object).unwrap();
    let pool = |hash: &str, revision| PoolState {
        hash: Hash::new(hash),
        revision,
        created: Time::default(),
        size: 1,
        replicas_seen: None,
        scale_down_at: None,
        promoted: false,
        metadata: Default::default(),
        evictions: Default::default(),
        template: serde_json::from_value(template.clone()).unwrap(),
    };
    let status = Status::default();
    Workload {
        rollout: request::lowered(&object, &status),
        object,
        applied: json!(null),
        held: None,
        taken: None,
        problem: None,
        status,
        pools: vec![pool("old", 1), pool("new", 2)],
        services: [("m-active", active), ("m-preview", preview)]
            .map(|(name, hash)| (name.to_owned(), hash.map(Hash::new)))
            .into(),
        split: None,
        reasons: Vec::new(),
        wake_at: None,
    }
}

fn objects() -> Objects {
    let mut objects = Objects::default();
    for name in ["m-active", "m-preview"] {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "ns"},
            "spec": {"selector": {"app": "m"}, "ports": [{"port": 80}]},
        });
        objects.services.insert(Key::new("ns", name), serde_json::from_value(service).unwrap());
    }
    let path = |service: &str| json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}});
    let rule = |host: &str, service: &str| json!({"host": host, "http": {"paths": [path(service)]}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "m", "namespace": "ns"},
        "spec": {"rules": [rule("m.local", "m-active"), rule("preview.m.local", "m-preview")]},
    });
    objects.ingresses.insert(Key::new("ns", "m"), serde_json::from_value(ingress).unwrap());
    objects
}

fn routed(objects: &Objects, workload: Workload) -> Vec<Route> {
    let member = |hash: &str, port: u16| {
        let endpoint = Endpoint { id: hash.to_owned(), address: ([127, 0, 0, 1], port).into() };
        ((Key::new("ns", "m"), Hash::new(hash)), vec![endpoint])
    };
    let endpoints = Endpoints::from([member("old", 1), member("new", 2)]);
    routes(objects, &BTreeMap::from([(workload.key(), workload)]), &BTreeMap::new(), &endpoints)
}

/// Name, host, and the members that get its requests, a route a line.
fn lines(routes: &[Route]) -> Vec<String> {
    let members = |r: &Route| -> Vec<String> {
        let of = |g: &Group| g.endpoints.iter().map(|e| e.id.clone()).collect::<Vec<_>>().join("+");
        r.split.groups.iter().map(of).collect()
    };
    routes.iter().map(|r| format!("{} {} {}", r.name, r.host.as_deref().unwrap_or("*"), members(r).join(" "))).collect()
}

#[test]
fn users_and_testers_have_hosts_of_their_own_which_lead_where_the_services_do() {
    let routes = routed(&objects(), workload(Some("old"), Some("new")));
    let hosts = ["", ".ns", ".ns.svc.cluster.local", ".localhost", ".ns.localhost"];
    let mut want = vec!["ns/m m.local old".to_owned(), "service/ns/m-preview preview.m.local new".to_owned()];
    want.extend(hosts.map(|host| format!("ns/m m-active{host} old")));
    want.extend(hosts.map(|host| format!("service/ns/m-preview m-preview{host} new")));
    assert_eq!(lines(&routes), want);
}

#[test]
fn a_switch_needs_no_service_objects() {
    let routes = routed(&Objects::default(), workload(Some("new"), Some("new")));
    assert_eq!(routes.len(), 10);
    assert!(lines(&routes).iter().all(|line| line.ends_with(" new")), "{routes:?}");
}

#[test]
fn before_the_first_switch_a_service_leads_to_whatever_it_selects() {
    let routes = routed(&objects(), workload(None, Some("new")));
    assert_eq!(lines(&routes)[0], "ns/m m.local old new");
    assert_eq!(lines(&routes)[1], "service/ns/m-preview preview.m.local new");
}

#[test]
fn routes_that_split_or_disagree_lead_to_no_version() {
    let (one, other) = (workload(Some("old"), Some("new")), workload(Some("new"), Some("new")));
    let (one, other) = (routed(&objects(), one), routed(&objects(), other));
    let active = |routes: &[Route]| -> Vec<Route> { routes.iter().filter(|r| r.name == "ns/m").cloned().collect() };
    let (one, other) = (active(&one), active(&other));
    assert_eq!((version(one.iter()), version(other.iter())), (Some(Hash::new("old")), Some(Hash::new("new"))));
    assert_eq!(version(one.iter().chain(&other)), None);
    assert_eq!(version([].iter()), None);
    let split = routed(&objects(), workload(None, None));
    assert_eq!(version(active(&split).iter()), None);
}
