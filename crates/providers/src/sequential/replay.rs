//! Makes the verdicts of a log again, look by look, with the judge that made them, and says where they differ from what was recorded.

use std::collections::BTreeMap;

use serin_core::analysis::{Measurement, MetricResult, RunPhase, RunSpec, RunStatus, assess, record};
use serin_core::{Share, Span, Time};
use serin_spec::lower;
use serin_stats::batch::Batch;
use serin_stats::judge::{Standing, Verdict};

use super::log::{self, Entry, How, MetricLook, RunBegun, Settled, Update};
use super::{Fed, Look, Taken};

/// Seconds that are kept for looks to come: the router keeps no more.
pub(super) const SECONDS: usize = 1200;

/// A log that is played again.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    update: Option<Update>,
    seconds: BTreeMap<u64, Batch>,
    runs: BTreeMap<String, Run>,
    settled: Option<Settled>,
    /// Looks that were made.
    pub looks: u64,
    /// Where the outcome was not what was recorded.
    pub differences: Vec<Difference>,
    /// Runs of which the log lacks something.
    pub gaps: Vec<Gap>,
    /// When the log was full, in milliseconds on the rollout's clock.
    pub full_ms: Option<i64>,
}

/// A run that is played again.
#[derive(Debug, Clone)]
struct Run {
    begun: RunBegun,
    core: RunSpec,
    status: RunStatus,
    /// As it was before the last look, which may not have become durable.
    before: RunStatus,
    lost: bool,
}

/// A metric after a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The run.
    pub run: String,
    /// The metric.
    pub metric: String,
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// The weight that the canary was to have.
    pub window: String,
    /// Its phase.
    pub phase: RunPhase,
    /// Why, where it is final.
    pub message: String,
    /// Where it stands, if it judged anything.
    pub standing: Option<Standing>,
    /// What it judged in this look.
    pub batches: Vec<Batch>,
}

/// An outcome that is not the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The run.
    pub run: String,
    /// The metric.
    pub metric: String,
    /// When, in milliseconds on the rollout's clock.
    pub at_ms: i64,
    /// What differs.
    pub what: &'static str,
    /// As recorded.
    pub recorded: String,
    /// As replayed.
    pub replayed: String,
}

/// Something that a log lacks, so that what follows of a run cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The run.
    pub run: String,
    /// The metric.
    pub metric: String,
    /// The look before which something is missing, in milliseconds on the rollout's clock.
    pub at_ms: i64,
}

/// What an entry meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Played {
    /// Nothing to show, or something that was there before.
    Nothing,
    /// Metrics were looked at. `again` says that the last look of this run was not made durable and counts for nothing.
    Judged {
        /// The metrics.
        metrics: Vec<Judged>,
        /// Whether the last look of this run counts for nothing.
        again: bool,
    },
    /// A decision that was not seen before.
    Settled(Settled),
}

impl Replay {
    /// The update that the log is of, once it was read.
    pub fn update(&self) -> Option<&Update> {
        self.update.as_ref()
    }

    /// The runs as they began.
    pub fn runs(&self) -> impl Iterator<Item = &RunBegun> {
        self.runs.values().map(|run| &run.begun)
    }

    /// The measurements of a run's metrics.
    pub fn results(&self, run: &str) -> &[MetricResult] {
        self.runs.get(run).map_or(&[], |run| &run.status.metrics)
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) -> Played {
        match entry {
            Entry::Update(update) => self.update = Some((**update).clone()),
            Entry::Run(begun) => {
                let core = lower::run_spec(&begun.spec);
                let (status, before) = (RunStatus::default(), RunStatus::default());
                let run = Run { begun: (**begun).clone(), core, status, before, lost: false };
                self.runs.insert(begun.run.clone(), run);
            }
            Entry::Second(batch) => {
                self.seconds.insert(batch.seq, (**batch).clone());
                if self.seconds.len() > SECONDS {
                    self.seconds.pop_first();
                }
            }
            Entry::Look(look) => return self.look(look),
            Entry::Settled(settled) => {
                if self.settled.as_ref().is_some_and(|before| settled.repeats(before)) {
                    return Played::Nothing;
                }
                self.settled = Some(settled.clone());
                return Played::Settled(settled.clone());
            }
            Entry::Full(at_ms) => self.full_ms = Some(*at_ms),
            Entry::Ended(_) => {}
        }
        Played::Nothing
    }

