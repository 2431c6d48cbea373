//! The command line.

mod controller;
mod evidence;
mod ignored;
mod install;
mod kube;
mod plan;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::error::CliError;

pub(crate) use controller::Controller;
pub(crate) use evidence::{LogWanted, Picture, Replay, Report};
pub(crate) use install::{Install, Migrate, MigrateDeployment, Reach, Strategy};
pub(crate) use kube::Kube;
pub(crate) use plan::Plan;

/// Progressive delivery for model services: Argo's Rollouts on one machine.
#[derive(Debug, Parser)]
#[command(name = "serin", version, max_term_width = 100, after_help = AFTER)]
pub(crate) struct Cli {
    /// State folder of the control process
    #[arg(long, global = true, env = "SERIN_STATE", default_value = ".serin", value_name = "DIR")]
    pub(crate) state: PathBuf,
    /// How to print results
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// Say more on standard error (twice for even more)
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) kube: Kube,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Exit codes:
  0  done
  1  a rollout failed or was aborted
  2  wrong usage or wrong input
  3  the control process, the router or the state cannot be reached
  4  a fault in serin

SERVICE is a rollout's name, the beginning of it where that is unambiguous, namespace/name, or `all`.";

/// How to print results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// SARIF 2.1.0, for code scanning (`lint` only)
    Sarif,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the rollouts of a folder of manifests: router, members, analysis
    Up(Up),
    /// Stop everything: members, router, control process
    Down,
    /// Apply manifests to the running control process
    Apply(Apply),
    /// Give a service (or `all`) a new version
    Deploy(Deploy),
    /// Go on: end the pause or skip the current step
    Promote(Promote),
    /// Stop the update and return to the stable version
    Rollback(Waiting),
    /// Stop the update; the new version stays wanted until `retry` or `rollback`
    Abort(Service),
    /// Try an aborted update again from its first step
    Retry(Waiting),
    /// Take the template of an earlier revision
    Undo(Undo),
    /// Replace the members of a service one after the other, without a new version
    Restart(Restart),
    /// Halt a rollout until it is promoted
    Pause(Service),
    /// Forget a rollout or an experiment and stop its members
    Delete(Named),
    /// End an experiment before its time
    #[command(subcommand)]
    Terminate(Terminate),
    /// Tell what turned out to be true, for analyses that count wrong predictions
    Labels(Labels),
    /// How the rollouts are
    Status(Status),
    /// Show one thing in full
    #[command(subcommand)]
    Get(Get),
    /// List the rollouts, or the experiments
    List(List),
    /// Revisions of a service and what happened to it
    History(Service),
    /// What the members of a service printed
    Logs(Logs),
    /// Why a rollout or an experiment is where it is, with its measurements
    Explain(Named),
    /// Who runs here: processes, addresses, clock
    Info,
    /// Check manifests without running anything
    Lint(Lint),
    /// Say before an update what every step and metric can see at the traffic that there is
    Plan(Plan),
    /// Try manifests in a described world on a virtual clock: transcript, outcome, rates over many runs
    Simulate(Simulate),
    /// Make the verdicts of an update again from its log, or try another template on it
    Replay(Replay),
    /// Write what an update looked like: one page with plots, a picture, or the numbers
    Report(Report),
    /// Answer a PromQL query from the embedded store
    Query {
        /// The query
        query: String,
    },
    /// Watch three model services: one promoted, two rolled back
    Demo(Demo),
    /// Print what the controller needs on a Kubernetes cluster, or apply it
    Install(Install),
    /// Print what takes the place of a Deployment, or move a running one
    #[command(subcommand)]
    Migrate(Migrate),
    /// Run the data plane alone (`up` starts it by itself)
    Proxy(Proxy),
    /// Run the rollouts of a Kubernetes cluster
    Controller(Box<Controller>),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder
        folder: PathBuf,
    },
}

