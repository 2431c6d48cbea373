//! What `serin simulate` says: one run in words, many runs in rates; the same for machines.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use serin_sim::Span;
use serin_sim::plot::{self, Histogram, Panel};
use serin_sim::scenario::{Expected, Scenario};
use serin_sim::simulate::{Outcome, Report};
use serin_sim::summary::{Rate, Spread, Summary};

/// Quantiles that are told, with their names.
const QUANTILES: [(&str, f64); 4] = [("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("max", 1.0)];

/// For people. `terminal` allows for more than plain letters.
pub(super) fn text(scenario: &Scenario, reports: &[Report], transcript: Option<&str>, terminal: bool) -> String {
    match (reports, transcript) {
        ([only], Some(transcript)) => one(scenario, only, transcript),
        _ => many(scenario, reports, terminal),
    }
}

fn one(scenario: &Scenario, report: &Report, transcript: &str) -> String {
    let mut out = format!("{transcript}\n");
    let tally = &report.tally;
    let _ = writeln!(
        out,
        "{}: {} after {}{}",
        scenario.name,
        report.outcome.as_str(),
        rounded(report.took),
        verdict(scenario, report)
    );
    if let Some(detected) = report.detected {
        let _ = writeln!(out, "  taken back    {} after the deploy", rounded(detected));
    }
    let _ = writeln!(
        out,
        "  requests      {}, {} of them to {}",
        tally.requests,
        tally.new_requests,
        scenario.tag(&scenario.new)
    );
    let _ = writeln!(out, "  failed        {} ({})", tally.failed, beyond(tally.excess()));
    let _ = writeln!(out, "  seed          {}", report.seed);
    out
}

fn verdict(scenario: &Scenario, report: &Report) -> &'static str {
    match (report.is_wrong(scenario.expected), scenario.expected) {
        (true, Some(Expected::Aborted)) => ": wrong, this version is bad",
        (true, _) => ": wrong, this version is good",
        (false, _) => "",
    }
}

/// Failed requests against those of the stable version.
fn beyond(excess: f64) -> String {
    let whole = whole(excess);
    if whole == 0 {
        "no more than the stable version would have failed".to_owned()
    } else if whole > 0 {
        format!("{whole} more than the stable version would have failed")
    } else {
        format!("{} fewer than the stable version would have failed", -whole)
    }
}

/// To the nearest whole number.
fn whole(x: f64) -> i64 {
    x.round() as i64
}

/// To the second.
fn rounded(span: Span) -> Span {
    Span::from_secs((span.as_millis() + 500).div_euclid(1000))
}

fn many(scenario: &Scenario, reports: &[Report], terminal: bool) -> String {
    let summary = Summary::of(reports, scenario.expected);
    let last = reports.last().map_or(0, |r| r.seed);
    let mut out = format!(
        "{}: {} to {}, {} runs, seeds {} to {last}\n\n",
        scenario.name,
        scenario.tag(&scenario.stable),
        scenario.tag(&scenario.new),
        reports.len(),
        reports.first().map_or(0, |r| r.seed),
    );
    for (outcome, rate) in summary.outcomes.iter().filter(|(_, rate)| rate.count > 0) {
        let _ = writeln!(out, "  {:<12}{}", outcome.as_str(), rated(rate));
    }
    if let Some(wrong) = &summary.wrong {
        let what = if scenario.expected == Some(Expected::Aborted) {
            "promoted although bad"
        } else {
            "taken back although good"
        };
        let _ = writeln!(out, "  {:<12}{} ({what})", "wrong", rated(wrong));
        if let Some(report) = reports.iter().find(|r| r.is_wrong(scenario.expected)) {
            let _ = writeln!(out, "              --seed {} shows one", report.seed);
        }
    }
    let _ = writeln!(out, "\n  {:<26}{:>9}{:>9}{:>9}{:>9}", "", "p10", "p50", "p90", "max");
    for (name, spread, unit) in rows(&summary) {
        let cell = |share| spread.quantile(share).map_or("-".to_owned(), |x| format!("{}{unit}", whole(x)));
        let cells: String = QUANTILES.iter().map(|(_, share)| format!("{:>9}", cell(*share))).collect();
        let _ = writeln!(out, "  {name:<26}{cells}");
    }
    let bar = if terminal { '\u{2588}' } else { '#' };
    let (title, spread) = told(&summary);
    if let Some(histogram) = Histogram::new(spread.sorted(), 12) {
        let _ = write!(out, "\n  {title}\n{}", plot::text(&histogram, " s", bar));
    }
    out
}

/// What the picture shows: the detection where there was any, else the whole update.
fn told(summary: &Summary) -> (&'static str, &Spread) {
    if summary.detected_s.sorted().is_empty() {
        ("from the deploy to the end", &summary.took_s)
    } else {
        ("from the deploy to the decision to take it back", &summary.detected_s)
    }
}

fn rows(summary: &Summary) -> [(&'static str, &Spread, &'static str); 4] {
    [
        ("taken back after", &summary.detected_s, "s"),
        ("ended after", &summary.took_s, "s"),
        ("failed requests", &summary.failed, ""),
        ("more than stable's", &summary.excess, ""),
    ]
}

fn rated(rate: &Rate) -> String {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    format!(
        "{:>6}  ({} to {})  {} of {}",
        percent(rate.share()),
        percent(rate.low),
        percent(rate.high),
        rate.count,
        rate.of
    )
}

/// For machines.
pub(super) fn machine(scenario: &Scenario, reports: &[Report], transcript: Option<&str>) -> Value {
    let summary = Summary::of(reports, scenario.expected);
    let outcomes: Map<String, Value> =
        summary.outcomes.iter().map(|(outcome, rate)| (outcome.as_str().to_owned(), rate_json(rate))).collect();
    let mut value = json!({
        "rollout": scenario.name,
        "from": scenario.tag(&scenario.stable),
        "to": scenario.tag(&scenario.new),
        "expected": scenario.expected.map(|e| match e {
            Expected::Promoted => "promoted",
            Expected::Aborted => "aborted",
        }),
        "outcomes": outcomes,
        "wrong": summary.wrong.as_ref().map(rate_json),
        "secondsToDetect": spread_json(&summary.detected_s),
        "secondsToEnd": spread_json(&summary.took_s),
        "failedRequests": spread_json(&summary.failed),
        "failedRequestsBeyondStable": spread_json(&summary.excess),
        "runs": reports.iter().map(report_json).collect::<Vec<_>>(),
    });
    if let Some(transcript) = transcript {
        value["transcript"] = transcript.lines().map(str::to_owned).collect();
    }
    value
}

fn rate_json(rate: &Rate) -> Value {
    json!({"count": rate.count, "of": rate.of, "rate": rate.share(), "low": rate.low, "high": rate.high})
}

fn spread_json(spread: &Spread) -> Value {
    QUANTILES
        .iter()
        .map(|(name, share)| ((*name).to_owned(), json!(spread.quantile(*share))))
        .collect::<Map<_, _>>()
        .into()
}

fn report_json(report: &Report) -> Value {
    let seconds = |span: Span| span.as_millis() as f64 / 1000.0;
    json!({
        "seed": report.seed,
        "outcome": report.outcome.as_str(),
        "secondsToEnd": seconds(report.took),
        "secondsToDetect": report.detected.map(seconds),
        "requests": report.tally.requests,
        "failedRequests": report.tally.failed,
        "newVersionRequests": report.tally.new_requests,
        "newVersionFailedRequests": report.tally.new_failed,
        "failedRequestsBeyondStable": report.tally.excess(),
        "message": report.message,
    })
}

/// As a picture.
pub(super) fn svg(scenario: &Scenario, reports: &[Report]) -> String {
    let summary = Summary::of(reports, scenario.expected);
    let outcomes: Vec<(&str, f64)> =
        summary.outcomes.iter().map(|(o, rate)| (Outcome::as_str(*o), rate.share())).collect();
    let panel = |title: &str, spread: &Spread, unit: &str| Panel {
        title: title.to_owned(),
        unit: unit.to_owned(),
        sorted: spread.sorted().to_vec(),
    };
    let panels = [
        panel("From the deploy to the decision to take it back", &summary.detected_s, " s"),
        panel("From the deploy to the end", &summary.took_s, " s"),
        panel("Failed requests", &summary.failed, ""),
        panel("Failed requests beyond those that the stable version would have failed", &summary.excess, ""),
    ];
    let title = format!("{}: {} to {}", scenario.name, scenario.tag(&scenario.stable), scenario.tag(&scenario.new));
    plot::svg(&title, &format!("{} simulated runs", reports.len()), &outcomes, &panels)
}
