//! The Gateway API, rule by rule (section 6.11 of the reference).

use serde_json::{Value, json};
use serin_core::Hash;
use serin_core::weight::{Destination, Split};
use serin_routes::{Class, Context, Pick, Verb, observe, wants};

use crate::stage::{Stage, plugin, service};

const LABEL: &str = "rollouts.argoproj.io/gatewayapi-canary";

fn backends(stable: u32, canary: u32) -> Value {
    json!([
        { "group": "", "kind": "Service", "name": "stable", "port": 80, "weight": stable },
        { "group": "", "kind": "Service", "name": "canary", "port": 80, "weight": canary },
    ])
}

fn rule(path: &str, backends: Value) -> Value {
    json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }], "backendRefs": backends })
}

fn route(kind: &str, name: &str, rules: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": "prod", "resourceVersion": "1" }, "spec": { "rules": rules },
    })
}

/// An HTTPRoute `web` with one rule, header routes `a` and `b` and a mirror `m`.
fn stage(configuration: Value) -> Stage {
    let mut routing = plugin(configuration);
    routing["managedRoutes"] = json!([{ "name": "a" }, { "name": "b" }, { "name": "m" }]);
    let header = |name: &str| {
        let value = json!({ "exact": "1" });
        json!({ "setHeaderRoute": { "name": name, "match": [{ "headerName": format!("x-{name}"), "headerValue": value }] } })
    };
    let mirror = json!({ "setMirrorRoute": { "name": "m", "match": [{ "headers": { "x-m": { "exact": "1" } } }] } });
    let steps = json!([header("a"), header("b"), mirror]);
    Stage::new(routing, steps).with(route("HTTPRoute", "web", json!([rule("/", backends(100, 0))])))
}

fn rules<'s>(stage: &'s Stage, name: &str) -> &'s [Value] {
    let route = stage.objects.iter().find(|object| object["metadata"]["name"] == name).unwrap();
    route["spec"]["rules"].as_array().unwrap()
}

fn names(stage: &Stage, route: &str) -> Vec<String> {
    rules(stage, route).iter().map(|rule| rule["name"].as_str().unwrap_or("-").to_owned()).collect()
}

fn weights(rule: &Value) -> Vec<u64> {
    rule["backendRefs"].as_array().unwrap().iter().map(|backend| backend["weight"].as_u64().unwrap()).collect()
}

//= compat: 6.11-1, 6.11-2, 6.11-3
#[test]
fn routes_are_named_or_have_labels() {
    let selector = json!({ "matchLabels": { "a": "b" } });
    let stage = stage(json!({
        "httpRoute": "one", "httpRoutes": [{ "name": "two" }], "grpcRoute": "three",
        "grpcRoutes": [{ "name": "four", "useHeaderRoutes": true }], "httpRouteSelector": selector,
        "grpcRouteSelector": selector, "namespace": "edge",
    }));
    let wanted = wants(&stage.routers());
    let shown: Vec<String> = wanted
        .iter()
        .map(|one| {
            let pick = match &one.pick {
                Pick::Name(name) => name.clone(),
                Pick::Labels(selector) => format!("{:?}", selector.match_labels),
            };
            assert_eq!((one.api_version, one.namespace.as_str()), ("gateway.networking.k8s.io/v1", "edge"));
            format!("{} {pick}", one.kind)
        })
        .collect();
    let labels = r#"{"a": "b"}"#;
    let expected = [
        "HTTPRoute one",
        "HTTPRoute two",
        &format!("HTTPRoute {labels}"),
        "GRPCRoute three",
        "GRPCRoute four",
        &format!("GRPCRoute {labels}"),
    ];
    assert_eq!(shown, expected);
}

