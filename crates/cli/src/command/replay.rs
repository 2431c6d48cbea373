//! `serin replay`: the verdicts of an update made again from its log, or those of another template.

mod template;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serin_providers::sequential::log::{Entry, Flaw, Update};
use serin_providers::sequential::replay::{Difference, Played, Replay};
use serin_stats::batch::Batch;

use crate::arguments::{self, Format};
use crate::error::{CliError, FAILED};
use crate::judged::LogFile;
use crate::judged::verdicts::{Row, Verdicts};
use crate::output::{self, table, tag};

/// What was found out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    log: String,
    rollout: String,
    revision: u64,
    canary: String,
    stable: String,
    /// Seconds on the rollout's clock from the begin of the update to the last look.
    seconds: f64,
    looks: u64,
    verdicts: Vec<Row>,
    /// Whether every look came to the recorded verdict and state, and none is missing.
    identical: bool,
    differences: Vec<Told>,
    /// What the log lacks, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    flaw: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<String>,
    /// Whether the update had come to its end.
    ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<template::Tried>,
}

/// A look that came to something else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    run: String,
    metric: String,
    second: f64,
    what: &'static str,
    recorded: String,
    replayed: String,
}

pub(super) fn run(state: &Path, wanted: &arguments::Replay, format: Format) -> Result<ExitCode, CliError> {
    let mut log = LogFile::find(state, &wanted.log)?;
    let mut seen = Seen::default();
    let flaw = log.play(|entry| seen.take(entry))?;
    seen.finish();
    let tried = match &wanted.template {
        Some(named) => Some(template::tried(named, &wanted.arguments, &mut log, &seen)?),
        None => None,
    };
    let outcome = seen.outcome(&log, flaw, tried)?;
    if !output::machine(format, &outcome)? {
        output::line(text(&outcome));
    }
    // What another template would have done is an answer whatever it is.
    let sound = outcome.identical || (outcome.template.is_some() && outcome.differences.is_empty());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// What a log told.
#[derive(Debug, Default)]
struct Seen {
    replay: Replay,
    verdicts: Verdicts,
    failed: Failed,
    last_ms: i64,
    ended: bool,
}

/// Failed requests of the canary that the router counted.
#[derive(Debug, Default)]
struct Failed {
    /// By number: end of the second, answers, errors.
    seconds: BTreeMap<u64, (i64, u64, u64)>,
}

impl Failed {
    fn take(&mut self, batch: &Batch) {
        self.seconds.insert(batch.seq, (batch.end_ms, batch.canary.answered, batch.canary.errors));
    }

    /// Those of the seconds that began to be counted before this time; `None` where the router counted nothing.
    fn until(&self, at_ms: i64) -> Option<u64> {
        let until = self.seconds.values().filter(|(end_ms, ..)| *end_ms <= at_ms);
        (!self.seconds.is_empty()).then(|| until.map(|(.., errors)| errors).sum())
    }
}

impl Seen {
    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Update(update) => self.verdicts = Verdicts::new(update.begun_ms),
            Entry::Second(batch) => self.failed.take(batch),
            Entry::Look(look) => self.last_ms = look.at_ms,
            Entry::Settled(settled) => self.ended = settled.place.is_over(),
            _ => {}
        }
        if let Played::Judged(judged) = self.replay.take(entry) {
            self.verdicts.take(&judged);
        }
    }

    /// At the end of the log.
    fn finish(&mut self) {
        let last = self.replay.finish();
        self.verdicts.take(&last);
    }

    fn update(&self) -> Result<&Update, CliError> {
        self.replay.update().ok_or_else(|| CliError::Bug("a log without its update was read".to_owned()))
    }

    /// The verdicts with the requests that had failed by then.
    fn rows(&self) -> Vec<Row> {
        let mut rows = self.verdicts.finish();
        rows.iter_mut().for_each(|row| row.failed_requests = self.failed.until(row.at_ms));
        rows
    }

    fn outcome(
        &self,
        log: &LogFile,
        flaw: Option<Flaw>,
        template: Option<template::Tried>,
    ) -> Result<Outcome, CliError> {
        let update = self.update()?;
        let second = |ms: i64| (ms - update.begun_ms) as f64 / 1000.0;
        let told = |d: &Difference| Told {
            run: d.run.clone(),
            metric: d.metric.clone(),
            second: second(d.at_ms),
            what: d.what,
            recorded: d.recorded.clone(),
            replayed: d.replayed.clone(),
        };
        let mut gaps: Vec<String> = self
            .replay
            .gaps
            .iter()
            .map(|gap| {
                let of = if gap.metric.is_empty() { gap.run.clone() } else { format!("{} of {}", gap.metric, gap.run) };
                format!(
                    "something is missing before second {:.0}: {of} cannot be replayed from there on",
                    second(gap.at_ms)
                )
            })
            .collect();
        if let Some(at_ms) = self.replay.full_ms {
            gaps.push(format!("the log was full at second {:.0}: what was judged later is not in it", second(at_ms)));
        }
        Ok(Outcome {
            log: log.path().display().to_string(),
            rollout: update.rollout.clone(),
            revision: update.revision,
            canary: update.canary.image.clone(),
            stable: update.stable.image.clone(),
            seconds: second(self.last_ms.max(update.begun_ms)),
            looks: self.replay.looks,
            verdicts: self.rows(),
            identical: flaw.is_none() && self.replay.gaps.is_empty() && self.replay.differences.is_empty(),
            differences: self.replay.differences.iter().map(told).collect(),
            flaw: flaw.map(|flaw| flaw.to_string()),
            gaps,
            ended: self.ended,
            template,
        })
    }
}

