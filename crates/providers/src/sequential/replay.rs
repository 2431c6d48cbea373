//! Makes the verdicts of a log again, look by look, with the judge that made them, and says where they differ from what was recorded.

use std::collections::BTreeMap;

use serin_core::analysis::{Measurement, MetricResult, RunPhase, RunSpec, RunStatus, assess, record};
use serin_core::{Share, Span, Time};
use serin_spec::lower;
use serin_stats::batch::Batch;
use serin_stats::judge::{Standing, Verdict};

use super::log::{self, Concluded, Entry, How, MetricLook, Origin, RunBegun, Settled, Update};
use super::{Fed, Look, STATE, Taken};

/// Seconds that are kept for looks to come: the router keeps no more.
pub(super) const SECONDS: usize = 1200;

/// Looks that one may have gone on from: as many as are made before the answer to a write that was lost is learned otherwise, and far more.
const AHEAD: usize = 16;

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
    /// What is known to hold.
    base: Reached,
    /// What looks came to that went on from there, the latest last: one of them holds, if any does.
    ahead: Vec<Reached>,
    lost: bool,
}

/// Where a look left a run.
#[derive(Debug, Clone, Default)]
struct Reached {
    status: RunStatus,
    /// Digests of what its metrics remember, as recorded.
    states: BTreeMap<String, String>,
    /// The look, until it was given away.
    judged: Vec<Judged>,
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
    /// A look that came to hold, as is known now.
    Judged(Vec<Judged>),
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

    /// A run as it began.
    pub fn run(&self, run: &str) -> Option<&RunBegun> {
        self.runs.get(run).map(|run| &run.begun)
    }

    /// The measurements of a run's metrics.
    pub fn results(&self, run: &str) -> &[MetricResult] {
        self.runs.get(run).map_or(&[], |run| &run.latest().status.metrics)
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) -> Played {
        match entry {
            Entry::Update(update) => self.update = Some((**update).clone()),
            Entry::Run(begun) => {
                self.runs.insert(begun.run.clone(), Run::begin(begun));
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
            Entry::Concluded(concluded) => return self.conclude(concluded),
            Entry::Ended(_) => {}
        }
        Played::Nothing
    }

    /// The last look of each run, where nothing says that another one came to hold: to be called at the end of the log.
    pub fn finish(&mut self) -> Vec<Judged> {
        let mut judged = Vec::new();
        for run in self.runs.values_mut() {
            if let Some(last) = run.ahead.pop() {
                run.base = last;
                run.ahead.clear();
            }
            judged.append(&mut run.base.judged);
        }
        judged.sort_by_key(|one| one.at_ms);
        judged
    }

    fn conclude(&mut self, concluded: &Concluded) -> Played {
        let Some(run) = self.runs.get_mut(&concluded.run).filter(|run| !run.lost) else { return Played::Nothing };
        let is_it = |reached: &Reached| reached.is_concluded(concluded);
        if !is_it(&run.base) {
            let Some(which) = run.ahead.iter().rposition(is_it) else {
                run.lost = true;
                self.gaps.push(Gap { run: concluded.run.clone(), metric: String::new(), at_ms: concluded.at_ms });
                return Played::Nothing;
            };
            run.base = run.ahead.swap_remove(which);
        }
        run.ahead.clear();
        given(std::mem::take(&mut run.base.judged))
    }

    fn look(&mut self, look: &log::Look) -> Played {
        let Some(run) = self.runs.get_mut(&look.run) else {
            self.gaps.push(Gap { run: look.run.clone(), metric: String::new(), at_ms: look.at_ms });
            return Played::Nothing;
        };
        if run.lost {
            return Played::Nothing;
        }
        if let Err(metric) = run.go_on_from(look) {
            run.lost = true;
            self.gaps.push(Gap { run: look.run.clone(), metric, at_ms: look.at_ms });
            return Played::Nothing;
        }
        self.looks += 1;
        let held = std::mem::take(&mut run.base.judged);
        let taken = take(run, look, &self.seconds);
        let mut reached = run.base.clone();
        for (recorded, taken) in look.metrics.iter().zip(taken) {
            let Some(taken) = taken else {
                self.gaps.push(Gap { run: look.run.clone(), metric: recorded.metric.clone(), at_ms: look.at_ms });
                run.lost = true;
                continue;
            };
            self.differences.extend(differences(look, recorded, &taken.measurement));
            reached.judged.push(judged(look, recorded, &taken));
            match &recorded.how {
                How::Judged { state, .. } => _ = reached.states.insert(recorded.metric.clone(), state.clone()),
                How::Broken if log::digest(&taken.measurement).is_none() => _ = reached.states.remove(&recorded.metric),
                How::Broken | How::Stopped => {}
            }
            record(&run.core, &mut reached.status, taken.index, taken.measurement);
        }
        reached.status = assess(&run.core, &reached.status, Time::from_millis(look.at_ms));
        run.ahead.push(reached);
        if run.ahead.len() > AHEAD {
            run.ahead.remove(0);
        }
        given(held)
    }
}

fn given(judged: Vec<Judged>) -> Played {
    if judged.is_empty() { Played::Nothing } else { Played::Judged(judged) }
}

fn judged(look: &log::Look, recorded: &MetricLook, taken: &Taken) -> Judged {
    Judged {
        run: look.run.clone(),
        metric: recorded.metric.clone(),
        at_ms: look.at_ms,
        window: look.window.clone(),
        phase: taken.measurement.phase,
        message: taken.measurement.message.clone(),
        standing: log::standing(&taken.measurement),
        batches: taken.judged.clone(),
    }
}

impl Run {
    fn begin(begun: &RunBegun) -> Self {
        let core = lower::run_spec(&begun.spec);
        let mut base = Reached::default();
        for (index, metric) in core.metrics.iter().enumerate() {
            let Some(remembered) = begun.remembered.get(&metric.name) else { continue };
            let measurement = Measurement {
                phase: RunPhase::Running,
                started: Time::from_millis(remembered.since_ms),
                metadata: [(STATE.to_owned(), remembered.state.clone())].into(),
                ..Measurement::default()
            };
            base.states.extend(log::digest(&measurement).map(|state| (metric.name.clone(), state)));
            record(&core, &mut base.status, index, measurement);
        }
        Self { begun: begun.clone(), core, base, ahead: Vec::new(), lost: false }
    }

