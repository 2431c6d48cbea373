//! `serin history`: the revisions of a service and what happened to it.

use std::process::ExitCode;

use serde::Serialize;
use serin_local::EventRecord;
use serin_local::protocol::Request;
use serin_local::view::PoolView;

use crate::arguments::Format;
use crate::command::view;
use crate::error::CliError;
use crate::output::{self, age, time_of_day};
use crate::place::Place;

/// Events shown.
const EVENTS: usize = 40;

#[derive(Serialize)]
struct History {
    revisions: Vec<PoolView>,
    events: Vec<EventRecord>,
}

pub(super) async fn run(place: &mut Place, format: Format, service: &str) -> Result<ExitCode, CliError> {
    let view = view(place, service).await?;
    let name = format!("{}/{}", view.namespace, view.name);
    let events: Vec<EventRecord> = place.ask(&Request::Events { service: Some(name), count: EVENTS }).await?;
    let history = History { revisions: view.pools, events };
    if output::machine(format, &history)? {
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = history
        .revisions
        .iter()
        .map(|p| {
            let role = if p.role.is_empty() { "-" } else { &p.role };
            vec![
                p.revision.to_string(),
                p.hash.clone(),
                role.to_owned(),
                age(view.now_ms - p.created_ms),
                p.image.clone(),
            ]
        })
        .collect();
    output::line(output::table(&["REVISION", "HASH", "ROLE", "AGE", "IMAGE"], &rows));
    output::line("");
    for event in &history.events {
        let mark = if event.warning { "!" } else { " " };
        output::line(format!("{} {mark} {:<22} {}", time_of_day(event.at_ms), event.reason, event.message));
    }
    Ok(ExitCode::SUCCESS)
}