//= compat: 6.11-2
#[test]
fn header_routes_come_where_they_are_asked_for() {
    let selector = json!({ "matchLabels": { "found": "yes" } });
    let mut stage = stage(json!({
        "httpRoute": "web", "httpRoutes": [{ "name": "with", "useHeaderRoutes": true }, { "name": "without" }],
        "httpRouteSelector": selector,
    }));
    for name in ["with", "without", "found"] {
        stage.objects.push(route("HTTPRoute", name, json!([rule("/", backends(100, 0))])));
    }
    stage.edit("found", |found| found["metadata"]["labels"] = json!({ "found": "yes" }));
    // Found by its labels and named besides: it is one route, and its name says more.
    stage.edit("with", |with| with["metadata"]["labels"] = json!({ "found": "yes" }));
    let split = stage.with_routes(stage.weight(20), &["a"]);
    assert_eq!(stage.carry(&split).len(), 4);
    let with_header = ["web", "with", "without", "found"].map(|name| names(&stage, name).len() == 2);
    assert_eq!(with_header, [true, true, false, false]);
    assert_eq!(stage.observe(), Ok(Some(split)));
}

//= compat: 6.11-3
#[test]
fn no_route_at_all_is_refused() {
    for configuration in [json!({}), json!({ "namespace": "edge" }), json!({ "httpRoutes": [] })] {
        assert_eq!(stage(configuration.clone()).refusals().len(), 3, "{configuration}");
    }
    let mut stage = stage(json!({ "httpRoute": "web", "httpRouteSelector": { "matchLabels": { "a": "b" } } }));
    assert_eq!(stage.observe(), Ok(Some(stage.stable())));
    stage.objects.clear();
    assert_eq!(stage.observe().unwrap_err().class, Class::Missing);
}

//= compat: 6.11-3
#[test]
fn connections_are_not_split() {
    for field in ["tcpRoute", "tlsRoute"] {
        let refusals = stage(json!({ "httpRoute": "web", field: "db" })).refusals();
        assert!(refusals[0].contains("only requests"), "{refusals:?}");
    }
}

//= compat: 6.11-4
#[test]
fn rules_that_name_both_services_are_weighed_and_no_others() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let one = |service: &str| json!([{ "name": service, "port": 80, "weight": 1 }]);
    let foreign = json!([
        { "name": "stable", "namespace": "elsewhere", "port": 80, "weight": 5 },
        { "kind": "Bucket", "group": "example.com", "name": "canary", "weight": 6 },
    ]);
    let third = json!([{ "name": "third", "port": 80, "weight": 3 }]);
    let both = json!([backends(1, 1)[0], third[0], backends(1, 1)[1]]);
    let users = [rule("/s", one("stable")), rule("/c", one("canary")), rule("/f", foreign), rule("/b", both)];
    stage.edit("web", |web| web["spec"]["rules"].as_array_mut().unwrap().extend(users));
    stage.carry(&stage.weight(20));
    let found: Vec<Vec<u64>> = rules(&stage, "web").iter().map(weights).collect();
    assert_eq!(found, [vec![80, 20], vec![1], vec![1], vec![5, 6], vec![80, 3, 20]]);
    // At 100 the rule of the stable service alone goes on answering.
    stage.carry(&stage.weight(100));
    assert_eq!(weights(&rules(&stage, "web")[1]), [1]);
}

//= compat: 6.11-4
#[test]
fn a_route_without_both_services_is_no_use() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.edit("web", |web| web["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap().truncate(1));
    let problem = stage.observe().unwrap_err();
    assert_eq!(problem.class, Class::Object);
    assert_eq!(
        problem.message,
        "HTTPRoute `web` has no rule whose backendRefs name both services `stable` and `canary`: add them"
    );
    assert_eq!(stage.render(&stage.weight(1)), Err(problem));
}

//= compat: 6.11-4
#[test]
fn a_patch_names_the_version_that_it_was_made_from() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let change = stage.carry(&stage.weight(20)).remove(0);
    let Verb::MergePatch(patch) = &change.verb else { panic!("{change:?}") };
    assert_eq!(patch["metadata"]["resourceVersion"], "1");
    assert_eq!((change.event.is_none(), patch["spec"].as_object().unwrap().len()), (true, 1));
}

