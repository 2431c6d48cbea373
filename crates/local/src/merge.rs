//! Applying a changed file over what people's commands changed since: a field that the file did not change keeps its
//! present value, a field that it changed takes the file's.

use serde_json::{Map, Value};

/// Merges `new` (the file now) into `live` (the object now), `applied` being the file as it was.
pub fn merge(applied: &Value, live: &Value, new: &Value) -> Value {
    if new == applied {
        return live.clone();
    }
    match (applied, live, new) {
        (Value::Object(applied), Value::Object(live), Value::Object(new)) => {
            let mut merged = Map::new();
            for (key, value) in new {
                let was = applied.get(key).unwrap_or(&Value::Null);
                let is = live.get(key);
                let merged_value = match is {
                    // Not there now, and not changed in the file: somebody removed it.
                    None if value == was => continue,
                    None => value.clone(),
                    Some(is) => merge(was, is, value),
                };
                merged.insert(key.clone(), merged_value);
            }
            // What neither file knows was added since, and stays.
            for (key, value) in live {
                if !new.contains_key(key) && !applied.contains_key(key) {
                    merged.insert(key.clone(), value.clone());
                }
            }
            Value::Object(merged)
        }
        (Value::Array(applied), Value::Array(live), Value::Array(new))
            if applied.len() == new.len() && live.len() == new.len() =>
        {
            Value::Array(applied.iter().zip(live).zip(new).map(|((a, l), n)| merge(a, l, n)).collect())
        }
        _ => new.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(applied: Value, live: Value, new: Value, want: Value) {
        assert_eq!(merge(&applied, &live, &new), want);
    }

    #[test]
    fn an_unchanged_file_changes_nothing() {
        check(json!({"a": 1}), json!({"a": 2}), json!({"a": 1}), json!({"a": 2}));
    }

    #[test]
    fn a_changed_field_takes_the_files_value_and_the_others_stay() {
        check(
            json!({"image": "x:1", "replicas": 2}),
            json!({"image": "x:2", "replicas": 2}),
            json!({"image": "x:1", "replicas": 3}),
            json!({"image": "x:2", "replicas": 3}),
        );
        check(json!({"image": "x:1"}), json!({"image": "x:2"}), json!({"image": "x:3"}), json!({"image": "x:3"}));
    }

    #[test]
    fn fields_come_and_go() {
        check(json!({"a": 1, "b": 1}), json!({"a": 1, "b": 1, "c": 1}), json!({"a": 1}), json!({"a": 1, "c": 1}));
        check(json!({}), json!({}), json!({"d": 1}), json!({"d": 1}));
    }

    #[test]
    fn lists_of_the_same_length_merge_by_place() {
        check(
            json!([{"image": "x:1", "env": 1}]),
            json!([{"image": "x:2", "env": 1}]),
            json!([{"image": "x:1", "env": 2}]),
            json!([{"image": "x:2", "env": 2}]),
        );
        check(json!([1]), json!([2]), json!([1, 3]), json!([1, 3]));
    }
}
