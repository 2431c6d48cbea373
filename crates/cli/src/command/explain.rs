//! `serin explain`: why a rollout is where it is, from the decision's own reasons and the measurements.

use std::process::ExitCode;

use serin_local::EventRecord;
use serin_local::protocol::Request;
use serin_local::view::{MetricView, RolloutView, RunView, ServiceView};

use crate::arguments::Format;
use crate::command::view;
use crate::error::CliError;
use crate::evidence;
use crate::output::{self, age, tag, time_of_day};
use crate::place::Place;

/// Events told on a cluster, where they say what else happened to a rollout.
const EVENTS: usize = 10;

pub(super) async fn run(place: &mut Place, format: Format, service: &str) -> Result<ExitCode, CliError> {
    let view = view(place, service).await?;
    if output::machine(format, &view)? {
        return Ok(ExitCode::SUCCESS);
    }
    output::line(text(&view));
    if place.is_cluster() {
        let name = format!("{}/{}", view.namespace, view.name);
        let events: Vec<EventRecord> = place.ask(&Request::Events { service: Some(name), count: EVENTS }).await?;
        if !events.is_empty() {
            output::line("\nEvents:");
        }
        for event in &events {
            let mark = if event.warning { "!" } else { " " };
            output::line(format!("  {} {mark} {}: {}", time_of_day(event.at_ms), event.reason, event.message));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The explanation.
pub(crate) fn text(view: &RolloutView) -> String {
    let mut out = vec![headline(view)];
    out.extend(services(view));
    if !view.reasons.is_empty() {
        out.push(String::new());
        out.push("Why:".to_owned());
        out.extend(view.reasons.iter().map(|r| format!("  - {}", r.text)));
    }
    let failures = view.pools.iter().filter_map(|p| Some(format!("  - {}: {}", p.hash, p.failure.as_ref()?)));
    let trouble = view.pools.iter().filter(|p| !p.role.is_empty()).flat_map(|p| &p.members).filter(|m| m.restarts > 0);
    let trouble = trouble.map(|m| {
        let why = m.trouble.as_deref().unwrap_or("it ended");
        // Only members of one machine have their logs with us.
        let logs = if m.port > 0 { format!("serin logs {}", m.name) } else { format!("kubectl logs {}", m.name) };
        format!("  - {} was started again {} times: {why} (see `{logs}`)", m.name, m.restarts)
    });
    let members: Vec<String> = failures.chain(trouble).collect();
    if !members.is_empty() {
        out.push(String::new());
        out.push("Members:".to_owned());
        out.extend(members);
    }
    if let Some(run) = view.runs.first() {
        out.push(String::new());
        out.extend(run_text(run, view.now_ms));
    }
    out.extend(experiment(view));
    out.push(String::new());
    out.push(next(view));
    out.join("\n")
}

/// The latest experiment, with its measurements.
fn experiment(view: &RolloutView) -> Vec<String> {
    let Some(experiment) = view.experiments.first() else { return Vec::new() };
    let because = if experiment.message.is_empty() { String::new() } else { format!(": {}", experiment.message) };
    let age = age(view.now_ms - experiment.created_ms);
    let mut out = vec![String::new()];
    out.push(format!("Experiment {} is {}, begun {age} ago{because}", experiment.name, experiment.phase));
    out.extend(experiment.reasons.iter().map(|r| format!("  - {}", r.text)));
    out.extend(experiment.runs.iter().flat_map(|run| run_text(run, view.now_ms)));
    out
}

fn headline(view: &RolloutView) -> String {
    let because = if view.message.is_empty() { String::new() } else { format!(" ({})", view.message) };
    let versions = match view.promoted {
        true => format!("{} is stable", tag(&view.image)),
        false => format!("{} on its way, {} is stable", tag(&view.image), tag(&view.stable_image)),
    };
    format!("{} is {}{because}: {versions}.", view.name, view.phase)
}

/// Where the services of a blue-green rollout lead.
fn services(view: &RolloutView) -> Vec<String> {
    let Some(blue_green) = &view.blue_green else { return Vec::new() };
    let line = |word: &str, service: &ServiceView| {
        let leads = if service.version.is_some() { tag(&service.image) } else { "no version yet".to_owned() };
        format!("  {word} {} leads to {leads} (host {})", service.name, service.host)
    };
    let mut out = vec![line("active ", &blue_green.active)];
    out.extend(blue_green.preview.iter().map(|service| line("preview", service)));
    if blue_green.checkpoint {
        out.push("  the pause is over: it is switched as soon as all members are there".to_owned());
    }
    out
}

pub(super) fn run_text(run: &RunView, now_ms: i64) -> Vec<String> {
    let because = if run.message.is_empty() { String::new() } else { format!(": {}", run.message) };
    let mut out =
        vec![format!("Analysis {} is {}, begun {} ago{because}", run.name, run.phase, age(now_ms - run.created_ms))];
    out.extend(run.metrics.iter().flat_map(metric_text));
    out
}

fn metric_text(metric: &MetricView) -> Vec<String> {
    if let Some(standing) = &metric.standing {
        let dry = if metric.dry_run { " (dry run: decides nothing)" } else { "" };
        let mut out = vec![format!("  {} {}{dry}", mark(&metric.phase), metric.name)];
        out.extend(evidence::lines(standing).into_iter().map(|line| format!("      {line}")));
        return out;
    }
    let condition = match (&metric.success, &metric.failure) {
        (Some(success), _) => format!(", good while {success}"),
        (None, Some(failure)) => format!(", bad when {failure}"),
        (None, None) => ", without a condition".to_owned(),
    };
    let counts = [
        (metric.successful, "good"),
        (metric.failed, "bad"),
        (metric.inconclusive, "neither"),
        (metric.error, "not measured"),
    ];
    let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let limit = match metric.failure_limit {
        n if n < 0 => String::new(),
        n => format!(", fails after {} bad", n + 1),
    };
    let counts = if counts.is_empty() { "not measured yet".to_owned() } else { counts.join(", ") };
    let dry = if metric.dry_run { " (dry run: decides nothing)" } else { "" };
    let mut out = vec![format!("  {} {}: {counts}{condition}{limit}{dry}", mark(&metric.phase), metric.name)];
    for m in metric.measurements.iter().rev().take(5).rev() {
        let message = if m.message.is_empty() { String::new() } else { format!(" ({})", m.message) };
        let value = if m.value.is_empty() { "-" } else { &m.value };
        out.push(format!("      {} {value} {}{message}", time_of_day(m.at_ms), m.phase));
    }
    out
}

/// A mark that is readable without colour.
pub(crate) fn mark(phase: &str) -> &'static str {
    match phase {
        "Successful" | "Healthy" => "✔",
        "Failed" | "Error" | "Degraded" => "✖",
        "Inconclusive" => "?",
        "Paused" => "‖",
        _ => "◌",
    }
}

fn next(view: &RolloutView) -> String {
    let name = &view.name;
    match view.phase.as_str() {
        "Healthy" => "Nothing is left to do.".to_owned(),
        "Degraded" if view.aborted => {
            format!("Next: `serin retry {name}` tries again, `serin rollback {name}` settles on the stable version.")
        }
        _ if view.waits_for_person() => format!("Next: `serin promote {name}` goes on, `serin abort {name}` stops."),
        _ => match view.wake_at_ms.filter(|at| *at > view.now_ms) {
            Some(at) => format!("It is looked at again in {} at the latest.", age(at - view.now_ms)),
            None => "It is looked at again as soon as something changes.".to_owned(),
        },
    }
}