//= compat: 6.11-5, 10.38
#[test]
fn rules_to_the_canary_alone_may_be_a_users() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let canary = json!([backends(0, 1)[1]]);
    let users = [rule("/beta", canary.clone()), {
        let mut named = rule("/a-1", backends(100, 0));
        named["name"] = json!("a-1");
        named
    }];
    stage.edit("web", |web| web["spec"]["rules"].as_array_mut().unwrap().extend(users));
    stage.carry(&stage.with_routes(stage.weight(20), &["a"]));
    // Each of the two rules with both services has one of its own; `a-1` was taken.
    assert_eq!(names(&stage, "web"), ["-", "-", "a-1", "a", "a-2"]);
    stage.carry(&stage.stable());
    assert_eq!(names(&stage, "web"), ["-", "-", "a-1"]);
    assert_eq!(weights(&rules(&stage, "web")[1]), [1]);
}

/// Servers before version 1.4 of the Gateway API drop the names of rules.
//= compat: 6.11-5
#[test]
fn rules_are_known_again_without_their_names() {
    let mut stage = Stage { keeps_names: false, ..stage(json!({ "httpRoute": "web" })) };
    let split = stage.with_routes(stage.weight(20), &["a", "m"]);
    stage.carry(&split);
    assert_eq!(names(&stage, "web"), ["-", "-", "-"]);
    assert_eq!(stage.observe(), Ok(Some(split)));
    stage.carry(&stage.with_routes(stage.weight(40), &["b"]));
    assert_eq!(rules(&stage, "web").len(), 2);
    assert_eq!(rules(&stage, "web")[1]["matches"][0]["headers"][0]["name"], "x-b");
    stage.carry(&stage.stable());
    assert_eq!(rules(&stage, "web").len(), 1);
}

//= compat: 6.11-6, 6.11-7
#[test]
fn all_headers_of_a_step_must_hold() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let canary = stage.rollout.spec.strategy.canary.as_mut().unwrap();
    let step = json!({ "setHeaderRoute": { "name": "a", "match": [
        { "headerName": "one", "headerValue": { "exact": "1.0" } },
        { "headerName": "two", "headerValue": { "prefix": "v1.[x" } },
        { "headerName": "three", "headerValue": { "regex": "a|b" } },
    ] } });
    canary.steps = vec![serde_json::from_value(step).unwrap()];
    stage.edit("web", |web| {
        web["spec"]["rules"][0]["matches"] = json!([
            { "path": { "type": "Exact", "value": "/x" }, "headers": [{ "type": "Exact", "name": "own", "value": "0" }] },
            { "queryParams": [{ "type": "Exact", "name": "q", "value": "1" }] },
        ]);
    });
    let split = stage.with_routes(stage.weight(20), &["a"]);
    stage.carry(&split);
    let header = |kind: &str, name: &str, value: &str| json!({ "type": kind, "name": name, "value": value });
    let step = [
        header("Exact", "one", "1.0"),
        header("RegularExpression", "two", r"^v1\.\[x.*"),
        header("RegularExpression", "three", "a|b"),
    ];
    let matches = &rules(&stage, "web")[1]["matches"];
    assert_eq!(matches[0]["headers"].as_array().unwrap()[1..], step);
    assert_eq!(matches[0]["path"]["value"], "/x");
    assert_eq!(matches[1]["headers"].as_array().unwrap()[..], step);
    assert_eq!(matches[1]["queryParams"][0]["name"], "q");
    // As the server would fill it in.
    assert_eq!(matches[1]["path"], json!({ "type": "PathPrefix", "value": "/" }));
    assert_eq!(stage.observe(), Ok(Some(split)));
}

