//! Replays the fuzzer's corpus of conditions.

#[path = "fuzzed/conditions.rs"]
mod fuzzed;

#[test]
fn the_corpus_of_conditions_holds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/conditions");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().filter_map(|path| String::from_utf8(std::fs::read(path).unwrap()).ok());
    assert!(texts.map(|text| fuzzed::check(&text)).count() >= 20);
}
