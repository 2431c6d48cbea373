//! What is wrong with a manifest, and where.

mod render;

use std::fmt;

use serde::Serialize;

pub use render::{Colour, render};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing may be done with these manifests.
    Error,
    /// They can be used, but hardly mean what their author wants.
    Warning,
    /// They can be used, and mean something that their author may not know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        })
    }
}

/// One problem of one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for the sort of problem, such as `unknown-field`.
    pub code: &'static str,
    /// The file as it was named on the command line.
    pub file: String,
    /// Line, from 1; 0 if the problem is with the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 if the problem is with the file as a whole.
    pub column: usize,
    /// Number of characters that are wrong, for underlining; 0 if unknown.
    #[serde(skip)]
    pub width: usize,
    /// The field inside the object, such as `spec.strategy.canary.steps[2].setWeight`; empty for the object itself.
    pub path: String,
    /// The object, such as `Rollout bankchurn-predictor`; empty if none could be read.
    pub object: String,
    /// What is wrong.
    pub message: String,
    /// What should stand there.
    pub expected: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with a file as a whole.
    pub(crate) fn of_file(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Problem {
            severity: Severity::Error,
            code,
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            path: String::new(),
            object: String::new(),
            message: one_line(message.into()),
            expected: None,
            hint: None,
        }
    }

    /// The same problem with a field of an object.
    pub(crate) fn of(mut self, object: &str, path: &str) -> Self {
        (self.object, self.path) = (one_line(object.to_owned()), one_line(path.to_owned()));
        self
    }

    /// Stands for problems of a file that are left out.
    pub(crate) fn more(file: &str, severity: Severity) -> Self {
        let problem = Problem::of_file("more-problems", file, "more problems are not shown").at(1, 1, 0);
        Problem { severity, ..problem }
    }

    /// The same problem at a place of its file.
    pub(crate) fn at(mut self, line: usize, column: usize, width: usize) -> Self {
        (self.line, self.column, self.width) = (line, column, width);
        self
    }

    /// The same problem with what should stand there.
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(one_line(expected.into()));
        self
    }

    /// The same problem with a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(one_line(hint.into()));
        self
    }

    /// The same problem with a way out, if there is one.
    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(one_line);
        self
    }

    /// Whether nothing may be done with the manifests.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A text of a manifest may hold line ends and terminal escapes, and may be very long: none of that belongs into a line
/// that is printed.
pub(crate) fn one_line(text: String) -> String {
    const LONGEST: usize = 600;
    if text.len() <= LONGEST && !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() > LONGEST {
            line.push('…');
            break;
        }
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Problems of one object or file, bounded: past the limit nobody reads on, and a hostile file must not fill the memory.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Problem>,
    /// Stands for those that are left out, and is as bad as the worst of them.
    more: Option<Problem>,
}

impl Findings {
    /// Most problems that are kept.
    pub(crate) const MAX: usize = 200;

    pub(crate) fn push(&mut self, problem: Problem) {
        if self.list.len() < Findings::MAX {
            self.list.push(problem);
        } else if self.more.as_ref().is_none_or(|more| problem.severity < more.severity) {
            self.more = Some(Problem::more(&problem.file, problem.severity));
        }
    }

    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        self.list.extend(self.more);
        self.list
    }
}

impl Extend<Problem> for Findings {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl fmt::Display for Problem {
    /// One line without hint: `file:line:column: error: path: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}: ", self.severity)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