//= compat: 6.11-6
#[test]
fn a_header_that_is_asked_for_already_is_not_asked_for_twice() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let split = stage.with_routes(stage.weight(20), &["a"]);
    let mut with_header = |header: Value| {
        stage.edit("web", |web| {
            let mut also = rule("/also", backends(100, 0));
            also["matches"][0]["headers"] = json!([header]);
            web["spec"]["rules"] = json!([rule("/", backends(100, 0)), also]);
        });
        let rendered = stage.render(&split);
        rendered.map(|changes| match &changes[0].verb {
            Verb::MergePatch(patch) => patch["spec"]["rules"].as_array().unwrap().len(),
            Verb::Create(_) => 0,
        })
    };
    // The same condition: a rule more. Another value: no request has both, so there is nothing to add.
    assert_eq!(with_header(json!({ "type": "Exact", "name": "X-A", "value": "1" })), Ok(4));
    assert_eq!(with_header(json!({ "name": "x-a", "value": "2" })), Ok(3));
    let unclear = with_header(json!({ "type": "RegularExpression", "name": "x-a", "value": ".*" })).unwrap_err();
    assert!(
        unclear.message.ends_with("a rule can ask for the header `x-a` only once, and one does already"),
        "{unclear}"
    );
}

//= compat: 6.11-8, 6.10-1, 6.10-3
#[test]
fn a_route_that_is_removed_leaves_the_others() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.carry(&stage.with_routes(stage.weight(20), &["a", "b"]));
    assert_eq!(names(&stage, "web"), ["-", "a", "b"]);
    let split = stage.with_routes(stage.weight(20), &["b"]);
    stage.carry(&split);
    assert_eq!(names(&stage, "web"), ["-", "b"]);
    assert_eq!(stage.observe(), Ok(Some(split)));
}

//= compat: 6.11-9
#[test]
fn mirrors_are_carried_and_read_back() {
    let mut stage = stage(json!({ "httpRoutes": [{ "name": "web" }] }));
    stage.rollout.spec.strategy.canary.as_mut().unwrap().steps.remove(0);
    stage.rollout.spec.strategy.canary.as_mut().unwrap().steps.remove(0);
    let split = stage.with_routes(stage.weight(20), &["m"]);
    stage.carry(&split);
    assert_eq!(stage.observe(), Ok(Some(split.clone())));
    let mirror = &rules(&stage, "web")[1];
    assert_eq!(weights(mirror), [80, 20]);
    let copy = json!({ "backendRef": { "group": "", "kind": "Service", "name": "canary", "port": 80 } });
    assert_eq!(mirror["filters"], json!([{ "type": "RequestMirror", "requestMirror": copy }]));
    // The weights of the mirrored requests follow.
    let split = Split { weight: 50, ..split };
    stage.carry(&split);
    assert_eq!(weights(&rules(&stage, "web")[1]), [50, 50]);
    assert_eq!(stage.observe(), Ok(Some(split)));
}

/// Without a weight the canary's version is the one behind the service that header routes and mirrors lead to.
#[test]
fn who_gets_requests_by_header_is_told() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.version = Hash::new("v3");
    assert_eq!(stage.observe().unwrap().unwrap().canary, Hash::new("v3"));
    stage.carry(&stage.with_routes(stage.stable(), &["m"]));
    assert_eq!(stage.observe().unwrap().unwrap().canary, Hash::new("v2"));
}

//= compat: 6.11-9
#[test]
fn weights_that_somebody_changed_are_not_verified() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.carry(&stage.weight(20));
    assert_eq!(stage.observe(), Ok(Some(stage.weight(20))));
    for (stable, canary, carried) in [(50, 50, 50), (1, 1, 50), (80, 0, 0), (0, 0, 0), (0, 1, 100)] {
        stage.edit("web", |web| web["spec"]["rules"][0]["backendRefs"] = backends(stable, canary));
        let seen = stage.observe().unwrap().unwrap();
        assert_eq!(seen.weight, carried, "{stable}:{canary}");
        assert_ne!(seen, stage.weight(20));
    }
}

