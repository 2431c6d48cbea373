//! Another version of a rollout's image.

use serde_json::{Value, json};
use serin_spec::raise::{self, ImageError};
use serin_spec::wire;

fn rollout(template: Value) -> wire::Rollout {
    serde_json::from_value(
        json!({ "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {}, "spec": template }),
    )
    .unwrap()
}

fn containers(list: &[(&str, &str)]) -> Value {
    let list: Vec<Value> =
        list.iter().map(|(name, image)| json!({ "name": name, "image": image, "tty": true })).collect();
    json!({ "template": { "spec": { "containers": list } } })
}

//= compat: 7.6-1
#[test]
fn the_image_of_the_named_or_only_container_is_changed() {
    let mut one = rollout(containers(&[("model", "host:5000/fraud:v1")]));
    assert_eq!(raise::rollout_with_image(&mut one, None, "v2").unwrap(), "host:5000/fraud:v2");
    assert_eq!(one, rollout(containers(&[("model", "host:5000/fraud:v2")])));
    let mut two = rollout(containers(&[("model", "fraud:v1"), ("sidecar", "envoy:1")]));
    assert_eq!(raise::rollout_with_image(&mut two, Some("sidecar"), "2").unwrap(), "envoy:2");
    assert_eq!(two, rollout(containers(&[("model", "fraud:v1"), ("sidecar", "envoy:2")])));
}

//= compat: 7.6-1
#[test]
fn without_the_container_nothing_is_changed() {
    let check = |template: Value, container: Option<&str>, want: ImageError| {
        let mut changed = rollout(template.clone());
        assert_eq!(raise::rollout_with_image(&mut changed, container, "v2"), Err(want));
        assert_eq!(changed, rollout(template));
    };
    let two = containers(&[("model", "fraud:v1"), ("sidecar", "envoy:1")]);
    check(two.clone(), None, ImageError::Ambiguous(vec!["model".to_owned(), "sidecar".to_owned()]));
    check(two, Some("x"), ImageError::NotFound("x".to_owned()));
    check(containers(&[]), None, ImageError::NoContainers);
    check(json!({ "workloadRef": { "name": "d" } }), None, ImageError::NoTemplate);
    assert_eq!(ImageError::NotFound("x".to_owned()).to_string(), "unable to find container named \"x\"");
}
