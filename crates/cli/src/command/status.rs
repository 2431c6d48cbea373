//! `serin status` and `serin list`: one line per rollout.

use std::path::Path;
use std::process::ExitCode;

use serin_local::protocol::{Info, Request};
use serin_local::view::RolloutView;

use crate::arguments::{Format, Status};
use crate::command::{change, views};
use crate::error::CliError;
use crate::output::{self, tag};
use crate::place::Place;

pub(super) async fn status(place: &mut Place, format: Format, status: Status) -> Result<ExitCode, CliError> {
    let service = status.service.as_deref();
    if status.wait.wait {
        let views = change::until_final(place, service, &status.wait, format).await?;
        output::machine(format, &views)?;
        return change::verdict(&views);
    }
    let views = views(place, service).await?;
    if !output::machine(format, &views)? {
        output::line(table(&views));
        for view in views.iter().filter(|v| !v.message.is_empty() && v.phase != "Healthy") {
            output::line(format!("{}: {}", view.name, view.message));
        }
    }
    match service {
        Some(_) => change::verdict(&views),
        None => Ok(ExitCode::SUCCESS),
    }
}

pub(super) async fn list(place: &mut Place, format: Format) -> Result<ExitCode, CliError> {
    let views = views(place, None).await?;
    if !output::machine(format, &views)? {
        output::line(table(&views));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn info(state: &Path, format: Format) -> Result<ExitCode, CliError> {
    let info: Info = Place::machine(state).ask(&Request::Info).await?;
    if !output::machine(format, &info)? {
        output::line(format!("serin {} (process {})", info.version, info.pid));
        let router = info.router_pid.map_or_else(|| "not running".to_owned(), |pid| format!("process {pid}"));
        output::line(format!("router on http://{} ({router})", info.router));
        if let Some(status) = &info.status {
            output::line(format!("status on http://{status}"));
        }
        output::line(format!("clock {} at {}x", output::time_of_day(info.now_ms), info.speed));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(views: &[RolloutView]) -> String {
    if views.is_empty() {
        return "no rollouts".to_owned();
    }
    let row = |v: &RolloutView| {
        let step = match (v.step_index, v.steps.len()) {
            (Some(done), total) if total > 0 => format!("{}/{total}", done.min(total)),
            _ => "-".to_owned(),
        };
        let weight = match v.weight.actual {
            Some(actual) => v.weight.share(actual),
            None => format!("{} (wanted)", v.weight.share(v.weight.set)),
        };
        vec![
            v.name.clone(),
            v.phase.clone(),
            step,
            weight,
            format!("{}/{}", v.replicas.ready, v.replicas.desired),
            tag(&v.image),
            tag(&v.stable_image),
        ]
    };
    let head = ["NAME", "STATUS", "STEP", "WEIGHT", "READY", "VERSION", "STABLE"];
    output::table(&head, &views.iter().map(row).collect::<Vec<_>>())
}