/// `up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Folder of manifests with its serin.yaml; what was applied before is carried on without one
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Go to the background once everything is started
    #[arg(long)]
    pub(crate) detach: bool,
    /// Run the clock this much faster (1 to 100): pauses, intervals and query windows scale together
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    pub(crate) speed: Option<f64>,
    /// Where the router takes requests, instead of what serin.yaml says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where to answer read-only requests for status and metrics, instead of what serin.yaml says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) status: Option<SocketAddr>,
    /// Send queries to this Prometheus server instead of the embedded store
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number from 1 to 100".to_owned())?;
    if (1.0..=100.0).contains(&speed) { Ok(speed) } else { Err("expected a number from 1 to 100".to_owned()) }
}

/// `apply`
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Files or folders
    #[arg(long = "filename", short = 'f', required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// A service.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// Which service
    pub(crate) service: String,
}

/// Whether to wait for the outcome.
#[derive(Debug, Clone, Args)]
pub(crate) struct Wait {
    /// Wait for the outcome; exit 1 if the rollout fails
    #[arg(long)]
    pub(crate) wait: bool,
    /// Longest wait in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) timeout: u64,
}

/// A service whose outcome may be waited for.
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    /// Which service
    pub(crate) service: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `deploy`
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Which service
    pub(crate) service: String,
    /// Tag, digest (`sha256:...`) or whole image
    pub(crate) version: String,
    /// Which container, where the pod has several
    #[arg(long)]
    pub(crate) container: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `promote`
#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Which service
    pub(crate) service: String,
    /// Skip all that is left: steps, pauses, analysis
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `restart`
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Which service
    pub(crate) service: String,
    /// Begin only after this time on the rollout's clock, such as 30s, 5m or 1h30m
    #[arg(long = "in", short = 'i', value_name = "DURATION", default_value = "0s", value_parser = duration_s)]
    pub(crate) within: f64,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// Longest wait before a restart: beyond a year it is a slip of the hand.
const RESTART_WITHIN_S: f64 = 366.0 * 86_400.0;

fn duration_s(text: &str) -> Result<f64, String> {
    let seconds = serin_spec::duration::parse_ns(text).map_err(|e| e.to_string())? as f64 / 1e9;
    match (0.0..=RESTART_WITHIN_S).contains(&seconds) {
        true => Ok(seconds),
        false => Err("expected a time from 0s up to a year".to_owned()),
    }
}

/// `undo`
#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// Which service
    pub(crate) service: String,
    /// Which revision; the one before when not given
    #[arg(long, value_name = "N")]
    pub(crate) to_revision: Option<u64>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `labels`
#[derive(Debug, Args)]
pub(crate) struct Labels {
    /// Which service
    pub(crate) service: String,
    /// A file of CSV (`request_id,label`) or JSON lines (`{"id": ..., "label": ...}`), `-` for standard input, or pairs
    #[arg(required = true, value_name = "FILE|ID=LABEL")]
    pub(crate) labels: Vec<String>,
}

/// `status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Which service; all when not given
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// `get`
#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    /// A rollout with its versions, members, runs and reasons
    Rollout(GetRollout),
    /// An experiment with its versions, members, runs and reasons
    Experiment(GetExperiment),
}

/// `get experiment`
#[derive(Debug, Args)]
pub(crate) struct GetExperiment {
    /// Its name, or the beginning of it
    pub(crate) name: String,
    /// Keep watching until it is over; exit 1 if it did not end well
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
}

/// `terminate`
#[derive(Debug, Subcommand)]
pub(crate) enum Terminate {
    /// An experiment: its members and its analysis end
    Experiment {
        /// Its name, or the beginning of it
        name: String,
    },
}

/// `list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum, default_value_t = Listed::Rollouts)]
    pub(crate) what: Listed,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// Rollouts
    Rollouts,
    /// Experiments
    Experiments,
}

/// A service, or an experiment.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Which service; or the word `experiment` and a name
    #[arg(required = true, num_args = 1..=2, value_names = ["SERVICE"])]
    pub(crate) words: Vec<String>,
}

/// What is meant by a [`Named`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant<'a> {
    /// A service.
    Service(&'a str),
    /// An experiment.
    Experiment(&'a str),
}

impl Named {
    /// What the words mean.
    ///
    /// # Errors
    /// When two words do not begin with `experiment`.
    pub(crate) fn meant(&self) -> Result<Meant<'_>, CliError> {
        match self.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [service] => Ok(Meant::Service(service)),
            ["experiment" | "exp", name] => Ok(Meant::Experiment(name)),
            _ => Err(CliError::usage("two names are given", "write one service, or `experiment NAME`")),
        }
    }
}

