//! `serin lint`: every problem of every file, with its place, and nothing run.

mod pages;
mod sarif;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serin_local::LocalError;
use serin_local::side::Side;
use serin_spec::lint::Policy;
use serin_spec::problem::Colour;
use serin_spec::{Catalog, Problem, Severity, Source};

use crate::arguments::{Format, Levels, Lint};
use crate::cluster::Cluster;
use crate::error::CliError;
use crate::output;

/// Codes of problems about objects that are named and not there.
const MISSING: [&str; 7] = [
    "missing-config-map",
    "missing-ingress",
    "missing-key",
    "missing-secret",
    "missing-service",
    "missing-template",
    "missing-workload",
];

/// Codes of problems about objects of a cluster that are not read: secrets are nobody's but their users'.
const UNREAD: [&str; 3] = ["missing-config-map", "missing-key", "missing-secret"];

pub(super) fn run(lint: &Lint, format: Format) -> Result<ExitCode, CliError> {
    let policy = policy(&lint.levels)?;
    if let Some(word) = &lint.explain {
        return pages::explain(word, format);
    }
    if lint.list {
        return pages::list(&policy, format);
    }
    let (sources, mut problems) = serin_spec::read::files(&lint.files);
    let (catalog, found) = match lint.local {
        true => on_one_machine(&lint.files, &sources),
        false => serin_local::check_for_cluster(&sources),
    };
    problems.extend(found);
    let problems = policy.apply(&sources, &catalog, problems, serin_local::lint(&catalog));
    match format {
        Format::Sarif => {
            output::machine(Format::Json, &sarif::log(&problems, &policy))?;
        }
        _ => show(&problems, &sources, format)?,
    }
    let refused = problems.iter().any(Problem::is_error);
    Ok(if refused { ExitCode::from(crate::error::USAGE) } else { ExitCode::SUCCESS })
}

/// Looks at a namespace of a cluster, or at files beside what is there: what files name may be there already. What is wrong with
/// objects of the cluster alone is told when no files are given.
pub(super) async fn on_cluster(cluster: &Cluster, lint: &Lint, format: Format) -> Result<ExitCode, CliError> {
    let policy = policy(&lint.levels)?;
    let (mut sources, mut problems) = serin_spec::read::files(&lint.files);
    let own: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let written = serin_spec::read::objects(&sources);
    sources.extend(cluster.sources(&written).await?);
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    problems.extend(found);
    problems.extend(serin_spec::check::uncounted(&catalog));
    problems.retain(|problem| !UNREAD.contains(&problem.code));
    let mut problems = policy.apply(&sources, &catalog, problems, serin_local::lint(&catalog));
    problems.retain(|problem| own.is_empty() || own.contains(&problem.file));
    sources.retain(|source| own.is_empty() || own.contains(&source.name));
    match format {
        Format::Sarif => _ = output::machine(Format::Json, &sarif::log(&problems, &policy))?,
        _ => show(&problems, &sources, format)?,
    }
    let refused = problems.iter().any(Problem::is_error);
    Ok(if refused { ExitCode::from(crate::error::USAGE) } else { ExitCode::SUCCESS })
}

/// Reads and checks what is applied to a cluster, where what they name may be: problems between objects are left to it.
pub(super) fn checked_for_cluster(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let (sources, mut problems) = serin_spec::read::files(paths);
    let (catalog, found) = serin_local::check_for_cluster(&sources);
    problems.extend(found.into_iter().filter(|p| !MISSING.contains(&p.code)));
    problems.extend(serin_spec::check::uncounted(&catalog));
    refuse(&linted(&sources, &catalog, problems), &sources, "changed")?;
    Ok(sources)
}

fn policy(levels: &Levels) -> Result<Policy, CliError> {
    Policy::new(&levels.allow, &levels.warn, &levels.deny).map_err(|unknown| pages::no_such_lint(&unknown))
}

/// A problem with the code of the lint that found it.
#[derive(Serialize)]
struct Shown<'p> {
    lint: Option<&'static str>,
    #[serde(flatten)]
    problem: &'p Problem,
}

fn show(problems: &[Problem], sources: &[Source], format: Format) -> Result<(), CliError> {
    let shown = |problem| Shown { lint: serin_spec::lint::of(problem).map(|lint| lint.code), problem };
    if output::machine(format, &problems.iter().map(shown).collect::<Vec<_>>())? {
        return Ok(());
    }
    for problem in problems {
        output::line(render(problem, sources, std::io::stdout().is_terminal()));
    }
    output::line(format!("{} in {}", counted(problems), files(sources.len())));
    Ok(())
}

