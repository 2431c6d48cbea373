//! nginx, rule by rule (section 6.2 of the reference).

use serde_json::{Value, json};
use serin_routes::{Class, Pick, Verb, wants};

use crate::stage::{Stage, plugin};

fn ingress(name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "prod" },
        "spec": { "rules": [{ "http": { "paths": [{ "path": "/", "backend": { "service": { "name": "stable" } } }] } }] },
    })
}

fn stage(nginx: Value) -> Stage {
    Stage::new(json!({ "nginx": nginx }), json!([])).with(ingress("web")).with(ingress("api"))
}

fn annotation(stage: &Stage, ingress: &str, key: &str) -> Option<String> {
    let found = stage.find("Ingress", ingress)?;
    found["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{key}")].as_str().map(str::to_owned)
}

//= compat: 6.2-1, 8.4-1
#[test]
fn exactly_one_form_names_the_ingresses() {
    let refusals = |nginx: Value| stage(nginx).refusals().len();
    assert_eq!(refusals(json!({ "stableIngress": "web" })), 0);
    assert_eq!(refusals(json!({ "stableIngresses": ["web", "api"] })), 0);
    assert_eq!(refusals(json!({ "stableIngress": "web", "stableIngresses": ["api"] })), 1);
    assert_eq!(refusals(json!({ "stableIngress": "" })), 1);
    assert_eq!(refusals(json!({})), 1);
}

//= compat: 6.2-2
#[test]
fn each_stable_ingress_has_a_canary_of_its_own() {
    let mut stage = stage(json!({ "stableIngresses": ["web", "api"] }));
    let names: Vec<Pick> = wants(&stage.routers()).into_iter().map(|wanted| wanted.pick).collect();
    let expected = ["web", "shop-web-canary", "api", "shop-api-canary"].map(|name| Pick::Name(name.to_owned()));
    assert_eq!(names, expected);
    stage.carry(&stage.weight(20));
    assert_eq!(annotation(&stage, "shop-web-canary", "canary-weight").as_deref(), Some("20"));
    assert_eq!(annotation(&stage, "shop-api-canary", "canary-weight").as_deref(), Some("20"));
}

//= compat: 6.2-2
#[test]
fn a_long_name_is_cut_before_its_suffix() {
    let canary = |length: usize| {
        let name = "i".repeat(length);
        let mut stage = stage(json!({ "stableIngress": name })).with(ingress(&name));
        stage.carry(&stage.weight(1)).remove(0).name
    };
    // `shop-` and `-canary` are 12.
    assert_eq!(canary(241), format!("shop-{}-canary", "i".repeat(241)));
    assert_eq!(canary(242), format!("shop-{}-canary", "i".repeat(241)));
    assert_eq!(canary(248).len(), 253);
}

//= compat: 6.2-2
#[test]
fn names_that_are_cut_to_the_same_are_refused() {
    let name = |last: &str| format!("{}{last}", "i".repeat(245));
    let refusals = stage(json!({ "stableIngresses": [name("a"), name("b")] })).refusals();
    assert!(refusals[0].contains("the canary Ingress of"), "{refusals:?}");
}

//= compat: 6.2-2, 8.5-7, 8.5-11
#[test]
fn a_missing_ingress_may_come_later() {
    let mut stage = Stage::new(json!({ "nginx": { "stableIngress": "web" } }), json!([]));
    let problem = stage.observe().unwrap_err();
    assert_eq!((problem.class, problem.reason()), (Class::Missing, "TrafficRoutingError"));
    stage.objects.push(ingress("web"));
    assert_eq!(stage.observe(), Ok(None));
}

//= compat: 6.2-3, 6.2-9
#[test]
fn the_canary_belongs_to_the_rollout_and_takes_class_and_tls_along() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    stage.edit("web", |web| {
        web["metadata"]["labels"] = json!({ "a": "b" });
        web["metadata"]["annotations"] = json!({ "kubernetes.io/ingress.class": "old", "c": "d" });
        web["spec"]["ingressClassName"] = json!("new");
        web["spec"]["tls"] = json!([{ "hosts": ["h"], "secretName": "s" }]);
    });
    stage.carry(&stage.weight(20));
    let canary = stage.find("Ingress", "shop-web-canary").unwrap();
    assert_eq!(canary["apiVersion"], "networking.k8s.io/v1");
    let metadata = &canary["metadata"];
    assert_eq!((&metadata["namespace"], &metadata["labels"]), (&json!("prod"), &Value::Null));
    let owner = &metadata["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["uid"], &owner["controller"]), (&json!("Rollout"), &json!("u-1"), &json!(true)));
    assert_eq!(metadata["annotations"]["kubernetes.io/ingress.class"], "old");
    assert_eq!(metadata["annotations"]["c"], Value::Null);
    assert_eq!(canary["spec"]["ingressClassName"], "new");
    assert_eq!(canary["spec"]["tls"][0]["secretName"], "s");
}

