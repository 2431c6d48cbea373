//! The log of an update: what its sequential metrics judged, second by second, and what came of it, so that every verdict can be made again later.
//!
//! A log is a series of blocks, each a gzip member of its own that says how long it is, so that what was written before a cut is whole. A block holds lines: the number of
//! the entry, a sum over it and all entries before, and the entry as JSON. `zcat` shows them. The sums tell a log that was cut off or altered by accident; whoever
//! wants to can compute them anew, they are no signature.

mod chain;
pub mod folder;
mod looked;
mod read;
mod written;

pub use chain::Chain;
pub(crate) use looked::seq;
pub use looked::{begun, concluded, looked};
pub use read::{Flaw, FlawKind, Reader};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serin_core::analysis::{Measurement, RunPhase, RunStatus};
use serin_core::{Rollout, Split, Status};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_stats::batch::Batch;
use serin_stats::judge::{Standing, Verdict};

use super::{STANDING, STATE};

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// Something that was logged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// Which update this is: the first entry.
    Update(Box<Update>),
    /// A run begins, before its first look.
    Run(Box<RunBegun>),
    /// What the router counted in a second, before the first look that judges it. A second that comes again is what the next looks judge.
    Second(Box<Batch>),
    /// A run was looked at. One that did not come to hold is followed by another one that begins where it began; which look the next one goes on from is said by
    /// [`MetricLook::from`], since the answer to a write may be lost, and what is made meanwhile not hold.
    Look(Look),
    /// Where the rollout is, and what happened on its way there.
    Settled(Settled),
    /// The end of a run, in an event.
    Ended(Event),
    /// How a run ended, by an adapter that may not learn which of its looks came to hold.
    Concluded(Concluded),
    /// There is no more room: no more seconds and looks follow. Milliseconds on the rollout's clock.
    Full(i64),
}

/// An update of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    /// [`FORMAT`].
    pub format: u32,
    /// Who wrote it.
    pub serin: String,
    /// `namespace/name`.
    pub rollout: String,
    /// Its revision.
    pub revision: u64,
    /// The new version.
    pub canary: Version,
    /// The one it is compared with.
    pub stable: Version,
    /// When the new version's pool was made, in milliseconds on the rollout's clock. Seconds are counted from here.
    pub begun_ms: i64,
    /// How much faster than the world that clock runs.
    pub speed: f64,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Version {
    /// Hash of its template.
    pub hash: String,
    /// Its image, of the first container.
    pub image: String,
}

/// A run as it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunBegun {
    /// Its name.
    pub run: String,
    /// What it judges, in Argo's words.
    pub kind: String,
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// Its sequential metrics with what was resolved for them; secrets are stars.
    pub spec: AnalysisRunSpec,
    /// What its metrics remembered, by name, where the log begins in the midst of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remembered: BTreeMap<String, Remembered>,
    /// Names of its other metrics, of which nothing is logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

/// What a metric remembers between two looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remembered {
    /// When its measurement began, in milliseconds on the rollout's clock.
    pub since_ms: i64,
    /// The state of its test, as JSON.
    pub state: String,
}

/// Which measurement of a metric is meant: one that is written may be another one than that of the last look in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// A digest of all that it remembers, see [`digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When it began, in milliseconds on the rollout's clock.
    pub since_ms: i64,
    /// When it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

/// The end of a run, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concluded {
    /// The run.
    pub run: String,
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// The last measurement of each of its sequential metrics that has one.
    pub metrics: BTreeMap<String, Origin>,
}

/// A look at a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Look {
    /// The run.
    pub run: String,
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// The weight that the canary was to have, such as `20/100`.
    pub window: String,
    /// The metrics that were looked at.
    pub metrics: Vec<MetricLook>,
}

