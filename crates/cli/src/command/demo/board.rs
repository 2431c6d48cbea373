//! What a person sees while the demo runs: the story so far, and below it one line per service, drawn anew in a terminal.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};

use serin_local::EventRecord;
use serin_local::view::RolloutView;

use crate::command::mark;
use crate::output::{tag, time_of_day};

/// Cells of a weight bar.
const BAR: u32 = 20;

/// Events that tell the story of steps; the others are for `serin history`.
pub(super) const OF_STEPS: &[&str] = &[
    "RolloutStepCompleted",
    "AnalysisRunEnded",
    "RolloutAborted",
    "RolloutCompleted",
    "TrafficWeightUpdated",
    "ScrapeFailed",
    "RouterStarted",
];

/// Events that tell the story of a switch.
pub(super) const OF_A_SWITCH: &[&str] = &[
    "AnalysisRunEnded",
    "RolloutAborted",
    "RolloutCompleted",
    "RolloutPaused",
    "ScrapeFailed",
    "SwitchService",
    "RouterStarted",
];

/// The board. Without a terminal the story is plain lines; silent, nothing is printed.
pub(super) struct Board {
    shown: bool,
    story: &'static [&'static str],
    live: bool,
    drawn: usize,
    told: BTreeSet<(i64, String, String)>,
    last: Vec<String>,
}

impl Board {
    pub(super) fn new(shown: bool, story: &'static [&'static str]) -> Self {
        let live = shown && std::io::stdout().is_terminal();
        Self { shown, story, live, drawn: 0, told: BTreeSet::new(), last: Vec::new() }
    }

    /// Adds a line to the story.
    pub(super) fn say(&mut self, text: &str) {
        if !self.shown {
            return;
        }
        let lines = std::mem::take(&mut self.last);
        self.clear();
        crate::output::line(text);
        self.draw(lines);
    }

    /// Tells an event once.
    pub(super) fn event(&mut self, event: &EventRecord) {
        let once = self.told.insert((event.at_ms, event.object.clone(), event.message.clone()));
        if !once || !self.story.contains(&event.reason.as_str()) {
            return;
        }
        let name = event.object.rsplit('/').next().unwrap_or_default();
        let mark = if event.warning { "!" } else { " " };
        self.say(&format!("{} {mark} {name:<22} {}", time_of_day(event.at_ms), event.message));
    }

    /// Draws the services.
    pub(super) fn show(&mut self, views: &[RolloutView]) {
        if self.live {
            self.clear();
            self.draw(views.iter().map(line).collect());
        }
    }

    fn draw(&mut self, lines: Vec<String>) {
        if !self.live {
            return;
        }
        for text in &lines {
            crate::output::line(text);
        }
        self.drawn = lines.len();
        self.last = lines;
    }

    /// Takes the drawn lines away.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            print!("\x1b[{}A\x1b[J", self.drawn);
            // A terminal that is gone is noticed with the next line.
            let _ = std::io::stdout().flush();
            self.drawn = 0;
        }
    }
}

fn line(view: &RolloutView) -> String {
    let weight = view.weight.actual.unwrap_or(view.weight.set);
    let cells = (weight * BAR / view.weight.total.max(1)) as usize;
    let bar = format!("{}{}", "█".repeat(cells), "░".repeat(BAR as usize - cells.min(BAR as usize)));
    let step = view.steps.iter().find(|s| s.state == "current").map_or("", |s| s.text.as_str());
    let rate: f64 = view.traffic.iter().map(|t| t.rate).sum();
    let versions = match view.promoted {
        true => tag(&view.image),
        false => format!("{} -> {}", tag(&view.stable_image), tag(&view.image)),
    };
    format!(
        "  {} {:<22} {bar} {weight:>3}%  {versions:<18} {:>5.1}/s  {:<11} {step}",
        mark(&view.phase),
        view.name,
        rate,
        view.phase
    )
}
