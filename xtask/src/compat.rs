//! `compat`: which behaviours of Argo Rollouts are implemented, tested, different on purpose, and open.

mod assertions;
mod report;
mod scan;

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use clap::{Args, ValueEnum};

use crate::repository::{self, TextFile};
use crate::{TaskError, compat::report::Report};

/// Options of `compat`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail when a behaviour of these sections is open or not tested, such as 2.8,3 or A or 1-5
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    deny_open: Vec<String>,
    /// Name the behaviours in one state
    #[arg(long, value_enum, value_name = "STATE")]
    list: Option<State>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

/// How it stands with a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// A test names it
    Tested,
    /// Code names it, but no test
    Implemented,
    /// Done otherwise on purpose
    Different,
    /// Nobody names it
    Open,
}

/// Counts, prints, and fails where it must.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let report = collect(&repository::text_files(&repository::root())?)?;
    let text = match (options.output, options.list) {
        (Output::Json, _) => report.to_json(),
        (Output::Table, Some(state)) => report.list(state),
        (Output::Table, None) => report.table(),
    };
    // A reader that has seen enough, such as `head`, is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    deny(&report, &options.deny_open)
}

/// Fails where a behaviour of these sections is not decided.
fn deny(report: &Report, sections: &[String]) -> Result<(), TaskError> {
    let sections: Vec<String> = sections.iter().flat_map(|section| range(section)).collect();
    if let Some(section) = sections.iter().find(|section| !report.has_section(section)) {
        return Err(TaskError::Found(format!("there is no section {section}")));
    }
    let undecided = report.undecided_in(&sections);
    match undecided.as_slice() {
        [] => Ok(()),
        ids => Err(TaskError::Found(format!(
            "{} behaviours are neither tested nor different on purpose: {}",
            ids.len(),
            ids.join(", ")
        ))),
    }
}

/// `1-5` is every section from 1 to 5; anything else is one section.
fn range(text: &str) -> Vec<String> {
    let ends = text.split_once('-').and_then(|(from, to)| Some((from.parse::<u8>().ok()?, to.parse::<u8>().ok()?)));
    match ends {
        Some((from, to)) => (from..=to).map(|n| n.to_string()).collect(),
        None => vec![text.to_owned()],
    }
}

/// The sections about rollouts, runs and experiments themselves, which are the same on one machine and on a cluster.
const DECIDED: [&str; 2] = ["1-6", "8"];

/// The check of `test`, and one line about everything.
pub(crate) fn check() -> Result<String, TaskError> {
    let report = collect(&repository::text_files(&repository::root())?)?;
    deny(&report, &DECIDED.map(str::to_owned))?;
    Ok(report.summary())
}

/// The state of every behaviour. Ids that the list does not know are errors, all named at once.
fn collect(files: &[TextFile]) -> Result<Report, TaskError> {
    let assertions = assertions::assertions(assertions::text_of(files, "docs/compat/assertions.tsv")?)?;
    let reasons = assertions::differences(assertions::text_of(files, "docs/compat/differences.tsv")?)?;
    let marks = scan::marks(files);
    let known: BTreeMap<&str, ()> = assertions.iter().map(|a| (a.id.as_str(), ())).collect();
    let mut unknown: Vec<String> = marks
        .iter()
        .filter(|mark| !known.contains_key(mark.id.as_str()))
        .map(|mark| format!("{}:{}: unknown id {}", mark.path, mark.line, mark.id))
        .collect();
    let unlisted = reasons.iter().filter(|(id, _)| !known.contains_key(id.as_str()));
    unknown.extend(unlisted.map(|(id, _)| format!("docs/compat/differences.tsv: unknown id {id}")));
    if !unknown.is_empty() {
        return Err(TaskError::Found(unknown.join("\n")));
    }
    Ok(Report::new(assertions, &marks, &reasons))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_of_sections_are_told_from_sections() {
        assert_eq!(range("1-3"), ["1", "2", "3"]);
        assert_eq!((range("2.8"), range("A"), range("5-4")), (vec!["2.8".to_owned()], vec!["A".to_owned()], vec![]));
    }
}
