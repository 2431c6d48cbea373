//! What a plan warns of: steps that see nothing, steps in which nothing can pass, tolerances that the traffic cannot show.

use serde::Serialize;

use super::{Judged, Metric, Outlook, Plan, Readings, Run, Sight, Step};

/// A tolerance is out of reach when only an excess of more than so many times it is seen.
const OUT_OF_REACH: f64 = 5.0;
/// A reading that fails no more probably than that even for five times the limit sees nothing.
const BLIND: f64 = 0.05;

/// A warning.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// What kind of warning.
    pub kind: Kind,
    /// The number of the step, from 1.
    pub step: usize,
    /// Where the step stands in the manifest.
    pub path: String,
    /// The metric.
    pub metric: String,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hint: String,
}

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Even a version that answers nothing right would not be noticed.
    SeesNothing,
    /// An equal version does not pass in its time.
    CannotPass,
    /// Only far larger regressions than those that are not tolerated are seen.
    ToleranceOutOfReach,
}

/// The warnings of a plan.
pub(super) fn of(plan: &Plan) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for step in &plan.steps {
        for metric in &step.metrics {
            let found = match &metric.judged {
                Judged::Tests(outlook) => tests(plan, step, metric, outlook),
                Judged::Readings(readings) => blind(step, readings).into_iter().collect(),
                Judged::Other { .. } => Vec::new(),
            };
            let place = |(kind, message, hint): (Kind, String, String)| Warning {
                kind,
                step: step.number,
                path: step.path.clone(),
                metric: metric.name.clone(),
                message,
                hint,
            };
            warnings.extend(found.into_iter().map(place));
        }
    }
    warnings
}

type Found = (Kind, String, String);

fn tests(plan: &Plan, step: &Step, metric: &Metric, outlook: &Outlook) -> Vec<Found> {
    let Some(seconds) = metric.seconds else { return Vec::new() };
    if outlook.sights.iter().all(|sight| sight.seen_from.is_none()) {
        let (why, hint) = why_nothing(step, metric, outlook, seconds);
        return vec![(Kind::SeesNothing, format!("sees nothing: {why}"), hint)];
    }
    let mut found = Vec::new();
    // Beside the steps only a pause waits for it.
    let undecided = match metric.run {
        Run::Background => plan.on_evidence.filter(|_| step.text.starts_with("pause")),
        Run::Step | Run::PrePromotion | Run::PostPromotion => Some(outlook.undecided),
    };
    found.extend(undecided.and_then(|undecided| cannot_pass(outlook, seconds, undecided)));
    found.extend(out_of_reach(outlook, seconds));
    found
}

fn why_nothing(step: &Step, metric: &Metric, outlook: &Outlook, seconds: f64) -> (String, String) {
    if outlook.rate <= 0.0 {
        return match metric.run {
            Run::PrePromotion => (
                "before the switch no user's request reaches the new version".to_owned(),
                "compare after the switch, or in a canary, where both versions answer".to_owned(),
            ),
            _ if outlook.what.contains("pairs") => (
                "no requests are copied to the canary here".to_owned(),
                "add a setMirrorRoute step before it".to_owned(),
            ),
            _ => ("the canary gets no requests here".to_owned(), "add a setWeight step before it".to_owned()),
        };
    }
    let worst = outlook.sights.iter().filter_map(|sight| sight.worst_after_s).reduce(f64::min);
    match worst {
        Some(worst) => (
            format!(
                "even a version that answers nothing right is not noticed in {}, with {:.0} requests; it takes {}",
                span(seconds),
                outlook.requests.unwrap_or(0.0),
                span(worst)
            ),
            "give it more weight or more time".to_owned(),
        ),
        None if step.weight >= 1.0 => (
            "stable answers nothing here, so there is nothing to compare with".to_owned(),
            "compare at a smaller weight, in an analysis beside the steps, or with a limit".to_owned(),
        ),
        None => ("the tolerance allows every share that there is".to_owned(), "lower the tolerance".to_owned()),
    }
}

fn cannot_pass(outlook: &Outlook, seconds: f64, undecided: &str) -> Option<Found> {
    let needed: Option<Vec<f64>> = outlook.sights.iter().map(|sight| sight.passes_after_s).collect();
    let Some(needed) = needed else {
        let message = format!("an equal version never passes: it would end undecided ({undecided})");
        return Some((Kind::CannotPass, message, "raise the tolerance".to_owned()));
    };
    let longest = needed.iter().copied().fold(0.0, f64::max);
    (longest > seconds).then(|| {
        let message = format!(
            "an equal version does not pass in {}: that takes about {}, so it would end undecided ({undecided})",
            span(seconds),
            span(longest)
        );
        (Kind::CannotPass, message, "give it more time or weight, or raise the tolerance".to_owned())
    })
}

fn out_of_reach(outlook: &Outlook, seconds: f64) -> Option<Found> {
    let far = |sight: &&Sight| {
        let allowed = sight.tolerated - sight.stable;
        allowed > 0.0 && sight.seen_from.is_some_and(|seen| seen - sight.stable > OUT_OF_REACH * allowed)
    };
    let sight = outlook.sights.iter().find(far)?;
    let message = format!(
        "{} more are tolerated, and {} more are the least that is seen in {}; twice the tolerance is seen after {}",
        points(sight.tolerated - sight.stable),
        points(sight.seen_from? - sight.stable),
        span(seconds),
        sight.twice_after_s.map_or("no time at all".to_owned(), span),
    );
    Some((
        Kind::ToleranceOutOfReach,
        message,
        "give it more time or weight, or tolerate what cannot be seen".to_owned(),
    ))
}

fn blind(step: &Step, readings: &Readings) -> Option<Found> {
    let most = readings.chances.iter().map(|chance| chance.fails).fold(0.0, f64::max);
    if readings.must_fail.is_none() || most > BLIND {
        return None;
    }
    let message = match step.weight > 0.0 && readings.requests >= 1.0 {
        false => "sees nothing: the canary has answered nothing yet".to_owned(),
        true => format!(
            "sees nothing: a reading of {:.0} requests fails with probability {:.1} % for a version far beyond the limit",
            readings.requests,
            100.0 * most
        ),
    };
    Some((Kind::SeesNothing, message, "pause before it, or give it more weight".to_owned()))
}

fn points(share: f64) -> String {
    format!("{:.1} points", 100.0 * share)
}

/// A time as people say it, rounded up.
fn span(seconds: f64) -> String {
    let s = seconds.ceil();
    match s {
        _ if s < 120.0 => format!("{s:.0} s"),
        _ if s < 7200.0 => format!("{:.0} min", (s / 60.0).ceil()),
        _ if s < 172_800.0 => format!("{:.0} hours", (s / 3600.0).ceil()),
        _ => format!("{:.0} days", (s / 86_400.0).ceil()),
    }
}
