//! `tidy`: the house rules that no compiler checks.

mod dependencies;
mod files;
mod purity;

use std::fmt;

use crate::TaskError;
use crate::repository;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Where.
    path: String,
    /// Which line, from 1; none for the whole file.
    line: Option<usize>,
    /// What is wrong, and what to do.
    message: String,
    /// Whether it may stay for now.
    warning: bool,
}

impl Finding {
    fn error(path: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), warning: false }
    }

    fn warning(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, message: message.into(), warning: true }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.warning { "warning" } else { "error" };
        match self.line {
            Some(line) => write!(f, "{}:{line}: {weight}: {}", self.path, self.message),
            None => write!(f, "{}: {weight}: {}", self.path, self.message),
        }
    }
}

/// Checks everything, prints every finding, fails when one is an error.
pub(crate) fn run() -> Result<(), TaskError> {
    let files = repository::text_files(&repository::root())?;
    let metadata = repository::metadata()?;
    let mut findings = files::check(&files);
    findings.extend(purity::check(&files)?);
    findings.extend(dependencies::check(&files, &metadata)?);
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    println!("tidy: {} files, {errors} errors, {} warnings", files.len(), findings.len() - errors);
    match errors {
        0 => Ok(()),
        _ => Err(TaskError::Found(format!("{errors} house rules are broken"))),
    }
}
