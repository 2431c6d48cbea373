//! `test`: everything that CI runs, step by step.

use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::repository::{self, cargo};
use crate::{TaskError, compat, demo, deploy, e2e, seeds, tidy};

/// Options of `test`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Go on after a step that failed
    #[arg(long)]
    keep_going: bool,
    /// Leave the demo out, which builds with optimisation
    #[arg(long)]
    no_demo: bool,
    /// Leave the tests on a real Kubernetes out, which need root and Go
    #[arg(long)]
    no_cluster: bool,
}

/// One step: its name and what it does.
type Step = (&'static str, fn() -> Result<(), TaskError>);

const STEPS: [Step; 10] = [
    ("formatting", || call(cargo().args(["fmt", "--all", "--check"]))),
    ("clippy", || {
        call(cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            "serin-e2e/cluster",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))
    }),
    ("tests", tests),
    ("doctests", || call(cargo().args(["test", "--workspace", "--doc", "--quiet"]))),
    ("tidy", tidy::run),
    ("compat", || {
        println!("{}", compat::check()?);
        Ok(())
    }),
    ("charts", deploy::check),
    ("seeds", seeds::in_tests),
    ("cluster", e2e::in_tests),
    ("demo", demo::smoke),
];

/// Runs the steps in order; the first failure ends it.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let left_out = |name: &str| options.no_demo && name == "demo" || options.no_cluster && name == "cluster";
    let steps: Vec<Step> = STEPS.into_iter().filter(|(name, _)| !left_out(name)).collect();
    let builds = if options.no_cluster { None } else { e2e::begin_builds() };
    let mut failed = Vec::new();
    for (i, (name, step)) in steps.iter().enumerate() {
        println!("[{}/{}] {name}", i + 1, steps.len());
        let begun = Instant::now();
        let outcome = step();
        let seconds = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("[{}/{}] {name}: passed in {seconds:.1} s", i + 1, steps.len()),
            Err(error) => {
                println!("[{}/{}] {name}: FAILED after {seconds:.1} s: {error}", i + 1, steps.len());
                failed.push(*name);
                if !options.keep_going {
                    break;
                }
            }
        }
    }
    if let Some(builds) = builds {
        e2e::end_builds(builds);
    }
    match failed.as_slice() {
        [] => Ok(()),
        names => Err(TaskError::Found(format!("failed: {}", names.join(", ")))),
    }
}

/// What holds tests. Benches do not: those with a main of their own would run in full.
const TARGETS: [&str; 3] = ["--lib", "--bins", "--tests"];

/// With nextest where it is installed, which runs the tests of all crates side by side.
fn tests() -> Result<(), TaskError> {
    if has_nextest() {
        return call(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"].into_iter().chain(TARGETS)));
    }
    call(cargo().args(["test", "--workspace", "--quiet", "--no-fail-fast"].into_iter().chain(TARGETS)))
}

/// Whether nextest is installed.
pub(crate) fn has_nextest() -> bool {
    let probe = cargo().args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Runs a program at the root, its output with ours.
pub(crate) fn call(command: &mut Command) -> Result<(), TaskError> {
    command.current_dir(repository::root());
    let status = command.status().map_err(|e| TaskError::run(shown(command), e))?;
    if status.success() { Ok(()) } else { Err(TaskError::run(shown(command), status)) }
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let arguments = command.get_args().map(|a| a.to_string_lossy());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named_with_its_arguments() {
        assert!(call(cargo().args(["--version"]).stdout(Stdio::null())).is_ok());
        let error = call(cargo().args(["no-such-command"]).stderr(Stdio::null())).unwrap_err().to_string();
        assert!(error.starts_with("failed to run cargo no-such-command: exit status"), "{error}");
    }

    #[test]
    fn the_demo_comes_last() {
        assert_eq!(STEPS.last().map(|(name, _)| *name), Some("demo"));
    }
}
