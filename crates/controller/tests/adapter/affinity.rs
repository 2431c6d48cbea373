//! Keeping versions on different nodes (section 1.8).

use serde_json::{Value, json};
use serin_controller::pod::affinity;
use serin_core::Hash;
use serin_spec::wire::{PodTemplate, Rollout};

use crate::stage::{NOW, body, cluster, of_kind, pass, pool, rollout, template};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn apart(list: &str, options: Value) -> Rollout {
    rollout(json!({ "spec": { "strategy": { "canary": { "antiAffinity": { list: options } } } } }))
}

fn term(stable: &str) -> Value {
    json!({
        "labelSelector": { "matchExpressions": [{ "key": "rollouts-pod-template-hash", "operator": "In", "values": [stable] }] },
        "namespaces": ["shop"],
        "topologyKey": "kubernetes.io/hostname",
    })
}

/// The affinity of a template after the term was added.
fn added(template: Value, rollout: &Rollout, stable: Option<&str>) -> Value {
    let mut template = PodTemplate(template);
    affinity::add(&mut template, rollout, stable, "new");
    template.0["spec"]["affinity"].clone()
}

//= compat: 1.8-2, 1.8-3
#[test]
fn the_term_names_the_stable_version() {
    let required = apart(REQUIRED, json!({}));
    assert_eq!(
        added(template("m:1"), &required, Some("old")),
        json!({ "podAntiAffinity": { REQUIRED: [term("old")] } })
    );
    let preferred = apart(PREFERRED, json!({ "weight": 7 }));
    let weighted = json!({ "weight": 7, "podAffinityTerm": term("old") });
    assert_eq!(
        added(template("m:1"), &preferred, Some("old")),
        json!({ "podAntiAffinity": { PREFERRED: [weighted] } })
    );
    assert_eq!(added(template("m:1"), &required, None), Value::Null, "nothing is stable yet");
    assert_eq!(added(template("m:1"), &required, Some("new")), Value::Null, "it is the stable one");
    assert_eq!(added(template("m:1"), &rollout(json!({})), Some("old")), Value::Null, "nobody asked for it");
    let blue_green = json!({ "spec": { "strategy": { "canary": null, "blueGreen": { "activeService": "a", "antiAffinity": { REQUIRED: {} } } } } });
    assert!(added(template("m:1"), &rollout(blue_green), Some("old"))["podAntiAffinity"][REQUIRED].is_array());
}

//= compat: 1.8-3, 1.8-4
#[test]
fn the_users_own_terms_stay_before_it_and_behind_its_removal() {
    let own = json!({ "topologyKey": "zone", "labelSelector": { "matchLabels": { "app": "db" } } });
    let mut with_own = template("m:1");
    with_own["spec"]["affinity"] = json!({ "nodeAffinity": {}, "podAntiAffinity": { REQUIRED: [own] } });
    let required = apart(REQUIRED, json!({}));
    let mut changed = PodTemplate(with_own.clone());
    affinity::add(&mut changed, &required, Some("old"), "new");
    assert_eq!(changed.0["spec"]["affinity"]["podAntiAffinity"][REQUIRED], json!([own, term("old")]));
    assert_eq!(affinity::keeps_away_from(&changed), Some("old"));
    affinity::remove(&mut changed);
    assert_eq!(changed.0, with_own);
    let mut plain = PodTemplate(template("m:1"));
    affinity::add(&mut plain, &required, Some("old"), "new");
    affinity::remove(&mut plain);
    assert_eq!(plain.0, template("m:1"));
}

fn promoted(stable: &str) -> Value {
    json!({ "status": { "stableRS": stable, "currentPodHash": stable } })
}

//= compat: 1.8-2, 1.8-4
#[test]
fn a_new_pool_keeps_away_from_the_stable_one_and_its_hash_does_not_know() {
    let patch = json!({ "spec": { "template": template("m:2"), "strategy": { "canary": { "antiAffinity": { REQUIRED: {} } } } } });
    let plain = json!({ "spec": { "template": template("m:2") } });
    let merged = serin_controller::merge_patch::apply(&patch, &promoted("old"));
    let rendered = pass(&cluster(rollout(merged), vec![pool("old", "m:1", "2023-11-14T00:00:00Z", &json!({}))]), &[]);
    let made = body(of_kind(&rendered.writes, "ReplicaSet")[0]);
    assert_eq!(made["spec"]["template"]["spec"]["affinity"], json!({ "podAntiAffinity": { REQUIRED: [term("old")] } }));
    let hash = serin_controller::observe::new_hash(&rollout(plain));
    assert_eq!(made["metadata"]["name"], format!("web-{hash}"));
}

//= compat: 1.8-5, 1.8-6
#[test]
fn a_pool_that_keeps_away_from_a_former_version_is_corrected_until_it_is_stable_itself() {
    let required = apart(REQUIRED, json!({}));
    let live = |stable: &str| {
        let mut live = PodTemplate(template("m:2"));
        affinity::add(&mut live, &required, Some(stable), "new");
        live
    };
    let renewed = affinity::renewed(&live("older"), &required, Some("old"), "new").unwrap();
    assert_eq!(renewed, json!({ "podAntiAffinity": { REQUIRED: [term("old")] } }));
    assert_eq!(affinity::renewed(&live("old"), &required, Some("old"), "new"), None, "it is right");
    assert_eq!(affinity::renewed(&live("older"), &required, Some("new"), "new"), None, "it stays on the stable one");
    assert_eq!(
        affinity::renewed(&PodTemplate(template("m:2")), &required, Some("old"), "new"),
        None,
        "it never had one"
    );
}

//= compat: 1.8-5
#[test]
fn the_correction_is_written_with_the_pool() {
    let mut live = PodTemplate(template("m:2"));
    affinity::add(&mut live, &apart(REQUIRED, json!({})), Some("older"), "x");
    let patch = json!({ "spec": { "template": { "spec": live.0["spec"] } }, "metadata": { "annotations": { "rollout.argoproj.io/revision": "2" } } });
    let pools =
        vec![pool("old", "m:1", "2023-11-14T00:00:00Z", &json!({})), pool("x", "m:2", "2023-11-15T00:00:00Z", &patch)];
    let spec = json!({ "spec": { "template": template("m:2"), "strategy": { "canary": { "antiAffinity": { REQUIRED: {} } } } },
        "status": { "stableRS": "old", "currentPodHash": "x" } });
    let rendered = pass(&cluster(rollout(spec), pools), &[]);
    let written = of_kind(&rendered.writes, "ReplicaSet");
    let corrected = written.iter().find(|write| write.target.name == "web-x").unwrap();
    let terms = &body(corrected)["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][REQUIRED];
    assert_eq!(*terms, json!([term("old")]));
    assert_eq!((rendered.wake_at, Hash::new("x").as_str()), (Some(NOW), "x"));
}
