//! A plan for people: a table for every step, within a hundred columns, and the warnings below.

use std::fmt::Write as _;

use serin_spec::plan::{Judged, Metric, Outlook, Readings, Run, Sight, Step};

use super::{From, Told};
use crate::output::age;

/// Columns of the whole.
const WIDTH: usize = 100;
/// Columns of a metric's name; longer ones push the rest aside.
const NAME: usize = 24;
/// Columns of what is seen.
const SEES: usize = 45;

/// All plans, one after the other.
pub(super) fn all(told: &[Told]) -> String {
    told.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(told: &Told) -> String {
    let plan = &told.plan;
    let from = |from: From| match from {
        From::Given => "as given",
        From::Router => "as the router sees now",
        From::Assumed => "assumed",
    };
    let mut out = String::new();
    let assumed = &plan.assumed;
    let head = format!(
        "{}/{}: {} requests a second ({}), {} of stable's answers are errors ({})",
        plan.namespace,
        plan.name,
        number(assumed.rate),
        from(told.rate_from),
        percent(assumed.stable_errors),
        from(told.stable_errors_from),
    );
    indent(&head, 0, 2, &mut out);
    let power = percent(assumed.power);
    let _ = writeln!(out, "SEES: noticed in its time with probability {power}. PASSES: an equal version, on average.");
    if plan.steps.is_empty() {
        out.push_str("\nno step takes time, so nothing is seen of the new version before it has all requests\n");
    }
    for step in &plan.steps {
        out.push('\n');
        self::step(step, &mut out);
    }
    if !plan.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &plan.warnings {
        let text = format!("warning: step {}, {}: {}", warning.step, warning.metric, warning.message);
        indent(&text, 0, 2, &mut out);
        indent(&format!("hint: {}", warning.hint), 2, 4, &mut out);
    }
    out
}

fn step(step: &Step, out: &mut String) {
    let mut head = format!("step {}, {}: {} of the requests", step.number, step.text, percent(step.weight));
    if step.mirrored > 0.0 {
        let _ = write!(head, ", {} copied", percent(step.mirrored));
    }
    match (step.least_s, step.most_s) {
        (Some(least), Some(most)) if least == most => {
            let _ = write!(head, " for {}", seconds(most));
        }
        (_, Some(most)) => {
            let _ = write!(head, " for at most {}", seconds(most));
        }
        _ => head.push_str(", nobody knows how long"),
    }
    if let Some(requests) = step.canary_requests.filter(|n| *n >= 1.0) {
        let _ = write!(head, ", {requests:.0} of them of the canary");
    }
    indent(&head, 0, 2, out);
    if step.metrics.is_empty() {
        out.push_str("  nothing judges it\n");
        return;
    }
    row("METRIC", "SEES", "PASSES", out);
    for metric in &step.metrics {
        let (sees, passes) = match &metric.judged {
            Judged::Tests(outlook) => (sees(outlook), passes(metric, outlook)),
            Judged::Readings(readings) => (of_readings(readings), taken(readings.count, readings.must_fail)),
            Judged::Other { readings, must_fail } => ("not judged by counts".to_owned(), taken(*readings, *must_fail)),
        };
        row(&name(metric), &sees, &passes, out);
    }
}

fn name(metric: &Metric) -> String {
    let mut name = metric.name.clone();
    if metric.run == Run::Background {
        name.push_str(" (beside)");
    }
    if metric.looks_on {
        name.push_str(" (looks on)");
    }
    name
}

/// What a test sees: `4.1 % errors or more`, or a share for each that stable may have.
fn sees(outlook: &Outlook) -> String {
    if outlook.requests.is_none() {
        return "the more the longer it lasts".to_owned();
    }
    let seen = |sight: &Sight| sight.seen_from.map(percent_up);
    match outlook.sights.as_slice() {
        sights if sights.iter().all(|sight| sight.seen_from.is_none()) => "nothing".to_owned(),
        [only] => format!("{} {} or more", seen(only).unwrap_or_default(), outlook.what),
        sights => {
            let each = sights.iter().map(|sight| match seen(sight) {
                Some(seen) => format!("from {} to {seen}", percent(sight.stable)),
                None => format!("not from {}", percent(sight.stable)),
            });
            format!("{}: {}", outlook.what, each.collect::<Vec<_>>().join(", "))
        }
    }
}

fn passes(metric: &Metric, outlook: &Outlook) -> String {
    if outlook.rate <= 0.0 {
        return "never".to_owned();
    }
    let needed: Option<Vec<f64>> = outlook.sights.iter().map(|sight| sight.passes_after_s).collect();
    let Some(needed) = needed else { return "never".to_owned() };
    let longest = needed.into_iter().fold(0.0, f64::max);
    match metric.seconds {
        Some(time) if longest > time => format!("not within {}", seconds(time)),
        _ => format!("after about {}", seconds(longest)),
    }
}

fn of_readings(readings: &Readings) -> String {
    let each =
        readings.chances.iter().map(|chance| format!("{} if {} are bad", likely(chance.fails), percent(chance.share)));
    format!("a reading of {:.0} fails with {}", readings.requests, each.collect::<Vec<_>>().join(", "))
}

/// A probability, which is never told to be certain.
fn likely(probability: f64) -> String {
    match probability {
        p if p >= 0.9995 => "over 99.9 %".to_owned(),
        p if p < 0.0005 => "under 0.1 %".to_owned(),
        p => percent((p * 1000.0).round() / 1000.0),
    }
}

fn taken(count: Option<u32>, must_fail: Option<u32>) -> String {
    let many = count.map_or("readings go on".to_owned(), |n| format!("{n} reading{}", if n == 1 { "" } else { "s" }));
    match must_fail {
        Some(fail) => format!("{many}, {fail} must fail"),
        None => format!("{many}, never fails"),
    }
}

/// A row whose second column goes on below where it is too long.
fn row(name: &str, sees: &str, passes: &str, out: &mut String) {
    for (i, part) in wrapped(sees, SEES).into_iter().enumerate() {
        let (name, passes) = if i == 0 { (name, passes) } else { ("", "") };
        let line = format!("  {name:NAME$} {part:SEES$} {passes}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// A paragraph within the width, its first line and the others indented by so much.
fn indent(text: &str, first: usize, others: usize, out: &mut String) {
    for (i, line) in wrapped(text, WIDTH - others).into_iter().enumerate() {
        let _ = writeln!(out, "{:1$}{line}", "", if i == 0 { first } else { others });
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a line from the beginning");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn seconds(s: f64) -> String {
    // No time is too short to be told.
    age((s.ceil() * 1000.0) as i64)
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

/// A share that is the least that is seen: never told smaller than it is.
fn percent_up(share: f64) -> String {
    let scale = if share < 0.1 { 1_000.0 } else { 100.0 };
    percent((share * scale - 1e-6).ceil() / scale)
}

/// As many digits as mean something.
fn number(n: f64) -> String {
    let digits = match n.abs() {
        size if (99.95..100.0).contains(&size) => 2,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{n:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{number, percent_up, wrapped};

    #[test]
    fn numbers_are_short_and_shares_never_told_too_small() {
        assert_eq!([number(40.0), number(0.5), number(12.34), number(99.97)], ["40", "0.5", "12.3", "99.97"]);
        assert_eq!([percent_up(0.0412), percent_up(0.05), percent_up(0.121)], ["4.2 %", "5 %", "13 %"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
