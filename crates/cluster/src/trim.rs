//! What of an object is kept: nobody looks at the rest, and a cluster has many objects.

use serde_json::{Map, Value};
use serin_controller::Object;

use crate::resource::{DEPLOYMENT, JOB, POD_TEMPLATE, Resource, SERVICE};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Drops what no decision, comparison or write needs. A ReplicaSet stays whole but for its managed fields: it is written back as
/// a whole.
pub(crate) fn trimmed(resource: Resource, mut object: Object) -> Object {
    if let Some(metadata) = object.0.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("selfLink");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    match resource {
        SERVICE => keep(&mut object, &[("spec", &["selector", "ports"])]),
        JOB => keep(&mut object, &[("status", &["conditions"])]),
        DEPLOYMENT => {
            keep(&mut object, &[("spec", &["replicas", "selector", "template"]), ("status", &["availableReplicas"])])
        }
        POD_TEMPLATE => keep(&mut object, &[("template", &["metadata", "spec"])]),
        _ => {}
    }
    object
}

/// Keeps these fields of these parts, and what every object has.
fn keep(object: &mut Object, parts: &[(&str, &[&str])]) {
    let Some(fields) = object.0.as_object_mut() else { return };
    fields.retain(|key, _| {
        ["apiVersion", "kind", "metadata"].contains(&key.as_str()) || parts.iter().any(|(part, _)| part == key)
    });
    for (part, kept) in parts {
        if let Some(held) = fields.get_mut(*part).and_then(Value::as_object_mut) {
            let held: &mut Map<String, Value> = held;
            held.retain(|key, _| kept.contains(&key.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::REPLICA_SET;
    use serde_json::json;

    #[test]
    fn only_what_is_looked_at_stays() {
        let object = Object(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "a", "managedFields": [{}], "annotations": { LAST_APPLIED: "{}", "b": "c" } },
            "spec": { "selector": { "x": "y" }, "clusterIP": "1.2.3.4" },
            "status": { "loadBalancer": {} },
        }));
        let left = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "a", "annotations": { "b": "c" } },
            "spec": { "selector": { "x": "y" } },
        });
        assert_eq!(trimmed(SERVICE, object).0, left);
    }

    #[test]
    fn a_replica_set_stays_whole() {
        let object = json!({ "metadata": { "name": "a" }, "spec": { "template": {} }, "status": { "replicas": 1 } });
        assert_eq!(trimmed(REPLICA_SET, Object(object.clone())).0, object);
    }
}
