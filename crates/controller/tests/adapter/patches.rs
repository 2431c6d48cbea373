//! Merge patches: the difference, put on the old value, gives the new one.

use proptest::prelude::*;
use serde_json::{Value, json};
use serin_controller::merge_patch::{apply, difference};

//= compat: 2.1-1
#[test]
fn only_what_differs_is_sent() {
    let check = |old: Value, new: Value, want: Option<Value>| assert_eq!(difference(&old, &new), want);
    check(json!({ "a": 1 }), json!({ "a": 1 }), None);
    check(json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }), Some(json!({ "b": 3 })));
    check(json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), Some(json!({ "b": null })));
    check(json!({ "a": { "b": 1, "c": 1 } }), json!({ "a": { "b": 1, "c": 2 } }), Some(json!({ "a": { "c": 2 } })));
    check(json!({ "a": [1, 2] }), json!({ "a": [1] }), Some(json!({ "a": [1] })));
    check(json!({ "a": null }), json!({}), None);
    check(json!({}), json!({ "a": { "b": null } }), Some(json!({ "a": {} })));
}

/// Any JSON without nulls in objects, which a merge patch cannot say.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[ab]".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_difference_leads_from_one_value_to_the_other(old in values(), new in values()) {
        match difference(&old, &new) {
            Some(patch) => prop_assert_eq!(apply(&old, &patch), new),
            None => prop_assert_eq!(old, new),
        }
    }
}
