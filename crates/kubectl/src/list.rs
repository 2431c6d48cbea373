//! `list rollouts` and `list experiments`: one line each.

use serin_controller::Object;
use serin_core::Time;
use serin_spec::{duration, timestamp};

use crate::age;
use crate::info::{created, set_weight, step};
use crate::phase::{self, text};
use crate::table;

/// What stands before the usual columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// The namespace.
    pub namespace: bool,
    /// The time at which the line is printed.
    pub timestamp: bool,
}

/// The least width of each column: its head's, or that of what usually stands there, so that lines that are printed one by one
/// while watching stand below each other, too.
const ROLLOUT: [(&str, usize); 9] = [
    ("NAME", 10),
    ("STRATEGY", 9),
    ("STATUS", 12),
    ("STEP", 4),
    ("SET-WEIGHT", 10),
    ("READY", 5),
    ("DESIRED", 7),
    ("UP-TO-DATE", 10),
    ("AVAILABLE", 9),
];

const EXPERIMENT: [(&str, usize); 5] = [("NAME", 10), ("STATUS", 6), ("DURATION", 8), ("REMAINING", 9), ("AGE", 3)];

const NAMESPACE: (&str, usize) = ("NAMESPACE", 9);
const TIMESTAMP: (&str, usize) = ("TIMESTAMP", 20);

/// The columns of a rollout, without time and namespace: what is compared to know whether a line is news.
pub fn rollout_cells(rollout: &Object, now: Time) -> [String; 9] {
    let (spec, status) = (&rollout.0["spec"], &rollout.0["status"]);
    let canary = spec["strategy"]["canary"].is_object();
    let strategy = match () {
        () if canary => "Canary",
        () if spec["strategy"]["blueGreen"].is_object() => "BlueGreen",
        () => "unknown",
    };
    let step = if canary { step(rollout) } else { String::new() };
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    [
        rollout.name().to_owned(),
        strategy.to_owned(),
        phase::of(rollout, now).0,
        if step.is_empty() { "-".to_owned() } else { step },
        if canary { set_weight(rollout).to_string() } else { "-".to_owned() },
        format!("{}/{}", count("readyReplicas"), count("replicas")),
        spec["replicas"].as_i64().unwrap_or(1).to_string(),
        count("updatedReplicas").to_string(),
        count("availableReplicas").to_string(),
    ]
}

/// Rollouts as a table, with its head if that is wanted.
//= compat: 7.3-2
pub fn rollouts(rollouts: &[Object], before: Before, now: Time, head: bool) -> String {
    let cells = |rollout: &Object| rollout_cells(rollout, now).to_vec();
    lines(&ROLLOUT, rollouts, cells, before, now, head)
}

/// Experiments as a table.
//= compat: 7.3-3
pub fn experiments(experiments: &[Object], namespace: bool, now: Time) -> String {
    let cells = |experiment: &Object| experiment_cells(experiment, now).to_vec();
    lines(&EXPERIMENT, experiments, cells, Before { namespace, timestamp: false }, now, true)
}

fn experiment_cells(experiment: &Object, now: Time) -> [String; 5] {
    let status = &experiment.0["status"];
    let phase = text(&status["phase"]);
    let lasts = experiment.0["spec"]["duration"].as_str().filter(|text| !text.is_empty());
    let lasts = lasts.and_then(|text| duration::parse_ms(text).ok());
    let over = matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive");
    let begun = status["availableAt"].as_str().and_then(timestamp::parse).filter(|_| !over);
    let left = lasts.zip(begun).map(|(lasts, begun)| begun.as_millis() + lasts - now.as_millis());
    let shown = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), age::short);
    [
        experiment.name().to_owned(),
        phase.to_owned(),
        shown(lasts),
        shown(left.filter(|left| *left > 0)),
        age::since(created(experiment), now),
    ]
}

fn lines(
    columns: &[(&str, usize)],
    objects: &[Object],
    cells: impl Fn(&Object) -> Vec<String>,
    before: Before,
    now: Time,
    head: bool,
) -> String {
    let stamp = timestamp::format(Time::from_secs(now.as_secs()));
    let all: Vec<(&str, usize)> = [(before.timestamp, TIMESTAMP), (before.namespace, NAMESPACE)]
        .into_iter()
        .filter_map(|(shown, column)| shown.then_some(column))
        .chain(columns.iter().copied())
        .collect();
    let mut rows = Vec::new();
    if head {
        rows.push(all.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<String>>());
    }
    rows.extend(objects.iter().map(|object| {
        let first = [before.timestamp.then(|| stamp.clone()), before.namespace.then(|| object.namespace().to_owned())];
        let row = first.into_iter().flatten().chain(cells(object));
        row.zip(&all).map(|(cell, (_, least))| format!("{cell:<least$}")).collect::<Vec<String>>()
    }));
    table::aligned(&rows)
}
