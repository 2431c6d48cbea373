//! `serin list experiments`, `get experiment`, `explain experiment`: experiments as tables and sentences.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crossterm::{cursor, queue, terminal};
use serin_local::protocol::Request;
use serin_local::view::{ExperimentTemplateView, ExperimentView};

use super::explain::run_text;
use crate::arguments::{Format, GetExperiment};
use crate::command::mark;
use crate::error::{self, CliError};
use crate::output::{self, age, tag, time_of_day};
use crate::place::Place;

/// Time between two looks while watching.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn list(place: &mut Place, format: Format) -> Result<ExitCode, CliError> {
    let views: Vec<ExperimentView> = place.ask(&Request::Experiments { name: None }).await?;
    if !output::machine(format, &views)? {
        output::line(table(&views));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn get(place: &mut Place, format: Format, get: &GetExperiment) -> Result<ExitCode, CliError> {
    let mut now = view(place, &get.name).await?;
    let name = format!("{}/{}", now.namespace, now.name);
    let live = get.watch && format == Format::Text && std::io::stdout().is_terminal();
    let mut told: Vec<String> = Vec::new();
    loop {
        if live {
            redraw(&text(&now))?;
        } else if !get.watch {
            if !output::machine(format, &now)? {
                output::line(text(&now));
            }
        } else {
            let new: Vec<String> = lines(&now).into_iter().filter(|l| !told.contains(l)).collect();
            if !new.is_empty() && !output::machine(format, &now)? {
                new.iter().for_each(output::line);
            }
            told.extend(new);
        }
        if !get.watch || now.is_final() {
            return Ok(verdict(&now));
        }
        tokio::time::sleep(LOOK_EVERY.max(place.look_every())).await;
        now = view(place, &name).await?;
    }
}

pub(super) async fn explain(place: &mut Place, format: Format, name: &str) -> Result<ExitCode, CliError> {
    let view = view(place, name).await?;
    if !output::machine(format, &view)? {
        output::line(explained(&view));
    }
    Ok(ExitCode::SUCCESS)
}

async fn view(place: &mut Place, name: &str) -> Result<ExperimentView, CliError> {
    let mut views: Vec<ExperimentView> = place.ask(&Request::Experiments { name: Some(name.to_owned()) }).await?;
    views.pop().ok_or_else(|| CliError::Bug("the control process told of no experiment".to_owned()))
}

/// An experiment that ended other than well is a failure, for scripts that watch it to its end.
fn verdict(view: &ExperimentView) -> ExitCode {
    match view.is_final() && view.phase != "Successful" {
        true => ExitCode::from(error::FAILED),
        false => ExitCode::SUCCESS,
    }
}

fn redraw(text: &str) -> Result<(), CliError> {
    let failed = || CliError::io("draw on the terminal");
    let mut out = std::io::stdout().lock();
    queue!(out, terminal::Clear(terminal::ClearType::All), cursor::MoveTo(0, 0)).map_err(failed())?;
    writeln!(out, "{text}").map_err(failed())?;
    out.flush().map_err(failed())
}

fn table(views: &[ExperimentView]) -> String {
    if views.is_empty() {
        return "no experiments".to_owned();
    }
    let row = |v: &ExperimentView| {
        let templates: Vec<String> = v.templates.iter().map(|t| format!("{} {}", t.name, tag(&t.image))).collect();
        vec![
            v.name.clone(),
            phase(v),
            age(v.now_ms - v.created_ms),
            left(v).unwrap_or_else(|| "-".to_owned()),
            templates.join(", "),
            v.rollout.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let head = ["NAME", "STATUS", "AGE", "LEFT", "TEMPLATES", "ROLLOUT"];
    output::table(&head, &views.iter().map(row).collect::<Vec<_>>())
}

fn phase(view: &ExperimentView) -> String {
    if view.phase.is_empty() { "Invalid".to_owned() } else { view.phase.clone() }
}

/// What is left of its time.
fn left(view: &ExperimentView) -> Option<String> {
    view.ends_at_ms.filter(|at| *at > view.now_ms).map(|at| age(at - view.now_ms))
}

/// An experiment in full.
fn text(view: &ExperimentView) -> String {
    let mut out = vec![headline(view)];
    for template in &view.templates {
        out.extend(template_lines(view, template));
    }
    for run in &view.runs {
        out.push(String::new());
        out.extend(run_text(run, view.now_ms));
    }
    out.push(String::new());
    out.extend(view.reasons.iter().map(|r| format!("  why: {}", r.text)));
    out.join("\n")
}

fn headline(view: &ExperimentView) -> String {
    let because = if view.message.is_empty() { String::new() } else { format!(" ({})", view.message) };
    let owner = view.rollout.as_ref().map_or_else(String::new, |r| format!(", of the rollout {r}"));
    let left = left(view).map_or_else(String::new, |left| format!(", {left} left"));
    let age = age(view.now_ms - view.created_ms);
    format!("{} {} is {}{because}{owner}, begun {age} ago{left}", mark(&view.phase), view.name, phase(view))
}

fn template_lines(view: &ExperimentView, t: &ExperimentTemplateView) -> Vec<String> {
    let hash = if t.hash.is_empty() { "-" } else { &t.hash };
    let mut title = format!("  # {}  {}  {hash}  {}  {}/{} ready", t.name, t.phase, tag(&t.image), t.ready, t.size);
    if let Some(service) = &t.service {
        title.push_str(&format!("  service {service}"));
    }
    if let Some(weight) = t.weight {
        title.push_str(&format!("  weight {weight}"));
    }
    if let Some(at) = t.scale_down_at_ms {
        title.push_str(&format!("  goes in {}", age(at - view.now_ms)));
    }
    let mut out = vec![title];
    if !t.message.is_empty() {
        out.push(format!("      {}", t.message));
    }
    out.extend(t.members.iter().map(|m| {
        let trouble = m.trouble.as_ref().filter(|_| m.restarts > 0);
        let trouble = trouble.map_or_else(String::new, |why| format!("  started again {} times: {why}", m.restarts));
        format!("      {}  {}{}{trouble}", m.name, m.state, crate::screen::port(m.port))
    }));
    out
}

/// What changes, as one line each: for output that is no terminal.
fn lines(view: &ExperimentView) -> Vec<String> {
    let because = if view.message.is_empty() { String::new() } else { format!(": {}", view.message) };
    let mut out: Vec<String> =
        view.events.iter().map(|e| format!("{} {}: {}", time_of_day(e.at_ms), e.reason, e.message)).collect();
    for metric in view.runs.iter().flat_map(|run| &run.metrics) {
        let told = metric.measurements.iter().map(|m| {
            let message = if m.message.is_empty() { String::new() } else { format!(" ({})", m.message) };
            format!("{} {}: {} {}{message}", time_of_day(m.at_ms), metric.name, m.value, m.phase)
        });
        out.extend(told);
    }
    if !view.phase.is_empty() {
        out.push(format!("{} is {}{because}", view.name, view.phase));
    }
    out
}

fn explained(view: &ExperimentView) -> String {
    let mut out = vec![text(view)];
    if !view.events.is_empty() {
        out.push(String::new());
        out.push("Events:".to_owned());
        out.extend(view.events.iter().map(|e| format!("  {} {}: {}", time_of_day(e.at_ms), e.reason, e.message)));
    }
    out.push(String::new());
    out.push(next(view));
    out.join("\n")
}

fn next(view: &ExperimentView) -> String {
    let name = &view.name;
    let waits = view.reasons.iter().any(|r| r.code == "runs-until-terminated");
    match view.wake_at_ms.filter(|at| *at > view.now_ms) {
        _ if view.is_final() && view.rollout.is_none() => {
            format!("It is over: `serin delete experiment {name}` forgets it, and it can be applied anew.")
        }
        _ if view.is_final() => "It is over.".to_owned(),
        _ if waits => format!("Next: `serin terminate experiment {name}` ends it."),
        Some(at) => format!("It is looked at again in {} at the latest.", age(at - view.now_ms)),
        None => "It is looked at again as soon as something changes.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_local::EventRecord;
    use serin_local::view::{MemberRow, ReasonView};

    fn view() -> ExperimentView {
        let member =
            MemberRow { name: "exp-a-h1-0".to_owned(), state: "Ready".to_owned(), port: 4000, ..MemberRow::default() };
        let template = ExperimentTemplateView {
            name: "a".to_owned(),
            hash: "h1".to_owned(),
            image: "m:1".to_owned(),
            phase: "Running".to_owned(),
            size: 1,
            ready: 1,
            service: Some("exp-a".to_owned()),
            weight: Some(5),
            members: vec![member],
            ..ExperimentTemplateView::default()
        };
        let event = EventRecord {
            at_ms: 1_000,
            object: String::new(),
            reason: "TemplateRunning".to_owned(),
            message: "all there".to_owned(),
            warning: false,
        };
        ExperimentView {
            name: "exp".to_owned(),
            phase: "Running".to_owned(),
            now_ms: 10_000,
            ends_at_ms: Some(70_000),
            templates: vec![template],
            events: vec![event],
            ..ExperimentView::default()
        }
    }

    #[test]
    fn a_running_experiment_is_told_in_full() {
        let want = "◌ exp is Running, begun 10s ago, 60s left\n  # a  Running  h1  1  1/1 ready  service exp-a  weight 5\n      exp-a-h1-0  Ready  port 4000\n";
        assert_eq!(text(&view()), want);
        assert_eq!(lines(&view()), ["00:00:01 TemplateRunning: all there", "exp is Running"]);
        let want = "NAME   STATUS    AGE   LEFT   TEMPLATES   ROLLOUT\nexp    Running   10s   60s    a 1         -";
        assert_eq!(table(&[view()]), want);
        assert_eq!(table(&[]), "no experiments");
    }

    #[test]
    fn the_way_on_is_named() {
        let check = |edit: fn(&mut ExperimentView), want: &str| {
            let mut view = view();
            edit(&mut view);
            assert!(explained(&view).ends_with(want), "{}", explained(&view));
        };
        check(|_| {}, "as soon as something changes.");
        check(|v| v.wake_at_ms = Some(40_000), "in 30s at the latest.");
        let open = |v: &mut ExperimentView| {
            v.reasons = vec![ReasonView { code: "runs-until-terminated".to_owned(), text: String::new() }];
        };
        check(open, "`serin terminate experiment exp` ends it.");
        check(|v| v.phase = "Failed".to_owned(), "and it can be applied anew.");
    }
}
