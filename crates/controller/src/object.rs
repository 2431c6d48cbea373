//! What every object of a cluster has: name, labels, owner and age, read from its JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use serin_core::Time;
use serin_spec::timestamp;

/// An object as the API server sends it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(pub Value);

/// The controller of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid, which no other object ever has.
    pub uid: &'a str,
}

impl Object {
    /// `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.0["apiVersion"].as_str().unwrap_or_default()
    }

    /// `kind`.
    pub fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    /// Its name, empty if it has none.
    pub fn name(&self) -> &str {
        self.metadata("name").as_str().unwrap_or_default()
    }

    /// Its namespace, empty for objects of the cluster.
    pub fn namespace(&self) -> &str {
        self.metadata("namespace").as_str().unwrap_or_default()
    }

    /// Its uid, empty for objects that no server has seen.
    pub fn uid(&self) -> &str {
        self.metadata("uid").as_str().unwrap_or_default()
    }

    /// When it was created.
    pub fn created(&self) -> Time {
        self.metadata("creationTimestamp").as_str().and_then(timestamp::parse).unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_deleted(&self) -> bool {
        !self.metadata("deletionTimestamp").is_null()
    }

    /// `metadata.generation`, 0 if there is none.
    pub fn generation(&self) -> i64 {
        self.metadata("generation").as_i64().unwrap_or(0)
    }

    /// Its labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        strings(self.metadata("labels"))
    }

    /// Its annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        strings(self.metadata("annotations"))
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata("labels")[key].as_str()
    }

    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata("annotations")[key].as_str()
    }

    /// The owner that controls it, if there is one.
    pub fn controller(&self) -> Option<Owner<'_>> {
        let owners = self.metadata("ownerReferences").as_array().into_iter().flatten();
        let controller = owners.into_iter().find(|owner| owner["controller"] == true)?;
        let text = |key: &str| controller[key].as_str().unwrap_or_default();
        Some(Owner { kind: text("kind"), name: text("name"), uid: text("uid") })
    }

    /// Whether the object with this uid controls it.
    pub fn is_controlled_by(&self, uid: &str) -> bool {
        !uid.is_empty() && self.controller().is_some_and(|owner| owner.uid == uid)
    }

    fn metadata(&self, key: &str) -> &Value {
        &self.0["metadata"][key]
    }
}

/// A map of strings; what is no string is left out.
pub(crate) fn strings(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The fields of a value, which becomes an object if it is none.
pub(crate) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("it was made an object above"),
    }
}

/// The value at a path, made of objects where it is missing.
pub(crate) fn at<'v>(value: &'v mut Value, path: &[&str]) -> &'v mut Value {
    path.iter().fold(value, |value, key| fields(value).entry(*key).or_insert(Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_owner_that_does_not_control_is_none() {
        let object = |controller: Value| {
            let owner = json!({ "kind": "Rollout", "name": "a", "uid": "u", "controller": controller });
            Object(json!({ "metadata": { "ownerReferences": [owner] } }))
        };
        assert!(object(json!(true)).is_controlled_by("u"));
        assert!(!object(json!(true)).is_controlled_by("v"));
        assert!(!object(json!(false)).is_controlled_by("u"));
        assert!(!object(Value::Null).is_controlled_by("u"));
        assert!(!Object(json!({})).is_controlled_by(""));
    }

    #[test]
    fn a_path_is_made_where_it_is_missing() {
        let mut value = json!({ "metadata": 3 });
        *at(&mut value, &["metadata", "labels", "a"]) = json!("b");
        assert_eq!(value, json!({ "metadata": { "labels": { "a": "b" } } }));
    }
}