//= compat: 6.2-4, 6.2-5
#[test]
fn rules_that_lead_elsewhere_or_nowhere_are_left_out() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    stage.edit("web", |web| {
        let path = |service: &str| json!({ "backend": { "service": { "name": service } } });
        web["spec"]["defaultBackend"] = json!({ "service": { "name": "stable" } });
        web["spec"]["rules"] = json!([
            { "host": "a", "http": { "paths": [path("stable"), path("files"), { "backend": { "resource": {} } }] } },
            { "host": "b", "http": { "paths": [path("files")] } },
            { "host": "c" },
        ]);
    });
    stage.carry(&stage.weight(20));
    let spec = &stage.find("Ingress", "shop-web-canary").unwrap()["spec"];
    let services: Vec<&Value> = spec["rules"][0]["http"]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["backend"]["service"]["name"])
        .collect();
    assert_eq!(services, [&json!("canary"), &json!("files"), &Value::Null]);
    assert_eq!((spec["rules"].as_array().unwrap().len(), &spec["defaultBackend"]), (1, &Value::Null));
}

//= compat: 6.2-4
#[test]
fn an_ingress_without_the_stable_service_is_no_use() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    stage.edit("web", |web| web["spec"]["rules"] = json!([{ "host": "c" }]));
    let problem = stage.observe().unwrap_err();
    assert_eq!(problem.message, "ingress `web` has no rules using service stable backend");
    assert_eq!(stage.render(&stage.weight(20)), Err(problem));
}

//= compat: 6.2-6
#[test]
fn annotations_get_the_prefix_they_lack() {
    let mut stage = stage(json!({
        "stableIngress": "web",
        "annotationPrefix": "p.example",
        "additionalIngressAnnotations": { "canary-by-header": "x", "p.example/whole": "y", "canary-weight": "99" },
        "canaryIngressAnnotations": { "verbatim": "z" },
    }));
    stage.carry(&stage.weight(20));
    let annotations = &stage.find("Ingress", "shop-web-canary").unwrap()["metadata"]["annotations"];
    let expected = json!({
        "p.example/canary": "true", "p.example/canary-by-header": "x", "p.example/canary-weight": "20",
        "p.example/whole": "y", "verbatim": "z",
    });
    assert_eq!(annotations, &expected);
}

//= compat: 6.2-6, 6.2-7, 6.1-13
#[test]
fn the_total_comes_and_goes_with_max_traffic_weight() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    let set = |stage: &mut Stage, most: Option<i32>| {
        let canary = stage.rollout.spec.strategy.canary.as_mut().unwrap();
        canary.traffic_routing.as_mut().unwrap().max_traffic_weight = most;
    };
    let total = |stage: &Stage| annotation(stage, "shop-web-canary", "canary-weight-total");
    set(&mut stage, Some(1000));
    stage.carry(&stage.weight(20));
    assert_eq!(total(&stage).as_deref(), Some("1000"));
    set(&mut stage, Some(100));
    stage.carry(&stage.weight(20));
    assert_eq!(total(&stage).as_deref(), Some("100"));
    set(&mut stage, None);
    stage.carry(&stage.weight(20));
    assert_eq!(total(&stage), None);
    assert_eq!(stage.observe(), Ok(Some(stage.weight(20))));
}

//= compat: 6.2-7
#[test]
fn what_is_there_is_patched_and_what_others_added_stays() {
    let mut stage = stage(json!({ "stableIngress": "web", "canaryIngressAnnotations": { "once": "wanted" } }));
    let created = stage.carry(&stage.weight(20)).remove(0);
    assert!(matches!(created.verb, Verb::Create(_)));
    assert_eq!(created.event.unwrap().reason, "CreatingCanaryIngress");
    stage.edit("shop-web-canary", |canary| {
        canary["metadata"]["labels"] = json!({ "by": "hand" });
        canary["metadata"]["annotations"]["by"] = json!("hand");
    });
    let nginx = &mut stage.rollout.spec.strategy.canary.as_mut().unwrap().traffic_routing.as_mut().unwrap().nginx;
    nginx.as_mut().unwrap().canary_ingress_annotations.clear();
    assert_eq!(stage.render(&stage.weight(20)), Ok(Vec::new()));
    let patched = stage.carry(&stage.weight(40)).remove(0);
    let patch = json!({ "metadata": { "annotations": { "nginx.ingress.kubernetes.io/canary-weight": "40" } } });
    assert_eq!(patched.verb, Verb::MergePatch(patch));
    assert_eq!(patched.event.unwrap().reason, "PatchingCanaryIngress");
    let metadata = &stage.find("Ingress", "shop-web-canary").unwrap()["metadata"];
    let annotations = &metadata["annotations"];
    assert_eq!((&annotations["by"], &annotations["once"]), (&json!("hand"), &json!("wanted")));
    assert_eq!(metadata["labels"]["by"], "hand");
}

