//! `mutants`: faults put into the decisions one at a time; the tests of levels 1 to 6 must notice nearly all of them.

use std::fs;
use std::path::Path;

use clap::Args;

use crate::TaskError;
use crate::repository::{self, cargo};

/// The share that must be caught, in percent.
const WANTED_PERCENT: usize = 95;

/// Where `cargo mutants` writes what became of each.
const OUTPUT: &str = "target/mutants";

/// Options of `mutants`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only a part of them, such as 0/4: every fourth, beginning with the first
    #[arg(long)]
    shard: Option<String>,
    /// Only the mutants of files that match
    #[arg(long)]
    file: Vec<String>,
    /// Mutants at a time; each has a copy of the tree
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

/// Runs `cargo mutants` over the core with the tests of the core and of the simulator, and counts.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let mut command = cargo();
    command.current_dir(repository::root()).env("CARGO_PROFILE_DEV_DEBUG", "0").args(["mutants", "-p", "serin-core"]);
    command.args(["--test-package", "serin-core", "--test-package", "serin-sim", "--test-tool", "nextest"]);
    command.args(["--timeout", "120", "--build-timeout", "600", "-o", OUTPUT]);
    command.args(["-j", &options.jobs.to_string()]);
    if let Some(shard) = &options.shard {
        command.args(["--shard", shard, "--sharding", "round-robin"]);
    }
    for file in &options.file {
        command.args(["-f", file]);
    }
    // It ends with an error where one mutant is missed; the share decides here.
    command.status().map_err(|e| TaskError::run("cargo mutants (install it with cargo install cargo-mutants)", e))?;
    judge(&repository::root().join(OUTPUT).join("mutants.out"))
}

/// Counts what became of the mutants. One that makes the tests run for ever is caught; one that does not compile is none.
fn judge(folder: &Path) -> Result<(), TaskError> {
    let count = |name: &str| -> Result<usize, TaskError> {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|e| TaskError::read(path.display().to_string(), e))?;
        Ok(text.lines().count())
    };
    let (caught, missed) = (count("caught.txt")? + count("timeout.txt")?, count("missed.txt")?);
    let all = caught + missed;
    println!("mutants: {caught} of {all} caught");
    match all > 0 && caught * 100 >= all * WANTED_PERCENT {
        true => Ok(()),
        false => {
            Err(TaskError::Found(format!("{missed} of {all} mutants are missed; {WANTED_PERCENT}% must be caught")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_decides() {
        let folder = std::env::temp_dir().join(format!("serin-mutants-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let judged = |caught: usize, timeout: usize, missed: usize| {
            for (name, lines) in [("caught.txt", caught), ("timeout.txt", timeout), ("missed.txt", missed)] {
                fs::write(folder.join(name), "a mutant\n".repeat(lines)).unwrap();
            }
            judge(&folder).map_err(|e| e.to_string())
        };
        assert_eq!(judged(18, 1, 1), Ok(()));
        assert_eq!(judged(18, 0, 1), Err("1 of 19 mutants are missed; 95% must be caught".to_owned()));
        assert!(judged(0, 0, 0).is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(judge(&folder).unwrap_err().to_string().starts_with("failed to read"));
    }
}
