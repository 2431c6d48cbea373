//! JSONPath as Kubernetes speaks it: text with paths in braces, `{.a.b[0]}`, `{range .items[*]}{.name}{end}`.
//!
//! It differs from the standard in more than its braces: a missing key is an error, keys may hold escaped dots, and
//! a number without a fraction in a filter compares with no number of JSON, which are all floats.

mod evaluate;
mod parse;

use std::borrow::Cow;

use serde_json::Value as Json;

/// A path, checked once.
#[derive(Debug, Clone)]
pub struct JsonPath {
    blocks: Vec<Block>,
}

/// A part of the text.
#[derive(Debug, Clone)]
enum Block {
    Text(String),
    /// What stands between two braces.
    Action(Vec<Node>),
    /// What stands between `{range …}` and `{end}`, once for each value of a path.
    Range {
        path: Vec<Node>,
        body: Vec<Block>,
    },
}

/// A step from values to others.
#[derive(Debug, Clone)]
enum Node {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Field(String),
    Wildcard,
    Recursive,
    Slice(Slice),
    Union(Vec<Vec<Node>>),
    Filter(Filter),
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: Option<i64>,
    /// Without an end, a slice that was written as one index is that element only.
    end: Option<i64>,
    single: bool,
    step: Option<i64>,
}

#[derive(Debug, Clone)]
struct Filter {
    left: Vec<Node>,
    test: Test,
    right: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Exists,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        Ok(JsonPath { blocks: parse::parse(text)? })
    }

    /// The values in a document, by block. Text outside of braces is a block of one text.
    ///
    /// # Errors
    /// When a key is missing, an index is out of bounds, or a filter compares what cannot be compared.
    pub fn find<'d>(&'d self, document: &'d Json) -> Result<Vec<Vec<Cow<'d, Json>>>, String> {
        evaluate::find(&self.blocks, document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a value as Go prints it.
    fn print(json: &Json) -> String {
        match json {
            Json::Null => "null".into(),
            Json::String(text) => text.clone(),
            Json::Number(number) => {
                let value = number.as_f64().unwrap();
                if value.abs() < 1e6 || value.fract() != 0.0 {
                    return format!("{value}");
                }
                let (digits, exponent) =
                    format!("{value:e}").split_once('e').map(|(d, e)| (d.to_owned(), e.to_owned())).unwrap();
                format!("{digits}e+{exponent:0>2}")
            }
            json => crate::json::text(json),
        }
    }

    #[test]
    fn agrees_with_the_original() {
        let groups: Json = serde_json::from_str(include_str!("../tests/data/jsonpath.json")).unwrap();
        let mut cases = 0;
        for group in groups.as_array().unwrap() {
            let document = &group["document"];
            for case in group["cases"].as_array().unwrap() {
                cases += 1;
                let text = case["path"].as_str().unwrap();
                let path = match JsonPath::parse(text) {
                    Ok(path) => path,
                    Err(error) => {
                        assert_eq!(case["parseError"], error.as_str(), "{text}");
                        continue;
                    }
                };
                assert_eq!(case["parseError"], Json::Null, "{text} should not be readable");
                let found = match path.find(document) {
                    Ok(found) => found,
                    Err(error) => {
                        assert_eq!(case["error"], error.as_str(), "{text}");
                        continue;
                    }
                };
                let blocks = found.iter().map(|block| block.iter().map(|v| print(v)).collect::<Vec<_>>().join(" "));
                assert_eq!(case["text"], blocks.collect::<String>().as_str(), "{text}");
                if let Json::Array(_) = &case["values"] {
                    let floats = |json: &Json| crate::json::text(json);
                    assert_eq!(floats(&serde_json::to_value(&found).unwrap()), floats(&case["values"]), "{text}");
                }
            }
        }
        assert_eq!(cases, 33);
    }

    fn find(path: &str, document: &str) -> String {
        let document: Json = serde_json::from_str(document).unwrap();
        let found = JsonPath::parse(path).and_then(|path| {
            let found = path.find(&document)?;
            Ok(found.iter().flatten().map(|value| crate::json::text(value)).collect::<Vec<_>>().join(" "))
        });
        found.unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn filters_compare_values_of_one_kind() {
        let document = r#"{"a": [{"n": 1, "s": "x"}, {"n": 2.5, "s": "y)"}]}"#;
        let check = |path: &str, want: &str| assert_eq!(find(path, document), want, "{path}");
        check("{.a[?(@.n>1.0)].s}", r#""y)""#);
        check("{.a[?(@.n>=1.0)].n}", "1 2.5");
        check(r#"{.a[?(@.s=="y)")].n}"#, "2.5");
        check(r#"{.a[?(@.s!='x')].n}"#, "2.5");
        check("{.a[?(@.n==1)].s}", "error: incompatible types for comparison");
        check("{.a[?(@.n<0.0)]}", "");
        check("{.a[?(@.n<0.0)].s}", "");
    }

    #[test]
    fn lists_and_their_parts() {
        let check = |path: &str, want: &str| assert_eq!(find(path, "[1,2,3]"), want, "{path}");
        check("{[0]}", "1");
        check("{[-1]}", "3");
        check("{[1:]}", "2 3");
        check("{[:2]}", "1 2");
        check("{[-4]}", "error: array index out of bounds: index -1, length 3");
        check("{[2:1]}", "error: starting index 2 is greater than ending index 1");
        check("{[0:0]}", "");
        check("{[::0]}", "error: step must be > 0");
        check("{[9999999999999999999]}", "error: array index 9999999999999999999 is not a number");
        check("{.a}", "error: a is not found");
        assert_eq!(find("{[0]}", "{}"), "error: the value is not a list");
    }

    #[test]
    fn ranges_nest_and_must_end() {
        let document = r#"{"a": [{"b": [1, 2]}, {"b": [3]}]}"#;
        assert_eq!(find("{range .a[*]}{range .b[*]}{@}{end}{'|'}{end}", document), r#"1 2 "|" 3 "|""#);
        assert_eq!(find("{range .a[*]}{.b}", document), "error: range without end");
        assert_eq!(find("{end}", document), "error: not in range, nothing to end");
    }

    #[test]
    fn what_is_no_path() {
        for path in ["{.a", "{.a[}", "{.a[?(@.b]}", "{!}", "{'a}", "{....a}", "{.a[x]}", "{foo}"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
        let deep = format!("{{{}", "[?(".repeat(5_000));
        assert!(JsonPath::parse(&deep).is_err());
    }

    proptest::proptest! {
        /// Whatever is written between braces is refused or evaluated.
        #[test]
        fn random_paths_hold(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..16)) {
            let document = serde_json::json!({"a": [{"b": 1, "c": "x"}, {"b": [2, 3]}, null, "é"], "b": {"a": 1.5}});
            if let Ok(path) = JsonPath::parse(&words.concat()) {
                let _ = path.find(&document);
            }
        }
    }

    const WORDS: &[&str] = &[
        "{",
        "}",
        ".a",
        ".b",
        "..",
        "[0]",
        "[-1]",
        "[*]",
        "[1:",
        "]",
        "[",
        "'c'",
        "?(",
        "@",
        ".c",
        "==",
        "<",
        "\"x\"",
        "1",
        "2.5",
        ")]",
        "range ",
        "end",
        "*",
        "$",
        "\\",
        "é",
        " ",
        ",",
        "true",
        "\n",
        "'",
        "[?(@.b==1.0)]",
    ];
}
