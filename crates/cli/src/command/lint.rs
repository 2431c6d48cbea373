//! `serin lint`: every problem of every file, with its place, and nothing run.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serin_local::LocalError;
use serin_local::side::Side;
use serin_spec::problem::Colour;
use serin_spec::{Problem, Severity, Source};

use crate::arguments::{Format, Lint};
use crate::error::CliError;
use crate::output;

/// Codes of problems about objects that are named and not there.
const MISSING: [&str; 6] =
    ["missing-config-map", "missing-ingress", "missing-key", "missing-secret", "missing-service", "missing-template"];

pub(super) fn run(lint: &Lint, format: Format) -> Result<ExitCode, CliError> {
    let (sources, mut problems) = serin_spec::read::files(&lint.files);
    if lint.local {
        problems.extend(on_one_machine(&lint.files, &sources));
    } else {
        problems.extend(serin_local::check_for_cluster(&sources).1);
    }
    let errors = problems.iter().filter(|p| p.is_error()).count();
    if !output::machine(format, &problems)? {
        for problem in &problems {
            output::line(render(problem, &sources, std::io::stdout().is_terminal()));
        }
        let warnings = problems.len() - errors;
        output::line(format!("{} in {}", counted(errors, warnings), files(sources.len())));
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(crate::error::USAGE) })
}

/// Reads and checks what `up` and `apply` are given. Warnings are printed; errors are all returned at once.
pub(super) fn checked(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let (sources, mut problems) = serin_spec::read::files(paths);
    problems.extend(on_one_machine(paths, &sources));
    refuse(&problems, &sources, "changed")?;
    Ok(sources)
}

/// Reads and checks files that may name objects applied before: problems between objects are left to the control process.
pub(super) fn checked_alone(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let (sources, mut problems) = serin_spec::read::files(paths);
    let (_, found) = serin_local::check(&sources);
    problems.extend(found.into_iter().filter(|p| !MISSING.contains(&p.code)));
    refuse(&problems, &sources, "changed")?;
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
    let count = problems.iter().filter(|p| p.is_error()).count();
    match count {
        0 => Ok(()),
        _ => Err(CliError::Manifests(format!("{}\n{}: nothing was {done}", rendered(true), counted(count, 0)))),
    }
}

/// What is wrong for one machine: with the manifests, with the side file, and between the two.
fn on_one_machine(paths: &[PathBuf], sources: &[Source]) -> Vec<Problem> {
    let (catalog, mut problems) = serin_local::check(sources);
    if let Some(folder) = paths.iter().find(|p| p.join(serin_local::side::FILE).is_file()) {
        match Side::read(folder) {
            Ok(side) => problems.extend(without_command(&catalog, &side, folder)),
            Err(error) => problems.push(with_side_file(folder, error)),
        }
    }
    problems
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
fn without_command(catalog: &serin_spec::catalog::Catalog, side: &Side, folder: &Path) -> Vec<Problem> {
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

fn counted(errors: usize, warnings: usize) -> String {
    let many = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        (e, 0) => many(e, "error"),
        (e, w) => format!("{}, {}", many(e, "error"), many(w, "warning")),
    }
}

fn files(count: usize) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