//= compat: 6.2-7
#[test]
fn an_ingress_of_somebody_else_is_never_taken() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    stage.carry(&stage.weight(20));
    for owners in [json!([]), json!([{ "controller": true, "uid": "u-2" }]), json!([{ "uid": "u-1" }])] {
        stage.edit("shop-web-canary", |canary| canary["metadata"]["ownerReferences"] = owners.clone());
        let problem = stage.render(&stage.weight(40)).unwrap_err();
        assert!(
            problem.message.starts_with("canary ingress `shop-web-canary` controlled by different object"),
            "{problem}"
        );
        assert_eq!((problem.class, stage.observe()), (Class::Object, Err(problem)));
    }
}

//= compat: 6.2-8, 6.2-10
#[test]
fn at_no_weight_the_canary_stays_and_the_stable_ingress_is_never_written() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    let web = stage.find("Ingress", "web").cloned();
    assert_eq!(stage.carry(&stage.stable()).len(), 1);
    assert_eq!(annotation(&stage, "shop-web-canary", "canary-weight").as_deref(), Some("0"));
    assert_eq!(stage.observe(), Ok(Some(stage.stable())));
    stage.carry(&stage.weight(100));
    stage.carry(&stage.stable());
    assert_eq!(annotation(&stage, "shop-web-canary", "canary-weight").as_deref(), Some("0"));
    assert_eq!(stage.find("Ingress", "web").cloned(), web);
}

/// What the server may hold instead of what was written is told as what it does.
#[test]
fn weights_that_make_no_sense_are_read_as_nginx_reads_them() {
    let mut stage = stage(json!({ "stableIngress": "web" }));
    stage.carry(&stage.weight(20));
    let mut carried = |weight: &str, total: Value| {
        stage.edit("shop-web-canary", |canary| {
            canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] = json!(weight);
            canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight-total"] = total;
        });
        stage.observe().unwrap().unwrap().weight
    };
    assert_eq!(carried("20", json!("1000")), 2);
    assert_eq!(carried("50", json!("0")), 50);
    assert_eq!(carried("300", Value::Null), 100);
    assert_eq!(carried("many", Value::Null), 0);
    assert_eq!(carried("-1", Value::Null), 0);
}

/// A canary Ingress that is deleted sends nothing to the canary any more, and is made again.
#[test]
fn a_deleted_canary_is_noticed() {
    let mut stage = stage(json!({ "stableIngresses": ["web", "api"] }));
    stage.carry(&stage.weight(20));
    stage.objects.retain(|object| object["metadata"]["name"] != "shop-api-canary");
    assert_ne!(stage.observe(), Ok(Some(stage.weight(20))));
    assert_eq!(stage.carry(&stage.weight(20)).len(), 1);
    assert_eq!(stage.observe(), Ok(Some(stage.weight(20))));
}

//= compat: 6.1-12
#[test]
fn header_routes_of_another_router_do_not_concern_nginx() {
    let mut routing = plugin(json!({ "httpRoute": "route" }));
    routing["nginx"] = json!({ "stableIngress": "web" });
    routing["managedRoutes"] = json!([{ "name": "testers" }]);
    let header = json!({ "headerName": "x", "headerValue": { "exact": "1" } });
    let steps = json!([{ "setHeaderRoute": { "name": "testers", "match": [header] } }]);
    let backends = json!([{ "name": "stable", "port": 80 }, { "name": "canary", "port": 80 }]);
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "route", "namespace": "prod" }, "spec": { "rules": [{ "backendRefs": backends }] },
    });
    let mut stage = Stage::new(routing, steps).with(ingress("web")).with(route);
    let split = stage.with_routes(stage.weight(20), &["testers"]);
    assert_eq!(stage.carry(&split).len(), 2);
    let annotations = &stage.find("Ingress", "shop-web-canary").unwrap()["metadata"]["annotations"];
    assert_eq!(annotations.as_object().unwrap().len(), 2);
    assert_eq!(stage.observe(), Ok(Some(split)));
}