/// Reads and checks what `up` and `apply` are given. Warnings are printed; errors are all returned at once.
pub(super) fn checked(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let (sources, mut problems) = serin_spec::read::files(paths);
    let (catalog, found) = on_one_machine(paths, &sources);
    problems.extend(found);
    refuse(&linted(&sources, &catalog, problems), &sources, "changed")?;
    Ok(sources)
}

/// With what lints warn of; notes are for `serin lint`.
fn linted(sources: &[Source], catalog: &Catalog, problems: Vec<Problem>) -> Vec<Problem> {
    let mut problems = Policy::default().apply(sources, catalog, problems, serin_local::lint(catalog));
    problems.retain(|problem| problem.severity != Severity::Note);
    problems
}

/// Reads and checks files that may name objects applied before: problems between objects are left to the control process.
pub(super) fn checked_alone(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let (sources, mut problems) = serin_spec::read::files(paths);
    let (catalog, found) = serin_local::check(&sources);
    problems.extend(found.into_iter().filter(|p| !MISSING.contains(&p.code)));
    problems.extend(serin_spec::check::uncounted(&catalog));
    refuse(&linted(&sources, &catalog, problems), &sources, "changed")?;
    Ok(sources)
}

/// Prints warnings; errors end the command before anything was `done`.
pub(super) fn refuse(problems: &[Problem], sources: &[Source], done: &str) -> Result<(), CliError> {
    let terminal = std::io::stderr().is_terminal();
    let rendered = |errors: bool| {
        problems
            .iter()
            .filter(|p| p.is_error() == errors)
            .map(|p| render(p, sources, terminal))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let warnings = rendered(false);
    if !warnings.is_empty() {
        eprintln!("{warnings}");
    }
    let errors: Vec<Problem> = problems.iter().filter(|p| p.is_error()).cloned().collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(CliError::Manifests(format!("{}\n{}: nothing was {done}", rendered(true), counted(&errors))))
}

/// What is wrong for one machine: with the manifests, with the side file, and between the two.
fn on_one_machine(paths: &[PathBuf], sources: &[Source]) -> (Catalog, Vec<Problem>) {
    let (catalog, mut problems) = serin_local::check(sources);
    if let Some(folder) = paths.iter().find(|p| p.join(serin_local::side::FILE).is_file()) {
        match Side::read(folder) {
            Ok(side) => problems.extend(without_command(&catalog, &side, folder)),
            Err(error) => problems.push(with_side_file(folder, error)),
        }
    }
    (catalog, problems)
}

fn with_side_file(folder: &Path, error: LocalError) -> Problem {
    let message = match error {
        LocalError::Side { problem, .. } => problem,
        other => other.to_string(),
    };
    Problem {
        severity: Severity::Error,
        code: "side-file",
        file: folder.join(serin_local::side::FILE).to_string_lossy().into_owned(),
        line: 0,
        column: 0,
        width: 0,
        path: String::new(),
        object: String::new(),
        message,
        expected: None,
        hint: None,
    }
}

/// A rollout whose image stands for no command could never start.
fn without_command(catalog: &Catalog, side: &Side, folder: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in &catalog.rollouts {
        let Some(template) = &entry.object.spec.template else { continue };
        let Some(container) = template.containers().into_iter().next() else { continue };
        let name = serin_spec::image::split(&container.image).name.to_owned();
        if side.command_for(&name).is_none() {
            let mut problem = entry.problem(
                serin_spec::Severity::Error,
                "image-without-command",
                "spec.template.spec.containers[0].image",
                format!("no command stands for image \"{name}\""),
            );
            problem.hint = Some(format!("add it to images in {}", folder.join(serin_local::side::FILE).display()));
            problems.push(problem);
        }
    }
    problems
}

fn render(problem: &Problem, sources: &[Source], terminal: bool) -> String {
    let colour = terminal && std::env::var_os("NO_COLOR").is_none();
    serin_spec::problem::render(problem, sources, if colour { Colour::Always } else { Colour::Never })
}

/// `2 errors, 1 warning`.
fn counted(problems: &[Problem]) -> String {
    let kinds = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let many = |(severity, word): (Severity, &str)| {
        let n = problems.iter().filter(|problem| problem.severity == severity).count();
        (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = kinds.into_iter().filter_map(many).collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
