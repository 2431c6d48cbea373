//! Random Rollouts, objects and splits: what is written reads back, a second rendering is empty, and nothing of anybody else is
//! touched.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use serin_core::Hash;
use serin_core::weight::{Destination, Split};

use crate::stage::{Stage, service};

const TRIALS: [&str; 2] = ["trial-a", "trial-b"];
const HEADERS: [&str; 3] = ["h-a", "h-b", "h-b-1"];
const MIRRORS: [&str; 2] = ["m-a", "m-b"];

/// What steps may add; the names are listed in an order of their own.
fn steps() -> Value {
    let header = |name: &str, value: Value| json!({ "setHeaderRoute": { "name": name, "match": value } });
    json!([
        header("h-a", json!([{ "headerName": "X-Step", "headerValue": { "exact": "a" } }])),
        header("h-b", json!([
            { "headerName": "x-step", "headerValue": { "prefix": "b.*" } },
            { "headerName": "x-more", "headerValue": { "regex": "^[0-9]+$" } },
        ])),
        header("h-b-1", json!([{ "headerName": "x-step", "headerValue": { "regex": "c|d" } }])),
        { "setMirrorRoute": { "name": "m-a", "match": [{ "headers": { "x-copy": { "exact": "1" } } }] } },
        { "setMirrorRoute": { "name": "m-b", "percentage": 10, "match": [
            { "headers": { "x-copy": { "prefix": "2" } } },
            { "method": { "exact": "GET" }, "path": { "prefix": "/a" } },
        ] } },
        { "experiment": { "templates": [
            { "name": "a", "specRef": "stable", "weight": 1, "service": { "name": "trial-a" } },
            { "name": "b", "specRef": "canary", "weight": 1, "service": { "name": "trial-b" } },
        ] } },
    ])
}

fn backend(service: &str, weight: u64) -> Value {
    json!({ "group": "", "kind": "Service", "name": service, "port": 80, "weight": weight })
}

/// A match of a user, as a server keeps it.
fn a_match(kind: &'static str) -> BoxedStrategy<Value> {
    let headers = prop::option::of(select(vec![
        json!([{ "type": "Exact", "name": "x-user", "value": "1" }]),
        json!([{ "type": "RegularExpression", "name": "x-user", "value": "a.*" }]),
    ]));
    let target = match kind {
        "HTTPRoute" => select(vec![
            json!({ "path": { "type": "PathPrefix", "value": "/" } }),
            json!({ "path": { "type": "PathPrefix", "value": "/a/b" } }),
            json!({ "path": { "type": "Exact", "value": "/a" }, "method": "POST" }),
        ]),
        _ => select(vec![json!({ "method": { "type": "Exact", "service": "shop.Cart" } }), json!({})]),
    };
    (target, headers)
        .prop_map(|(mut target, headers)| {
            if let Some(headers) = headers {
                target["headers"] = headers;
            }
            target
        })
        .boxed()
}

/// A rule of a user: with both services, with one of them, or with none.
fn a_rule(kind: &'static str, backends: Vec<Value>) -> BoxedStrategy<Value> {
    let filters = prop::option::of(Just(json!([
        { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "a", "value": "b" }] } },
    ])));
    let name = prop::option::of(select(vec!["users", "canary-only", "h-a-x", "m"]));
    let matches = prop::collection::vec(a_match(kind), 1..3);
    (matches, filters, name, select(backends))
        .prop_map(|(matches, filters, name, backends)| {
            let mut rule = json!({ "matches": matches, "backendRefs": backends });
            if let Some(filters) = filters {
                rule["filters"] = filters;
            }
            if let Some(name) = name {
                rule["name"] = json!(name);
            }
            rule
        })
        .boxed()
}

fn a_route(name: String, kind: &'static str) -> impl Strategy<Value = Value> {
    let both = vec![
        json!([backend("stable", 1), backend("canary", 0)]),
        json!([backend("canary", 1), backend("other", 3), backend("stable", 1)]),
    ];
    let others = vec![
        json!([backend("stable", 1)]),
        json!([backend("canary", 1)]),
        json!([backend("other", 7), backend("another", 1)]),
        json!([]),
    ];
    // One rule takes whatever a step may add.
    let plain = match kind {
        "HTTPRoute" => json!([{ "path": { "type": "PathPrefix", "value": "/" } }]),
        _ => json!([{}]),
    };
    let plain = select(both.clone()).prop_map(move |b| json!({ "matches": plain, "backendRefs": b }));
    let rules = prop::collection::vec(a_rule(kind, [both, others].concat()), 0..4);
    (plain, rules, any::<prop::sample::Index>()).prop_map(move |(plain, mut rules, at)| {
        rules.insert(at.index(rules.len() + 1), plain);
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": kind,
            "metadata": { "name": name, "namespace": "prod", "labels": { "team": "a" }, "resourceVersion": "1" },
            "spec": { "parentRefs": [{ "name": "gate" }], "hostnames": [name], "rules": rules },
            "status": { "parents": [] },
        })
    })
}

