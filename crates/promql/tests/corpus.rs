//! Replays what the fuzzers found interesting, and random texts made of the words of the two languages.

#[path = "fuzzed/promql.rs"]
mod promql;
#[path = "fuzzed/text_format.rs"]
mod text_format;

use std::path::Path;

use proptest::prelude::*;

/// Runs all files of a corpus; returns how many.
fn replay(target: &str, check: fn(&str)) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter_map(|path| String::from_utf8(std::fs::read(path).unwrap()).ok());
    texts.map(|text| check(&text)).count()
}

#[test]
fn the_corpus_of_queries_holds() {
    assert!(replay("promql", promql::check) >= 20);
}

#[test]
fn the_corpus_of_pages_holds() {
    assert!(replay("text_format", text_format::check) >= 10);
}

/// Texts of up to 24 of the given words.
fn of_words(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(words), 0..24).prop_map(|words| words.concat())
}

const QUERY_WORDS: &[&str] = &[
    "x",
    "y",
    "h_bucket",
    "{",
    "}",
    "a=\"1\"",
    "a=~\".*\"",
    "[5m]",
    "[1m:15s]",
    "[",
    "]",
    ":",
    "(",
    ")",
    ",",
    " ",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    "==",
    ">",
    " bool ",
    " and ",
    " or ",
    " unless ",
    " on(a) ",
    " ignoring(a) ",
    " group_left ",
    " by (a) ",
    "sum",
    "topk",
    "rate",
    "max_over_time",
    "histogram_quantile",
    "label_replace",
    "absent",
    "\"a\"",
    "'$1'",
    "2",
    "0.5",
    "NaN",
    "Inf",
    " offset 1m ",
    " @ 30 ",
    " @ start() ",
    "time()",
    "#",
    "\n",
    "é",
    "`",
    "\\",
];

const PAGE_WORDS: &[&str] = &[
    "x",
    "y_total",
    "{",
    "}",
    "a=\"1\"",
    "b=\"\\\"\\n\"",
    "\"m\"",
    ",",
    " ",
    "\t",
    "\n",
    "1",
    "-2.5e3",
    "NaN",
    "+Inf",
    "12345",
    "# TYPE x counter\n",
    "# HELP x é\n",
    "# EOF",
    "#",
    "é",
    "\"",
    "\\",
    "=",
    "\0",
];

/// Queries that can be read, with what their range is made of.
fn readable() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "x",
        "y",
        "h_bucket",
        "rate(x[1m])",
        "sum(increase(x{a=\"1\"}[1m]))",
        "sum(rate(x{a=\"1\"}[1m])) / sum(rate(x[1m]))",
        "100 * sum(rate(x{a=\"1\"}[1m])) / sum(rate(x[1m]))",
        "count_over_time(x[1m])",
        "0",
        "1",
        "-2.5",
        "1e300",
        "Inf",
        "vector(3)",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 24, 2, |inner| {
        let functions = prop::sample::select(vec![
            "abs",
            "sum",
            "avg",
            "max",
            "count",
            "stddev",
            "sqrt",
            "exp",
            "sgn",
            "ceil",
            "round",
            "absent",
            "-",
            "topk_1",
            "clamp_1_3",
            "clamp_min_2",
            "clamp_max_2",
            "quantile_0.9",
            "histogram_0.9",
            "over",
        ]);
        let operators = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "^", ">", "<=", "==", "!=", "> bool", "or", "and", "unless",
        ]);
        prop_oneof![
            (functions, inner.clone()).prop_map(|(function, inner)| match function {
                "topk_1" => format!("topk(1, {inner})"),
                "clamp_1_3" => format!("clamp({inner}, 1, 3)"),
                "clamp_min_2" => format!("clamp_min({inner}, 2)"),
                "clamp_max_2" => format!("clamp_max({inner}, 2)"),
                "quantile_0.9" => format!("quantile(0.9, {inner})"),
                "histogram_0.9" => format!("histogram_quantile(0.9, {inner})"),
                "over" => format!("max_over_time(({inner})[1m:15s])"),
                function => format!("{function}({inner})"),
            }),
            (inner.clone(), operators, inner)
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn readable_queries_hold(text in readable()) {
        promql::check(&text);
    }

    #[test]
    fn random_queries_hold(text in of_words(QUERY_WORDS)) {
        promql::check(&text);
    }

    #[test]
    fn random_pages_hold(page in of_words(PAGE_WORDS)) {
        text_format::check(&page);
    }
}
