//! Where an object on a cluster differs from how it would be after it was applied.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::object::Object;

/// Fields that the server writes by itself.
const OF_THE_SERVER: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// One field: where it is, what it is, and what it would be. `None` is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its path, such as `spec.template.spec.containers[0].image`.
    pub path: String,
    /// Now.
    pub now: Option<Value>,
    /// Then.
    pub then: Option<Value>,
}

/// Every field that differs, in order of their paths; status and what the server writes by itself is not looked at.
pub fn differences(now: &Object, then: &Object) -> Vec<Difference> {
    let (now, then) = (looked_at(now), looked_at(then));
    let mut found = Vec::new();
    compare(String::new(), Some(&now), Some(&then), &mut found);
    found
}

fn looked_at(object: &Object) -> Value {
    let mut value = object.0.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.retain(|key, _| !OF_THE_SERVER.contains(&key.as_str()));
    }
    value
}

fn compare(path: String, now: Option<&Value>, then: Option<&Value>, found: &mut Vec<Difference>) {
    match (now, then) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(below, a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(format!("{path}[{i}]"), a.get(i), b.get(i), found);
            }
        }
        _ if now == then => {}
        _ => found.push(Difference { path, now: now.cloned(), then: then.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_named_and_what_the_server_writes_is_not() {
        let now = json!({
            "metadata": { "name": "a", "uid": "1", "generation": 1, "managedFields": [{}] },
            "spec": { "replicas": 2, "args": ["a", "b"], "gone": true },
            "status": { "replicas": 2 },
        });
        let then = json!({
            "metadata": { "name": "a", "uid": "2", "labels": { "x": "y" } },
            "spec": { "replicas": 3, "args": ["a"] },
        });
        let found = differences(&Object(now.clone()), &Object(then));
        let paths: Vec<&str> = found.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["metadata.labels", "spec.args[1]", "spec.gone", "spec.replicas"]);
        assert_eq!((&found[3].now, &found[3].then), (&Some(json!(2)), &Some(json!(3))));
        assert_eq!(differences(&Object(now.clone()), &Object(now)), []);
    }
}
