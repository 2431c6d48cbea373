//! `serin get rollout`: one rollout in full, once or again and again.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use serin_local::view::RolloutView;

use crate::arguments::{Format, GetRollout};
use crate::command::view;
use crate::error::CliError;
use crate::place::Place;
use crate::{output, screen};

/// Time between two looks while watching.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Columns and rows that plain output is drawn with.
const PLAIN: (u16, u16) = (110, 60);

pub(super) async fn rollout(place: &mut Place, format: Format, get: &GetRollout) -> Result<ExitCode, CliError> {
    let first = view(place, &get.service).await?;
    let name = format!("{}/{}", first.namespace, first.name);
    match (get.watch, format, std::io::stdout().is_terminal()) {
        (false, Format::Text, _) => output::line(screen::plain(&first, PLAIN)),
        (false, ..) => {
            output::machine(format, &first)?;
        }
        (true, Format::Text, true) => live(place, &name, first).await?,
        (true, ..) => lines(place, &name, format, first).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes as lines (or one JSON or YAML document each), until nothing happens by itself any more.
async fn lines(place: &mut Place, name: &str, format: Format, first: RolloutView) -> Result<(), CliError> {
    let mut told = Vec::new();
    let mut now = first;
    loop {
        let new: Vec<String> = screen::lines(&now).into_iter().filter(|l| !told.contains(l)).collect();
        if !new.is_empty() && !output::machine(format, &now)? {
            new.iter().for_each(output::line);
        }
        told.extend(new);
        if now.is_final() && now.is_settled() {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY.max(place.look_every())).await;
        now = view(place, name).await?;
    }
}

/// The live view. `q`, Escape or Ctrl-C leave it; it goes on by itself when the control process is restarted.
async fn live(place: &mut Place, name: &str, first: RolloutView) -> Result<(), CliError> {
    let failed = || CliError::io("draw on the terminal");
    let mut terminal = ratatui::try_init().map_err(failed())?;
    let mut now = first;
    let mut lost: Option<String> = None;
    let result = loop {
        if let Err(error) = terminal.draw(|frame| screen::draw(frame, &now, lost.as_deref())) {
            break Err(failed()(error));
        }
        match left(LOOK_EVERY.max(place.look_every())).await {
            Ok(true) => break Ok(()),
            Ok(false) => {}
            Err(error) => break Err(failed()(error)),
        }
        match view(place, name).await {
            Ok(view) => (now, lost) = (view, None),
            Err(error) => lost = Some(error.to_string()),
        }
    };
    ratatui::restore();
    result
}

/// Waits for the next look; whether the reader wants to leave.
async fn left(look_every: Duration) -> std::io::Result<bool> {
    let waits = tokio::task::spawn_blocking(move || -> std::io::Result<bool> {
        if !event::poll(look_every)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let interrupted = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
        Ok(interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
    });
    waits.await.map_err(std::io::Error::other)?
}
