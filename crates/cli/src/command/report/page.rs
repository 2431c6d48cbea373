//! The page of a report, and the same as one picture.

use std::fmt::Write as _;

use super::data::{Data, MetricData, VersionData};
use super::plots;
use crate::output::tag;
use crate::plot::{STYLE, escape};

const PAGE: &str = "\
body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:800px;padding:0 1rem}\
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p.lead{font-size:1.05rem}.dim{color:var(--dim)}\
.note{border-left:4px solid var(--bad);padding:.3rem .8rem;background:var(--card)}\
table{border-collapse:collapse;width:100%;font-size:.88rem;margin:.5rem 0}td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--grid);vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n,td.w,th{white-space:nowrap}td.t{overflow-wrap:anywhere}.bad{color:var(--bad)}.good{color:var(--good)}figure{margin:1rem 0}";

/// The page.
pub(super) fn html(data: &Data) -> String {
    let mut out = String::from(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/>",
    );
    let title = format!("{} revision {}", data.rollout, data.revision);
    let _ = write!(out, "<title>{}</title><style>{STYLE}{PAGE}</style></head><body>", escape(&title));
    let _ = write!(
        out,
        "<h1>{}</h1><p class=\"dim\">{} to {}, {} requests to the new version, {} to the stable one</p><p class=\"lead\">{}</p>",
        escape(&title),
        escape(&data.stable),
        escape(&data.canary),
        data.versions[0].answered,
        data.versions[1].answered,
        escape(&data.summary)
    );
    for note in &data.notes {
        let _ = write!(out, "<p class=\"note\">{}</p>", escape(note));
    }
    figure(&mut out, &plots::timeline(data).svg("timeline"));
    events(&mut out, data);
    out.push_str("<h2>Where every metric stands</h2>");
    standings(&mut out, data);
    for (i, metric) in data.metrics.iter().enumerate() {
        metric_section(&mut out, data, metric, i);
    }
    versions(&mut out, data);
    predictions(&mut out, data);
    slices(&mut out, data);
    let _ = writeln!(
        out,
        "<p class=\"dim\">Made from the log of the update by serin {}. Seconds are those of the rollout's clock since the update began.</p></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

/// All plots, one below the other.
pub(super) fn svg(data: &Data) -> String {
    let mut plots = vec![plots::timeline(data).svg("timeline")];
    plots.extend(plots::errors(data).map(|plot| plot.svg("errors")));
    for (i, metric) in data.metrics.iter().enumerate() {
        plots.extend(plots::evidence(data, metric).map(|plot| plot.svg(&format!("evidence-{i}"))));
        plots.extend(plots::difference(data, metric).map(|plot| plot.svg(&format!("difference-{i}"))));
    }
    plots.extend(plots::latencies(data).map(|plot| plot.svg("latencies")));
    plots.extend(plots::predictions(data).map(|bars| bars.svg("predictions")));
    plots.extend(plots::numbers(data).map(|plot| plot.svg("numbers")));
    let mut y = 40.0;
    let mut inner = String::new();
    for plot in plots {
        let height: f64 = plot
            .split("viewBox=\"0 0 760 ")
            .nth(1)
            .and_then(|rest| rest.split('"').next()?.parse().ok())
            .unwrap_or(260.0);
        let placed =
            plot.replacen("<svg ", &format!("<svg x=\"0\" y=\"{y:.0}\" width=\"760\" height=\"{height:.0}\" "), 1);
        inner.push_str(&placed);
        y += height + 12.0;
    }
    let title = format!("{} revision {}: {} to {}", data.rollout, data.revision, tag(&data.stable), tag(&data.canary));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {y:.0}\" width=\"760\" height=\"{y:.0}\" role=\"img\" aria-label=\"{0}\"><style>{STYLE}</style>\
         <rect width=\"100%\" height=\"100%\" style=\"fill:var(--bg)\"/><text x=\"20\" y=\"26\" style=\"font:600 15px system-ui,sans-serif;fill:var(--fg)\">{0}</text>{inner}</svg>\n",
        escape(&title)
    )
}

fn figure(out: &mut String, svg: &str) {
    let _ = write!(out, "<figure>{svg}</figure>");
}

/// What is in a column.
#[derive(Debug, Clone, Copy)]
enum Column {
    Number,
    Word,
    Text,
}

use Column::{Number, Text, Word};

fn table(out: &mut String, head: &[(&str, Column)], rows: &[Vec<String>]) {
    let class = |column: Column| match column {
        Number => "n",
        Word => "w",
        Text => "t",
    };
    out.push_str("<table><thead><tr>");
    for (name, column) in head {
        let _ = write!(out, "<th class=\"{}\">{name}</th>", class(*column));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (cell, (_, column)) in row.iter().zip(head) {
            let _ = write!(out, "<td class=\"{}\">{}</td>", class(*column), escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
}

fn events(out: &mut String, data: &Data) {
    let row = |(number, event): (usize, &super::data::EventPoint)| {
        vec![number.to_string(), format!("{:.0}", event.second), event.reason.clone(), event.message.clone()]
    };
    let rows: Vec<Vec<String>> = plots::marked(data).map(row).collect();
    if rows.is_empty() {
        return;
    }
    let _ = write!(out, "<details open=\"open\"><summary>{} events</summary>", data.events.len());
    table(out, &[("", Number), ("second", Number), ("what", Word), ("", Text)], &rows);
    if data.events.len() > rows.len() {
        let _ = write!(out, "<p class=\"dim\">and {} more</p>", data.events.len() - rows.len());
    }
    out.push_str("</details>");
}

fn standings(out: &mut String, data: &Data) {
    let row = |row: &crate::judged::verdicts::Row| {
        vec![
            row.metric.clone(),
            row.verdict.to_owned(),
            format!("{:.0}", row.second),
            row.weight.clone(),
            row.text.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = data.verdicts.iter().map(row).collect();
    let head =
        [("metric", Text), ("verdict", Word), ("second", Number), ("weight", Number), ("where it stood then", Text)];
    table(out, &head, &rows);
}

fn metric_section(out: &mut String, data: &Data, metric: &MetricData, i: usize) {
    let _ = write!(
        out,
        "<h2>{} <span class=\"dim\">{} {}</span></h2>",
        escape(&metric.metric),
        escape(&metric.kind),
        escape(&metric.run)
    );
    let standing = metric.standing.as_ref().map(ToString::to_string).unwrap_or_default();
    let said = if metric.message.contains(&standing) {
        metric.message.clone()
    } else {
        [metric.message.as_str(), &standing].join(": ")
    };
    let _ = write!(out, "<p>{}: {}</p>", escape(&metric.phase), escape(said.trim_start_matches(": ")));
    if let Some(plot) = plots::evidence(data, metric) {
        figure(out, &plot.svg(&format!("evidence-{i}")));
    }
    if let Some(plot) = plots::difference(data, metric) {
        figure(out, &plot.svg(&format!("difference-{i}")));
    }
}

fn versions(out: &mut String, data: &Data) {
    out.push_str("<h2>Both versions</h2>");
    let row = |(name, version): (&str, &VersionData)| {
        let quantile = |i: usize| version.quantiles_ms.map_or_else(|| "-".to_owned(), |q| format!("{:.1}", q[i]));
        let share = match version.answered {
            0 => "-".to_owned(),
            n => format!("{:.2} %", 100.0 * version.errors as f64 / n as f64),
        };
        vec![
            name.to_owned(),
            version.answered.to_string(),
            version.errors.to_string(),
            share,
            quantile(0),
            quantile(1),
            quantile(2),
        ]
    };
    let (canary, stable) = (format!("canary {}", tag(&data.canary)), format!("stable {}", tag(&data.stable)));
    let rows: Vec<Vec<String>> = [canary.as_str(), stable.as_str()].into_iter().zip(&data.versions).map(row).collect();
    let head = [
        ("", Text),
        ("answers", Number),
        ("errors", Number),
        ("share", Number),
        ("p50 ms", Number),
        ("p95 ms", Number),
        ("p99 ms", Number),
    ];
    table(out, &head, &rows);
    if let Some(plot) = plots::errors(data) {
        figure(out, &plot.svg("errors"));
    }
    if let Some(plot) = plots::latencies(data) {
        figure(out, &plot.svg("latencies"));
    }
}

fn predictions(out: &mut String, data: &Data) {
    let (bars, numbers) = (plots::predictions(data), plots::numbers(data));
    if bars.is_none() && numbers.is_none() {
        return;
    }
    out.push_str("<h2>Predictions</h2>");
    if let Some(bars) = bars {
        figure(out, &bars.svg("predictions"));
    }
    if let Some(plot) = numbers {
        figure(out, &plot.svg("numbers"));
    }
    let of_metric = data.metrics.iter().find_map(|m| m.standing.as_ref()?.scores);
    if let Some(scores) = of_metric.or(data.scores) {
        let row = |(name, score): (&str, serin_stats::shift::Score)| {
            vec![
                name.to_owned(),
                format!("{:.4}", score.value),
                format!("{:.4}", score.slack),
                format!("{:.4}", score.raw),
            ]
        };
        let named = [
            ("PSI", scores.psi),
            ("Jensen-Shannon distance", scores.js),
            ("Kolmogorov-Smirnov", scores.ks),
            ("total variation", scores.tv),
        ];
        let rows: Vec<Vec<String>> = named.into_iter().map(row).collect();
        table(
            out,
            &[
                ("score", Text),
                ("without its bias", Number),
                ("chance alone, 1 in 100", Number),
                ("as usually computed", Number),
            ],
            &rows,
        );
        out.push_str("<p class=\"dim\">Scores are for people: nothing is decided by them.</p>");
    }
}

fn slices(out: &mut String, data: &Data) {
    if data.slices.is_empty() {
        return;
    }
    out.push_str("<h2>Slices</h2>");
    let share = |(answered, errors): (u64, u64)| match answered {
        0 => "-".to_owned(),
        n => format!("{:.2} % of {n}", 100.0 * errors as f64 / n as f64),
    };
    let rows: Vec<Vec<String>> = data
        .slices
        .iter()
        .take(50)
        .map(|row| vec![row.slice.clone(), row.value.clone(), share(row.canary), share(row.stable)])
        .collect();
    table(out, &[("slice", Text), ("value", Text), ("canary errors", Number), ("stable errors", Number)], &rows);
}
