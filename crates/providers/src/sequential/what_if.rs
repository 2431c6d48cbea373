//! What another template would have made of the same seconds.

use std::collections::{BTreeMap, BTreeSet};

use serin_core::analysis::{RunPhase, RunSpec, RunStatus, record};
use serin_core::{Share, Span, Time};
use serin_spec::lower;
use serin_spec::recipe::{self, Source};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_spec::wire::provider::Metric;
use serin_stats::batch::Batch;

use super::log::{self, Entry, RunBegun};
use super::replay::{Judged, Played, Replay, SECONDS};
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
    /// Says which looks came to hold: what others counted is in each of them once more.
    replay: Replay,
    /// The metrics that are decided.
    done: BTreeSet<usize>,
}

/// Where a metric's answers are.
#[derive(Debug, Clone, PartialEq)]
enum Asked {
    /// The router's seconds.
    Router,
    /// Counters that a metric of the log must have read too.
    Counters {
        counters: Box<recipe::Counters>,
        /// The last batch, counted through all runs.
        seq: u64,
        /// Until when they were judged, in milliseconds on the rollout's clock.
        until_ms: i64,
    },
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
                        Source::Counters(counters) => Asked::Counters { counters, seq: 0, until_ms: i64::MIN },
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
            replay: Replay::default(),
            done: BTreeSet::new(),
        }
    }

    /// The names of the metrics that are tried.
    pub fn metrics(&self) -> impl Iterator<Item = &str> {
        self.spec.metrics.iter().map(|metric| metric.name.as_str())
    }

    /// Takes the next entry; gives the metrics that it was judged by, second by second.
    pub fn take(&mut self, entry: &Entry) -> Vec<Judged> {
        let mut out = Vec::new();
        match entry {
            Entry::Second(batch) => {
                self.seconds.insert(batch.seq, (**batch).clone());
                if self.seconds.len() > SECONDS {
                    self.seconds.pop_first();
                }
            }
            Entry::Look(look) => out = self.routed(look),
            _ => {}
        }
        if let Played::Judged(held) = self.replay.take(entry) {
            out.extend(self.counted(&held));
        }
        out
    }

    /// What is left when the log is at its end.
    pub fn finish(&mut self) -> Vec<Judged> {
        let held = self.replay.finish();
        held.chunk_by(|a, b| (&a.run, a.at_ms) == (&b.run, b.at_ms)).flat_map(|look| self.counted(look)).collect()
    }

    /// The router's seconds that came until a look.
    fn routed(&mut self, look: &log::Look) -> Vec<Judged> {
        let fresh: Vec<Batch> = self.seconds.range(self.taken_until + 1..).map(|(_, batch)| batch.clone()).collect();
        let mut out = Vec::new();
        let router: Vec<usize> = self.open(|asked| *asked == Asked::Router);
        for batch in fresh {
            self.taken_until = batch.seq;
            let after = batch.seq - 1;
            let due: Vec<usize> = router.iter().copied().filter(|index| !self.done.contains(index)).collect();
            let batches: BTreeMap<usize, Vec<Batch>> = due.iter().map(|index| (*index, vec![batch.clone()])).collect();
            out.extend(self.judge(&batches, after, batch.end_ms, &look.window));
        }
        out
    }

    /// What the same counters grew by in a look that held, for the metrics that ask for them.
    fn counted(&mut self, held: &[Judged]) -> Vec<Judged> {
        let Some(look) = held.first() else { return Vec::new() };
        let mut counted = BTreeMap::new();
        for one in held {
            let Some(theirs) = self.replay.run(&one.run).and_then(|begun| counters(begun, &one.metric)) else {
                continue;
            };
            for (index, asked) in &mut self.asked {
                let Asked::Counters { counters: ours, seq, until_ms } = asked else { continue };
                if !same(ours, &theirs) || self.done.contains(index) || counted.contains_key(index) {
                    continue;
                }
                let mut fresh = Vec::new();
                for batch in &one.batches {
                    // Another metric or run of the log may have read the same.
                    if batch.start_ms >= *until_ms {
                        (*seq, *until_ms) = (*seq + 1, batch.end_ms);
                        fresh.push(Batch { seq: *seq, ..batch.clone() });
                    }
                }
                counted.insert(*index, fresh);
            }
        }
        match counted.is_empty() {
            true => Vec::new(),
            false => self.judge(&counted, 0, look.at_ms, &look.window),
        }
    }

    /// The metrics that are not decided yet and are asked like this.
    fn open(&self, like: impl Fn(&Asked) -> bool) -> Vec<usize> {
        let asked = self.asked.iter().filter(|(index, asked)| !self.done.contains(index) && like(asked));
        asked.map(|(index, _)| *index).collect()
    }

    fn judge(&mut self, batches: &BTreeMap<usize, Vec<Batch>>, newest: u64, at_ms: i64, window: &str) -> Vec<Judged> {
        let window = Share::parse(window).unwrap_or(Share { weight: 100, total: 100 });
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

/// The counters of a metric of a run.
fn counters(begun: &RunBegun, metric: &str) -> Option<Box<recipe::Counters>> {
    let written = begun.spec.metrics.iter().find(|one| one.name == metric)?;
    match recipe::of(written)?.ok()?.source {
        Source::Counters(counters) => Some(counters),
        Source::Router => None,
    }
}

/// Whether two ask for the same counters; how to log in is not logged.
fn same(a: &recipe::Counters, b: &recipe::Counters) -> bool {
    let queries = |c: &recipe::Counters| {
        [c.canary_bad.clone(), c.canary_total.clone(), c.stable_bad.clone(), c.stable_total.clone()]
    };
    queries(a) == queries(b)
}
