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

/// Runs `cargo mutants` over the core: with the tests of the core first, which are quick, and what they miss again with those
/// of the simulator besides.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let folder = repository::root().join(OUTPUT).join("mutants.out");
    mutants(options, &["--test-package", "serin-core"])?;
    let alone = Count::read(&folder)?;
    println!("mutants: {} of {} caught by the tests of the core", alone.caught, alone.caught + alone.missed);
    if alone.missed > 0 {
        mutants(options, &["--test-package", "serin-core", "--test-package", "serin-sim", "--iterate"])?;
    }
    judge(&alone, if alone.missed > 0 { Count::read(&folder)?.missed } else { 0 })
}

fn mutants(options: &Options, more: &[&str]) -> Result<(), TaskError> {
    let mut command = cargo();
    command.current_dir(repository::root()).env("NEXTEST_PROFILE", "mutants").args(["mutants", "-p", "serin-core"]);
    command.args(["--profile", "mutants", "--test-tool", "nextest", "--timeout", "120", "--build-timeout", "600"]);
    command.args(["-o", OUTPUT]);
    command.args(["-j", &options.jobs.to_string()]).args(more);
    if let Some(shard) = &options.shard {
        command.args(["--shard", shard, "--sharding", "round-robin"]);
    }
    for file in &options.file {
        command.args(["-f", file]);
    }
    // It ends with an error where one mutant is missed; the share decides here.
    let status = command.status();
    status.map_err(|e| TaskError::run("cargo mutants (install it with cargo install cargo-mutants)", e))?;
    Ok(())
}

/// What became of mutants. One that makes the tests run for ever is caught; one that does not compile is none.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    caught: usize,
    missed: usize,
}

impl Count {
    fn read(folder: &Path) -> Result<Self, TaskError> {
        let lines = |name: &str| -> Result<usize, TaskError> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).map_err(|e| TaskError::read(path.display().to_string(), e))?;
            Ok(text.lines().count())
        };
        Ok(Self { caught: lines("caught.txt")? + lines("timeout.txt")?, missed: lines("missed.txt")? })
    }
}

/// Whether enough are caught, when so many are missed in the end.
fn judge(alone: &Count, missed: usize) -> Result<(), TaskError> {
    let all = alone.caught + alone.missed;
    let caught = all - missed.min(all);
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
    fn mutants_are_counted() {
        let folder = std::env::temp_dir().join(format!("serin-mutants-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, lines) in [("caught.txt", 18), ("timeout.txt", 1), ("missed.txt", 2)] {
            fs::write(folder.join(name), "a mutant\n".repeat(lines)).unwrap();
        }
        assert_eq!(Count::read(&folder).unwrap(), Count { caught: 19, missed: 2 });
        fs::remove_dir_all(&folder).unwrap();
        assert!(Count::read(&folder).unwrap_err().to_string().starts_with("failed to read"));
    }

    #[test]
    fn the_share_decides() {
        let judged = |caught, missed, left| judge(&Count { caught, missed }, left).map_err(|e| e.to_string());
        assert_eq!(judged(18, 2, 1), Ok(()));
        assert_eq!(judged(17, 2, 1), Err("1 of 19 mutants are missed; 95% must be caught".to_owned()));
        assert!(judged(0, 0, 0).is_err());
    }
}
