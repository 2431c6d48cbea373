//! A JSON schema of the wire types as a structural schema: no references, no alternatives but int-or-string, a type at every
//! node, and nothing that the API server would not take.

use serde_json::{Map, Value, json};

/// The structural form of a schema with its definitions.
pub(super) fn schema(root: &Value) -> Value {
    node(root, root)
}

fn node(schema: &Value, root: &Value) -> Value {
    let resolved = resolve(schema, root);
    let Some(fields) = resolved.as_object() else {
        // Anything goes: a part that is kept as it is written.
        return described(free(), schema, resolved);
    };
    if fields.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        let both = json!({ "anyOf": fields["anyOf"], "x-kubernetes-int-or-string": true });
        return described(both, schema, resolved);
    }
    if fields.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) || kind(resolved).is_empty() {
        return described(free(), schema, resolved);
    }
    let mut node = Map::from_iter([("type".to_owned(), Value::from(kind(resolved)))]);
    for key in ["enum", "required"] {
        if let Some(value) = fields.get(key) {
            node.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(format) = fields.get("format").and_then(Value::as_str).and_then(format) {
        node.insert("format".to_owned(), Value::from(format));
    }
    if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
        let mut sorted: Vec<_> = properties.iter().collect();
        sorted.sort_by_key(|(name, _)| *name);
        let properties = sorted.into_iter().map(|(name, below)| (name.clone(), self::node(below, root)));
        node.insert("properties".to_owned(), Value::Object(properties.collect()));
    }
    if let Some(items) = fields.get("items") {
        node.insert("items".to_owned(), self::node(items, root));
    }
    match fields.get("additionalProperties") {
        // Unknown fields are pruned or refused by the server as the client asks it to.
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => {
            node.insert("x-kubernetes-preserve-unknown-fields".to_owned(), Value::Bool(true));
        }
        Some(others) => {
            node.insert("additionalProperties".to_owned(), self::node(others, root));
        }
    }
    described(Value::Object(node), schema, resolved)
}

/// An object whose fields are kept whatever they are.
fn free() -> Value {
    json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// With the description of the field, else that of its type.
fn described(mut node: Value, field: &Value, of_type: &Value) -> Value {
    let text = field["description"].as_str().or_else(|| of_type["description"].as_str());
    if let (Some(text), Some(fields)) = (text, node.as_object_mut()) {
        let lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
        fields.insert("description".to_owned(), Value::from(lines));
    }
    node
}

/// Follows references and takes the side of an alternative that is not null: an absent field is not there.
fn resolve<'s>(mut schema: &'s Value, root: &'s Value) -> &'s Value {
    loop {
        if let Some(path) = schema["$ref"].as_str() {
            schema = root.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null);
        } else if let Some([some, null]) = schema["anyOf"].as_array().map(Vec::as_slice)
            && null["type"] == "null"
        {
            schema = some;
        } else {
            return schema;
        }
    }
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        _ => "",
    }
}

/// The formats that a server knows; counts fit into Kubernetes' own integers.
fn format(rust: &str) -> Option<&str> {
    match rust {
        "int32" | "uint32" => Some("int32"),
        "int64" | "uint64" | "uint" => Some("int64"),
        "date-time" | "double" => Some(rust),
        _ => None,
    }
}
