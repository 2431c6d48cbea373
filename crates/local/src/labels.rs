//! What turned out to be true: labels that come later are joined by request id with the predictions that the router kept, and counted by version.

mod arrival;
mod kept;
pub mod read;

pub(crate) use kept::{PREDICTIONS_KEPT, Predictions};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serin_spec::truth::Tolerance;

use crate::protocol::{Labelled, Told, VersionLabels};
use kept::Found;

/// Ids that are remembered as labelled for each rollout: twice as many as predictions are kept, so that none whose prediction is kept is ever counted twice (after its
/// label at most the others that were kept then, and those that came since, can have got theirs). About 200 bytes each in memory and 50 on disk.
pub(crate) const LABELLED_KEPT: usize = 2 * PREDICTIONS_KEPT;

/// Most labels of one request to the control process: more come in pieces, so that no commit holds up its decisions.
pub const LABELS_MAX: usize = 10_000;

/// Predictions of one version whose truth is known. Only ever grows while it is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    /// How many.
    pub(crate) labelled: u64,
    /// How many of them were wrong.
    pub(crate) wrong: u64,
}

/// The durable counts of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelsRecord {
    /// By version.
    pub(crate) versions: BTreeMap<String, Counts>,
    /// Number of the next page of labelled ids.
    pub(crate) next_page: u64,
}

/// The two versions that are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arms<'a> {
    /// The new version.
    pub(crate) canary: &'a str,
    /// The stable version.
    pub(crate) stable: &'a str,
}

impl<'a> Arms<'a> {
    fn role(&self, version: &str) -> Option<&'static str> {
        match version {
            version if version == self.canary => Some("canary"),
            version if version == self.stable => Some("stable"),
            _ => None,
        }
    }

    fn each(&self) -> impl Iterator<Item = &'a str> {
        let other = (self.canary != self.stable).then_some(self.stable);
        std::iter::once(self.canary).chain(other)
    }
}

/// Predictions and labels of one rollout.
#[derive(Debug)]
pub(crate) struct Labels {
    /// The last predictions. Not durable: they come from the router again.
    pub(crate) kept: Predictions,
    record: LabelsRecord,
    ids: BTreeSet<String>,
    /// The ids as they are on disk, oldest first.
    pages: VecDeque<(u64, Vec<String>)>,
    ids_max: usize,
}

impl Default for Labels {
    fn default() -> Self {
        Self::new(PREDICTIONS_KEPT, LABELLED_KEPT)
    }
}

/// What labels change, computed and not yet true.
#[derive(Debug)]
pub(crate) struct Joined {
    /// What is told of it.
    pub(crate) told: Labelled,
    /// The counts afterwards.
    pub(crate) record: LabelsRecord,
    /// The page of ids that is new, if any.
    pub(crate) page: Option<(u64, Vec<String>)>,
    /// Pages that make room.
    pub(crate) forgotten: Vec<u64>,
}

impl Labels {
    /// Nothing known yet, and room for so many predictions and labelled ids.
    fn new(predictions_max: usize, ids_max: usize) -> Self {
        let kept = Predictions::new(predictions_max);
        Self { kept, record: LabelsRecord::default(), ids: BTreeSet::new(), pages: VecDeque::new(), ids_max }
    }

    /// As it was left on disk.
    pub(crate) fn restored(record: LabelsRecord, mut pages: Vec<(u64, Vec<String>)>) -> Self {
        pages.sort_unstable_by_key(|(number, _)| *number);
        let ids = pages.iter().flat_map(|(_, ids)| ids.iter().cloned()).collect();
        Self { record, ids, pages: pages.into(), ..Self::default() }
    }

    /// What is known of a version.
    pub(crate) fn counts(&self, version: &str) -> Counts {
        self.record.versions.get(version).copied().unwrap_or_default()
    }

    /// The numbers of the pages that are on disk.
    pub(crate) fn pages(&self) -> impl Iterator<Item = u64> {
        self.pages.iter().map(|(number, _)| *number)
    }

