//! The page of a made-up store, read back with our own reader of the format.

use std::time::Duration;

use serde_json::{Value, json};
use serin_controller::Object;
use serin_core::Time;
use serin_core::decision::Event;

use super::*;
use crate::resource::{ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT};
use serin_promql::text;

fn object(kind: Resource, name: &str, mut fields: Value) -> Object {
    fields["apiVersion"] = kind.api_version.into();
    fields["kind"] = kind.kind.into();
    let namespace = if kind.namespaced { "shop" } else { "" };
    fields["metadata"] = json!({ "name": name, "namespace": namespace, "uid": name, "resourceVersion": "1" });
    Object(fields)
}

fn store(objects: Vec<(Resource, &str, Value)>) -> Store {
    let mut store = Store::default();
    let mut kinds: BTreeMap<Resource, BTreeMap<Name, Box<str>>> = BTreeMap::new();
    for (kind, name, fields) in objects {
        let object = object(kind, name, fields);
        store.put(kind, &object);
        kinds.entry(kind).or_default().insert(Name::of(&object), object.uid().into());
    }
    kinds.iter().for_each(|(kind, listed)| _ = store.end_list(*kind, listed, "1"));
    store
}

fn made_up() -> Store {
    let metrics = json!([
        { "name": "errors", "provider": { "prometheus": { "query": "up" } } },
        { "name": "own", "provider": { "plugin": { "acme/judge": {} } } },
    ]);
    store(vec![
        (
            ROLLOUT,
            "taste",
            json!({
                "spec": { "replicas": 5, "strategy": { "canary": { "trafficRouting": { "nginx": {} } } } },
                "status": {
                    "replicas": 6, "availableReplicas": 4, "updatedReplicas": 1,
                    "conditions": [{ "type": "Progressing", "reason": "RolloutPaused" }],
                },
            }),
        ),
        (ROLLOUT, "new", json!({ "spec": { "strategy": { "blueGreen": {} } } })),
        (
            ANALYSIS_RUN,
            "check",
            json!({
                "spec": { "metrics": metrics },
                "status": {
                    "phase": "Running",
                    "metricResults": [{ "name": "errors", "phase": "Failed", "dryRun": true }, { "name": "own" }],
                },
            }),
        ),
        (ANALYSIS_TEMPLATE, "errors", json!({ "spec": { "metrics": metrics } })),
        (CLUSTER_ANALYSIS_TEMPLATE, "everywhere", json!({ "spec": { "metrics": [] } })),
        (EXPERIMENT, "compare", json!({ "status": {} })),
    ])
}

fn tally() -> Tally {
    let tally = Tally::default();
    let rollout = Key::Rollout(Name::new("shop", "taste"));
    tally.passed(&rollout, Duration::from_millis(250), None);
    tally.passed(&rollout, Duration::from_millis(750), Some(Class::Retry));
    tally.passed(&Key::Service(Name::new("shop", "taste")), Duration::from_secs(2), Some(Class::User));
    tally.decided(Duration::from_micros(5));
    tally.panicked();
    let status = json!({ "conditions": [{
        "type": "Completed", "status": "False", "reason": "", "message": "",
        "lastTransitionTime": "2026-01-02T03:00:00Z",
    }] });
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": { "name": "taste", "namespace": "shop" }, "spec": {}, "status": status,
    });
    let events = [Event { reason: "RolloutCompleted", message: String::new(), warning: false }];
    let now = serin_spec::timestamp::parse("2026-01-02T03:10:00Z").unwrap_or(Time::from_secs(0));
    tally.events(&serde_json::from_value(rollout).unwrap(), &events, now);
    tally
}

fn shown(store: &Store, tally: &Tally, calls: &BTreeMap<Call, u64>) -> String {
    let mut queue = Queue::default();
    queue.add(Key::Rollout(Name::new("shop", "taste")));
    queue.add(Key::Rollout(Name::new("shop", "new")));
    queue.take(Time::from_secs(1));
    let failing = [ANALYSIS_RUN].into();
    let evidence = Some(&Health::default());
    page(&Scene { store, queues: &[&queue], tally, calls, failing: &failing, evidence, leads: true, version: "1.2.3" })
}

//= compat: 9.3-1, 9.3-5
#[test]
fn the_page_of_a_made_up_store() {
    let call = |kind: &str, name: &str, verb, code| Call {
        kind: kind.to_owned(),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        verb,
        code,
    };
    let calls = [(call("rollouts", "N/A", "list", 200), 1), (call("rollouts", "taste", "patch", 409), 2)];
    let shown = shown(&made_up(), &tally(), &calls.into_iter().collect());
    // Of the machine that the test runs on.
    let shown = shown.replace("goarch=\"arm64\"", "goarch=\"amd64\"");
    insta::assert_snapshot!(shown);
}

#[test]
fn every_line_can_be_read_and_no_series_is_there_twice() {
    let shown = shown(&made_up(), &tally(), &BTreeMap::new());
    let samples = text::parse(&shown).unwrap();
    assert!(samples.len() > 100);
    let mut seen = BTreeSet::new();
    for sample in &samples {
        let labels: Vec<(&str, &str)> = sample.labels.iter().collect();
        assert!(seen.insert(format!("{labels:?}")), "{labels:?} is there twice");
    }
    let families = shown.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = families.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a family is there twice");
}

