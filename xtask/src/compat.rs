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
    /// Fail when a behaviour of these sections is open, such as 2.8,3 or A
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
    for section in &options.deny_open {
        if !report.has_section(section) {
            return Err(TaskError::Found(format!("there is no section {section}")));
        }
    }
    let open = report.open_in(&options.deny_open);
    match open.as_slice() {
        [] => Ok(()),
        ids => Err(TaskError::Found(format!("{} behaviours must not be open: {}", ids.len(), ids.join(", ")))),
    }
}

/// One line for the end of `test`.
pub(crate) fn summary() -> Result<String, TaskError> {
    Ok(collect(&repository::text_files(&repository::root())?)?.summary())
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
