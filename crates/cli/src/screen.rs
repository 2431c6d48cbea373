//! A rollout as a picture: steps, weights, versions with their members, measurements against their limit, latency and errors
//! over the last minute, reasons. The same drawing serves the live view and plain output.

use ratatui::Frame;
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};
use serin_local::view::{
    ExperimentTemplateView, ExperimentView, MetricView, PoolView, RolloutView, RunView, ServiceView, TrafficView,
};

use crate::command::mark;
use crate::evidence;
use crate::output::{age, tag, time_of_day};

/// Cells of the weight bar.
const BAR: u32 = 30;

/// Measurements shown per metric.
const MEASUREMENTS: usize = 6;

/// Draws into a terminal; `lost` says why the view is old.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &RolloutView, lost: Option<&str>) {
    let area = frame.area();
    let body = body(view);
    let traffic: Vec<&TrafficView> = shown_traffic(view);
    let height = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let graphs = height(traffic.len() * 2 + usize::from(!traffic.is_empty()));
    let [text, graph, foot] =
        Layout::vertical([Constraint::Max(height(body.len())), Constraint::Length(graphs), Constraint::Min(1)])
            .areas(area);
    frame.render_widget(Paragraph::new(body), text);
    draw_traffic(frame, graph, view, &traffic);
    let mut lines = reasons(view);
    if let Some(why) = lost {
        lines.push(Line::styled(format!("this view is old: {why}"), Style::new().fg(Color::Red)));
    }
    frame.render_widget(Paragraph::new(lines), foot);
}

/// The same as text.
pub(crate) fn plain(view: &RolloutView, size: (u16, u16)) -> String {
    let backend = TestBackend::new(size.0, size.1);
    let Ok(mut terminal) = ratatui::Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| draw(frame, view, None));
    let buffer = terminal.backend().buffer();
    let mut lines: Vec<String> = (0..size.1)
        .map(|y| {
            let row: String = (0..size.0).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

/// What changes, as one line each: for output that is no terminal.
pub(crate) fn lines(view: &RolloutView) -> Vec<String> {
    let mut out = Vec::new();
    let because = if view.message.is_empty() { String::new() } else { format!(" ({})", view.message) };
    let step = match (view.step_index, view.steps.len()) {
        (Some(done), total) if total > 0 => format!(", step {}/{total}", done.min(total)),
        _ => String::new(),
    };
    let weight = view.weight.actual.unwrap_or(view.weight.set);
    let traffic = match &view.blue_green {
        Some(blue_green) => format!("{} leads to {}", blue_green.active.name, tag(&blue_green.active.image)),
        None => format!("weight {}", view.weight.share(weight)),
    };
    out.push(format!("{}: {}{because}{step}, {traffic}", view.name, view.phase));
    // Oldest first, as it happened.
    for run in view.runs.iter().rev() {
        for metric in &run.metrics {
            for m in &metric.measurements {
                let message = if m.message.is_empty() { String::new() } else { format!(" ({})", m.message) };
                let at = time_of_day(m.at_ms);
                let open = metric.standing.as_ref().filter(|_| m.phase == "Running");
                let value = open.map_or_else(|| m.value.clone(), |standing| evidence::word(standing).to_owned());
                out.push(format!("{at} {} {}: {value} {}{message}", run.name, metric.name, m.phase));
            }
        }
        if !run.message.is_empty() {
            out.push(format!("{} is {}: {}", run.name, run.phase, run.message));
        }
    }
    let settled = view.reasons.iter().filter(|r| r.code != "paused-until");
    out.extend(settled.map(|r| format!("{}: {}", view.name, r.text)));
    out
}

fn colour(phase: &str) -> Color {
    match phase {
        "Healthy" | "Successful" | "Ready" => Color::Green,
        "Degraded" | "Failed" | "Error" => Color::Red,
        "Paused" | "Inconclusive" => Color::Yellow,
        _ => Color::Cyan,
    }
}

fn bold(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::BOLD))
}

