//! What a request must be like, in the words of the Gateway API, and two such conditions at once.

use serde_json::{Value, json};
use serin_core::weight::{HeaderMatch, RouteMatch, ValueMatch};

use super::Kind;
use crate::object::items;

/// A match of a rule together with further conditions. `None` if no request can fulfil both.
///
/// # Errors
/// The Gateway API cannot say both at once.
pub(super) fn with(kind: Kind, found: &Value, more: &RouteMatch) -> Result<Option<Value>, String> {
    let mut wanted = found.clone();
    if !wanted.is_object() {
        wanted = json!({});
    }
    match kind {
        // A gRPC request is a POST to a path that is its method: nothing that a mirror could ask for besides.
        Kind::Grpc if more.method.is_some() || more.path.is_some() => return Ok(None),
        Kind::Grpc => {}
        Kind::Http => {
            if wanted["path"].is_null() {
                // The server fills it in, and what it fills in must be no difference.
                wanted["path"] = json!({ "type": "PathPrefix", "value": "/" });
            }
            if let Some(more) = &more.path {
                let Some(path) = path(&wanted["path"], more)? else { return Ok(None) };
                wanted["path"] = path;
            }
            if let Some(more) = &more.method {
                let ValueMatch::Exact(method) = more else {
                    return Err("the Gateway API compares methods exactly: use `exact`".to_owned());
                };
                if wanted["method"].as_str().is_some_and(|found| found != method) {
                    return Ok(None);
                }
                wanted["method"] = json!(method);
            }
        }
    }
    for more in &more.headers {
        if !add_header(&mut wanted, more)? {
            return Ok(None);
        }
    }
    Ok(Some(wanted))
}

/// Adds a condition on a header; `false` if no request can fulfil it together with those that are there.
fn add_header(wanted: &mut Value, more: &HeaderMatch) -> Result<bool, String> {
    let header = header(more);
    let name = |header: &Value| header["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    let same = items(wanted, "headers").iter().find(|found| name(found) == name(&header));
    if let Some(found) = same {
        let kind = |header: &Value| header["type"].as_str().unwrap_or("Exact").to_owned();
        if kind(found) == kind(&header) && found["value"] == header["value"] {
            return Ok(true);
        }
        if kind(found) == "Exact" && kind(&header) == "Exact" {
            return Ok(false);
        }
        return Err(format!("a rule can ask for the header `{}` only once, and one does already", more.header));
    }
    match wanted["headers"].as_array_mut() {
        Some(headers) => headers.push(header),
        None => wanted["headers"] = json!([header]),
    }
    Ok(true)
}

/// A condition on a header.
//= compat-differs: 6.11-7 a prefix is anchored and its own characters are escaped, since some gateways look for the expression anywhere in the value
fn header(wanted: &HeaderMatch) -> Value {
    let (kind, value) = match &wanted.value {
        ValueMatch::Exact(text) => ("Exact", text.clone()),
        ValueMatch::Prefix(text) => ("RegularExpression", format!("^{}.*", escaped(text))),
        ValueMatch::Regex(text) => ("RegularExpression", text.clone()),
    };
    json!({ "type": kind, "name": wanted.header, "value": value })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Both paths at once. Prefixes are whole segments, as the Gateway API has them.
fn path(found: &Value, more: &ValueMatch) -> Result<Option<Value>, String> {
    let (kind, text) = (found["type"].as_str().unwrap_or("PathPrefix"), found["value"].as_str().unwrap_or("/"));
    let new = |kind: &str, value: &str| Ok(Some(json!({ "type": kind, "value": value })));
    let only_if = |fits: bool| Ok(fits.then(|| found.clone()));
    match (kind, more) {
        ("PathPrefix", ValueMatch::Exact(path)) if within(path, text) => new("Exact", path),
        ("PathPrefix", ValueMatch::Exact(_)) => Ok(None),
        ("PathPrefix", ValueMatch::Prefix(prefix)) if within(prefix, text) => new("PathPrefix", prefix),
        ("PathPrefix", ValueMatch::Prefix(prefix)) => only_if(within(text, prefix)),
        ("PathPrefix", ValueMatch::Regex(expression)) if text == "/" => new("RegularExpression", expression),
        ("Exact", ValueMatch::Exact(path)) => only_if(path == text),
        ("Exact", ValueMatch::Prefix(prefix)) => only_if(within(text, prefix)),
        ("RegularExpression", ValueMatch::Regex(expression)) if expression == text => only_if(true),
        _ => Err(format!("a rule can ask for the path only once, and one asks for `{text}` already")),
    }
}

fn within(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
