//! What happened, line by line, each with the second at which it did.

use std::fmt::Write as _;

use serin_core::experiment::ExperimentAction;
use serin_core::{Action, Status, Time};

use crate::world::Happening;

/// A transcript as it grows.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// The time that counts as 0.
    epoch: Time,
    text: String,
    last_state: String,
    /// Texts that are shown as others: hashes as the versions they stand for.
    names: Vec<(String, String)>,
}

impl Transcript {
    /// An empty one, whose times count from `epoch`.
    pub fn new(epoch: Time) -> Self {
        Self { epoch, text: String::new(), last_state: String::new(), names: Vec::new() }
    }

    /// Shows one text as another in what is told from now on.
    pub fn rename(&mut self, text: impl Into<String>, shown: impl Into<String>) {
        self.names.push((text.into(), shown.into()));
    }

    /// What was told so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a line.
    pub fn say(&mut self, now: Time, what: &str) {
        let seconds = now.since(self.epoch).as_secs();
        let shown = self.names.iter().fold(what.to_owned(), |what, (text, shown)| what.replace(text, shown));
        let _ = writeln!(self.text, "{seconds:>5}s  {shown}");
    }

    /// An action in words, its times counted like all others here.
    fn asked(&self, action: &Action) -> String {
        match action {
            Action::SetScaleDownAt { hash, at: Some(at) } => {
                format!("pool {hash} goes to 0 at {}s", at.since(self.epoch).as_secs())
            }
            other => other.to_string(),
        }
    }

    /// Tells what happened, and where the rollout stands if that is news.
    pub fn tell(&mut self, now: Time, happening: &Happening, status: &Status) {
        match happening {
            Happening::Measured { run, metric, value, phase } => {
                self.say(now, &format!("{run}: {metric} = {} {phase}", if value.is_empty() { "?" } else { value }));
            }
            Happening::RunEnded { run, phase, message } => {
                let message = if message.is_empty() { String::new() } else { format!(": {message}") };
                self.say(now, &format!("{run} is {phase}{message}"));
            }
            Happening::Experimented(name, decision) => {
                for event in decision.events.iter().chain(&decision.owner_events) {
                    self.say(now, &format!("{}{}", if event.warning { "! " } else { "" }, event.message));
                }
                for action in &decision.actions {
                    let asked = match action {
                        ExperimentAction::SetScaleDownAt { template, at: Some(at) } => {
                            format!("pool {template} goes to 0 at {}s", at.since(self.epoch).as_secs())
                        }
                        other => other.to_string(),
                    };
                    self.say(now, &format!("  -> {name}: {asked}"));
                }
            }
            Happening::Fault(what) => self.say(now, &format!("fault: {what}")),
            Happening::Decided(decision) => {
                for event in &decision.events {
                    self.say(now, &format!("{}{}", if event.warning { "! " } else { "" }, event.message));
                }
                for action in &decision.actions {
                    self.say(now, &format!("  -> {}", self.asked(action)));
                }
                let state = state(status);
                if self.last_state != state {
                    self.say(now, &state);
                    self.last_state = state;
                }
            }
        }
    }
}

/// Where a rollout stands.
fn state(status: &Status) -> String {
    let step = status.step_index.map_or(String::new(), |i| format!(" step {i}"));
    let message = if status.message.is_empty() { String::new() } else { format!(" ({})", status.message) };
    format!("== {}{step}{message}", status.phase.as_str())
}
