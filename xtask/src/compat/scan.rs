//! Finding the marks in code, tests and stories.

use crate::repository::TextFile;

/// An id somewhere in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The id.
    pub(super) id: String,
    /// Where it stands.
    pub(super) path: String,
    /// Line in that file, from 1.
    pub(super) line: usize,
    /// What it says there.
    pub(super) kind: MarkKind,
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// The rule is carried out here.
    Code,
    /// The rule is asked for here.
    Test,
    /// The rule is not followed, and why.
    Differs(String),
}

/// All marks of crates, in the order of files and lines.
pub(super) fn marks(files: &[TextFile]) -> Vec<Mark> {
    files.iter().filter(|file| file.path.starts_with("crates/")).flat_map(marks_of).collect()
}

fn marks_of(file: &TextFile) -> Vec<Mark> {
    let story = file.path.ends_with(".story");
    if !story && !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let in_tests = file.path.split('/').any(|part| part == "tests" || part == "tests.rs");
    let mut testing = story || in_tests;
    let mut marks = Vec::new();
    let mut previous = "";
    for (i, line) in file.text.lines().enumerate() {
        let line = line.trim();
        // A module of tests stands at the foot of its file, so what follows it is tests too.
        testing |= previous == "#[cfg(test)]" && line.starts_with("mod ");
        previous = line;
        let rule = if story { line.strip_prefix("# compat:") } else { line.strip_prefix("//= compat:") };
        let kind = if testing { MarkKind::Test } else { MarkKind::Code };
        let (ids, kind) = match (rule, line.strip_prefix("//= compat-differs:")) {
            (Some(rule), _) => (rule.split(',').map(str::trim).map(str::to_owned).collect(), kind),
            (None, Some(rule)) => difference(rule),
            (None, None) => continue,
        };
        let mark = |id: String| Mark { id, path: file.path.clone(), line: i + 1, kind: kind.clone() };
        marks.extend(ids.into_iter().map(mark));
    }
    marks
}

/// Ids with commas between them, then the reason.
fn difference(rule: &str) -> (Vec<String>, MarkKind) {
    let mut rest = rule.trim();
    let mut ids = Vec::new();
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        ids.push(word.trim_end_matches(',').to_owned());
        rest = after.trim_start();
        if !word.ends_with(',') || rest.is_empty() {
            return (ids, MarkKind::Differs(rest.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, usize, MarkKind)> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        marks(&[file]).into_iter().map(|mark| (mark.id, mark.line, mark.kind)).collect()
    }

    // Put together, so that this file has no marks itself.
    const RULE: &str = concat!("//= ", "compat: ");
    const DIFFERS: &str = concat!("//= ", "compat-differs: ");

    #[test]
    fn code_and_the_tests_below_it_are_told_apart() {
        let text = format!("//! x\n{RULE}1.1-1, 1.1-2\nfn f() {{}}\n#[cfg(test)]\nmod tests {{\n    {RULE}1.1-1\n}}\n");
        let want = [("1.1-1", 2, MarkKind::Code), ("1.1-2", 2, MarkKind::Code), ("1.1-1", 6, MarkKind::Test)];
        assert_eq!(found("crates/a/src/b.rs", &text), want.map(|(id, line, kind)| (id.to_owned(), line, kind)));
    }

    #[test]
    fn test_files_and_stories_are_tests_and_other_files_are_not_read() {
        let rule = format!("{RULE}10.7\n");
        assert_eq!(found("crates/a/tests/b.rs", &rule), [("10.7".to_owned(), 1, MarkKind::Test)]);
        assert_eq!(found("crates/a/src/b/tests.rs", &rule), [("10.7".to_owned(), 1, MarkKind::Test)]);
        assert_eq!(found("crates/sim/stories/b.story", "# compat: 10.7\n"), [("10.7".to_owned(), 1, MarkKind::Test)]);
        assert_eq!(found("docs/b.rs", &rule), []);
        assert_eq!(found("crates/a/README.md", &rule), []);
    }

    #[test]
    fn a_difference_has_ids_and_a_reason() {
        let text = format!("{DIFFERS}2.8-8, A.2-3 never zero, or so\n");
        let reason = MarkKind::Differs("never zero, or so".to_owned());
        let want = [("2.8-8".to_owned(), 1, reason.clone()), ("A.2-3".to_owned(), 1, reason)];
        assert_eq!(found("crates/a/src/b.rs", &text), want);
    }
}
