//! Labels that come later: the predictions that they are about are taken from the router second by second, and what they say is counted durably before it is
//! answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serin_core::Time;
use serin_providers::counters::{Counter, Reading};
use serin_providers::sequential::{Fed, is_about_truth};
use serin_spec::recipe;
use serin_spec::truth::Tolerance;

use super::Engine;
use super::sequential::routes;
use crate::LocalError;
use crate::labels::{Arms, Counts, LABELS_MAX, Labels, LabelsRecord};
use crate::model::{Key, RunState, Workload};
use crate::protocol::Labelled;
use crate::route::PREDICTION;
use crate::store::{Batch, Shelf};

/// Time between two looks at the router's predictions.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pages that are taken from a route at a time: all that it keeps.
const PAGES_MAX: usize = 100;

/// What separates the name of a rollout from the number of a page of ids; no name has it.
const PAGE: char = '#';

/// The rollouts whose predictions are compared with labels.
#[derive(Debug, Default)]
pub(super) struct Truths {
    each: BTreeMap<Key, Truth>,
    looked: Option<Instant>,
}

/// One of them.
#[derive(Debug, Default)]
struct Truth {
    labels: Labels,
    /// How far the predictions of each route were taken.
    taken: BTreeMap<String, u64>,
    /// What makes the comparison doubtful, and whether it has to be looked at anew.
    doubt: Option<String>,
    changed: bool,
}

impl Truths {
    /// Forgets what is known of a rollout.
    pub(super) fn forget(&mut self, key: &Key) {
        self.each.remove(key);
    }
}

impl Engine {
    pub(super) fn load_labels(&mut self) -> Result<(), LocalError> {
        let mut pages: BTreeMap<Key, Vec<(u64, Vec<String>)>> = BTreeMap::new();
        for (name, ids) in self.store.read::<Vec<String>>(Shelf::Labelled)? {
            let (key, number) = page_of(&name).ok_or_else(|| LocalError::Bug(format!("{name:?} is no page of ids")))?;
            pages.entry(key).or_default().push((number, ids));
        }
        for (key, record) in self.store.read::<LabelsRecord>(Shelf::Labels)? {
            let key = Key::try_from(key).map_err(LocalError::Bug)?;
            let labels = Labels::restored(record, pages.remove(&key).unwrap_or_default());
            self.truths.each.insert(key, Truth { labels, changed: true, ..Truth::default() });
        }
        Ok(())
    }