//= compat: 6.11-10
#[test]
fn a_label_says_that_a_canary_has_a_weight() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let label = |stage: &Stage| stage.find("HTTPRoute", "web").unwrap()["metadata"]["labels"][LABEL].clone();
    stage.carry(&stage.weight(20));
    assert_eq!(label(&stage), "in-progress");
    stage.carry(&stage.weight(100));
    assert_eq!(label(&stage), "in-progress");
    stage.carry(&stage.stable());
    assert_eq!(label(&stage), Value::Null);
    // One that came by other ways goes, unless there are weights of somebody else.
    stage.edit("web", |web| web["metadata"]["labels"] = json!({ LABEL: "in-progress" }));
    assert_eq!(stage.render(&stage.stable()).unwrap().len(), 1);
    let theirs = json!([{ "name": "old", "port": 80, "weight": 70 }, { "name": "new", "port": 80, "weight": 30 }]);
    stage.edit("web", |web| web["spec"]["rules"].as_array_mut().unwrap().push(rule("/other", theirs)));
    assert_eq!(stage.render(&stage.stable()), Ok(Vec::new()));
    assert_eq!(stage.observe(), Ok(Some(stage.stable())));
}

//= compat: 6.11-1, 6.11-10
#[test]
fn the_label_may_be_another_one_or_none() {
    let labels = |configuration: Value| {
        let mut stage = stage(configuration);
        stage.carry(&stage.weight(20));
        stage.find("HTTPRoute", "web").unwrap()["metadata"]["labels"].clone()
    };
    assert_eq!(labels(json!({ "httpRoute": "web", "inProgressLabelKey": "k" })), json!({ "k": "in-progress" }));
    assert_eq!(labels(json!({ "httpRoute": "web", "inProgressLabelValue": "v" })), json!({ LABEL: "v" }));
    assert_eq!(labels(json!({ "httpRoute": "web", "disableInProgressLabel": true })), Value::Null);
}

//= compat: 6.11-11, 5.4-7
#[test]
fn experiments_get_their_weights_and_the_canary_keeps_its_own() {
    let mut stage = stage(json!({ "httpRoute": "web", "grpcRoute": "rpc" }));
    stage.objects.push(route("GRPCRoute", "rpc", json!([{ "matches": [{}], "backendRefs": backends(100, 0) }])));
    let trial = |name: &str, weight| Destination { service: name.to_owned(), hash: Hash::new("x"), weight };
    let pool = "shop-5d9f-2-1-base";
    stage.services.push(service(pool, "x"));
    let split = Split { experiment: vec![trial(pool, 10)], ..stage.weight(20) };
    stage.carry(&split);
    assert_eq!(weights(&rules(&stage, "web")[0]), [70, 20, 10]);
    assert_eq!(weights(&rules(&stage, "rpc")[0]), [70, 20, 10]);
    assert_eq!(stage.observe(), Ok(Some(split)));
    // The experiment is over, its service is gone, and the status has forgotten it.
    stage.services.pop();
    stage.carry(&stage.weight(20));
    assert_eq!(weights(&rules(&stage, "web")[0]), [80, 20]);
    assert_eq!(stage.observe(), Ok(Some(stage.weight(20))));
}