    fn latest(&self) -> &Reached {
        self.ahead.last().unwrap_or(&self.base)
    }

    /// Makes what a look went on from the base: it holds, and what did not come of it never did. An error names the metric that lacks something.
    fn go_on_from(&mut self, look: &log::Look) -> Result<(), String> {
        let is_it = |reached: &Reached| look.metrics.iter().all(|metric| reached.continues(metric));
        let latest = self.latest();
        let missing = look.metrics.iter().find(|metric| !latest.continues(metric));
        let missing = missing.map(|metric| metric.metric.clone()).unwrap_or_default();
        let newest = self.ahead.len().checked_sub(1).filter(|newest| is_it(&self.ahead[*newest]));
        if newest.is_none() && is_it(&self.base) {
            return Ok(());
        }
        // Who lost the answer to a write may have made looks that did not hold meanwhile.
        let says = look.metrics.iter().any(|metric| metric.from.is_some());
        let older = || self.ahead.iter().rposition(is_it).filter(|_| says);
        let which = newest.or_else(older).ok_or(missing)?;
        self.base = self.ahead.swap_remove(which);
        self.ahead.clear();
        Ok(())
    }
}

impl Reached {
    fn last(&self, metric: &str) -> Option<&Measurement> {
        self.status.metric(metric)?.measurements.last()
    }

    /// Whether a measurement is this one, as it was recorded.
    fn is(&self, metric: &str, measurement: &Measurement, origin: &Origin) -> bool {
        let is = log::origin(measurement);
        let state = self.states.get(metric);
        (is.since_ms, is.until_ms, state) == (origin.since_ms, origin.until_ms, origin.state.as_ref())
    }

    /// Whether a look at a metric begins here.
    fn continues(&self, look: &MetricLook) -> bool {
        let last = self.last(&look.metric);
        let open = last.filter(|m| m.finished.is_none());
        if let Some(from) = &look.from {
            return open.is_some_and(|open| self.is(&look.metric, open, from));
        }
        let begins = last.is_none_or(|m| m.phase == RunPhase::Error);
        match &look.how {
            How::Judged { fresh: true, .. } => begins,
            How::Judged { after, .. } => open.and_then(log::seq).is_some_and(|seq| seq == *after),
            How::Stopped | How::Broken => open.is_some() || begins,
        }
    }

    /// Whether a run ended here.
    fn is_concluded(&self, concluded: &Concluded) -> bool {
        concluded.metrics.iter().all(|(metric, origin)| self.last(metric).is_some_and(|m| self.is(metric, m, origin)))
    }
}

/// Looks at the metrics as they were looked at. `None` where seconds that were judged are missing.
fn take(run: &Run, recorded: &log::Look, seconds: &BTreeMap<u64, Batch>) -> Vec<Option<Taken>> {
    let now = Time::from_millis(recorded.at_ms);
    let look = Look {
        filled: &run.begun.spec,
        spec: &run.core,
        status: &run.base.status,
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