fn an_ingress(name: String) -> impl Strategy<Value = Value> {
    let rule = select(vec![
        json!({ "host": "a", "http": { "paths": [{ "path": "/", "backend": { "service": { "name": "stable" } } }] } }),
        json!({ "host": "b", "http": { "paths": [{ "path": "/", "backend": { "service": { "name": "other" } } }] } }),
        json!({ "host": "c" }),
    ]);
    (prop::collection::vec(rule, 0..4), any::<bool>()).prop_map(move |(mut rules, tls)| {
        rules.push(json!({ "http": { "paths": [{ "backend": { "service": { "name": "stable" } } }] } }));
        let mut ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": name, "namespace": "prod", "annotations": { "a": "b" }, "resourceVersion": "1" },
            "spec": { "ingressClassName": "nginx", "rules": rules },
        });
        if tls {
            ingress["spec"]["tls"] = json!([{ "hosts": ["a"] }]);
        }
        ingress
    })
}

/// A Rollout with one or two routers and their objects.
fn a_stage() -> impl Strategy<Value = Stage> {
    let routes = prop::collection::vec(select(vec!["HTTPRoute", "GRPCRoute"]), 0..3);
    let routes = routes.prop_flat_map(|kinds| {
        let routes = kinds.into_iter().enumerate().map(|(i, kind)| a_route(format!("route-{i}"), kind));
        routes.collect::<Vec<_>>()
    });
    let ingresses = (0_usize..3).prop_flat_map(|n| (0..n).map(|i| an_ingress(format!("in-{i}"))).collect::<Vec<_>>());
    let order = Just([HEADERS.as_slice(), &MIRRORS].concat()).prop_shuffle();
    let total = prop::option::of(Just(1000));
    let label =
        select(vec![json!({}), json!({ "disableInProgressLabel": true }), json!({ "inProgressLabelKey": "on" })]);
    let parts = (routes, ingresses, order, total, label, any::<(bool, bool)>());
    parts.prop_filter_map("no router", |(routes, ingresses, order, total, label, (keeps_names, all_by_header))| {
        let mut routing = json!({});
        if !ingresses.is_empty() {
            let names: Vec<&Value> = ingresses.iter().map(|one| &one["metadata"]["name"]).collect();
            routing["nginx"] = json!({ "stableIngresses": names, "canaryIngressAnnotations": { "x": "y" } });
        }
        if !routes.is_empty() {
            let mut plugin = label;
            for (field, kind) in [("httpRoutes", "HTTPRoute"), ("grpcRoutes", "GRPCRoute")] {
                let of_kind = routes.iter().enumerate().filter(|(_, route)| route["kind"] == kind);
                let named = of_kind.map(|(i, route)| {
                    json!({ "name": route["metadata"]["name"], "useHeaderRoutes": i == 0 || all_by_header })
                });
                plugin[field] = named.collect();
            }
            routing["plugins"] = json!({ "argoproj-labs/gatewayAPI": plugin });
            routing["managedRoutes"] = order.iter().map(|name| json!({ "name": name })).collect();
        }
        if let Some(total) = total {
            routing["maxTrafficWeight"] = json!(total);
        }
        let steps = if routes.is_empty() { json!([]) } else { steps() };
        let stage = Stage::new(routing, steps);
        let mut services = stage.services.clone();
        services.extend(TRIALS.iter().map(|name| service(name, name)));
        let objects = routes.iter().chain(&ingresses).cloned().collect();
        let is_any = !routes.is_empty() || !ingresses.is_empty();
        is_any.then_some(Stage { services, objects, keeps_names, ..stage })
    })
}

