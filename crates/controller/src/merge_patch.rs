//! The difference of two objects as a JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

/// The patch that makes `new` of `old`; `None` when they are equal, so that no request is sent for nothing. Lists are
/// replaced as a whole. A field of `new` that is null cannot be told from an absent one and is taken for it.
//= compat: 2.1-1
pub fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = Map::new();
            for (key, value) in new.iter().filter(|(_, value)| !value.is_null()) {
                let changed = match old.get(key).filter(|was| !was.is_null()) {
                    None => Some(whole(value)),
                    Some(was) => difference(was, value),
                };
                patch.extend(changed.map(|changed| (key.clone(), changed)));
            }
            let gone = old.iter().filter(|(_, was)| !was.is_null());
            for (key, _) in gone.filter(|(key, _)| new.get(*key).is_none_or(Value::is_null)) {
                patch.insert(key.clone(), Value::Null);
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        (old, new) if old == new => None,
        (_, new) => Some(whole(new)),
    }
}

/// A new value within a patch: nulls in its objects would remove fields that are not there.
fn whole(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key.clone(), whole(value))).collect())
        }
        other => other.clone(),
    }
}

/// The object after a patch.
pub fn apply(object: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut fields = object.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() {
            fields.remove(key);
        } else {
            let was = fields.get(key).unwrap_or(&Value::Null);
            let is = apply(was, value);
            fields.insert(key.clone(), is);
        }
    }
    Value::Object(fields)
}