    fn look(&mut self, look: &log::Look) -> Played {
        let nothing = Played::Judged { metrics: Vec::new(), again: false };
        let Some(run) = self.runs.get_mut(&look.run) else {
            self.gaps.push(Gap { run: look.run.clone(), metric: String::new(), at_ms: look.at_ms });
            return nothing;
        };
        if run.lost {
            return nothing;
        }
        let mut again = false;
        if let Some(missing) = look.metrics.iter().find(|metric| !continues(&run.status, metric)) {
            if !look.metrics.iter().all(|metric| continues(&run.before, metric)) {
                run.lost = true;
                self.gaps.push(Gap { run: look.run.clone(), metric: missing.metric.clone(), at_ms: look.at_ms });
                return nothing;
            }
            run.status = run.before.clone();
            again = true;
        }
        run.before = run.status.clone();
        self.looks += 1;
        let taken = take(run, look, &self.seconds);
        let mut metrics = Vec::new();
        for (recorded, taken) in look.metrics.iter().zip(taken) {
            let Some(taken) = taken else {
                self.gaps.push(Gap { run: look.run.clone(), metric: recorded.metric.clone(), at_ms: look.at_ms });
                run.lost = true;
                continue;
            };
            self.differences.extend(differences(look, recorded, &taken.measurement));
            let judged = Judged {
                run: look.run.clone(),
                metric: recorded.metric.clone(),
                at_ms: look.at_ms,
                window: look.window.clone(),
                phase: taken.measurement.phase,
                message: taken.measurement.message.clone(),
                standing: log::standing(&taken.measurement),
                batches: taken.judged,
            };
            metrics.push(judged);
            record(&run.core, &mut run.status, taken.index, taken.measurement);
        }
        run.status = assess(&run.core, &run.status, Time::from_millis(look.at_ms));
        Played::Judged { metrics, again }
    }
}

/// Whether a look at a metric begins where this status ends.
fn continues(status: &RunStatus, look: &MetricLook) -> bool {
    let last = status.metric(&look.metric).and_then(|result| result.measurements.last());
    let open = last.filter(|m| m.finished.is_none());
    match &look.how {
        How::Judged { fresh: true, .. } => last.is_none_or(|m| m.phase == RunPhase::Error),
        How::Judged { after, .. } => open.and_then(log::seq).is_some_and(|seq| seq == *after),
        How::Stopped | How::Broken => open.is_some() || last.is_none_or(|m| m.phase == RunPhase::Error),
    }
}

/// Looks at the metrics as they were looked at. `None` where seconds that were judged are missing.
fn take(run: &Run, recorded: &log::Look, seconds: &BTreeMap<u64, Batch>) -> Vec<Option<Taken>> {
    let now = Time::from_millis(recorded.at_ms);
    let look = Look {
        filled: &run.begun.spec,
        spec: &run.core,
        status: &run.status,
        window: Share::parse(&recorded.window).unwrap_or(Share { weight: 100, total: 100 }),
        now,
        every_min: Span::ZERO,
    };
    let index = |metric: &MetricLook| run.core.metrics.iter().position(|m| m.name == metric.metric);
    let mut due = Vec::new();
    let mut fed: BTreeMap<usize, Vec<Batch>> = BTreeMap::new();
    let mut newest = 0;
    for metric in &recorded.metrics {
        let (Some(index), How::Judged { after, until, batches, fresh, .. }) = (index(metric), &metric.how) else {
            continue;
        };
        let batches = match batches.is_empty() && until > after {
            true => seconds.range(after + 1..=*until).map(|(_, batch)| batch.clone()).collect(),
            false => batches.clone(),
        };
        due.push(index);
        fed.insert(index, batches);
        if *fresh {
            newest = *after;
        }
    }
    let feed = |index: usize| Ok(Fed::Batches(fed.get(&index).cloned().unwrap_or_default()));
    let mut taken: BTreeMap<usize, Taken> =
        look.take(&due, newest, &feed).into_iter().map(|taken| (taken.index, taken)).collect();
    let outcome = |metric: &MetricLook| {
        let index = index(metric)?;
        match &metric.how {
            How::Judged { until, .. } => taken.remove(&index).filter(|t| log::seq(&t.measurement) == Some(*until)),
            How::Stopped => Some(Taken { index, measurement: look.terminate(index), judged: Vec::new() }),
            How::Broken => {
                let measurement = look.broken(index, metric.message.clone());
                Some(Taken { index, measurement, judged: Vec::new() })
            }
        }
    };
    recorded.metrics.iter().map(outcome).collect()
}

fn differences(look: &log::Look, recorded: &MetricLook, replayed: &Measurement) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &'static str, recorded_text: &str, replayed_text: &str| {
        if recorded_text != replayed_text {
            found.push(Difference {
                run: look.run.clone(),
                metric: recorded.metric.clone(),
                at_ms: look.at_ms,
                what,
                recorded: recorded_text.to_owned(),
                replayed: replayed_text.to_owned(),
            });
        }
    };
    compare("phase", &recorded.phase, replayed.phase.as_str());
    if let How::Judged { verdict, state, .. } = &recorded.how {
        compare("verdict", word(*verdict), log::verdict(replayed).map_or("none", word));
        compare("state", state, &log::digest(replayed).unwrap_or_default());
        compare("message", &recorded.message, &replayed.message);
    }
    found
}

/// A verdict in a word, as it is written in JSON.
pub const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoData => "noData",
        Verdict::Undecided => "undecided",
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::SplitWrong => "splitWrong",
    }
}
