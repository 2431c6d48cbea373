//! What was found, in words, tables and pictures.

use std::fmt::Write as _;

use super::document::Block;
use super::plot::{self, Axis, Bounded, Line, number};
use super::study::{Claim, Seen};
use super::table::{ERRORS, Kind, METHODS, Outcome, Promotion, RATES, Row, SERIN};
use super::{Findings, Options};

/// The tables of the document.
pub(crate) const NAMES: [&str; 8] = ["how", "study", "errors", "events", "latency", "drift", "promotion", "goals"];

/// All tables.
pub(crate) fn blocks(findings: &Findings, options: &Options) -> Vec<Block> {
    let of = |wanted: fn(&Kind) -> bool| findings.rows.iter().filter(move |row| wanted(&row.kind));
    let texts = [
        how(options),
        study(&findings.study),
        rows(of(|kind| matches!(kind, Kind::Errors(_)))),
        rows(of(|kind| matches!(kind, Kind::Late | Kind::Outage(_)))),
        rows(of(|kind| matches!(kind, Kind::Latency(_)))),
        rows(of(|kind| matches!(kind, Kind::Drift(..) | Kind::NamedDrift(..)))),
        promotion(&findings.promotions, &findings.promotions_of_three),
        goals(findings),
    ];
    let played = |name: &str| match name {
        "how" => true,
        "study" => !findings.study.is_empty(),
        _ => !findings.rows.is_empty(),
    };
    NAMES.into_iter().zip(texts).filter(|(name, _)| played(name)).collect()
}

fn how(options: &Options) -> String {
    let lines = options.lines.unwrap_or(options.runs / 10);
    format!(
        "Made by `cargo run --release -p xtask -- validity --runs {} --lines {lines} --seed {} --out docs/verdicts`: {} rollouts a cell of the study (where its table does not say another number), {} a line \
         of the comparisons. A share of 1 % then has a standard error of {:.2} points in the study and of {:.2} in the comparisons.",
        options.runs,
        options.seed,
        number(options.runs as f64),
        number(lines as f64),
        100.0 * error_at_one_percent(options.runs),
        100.0 * error_at_one_percent(lines),
    )
}

fn error_at_one_percent(runs: u64) -> f64 {
    (0.01 * 0.99 / runs.max(1) as f64).sqrt()
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0 %".to_owned(),
        p if p >= 99.95 => format!("{p:.0} %"),
        p if p >= 10.0 => format!("{p:.1} %"),
        p => format!("{p:.2} %"),
    }
}

fn decided(claim: Claim) -> &'static str {
    match claim {
        Claim::OnTolerance { .. } => "rolled back",
        Claim::SplitRight => "split called wrong",
        Claim::Caught(_) | Claim::Warning => "rolled back",
        Claim::Passes(_) => "first step passed",
        Claim::SplitFound(_) => "split called wrong",
    }
}

fn wanted(seen: &Seen) -> String {
    let (share, bound) = seen.decisive();
    match seen.claim {
        Claim::OnTolerance { .. } | Claim::SplitRight => {
            format!("at most 1 % (with three standard errors {})", percent(share.bound(0.01)))
        }
        Claim::Warning => "more than 1 %: what the precaution is for".to_owned(),
        Claim::Caught(_) | Claim::Passes(_) | Claim::SplitFound(_) => format!("at least {}", percent(bound)),
    }
}

fn study(cells: &[Seen]) -> String {
    let mut out = "| two steps of 60 s, a look every second | runs | | seen | wanted | steps passed, worst metric | holds |\n|---|---:|---|---:|---|---:|---|\n".to_owned();
    for seen in cells {
        let (share, _) = seen.decisive();
        let pass = seen.worst_pass().map_or("".to_owned(), |pass| format!("{} of at most 5 %", percent(pass.value())));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {pass} | {} |",
            seen.name,
            number(share.runs as f64),
            decided(seen.claim),
            percent(share.value()),
            wanted(seen),
            if seen.holds() { "yes" } else { "**no**" },
        );
    }
    out
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Errors(share) => format!("{} % errors", number(100.0 * share)),
        Kind::Late => "10 % errors from minute 4".to_owned(),
        Kind::Outage(points) => format!("both +{} points for 90 s", number(100.0 * points)),
        Kind::Latency(p95_ms) => format!("p95 {} ms", number(p95_ms)),
        Kind::Drift(stable, canary) => format!("class 1: {stable:.2} to {canary:.2}"),
        Kind::NamedDrift(stable, canary) => format!("class 1, named: {stable:.2} to {canary:.2}"),
    }
}

