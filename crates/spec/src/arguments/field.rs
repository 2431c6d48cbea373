//! Fields of the rollout as arguments: `metadata` as Kubernetes' downward interface reads it, everything else by a path
//! through the object.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::ArgumentError;

/// The value at `path`.
///
/// # Errors
/// A path that leads nowhere, or to an object or a list.
//= compat: 3.2-3
pub(super) fn read(rollout: &Value, path: &str) -> Result<String, ArgumentError> {
    if path.starts_with("metadata") { metadata(&rollout["metadata"], path) } else { walk(rollout, path) }
}

fn metadata(metadata: &Value, path: &str) -> Result<String, ArgumentError> {
    let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    if let Some((map, key)) = subscript(path) {
        return Ok(metadata[map][key].as_str().unwrap_or_default().to_owned());
    }
    match path {
        "metadata.name" => Ok(text("name")),
        // A manifest that names none is in the default one.
        "metadata.namespace" => Ok(metadata["namespace"].as_str().unwrap_or("default").to_owned()),
        "metadata.uid" => Ok(text("uid")),
        "metadata.labels" => Ok(listing(metadata["labels"].as_object())),
        "metadata.annotations" => Ok(listing(metadata["annotations"].as_object())),
        _ => Err(ArgumentError::UnsupportedPath(path.to_owned())),
    }
}

/// `metadata.labels['KEY']` and `metadata.annotations['KEY']`.
fn subscript(path: &str) -> Option<(&'static str, &str)> {
    let rest = path.strip_suffix("']")?;
    let label = rest.strip_prefix("metadata.labels['").map(|key| ("labels", key));
    label.or_else(|| rest.strip_prefix("metadata.annotations['").map(|key| ("annotations", key)))
}

/// One `key="value"` a line, by key.
fn listing(map: Option<&Map<String, Value>>) -> String {
    let mut lines: Vec<String> = map
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", quoted(value.as_str()?))))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// In double quotes, as Go quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn walk(rollout: &Value, path: &str) -> Result<String, ArgumentError> {
    let lost = || ArgumentError::InvalidPath(path.to_owned());
    let mut at = rollout;
    for section in path.split(['.', '[', ']']).filter(|section| !section.is_empty()) {
        at = match at {
            Value::Array(list) => {
                let index: usize = section.parse().map_err(|_| ArgumentError::InvalidIndex(section.to_owned()))?;
                list.get(index).ok_or(ArgumentError::OutOfRange(index))?
            }
            Value::Object(map) => map.get(section).unwrap_or(&Value::Null),
            _ => return Err(lost()),
        };
    }
    match at {
        Value::Null => Err(lost()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(shortest(number.as_f64().unwrap_or_default())),
        Value::Array(_) | Value::Object(_) => Err(ArgumentError::NotPrimitive(path.to_owned())),
    }
}

/// A number as Go prints a float by default: the shortest digits, with an exponent from a million on and below 1e-4.
fn shortest(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    number.to_string()
}