fn dim(text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::DIM))
}

fn coloured(text: impl Into<String>, phase: &str) -> Span<'static> {
    Span::styled(text.into(), Style::new().fg(colour(phase)))
}

fn body(view: &RolloutView) -> Vec<Line<'static>> {
    let mut out = vec![head(view)];
    if !view.message.is_empty() {
        out.push(Line::from(format!("  {}", view.message)));
    }
    out.extend(services(view).unwrap_or_else(|| vec![weight(view)]));
    out.push(replicas(view));
    if !view.steps.is_empty() {
        out.push(Line::default());
        out.extend(steps(view));
    }
    out.push(Line::default());
    for pool in view.pools.iter().filter(|p| p.size > 0 || !p.members.is_empty() || !p.role.is_empty()) {
        out.extend(pool_lines(view, pool));
    }
    if let Some(run) = view.runs.first() {
        out.push(Line::default());
        out.extend(run_lines(view, run));
    }
    if let Some(experiment) = view.experiments.first() {
        out.push(Line::default());
        out.extend(experiment_lines(view, experiment));
    }
    out.push(Line::default());
    out
}

fn head(view: &RolloutView) -> Line<'static> {
    Line::from(vec![
        bold(view.name.clone()),
        dim(format!("  {}  {}  ", view.namespace, view.strategy)),
        coloured(format!("{} {}", mark(&view.phase), view.phase), &view.phase),
        Span::raw(match view.promoted {
            true => format!("  {}", tag(&view.image)),
            false => format!("  {} -> {}", tag(&view.stable_image), tag(&view.image)),
        }),
    ])
}

fn weight(view: &RolloutView) -> Line<'static> {
    let w = &view.weight;
    let total = w.total.max(1);
    let cells = |n: u32| (u64::from(n) * u64::from(BAR) / u64::from(total)) as usize;
    let seen = w.actual.unwrap_or(0);
    let bar = format!("{}{}", "█".repeat(cells(seen)), "░".repeat(BAR as usize - cells(seen).min(BAR as usize)));
    let words = match w.actual {
        Some(actual) if actual == w.set => format!(" {actual} of {total}"),
        Some(actual) => format!(" {actual} of {total}, {} wanted", w.set),
        None => format!(" {} wanted, not carried yet", w.set),
    };
    let how = if w.routed { "" } else { " (by members)" };
    Line::from(vec![Span::raw("  Canary "), Span::styled(bar, Style::new().fg(Color::Yellow)), Span::raw(words + how)])
}

/// Where the services of a blue-green rollout lead; nothing for other strategies.
fn services(view: &RolloutView) -> Option<Vec<Line<'static>>> {
    let blue_green = view.blue_green.as_ref()?;
    let line = |word: &str, service: &ServiceView, colour: Color| {
        let leads = if service.version.is_some() { tag(&service.image) } else { "no version yet".to_owned() };
        Line::from(vec![
            Span::raw(format!("  {word:<8}")),
            Span::styled(service.name.clone(), Style::new().fg(colour)),
            Span::raw(format!(" -> {leads}")),
            dim(format!("  {}", service.host)),
        ])
    };
    let preview = blue_green.preview.iter().map(|service| line("Preview", service, Color::Yellow));
    Some(std::iter::once(line("Active", &blue_green.active, Color::Green)).chain(preview).collect())
}

fn replicas(view: &RolloutView) -> Line<'static> {
    let r = &view.replicas;
    Line::from(format!(
        "  Members {} wanted, {} ready, {} of the new version, {} in all",
        r.desired, r.ready, r.updated, r.current
    ))
}

