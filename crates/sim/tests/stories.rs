//! Plays every story and compares its transcript with the one beside it. `UPDATE_STORIES=1` writes the transcripts anew;
//! read the difference like a story before committing it.

use std::path::Path;

#[test]
fn every_story_goes_as_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    let update = std::env::var_os("UPDATE_STORIES").is_some();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "story"))
        .collect();
    names.sort();
    assert!(names.len() >= 9, "stories are missing: {names:?}");
    let mut wrong = Vec::new();
    for path in names {
        let script = std::fs::read_to_string(&path).unwrap();
        let golden = path.with_extension("transcript");
        match serin_sim::story::run(&script) {
            Err(why) => wrong.push(format!("{}: {why}", path.display())),
            Ok(transcript) => {
                let again = serin_sim::story::run(&script).unwrap();
                assert_eq!(transcript, again, "{} does not repeat", path.display());
                if update {
                    std::fs::write(&golden, &transcript).unwrap();
                } else if std::fs::read_to_string(&golden).unwrap_or_default() != transcript {
                    wrong.push(format!("{} goes differently now:\n{transcript}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
