//! Objects that no server would keep: they end in a problem or in a split that reads back, never in a panic.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use serin_core::Hash;
use serin_core::weight::{Destination, Split};

use crate::stage::{Stage, merged, service};

/// Any JSON out of the words that the routers look for.
fn json() -> impl Strategy<Value = Value> {
    let word = select(vec![
        "spec",
        "rules",
        "backendRefs",
        "matches",
        "headers",
        "filters",
        "requestMirror",
        "backendRef",
        "name",
        "weight",
        "path",
        "type",
        "value",
        "method",
        "http",
        "paths",
        "backend",
        "service",
        "kind",
        "group",
        "namespace",
        "tls",
        "metadata",
        "labels",
        "annotations",
        "ownerReferences",
        "controller",
        "uid",
        "resourceVersion",
    ]);
    let text =
        select(vec!["stable", "canary", "trial", "a", "a-1", "m", "prod", "u-1", "Exact", "PathPrefix", "/", "", "7"]);
    let leaf = prop_oneof![
        text.prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|truth| json!(truth)),
        Just(Value::Null),
        Just(json!(1.5)),
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        let fields = prop::collection::vec((word.clone(), inner.clone()), 0..6);
        let object = fields.prop_map(|fields| {
            Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
        });
        prop_oneof![object, prop::collection::vec(inner, 0..4).prop_map(Value::Array)]
    })
}

/// An object with its good parts replaced by whatever came.
fn spoilt(kind: &str, name: &str, good: Value, more: &Value) -> Value {
    let group = if kind == "Ingress" { "networking.k8s.io/v1" } else { "gateway.networking.k8s.io/v1" };
    let mut object = if more.is_object() { merged(&good, more) } else { good };
    object["apiVersion"] = json!(group);
    object["kind"] = json!(kind);
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]["name"] = json!(name);
    object["metadata"]["namespace"] = json!("prod");
    object
}

fn stage() -> Stage {
    let routing = json!({
        "nginx": { "stableIngress": "web" },
        "managedRoutes": [{ "name": "a" }, { "name": "m" }],
        "plugins": { "argoproj-labs/gatewayAPI": { "httpRoute": "route", "grpcRoute": "rpc" } },
    });
    let steps = json!([
        { "setHeaderRoute": { "name": "a", "match": [{ "headerName": "a", "headerValue": { "exact": "a" } }] } },
        { "setMirrorRoute": { "name": "m", "match": [{ "path": { "prefix": "/" }, "headers": { "a": { "regex": "7" } } }, {}] } },
        { "experiment": { "templates": [{ "name": "t", "specRef": "stable", "service": { "name": "trial" } }] } },
    ]);
    let mut stage = Stage::new(routing, steps);
    stage.services.push(service("trial", "t"));
    stage
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nonsense_never_panics(parts in prop::collection::vec(json(), 4), rules in prop::collection::vec(json(), 0..4), weight in 0_u32..=100) {
        let backends = json!([{ "name": "stable", "port": 80 }, { "name": "canary", "port": 80 }]);
        let mut with_rules = vec![json!({ "backendRefs": backends })];
        with_rules.extend(rules);
        let route = json!({ "spec": { "rules": with_rules } });
        let path = json!({ "path": "/", "backend": { "service": { "name": "stable" } } });
        let web = json!({ "spec": { "rules": [{ "http": { "paths": [path] } }, parts[0]] } });
        let owner = json!({ "metadata": { "ownerReferences": [{ "controller": true, "uid": "u-1" }] } });
        let mut stage = stage();
        stage.objects = vec![
            spoilt("Ingress", "web", web, &parts[0]),
            spoilt("Ingress", "shop-web-canary", owner, &parts[1]),
            spoilt("HTTPRoute", "route", route.clone(), &parts[2]),
            spoilt("GRPCRoute", "rpc", route, &parts[3]),
        ];
        let trial = Destination { service: "trial".to_owned(), hash: Hash::new("t"), weight: 1.min(100 - weight) };
        let experiment = Vec::from_iter((trial.weight > 0).then_some(trial));
        let split = stage.with_routes(Split { experiment, ..stage.weight(weight) }, &["a", "m"]);
        let _ = stage.observe();
        if stage.render(&split).is_ok() {
            stage.carry(&split);
            prop_assert_eq!(stage.render(&split).unwrap(), []);
            prop_assert_eq!(stage.observe().unwrap(), Some(split));
        }
    }
}
