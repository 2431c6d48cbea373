//! Hosts, paths and endpoints.

use super::*;
use crate::table::{Endpoint as EndpointSpec, Group as GroupSpec, PathMatch, Route, Split};

fn route(name: &str, host: Option<&str>, kind: PathKind, path: &str) -> Route {
    let endpoint = |id: &str, port| EndpointSpec { id: id.into(), address: ([127, 0, 0, 1], port).into() };
    let group = |version: &str, weight, endpoints| GroupSpec { version: version.into(), endpoints, weight };
    Route {
        name: name.into(),
        host: host.map(str::to_owned),
        path: PathMatch { kind, path: path.into() },
        split: Split {
            groups: vec![
                group("stable", 80, vec![endpoint("s-0", 1), endpoint("s-1", 2)]),
                group("canary", 20, vec![endpoint("c-0", 3)]),
                group("preview", 0, vec![endpoint("p-0", 4)]),
            ],
            header_routes: Vec::new(),
            mirrors: Vec::new(),
        },
        sticky: None,
        prediction: None,
        timeout_ms: 1000,
        expose_version: false,
        request_id: false,
        slices: Vec::new(),
        record: None,
        units: None,
    }
}

fn ready(routes: Vec<Route>) -> Routing {
    Memory::new(1, 1).prepare(Table { version: 1, routes }).unwrap()
}

#[test]
fn the_most_specific_host_and_path_wins() {
    use PathKind::{Exact, ImplementationSpecific, Prefix};
    let routing = ready(vec![
        route("any", None, Prefix, "/"),
        route("any-v1", None, Prefix, "/v1/"),
        route("any-v1-models", None, ImplementationSpecific, "/v1/models"),
        route("any-exact", None, Exact, "/v1"),
        route("wild", Some("*.example.com"), Prefix, "/v1"),
        route("host", Some("a.Example.com"), Prefix, "/v1/models"),
        route("slash", None, Exact, "/end/"),
    ]);
    for (host, target, expect) in [
        ("x", "/", "any"),
        ("x", "/v10", "any"),
        ("x", "/v1", "any-exact"),
        ("x", "/v1/", "any-v1"),
        ("x", "/v1?models", "any-exact"),
        ("x", "/v1/modelsx", "any-v1"),
        ("x", "/v1/models/3?x=/", "any-v1-models"),
        ("x", "/end/", "slash"),
        ("x", "/end", "any"),
        ("x", "*", "any"),
        ("b.example.com", "/v1/models", "wild"),
        ("b.example.com", "/other", "any"),
        ("c.b.example.com", "/v1", "any-exact"),
        ("example.com", "/v1", "any-exact"),
        ("A.EXAMPLE.com:8080", "/v1/models", "host"),
        ("a.example.com", "/v1", "wild"),
    ] {
        assert_eq!(routing.rule(host.as_bytes(), target).unwrap().service.name, expect, "{host}{target}");
    }
    assert!(ready(vec![route("host", Some("a"), Prefix, "/")]).rule(b"b", "/").is_none());
    assert!(ready(vec![route("host", Some("a"), Prefix, "/")]).rule(b"a:1", "/").is_some());
}

fn picked(service: &Service, first: usize, avoid: &[u64], now_ms: u64) -> Option<String> {
    service.alive(first, avoid, || now_ms).map(|(_, e)| e.id.clone())
}

#[test]
fn endpoints_are_taken_by_load_then_in_turn_and_others_when_they_are_out() {
    let routing = ready(vec![route("r", None, PathKind::Prefix, "/")]);
    let service = &routing.rule(b"", "/").unwrap().service;
    let [a, b] = [picked(service, 0, &[], 0), picked(service, 0, &[], 0)];
    assert_ne!(a, b, "equals take turns");
    let (_, busy) = service.alive(0, &[], || 0).unwrap();
    let _working = busy.occupy();
    for _ in 0..4 {
        assert_ne!(service.alive(0, &[], || 0).unwrap().1.key, busy.key, "the other one has less to do");
    }
    let (canary, endpoint) = service.alive(1, &[], || 0).unwrap();
    assert_eq!((canary, endpoint.id.as_str()), (1, "c-0"));
    endpoint.eject(100);
    assert_eq!(service.alive(1, &[], || 50).unwrap().0, 0, "a group with weight comes next");
    assert_eq!(service.alive(1, &[], || 100).unwrap().0, 1, "the time is over");
    service.groups[0].endpoints.iter().for_each(|e| e.eject(100));
    assert_eq!(picked(service, 1, &[], 50).as_deref(), Some("p-0"), "then any group");
    service.groups[2].endpoints[0].eject(100);
    assert_eq!(picked(service, 1, &[], 50).as_deref(), Some("c-0"), "all are out: better one of those than none");
    assert_eq!(picked(service, 1, &[endpoint.key], 50).as_deref().map(|id| &id[..1]), Some("s"), "but none twice");
}

#[test]
fn what_two_tables_share_is_kept() {
    let mut memory = Memory::new(1, 1);
    let mut routes = vec![route("r", None, PathKind::Prefix, "/")];
    let first = memory.prepare(Table { version: 1, routes: routes.clone() }).unwrap();
    routes[0].split.groups[0].endpoints.remove(0);
    routes[0].split.groups[1].endpoints[0].address.set_port(33);
    let second = memory.prepare(Table { version: 2, routes: routes.clone() }).unwrap();
    let keys = |routing: &Routing, group: usize| -> Vec<u64> {
        routing.rule(b"", "/").unwrap().service.groups[group].endpoints.iter().map(|e| e.key).collect()
    };
    assert_eq!(keys(&first, 0)[1], keys(&second, 0)[0], "an endpoint that stays is the same");
    assert_ne!(keys(&first, 1), keys(&second, 1), "at another address it is another one");
    assert!(!second.endpoints.contains(&keys(&first, 0)[0]));
    let stats = |routing: &Routing| routing.rule(b"", "/").unwrap().service.groups[0].stats.clone();
    assert!(Arc::ptr_eq(&stats(&first), &stats(&second)));
    let weight = |version: &str| second.weight("r", version).map(|w| (w.weight, w.total));
    assert_eq!((weight("canary"), weight("other")), (Some((20, 100)), None));
    let problems =
        memory.prepare(Table { version: 3, routes: vec![route("", None, PathKind::Prefix, "/")] }).unwrap_err();
    assert_eq!(problems.len(), 1);
}
