//! JSON as conditions see it and as Go writes it.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serin_expr::{Value, go};

/// JSON as a value of the condition language. All its numbers are floats, as in Go.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(value).collect::<Vec<Value>>().into(),
        Json::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), value(item))).collect::<BTreeMap<String, Value>>().into()
        }
    }
}

/// JSON as Go's encoder writes it: no spaces, keys sorted, `<`, `>` and `&` escaped, numbers as floats.
pub(crate) fn text(json: &Json) -> String {
    let mut out = String::new();
    write(json, &mut out);
    out
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&go::number(number.as_f64().unwrap_or(f64::NAN))),
        Json::String(text) => go::text(text, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            let sorted: BTreeMap<&String, &Json> = map.iter().collect();
            out.push('{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                go::text(key, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_go_does() {
        let check = |json: &str, want: &str| assert_eq!(text(&serde_json::from_str(json).unwrap()), want);
        check(r#"{"b": 1, "a": [1.50, true, null, "x"]}"#, r#"{"a":[1.5,true,null,"x"],"b":1}"#);
        check(
            "[1000000, 12345678901, 1e21, 1.5e22, 1e-7, 0.000001, -0.5]",
            "[1000000,12345678901,1e+21,1.5e+22,1e-7,0.000001,-0.5]",
        );
        check(r#""a<b>&\u2028\"\\\n\u0001""#, r#""a\u003cb\u003e\u0026\u2028\"\\\n\u0001""#);
        check("9007199254740993", "9007199254740992");
    }

    #[test]
    fn numbers_are_floats() {
        assert_eq!(value(&serde_json::from_str("[1, 2.5]").unwrap()), vec![1.0, 2.5].into());
    }
}
