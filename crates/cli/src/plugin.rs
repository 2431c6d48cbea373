//! `kubectl argo rollouts` and `kubectl serin`: the binary under another name, with the verbs, flags and output of Argo's plugin.

mod arguments;
mod change;
mod completion;
mod connection;
mod create;
mod get;
mod lint;
mod list;
mod status;
mod version;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use serin_cluster::Error;
use serin_kubectl::Paint;
use serin_kubectl::create::CreateError;

use crate::cluster::Cluster;
use crate::error::CliError;
use arguments::{Create, CreateWhat, Get, List, Plugin, Retry, Set, Terminate, Verb};
use connection::Connection;

/// Names under which the binary is a plugin of kubectl; `kubectl argo-rollouts` looks for the one with the underscore.
const NAMES: [&str; 3] = ["kubectl-argo-rollouts", "kubectl-argo_rollouts", "kubectl-serin"];

/// Names under which kubectl asks a plugin what may stand next.
const COMPLETING: [&str; 2] = ["kubectl_complete-argo-rollouts", "kubectl_complete-serin"];

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    /// The cluster says no.
    #[error("{}", said(.0))]
    Cluster(#[from] Error),
    /// It cannot be done.
    #[error(transparent)]
    Verb(#[from] serin_kubectl::VerbError),
    /// Nothing was created.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A flag or a file is wrong.
    #[error(transparent)]
    Cli(#[from] CliError),
    /// In the plugin's own words.
    #[error("{0}")]
    Said(String),
}

/// The server's own words, which scripts know; ours where it was not reached.
fn said(error: &Error) -> String {
    match error {
        Error::Api { message, .. } if !message.is_empty() => message.clone(),
        other => other.to_string(),
    }
}

/// The command line, if the binary was called by a name that makes it a plugin.
pub(crate) fn command_line(mut words: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let called = words.next()?;
    let name = Path::new(&called).file_stem()?.to_str()?.to_owned();
    let begin = match () {
        () if NAMES.contains(&name.as_str()) => None,
        () if COMPLETING.contains(&name.as_str()) => Some(OsString::from("__complete")),
        () => return None,
    };
    Some(std::iter::once(called).chain(begin).chain(words).collect())
}

/// Runs the plugin. Wrong usage and failures end with 1, as the original does.
//= compat: 7.1-1
pub(crate) fn run(words: Vec<OsString>) -> ExitCode {
    if let [_, verb, asked @ ..] = words.as_slice()
        && (verb == "__complete" || verb == "__completeNoDesc")
    {
        let asked: Vec<String> = asked.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        return completion::complete(&asked);
    }
    let parsed = arguments::command().try_get_matches_from(words.clone()).and_then(|m| Plugin::from_arg_matches(&m));
    let plugin = match parsed {
        Ok(plugin) => plugin,
        Err(error) => {
            // Nobody is left to tell when the stream is closed.
            let _ = error.print();
            if error.use_stderr() && !error.to_string().contains("Usage:") {
                eprintln!("\n{}", completion::deepest(&words).render_usage());
            }
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match log(&plugin.connection).and_then(|()| carry_out(plugin)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error}");
            if let PluginError::Cli(error) = &error
                && let Some(hint) = error.hint()
            {
                eprintln!("{hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Diagnostics to standard error, by both of the original's flags.
fn log(connection: &Connection) -> Result<(), PluginError> {
    let level = match (connection.kloglevel, connection.loglevel.to_lowercase().as_str()) {
        (6.., _) | (_, "debug" | "trace") => "debug",
        (4.., _) => "info",
        (_, "info" | "warn" | "warning") => "warn",
        (_, "error" | "fatal" | "panic") => "error",
        (_, other) => return Err(PluginError::Said(format!("not a valid log level: {other:?}"))),
    };
    crate::log::start(level, false);
    Ok(())
}

fn carry_out(plugin: Plugin) -> Result<ExitCode, PluginError> {
    let Plugin { connection, verb } = plugin;
    match verb {
        Verb::Version { short } => return Ok(version::print(short)),
        Verb::Completion { shell } => return Ok(completion::script(shell)),
        Verb::Lint { file } => return lint::run(&file),
        Verb::Dashboard(_) => return Err(elsewhere("the dashboard", DASHBOARD)),
        Verb::Notifications(_) => return Err(elsewhere("notifications", NOTIFICATIONS)),
        _ => {}
    }
    runtime()?.block_on(talking(&connection, verb))
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::io("start the runtime"))
}

//= compat-differs: 7.7-1 there is no dashboard in the plugin: it changed rollouts for whoever reached its port; get --watch shows the same
//= compat-differs: 7.7-2 nothing listens, so there is no REST either; the read-only status of a machine is `serin up --status`
//= compat-differs: 7.7-3 nothing listens for others: whoever runs a verb acts with their own kubeconfig, and nobody through them
const DASHBOARD: &str = "`kubectl argo rollouts get rollout NAME --watch` shows the same in a terminal; Argo's own dashboard works on the same objects";
//= compat-differs: 7.7-4 templates and triggers belong to Argo's notification engine, which goes on working beside us with its own plugin
const NOTIFICATIONS: &str = "Argo's notification engine and its own plugin work on the same objects";

fn elsewhere(what: &str, instead: &str) -> PluginError {
    PluginError::Said(format!("{what} is not part of this plugin: {instead}"))
}

async fn talking(connection: &Connection, verb: Verb) -> Result<ExitCode, PluginError> {
    let cluster = Cluster::connect(&connection.options()?, connection.namespace.as_deref()).await?;
    match verb {
        Verb::Abort(names) => change::abort(&cluster, &names.names).await,
        Verb::Pause(names) => change::pause(&cluster, &names.names).await,
        Verb::Promote(promote) => change::promote(&cluster, &promote).await,
        Verb::Restart(restart) => change::restart(&cluster, &restart).await,
        Verb::Retry(Retry::Rollout(names)) => change::retry_rollouts(&cluster, &names.names).await,
        Verb::Retry(Retry::Experiment(names)) => change::retry_experiments(&cluster, &names.names).await,
        Verb::Terminate(Terminate::Analysisrun(names)) => change::terminate_runs(&cluster, &names.names).await,
        Verb::Terminate(Terminate::Experiment(names)) => change::terminate_experiments(&cluster, &names.names).await,
        Verb::Undo(undo) => change::undo(&cluster, &undo).await,
        Verb::Set(Set::Image { name, image }) => change::set_image(&cluster, &name, &image).await,
        Verb::Create(Create { what: Some(CreateWhat::Analysisrun(run)), .. }) => create::run(&cluster, &run).await,
        Verb::Create(create) => create::files(&cluster, &create).await,
        Verb::Get(Get::Rollout(get)) => get::rollout(&cluster, &get).await,
        Verb::Get(Get::Experiment(get)) => get::experiment(&cluster, &get).await,
        Verb::List(List::Rollouts(list)) => list::rollouts(&cluster, &list).await,
        Verb::List(List::Experiments { all_namespaces }) => list::experiments(&cluster, all_namespaces).await,
        Verb::Status(status) => status::run(&cluster, &status).await,
        Verb::Version { .. }
        | Verb::Completion { .. }
        | Verb::Lint { .. }
        | Verb::Dashboard(_)
        | Verb::Notifications(_) => Err(CliError::Bug("a verb came to the wrong place".to_owned()).into()),
    }
}

/// Colours are for terminals, unless somebody says otherwise.
fn paint(no_color: bool) -> Paint {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let plain = no_color || dumb || std::env::var_os("NO_COLOR").is_some() || !std::io::stdout().is_terminal();
    if plain { Paint::Plain } else { Paint::Colour }
}