    /// Takes what the router kept since the last look, for every rollout that compares it with labels.
    pub(super) async fn watch_predictions(&mut self) {
        if self.truths.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) || !self.link.is_connected() {
            return;
        }
        self.truths.looked = Some(Instant::now());
        let compared = self.compared();
        for key in &compared {
            self.take_predictions(key).await;
            self.look_for_doubt(key);
        }
        if !self.going_down && self.may_write() {
            self.forget_labels(&compared);
        }
    }

    /// Takes what was kept for the rollout that a service name means, if it is compared with labels.
    pub(super) async fn catch_up(&mut self, service: &str) {
        let keys = self.resolve(Some(service)).unwrap_or_default();
        if let [key] = keys.as_slice()
            && self.compared().contains(key)
        {
            self.take_predictions(key).await;
        }
    }

    /// The rollouts that an open run compares with labels.
    fn compared(&self) -> BTreeSet<Key> {
        let open = self.runs.values().filter(|run| !run.status.phase.is_completed());
        let about = open.filter(|run| {
            let mut recipes = run.spec.metrics.iter().filter_map(recipe::of).filter_map(Result::ok);
            recipes.any(|sequential| is_about_truth(&sequential.recipe.test))
        });
        about.filter_map(|run| run.owner.clone()).filter(|owner| self.workloads.contains_key(owner)).collect()
    }

    async fn take_predictions(&mut self, key: &Key) {
        let Some(workload) = self.workloads.get(key) else { return };
        for route in routes(workload) {
            let truth = self.truths.each.entry(key.clone()).or_default();
            let mut after = truth.taken.get(&route).copied().unwrap_or(0);
            for _ in 0..PAGES_MAX {
                let Some(page) = self.link.predictions(&route, after).await else { break };
                after = page.entries.last().map_or(after, |entry| entry.seq);
                page.entries.into_iter().for_each(|entry| truth.labels.kept.push(entry));
                if !page.more {
                    break;
                }
            }
            truth.taken.insert(route, after);
        }
    }

    fn look_for_doubt(&mut self, key: &Key) {
        let (Some(workload), Some(truth)) = (self.workloads.get(key), self.truths.each.get_mut(key)) else { return };
        if std::mem::take(&mut truth.changed) {
            truth.doubt = arms(workload).and_then(|arms| truth.labels.doubt(arms));
        }
    }

    /// Forgets predictions and labels of updates that are over.
    fn forget_labels(&mut self, compared: &BTreeSet<Key>) {
        let is_over = |key: &&Key| {
            !compared.contains(key) && self.workloads.get(key).is_none_or(|workload| !is_in_progress(workload))
        };
        let over: Vec<Key> = self.truths.each.keys().filter(is_over).cloned().collect();
        let mut batch = Batch::default();
        over.iter().for_each(|key| self.put_labels_forgotten(&mut batch, key));
        if self.commit(batch, &[]) {
            over.iter().for_each(|key| self.truths.forget(key));
        }
    }

    /// Writes that nothing is known of a rollout's predictions any more.
    pub(super) fn put_labels_forgotten(&self, batch: &mut Batch, key: &Key) {
        let Some(truth) = self.truths.each.get(key).filter(|truth| !truth.labels.is_unwritten()) else { return };
        batch.delete(Shelf::Labels, key.to_string());
        truth.labels.pages().for_each(|number| batch.delete(Shelf::Labelled, page_name(key, number)));
    }

    /// Joins labels with what was predicted. The answer is given once the counts are durable, and what is counted is never counted again.
    ///
    /// # Errors
    /// When the name means no rollout or several, when there are too many labels, or when the state cannot be written.
    pub(super) fn label(&mut self, service: &str, labels: &[(String, String)]) -> Result<Labelled, LocalError> {
        let keys = self.resolve(Some(service))?;
        let [key] = keys.as_slice() else {
            return Err(LocalError::refused_with(
                "labels are for one rollout",
                "name one of those that `serin list` shows",
            ));
        };
        if labels.len() > LABELS_MAX {
            let message = format!("{} labels are more than {LABELS_MAX}", labels.len());
            return Err(LocalError::refused_with(message, "send them in several requests"));
        }
        let workload = &self.workloads[key];
        let arms = arms(workload).ok_or_else(|| LocalError::refused(format!("{key} has no stable version yet")))?;
        let truth = self.truths.each.entry(key.clone()).or_default();
        let mut joined = truth.labels.join(&key.to_string(), labels, arms, Tolerance::of(&workload.object));
        if joined.page.is_some() {
            let mut batch = Batch::default();
            batch.put(Shelf::Labels, key.to_string(), &joined.record)?;
            if let Some((number, ids)) = &joined.page {
                batch.put(Shelf::Labelled, page_name(key, *number), ids)?;
            }
            joined.forgotten.iter().for_each(|number| batch.delete(Shelf::Labelled, page_name(key, *number)));
            self.commit_or_refuse(batch, &[])?;
        }
        let mut told = std::mem::take(&mut joined.told);
        if let Some(truth) = self.truths.each.get_mut(key) {
            truth.changed |= joined.page.is_some();
            truth.labels.take(joined);
            told.remark.clone_from(&truth.doubt);
        }
        told.remark = self.why_none_is_kept(key).or(told.remark);
        Ok(told)
    }

    /// Why labels of a rollout meet no predictions, if so.
    fn why_none_is_kept(&self, key: &Key) -> Option<String> {
        if !self.compared().contains(key) {
            let waits = "with outcome: wrongPrediction";
            return Some(format!(
                "no analysis of {key} that is under way compares predictions {waits}, so that none are kept"
            ));
        }
        self.without_predictions(key)
    }

    fn without_predictions(&self, key: &Key) -> Option<String> {
        let said = self.workloads.get(key).is_some_and(|w| w.object.metadata.annotations.contains_key(PREDICTION));
        (!said).then(|| format!("the Rollout has no annotation {PREDICTION}, so that no predictions are found"))
    }

    /// What is known of a run's two versions, for a metric about truth.
    pub(super) fn truth(&self, run: &RunState, now: Time) -> Result<Fed, String> {
        let owner = run.owner.as_ref().ok_or("it compares the versions of a rollout, and this run belongs to none")?;
        let workload = self.workloads.get(owner).ok_or("its rollout is gone")?;
        let stable = workload.status.stable.as_ref().filter(|stable| **stable != run.hash);
        let stable = stable.ok_or("there is no other version to compare with")?;
        let truth = self.truths.each.get(owner);
        let of = |version: &str| truth.map(|truth| truth.labels.counts(version)).unwrap_or_default();
        let count = |n: u64| Counter::sum(n as f64);
        let (canary, stable): (Counts, Counts) = (of(run.hash.as_str()), of(stable.as_str()));
        let reading = Reading {
            at_ms: now.as_millis(),
            canary_bad: count(canary.wrong),
            canary_total: count(canary.labelled),
            stable_bad: count(stable.wrong),
            stable_total: count(stable.labelled),
        };
        let remark = self.without_predictions(owner).or_else(|| truth.and_then(|truth| truth.doubt.clone()));
        Ok(Fed::Labels { reading, remark })
    }
}

fn arms(workload: &Workload) -> Option<Arms<'_>> {
    let stable = workload.status.stable.as_ref()?;
    Some(Arms { canary: workload.rollout.hash.as_str(), stable: stable.as_str() })
}

fn is_in_progress(workload: &Workload) -> bool {
    workload.status.stable.as_ref() != Some(&workload.rollout.hash)
}

fn page_name(key: &Key, number: u64) -> String {
    format!("{key}{PAGE}{number:016x}")
}

fn page_of(name: &str) -> Option<(Key, u64)> {
    let (key, number) = name.split_once(PAGE)?;
    Some((Key::try_from(key.to_owned()).ok()?, u64::from_str_radix(number, 16).ok()?))
}
