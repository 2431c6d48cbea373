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
mod labels;
mod lint;
mod logs;
mod migrate;
mod plan;
mod proxy;
mod replay;
mod report;
mod simulate;
mod status;
mod up;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use serin_local::protocol::Request;
use serin_local::view::RolloutView;

use crate::arguments::{Cli, Command, Format, Get, Kube, List, Listed, Meant, Migrate, Terminate};
use crate::cluster::Cluster;
use crate::error::CliError;
use crate::output;
use crate::place::Place;

/// Runs a command.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { state, output, command, kube, .. } = cli;
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
        Command::Lint(lint) if !kube.is_asked() || lint.list || lint.explain.is_some() => {
            return lint::run(&lint, output);
        }
        Command::Replay(wanted) if !kube.is_asked() => return replay::run(&state, &wanted, output),
        Command::Report(wanted) if !kube.is_asked() => return report::run(&state, &wanted, output),
        Command::Simulate(simulate) => return simulate::run(&simulate, output),
        Command::Plan(plan) if kube.is_asked() => return plan::on_cluster(&plan, output),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start the runtime"))?;
    runtime.block_on(async {
        match command {
            // They have the same flags, and work on nothing else.
            Command::Install(install) => install::run(&install, output).await,
            Command::Migrate(Migrate::Deployment(migrate)) => migrate::run(&migrate, output).await,
            command if kube.is_asked() => on_cluster(&kube, output, command).await,
            command => talking(state, output, command).await,
        }
    })
}

/// Commands of one machine; what clusters answer too is asked through a [`Place`].
async fn talking(state: PathBuf, output: Format, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Up(up) => up::up(&state, up).await,
        Command::Down => up::down(&state).await,
        Command::Apply(apply) => change::apply(&mut Place::machine(state), output, &apply.files).await,
        Command::Plan(plan) => plan::run(&mut Place::machine(state), output, &plan).await,
        Command::Info => status::info(&state, output).await,
        Command::Logs(l) => logs::run(&state, &l).await,
        Command::Labels(l) => labels::run(&mut Place::machine(state), output, &l).await,
        Command::Query { query } => {
            let answer: String = Place::machine(state).ask(&Request::Query { query }).await?;
            output::line(answer);
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(demo) => demo::run(demo, output).await,
        other => asking(&mut Place::machine(state), output, other).await,
    }
}

/// Commands on a cluster.
async fn on_cluster(kube: &Kube, output: Format, command: Command) -> Result<ExitCode, CliError> {
    let cluster = Box::new(Cluster::connect(&kube.options(), kube.namespace.as_deref()).await?);
    match command {
        Command::Lint(lint) => lint::on_cluster(&cluster, &lint, output).await,
        Command::Apply(apply) => change::apply(&mut Place::Cluster(cluster), output, &apply.files).await,
        Command::Up(_)
        | Command::Down
        | Command::Info
        | Command::Logs(_)
        | Command::Labels(_)
        | Command::Query { .. }
        | Command::Replay(_)
        | Command::Report(_)
        | Command::Demo(_) => {
            let instead = "leave out --kube-context, --kubeconfig and --namespace";
            Err(CliError::usage("this command is for one machine", instead))
        }
        other => asking(&mut Place::Cluster(cluster), output, other).await,
    }
}

/// Commands that are the same wherever the rollouts are.
async fn asking(place: &mut Place, output: Format, command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Deploy(d) => {
            let request = Request::Deploy { service: d.service.clone(), version: d.version, container: d.container };
            change::run(place, output, request, &d.service, Some(&d.wait)).await
        }
        Command::Promote(p) => {
            let request = Request::Promote { service: p.service.clone(), full: p.full };
            change::run(place, output, request, &p.service, Some(&p.wait)).await
        }
        Command::Rollback(r) => {
            let request = Request::Rollback { service: r.service.clone() };
            change::run(place, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Retry(r) => {
            let request = Request::Retry { service: r.service.clone() };
            change::run(place, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Undo(u) => {
            let request = Request::Undo { service: u.service.clone(), to_revision: u.to_revision };
            change::run(place, output, request, &u.service, Some(&u.wait)).await
        }
        Command::Restart(r) => {
            let request = Request::Restart { service: r.service.clone(), in_seconds: r.within };
            change::run(place, output, request, &r.service, Some(&r.wait)).await
        }
        Command::Abort(s) => {
            change::run(place, output, Request::Abort { service: s.service.clone() }, &s.service, None).await
        }
        Command::Pause(s) => {
            change::run(place, output, Request::Pause { service: s.service.clone() }, &s.service, None).await
        }
        Command::Delete(named) => {
            let (request, name) = match named.meant()? {
                Meant::Service(name) => (Request::Delete { service: name.to_owned() }, name),
                Meant::Experiment(name) => (Request::DeleteExperiment { experiment: name.to_owned() }, name),
            };
            change::run(place, output, request, name, None).await
        }
        Command::Terminate(Terminate::Experiment { name }) => {
            change::run(place, output, Request::Terminate { experiment: name.clone() }, &name, None).await
        }
        Command::Status(s) => status::status(place, output, s).await,
        Command::List(List { what: Listed::Rollouts }) => status::list(place, output).await,
        Command::List(List { what: Listed::Experiments }) => experiment::list(place, output).await,
        Command::Get(Get::Rollout(get)) => get::rollout(place, output, &get).await,
        Command::Get(Get::Experiment(get)) => experiment::get(place, output, &get).await,
        Command::History(s) => history::run(place, output, &s.service).await,
        Command::Explain(named) => match named.meant()? {
            Meant::Service(service) => explain::run(place, output, service).await,
            Meant::Experiment(name) => experiment::explain(place, output, name).await,
        },
        _ => Err(CliError::Bug("a command came to the wrong place".to_owned())),
    }
}

/// The rollouts a service name means, as they are now.
async fn views(place: &mut Place, service: Option<&str>) -> Result<Vec<RolloutView>, CliError> {
    place.ask(&Request::Status { service: service.map(str::to_owned) }).await
}

/// The one rollout a service name means.
async fn view(place: &mut Place, service: &str) -> Result<RolloutView, CliError> {
    let mut views = views(place, Some(service)).await?;
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