/// What a split is made of: parts in a thousand, and which of the routes.
#[derive(Debug, Clone)]
struct Wish {
    weight: u32,
    trials: Vec<(&'static str, u32)>,
    headers: Vec<&'static str>,
    mirrors: Vec<&'static str>,
}

fn a_wish() -> impl Strategy<Value = Wish> {
    let trials = subsequence(TRIALS.to_vec(), 0..=2).prop_shuffle();
    let weight = prop_oneof![2 => Just(0), 1 => Just(1000), 4 => 0_u32..=1000];
    (weight, trials, 1_u32..100, subsequence(HEADERS.to_vec(), 0..=3), subsequence(MIRRORS.to_vec(), 0..=2)).prop_map(
        |(weight, trials, trial, headers, mirrors)| Wish {
            trials: trials.into_iter().map(|name| (name, trial)).collect(),
            weight,
            headers,
            mirrors,
        },
    )
}

/// The split of a wish, as far as the routers of the Rollout can carry it.
fn split(stage: &Stage, wish: &Wish) -> Split {
    let routing = stage.rollout.spec.strategy.canary.as_ref().unwrap().traffic_routing.as_ref().unwrap();
    let total = stage.stable().weight_total;
    let out_of = |weight: u32| weight * total / 1000;
    let mut split = stage.weight(out_of(wish.weight));
    if routing.plugins.is_empty() {
        return split;
    }
    let mut left = total - split.weight;
    for (name, weight) in &wish.trials {
        let weight = out_of(*weight).min(left);
        left -= weight;
        let destination = Destination { service: (*name).to_owned(), hash: Hash::new(*name), weight };
        split.experiment.extend((weight > 0).then_some(destination));
    }
    for route in routing.managed_routes.iter().map(|route| route.name.as_str()) {
        if wish.headers.contains(&route) || wish.mirrors.contains(&route) {
            split = stage.with_routes(split, &[route]);
        }
    }
    split
}

/// The rules without what a split says: the weights of the services and the backends of experiments.
fn plain(rules: &[Value]) -> Vec<Value> {
    let of_trial = |backend: &Value| TRIALS.iter().any(|name| backend["name"] == *name);
    let both = |backends: &[Value]| ["stable", "canary"].iter().all(|s| backends.iter().any(|b| b["name"] == *s));
    let plain = |rule: &Value| {
        let mut rule = rule.clone();
        let backends = rule["backendRefs"].as_array_mut().unwrap();
        backends.retain(|backend| !of_trial(backend));
        if both(backends) {
            for backend in backends.iter_mut().filter(|b| b["name"] == "stable" || b["name"] == "canary") {
                backend["weight"] = json!("any");
            }
        }
        rule
    };
    rules.iter().map(plain).collect()
}

/// The users' part of every object is as it was.
fn assert_untouched(before: &Stage, now: &Stage) {
    let owns_names = now.keeps_names;
    for was in &before.objects {
        let (kind, name) = (was["kind"].as_str().unwrap(), was["metadata"]["name"].as_str().unwrap());
        let is = now.find(kind, name).unwrap();
        if kind == "Ingress" {
            assert_eq!(was, is, "a stable Ingress was written");
            continue;
        }
        let users = was["spec"]["rules"].as_array().unwrap();
        let rules = &is["spec"]["rules"].as_array().unwrap()[..users.len()];
        let mut users = plain(users);
        if !owns_names && is["metadata"]["resourceVersion"] != "1" {
            users.iter_mut().for_each(|rule| drop(rule.as_object_mut().unwrap().shift_remove("name")));
        }
        assert_eq!(users, plain(rules), "a rule of {name} was touched or moved");
        for key in ["parentRefs", "hostnames"] {
            assert_eq!(was["spec"][key], is["spec"][key]);
        }
        assert_eq!((&was["status"], &is["metadata"]["labels"]["team"]), (&is["status"], &json!("a")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    //= compat: 6.1-1, 6.1-2, 6.2-10, 6.11-4, 6.11-5, 10.38
    #[test]
    fn whatever_is_written_reads_back_and_is_written_once(stage in a_stage(), wishes in prop::collection::vec(a_wish(), 1..6)) {
        let mut now = stage.clone();
        for wish in &wishes {
            let split = split(&now, wish);
            let changes = now.carry(&split);
            prop_assert_eq!(now.observe().unwrap(), Some(split.clone()), "after {:#?}", changes);
            prop_assert_eq!(now.render(&split).unwrap(), []);
            assert_untouched(&stage, &now);
        }
        // At the end nothing is left of it but the weights.
        now.carry(&now.stable());
        for was in stage.objects.iter().filter(|object| object["kind"] != "Ingress") {
            let is = now.find(was["kind"].as_str().unwrap(), was["metadata"]["name"].as_str().unwrap()).unwrap();
            prop_assert_eq!(items(was).len(), items(is).len());
            prop_assert_eq!(&was["metadata"]["labels"], &is["metadata"]["labels"]);
        }
    }

    /// Whatever somebody changes in an object is seen and mended, or it was none of the split's. On a server that drops the
    /// names of rules an edited rule cannot be told from a user's own.
    #[test]
    fn an_edit_is_seen_and_mended(stage in a_stage(), wish in a_wish(), object in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), edit in 0..5) {
        let mut now = Stage { keeps_names: true, ..stage };
        let split = split(&now, &wish);
        now.carry(&split);
        let object = object.index(now.objects.len());
        edited(&mut now.objects[object], at, edit);
        match (now.observe(), now.render(&split)) {
            (Ok(seen), Ok(changes)) => {
                prop_assert_eq!(seen.as_ref() == Some(&split), changes.is_empty());
                now.carry(&split);
                prop_assert_eq!(now.observe().unwrap(), Some(split.clone()));
                prop_assert_eq!(now.render(&split).unwrap(), []);
            }
            // The edit took the last rule with both services, or the owner.
            (Err(_), Err(_)) => {}
            (seen, changes) => prop_assert!(false, "{seen:?} but {changes:?}"),
        }
    }

    /// Two Rollouts with the same names for their routes, in one route: each carries its own split, and they come to rest.
    #[test]
    fn rollouts_that_share_a_route_leave_each_other_alone(rules in prop::collection::vec((0_u8..3, 0_u8..2), 1..4), wishes in prop::collection::vec((a_wish(), a_wish()), 1..4)) {
        let [mut one, mut other] = ["", "other-"].map(|prefix| {
            let plugin = json!({ "argoproj-labs/gatewayAPI": { "httpRoute": "web" } });
            let routes: Vec<Value> = HEADERS.iter().chain(&MIRRORS).map(|name| json!({ "name": name })).collect();
            let mut stage = Stage::new(json!({ "plugins": plugin, "managedRoutes": routes }), steps());
            let canary = stage.rollout.spec.strategy.canary.as_mut().unwrap();
            canary.stable_service = Some(format!("{prefix}stable"));
            canary.canary_service = Some(format!("{prefix}canary"));
            canary.steps.pop();
            stage.services = vec![service(&format!("{prefix}stable"), "v1"), service(&format!("{prefix}canary"), "v2")];
            stage
        });
        let rule = |(i, (path, whose)): (usize, (u8, u8))| {
            let prefix = if whose == 0 { "" } else { "other-" };
            let path = format!("/{}{path}/{i}", prefix);
            json!({
                "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
                "backendRefs": [backend(&format!("{prefix}stable"), 100), backend(&format!("{prefix}canary"), 0)],
            })
        };
        let mut rules: Vec<Value> = rules.into_iter().enumerate().map(rule).collect();
        rules.push(rule((8, (1, 0))));
        rules.push(rule((9, (1, 1))));
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": "web", "namespace": "prod", "resourceVersion": "1" }, "spec": { "rules": rules },
        });
        one.objects.push(route);
        for (mine, theirs) in &wishes {
            let (mine, theirs) = (Wish { trials: vec![], ..mine.clone() }, Wish { trials: vec![], ..theirs.clone() });
            let (mine, theirs) = (split(&one, &mine), split(&other, &theirs));
            let mut writes = 0;
            loop {
                let mut round = one.carry(&mine).len();
                other.objects = one.objects.clone();
                round += other.carry(&theirs).len();
                one.objects = other.objects.clone();
                writes += round;
                if round == 0 { break; }
                prop_assert!(writes < 8, "they never come to rest: {:#?}", one.objects);
            }
            prop_assert_eq!(one.observe().unwrap(), Some(mine));
            prop_assert_eq!(other.observe().unwrap(), Some(theirs));
        }
    }
}

fn items(route: &Value) -> &[Value] {
    route["spec"]["rules"].as_array().unwrap()
}

/// One of a few things that people do to an object.
fn edited(object: &mut Value, at: prop::sample::Index, edit: i32) {
    if object["kind"] == "Ingress" {
        match edit {
            0 => object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = json!("77"),
            1 => object["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] = json!("false"),
            2 => object["spec"]["rules"][0]["host"] = json!("edited"),
            3 => object["metadata"]["annotations"] = json!({}),
            _ => object["spec"]["defaultBackend"] = json!({ "service": { "name": "edited" } }),
        }
        return;
    }
    let rules = object["spec"]["rules"].as_array_mut().unwrap();
    let at = at.index(rules.len());
    match edit {
        0 => rules[at]["backendRefs"].as_array_mut().into_iter().flatten().for_each(|b| b["weight"] = json!(7)),
        1 => drop(rules.remove(at)),
        2 => rules[at]["timeouts"] = json!({ "request": "1s" }),
        3 => object["metadata"]["labels"] = json!({}),
        _ => rules[at]["matches"] = json!([{ "path": { "type": "PathPrefix", "value": "/edited" } }]),
    }
}
