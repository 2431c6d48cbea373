//! The command line of `kubectl argo rollouts`, flag by flag.

use std::path::PathBuf;

use super::connection::Connection;
use clap::{ArgAction, Args, Command, CommandFactory as _, Parser, Subcommand};

/// Manage Argo's rollouts on a cluster.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-argo-rollouts",
    disable_version_flag = true,
    max_term_width = 100,
    args_override_self = true,
    about = "Manage Argo's rollouts on a cluster"
)]
pub(crate) struct Plugin {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The command line. Its switches take `=true` and `=false` as those of Go's programs do.
pub(crate) fn command() -> Command {
    fn switches(command: Command) -> Command {
        let command = command.mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .default_value("false")
                .hide_default_value(true)
                .hide_possible_values(true),
            _ => arg,
        });
        command.mut_subcommands(switches)
    }
    switches(Plugin::command())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Abort a rollout
    Abort(Names),
    /// Generate a completion script
    Completion {
        /// The shell
        shell: super::completion::Shell,
    },
    /// Create a Rollout, Experiment, AnalysisTemplate, ClusterAnalysisTemplate or AnalysisRun
    Create(Create),
    /// Not here: use `get rollout NAME --watch`
    Dashboard(Elsewhere),
    /// Get details about a rollout or an experiment
    #[command(subcommand)]
    Get(Get),
    /// Check the Rollouts of a file
    Lint {
        /// The file
        #[arg(long = "filename", short = 'f', value_name = "FILE")]
        file: PathBuf,
    },
    /// List rollouts or experiments
    #[command(subcommand)]
    List(List),
    /// Not here: use Argo's notification controller
    Notifications(Elsewhere),
    /// Pause a rollout
    Pause(Names),
    /// Promote a rollout
    Promote(Promote),
    /// Restart the pods of a rollout
    Restart(Restart),
    /// Retry a rollout or an experiment
    #[command(subcommand)]
    Retry(Retry),
    /// Update values on objects
    #[command(subcommand)]
    Set(Set),
    /// Show the status of a rollout
    Status(Status),
    /// Terminate an AnalysisRun or an Experiment
    #[command(subcommand)]
    Terminate(Terminate),
    /// Undo a rollout
    Undo(Undo),
    /// Print the version
    Version {
        /// Only the version
        #[arg(long)]
        short: bool,
    },
}

/// Whatever stands there.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Elsewhere {
    /// Arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0.., hide = true)]
    words: Vec<String>,
}

/// Objects by name.
#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// `create`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Create {
    #[command(subcommand)]
    pub(crate) what: Option<CreateWhat>,
    /// The files
    #[arg(long = "filename", short = 'f', required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Watch the object afterwards
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    /// No colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// What else is created.
#[derive(Debug, Subcommand)]
pub(crate) enum CreateWhat {
    /// An AnalysisRun from an AnalysisTemplate or a ClusterAnalysisTemplate
    #[command(alias = "ar")]
    Analysisrun(CreateRun),
}

/// `create analysisrun`
#[derive(Debug, Args)]
pub(crate) struct CreateRun {
    /// Template of the cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// Template in a file
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: Option<PathBuf>,
    /// It is a ClusterAnalysisTemplate
    #[arg(long)]
    pub(crate) global: bool,
    /// Value of an argument; may be given several times
    #[arg(long = "argument", short = 'a', value_name = "NAME=VALUE")]
    pub(crate) arguments: Vec<String>,
    /// Name of the run
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Beginning of its name
    #[arg(long, value_name = "PREFIX")]
    pub(crate) generate_name: Option<String>,
    /// Controller that is to carry it out
    #[arg(long, value_name = "ID")]
    pub(crate) instance_id: Option<String>,
}

/// `get`
#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    /// A rollout with everything it owns
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(GetRollout),
    /// An experiment with everything it owns
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(GetOne),
}

