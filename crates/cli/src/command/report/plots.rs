//! The plots of a report.

use serin_stats::sketch::{latency, number};

use super::data::{Data, EventPoint, MetricData, VersionData};
use crate::plot::{Bars, Mark, Plot, Scale, Series, Shape};

const LN_10: f64 = std::f64::consts::LN_10;
/// Events that get a mark; more would hide the lines.
const MARKS: usize = 40;
/// Classes that get bars of their own.
const CLASSES: usize = 12;
/// Evidence further below 1 than this says nothing more.
const LEAST: f64 = 1e-3;

fn seconds(data: &Data) -> Scale {
    Scale::linear(0.0, data.seconds.max(1.0))
}

fn line(name: &str, class: &'static str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), class, shape: Shape::Line(points) }
}

/// Events that are worth a mark, with their numbers.
pub(super) fn marked(data: &Data) -> impl Iterator<Item = (usize, &EventPoint)> {
    data.events.iter().take(MARKS).enumerate().map(|(i, event)| (i + 1, event))
}

/// Weights wanted and seen, with what happened.
pub(super) fn timeline(data: &Data) -> Plot {
    let mut wanted: Vec<(f64, f64)> = data.places.iter().filter_map(|p| Some((p.second, p.weight?))).collect();
    if let Some(last) = wanted.last().copied() {
        wanted.push((data.seconds, last.1));
    }
    let seen = data.traffic.iter().filter_map(|p| Some((p.second, p.seen?))).collect();
    let mark = |(number, event): (usize, &EventPoint)| Mark {
        x: event.second,
        number,
        text: format!("{}: {}", event.reason, event.message),
        bad: event.warning,
    };
    Plot {
        title: "Share of the requests for the new version".to_owned(),
        described: format!("Wanted and seen over {:.0} seconds, with {} events.", data.seconds, data.events.len()),
        x_label: "seconds since the update began",
        x: seconds(data),
        y: Scale::linear(0.0, 1.0).percent(),
        height: 300.0,
        series: vec![
            line("seen", "canary", seen),
            Series { name: "wanted".to_owned(), class: "wanted", shape: Shape::Steps(wanted) },
        ],
        limits: Vec::new(),
        marks: marked(data).map(mark).collect(),
    }
}

/// Failed answers of both versions, as a share.
pub(super) fn errors(data: &Data) -> Option<Plot> {
    let share = |answered: u64, errors: u64| (answered > 0).then(|| errors as f64 / answered as f64);
    let canary: Vec<_> =
        data.traffic.iter().filter_map(|p| Some((p.second, share(p.canary_answered, p.canary_errors)?))).collect();
    let stable: Vec<_> =
        data.traffic.iter().filter_map(|p| Some((p.second, share(p.stable_answered, p.stable_errors)?))).collect();
    let most = canary.iter().chain(&stable).map(|(_, y)| *y).fold(0.01, f64::max);
    (!canary.is_empty()).then(|| Plot {
        title: "Answers that were errors".to_owned(),
        described: "The share of errors among the answers of both versions, by the second.".to_owned(),
        x_label: "seconds since the update began",
        x: seconds(data),
        y: Scale::linear(0.0, most).percent(),
        height: 220.0,
        series: vec![line("stable", "stable", stable), line("canary", "canary", canary)],
        limits: Vec::new(),
        marks: Vec::new(),
    })
}

/// Evidence for and against, with its limits.
pub(super) fn evidence(data: &Data, metric: &MetricData) -> Option<Plot> {
    let last = metric.points.last()?;
    let e = |log_e: f64| 10_f64.powf((log_e / LN_10).clamp(-300.0, 300.0));
    let (fail, pass) = (e(last.log_e_fail), e(last.log_e_pass_at));
    let most = fail.max(pass) * 10.0;
    let clipped = |log_e: f64| e(log_e).clamp(LEAST, most);
    let against = metric.points.iter().map(|p| (p.second, clipped(p.log_e))).collect();
    let pro = metric.points.iter().map(|p| (p.second, clipped(p.log_e_pass))).collect();
    Some(Plot {
        title: format!("{}: evidence", metric.metric),
        described: format!(
            "Evidence against the new version ends at {:.2} of {fail:.0}, evidence for it at {:.2} of {pass:.0}.",
            clipped(last.log_e),
            clipped(last.log_e_pass)
        ),
        x_label: "seconds since the update began",
        x: seconds(data),
        y: Scale::log(LEAST, most),
        height: 260.0,
        series: vec![line("for it", "for", pro), line("against it", "against", against)],
        limits: vec![(fail, format!("fails at {fail:.0}"), "limit"), (pass, format!("passes at {pass:.0}"), "goal")],
        marks: Vec::new(),
    })
}

