//! Files: their first line, size and names, and words that must not stay in them.

use super::Finding;
use crate::repository::TextFile;

/// No file is longer: it is split before.
const LINES_MAX: usize = 800;
/// A longer file is worth a look.
const LINES_USUAL: usize = 400;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = ["utils", "helpers", "common", "misc", "manager", "base", "types"];

/// Unfinished work, and why it is not left in code. The words are put together here, so that this file does not hold them.
const UNFINISHED: [(&str, &str); 6] = [
    (concat!("TO", "DO"), "finish it, or open an issue"),
    (concat!("FIX", "ME"), "finish it, or open an issue"),
    (concat!("todo", "!("), "write it"),
    (concat!("unimplemented", "!("), "write it"),
    (concat!("#[ign", "ore"), "a test that does not run checks nothing"),
    (concat!("XX", "X"), "finish it, or open an issue"),
];

/// Roots of paths that exist on somebody's machine only.
const MACHINE_ROOTS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/wt/"),
];

/// Checks every text file.
pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.path.ends_with(".rs") {
        findings.extend(check_rust(file));
    }
    if !file.path.ends_with(".lock") {
        findings.extend(machine_paths(file));
    }
    findings
}

fn check_rust(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut error = |line, message: String| findings.push(Finding::error(&file.path, line, message));
    if !file.text.starts_with("//!") {
        error(Some(1), "begin the file with a `//!` line that says what it is for".to_owned());
    }
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let stem = name.trim_end_matches(".rs");
    if stem == "mod" {
        error(None, "put `foo.rs` beside `foo/` instead of a mod.rs".to_owned());
    }
    if EMPTY_NAMES.contains(&stem) {
        error(None, format!("\"{stem}\" does not say what is inside: name the file after what it holds"));
    }
    for (i, line) in file.text.lines().enumerate() {
        for (word, advice) in UNFINISHED.iter().filter(|(word, _)| has_word(line, word)) {
            error(Some(i + 1), format!("{word}: {advice}"));
        }
    }
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        error(None, format!("{lines} lines: split it, no file is longer than {LINES_MAX}"));
    } else if lines > LINES_USUAL {
        findings.push(Finding::warning(&file.path, format!("{lines} lines: files stay near {LINES_USUAL}")));
    }
    findings
}

/// Whether the word stands in the line by itself, not inside a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        !before && (!after || !word.ends_with(char::is_alphanumeric))
    })
}

fn machine_paths(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        for root in MACHINE_ROOTS {
            // Behind a letter or a dot the slash is one inside a relative path or an address.
            let absolute =
                |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || ['.', '_', '-', '}'].contains(&c));
            if line.match_indices(root).any(|(at, _)| absolute(at)) {
                findings.push(Finding::error(&file.path, Some(i + 1), format!("{root} is a path of one machine")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_is_left_alone() {
        assert_eq!(messages("crates/a/src/b.rs", "//! Says it.\nfn autodot() {}\n"), Vec::<String>::new());
        assert_eq!(messages("README.md", "see ../home/x and https://x.org/root/y\n"), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let check = |path: &str, text: &str, want: &str| {
            let found = messages(path, text);
            assert!(found.len() == 1 && found[0].contains(want), "{path}: {found:?}");
        };
        check("a/b.rs", "fn f() {}\n", "a/b.rs:1: error: begin the file");
        check("a/mod.rs", "//! x\n", "mod.rs");
        check("a/utils.rs", "//! x\n", "\"utils\" does not say");
        check("a/b.rs", concat!("//! x\n\n// TO", "DO later\n"), "a/b.rs:3: error: ");
        check("a/b.rs", concat!("//! x\n    todo", "!()\n"), "write it");
        check("a/b.rs", concat!("//! x\n#[ign", "ore]\n"), "checks nothing");
        check("a/b.rs", &format!("//! x\n{}", "\n".repeat(800)), "error: 801 lines");
        check("a/b.rs", &format!("//! x\n{}", "\n".repeat(400)), "warning: 401 lines");
        check("docs/a.md", concat!("run `/ho", "me/me/x`\n"), "is a path of one machine");
    }
}