#[test]
fn label_values_are_escaped() {
    let tally = Tally::default();
    let odd = "a\\b\"c\nd";
    tally.passed(&Key::Rollout(Name::new("n", odd)), Duration::from_millis(1), None);
    let shown = shown(&Store::default(), &tally, &BTreeMap::new());
    assert!(shown.contains(r#"rollout_reconcile_count{namespace="n",name="a\\b\"c\nd"} 1"#), "{shown}");
    let samples = text::parse(&shown).unwrap();
    assert!(samples.iter().any(|sample| sample.labels.get("name") == Some(odd)));
}

/// The value of the one series whose text begins like this.
fn value(store: &Store, prefix: &str) -> Option<String> {
    let page = shown(store, &Tally::default(), &BTreeMap::new());
    let line = page.lines().find(|line| line.starts_with(prefix))?;
    line.rsplit(' ').next().map(str::to_owned)
}

//= compat: 9.3-3, 9.3-4, 10.12
#[test]
fn phases_come_from_conditions() {
    let check = |conditions: Value, expected: &str| {
        let status = json!({ "phase": "Healthy", "conditions": conditions });
        let store = store(vec![(ROLLOUT, "r", json!({ "spec": { "strategy": {} }, "status": status }))]);
        let info = format!(
            "rollout_info{{namespace=\"shop\",name=\"r\",strategy=\"none\",traffic_router=\"\",phase=\"{expected}\"}}"
        );
        assert_eq!(value(&store, &info).as_deref(), Some("1"), "{expected}");
        for phase in ["Completed", "Progressing", "Paused", "Timeout", "Error", "Abort"] {
            let series = format!("rollout_phase{{namespace=\"shop\",name=\"r\",strategy=\"none\",phase=\"{phase}\"}}");
            let is = if phase == expected { "1" } else { "0" };
            assert_eq!(value(&store, &series).as_deref(), Some(is), "{phase} of {expected}");
        }
        assert_eq!(
            value(&store, "rollout_phase{namespace=\"shop\",name=\"r\",strategy=\"none\",phase=\"InvalidSpec"),
            None
        );
    };
    let progressing = |reason: &str| json!([{ "type": "Progressing", "reason": reason }]);
    check(progressing("NewReplicaSetAvailable"), "Completed");
    check(progressing("RolloutPaused"), "Paused");
    check(progressing("ReplicaSetCreateError"), "Error");
    check(progressing("ProgressDeadlineExceeded"), "Timeout");
    check(progressing("RolloutAborted"), "Abort");
    check(progressing("ReplicaSetUpdated"), "Progressing");
    check(json!([]), "Progressing");
    let both = json!([{ "type": "Progressing", "reason": "RolloutPaused" }, { "type": "InvalidSpec" }]);
    check(both, "InvalidSpec");
}

//= compat: 9.3-2, 9.3-5
#[test]
fn the_last_router_of_the_list_names_the_series() {
    let check = |routing: Value, expected: &str| {
        let spec = json!({ "strategy": { "canary": { "trafficRouting": routing } } });
        let store = store(vec![(ROLLOUT, "r", json!({ "spec": spec }))]);
        let series = "rollout_info{namespace=\"shop\",name=\"r\",strategy=\"canary\",traffic_router=\"";
        assert_eq!(value(&store, &format!("{series}{expected}\"")).as_deref(), Some("1"), "{expected}");
    };
    check(json!({ "alb": {} }), "ALB");
    check(json!({ "nginx": {}, "alb": {} }), "Nginx");
    check(json!({ "appMesh": {}, "smi": {}, "istio": {}, "ambassador": {} }), "AppMesh");
    check(json!({ "smi": {}, "istio": {}, "ambassador": {} }), "SMI");
    check(json!({ "plugins": {} }), "");
    check(json!({ "traefik": {} }), "");
}

//= compat: 9.2-8
#[test]
fn what_cannot_be_read_is_there_with_what_can_be_said_of_it() {
    let store = store(vec![(ROLLOUT, "r", json!({ "spec": { "replicas": "many" } }))]);
    assert_eq!(value(&store, "rollout_info_replicas_desired{").as_deref(), Some("1"));
}

//= compat: 9.3-6
#[test]
fn names_that_never_end_are_not_told_apart() {
    let calls = crate::calls::Calls::default();
    let target = |resource: Resource, name: &str| resource.target("shop", name);
    calls.count(&target(ROLLOUT, "taste"), "patch", 200);
    calls.count(&target(ROLLOUT, ""), "list", 200);
    calls.count(&target(crate::resource::REPLICA_SET, "taste-1"), "update", 200);
    calls.count(&target(crate::resource::REPLICA_SET, "taste-2"), "update", 200);
    calls.count(&target(crate::resource::EVENT, "taste.1"), "create", 201);
    let page = shown(&Store::default(), &Tally::default(), &calls.all());
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("controller_clientset")).collect();
    let family = "controller_clientset_k8s_request_total";
    assert_eq!(
        lines,
        [
            format!(
                "{family}{{kind=\"events\",namespace=\"shop\",name=\"N/A\",verb=\"Create\",status_code=\"201\"}} 1"
            ),
            format!(
                "{family}{{kind=\"replicasets\",namespace=\"shop\",name=\"N/A\",verb=\"Update\",status_code=\"200\"}} 2"
            ),
            format!(
                "{family}{{kind=\"rollouts\",namespace=\"shop\",name=\"N/A\",verb=\"List\",status_code=\"200\"}} 1"
            ),
            format!(
                "{family}{{kind=\"rollouts\",namespace=\"shop\",name=\"taste\",verb=\"Patch\",status_code=\"200\"}} 1"
            ),
        ]
    );
}