/// The difference with its interval.
pub(super) fn difference(data: &Data, metric: &MetricData) -> Option<Plot> {
    let known = || metric.points.iter().filter_map(|p| Some((p.second, p.difference?)));
    let band: Vec<(f64, f64, f64)> = known().map(|(x, (low, _, high))| (x, low, high)).collect();
    let (_, (low, estimate, high)) = known().next_back()?;
    // Before much is seen the interval is wide; the picture is of where it came to.
    let half = (estimate - low).max(high - estimate).max(0.01) * 3.0;
    let (from, to) = ((estimate - half).clamp(-1.0, 0.0), (estimate + half).clamp(0.0, 1.0));
    Some(Plot {
        title: format!("{}: difference of the versions, with its interval", metric.metric),
        described: format!(
            "The difference ends at {:.2} points, with an interval from {:.2} to {:.2} that holds at every look.",
            100.0 * estimate,
            100.0 * low,
            100.0 * high
        ),
        x_label: "seconds since the update began",
        x: seconds(data),
        y: Scale::linear(from, to).percent(),
        height: 220.0,
        series: vec![
            Series { name: String::new(), class: "band", shape: Shape::Band(band) },
            line("difference", "canary", known().map(|(x, (_, estimate, _))| (x, estimate)).collect()),
        ],
        limits: vec![(0.0, "equal".to_owned(), "goal")],
        marks: Vec::new(),
    })
}

/// The distribution of latencies of both versions.
pub(super) fn latencies(data: &Data) -> Option<Plot> {
    let of = |version: &VersionData| {
        let total: u64 = version.latency.values().sum();
        let mut below = 0;
        let mut points = Vec::new();
        for (bin, n) in &version.latency {
            if points.is_empty() {
                points.push((latency::upper_us(usize::from(*bin).saturating_sub(1)).unwrap_or(0) as f64 / 1000.0, 0.0));
            }
            below += n;
            let us = latency::upper_us((*bin).into()).unwrap_or(120_000_000);
            points.push((us as f64 / 1000.0, below as f64 / total.max(1) as f64));
        }
        points
    };
    let (canary, stable) = (of(&data.versions[0]), of(&data.versions[1]));
    let ends = || canary.iter().chain(&stable).map(|(x, _)| *x);
    let (least, most) = (ends().reduce(f64::min)?, ends().fold(0.0, f64::max));
    Some(Plot {
        title: "Latencies: the share of the answers that took at most so long".to_owned(),
        described: "The distribution functions of the latencies of both versions.".to_owned(),
        x_label: "milliseconds",
        x: Scale::log(least * 0.9, most * 1.1),
        y: Scale::linear(0.0, 1.0).percent(),
        height: 260.0,
        series: vec![
            Series { name: "stable".to_owned(), class: "stable", shape: Shape::Steps(stable) },
            Series { name: "canary".to_owned(), class: "canary", shape: Shape::Steps(canary) },
        ],
        limits: Vec::new(),
        marks: Vec::new(),
    })
}

/// The shares of the predictions of both versions.
pub(super) fn predictions(data: &Data) -> Option<Bars> {
    let [canary, stable] = &data.versions;
    let total = |version: &VersionData| version.classes.values().sum::<u64>().max(1) as f64;
    let mut names: Vec<&String> = canary.classes.keys().chain(stable.classes.keys()).collect();
    names.sort();
    names.dedup();
    let share =
        |version: &VersionData, name: &String| version.classes.get(name).map_or(0.0, |n| *n as f64 / total(version));
    let mut groups: Vec<(String, f64, f64)> =
        names.iter().map(|name| ((*name).clone(), share(canary, name), share(stable, name))).collect();
    groups.sort_by(|a, b| (b.1 + b.2).total_cmp(&(a.1 + a.2)));
    if groups.len() > CLASSES {
        let rest = groups.split_off(CLASSES - 1);
        let sum = |of: fn(&(String, f64, f64)) -> f64| rest.iter().map(of).sum();
        groups.push((format!("{} others", rest.len()), sum(|g| g.1), sum(|g| g.2)));
    }
    (!groups.is_empty()).then(|| Bars {
        title: "Predictions".to_owned(),
        described: format!("The shares of {} classes in the predictions of both versions.", names.len()),
        groups,
    })
}

/// The distribution of predictions that are numbers.
pub(super) fn numbers(data: &Data) -> Option<Plot> {
    let of = |version: &VersionData| {
        let total: u64 = version.numbers.values().sum();
        let mut below = 0;
        let mut points = Vec::new();
        for (bin, n) in &version.numbers {
            below += n;
            points.push((number::bound(*bin), below as f64 / total.max(1) as f64));
        }
        points
    };
    let (canary, stable) = (of(&data.versions[0]), of(&data.versions[1]));
    let ends = || canary.iter().chain(&stable).map(|(x, _)| *x);
    let (least, most) = (ends().reduce(f64::min)?, ends().reduce(f64::max)?);
    Some(Plot {
        title: "Predicted numbers: the share of the answers up to a number".to_owned(),
        described: "The distribution functions of the predicted numbers of both versions.".to_owned(),
        x_label: "prediction",
        x: Scale::linear(least, most),
        y: Scale::linear(0.0, 1.0).percent(),
        height: 240.0,
        series: vec![
            Series { name: "stable".to_owned(), class: "stable", shape: Shape::Steps(stable) },
            Series { name: "canary".to_owned(), class: "canary", shape: Shape::Steps(canary) },
        ],
        limits: Vec::new(),
        marks: Vec::new(),
    })
}
