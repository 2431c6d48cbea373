//! Lints: what manifests say that is allowed and can hardly be meant. Each has a code, a page in `docs/lints`, and a level
//! that the user may change; what cannot be run at all is no lint but an error of [`crate::check`].

mod annotation;
mod asked;
mod blue_green;
mod counters;
mod experiment;
mod judgement;
mod plan;
mod pod;
mod policy;
mod query;
mod registry;
mod schedule;
mod steps;
mod template;
mod uses;

use std::fmt;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::problem::Problem;

pub use asked::Asked;
pub use counters::{Counter, counters};
pub use judgement::Reach;
pub use policy::{Policy, UnknownLint};
pub use query::{LATEST, Limit, Query, STABLE, queries};
pub use registry::LINTS;

/// What a lint does when it finds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Allow,
    /// It says so.
    Note,
    /// It warns.
    Warn,
    /// It refuses the manifests.
    Deny,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Allow => "allow",
            Level::Note => "note",
            Level::Warn => "warn",
            Level::Deny => "deny",
        })
    }
}

/// One lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// `SL103`: never used again for anything else.
    pub code: &'static str,
    /// `repeated-weight`: what problems carry as their code.
    pub name: &'static str,
    /// What it does unless told otherwise.
    pub level: Level,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// Its page: what, why it hurts, an example, the same put right. Markdown.
    #[serde(skip)]
    pub page: &'static str,
}

/// The lint with a code (in either case) or a name.
pub fn find(word: &str) -> Option<&'static Lint> {
    LINTS.iter().find(|lint| lint.name == word || lint.code.eq_ignore_ascii_case(word))
}

/// The lint that found a problem; `None` for an error of the check, which nobody can allow.
pub fn of(problem: &Problem) -> Option<&'static Lint> {
    find(problem.code)
}

/// Findings of the lints of this crate that `check` does not have yet, each as a warning; [`Policy::apply`] gives them
/// their levels.
pub fn check(catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in &catalog.rollouts {
        steps::check(entry, &mut problems);
        blue_green::check(catalog, entry, &mut problems);
        crate::check::look_at_template(catalog, entry, &mut problems, pod::check);
    }
    experiment::check(catalog, &mut problems);
    template::check(catalog, &mut problems);
    schedule::check(catalog, &mut problems);
    annotation::check(catalog, &mut problems);
    problems
}
