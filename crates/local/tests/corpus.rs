//! Replays what the fuzzers found interesting about the state, and random damage.

#[path = "fuzzed/state_file.rs"]
mod state_file;
#[path = "fuzzed/state_record.rs"]
mod state_record;

use std::path::Path;

use proptest::prelude::*;

/// The files of a corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_corpus_of_damage_holds() {
    let corpus = corpus("state_file");
    assert!(corpus.len() >= 10);
    corpus.iter().for_each(|damage| state_file::check(damage));
}

#[test]
fn the_corpus_of_records_holds() {
    let corpus = corpus("state_record");
    let texts: Vec<_> = corpus.into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()).collect();
    assert!(texts.len() >= 10);
    texts.iter().for_each(|text| state_record::check(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_damage_holds(damage in prop::collection::vec(any::<u8>(), 0..60)) {
        state_file::check(&damage);
    }
}
