//! Replays what the fuzzer found interesting, and good manifests with random changes.

#[path = "fuzzed/manifests.rs"]
mod manifests;

use std::path::Path;

use proptest::prelude::*;

/// Runs all files of a folder, read as the fuzzer reads them; returns how many.
fn replay(folder: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter_map(|path| String::from_utf8(std::fs::read(path).unwrap()).ok());
    texts.map(|text| manifests::check(&text)).count()
}

#[test]
fn the_corpus_holds() {
    assert!(replay("../../fuzz/corpus/manifests") >= 20);
}

#[test]
fn good_and_bad_manifests_hold() {
    assert!(replay("tests/good") >= 5);
    assert!(replay("tests/bad") >= 40);
}

const GOOD: [&str; 3] =
    [include_str!("good/canary.yaml"), include_str!("good/maximal.yaml"), include_str!("good/anchors.yaml")];

/// Values that something may not expect.
const VALUES: &[&str] = &[
    "",
    "~",
    "{}",
    "[]",
    "-1",
    "0",
    "1e400",
    "99999999999999999999",
    "yes",
    "\"\"",
    "'a''b'",
    "|\n  x",
    "*base",
    "&a b",
    "!!str 1",
    "{{args.x}}",
    "\"{{args.\"",
    "5m",
    "\u{e4}\u{1f600}",
    "? a",
    "- a",
    "a: b",
    "%",
    "@",
    "`",
    "\"\\u00e4\\t\"",
];

/// One change of a text: a line goes, moves, is written twice, is indented differently, or gets another value.
fn change(text: &str, (kind, at, other): (u8, usize, usize)) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = at % lines.len();
    match kind % 5 {
        0 => drop(lines.remove(at)),
        1 => {
            let other = other % lines.len();
            lines.swap(at, other);
        }
        2 => {
            let line = lines[at].clone();
            lines.insert(other % lines.len(), line);
        }
        3 => lines[at].insert_str(0, &" ".repeat(other % 5)),
        _ => {
            let value = VALUES[other % VALUES.len()];
            let key = lines[at].split_once(": ").map_or(lines[at].as_str(), |(key, _)| key).to_owned();
            lines[at] = format!("{key}: {value}");
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_manifests_hold(
        which in 0..GOOD.len(),
        changes in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>()), 1..4),
    ) {
        let text = changes.into_iter().fold(GOOD[which].to_owned(), |text, step| change(&text, step));
        manifests::check(&text);
    }

    #[test]
    fn any_text_holds(text in "(?s:.{0,200})") {
        manifests::check(&text);
    }
}
