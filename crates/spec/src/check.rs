//! Everything that can be known about manifests without running them.

pub(crate) mod analysis;
pub(crate) mod arguments;
mod condition;
mod counted;
mod experiment;
mod kind;
mod metric;
mod nearest;
mod object;
mod pod;
mod references;
mod rollout;
mod schema;
mod template;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{Catalog, Origin};
use crate::problem::{Findings, Problem, Severity};
use crate::read::Source;
use object::Objects;

pub use counted::uncounted;
pub(crate) use metric::{inside, providers};
pub(crate) use nearest::{did_you_mean, suggest};
pub(crate) use schema::Schema;
pub(crate) use workload::look_at_template;

/// Most problems of all files together; objects behind them are not looked into.
const TOTAL_MAX: usize = 20_000;

/// What came of checking.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Every object whose shape is right, be it that it breaks a rule.
    pub catalog: Catalog,
    /// Every problem of every file, in the order of the files and lines.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Whether nothing may be done with the manifests.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

/// What is wrong with a PromQL query: a message, and the bytes of the query that are wrong.
pub type QueryError = (String, usize, usize);

/// Asked about every PromQL query.
pub(crate) type Queries<'q> = &'q dyn Fn(&str) -> Result<(), QueryError>;

/// Checks manifests without looking into PromQL queries.
pub fn check(sources: &[Source]) -> Checked {
    check_with(sources, &|_| Ok(()))
}

/// Checks manifests: syntax, schema, the rules of each object, and whether the objects fit each other. `query` is
/// asked about every PromQL query in which no argument is open.
pub fn check_with(sources: &[Source], query: &dyn Fn(&str) -> Result<(), QueryError>) -> Checked {
    let mut objects = Objects::default();
    let mut problems = Vec::new();
    for source in sources {
        let mut of_file = Findings::default();
        object::read(source, &mut objects, &mut of_file);
        problems.extend(of_file.into_list());
    }
    let Objects { catalog, partial, .. } = objects;
    contents(&catalog, &catalog, query, &mut problems);
    contents(&partial, &catalog, query, &mut problems);
    let mut between = Findings::default();
    references::duplicates(&catalog, &mut between);
    references::shared_services(&catalog, &mut between);
    workload::unused(&catalog, &mut between);
    problems.extend(between.into_list());
    Checked { catalog, problems: in_order(sources, problems) }
}

/// Each of some objects on its own, and with what it names in the catalogue.
fn contents(objects: &Catalog, catalog: &Catalog, query: Queries<'_>, problems: &mut Vec<Problem>) {
    let shared = analysis::shared_arguments(catalog);
    let none = BTreeSet::new();
    for entry in &objects.rollouts {
        of_one(&entry.origin, problems, |problems| {
            rollout::check(entry, problems);
            workload::with_template(catalog, entry, problems, |entry, problems| {
                pod::check(entry, problems);
                analysis::check(catalog, entry, problems);
                references::check(catalog, entry, problems);
            });
        });
    }
    let known = |origin: &Arc<Origin>| shared.get(&Arc::as_ptr(origin)).unwrap_or(&none);
    for entry in &objects.analysis_templates {
        let (spec, meta) = (&entry.object.spec, &entry.object.metadata);
        of_one(&entry.origin, problems, |problems| {
            template::check(&entry.origin, &template::Body::of(spec), known(&entry.origin), query, problems);
            analysis::nested(catalog, &entry.origin, (meta.namespace(), meta.name(), false), spec, problems);
            references::template_secrets(catalog, &entry.origin, meta.namespace(), &spec.args, problems);
        });
    }
    for entry in &objects.cluster_analysis_templates {
        let (spec, meta) = (&entry.object.spec, &entry.object.metadata);
        of_one(&entry.origin, problems, |problems| {
            template::check(&entry.origin, &template::Body::of(spec), known(&entry.origin), query, problems);
            analysis::nested(catalog, &entry.origin, ("default", meta.name(), true), spec, problems);
        });
    }
    for entry in &objects.experiments {
        of_one(&entry.origin, problems, |problems| experiment::check(catalog, entry, problems));
    }
    for entry in &objects.analysis_runs {
        let (spec, meta) = (&entry.object.spec, &entry.object.metadata);
        of_one(&entry.origin, problems, |problems| {
            template::check(&entry.origin, &template::Body::of_run(spec), &none, query, problems);
            template::run(&entry.origin, spec, problems);
            references::template_secrets(catalog, &entry.origin, meta.namespace(), &spec.args, problems);
        });
    }
}

/// Collects the problems of one object, without the consequences of those that are known already.
fn of_one(origin: &Origin, problems: &mut Vec<Problem>, check: impl FnOnce(&mut Findings)) {
    if problems.len() > TOTAL_MAX {
        problems.push(Problem::more(&origin.file, Severity::Error));
        return;
    }
    let mut found = Findings::default();
    check(&mut found);
    let own = |problem: &Problem| problem.object != origin.ident || !origin.is_consequence(&problem.path);
    problems.extend(found.into_list().into_iter().filter(own));
}

/// Sorted by file and place, each once, and cut off for files that have very many.
fn in_order(sources: &[Source], mut problems: Vec<Problem>) -> Vec<Problem> {
    let ranks: BTreeMap<&str, usize> =
        sources.iter().enumerate().map(|(rank, source)| (source.name.as_str(), rank)).collect();
    let rank = |problem: &Problem| ranks.get(problem.file.as_str()).copied();
    problems.sort_by(|a, b| {
        let place = |problem: &Problem| (rank(problem), problem.line, problem.column);
        place(a).cmp(&place(b)).then_with(|| (&a.path, &a.message).cmp(&(&b.path, &b.message)))
    });
    problems.dedup();
    problems.chunk_by(|a, b| a.file == b.file).flat_map(cut_off).collect()
}

/// The problems of one file, errors before warnings if not all of them are kept.
fn cut_off(of_file: &[Problem]) -> Vec<Problem> {
    if of_file.len() <= Findings::MAX {
        return of_file.to_vec();
    }
    let errors = of_file.iter().filter(|problem| problem.is_error()).count();
    let (mut errors_left, mut warnings_left) = (Findings::MAX, Findings::MAX.saturating_sub(errors));
    let mut kept: Vec<Problem> = Vec::new();
    for problem in of_file {
        let left = if problem.is_error() { &mut errors_left } else { &mut warnings_left };
        if let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            kept.push(problem.clone());
        }
    }
    let severity = if errors > Findings::MAX { Severity::Error } else { Severity::Warning };
    kept.push(Problem::more(&of_file[0].file, severity));
    kept
}