fn text(outcome: &Outcome) -> String {
    let Outcome { rollout, revision, seconds, looks, .. } = outcome;
    let (new, old) = (tag(&outcome.canary), tag(&outcome.stable));
    let mut out =
        vec![format!("{rollout} revision {revision}, {old} to {new}: {looks} looks in {seconds:.0} s"), String::new()];
    out.push(rows(&outcome.verdicts));
    out.push(String::new());
    out.extend(outcome.flaw.iter().cloned());
    out.extend(outcome.gaps.iter().cloned());
    for told in outcome.differences.iter().take(5) {
        let Told { run, metric, second, what, recorded, replayed } = told;
        out.push(format!("second {second:.0}, {metric} of {run}: {what} was {recorded}, is {replayed}"));
    }
    out.push(match (outcome.identical, outcome.differences.len()) {
        (true, _) => "Every look came to the recorded verdict and state, bit for bit.".to_owned(),
        (false, 0) => "What is whole in the log came to the recorded verdicts; the rest is not known.".to_owned(),
        (false, 1) => "1 look came to something else.".to_owned(),
        (false, n) => format!("{n} looks came to something else."),
    });
    if !outcome.ended {
        out.push("The update had not come to its end where the log ends.".to_owned());
    }
    if let Some(tried) = &outcome.template {
        out.push(String::new());
        out.push(tried.text());
    }
    out.join("\n")
}

/// Verdicts as a table.
fn rows(verdicts: &[Row]) -> String {
    if verdicts.is_empty() {
        return "No metric was looked at.".to_owned();
    }
    let row = |row: &Row| {
        let failed = row.failed_requests.map_or_else(|| "-".to_owned(), |n| n.to_string());
        vec![
            row.metric.clone(),
            row.verdict.to_owned(),
            row.phase.to_owned(),
            format!("{:.0}", row.second),
            row.weight.clone(),
            failed,
            row.text.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = verdicts.iter().map(row).collect();
    table(&["METRIC", "VERDICT", "PHASE", "SECOND", "WEIGHT", "FAILED-REQUESTS", "STANDING"], &rows)
}
