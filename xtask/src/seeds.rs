//! `seeds`: random worlds and faults against the oracles of `serin-sim`.

use clap::Args;

use crate::TaskError;
use crate::repository::cargo;
use crate::test::call;

/// How many seeds the test command plays: always the same ones, so that it says the same on every machine. About a minute on
/// two idle cores.
const IN_TESTS: u64 = 40_000;

/// Options of `seeds`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Play this seed only and tell what happens
    #[arg(long, conflicts_with_all = ["minutes", "count", "first"])]
    seed: Option<u64>,
    /// Play as many seeds as there is time for
    #[arg(long)]
    minutes: Option<u64>,
    /// Play so many seeds
    #[arg(long, conflicts_with = "minutes")]
    count: Option<u64>,
    /// Begin with this seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads
    #[arg(long, default_value_t = 2)]
    jobs: u64,
}

/// Plays what the options say.
pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    play(&arguments(options))
}

/// The seeds of the test command.
pub(crate) fn in_tests() -> Result<(), TaskError> {
    play(&["--count".to_owned(), IN_TESTS.to_string()])
}

fn arguments(options: &Options) -> Vec<String> {
    if let Some(seed) = options.seed {
        return vec!["--seed".to_owned(), seed.to_string()];
    }
    let bound = match options.minutes {
        Some(minutes) => ("--seconds", minutes.saturating_mul(60)),
        None => ("--count", options.count.unwrap_or(IN_TESTS)),
    };
    let pairs = [bound, ("--first", options.first), ("--jobs", options.jobs)];
    pairs.iter().flat_map(|(name, value)| [(*name).to_owned(), value.to_string()]).collect()
}

/// With optimisation, or a minute would be half an hour, and with every check of a debug build.
fn play(arguments: &[String]) -> Result<(), TaskError> {
    let build = ["run", "--quiet", "--profile", "seeds", "--package", "serin-sim", "--example", "seeds", "--"];
    call(cargo().args(build).args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(options: Options) -> String {
        arguments(&options).join(" ")
    }

    #[test]
    fn options_become_arguments() {
        let usual = || Options { seed: None, minutes: None, count: None, first: 1, jobs: 2 };
        assert_eq!(words(usual()), format!("--count {IN_TESTS} --first 1 --jobs 2"));
        assert_eq!(words(Options { seed: Some(7), ..usual() }), "--seed 7");
        assert_eq!(words(Options { minutes: Some(3), first: 9, ..usual() }), "--seconds 180 --first 9 --jobs 2");
    }
}
