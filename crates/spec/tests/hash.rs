//! Replays the hashes that the original code computed.

use serde_json::{Value, json};
use serin_spec::hash::{self, Types};
use serin_spec::wire::PodTemplate;
use serin_spec::wire::canary::CanaryStep;

fn cases(text: &str) -> Vec<Value> {
    let cases: Value = serde_json::from_str(text).unwrap();
    cases.as_array().unwrap().clone()
}

fn check_template(case: &Value) {
    let template = PodTemplate(case["template"].clone());
    assert_eq!(hash::pod_template(&template, None).as_str(), case["hash"], "{case}");
    assert_eq!(hash::pod_template(&template, Some(1)).as_str(), case["hashCollision1"], "{case}");
}

//= compat: 2.3-1, 2.3-2, 2.3-3, 2.2-1
#[test]
fn pod_templates_hash_as_argo_hashes_them() {
    let cases = cases(include_str!("data/pod-hash.json"));
    assert_eq!(cases.len(), 70);
    for case in &cases {
        let template = PodTemplate(case["template"].clone());
        assert_eq!(hash::pod_template_json(&template, Types::Current), case["goJson"]);
        check_template(case);
    }
}

//= compat: 2.3-1, 1.1-9
#[test]
fn every_field_that_kubernetes_knows_is_hashed_in_its_place() {
    let cases = cases(include_str!("data/pod-hash-fields.json"));
    assert_eq!(cases.len(), 41);
    cases.iter().for_each(check_template);
}

//= compat: 2.3-3, A.1-4, A.1-5, 10.32
#[test]
fn empty_metadata_hashes_by_the_types_that_wrote_it() {
    let check = |count: Option<i32>, types: Types, want: &str| {
        for template in [json!({}), json!({ "metadata": {}, "spec": {} }), json!({ "metadata": null }), Value::Null] {
            assert_eq!(hash::pod_template_by(&PodTemplate(template), count, types).as_str(), want);
        }
    };
    check(None, Types::Current, "658c46c486");
    check(Some(1), Types::Current, "6746d5bbc");
    check(None, Types::Older, "76bbb58f74");
    check(Some(1), Types::Older, "688c48b575");
}

//= compat: 2.2-1
#[test]
fn order_of_keys_and_fields_that_kubernetes_does_not_know_make_no_revision() {
    let plain = json!({ "metadata": { "labels": { "a": "1", "b": "2" } }, "spec": { "containers": [{ "name": "c", "image": "m:1" }] } });
    let other = json!({ "spec": { "containers": [{ "image": "m:1", "name": "c", "novelty": 1, "args": [], "env": null }] },
        "metadata": { "labels": { "b": "2", "a": "1" }, "creationTimestamp": null } });
    let changed = json!({ "metadata": { "labels": { "a": "1", "b": "2" } }, "spec": { "containers": [{ "name": "c", "image": "m:2" }] } });
    let hash = |template: Value| hash::pod_template(&PodTemplate(template), None);
    assert_eq!(hash(plain.clone()), hash(other));
    assert_ne!(hash(plain), hash(changed));
}

//= compat: 2.3-11, 1.1-9, A.1-2, A.1-3, 10.31
#[test]
fn steps_hash_as_argo_hashes_them() {
    let cases = cases(include_str!("data/steps-hash.json"));
    assert_eq!(cases.len(), 48);
    for case in &cases {
        let steps: Vec<CanaryStep> = serde_json::from_value(case["steps"].clone()).unwrap();
        assert_eq!(hash::steps_json(&steps), case["goJson"]);
        assert_eq!(hash::steps(&steps), case["hash"], "{case}");
    }
}

#[test]
fn hashes_of_the_reference_text_come_out() {
    let steps = |value: Value| hash::steps(&serde_json::from_value::<Vec<CanaryStep>>(value).unwrap());
    assert_eq!(steps(json!([])), "5ffbfbbd64");
    assert_eq!(steps(json!([{ "pause": {} }])), "6b9b86fbd5");
    assert_eq!(steps(json!([{ "pause": {} }, { "pause": {} }])), "79c9b9f6bf");
    assert_eq!(steps(json!([{ "setWeight": 20 }, { "pause": { "duration": "30s" } }])), "5f97f7bd6c");
    assert_eq!(steps(json!([{ "setWeight": 10 }, { "pause": {} }])), "849b756fd4");
}

//= compat: 2.3-11
#[test]
fn a_scope_that_is_written_as_false_is_hashed_as_it_is_written() {
    let steps = |text: &str| {
        let steps: Vec<CanaryStep> = serde_json::from_str(text).unwrap();
        hash::steps_json(&steps)
    };
    for text in [
        r#"[{"analysis":{"templates":[{"templateName":"a","clusterScope":false}]}}]"#,
        r#"[{"analysis":{"templates":[{"templateName":"a"}]}}]"#,
        r#"[{"experiment":{"templates":[{"name":"t","specRef":"stable","metadata":{}}],"analyses":[{"name":"a","templateName":"a","clusterScope":false}],"analysisRunMetadata":{}}}]"#,
    ] {
        assert_eq!(steps(text), text);
    }
}