/// `get rollout`
#[derive(Debug, Args)]
pub(crate) struct GetRollout {
    /// Which service
    pub(crate) service: String,
    /// Keep watching: a live view in a terminal, lines elsewhere
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Which service, or the name of one member; `router` and `serin` are there too
    pub(crate) service: String,
    /// Lines per member
    #[arg(long, default_value_t = 20)]
    pub(crate) lines: usize,
    /// Keep printing what comes
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
}

/// `lint`
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Files or folders; without them, on a cluster, what is in its namespace
    #[arg(required_unless_present_any = ["explain", "list", "kube_context", "kubeconfig", "namespace"])]
    pub(crate) files: Vec<PathBuf>,
    /// Also check what one machine can carry out
    #[arg(long)]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) levels: Levels,
    /// Print the page of a lint: what it finds, why it hurts, what to write instead
    #[arg(long, value_name = "LINT", conflicts_with_all = ["files", "list"])]
    pub(crate) explain: Option<String>,
    /// List the lints with their levels
    #[arg(long, conflicts_with = "files")]
    pub(crate) list: bool,
}

/// What lints do when they find something. A lint is named by its code or its name, or all of them by `all`.
#[derive(Debug, Default, Args)]
pub(crate) struct Levels {
    /// Refuse what these lints find; `warnings` refuses everything that would warn
    #[arg(long, short = 'D', value_name = "LINT", value_delimiter = ',')]
    pub(crate) deny: Vec<String>,
    /// Warn of what these lints find
    #[arg(long, short = 'W', value_name = "LINT", value_delimiter = ',')]
    pub(crate) warn: Vec<String>,
    /// Say nothing of what these lints find
    #[arg(long, short = 'A', value_name = "LINT", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
}

/// `simulate`
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Files or folders of manifests
    #[arg(required = true, value_name = "DIR")]
    pub(crate) files: Vec<PathBuf>,
    /// The world: traffic, versions, outages, people (see docs/simulate.md)
    #[arg(long, value_name = "FILE")]
    pub(crate) world: PathBuf,
    /// Which Rollout, where there are several and the world names none
    #[arg(long, value_name = "NAME")]
    pub(crate) rollout: Option<String>,
    /// Seed of the first run; each run after it has the next one
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Number of runs; one prints its transcript, many print rates
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) runs: u32,
    /// Write a picture of the runs (SVG)
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Exit with 1 when a larger share of the runs ends otherwise than the world expects (0 to 1)
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) max_wrong: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("expected a number from 0 to 1".to_owned()) }
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder of the example
    #[arg(long, default_value = "examples/ml-portfolio", value_name = "DIR")]
    pub(crate) example: PathBuf,
    /// Play a switch instead: a major version that fails before it, and one that is promoted
    #[arg(long)]
    pub(crate) blue_green: bool,
    /// How much faster than real time the clock runs
    #[arg(long, default_value_t = 10.0, value_name = "FACTOR", value_parser = speed)]
    pub(crate) speed: f64,
    /// Requests per second over all services
    #[arg(long, default_value_t = 240)]
    pub(crate) rate: u32,
    /// Print a JSON report (short for --output json)
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the router takes requests
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    /// Leave everything running afterwards
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `proxy`
#[derive(Debug, Args)]
pub(crate) struct Proxy {
    /// Where to take requests
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// The control socket
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: PathBuf,
    /// Threads that carry requests
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: usize,
    /// Where to answer `/metrics`
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// A table to start with, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_word_or_an_experiment_is_named() {
        let check = |words: &[&str], want: Option<Meant<'_>>| {
            let named = Named { words: words.iter().map(|w| (*w).to_owned()).collect() };
            assert_eq!(named.meant().ok(), want);
        };
        check(&["experiment"], Some(Meant::Service("experiment")));
        check(&["experiment", "a"], Some(Meant::Experiment("a")));
        check(&["a", "b"], None);
    }

    #[test]
    fn speeds_out_of_range_are_refused() {
        assert_eq!(speed("20"), Ok(20.0));
        for text in ["0", "101", "NaN", "x", "-1"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