fn steps(view: &RolloutView) -> Vec<Line<'static>> {
    let line = |(i, step): (usize, &serin_local::view::StepView)| {
        let text = format!("{}. {}", i + 1, step.text);
        match step.state.as_str() {
            "done" => Line::from(vec![coloured("  ✔ ", "Healthy"), dim(text)]),
            "current" => Line::from(vec![coloured("  ▶ ", "Paused"), bold(text), left(view)]),
            _ => Line::from(vec![Span::raw("    "), dim(text)]),
        }
    };
    view.steps.iter().enumerate().map(line).collect()
}

/// What is left of the current pause.
fn left(view: &RolloutView) -> Span<'static> {
    match view.wake_at_ms.filter(|at| view.phase == "Paused" && *at > view.now_ms) {
        Some(at) => dim(format!("  {} left", age(at - view.now_ms))),
        None => Span::default(),
    }
}

fn pool_lines(view: &RolloutView, pool: &PoolView) -> Vec<Line<'static>> {
    let role = if pool.role.is_empty() { "old" } else { &pool.role };
    let mut title = vec![
        bold(format!("  # revision {}", pool.revision)),
        Span::raw(format!("  {role}  {}  {}  {}/{} ready", pool.hash, tag(&pool.image), pool.ready, pool.size)),
    ];
    if let Some(at) = pool.scale_down_at_ms {
        title.push(dim(format!("  goes in {}", age(at - view.now_ms))));
    }
    let mut out = vec![Line::from(title)];
    if let Some(failure) = &pool.failure {
        out.push(Line::from(coloured(format!("      {failure}"), "Failed")));
    }
    for m in &pool.members {
        let mut text = format!("      {}  {}{}", m.name, m.state, port(m.port));
        if m.restarts > 0 {
            text.push_str(&format!(
                "  started again {} times: {}",
                m.restarts,
                m.trouble.as_deref().unwrap_or("ended")
            ));
        }
        out.push(Line::from(coloured(text, if m.restarts > 0 { "Failed" } else { &m.state })));
    }
    out
}

/// Where a member of one machine listens; pods have addresses of their own.
pub(crate) fn port(port: u16) -> String {
    if port == 0 { String::new() } else { format!("  port {port}") }
}

fn run_lines(view: &RolloutView, run: &RunView) -> Vec<Line<'static>> {
    let mut out = vec![Line::from(vec![
        bold(format!("  α {}", run.name)),
        Span::raw("  "),
        coloured(format!("{} {}", mark(&run.phase), run.phase), &run.phase),
        dim(format!("  {}", age(view.now_ms - run.created_ms))),
    ])];
    if !run.message.is_empty() {
        out.push(Line::from(format!("      {}", run.message)));
    }
    let width = run.metrics.iter().map(|m| m.name.chars().count()).max().unwrap_or(0);
    out.extend(run.metrics.iter().map(|m| metric_line(m, width)));
    out
}

fn experiment_lines(view: &RolloutView, experiment: &ExperimentView) -> Vec<Line<'static>> {
    let left = experiment.ends_at_ms.filter(|at| *at > view.now_ms);
    let mut out = vec![Line::from(vec![
        bold(format!("  Σ {}", experiment.name)),
        Span::raw("  "),
        coloured(format!("{} {}", mark(&experiment.phase), experiment.phase), &experiment.phase),
        dim(left.map_or_else(String::new, |at| format!("  {} left", age(at - view.now_ms)))),
    ])];
    if !experiment.message.is_empty() {
        out.push(Line::from(format!("      {}", experiment.message)));
    }
    let line = |t: &ExperimentTemplateView| {
        let weight = t.weight.map_or_else(String::new, |w| format!("  weight {w}"));
        let text = format!("      {}  {}  {}  {}/{} ready{weight}", t.name, t.hash, tag(&t.image), t.ready, t.size);
        Line::from(coloured(text, &t.phase))
    };
    out.extend(experiment.templates.iter().map(line));
    out.extend(experiment.runs.iter().flat_map(|run| run_lines(view, run)));
    out
}

