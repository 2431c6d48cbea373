//! The commands, one file each.

mod change;
mod controller;
pub(crate) use explain::mark;
mod demo;
mod experiment;
mod explain;
mod get;
mod history;
mod install;
mod lint;
mod logs;
mod migrate;
mod proxy;
mod simulate;
mod status;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use serin_local::client::Client;
use serin_local::protocol::Request;
use serin_local::view::RolloutView;

use crate::arguments::{Cli, Command, Format, Get, List, Listed, Meant, Migrate, Terminate};
use crate::error::CliError;
use crate::output;

/// Runs a command.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { state, output, command, .. } = cli;
    if output == Format::Sarif && !matches!(command, Command::Lint(_)) {
        return Err(CliError::usage("only lint writes SARIF", "use --output json"));
    }
    match command {
        Command::Proxy(proxy) => return proxy::run(proxy),
        Command::Controller(controller) => return controller::run(*controller),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "serin", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        Command::Man { folder } => return man(&folder),
        Command::Lint(lint) => return lint::run(&lint, output),
        Command::Simulate(simulate) => return simulate::run(&simulate, output),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start the runtime"))?;
    runtime.block_on(talking(state, output, command))
}

async fn talking(state: PathBuf, output: Format, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Up(up) => up::up(&state, up).await,
        Command::Down => up::down(&state).await,
        Command::Apply(apply) => change::apply(&state, output, &apply.files).await,
        Command::Deploy(d) => {
            let request = Request::Deploy { service: d.service.clone(), version: d.version, container: d.container };
            change::run(&state, output, request, &d.service, Some(&d.wait)).await
        }
        Command::Promote(p) => {
            let request = Request::Promote { service: p.service.clone(), full: p.full };
            change::run(&state, output, request, &p.service, Some(&p.wait)).await
        }
        Command::Rollback(r) => {
            let request = Request::Rollback { service: r.service.clone() };
            change::run(&state, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Retry(r) => {
            let request = Request::Retry { service: r.service.clone() };
            change::run(&state, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Undo(u) => {
            let request = Request::Undo { service: u.service.clone(), to_revision: u.to_revision };
            change::run(&state, output, request, &u.service, Some(&u.wait)).await
        }
        Command::Restart(r) => {
            let request = Request::Restart { service: r.service.clone(), in_seconds: r.within };
            change::run(&state, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Abort(s) => {
            change::run(&state, output, Request::Abort { service: s.service.clone() }, &s.service, None).await
        }
        Command::Pause(s) => {
            change::run(&state, output, Request::Pause { service: s.service.clone() }, &s.service, None).await
        }
        Command::Delete(named) => {
            let (request, name) = match named.meant()? {
                Meant::Service(name) => (Request::Delete { service: name.to_owned() }, name),
                Meant::Experiment(name) => (Request::DeleteExperiment { experiment: name.to_owned() }, name),
            };
            change::run(&state, output, request, name, None).await
        }
        Command::Terminate(Terminate::Experiment { name }) => {
            change::run(&state, output, Request::Terminate { experiment: name.clone() }, &name, None).await
        }
        Command::Status(s) => status::status(&state, output, s).await,
        Command::Info => status::info(&state, output).await,
        Command::List(List { what: Listed::Rollouts }) => status::list(&state, output).await,
        Command::List(List { what: Listed::Experiments }) => experiment::list(&state, output).await,
        Command::Get(Get::Rollout(get)) => get::rollout(&state, output, &get).await,
        Command::Get(Get::Experiment(get)) => experiment::get(&state, output, &get).await,
        Command::History(s) => history::run(&state, output, &s.service).await,
        Command::Logs(l) => logs::run(&state, &l).await,
        Command::Explain(named) => match named.meant()? {
            Meant::Service(service) => explain::run(&state, output, service).await,
            Meant::Experiment(name) => experiment::explain(&state, output, name).await,
        },
        Command::Query { query } => {
            let answer: String = Client::connect(&state).await?.ask(&Request::Query { query }).await?;
            output::line(answer);
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(demo) => demo::run(demo, output).await,
        Command::Install(install) => install::run(&install, output).await,
        Command::Migrate(Migrate::Deployment(migrate)) => migrate::run(&migrate, output).await,
        Command::Proxy(_)
        | Command::Controller(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Lint(_)
        | Command::Simulate(_) => Err(CliError::Bug("a command came to the wrong place".to_owned())),
    }
}

/// The rollouts a service name means, as they are now.
async fn views(client: &mut Client, service: Option<&str>) -> Result<Vec<RolloutView>, CliError> {
    Ok(client.ask(&Request::Status { service: service.map(str::to_owned) }).await?)
}

/// The one rollout a service name means.
async fn view(client: &mut Client, service: &str) -> Result<RolloutView, CliError> {
    let mut views = views(client, Some(service)).await?;
    match (views.pop(), views.is_empty()) {
        (Some(view), true) => Ok(view),
        _ => Err(CliError::usage("this command is for one service", "name one of those that `serin list` shows")),
    }
}

fn man(folder: &Path) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(folder).map_err(CliError::io(format!("make {}", folder.display())))?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(CliError::io(format!("write to {}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}
