//! What another template would have made of the same seconds.

use std::collections::{BTreeMap, BTreeSet};

use serin_core::analysis::{RunPhase, RunSpec, RunStatus, record};
use serin_core::{Share, Span, Time};
use serin_spec::lower;
use serin_spec::recipe::{self, Source};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::Metric;
use serin_stats::batch::Batch;

use super::log::{self, Entry, How, RunBegun};
use super::replay::{Judged, SECONDS};
use super::{Fed, Look};

/// A template that is tried on a log. It counts as one run from the first look that was logged to the last.
#[derive(Debug, Clone)]
pub struct WhatIf {
    spec: AnalysisRunSpec,
    core: RunSpec,
    status: RunStatus,
    /// Where the answers of each metric are, by its place in the spec.
    asked: BTreeMap<usize, Asked>,
    /// Metrics that cannot be tried, and why.
    pub unanswered: Vec<(String, String)>,
    seconds: BTreeMap<u64, Batch>,
    taken_until: u64,
    runs: BTreeMap<String, RunBegun>,
    /// The metrics that are decided.
    done: BTreeSet<usize>,
}

/// Where a metric's answers are.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    /// The router's seconds.
    Router,
    /// Counters that a metric of the log must have read too, and the last batch of theirs.
    Counters(Box<recipe::Counters>, u64),
}

impl WhatIf {
    /// A template whose metrics are filled in. `goes_on` says whether tests go on after they passed, as those of a background run do.
    pub fn new(metrics: Vec<Metric>, goes_on: bool) -> Self {
        let mut unanswered = Vec::new();
        let mut kept = Vec::new();
        let mut asked = BTreeMap::new();
        for metric in metrics {
            match recipe::of(&metric) {
                None => {
                    let why = "the log has no series, only what sequential metrics judged";
                    unanswered.push((metric.name.clone(), why.to_owned()));
                }
                Some(Err(problems)) => {
                    unanswered.push((metric.name.clone(), recipe::RecipeProblem::line(&problems)));
                }
                Some(Ok(sequential)) => {
                    let source = match sequential.source {
                        Source::Router => Asked::Router,
                        Source::Counters(counters) => Asked::Counters(counters, 0),
                    };
                    asked.insert(kept.len(), source);
                    kept.push(metric);
                }
            }
        }
        let mut spec = AnalysisRunSpec { metrics: kept, ..AnalysisRunSpec::default() };
        let total = recipe::weight(&spec);
        recipe::resolve(&mut spec, total, goes_on);
        let core = lower::run_spec(&spec);
        Self {
            spec,
            core,
            status: RunStatus::default(),
            asked,
            unanswered,
            seconds: BTreeMap::new(),
            taken_until: 0,
            runs: BTreeMap::new(),
            done: BTreeSet::new(),
        }
    }

    /// The names of the metrics that are tried.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.spec.metrics.iter().map(|metric| metric.name.as_str())
    }

    /// Takes the next entry; gives the metrics that it was judged by, second by second.
    pub fn take(&mut self, entry: &Entry) -> Vec<Judged> {
        match entry {
            Entry::Run(begun) => {
                self.runs.insert(begun.run.clone(), (**begun).clone());
            }
            Entry::Second(batch) => {
                self.seconds.insert(batch.seq, (**batch).clone());
                if self.seconds.len() > SECONDS {
                    self.seconds.pop_first();
                }
            }
            Entry::Look(look) => return self.look(look),
            _ => {}
        }
        Vec::new()
    }

    fn look(&mut self, look: &log::Look) -> Vec<Judged> {
        let window = Share::parse(&look.window).unwrap_or(Share { weight: 100, total: 100 });
        let fresh: Vec<Batch> = self.seconds.range(self.taken_until + 1..).map(|(_, batch)| batch.clone()).collect();
        let mut out = Vec::new();
        let router: Vec<usize> = self.open(|asked| *asked == Asked::Router);
        for batch in fresh {
            self.taken_until = batch.seq;
            let after = batch.seq - 1;
            let due: Vec<usize> = router.iter().copied().filter(|index| !self.done.contains(index)).collect();
            let batches: BTreeMap<usize, Vec<Batch>> = due.iter().map(|index| (*index, vec![batch.clone()])).collect();
            out.extend(self.judge(&batches, after, batch.end_ms, window));
        }
        let counted = self.counted(look);
        if !counted.is_empty() {
            out.extend(self.judge(&counted, 0, look.at_ms, window));
        }
        out
    }

    /// The metrics that are not decided yet and are asked like this.
    fn open(&self, like: impl Fn(&Asked) -> bool) -> Vec<usize> {
        let asked = self.asked.iter().filter(|(index, asked)| !self.done.contains(index) && like(asked));
        asked.map(|(index, _)| *index).collect()
    }

    /// What the same counters grew by in this look, for the metrics that ask for them.
    fn counted(&mut self, look: &log::Look) -> BTreeMap<usize, Vec<Batch>> {
        let mut counted = BTreeMap::new();
        let Some(begun) = self.runs.get(&look.run) else { return counted };
        for metric in &look.metrics {
            let How::Judged { batches, .. } = &metric.how else { continue };
            let Some(written) = begun.spec.metrics.iter().find(|m| m.name == metric.metric) else { continue };
            let Some(Ok(sequential)) = recipe::of(written) else { continue };
            let Source::Counters(theirs) = sequential.source else { continue };
            for (index, asked) in &mut self.asked {
                let Asked::Counters(ours, seq) = asked else { continue };
                if !same(ours, &theirs) || self.done.contains(index) || counted.contains_key(index) {
                    continue;
                }
                let mut renumbered = Vec::new();
                for batch in batches {
                    // A look that was made again brings the same stretch once more.
                    if batch.seq > *seq {
                        *seq = batch.seq;
                        renumbered.push(batch.clone());
                    }
                }
                counted.insert(*index, renumbered);
            }
        }
        counted
    }

    fn judge(&mut self, batches: &BTreeMap<usize, Vec<Batch>>, newest: u64, at_ms: i64, window: Share) -> Vec<Judged> {
        let look = Look {
            filled: &self.spec,
            spec: &self.core,
            status: &self.status,
            window,
            now: Time::from_millis(at_ms),
            every_min: Span::ZERO,
        };
        let due: Vec<usize> = batches.keys().copied().collect();
        let taken = look.take(&due, newest, &|index| Ok(Fed::Batches(batches[&index].clone())));
        let mut out = Vec::new();
        for taken in taken {
            let measurement = &taken.measurement;
            if measurement.phase != RunPhase::Running {
                self.done.insert(taken.index);
            }
            out.push(Judged {
                run: String::new(),
                metric: self.core.metrics[taken.index].name.clone(),
                at_ms,
                window: window.to_string(),
                phase: measurement.phase,
                message: measurement.message.clone(),
                standing: log::standing(measurement),
                batches: taken.judged,
            });
            record(&self.core, &mut self.status, taken.index, taken.measurement);
        }
        out
    }
}

/// Whether two ask for the same counters; how to log in is not logged.
fn same(a: &recipe::Counters, b: &recipe::Counters) -> bool {
    let queries = |c: &recipe::Counters| {
        [c.canary_bad.clone(), c.canary_total.clone(), c.stable_bad.clone(), c.stable_total.clone()]
    };
    queries(a) == queries(b)
}
