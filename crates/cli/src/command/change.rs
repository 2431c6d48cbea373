//! The commands that change something: apply, deploy, promote, rollback, abort, retry, undo, restart, pause, delete.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serin_local::protocol::{Outcome, Request};
use serin_local::view::RolloutView;

use crate::arguments::{Format, Wait};
use crate::command::{lint, views};
use crate::error::CliError;
use crate::output;
use crate::place::Place;

pub(super) async fn apply(place: &mut Place, format: Format, files: &[PathBuf]) -> Result<ExitCode, CliError> {
    let sources = match place.is_cluster() {
        true => lint::checked_for_cluster(files)?,
        false => lint::checked_alone(files)?,
    };
    let sources = sources.into_iter().map(|s| (s.name, s.text)).collect();
    let outcomes: Vec<Outcome> = place.ask(&Request::Apply { sources }).await?;
    show(format, &outcomes)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(
    place: &mut Place,
    format: Format,
    request: Request,
    service: &str,
    wait: Option<&Wait>,
) -> Result<ExitCode, CliError> {
    let outcomes: Vec<Outcome> = place.ask(&request).await?;
    let waits = wait.filter(|w| w.wait);
    if waits.is_none() || format == Format::Text {
        show(format, &outcomes)?;
    }
    match waits {
        None => Ok(ExitCode::SUCCESS),
        Some(wait) => {
            let views = until_final(place, Some(service), wait, format).await?;
            output::machine(format, &views)?;
            verdict(&views)
        }
    }
}

fn show(format: Format, outcomes: &[Outcome]) -> Result<(), CliError> {
    if !output::machine(format, &outcomes)? {
        outcomes.iter().for_each(|o| output::line(&o.message));
    }
    Ok(())
}

/// Waits until nothing happens by itself any more, telling every change of phase and step.
pub(super) async fn until_final(
    place: &mut Place,
    service: Option<&str>,
    wait: &Wait,
    format: Format,
) -> Result<Vec<RolloutView>, CliError> {
    let end = Instant::now() + Duration::from_secs(wait.timeout);
    let mut told: Vec<String> = Vec::new();
    loop {
        let views = views(place, service).await?;
        for view in &views {
            let line = progress(view);
            if format == Format::Text && !told.contains(&line) {
                output::line(&line);
                told.push(line);
            }
        }
        // A view taken before the change was decided still shows the former end.
        if views.iter().all(|v| v.is_final() && v.is_settled()) {
            return Ok(views);
        }
        if let Some(view) = views.iter().find(|v| v.waits_for_person()) {
            let name = &view.name;
            let message = format!("{name} waits for a person: {}", view.message);
            return Err(CliError::usage(
                message,
                format!("go on with `serin promote {name}`, or stop with `serin abort {name}`"),
            ));
        }
        if Instant::now() > end {
            return Err(CliError::Rollout(format!("no outcome within {} s", wait.timeout)));
        }
        tokio::time::sleep(place.look_every()).await;
    }
}

fn progress(view: &RolloutView) -> String {
    let step = match (view.step_index, view.steps.len()) {
        (Some(done), total) if total > 0 => format!(" step {}/{total}", done.min(total)),
        _ => String::new(),
    };
    let because = if view.message.is_empty() { String::new() } else { format!(": {}", view.message) };
    let weight = view.weight.share(view.weight.actual.unwrap_or(view.weight.set));
    let percent = if view.weight.total == 100 { "%" } else { "" };
    format!("{} {}{step} {weight}{percent}{because}", view.name, view.phase)
}

/// Exit code 1 when a rollout ended badly.
pub(super) fn verdict(views: &[RolloutView]) -> Result<ExitCode, CliError> {
    let bad: Vec<&str> = views.iter().filter(|v| v.phase == "Degraded").map(|v| v.name.as_str()).collect();
    match bad.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(CliError::Rollout(format!("{} ended degraded; see `serin explain {}`", bad.join(", "), bad[0]))),
    }
}