fn outcome(row: &Row, outcome: &Outcome) -> String {
    let seconds = outcome.seconds.mean().map_or("-".to_owned(), |mean| format!("{} s", number(mean)));
    let harm = outcome.harm.mean().unwrap_or_default();
    match row.kind {
        Kind::Outage(_) => percent(outcome.caught.value()),
        _ => format!("{} · {seconds} · {}", percent(outcome.caught.value()), number(harm)),
    }
}

/// How many times the harm of Serin a method does.
fn ratio(row: &Row, method: usize) -> f64 {
    let mean = |i: usize| row.outcomes[i].harm.mean().unwrap_or_default();
    mean(method) / mean(SERIN).max(f64::MIN_POSITIVE)
}

fn rows<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut out = format!(
        "| requests a second | canary | {} | harm, as shipped to Serin | scoped to Serin |\n|---:|---|",
        METHODS.join(" | ")
    );
    out.push_str(&"---:|".repeat(METHODS.len() + 2));
    out.push('\n');
    let mut rows: Vec<&Row> = rows.collect();
    rows.sort_by(|a, b| a.rps.total_cmp(&b.rps));
    for row in rows {
        let cells: Vec<String> = row.outcomes.iter().map(|one| outcome(row, one)).collect();
        let ratios = if row.kind.is_harmless() {
            [String::new(), String::new()]
        } else {
            [0, 1].map(|method| format!("{}x", number(ratio(row, method))))
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            number(row.rps),
            kind(row.kind),
            cells.join(" | "),
            ratios.join(" | ")
        );
    }
    out
}

fn promotion(errors: &[Promotion], three: &[Promotion]) -> String {
    let mut out = "| requests a second | errors: first step | second step | errors, latency and drift: first step | second step |\n|---:|---:|---:|---:|---:|\n".to_owned();
    let step = |seen: &Promotion, step: usize| match seen.seconds[step].mean() {
        Some(mean) => format!("{} · {} s", percent(seen.passed[step].value()), number(mean)),
        None if seen.passed[step].runs == 0 => "-".to_owned(),
        None => percent(0.0),
    };
    for (errors, three) in errors.iter().zip(three) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            number(errors.rps),
            step(errors, 0),
            step(errors, 1),
            step(three, 0),
            step(three, 1)
        );
    }
    out
}

fn row(findings: &Findings, kind: Kind, rps: f64) -> Option<&Row> {
    findings.rows.iter().find(|row| row.kind == kind && row.rps == rps)
}

fn goals(findings: &Findings) -> String {
    let mut out = "| goal | seen | |\n|---|---|---|\n".to_owned();
    let mut goal = |goal: &str, seen: String, met: bool| {
        let _ = writeln!(out, "| {goal} | {seen} | {} |", if met { "met" } else { "**missed**" });
    };
    if let Some(row) = row(findings, Kind::Errors(0.1), 100.0) {
        let serin = &row.outcomes[SERIN];
        let caught = serin.caught.value();
        goal("100 requests a second, 10 % errors: caught always", percent(caught), caught >= 1.0);
        let (mean, error) = (serin.harm.mean().unwrap_or_default(), serin.harm.error());
        let high = serin.harm.quantile(0.95).unwrap_or_default();
        goal(
            "... with at most 10 failed requests on average",
            format!("{mean:.1} ± {error:.1}, in 95 % of the rollouts at most {high:.0}"),
            mean <= 10.0,
        );
        let times = ratio(row, 0);
        goal("... at least 100 times fewer than the record's rule", format!("{} times", number(times)), times >= 100.0);
    }
    if let Some(row) = row(findings, Kind::Errors(0.1), 20.0) {
        let times = ratio(row, 0);
        goal("20 requests a second: at least 30 times fewer", format!("{} times", number(times)), times >= 30.0);
    }
    for (what, promotions) in [("errors", &findings.promotions), ("all three metrics", &findings.promotions_of_three)] {
        let Some(promotion) = promotions.iter().find(|p| p.rps == 100.0) else { continue };
        let [first, second] = promotion.seconds.each_ref().map(|seconds| seconds.mean().unwrap_or(f64::INFINITY));
        let seen = format!("{} s and {} s", number(first), number(second));
        let name = format!("healthy canary promoted in at most 60 s a step at 100 a second ({what})");
        goal(&name, seen, first <= 60.0 && second <= 60.0);
    }
    drift_goals(findings, &mut goal);
    if let Some(row) = row(findings, Kind::Late, 100.0) {
        let after = row.outcomes[SERIN].seconds.mean().unwrap_or(f64::INFINITY) - 240.0;
        goal("late regression caught in at most 10 s at 100 a second", format!("{} s", number(after)), after <= 10.0);
    }
    let outages = RATES.iter().filter_map(|rps| row(findings, Kind::Outage(0.6), *rps));
    let worst = outages.map(|row| row.outcomes[SERIN].caught.value()).fold(0.0, f64::max);
    goal("outage of both by 60 points: at most 1 % rolled back, at any rate", percent(worst), worst <= 0.01);
    out
}

