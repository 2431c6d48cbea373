//! JSON as Go writes its structs: fields in the order of the struct, empty ones left out by the struct's rules, quantities in
//! canonical form, and `<`, `>`, `&` escaped.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};
use serin_expr::go;

use super::Types;
use super::fields::table::{Field, Kind, Presence};
use crate::quantity::Quantity;
use crate::timestamp;

/// Writes a struct. Fields that it does not know are left out.
pub(super) fn object(value: &Value, fields: &[Field], types: Types, out: &mut String) {
    out.push('{');
    let mut first = true;
    for field in fields {
        let held = value.get(field.name).unwrap_or(&Value::Null);
        if !is_written(field, held, types) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        go::text(field.name, out);
        out.push(':');
        match field.presence {
            Presence::Null if held.is_null() => out.push_str("null"),
            _ => write(held, field.kind, types, out),
        }
    }
    out.push('}');
}

/// Writes a list of structs, `null` when there is none.
pub(super) fn objects(value: &Value, fields: &[Field], types: Types, out: &mut String) {
    list(value, out, |item, out| object(item, fields, types, out));
}

fn is_written(field: &Field, held: &Value, types: Types) -> bool {
    match field.presence {
        Presence::Always | Presence::Null => true,
        Presence::Set => !held.is_null(),
        Presence::Full => !is_zero(held),
        Presence::Zero => !held.is_null() || types == Types::Older,
    }
}

fn is_zero(held: &Value) -> bool {
    match held {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}

/// Writes a value; one that is absent as the zero of its kind.
fn write(held: &Value, kind: Kind, types: Types, out: &mut String) {
    match kind {
        Kind::Text => scalar(held, "\"\"", out),
        Kind::Int | Kind::IntOrText => scalar(held, "0", out),
        Kind::Bool => scalar(held, "false", out),
        Kind::Amount => amount(held, out),
        Kind::Time => time(held, out),
        Kind::Raw => raw(held, out),
        Kind::Texts => list(held, out, |item, out| scalar(item, "\"\"", out)),
        Kind::Ints => list(held, out, |item, out| scalar(item, "0", out)),
        Kind::TextMap => map(held, out, |item, out| scalar(item, "\"\"", out)),
        Kind::AmountMap => map(held, out, amount),
        Kind::Object(fields) => object(held, fields, types, out),
        Kind::Objects(fields) => objects(held, fields, types, out),
        Kind::ObjectMap(fields) => map(held, out, |item, out| object(item, fields, types, out)),
    }
}

fn scalar(held: &Value, zero: &str, out: &mut String) {
    if held.is_null() { out.push_str(zero) } else { raw(held, out) }
}

fn list(held: &Value, out: &mut String, mut item: impl FnMut(&Value, &mut String)) {
    let Some(items) = held.as_array() else {
        return out.push_str("null");
    };
    out.push('[');
    for (i, value) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        item(value, out);
    }
    out.push(']');
}

/// Go writes the entries of a map by key, in the order of their bytes.
fn map(held: &Value, out: &mut String, mut item: impl FnMut(&Value, &mut String)) {
    let Some(entries) = held.as_object() else {
        return out.push_str("null");
    };
    out.push('{');
    for (i, (key, value)) in sorted(entries).into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        go::text(key, out);
        out.push(':');
        item(value, out);
    }
    out.push('}');
}

fn sorted(entries: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    sorted
}

/// A quantity may be written as a number or a string; one that cannot be read stays as it is.
fn amount(held: &Value, out: &mut String) {
    let written = match held {
        Value::Null => "0".to_owned(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let canonical = Quantity::parse(&written).map_or(written, |quantity| quantity.to_string());
    go::text(&canonical, out);
}

/// Go keeps whole seconds, in UTC.
fn time(held: &Value, out: &mut String) {
    match held.as_str().and_then(timestamp::parse) {
        Some(time) => go::text(&timestamp::format(serin_core::Time::from_secs(time.as_secs())), out),
        None => out.push_str("null"),
    }
}

fn raw(held: &Value, out: &mut String) {
    match held {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => number(value, out),
        Value::String(value) => go::text(value, out),
        Value::Array(_) => list(held, out, raw),
        Value::Object(_) => map(held, out, raw),
    }
}

/// Integers as they are, other numbers in Go's shortest form, which has an exponent below 1e-6 and from 1e21 on.
fn number(value: &Number, out: &mut String) {
    let float = value.as_f64().filter(|_| value.is_f64());
    let Some(float) = float else {
        let _ = write!(out, "{value}");
        return;
    };
    out.push_str(&go::number(float));
}
