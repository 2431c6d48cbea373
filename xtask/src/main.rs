//! The checks of this repository: `cargo xtask compat`, `cargo xtask crds`, `cargo xtask deploy`, `cargo xtask tidy` and `cargo xtask test`.

mod compat;
mod crds;
mod demo;
mod deploy;
mod e2e;
mod mutants;
mod repository;
mod seeds;
mod test;
mod tidy;
mod validity;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thiserror::Error;

/// The checks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Counts the behaviours of Argo Rollouts that are implemented, tested, different on purpose, and open
    Compat(compat::Options),
    /// Writes deploy/crds from the wire types
    Crds,
    /// Writes chart and kustomize bases from what `serin install` prints, or compares what they render to
    Deploy(deploy::Options),
    /// Checks the house rules that no compiler checks
    Tidy,
    /// Plays random worlds and faults against what must always hold
    Seeds(seeds::Options),
    /// Puts faults into the decisions one by one and counts those that the tests notice
    Mutants(mutants::Options),
    /// Plays rollouts to see how often verdicts are wrong, and what they are worth beside other rules
    Validity(validity::Options),
    /// Boots a real Kubernetes and runs the tests that need one
    E2e(e2e::Options),
    /// Runs everything that CI runs
    Test(test::Options),
}

/// Why a task failed. What was found wrong has been printed by then.
#[derive(Debug, Error)]
enum TaskError {
    /// Something is not as it should be.
    #[error("{0}")]
    Found(String),
    /// A file cannot be read.
    #[error("failed to read {path}: {why}")]
    Read {
        /// Which one.
        path: String,
        /// Why not.
        why: String,
    },
    /// A program cannot be run.
    #[error("failed to run {program}: {why}")]
    Run {
        /// Which one.
        program: String,
        /// Why not.
        why: String,
    },
}

impl TaskError {
    fn read(path: impl Into<String>, why: impl ToString) -> Self {
        TaskError::Read { path: path.into(), why: why.to_string() }
    }

    fn run(program: impl Into<String>, why: impl ToString) -> Self {
        TaskError::Run { program: program.into(), why: why.to_string() }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Compat(options) => compat::run(&options),
        Task::Crds => crds::run(),
        Task::Deploy(options) => deploy::run(&options),
        Task::Tidy => tidy::run(),
        Task::Seeds(options) => seeds::run(&options),
        Task::Mutants(options) => mutants::run(&options),
        Task::Validity(options) => validity::run(&options),
        Task::E2e(options) => e2e::run(&options),
        Task::Test(options) => test::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
