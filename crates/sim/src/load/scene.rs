//! What does not change in a run of a load, and is shared by all runs of a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use serin_core::{Hash, Span};
use serin_promql::Labels;

use super::conduct::{Answers, Outage};
use super::export::{Export, Family, Page};
use super::traffic::Traffic;

/// What does not change in a run: the requests, the answers, the metrics.
#[derive(Clone)]
pub struct Scene {
    /// The requests.
    pub traffic: Traffic,
    /// How each version answers.
    pub answers: BTreeMap<Hash, Answers>,
    /// What hits all of them.
    pub outages: Vec<Outage>,
    /// The predicted classes.
    pub classes: Vec<Arc<str>>,
    /// When and how well metrics are scraped.
    pub scrape: Scrape,
    /// What members export.
    pub members: Vec<Export>,
    /// What the router exports for each version.
    pub router: Vec<Export>,
    /// Labels of every series of a version's members, but `pod` and `instance`.
    pub member_labels: BTreeMap<Hash, Labels>,
    /// Labels of the router's series about a version.
    pub router_labels: BTreeMap<Hash, Labels>,
    /// What the router exports of copies and previews for each version.
    pub router_others: Vec<Export>,
    /// Labels of those series.
    pub router_others_labels: BTreeMap<Hash, Labels>,
    /// Whether any query reads a series; those that none reads are not kept.
    pub wanted: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
    /// Pages that were made ahead.
    pub pages: Pages,
}

/// Pages of the members of each version, by slot, made once for all runs: which of hundreds of series any query reads takes
/// longer to find out than the rest of a run.
#[derive(Debug, Clone, Default)]
pub struct Pages(BTreeMap<Hash, Vec<Page>>);

impl Scene {
    /// Makes the pages of so many members of each version ahead.
    pub fn prepare(&mut self, members: usize) {
        let bounds = self.bounds();
        let of = |hash: &Hash| (0..members).map(|slot| self.member_page(hash, hash, slot, &bounds)).collect();
        self.pages = Pages(self.member_labels.keys().map(|hash| (hash.clone(), of(hash))).collect());
    }

    /// Latency bounds of every family, ascending.
    pub(super) fn bounds(&self) -> Arc<[f64]> {
        let mut bounds: Vec<f64> = Vec::new();
        for export in self.members.iter().chain(&self.router).chain(&self.router_others) {
            if let Family::Durations { bounds: own } = &export.family {
                bounds.extend(own);
            }
        }
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        bounds.into()
    }

    /// The page of a member of a pool whose series are called `hash`.
    pub(super) fn member_page(&self, hash: &Hash, pool: &Hash, slot: usize, bounds: &[f64]) -> Page {
        if let Some(page) = self.pages.0.get(hash).and_then(|pages| pages.get(slot)).filter(|_| hash == pool) {
            return page.clone();
        }
        let Some(labels) = self.member_labels.get(hash) else { return Page::default() };
        let pod = format!("{pool}-{slot}");
        let mut labels = labels.edit();
        labels.set("pod", pod.as_str()).set("instance", pod);
        Page::new(&self.members, &labels.build(), bounds, &self.classes, &*self.wanted)
    }
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("traffic", &self.traffic).field("answers", &self.answers).finish_non_exhaustive()
    }
}

/// When metrics are scraped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scrape {
    /// Time between two scrapes of a target.
    pub interval: Span,
    /// Share of the scrapes that get no answer, 0 to 1.
    pub lost: f64,
    /// Mean time by which a scrape is late.
    pub late: Span,
}
