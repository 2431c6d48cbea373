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

proptest! {
    #[test]
    fn random_queries_hold(text in of_words(QUERY_WORDS)) {
        promql::check(&text);
    }

    #[test]
    fn random_pages_hold(page in of_words(PAGE_WORDS)) {
        text_format::check(&page);
    }
}