/// A metric in a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricLook {
    /// Its name.
    pub metric: String,
    /// The measurement that the look went on from, if one had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// What was done with it.
    pub how: How,
    /// The phase of its measurement then.
    pub phase: String,
    /// Why, where that phase is final.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What was done with a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum How {
    /// It judged.
    Judged {
        /// Whether this was its first look, so that it remembered nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fresh: bool,
        /// The last batch that it had judged before.
        after: u64,
        /// The last batch that it has judged now. Those between are the router's seconds.
        until: u64,
        /// What it judged instead of the router's seconds: counted by others.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        batches: Vec<Batch>,
        /// What it has shown.
        verdict: Verdict,
        /// A digest of all that it remembers, see [`digest`].
        state: String,
    },
    /// It was stopped on the way.
    Stopped,
    /// It could not be looked at.
    Broken,
}

/// Where a rollout is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// The step that is carried out, counted from 0; the number of steps when all are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// How many steps there are.
    #[serde(default)]
    pub steps: usize,
    /// Argo's phase.
    pub phase: String,
    /// Argo's message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether the update was stopped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aborted: bool,
    /// Whether the new version is the stable one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promoted: bool,
    /// The weight that the router is to give the new version, and the sum of all weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<(u32, u32)>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settled {
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// Where the rollout is after it.
    pub place: Place,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// Argo's reason word, or one of ours.
    pub reason: String,
    /// The text.
    pub message: String,
    /// Whether it is a warning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
}

impl Entry {
    /// When it was logged, in milliseconds on the rollout's clock.
    pub fn at_ms(&self) -> i64 {
        match self {
            Entry::Update(update) => update.begun_ms,
            Entry::Run(run) => run.at_ms,
            Entry::Second(batch) => batch.end_ms,
            Entry::Look(look) => look.at_ms,
            Entry::Settled(settled) => settled.at_ms,
            Entry::Ended(event) => event.at_ms,
            Entry::Concluded(concluded) => concluded.at_ms,
            Entry::Full(at_ms) => *at_ms,
        }
    }
}

impl Place {
    /// Where a rollout of this status is, with what its router is to carry.
    pub fn of(rollout: &Rollout, status: &Status, split: Option<&Split>) -> Self {
        Self {
            step: status.step_index,
            steps: rollout.steps(),
            phase: status.phase.as_str().to_owned(),
            message: status.message.clone(),
            aborted: status.abort,
            promoted: status.stable.as_ref() == Some(&rollout.hash),
            weight: split.map(|split| (split.weight, split.weight_total)),
        }
    }

    /// Whether the update has come to its end: to the new version, or back.
    pub fn is_over(&self) -> bool {
        self.aborted || (self.promoted && self.phase == "Healthy")
    }
}

impl Event {
    /// That a run has ended.
    pub fn run_ended(run: &str, status: &RunStatus, at_ms: i64) -> Self {
        let because = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
        Self {
            at_ms,
            reason: "AnalysisRunEnded".to_owned(),
            message: format!("{run} is {}{because}", status.phase),
            warning: matches!(status.phase, RunPhase::Failed | RunPhase::Error),
        }
    }
}

impl Settled {
    /// Whether it is the decision before once more, by a process that did not know that it was made: the same but for the time.
    pub fn repeats(&self, before: &Settled) -> bool {
        let same = |(a, b): (&Event, &Event)| a.reason == b.reason && a.message == b.message;
        self.place == before.place
            && self.events.len() == before.events.len()
            && self.events.iter().zip(&before.events).all(same)
    }
}

/// A digest of what a metric remembers: the same for the same bits only. 16 hexadecimal digits.
pub fn digest(measurement: &Measurement) -> Option<String> {
    measurement.metadata.get(STATE).map(|state| chain::hex(&chain::sum(&[state.as_bytes()])[..8]))
}

/// Which measurement it is.
pub fn origin(measurement: &Measurement) -> Origin {
    Origin {
        state: digest(measurement),
        since_ms: measurement.started.as_millis(),
        until_ms: measurement.finished.map(|at| at.as_millis()),
    }
}

/// What a metric has shown.
pub fn verdict(measurement: &Measurement) -> Option<Verdict> {
    standing(measurement).map(|standing| standing.verdict)
}

/// Where a metric stands.
pub fn standing(measurement: &Measurement) -> Option<Standing> {
    serde_json::from_str(measurement.metadata.get(STANDING)?).ok()
}

#[cfg(test)]
mod tests;