/// `get rollout`
//= compat: 7.2-1
#[derive(Debug, Args)]
pub(crate) struct GetRollout {
    #[command(flatten)]
    pub(crate) one: GetOne,
    /// End a watch after this many seconds; 0 never
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) timeout_seconds: u64,
}

/// `get experiment`
#[derive(Debug, Args)]
pub(crate) struct GetOne {
    /// Its name
    pub(crate) name: String,
    /// Watch it
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    /// No colours
    #[arg(long)]
    pub(crate) no_color: bool,
}

/// `list`
#[derive(Debug, Subcommand)]
pub(crate) enum List {
    /// Rollouts
    #[command(visible_aliases = ["ro", "rollout"])]
    Rollouts(ListRollouts),
    /// Experiments
    #[command(visible_aliases = ["exp", "experiment"])]
    Experiments {
        /// Of all namespaces
        #[arg(long, short = 'A')]
        all_namespaces: bool,
    },
}

/// `list rollouts`
//= compat: 7.3-2
#[derive(Debug, Args)]
pub(crate) struct ListRollouts {
    /// Only the one of this name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Of all namespaces
    #[arg(long, short = 'A')]
    pub(crate) all_namespaces: bool,
    /// Print changes as they come
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    /// With the time of each line
    #[arg(long)]
    pub(crate) timestamps: bool,
}

/// `promote`
//= compat: 7.5-1
#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Its name
    pub(crate) name: String,
    /// Skip all that is left: pauses, steps, analysis
    #[arg(long)]
    pub(crate) full: bool,
    /// Skip the current step (a plain promote does)
    #[arg(long, short = 'c', hide = true)]
    pub(crate) skip_current_step: bool,
    /// Skip all steps (`--full` does)
    #[arg(long, short = 'a', hide = true)]
    pub(crate) skip_all_steps: bool,
}

/// `restart`
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Its name
    pub(crate) name: String,
    /// Time before it, such as 30s, 5m or 1h
    #[arg(long = "in", short = 'i', value_name = "DURATION", default_value = "0s")]
    pub(crate) within: String,
}

/// `retry`
#[derive(Debug, Subcommand)]
pub(crate) enum Retry {
    /// Aborted rollouts
    #[command(visible_aliases = ["ro", "rollouts"])]
    Rollout(Names),
    /// Experiments
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(Names),
}

/// `set`
#[derive(Debug, Subcommand)]
pub(crate) enum Set {
    /// The image of a container, or with `*` of all
    Image {
        /// The rollout
        #[arg(value_name = "ROLLOUT")]
        name: String,
        /// Container and image
        #[arg(value_name = "CONTAINER=IMAGE", value_parser = pair)]
        image: (String, String),
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split('=').collect::<Vec<_>>().as_slice() {
        [container, image] => Ok(((*container).to_owned(), (*image).to_owned())),
        _ => Err("expected CONTAINER=IMAGE".to_owned()),
    }
}

/// `status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Its name
    pub(crate) name: String,
    /// Watch it until it is healthy or degraded
    #[arg(long, short = 'w', num_args = 0..=1, require_equals = true, default_missing_value = "true",
          default_value_t = true, action = ArgAction::Set)]
    pub(crate) watch: bool,
    /// Longest watch, such as 60s; 0 is for ever
    #[arg(long, short = 't', value_name = "DURATION", default_value = "0s", value_parser = span)]
    pub(crate) timeout: std::time::Duration,
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    let ns = serin_spec::duration::parse_ns(text).map_err(|e| e.to_string())?;
    u64::try_from(ns).map(std::time::Duration::from_nanos).map_err(|_| "expected a time from 0s".to_owned())
}

/// `terminate`
#[derive(Debug, Subcommand)]
pub(crate) enum Terminate {
    /// Analysis runs
    #[command(visible_aliases = ["ar", "analysisruns"])]
    Analysisrun(Names),
    /// Experiments
    #[command(visible_aliases = ["exp", "experiments"])]
    Experiment(Names),
}

/// `undo`
#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// Its name
    pub(crate) name: String,
    /// The revision; 0 is the one before the newest
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) to_revision: i64,
}