    /// Whether nothing of it is on disk.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.record == LabelsRecord::default()
    }

    /// Joins labels, each a request id and what was true, with what was predicted. Changes nothing: [`Self::take`] does, once the outcome is durable.
    pub(crate) fn join(
        &self,
        rollout: &str,
        labels: &[(String, String)],
        arms: Arms<'_>,
        tolerance: Tolerance,
    ) -> Joined {
        let mut told = Labelled { rollout: rollout.to_owned(), ..Labelled::default() };
        let mut record = self.record.clone();
        let mut new: Vec<String> = Vec::new();
        let mut fresh: BTreeSet<&str> = BTreeSet::new();
        for (id, truth) in labels {
            if self.ids.contains(id) || fresh.contains(id.as_str()) {
                told.again.add(id);
                continue;
            }
            let prediction = match self.kept.find(id) {
                Found::One(prediction) => prediction,
                Found::Several => {
                    told.ambiguous.add(id);
                    continue;
                }
                Found::None => {
                    told.unknown.add(id);
                    continue;
                }
            };
            if arms.role(prediction.version).is_none() {
                told.elsewhere.add(id);
                continue;
            }
            let Some(right) = tolerance.right(prediction.class, prediction.number, truth) else {
                told.unfit.add(id);
                continue;
            };
            let counts = record.versions.entry(prediction.version.to_owned()).or_default();
            counts.labelled += 1;
            counts.wrong += u64::from(!right);
            told.counted += 1;
            told.wrong += u64::from(!right);
            fresh.insert(id);
            new.push(id.clone());
        }
        told.versions = arms.each().map(|version| version_labels(&record, arms, version)).collect();
        let page = (!new.is_empty()).then(|| {
            record.next_page += 1;
            (self.record.next_page, new)
        });
        let forgotten = self.surplus(page.as_ref().map_or(0, |(_, ids)| ids.len()));
        Joined { told, record, page, forgotten }
    }

    /// The oldest pages, as many as there are more than enough of with `more` ids.
    fn surplus(&self, more: usize) -> Vec<u64> {
        let mut total = self.ids.len() + more;
        let mut forgotten = Vec::new();
        for (number, ids) in &self.pages {
            if total < self.ids_max + ids.len() {
                break;
            }
            total -= ids.len();
            forgotten.push(*number);
        }
        forgotten
    }

    /// Takes over what has become durable.
    pub(crate) fn take(&mut self, joined: Joined) {
        self.record = joined.record;
        for number in joined.forgotten {
            while self.pages.front().is_some_and(|(oldest, _)| *oldest <= number) {
                for id in self.pages.pop_front().into_iter().flat_map(|(_, ids)| ids) {
                    self.ids.remove(&id);
                }
            }
        }
        if let Some((number, ids)) = joined.page {
            self.ids.extend(ids.iter().cloned());
            self.pages.push_back((number, ids));
        }
    }

    /// What makes the comparison doubtful, if anything: labels that come for one version more than for the other.
    pub(crate) fn doubt(&self, arms: Arms<'_>) -> Option<String> {
        arrival::doubt(&self.kept, &self.ids, arms)
    }
}

fn version_labels(record: &LabelsRecord, arms: Arms<'_>, version: &str) -> VersionLabels {
    let Counts { labelled, wrong } = record.versions.get(version).copied().unwrap_or_default();
    let role = arms.role(version).unwrap_or_default().to_owned();
    VersionLabels { version: version.to_owned(), role, labelled, wrong }
}

impl Told {
    /// Ids that are named; of the others only the number is told.
    const NAMED: usize = 5;

    fn add(&mut self, id: &str) {
        self.count += 1;
        if self.first.len() < Self::NAMED {
            self.first.push(id.to_owned());
        }
    }

    fn merge(&mut self, more: Told) {
        self.count += more.count;
        let room = Self::NAMED.saturating_sub(self.first.len());
        self.first.extend(more.first.into_iter().take(room));
    }
}

impl Labelled {
    /// Adds what became of later labels of the same rollout.
    pub fn merge(&mut self, later: Labelled) {
        self.rollout = later.rollout;
        self.counted += later.counted;
        self.wrong += later.wrong;
        self.again.merge(later.again);
        self.unknown.merge(later.unknown);
        self.elsewhere.merge(later.elsewhere);
        self.ambiguous.merge(later.ambiguous);
        self.unfit.merge(later.unfit);
        self.versions = later.versions;
        self.remark = later.remark.or(self.remark.take());
    }
}

#[cfg(test)]
mod tests;
