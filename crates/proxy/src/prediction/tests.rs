//! The scan against examples, and against a full parser for generated JSON cut at every place.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn found(path: &Path, pieces: &[&[u8]]) -> String {
    let mut scanner = Scanner::new();
    pieces.iter().for_each(|piece| scanner.feed(path, piece));
    match scanner.prediction() {
        None => "-".to_owned(),
        Some(Prediction::Class(class)) => format!("class {class}"),
        Some(Prediction::Number { value, integer }) => match integer {
            Some(digits) => format!("integer {digits}"),
            None => format!("number {value}"),
        },
    }
}

/// The body as one piece and cut into two at every place.
#[track_caller]
fn check(path: &str, body: &str, expect: &str) {
    let path = Path::parse(path).unwrap();
    for cut in 0..=body.len() {
        let (a, b) = body.as_bytes().split_at(cut);
        assert_eq!(found(&path, &[a, b]), expect, "cut at {cut}");
    }
}

#[test]
fn fields_are_found_by_their_path() {
    check("$.prediction", r#"{"prediction":"cat","p":0.5}"#, "class cat");
    check("$.prediction", r#"{ "p" : 0.5 , "prediction" : 0.25 }"#, "number 0.25");
    check("$.prediction", r#"{"prediction":1}"#, "integer 1");
    check("$.prediction", r#"{"prediction":-12e3}"#, "number -12000");
    check("$.prediction", r#"{"prediction":true}"#, "class true");
    check("$.a.b", r#"{"b":"no","a":{"c":[{"b":"no"}],"b":"yes"}}"#, "class yes");
    check("$.predictions[0]", r#"{"predictions":[7.5,8]}"#, "number 7.5");
    check("$.outputs[1].label", r#"{"outputs":[{"label":"x","y":[1,[2]]},{"label":"y"}]}"#, "class y");
    check("$[2]", "[1,\"],[\",3]", "integer 3");
    check("$['a b'][\"c.d\"]", r#"{"a b":{"c.d":"deep"}}"#, "class deep");
    check("$", "42", "integer 42");
    check("$", " false", "class false");
}

#[test]
fn what_only_looks_like_the_field_is_not_it() {
    check("$.prediction", r#"{"x":"\"prediction\":\"cat\"","y":{"prediction":"no"}}"#, "-");
    check("$.prediction", r#"{"predictions":"no","predictio":"no","Prediction":"no"}"#, "-");
    check("$.prediction", r#"{"prediction":null}"#, "-");
    check("$.prediction", r#"{"prediction":{"a":1}}"#, "-");
    check("$.prediction", r#"["prediction","cat"]"#, "-");
    check("$.a.b", r#"{"a":{"x":1},"b":"no"}"#, "-");
    check("$.p[3]", r#"{"p":[1,2,3]}"#, "-");
    check("$.p[0]", r#"{"p":[]}"#, "-");
    check("$.prediction", "<html>", "-");
    check("$.prediction", "", "-");
    check("$.prediction", r#"{"prediction":"cut"#, "-");
}

#[test]
fn escapes_in_a_class_are_resolved() {
    check("$.p", r#"{"p":"a\"b\\c\u00e9"}"#, "class a\"b\\cé");
    check("$.p", r#"{"p":"naïve"}"#, "class naïve");
}

#[test]
fn long_classes_and_long_bodies_have_bounds() {
    let long = format!(r#"{{"p":"{}"}}"#, "x".repeat(CLASS_MAX + 1));
    check("$.p", &long, "class other");
    let exact = "x".repeat(CLASS_MAX);
    check("$.p", &format!(r#"{{"p":"{exact}"}}"#), &format!("class {exact}"));
    let path = Path::parse("$.p").unwrap();
    for (size, expect) in [(SCAN_MAX - 100, "integer 1"), (SCAN_MAX + 100, "-")] {
        let body = format!(r#"{{"filler":"{}","p":1}}"#, "y".repeat(size));
        assert_eq!(found(&path, &[body.as_bytes()]), expect);
    }
}

fn value_text(path: &Path, pieces: &[&[u8]]) -> Option<String> {
    let mut scanner = Scanner::new();
    pieces.iter().for_each(|piece| scanner.feed(path, piece));
    scanner.text().map(Cow::into_owned)
}

#[test]
fn a_value_as_a_text_is_cut_and_never_lost() {
    let path = Path::parse("$.p").unwrap();
    let text = |value: &str| value_text(&path, &[format!(r#"{{"p":{value}}}"#).as_bytes()]);
    let (long, cut) = ("x".repeat(100), "x".repeat(CLASS_MAX));
    assert_eq!(text(&format!("\"{long}\"")), Some(cut));
    assert_eq!(text(&format!("\"{}é\"", &long[..63])), Some("x".repeat(63)), "not through a character");
    assert_eq!(
        text(&format!("\"{}\\u00e9\"", &long[..60])),
        Some(format!("{}\\u00", &long[..60])),
        "nor unescaped when cut"
    );
    assert_eq!(text(&"1".repeat(100)), Some("1".repeat(CLASS_MAX)));
    assert_eq!(text("-2.50e1"), Some("-2.50e1".to_owned()));
    for none in ["null", "[1]", "{}", "\"open"] {
        assert_eq!(text(none), None, "{none}");
    }
}

#[test]
fn paths_that_make_no_sense_are_refused() {
    for (path, why) in [
        ("prediction", "'prediction' does not start with '$'"),
        ("$prediction", "'$prediction' cannot be read from 'prediction' on"),
        ("$.", "'$.' cannot be read from '.' on"),
        ("$.a[x]", "'$.a[x]' cannot be read from '[x]' on"),
        ("$.a[+1]", "'$.a[+1]' cannot be read from '[+1]' on"),
        ("$['a", "'$['a' cannot be read from '['a' on"),
    ] {
        assert_eq!(Path::parse(path), Err(why.to_owned()));
    }
    assert!(Path::parse(&format!("${}", ".a".repeat(17))).is_err());
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e6..1e6f64).prop_map(Value::from),
        "[a-c\"\\\\{}\\[\\]:,é ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_scan_agrees_with_a_full_parser(
        value in json(),
        steps in prop::collection::vec(prop_oneof!["[a-c]".prop_map(|k| format!(".{k}")), (0..3u32).prop_map(|i| format!("[{i}]"))], 0..4),
        pretty in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut wanted = Some(&value);
        for step in &steps {
            wanted = wanted.and_then(|v| match step.strip_prefix('.') {
                Some(key) => v.get(key),
                None => v.get(step[1..2].parse::<usize>().unwrap()),
            });
        }
        let expect = match wanted {
            Some(Value::Bool(b)) => format!("class {b}"),
            Some(Value::String(s)) => format!("class {s}"),
            Some(Value::Number(n)) if n.is_i64() => format!("integer {n}"),
            Some(Value::Number(n)) => format!("number {}", n.as_f64().unwrap()),
            _ => "-".to_owned(),
        };
        let body = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let (a, b) = body.as_bytes().split_at(cut.index(body.len() + 1));
        let path = Path::parse(&format!("${}", steps.concat())).unwrap();
        prop_assert_eq!(found(&path, &[a, b]), expect);
        let text = match wanted {
            Some(Value::String(s)) => Some(s.clone()),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
            _ => None,
        };
        prop_assert_eq!(value_text(&path, &[a, b]), text);
    }
}
