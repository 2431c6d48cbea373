//! Which lints say something, and how loudly: defaults, what the user asks for, and what an object allows itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::annotation::{Allowed, allowed};
use super::{LINTS, Level, Lint};
use crate::catalog::Catalog;
use crate::check::suggest;
use crate::problem::{Problem, Severity};
use crate::read::Source;

/// A word that names no lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLint {
    /// The word.
    pub word: String,
    /// What may be meant.
    pub hint: Option<String>,
}

impl fmt::Display for UnknownLint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no lint {:?}", self.word)
    }
}

impl std::error::Error for UnknownLint {}

/// The level of every lint.
#[derive(Debug, Clone)]
pub struct Policy {
    levels: BTreeMap<&'static str, Level>,
    /// Every warning is an error, whatever it comes from.
    deny_warnings: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { levels: LINTS.iter().map(|lint| (lint.name, lint.level)).collect(), deny_warnings: false }
    }
}

impl Policy {
    /// The defaults with changes. Each word is a code, a name, `all` for every lint, or (to deny) `warnings` for
    /// everything that would warn. A lint that is named follows its name rather than a group, and of two levels for one
    /// lint the stricter holds.
    ///
    /// # Errors
    /// The first word that names nothing.
    pub fn new(allow: &[String], warn: &[String], deny: &[String]) -> Result<Policy, UnknownLint> {
        let mut policy = Policy::default();
        let asked = [(Level::Allow, allow), (Level::Warn, warn), (Level::Deny, deny)];
        for (level, words) in asked {
            for word in words {
                match word.as_str() {
                    "all" => policy.levels.values_mut().for_each(|old| *old = level),
                    "warnings" if level == Level::Deny => policy.deny_warnings = true,
                    _ => {}
                }
            }
        }
        for (level, words) in asked {
            for word in words.iter().filter(|word| !matches!(word.as_str(), "all" | "warnings")) {
                let lint = super::find(word).ok_or_else(|| unknown(word))?;
                policy.levels.insert(lint.name, level);
            }
        }
        match allow.iter().chain(warn).find(|word| *word == "warnings") {
            Some(_) => Err(UnknownLint {
                word: "warnings".to_owned(),
                hint: Some("only --deny takes warnings; name a lint, or all".to_owned()),
            }),
            None => Ok(policy),
        }
    }

    /// The level of a lint.
    pub fn level(&self, lint: &Lint) -> Level {
        self.levels.get(lint.name).copied().unwrap_or(lint.level)
    }

    /// Problems of the check and findings of lints, at their levels and in the order of the files. An object with errors
    /// is not linted: the errors come first, and findings may follow from them.
    pub fn apply(
        &self,
        sources: &[Source],
        catalog: &Catalog,
        problems: Vec<Problem>,
        findings: Vec<Problem>,
    ) -> Vec<Problem> {
        let is_wrong = |problem: &&Problem| problem.is_error() && !problem.object.is_empty();
        let wrong: BTreeSet<(String, String)> =
            problems.iter().filter(is_wrong).map(|problem| (problem.file.clone(), problem.object.clone())).collect();
        let is_right = |finding: &Problem| !wrong.contains(&(finding.file.clone(), finding.object.clone()));
        let allowed = allowed(catalog);
        let findings = findings.into_iter().filter(is_right);
        let mut kept: Vec<Problem> =
            problems.into_iter().chain(findings).filter_map(|problem| self.level_of(problem, &allowed)).collect();
        let ranks: BTreeMap<&str, usize> =
            sources.iter().enumerate().map(|(rank, source)| (source.name.as_str(), rank)).collect();
        let place = |problem: &Problem| (ranks.get(problem.file.as_str()).copied(), problem.line, problem.column);
        kept.sort_by_key(place);
        // One template that several rollouts use is wrong once.
        let mut seen: Vec<Problem> = Vec::new();
        kept.retain(|problem| {
            seen.retain(|other| place(other) == place(problem));
            let new = !seen.contains(problem);
            if new {
                seen.push(problem.clone());
            }
            new
        });
        kept
    }

    fn level_of(&self, problem: Problem, allowed: &[Allowed<'_>]) -> Option<Problem> {
        if problem.is_error() {
            return Some(problem);
        }
        let level = match super::find(problem.code) {
            Some(lint) if is_allowed(lint, &problem, allowed) => Level::Allow,
            Some(lint) => self.level(lint),
            None => Level::Warn,
        };
        let severity = match level {
            Level::Allow => return None,
            Level::Note => Severity::Note,
            Level::Warn if self.deny_warnings => Severity::Error,
            Level::Warn => Severity::Warning,
            Level::Deny => Severity::Error,
        };
        Some(Problem { severity, ..problem })
    }
}

fn unknown(word: &str) -> UnknownLint {
    let names: Vec<&str> = LINTS.iter().map(|lint| lint.name).collect();
    UnknownLint { word: word.to_owned(), hint: suggest(word, &names) }
}

/// Whether the object that a problem lies in allows its lint.
fn is_allowed(lint: &Lint, problem: &Problem, allowed: &[Allowed<'_>]) -> bool {
    let own = allowed
        .iter()
        .filter(|object| object.file == problem.file && object.ident == problem.object && object.line <= problem.line)
        .max_by_key(|object| object.line);
    own.is_some_and(|object| {
        object.words().any(|word| word == "all" || super::find(word).is_some_and(|found| found.name == lint.name))
    })
}