/// Backends of others are no experiment's, whatever they are called.
//= compat: 6.11-11
#[test]
fn a_backend_of_somebody_else_keeps_its_weight() {
    for name in ["shop", "shop-extra", "shop-v2-extra", "shop-v2-2-base", "other-v2-2-1-base", "shop-v2-2-1-"] {
        let mut stage = stage(json!({ "httpRoute": "web" }));
        stage.edit("web", |web| {
            let more = json!({ "name": name, "port": 80, "weight": 9 });
            web["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap().push(more);
        });
        stage.carry(&stage.weight(20));
        assert_eq!(weights(&rules(&stage, "web")[0]), [80, 20, 9], "{name}");
    }
}

//= compat: 6.11-11
#[test]
fn an_experiment_is_known_by_its_status_or_its_step() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.rollout.status = serde_json::from_value(json!({
        "canary": { "weights": { "additional": [{ "weight": 10, "serviceName": "recorded" }] } },
    }))
    .unwrap();
    let template = json!({ "name": "a", "specRef": "stable", "service": { "name": "of-step" } });
    let step = json!({ "experiment": { "templates": [template] } });
    stage.rollout.spec.strategy.canary.as_mut().unwrap().steps.push(serde_json::from_value(step).unwrap());
    stage.edit("web", |web| {
        for name in ["recorded", "of-step"] {
            let more = json!({ "name": name, "port": 80, "weight": 9 });
            web["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap().push(more);
        }
    });
    stage.carry(&stage.weight(20));
    assert_eq!(weights(&rules(&stage, "web")[0]), [80, 20]);
}

//= compat: 6.11-1
#[test]
fn a_service_of_another_namespace_is_another_service() {
    let mut stage = stage(json!({ "httpRoute": "web", "namespace": "edge" }));
    stage.edit("web", |web| web["metadata"]["namespace"] = json!("edge"));
    assert!(stage.observe().unwrap_err().message.contains("backendRefs need `namespace: prod`"));
    stage.edit("web", |web| {
        for backend in web["spec"]["rules"][0]["backendRefs"].as_array_mut().unwrap() {
            backend["namespace"] = json!("prod");
        }
    });
    let pool = "shop-v2-2-0-base";
    stage.services.push(service(pool, "x"));
    let trial = Destination { service: pool.to_owned(), hash: Hash::new("x"), weight: 10 };
    let split = Split { experiment: vec![trial], ..stage.with_routes(stage.weight(20), &["a"]) };
    stage.carry(&split);
    assert_eq!(stage.observe(), Ok(Some(split)));
    let namespaces: Vec<&Value> = rules(&stage, "web")
        .iter()
        .flat_map(|r| r["backendRefs"].as_array().unwrap())
        .map(|b| &b["namespace"])
        .collect();
    assert_eq!(namespaces, [&json!("prod"); 4]);
}

/// Services that swap: a promotion changes no weight, it only makes the canary's service the stable one.
//= compat: 1.10-1, 1.10-2
#[test]
fn services_that_swap_swap_without_a_change_of_weights() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    let canary = stage.rollout.spec.strategy.canary.as_mut().unwrap();
    (canary.canary_service, canary.stable_service) = (None, None);
    canary.ping_pong = serde_json::from_value(json!({ "pingService": "canary", "pongService": "stable" })).unwrap();
    stage.carry(&stage.weight(100));
    assert_eq!(weights(&rules(&stage, "web")[0]), [0, 100]);
    // It is decided while the status that was read still says otherwise.
    let promoted = Split::all_to(Hash::new("v2"), 100);
    let change = stage.carry(&promoted).remove(0);
    let label = json!({ "metadata": { "labels": { LABEL: null }, "resourceVersion": "2" } });
    assert_eq!(change.verb, Verb::MergePatch(label));
    stage.rollout.status = serde_json::from_value(json!({ "canary": { "stablePingPong": "ping" } })).unwrap();
    assert_eq!(stage.observe(), Ok(Some(promoted)));
    // The next version comes to the other service.
    (stage.version, stage.services[0].selects) = (Hash::new("v3"), Some(Hash::new("v3")));
    let next = Split { canary: Hash::new("v3"), weight: 30, ..Split::all_to(Hash::new("v2"), 100) };
    stage.carry(&next);
    assert_eq!(weights(&rules(&stage, "web")[0]), [30, 70]);
    assert_eq!(stage.observe(), Ok(Some(next)));
}

/// A service that selects no version carries none, so no weight of it is ever the wanted one.
#[test]
fn a_service_that_selects_nothing_is_not_verified() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.carry(&stage.weight(20));
    stage.services[1].selects = None;
    assert_eq!(stage.observe().unwrap().unwrap().canary, Hash::new(""));
    stage.services[1].selects = Some(Hash::new("v1"));
    assert_eq!(stage.observe().unwrap().unwrap().canary, Hash::new("v1"));
}

/// A Rollout without `trafficRouting` has no routers, and nothing to carry.
#[test]
fn without_routers_nothing_is_carried() {
    let mut stage = stage(json!({ "httpRoute": "web" }));
    stage.rollout.spec.strategy.canary.as_mut().unwrap().traffic_routing = None;
    assert_eq!(stage.routers(), []);
    let context = Context { rollout: &stage.rollout, version: &stage.version, services: &stage.services };
    assert_eq!(observe(&[], &context, &[]), Ok(None));
}
