//! `serin.dev/allow` on an object: lints that its author has looked at.

use crate::catalog::{Catalog, Entry, Object};
use crate::check::suggest;
use crate::problem::Problem;
use crate::wire::experiment::Experiment;
use crate::wire::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Rollout};

/// Lints that are allowed on an object, by code or name, with commas between them.
pub(super) const ALLOW: &str = "serin.dev/allow";

/// An object with its annotation.
pub(super) struct Allowed<'c> {
    pub(super) file: &'c str,
    /// Where the object begins.
    pub(super) line: usize,
    pub(super) ident: &'c str,
    text: &'c str,
}

impl<'c> Allowed<'c> {
    pub(super) fn words(&self) -> impl Iterator<Item = &'c str> {
        self.text.split(',').map(str::trim).filter(|word| !word.is_empty())
    }
}

/// Every object that lints look at, with what it allows.
pub(super) fn allowed(catalog: &Catalog) -> Vec<Allowed<'_>> {
    fn of<'c, T: Object>(catalog: &'c Catalog, all: &mut Vec<Allowed<'c>>) {
        all.extend(T::list(catalog).iter().map(|entry: &Entry<T>| Allowed {
            file: &entry.place.file,
            line: entry.place.line,
            ident: &entry.origin.ident,
            text: entry.object.metadata().annotations.get(ALLOW).map_or("", String::as_str),
        }));
    }
    let mut all = Vec::new();
    of::<Rollout>(catalog, &mut all);
    of::<AnalysisTemplate>(catalog, &mut all);
    of::<ClusterAnalysisTemplate>(catalog, &mut all);
    of::<AnalysisRun>(catalog, &mut all);
    of::<Experiment>(catalog, &mut all);
    all
}

pub(super) fn check(catalog: &Catalog, problems: &mut Vec<Problem>) {
    fn of<T: Object>(catalog: &Catalog, problems: &mut Vec<Problem>) {
        for entry in T::list(catalog) {
            let text = entry.object.metadata().annotations.get(ALLOW).map_or("", String::as_str);
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "all");
            for word in words.filter(|word| super::find(word).is_none()) {
                let path = format!("metadata.annotations[{ALLOW}]");
                let problem = entry.origin.warning("unknown-lint", &path, format!("there is no lint {word:?}"));
                let names: Vec<&str> = super::LINTS.iter().map(|lint| lint.name).collect();
                problems.push(problem.maybe_hint(suggest(word, &names)));
            }
        }
    }
    of::<Rollout>(catalog, problems);
    of::<AnalysisTemplate>(catalog, problems);
    of::<ClusterAnalysisTemplate>(catalog, problems);
    of::<AnalysisRun>(catalog, problems);
    of::<Experiment>(catalog, problems);
}
