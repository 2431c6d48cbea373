//! The two lists in `docs/compat`: what Argo does, and what we do otherwise.

use std::collections::{BTreeMap, BTreeSet};

use crate::TaskError;
use crate::repository::TextFile;

/// One behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assertion {
    /// Its id, such as `2.8-7`.
    pub(super) id: String,
    /// What it says.
    pub(super) summary: String,
    /// Number of its section, such as `2.8`.
    pub(super) section: String,
    /// Title of its section.
    pub(super) title: String,
}

/// The text of a file that must be there.
pub(super) fn text_of<'f>(files: &'f [TextFile], path: &str) -> Result<&'f str, TaskError> {
    let file = files.iter().find(|file| file.path == path);
    file.map(|file| file.text.as_str()).ok_or_else(|| TaskError::read(path, "no such file"))
}

/// Reads lines of `id TAB summary TAB section title`; `#` begins a comment.
pub(super) fn assertions(text: &str) -> Result<Vec<Assertion>, TaskError> {
    let mut seen = BTreeSet::new();
    rows(text)
        .map(|(line, row)| {
            let wrong = |why: &str| TaskError::Found(format!("docs/compat/assertions.tsv:{line}: {why}"));
            let fields: Vec<&str> = row.split('\t').collect();
            let [id, summary, section] = fields[..] else {
                return Err(wrong("expected id, summary and section with tabs between them"));
            };
            if !seen.insert(id) {
                return Err(wrong("this id stands here twice"));
            }
            let (section, title) = section.split_once(' ').ok_or_else(|| wrong("the section has no title"))?;
            let (id, summary, section, title) = (id.into(), summary.into(), section.into(), title.into());
            Ok(Assertion { id, summary, section, title })
        })
        .collect()
}

/// Reads lines of `id TAB reason`.
pub(super) fn differences(text: &str) -> Result<BTreeMap<String, String>, TaskError> {
    rows(text)
        .map(|(line, row)| match row.split_once('\t') {
            Some((id, reason)) if !reason.trim().is_empty() => Ok((id.to_owned(), reason.trim().to_owned())),
            _ => Err(TaskError::Found(format!("docs/compat/differences.tsv:{line}: expected id, tab and reason"))),
        })
        .collect()
}

fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_their_faults_have_a_line() {
        let read = assertions("# id\n2.8-7\tsmallest wins\t2.8 Replica arithmetic\n").unwrap();
        assert_eq!(
            (read[0].id.as_str(), read[0].section.as_str(), read[0].title.as_str()),
            ("2.8-7", "2.8", "Replica arithmetic")
        );
        let error = |text: &str| assertions(text).unwrap_err().to_string();
        assert!(error("2.8-7 no tabs").contains(":1: expected id"));
        assert!(error("1\ta\t1 T\n1\tb\t1 T\n").contains(":2: this id stands here twice"));
        assert_eq!(differences("3.3-1\tbecause\n").unwrap()["3.3-1"], "because");
        assert!(differences("3.3-1\t \n").is_err());
    }
}
