//! The command line of `kubectl argo rollouts`, flag by flag.

use std::path::PathBuf;

use clap::{ArgAction, Args, Command, CommandFactory as _, Parser, Subcommand};
use serin_cluster::{Options, Overrides};

use crate::error::CliError;

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

/// kubectl's own flags.
//= compat: 7.1-1
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The namespace
    #[arg(long, short = 'n', global = true)]
    pub(crate) namespace: Option<String>,
    /// A context of the kubeconfig
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
    /// The kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A cluster of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    cluster: Option<String>,
    /// A user of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    user: Option<String>,
    /// Address of the API server
    #[arg(long, short = 's', global = true, value_name = "URL", hide_short_help = true)]
    server: Option<String>,
    /// Bearer token
    #[arg(long, global = true, hide_short_help = true)]
    token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    impersonate: Option<String>,
    /// Group to impersonate; may be given several times
    #[arg(long, global = true, value_name = "GROUP", hide_short_help = true)]
    as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID", hide_short_help = true)]
    as_uid: Option<String>,
    /// Certificate of the authority that signed the server's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    certificate_authority: Option<PathBuf>,
    /// Client certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_certificate: Option<PathBuf>,
    /// Client key
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    client_key: Option<PathBuf>,
    /// Take whatever certificate the server has
    #[arg(long, global = true, hide_short_help = true)]
    insecure_skip_tls_verify: bool,
    /// Name that the server's certificate must have
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    tls_server_name: Option<String>,
    /// Ask for uncompressed answers
    #[arg(long, global = true, hide_short_help = true)]
    disable_compression: bool,
    /// Accepted and not used: nothing is cached
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    cache_dir: Option<PathBuf>,
    /// Longest wait for one answer, such as 30s; 0 waits for ever
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    request_timeout: Option<String>,
    /// Log level of the client, from 0
    #[arg(
        long = "kloglevel",
        short = 'v',
        global = true,
        value_name = "N",
        default_value_t = 0,
        hide_short_help = true
    )]
    pub(crate) kloglevel: u8,
    /// Log level: error, warning, info or debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info", hide_short_help = true)]
    pub(crate) loglevel: String,
}

/// As long as nobody waits for one answer.
const FOREVER: std::time::Duration = std::time::Duration::from_hours(24);

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

impl Connection {
    /// What the client is told.
    ///
    /// # Errors
    /// When the time-out is no time.
    pub(crate) fn options(&self) -> Result<Options, CliError> {
        Ok(Options {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            impersonate: self.impersonate.clone(),
            timeout: self.request_timeout.as_deref().map(timeout).transpose()?,
            overrides: Overrides {
                cluster: self.cluster.clone(),
                user: self.user.clone(),
                server: self.server.clone(),
                token: self.token.clone(),
                groups: self.as_group.clone(),
                uid: self.as_uid.clone(),
                certificate_authority: self.certificate_authority.clone(),
                client_certificate: self.client_certificate.clone(),
                client_key: self.client_key.clone(),
                insecure: self.insecure_skip_tls_verify,
                tls_server_name: self.tls_server_name.clone(),
                disable_compression: self.disable_compression,
            },
        })
    }
}

fn timeout(text: &str) -> Result<std::time::Duration, CliError> {
    let wrong = || CliError::usage(format!("{text:?} is no request time-out"), "write for example 30s, or 0");
    let ms = match text.parse::<i64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => serin_spec::duration::parse_ms(text).map_err(|_| wrong())?,
    };
    match u64::try_from(ms).map_err(|_| wrong())? {
        0 => Ok(FOREVER),
        ms => Ok(std::time::Duration::from_millis(ms)),
    }
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