fn drift_goals(findings: &Findings, goal: &mut impl FnMut(&str, String, bool)) {
    for (what, kind) in [("", Kind::Drift(0.2, 0.35)), (", class named", Kind::NamedDrift(0.2, 0.35))] {
        let usual = RATES.iter().filter(|rps| (20.0..=100.0).contains(*rps));
        let rows = usual.filter_map(|rps| row(findings, kind, *rps));
        let answers: Vec<(f64, f64)> = rows.filter_map(|r| Some((r.rps, r.outcomes[SERIN].harm.mean()?))).collect();
        let seen: Vec<String> = answers.iter().map(|(rps, mean)| format!("{mean:.0} at {}", number(*rps))).collect();
        let met = answers.iter().all(|(_, mean)| *mean <= 300.0);
        let name = format!("class share 0.20 to 0.35 found within 300 canary answers, at 20 and 100 a second{what}");
        goal(&name, seen.join(", "), met);
    }
    let healthy = findings.rows.iter().filter(|row| matches!(row.kind, Kind::Drift(a, b) if a == b));
    let worst = healthy.map(|row| row.outcomes[SERIN].caught.value()).fold(0.0, f64::max);
    goal("a healthy model at a base rate of 0.1, 0.2 or 0.5 rolled back at most 1 %", percent(worst), worst <= 0.01);
}

/// All pictures: file name and SVG.
pub(crate) fn pictures(findings: &Findings) -> Vec<(&'static str, String)> {
    let rate_axis = Axis { label: "requests a second", range: (0.8, 650.0), marks: RATES.to_vec(), log: true };
    let errors_axis = Axis {
        label: "canary's share of errors, in percent (stable: 0.5 %)",
        range: (0.4, 60.0),
        marks: ERRORS.map(|share| 100.0 * share).to_vec(),
        log: true,
    };
    let failed = Axis {
        label: "failed requests until rollback or promotion",
        range: (0.5, 20_000.0),
        marks: vec![1.0, 10.0, 100.0, 1_000.0, 10_000.0],
        log: true,
    };
    let share = Axis {
        label: "rolled back, in percent of the rollouts",
        range: (0.0, 100.0),
        marks: vec![0.0, 25.0, 50.0, 75.0, 100.0],
        log: false,
    };
    let harm = |outcome: &Outcome| outcome.harm.mean();
    let caught = |outcome: &Outcome| Some(100.0 * outcome.caught.value());
    let by_rate = |of: &dyn Fn(&Outcome) -> Option<f64>| {
        lines(|method| {
            let rows = RATES.iter().filter_map(|rps| row(findings, Kind::Errors(0.1), *rps));
            rows.filter_map(|row| Some((row.rps, of(&row.outcomes[method])?))).collect()
        })
    };
    let by_errors = |rps: f64, of: &dyn Fn(&Outcome) -> Option<f64>| {
        lines(|method| {
            let rows = ERRORS.iter().filter_map(|share| Some((*share, row(findings, Kind::Errors(*share), rps)?)));
            rows.filter_map(|(share, row)| Some((100.0 * share, of(&row.outcomes[method])?))).collect()
        })
    };
    let mut pictures = Vec::new();
    if !findings.rows.is_empty() {
        let by_traffic = plot::lines("10 % errors: what it costs, by traffic", &rate_axis, &failed, &by_rate(&harm));
        let at_100 = by_errors(100.0, &harm);
        let by_size = plot::lines("100 requests a second: what it costs, by errors", &errors_axis, &failed, &at_100);
        let at_20 = by_errors(20.0, &caught);
        let rolled_back =
            plot::lines("20 requests a second: how often it is rolled back", &errors_axis, &share, &at_20);
        pictures.extend([
            ("failed-by-traffic.svg", by_traffic),
            ("failed-by-errors.svg", by_size),
            ("caught-20.svg", rolled_back),
        ]);
    }
    if !findings.study.is_empty() {
        let [failed, passed] = [false, true].map(|of_passes| promises(&findings.study, of_passes));
        pictures.extend([
            ("alpha.svg", plot::against_bounds("Rolled back although no worse than tolerated", &failed)),
            ("beta.svg", plot::against_bounds("Steps passed although not better than tolerated", &passed)),
        ]);
    }
    pictures
}