fn metric_line(metric: &MetricView, width: usize) -> Line<'static> {
    let mut spans = vec![
        coloured(format!("      {} ", mark(&metric.phase)), &metric.phase),
        Span::raw(format!("{:width$}  ", metric.name)),
    ];
    if let Some(standing) = &metric.standing {
        spans.push(coloured(evidence::gauge(standing), &metric.phase));
        spans.push(Span::raw(format!("  {}", evidence::brief(standing))));
        return Line::from(spans);
    }
    if metric.measurements.is_empty() {
        spans.push(dim("not measured yet"));
    }
    for m in metric.measurements.iter().rev().take(MEASUREMENTS).rev() {
        let value = if m.value.is_empty() { m.message.chars().take(40).collect() } else { short(&m.value) };
        spans.push(coloured(format!("{value} "), &m.phase));
    }
    if let Some(condition) = metric.success.as_ref().or(metric.failure.as_ref()) {
        spans.push(dim(format!(" {condition}")));
    }
    Line::from(spans)
}

/// A measured value with few digits: `[0.0123]` for `[0.012345678]`.
fn short(value: &str) -> String {
    let inner = value.trim_start_matches('[').trim_end_matches(']');
    match inner.parse::<f64>() {
        Ok(n) if inner.len() > 7 => {
            let digits = if n.abs() < 0.1 { 4 } else { 3 };
            value.replace(inner, &format!("{n:.digits$}"))
        }
        _ => value.to_owned(),
    }
}

fn shown_traffic(view: &RolloutView) -> Vec<&TrafficView> {
    if let Some(blue_green) = &view.blue_green {
        let ways = [("active", Some(&blue_green.active)), ("preview", blue_green.preview.as_ref())];
        let shown = |(via, service): (&str, Option<&ServiceView>)| {
            let version = service?.version.as_ref()?;
            view.traffic.iter().find(|t| t.via == via && t.version == *version)
        };
        return ways.into_iter().filter_map(shown).collect();
    }
    let used = |t: &&TrafficView| view.pools.iter().any(|p| p.hash == t.version && !p.role.is_empty());
    view.traffic.iter().filter(used).take(2).collect()
}

fn draw_traffic(frame: &mut Frame<'_>, area: Rect, view: &RolloutView, traffic: &[&TrafficView]) {
    for (i, t) in traffic.iter().enumerate() {
        let role = view.pools.iter().find(|p| p.hash == t.version).map_or("", |p| p.role.as_str());
        let role = if t.via.is_empty() { role } else { &t.via };
        let errors = if t.requests == 0 { 0.0 } else { 100.0 * t.errors as f64 / t.requests as f64 };
        let p95 = t.p95_series.iter().rev().find(|v| **v > 0.0).copied().unwrap_or(0.0);
        let rows = [
            (format!("  {role:<7} {:>5.1}/s  p95 {p95:>7.1} ms ", t.rate), &t.p95_series, 1000.0, Color::Cyan),
            (format!("          errors     {errors:>7.2} %  "), &t.error_series, 10_000.0, Color::Red),
        ];
        for (j, (label, series, scale, colour)) in rows.into_iter().enumerate() {
            let y = area.y + u16::try_from(i * 2 + j).unwrap_or(u16::MAX);
            if y >= area.bottom() {
                return;
            }
            let width = u16::try_from(label.chars().count()).unwrap_or(u16::MAX).min(area.width);
            frame.render_widget(Paragraph::new(label), Rect { x: area.x, y, width, height: 1 });
            let data: Vec<u64> = series.iter().map(|v| (v * scale) as u64).collect();
            let graph = Rect { x: area.x + width, y, width: area.width.saturating_sub(width).min(60), height: 1 };
            frame.render_widget(Sparkline::default().data(data).style(Style::new().fg(colour)), graph);
        }
    }
}

fn reasons(view: &RolloutView) -> Vec<Line<'static>> {
    view.reasons.iter().map(|r| Line::from(vec![dim("  why: "), Span::raw(r.text.clone())])).collect()
}