fn lines(points: impl Fn(usize) -> Vec<(f64, f64)>) -> Vec<Line> {
    let colours = [plot::RECORD, plot::SCOPED, plot::KAYENTA, plot::SERIN];
    let named = METHODS.into_iter().zip(colours).enumerate();
    named.map(|(method, (name, colour))| Line { name, colour, points: points(method) }).collect()
}

fn promises(cells: &[Seen], of_passes: bool) -> Vec<Bounded> {
    let on = cells.iter().filter(|seen| matches!(seen.claim, Claim::OnTolerance { .. }));
    on.filter_map(|seen| {
        let share = if of_passes { seen.worst_pass()? } else { seen.failed };
        let promise = if of_passes { 0.05 } else { 0.01 };
        let name = if seen.name.chars().count() > 62 {
            seen.name.chars().take(60).collect::<String>() + "…"
        } else {
            seen.name.to_owned()
        };
        Some(Bounded { name, value: share.value(), error: share.error(), promise })
    })
    .collect()
}

/// A cell in a line of text.
pub(crate) fn study_line(seen: &Seen) -> String {
    let (share, _) = seen.decisive();
    let pass = seen.worst_pass().map_or(String::new(), |pass| format!(", passed {}", percent(pass.value())));
    let holds = if seen.holds() { "holds" } else { "BROKEN" };
    format!(
        "{holds}: {}: {} {}{pass} (wanted: {})",
        seen.name,
        decided(seen.claim),
        percent(share.value()),
        wanted(seen)
    )
}

/// A line of the comparison.
pub(crate) fn row_line(row: &Row) -> String {
    let cells: Vec<String> = row.outcomes.iter().map(|one| outcome(row, one)).collect();
    format!("{} rps, {}: {}", number(row.rps), kind(row.kind), cells.join(" | "))
}

/// Steps that end on evidence.
pub(crate) fn promotion_line(errors: &Promotion, three: &Promotion) -> String {
    let table = promotion(std::slice::from_ref(errors), std::slice::from_ref(three));
    format!("on evidence: {}", table.lines().last().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validity::{study, table};

    #[test]
    fn a_table_has_a_line_for_every_row_and_says_what_was_seen() {
        let row = table::play(Kind::Errors(0.5), 20.0, 4, 1);
        let text = rows([&row].into_iter());
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("| 20 | 50 % errors | 100 % · "), "{text}");
        assert!(last.matches('|').count() == text.lines().next().unwrap().matches('|').count());
        let cell = &study::cells()[2];
        let seen = study::play(cell, 2, 1);
        assert!(super::study(std::slice::from_ref(&seen)).contains("errors, constant, 100 a second"));
        let findings = Findings { study: vec![seen], rows: vec![row], ..Findings::default() };
        let drawn = pictures(&findings);
        assert!(drawn.iter().all(|(_, svg)| svg.starts_with("<svg") && svg.ends_with("</svg>\n")));
        let options = Options { runs: 2, lines: None, seed: 1, part: None, out: None };
        assert_eq!(blocks(&findings, &options).len(), NAMES.len());
    }
}
