//! Looks at the sequential metrics of a run: what came since the last look is judged, and the measurement that goes on says where it stands and remembers it.
//! Pure: who counted the answers, and who writes the measurement, is an adapter's affair.

use std::collections::BTreeMap;

use serde_json::json;
use serin_core::analysis::evidence::PASSED_AT;
use serin_core::analysis::{Measurement, RunPhase, RunSpec, RunStatus, terminated};
use serin_core::rollout::Undecided;
use serin_core::{Share, Span, Time};
use serin_spec::recipe::{self, Counters, RecipeProblem, Resolved, Sequential, Source};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_stats::batch::{Arm, Batch};
use serin_stats::judge::{self, Standing, State, Verdict};
use serin_stats::recipe::{Outcome, Recipe, Test};

pub mod log;
pub mod replay;
pub mod what_if;

use crate::counters::{Cursor, Delta, Growth, Interval, Queries, Reading, Resets};
use crate::error::ProviderError;

/// Where a measurement keeps what its test remembers: the state of the judge as JSON.
pub const STATE: &str = "serin.dev/state";
/// Where it says how it stands: a [`Standing`] as JSON, for people and tools.
pub const STANDING: &str = "serin.dev/standing";

/// Where it keeps how far its counters were read, for a metric whose answers others count.
pub const CURSOR: &str = "serin.dev/cursor";

const UNREADABLE: &str = "what was seen so far cannot be read";

/// What came since the last look.
#[derive(Debug, Clone, PartialEq)]
pub enum Fed {
    /// Counted by the router, oldest first. What was judged before is passed over.
    Batches(Vec<Batch>),
    /// Counters as they are now, or why they cannot be read, which is missing data and no error.
    Counters(Result<Reading, String>),
    /// Predictions whose truth is known, by who joined them: cumulative, never less than before.
    Labels {
        /// How many of each version, and how many of them were wrong.
        reading: Reading,
        /// What has to be said beside the verdict.
        remark: Option<String>,
    },
}

/// A metric that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Which of the run's.
    pub index: usize,
    /// How it stands.
    pub measurement: Measurement,
    /// What was judged for it in this look.
    pub judged: Vec<Batch>,
}

/// A look at the sequential metrics of a run.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What the run measures, its arguments filled in.
    pub filled: &'a AnalysisRunSpec,
    /// The same in the core's terms.
    pub spec: &'a RunSpec,
    /// Its memory.
    pub status: &'a RunStatus,
    /// The weight that the canary is wanted to have now: what passes has to be shown at each.
    pub window: Share,
    /// The time of the look.
    pub now: Time,
    /// Shortest time to the next one: the source has nothing new before.
    pub every_min: Span,
}

/// A metric that is looked at.
struct One {
    index: usize,
    sequential: Sequential,
    resolved: Resolved,
    every: Span,
    last: Measurement,
    state: State,
    judged: Vec<Batch>,
    /// What could not be counted in this look.
    missed: Option<String>,
}

/// The four queries of a metric's counters.
///
/// # Errors
/// When one of them is no query of a counter.
pub fn queries(counters: &Counters) -> Result<Queries, ProviderError> {
    let Counters { canary_bad, canary_total, stable_bad, stable_total, .. } = counters.clone();
    Queries::new([canary_bad, canary_total, stable_bad, stable_total])
}

/// A metric of a run as it was written; `None` for one that is not sequential. Settings that cannot be read are an error: all that is wrong with them, on one line.
pub fn metric(filled: &AnalysisRunSpec, index: usize) -> Option<Result<Sequential, String>> {
    let found = recipe::of(filled.metrics.get(index)?)?;
    Some(found.map_err(|problems| RecipeProblem::line(&problems)))
}

/// The last batch that a metric has judged, `None` for one that was never looked at.
pub fn judged_until(spec: &RunSpec, status: &RunStatus, index: usize) -> Option<u64> {
    let last = last(spec, status, index)?;
    serde_json::from_str::<State>(last.metadata.get(STATE)?).ok().map(|state| state.seq)
}

/// The weight at which a metric was judged last, `None` for one that has judged nothing.
pub fn judged_at(spec: &RunSpec, status: &RunStatus, index: usize) -> Option<Share> {
    let last = last(spec, status, index)?;
    Share::parse(&serde_json::from_str::<State>(last.metadata.get(STATE)?).ok()?.window)
}

/// Takes from the measurements before the last one of each metric what nobody goes on from.
pub fn forget(status: &mut RunStatus) {
    for result in &mut status.metrics {
        let Some((_, earlier)) = result.measurements.split_last_mut() else { continue };
        for measurement in earlier {
            [STATE, CURSOR].iter().for_each(|key| _ = measurement.metadata.remove(*key));
        }
    }
}

fn last<'a>(spec: &RunSpec, status: &'a RunStatus, index: usize) -> Option<&'a Measurement> {
    let result = status.metric(&spec.metrics.get(index)?.name)?;
    result.measurements.last().filter(|m| m.finished.is_none())
}

impl Look<'_> {
    /// Looks at the metrics at `due`. `feed` gives what was counted for a metric. One that begins now judges what comes after `newest`, the router's last batch.
    pub fn take(&self, due: &[usize], newest: u64, feed: &dyn Fn(usize) -> Result<Fed, String>) -> Vec<Taken> {
        let mut taken = Vec::new();
        let mut looked = Vec::new();
        for index in due {
            match self.one(*index, newest).and_then(|one| self.fed(one, feed(*index)?)) {
                Ok(one) => looked.push(one),
                Err(message) => {
                    let measurement = self.broken(*index, message);
                    taken.push(Taken { index: *index, measurement, judged: Vec::new() });
                }
            }
        }
        let failing = self.failing(&looked);
        taken.extend(looked.into_iter().map(|mut one| {
            let failed = failing.contains(&one.index);
            let judged = std::mem::take(&mut one.judged);
            Taken { index: one.index, measurement: self.measured(one, failed), judged }
        }));
        taken
    }

    fn fed(&self, mut one: One, fed: Fed) -> Result<One, String> {
        let batches = match fed {
            Fed::Batches(_) if is_about_truth(&one.sequential.recipe.test) => return Err(NO_LABELS.to_owned()),
            Fed::Batches(batches) => batches,
            Fed::Counters(reading) => {
                let before = one.cursor()?;
                let mut cursor = before.clone();
                let delta = cursor.advance(reading);
                let kept = one.last.metadata.contains_key(CURSOR);
                // The next look tells of this time, too, and nothing has to be written for this one.
                let idle = kept && cursor.stands_as(&before);
                if !idle {
                    one.keep_cursor(&cursor);
                }
                match told(delta, one.state.seq + 1) {
                    Ok(_) if idle => Vec::new(),
                    Ok(batch) => batch.into_iter().collect(),
                    Err(missed) => {
                        one.missed = Some(missed);
                        Vec::new()
                    }
                }
            }
            Fed::Labels { reading, remark } => {
                one.missed = remark;
                one.labelled(reading)?.into_iter().collect()
            }
        };
        let (window, recipe) = (self.window.to_string(), one.recipe());
        for batch in batches.into_iter().filter(|batch| batch.seq > one.state.seq).collect::<Vec<_>>() {
            one.state.step(&recipe, &batch, &window);
            one.judged.push(batch);
        }
        Ok(one)
    }

    /// The metrics that fail now: of those that decide the one that gave most of the evidence, if it is enough; of those that only look on each by itself.
    fn failing(&self, looked: &[One]) -> Vec<usize> {
        let only_looks = |one: &&One| self.spec.metrics.get(one.index).is_some_and(|metric| metric.dry_run);
        let recipes: Vec<Recipe> = looked.iter().map(One::recipe).collect();
        let pairs = || looked.iter().zip(&recipes);
        let deciding: Vec<(&One, &Recipe)> = pairs().filter(|(one, _)| !only_looks(one)).collect();
        let pieces: Vec<(&Recipe, &State)> = deciding.iter().map(|(one, recipe)| (*recipe, &one.state)).collect();
        let mut failing: Vec<usize> =
            judge::failing(&pieces).map(|which| deciding[which].0.index).into_iter().collect();
        let alone = pairs().filter(|(one, _)| only_looks(one));
        failing.extend(alone.filter(|(one, r)| judge::failing(&[(r, &one.state)]).is_some()).map(|(one, _)| one.index));
        failing
    }

    fn one(&self, index: usize, newest: u64) -> Result<One, String> {
        let metric = self.filled.metrics.get(index).ok_or_else(|| "the metric has gone".to_owned())?;
        let (_, settings) = recipe::settings(metric).ok_or_else(|| "it is no sequential metric".to_owned())?;
        let sequential = recipe::of(metric).ok_or_else(|| "it is no sequential metric".to_owned())?;
        let sequential = sequential.map_err(|problems| RecipeProblem::line(&problems))?;
        let resolved = recipe::resolved(settings, self.filled);
        let every = recipe::every(metric, &sequential.source).max(self.every_min);
        let before = last(self.spec, self.status, index);
        let kept = before.map(|m| m.metadata.get(STATE).map_or("", String::as_str));
        let state = match kept {
            // Whoever takes a state that cannot be read for none would count the same answers twice.
            Some(text) => {
                let state: State = serde_json::from_str(text).map_err(|e| format!("{UNREADABLE}: {e}"))?;
                if !state.fits(&sequential.recipe) {
                    return Err(format!("{UNREADABLE}: it is of another metric, or was changed"));
                }
                state
            }
            None => State::new(&sequential.recipe, newest),
        };
        let begun = Measurement { phase: RunPhase::Running, started: self.now, ..Measurement::default() };
        Ok(One {
            index,
            sequential,
            resolved,
            every,
            last: before.cloned().unwrap_or(begun),
            state,
            judged: Vec::new(),
            missed: None,
        })
    }

    /// A metric that cannot be looked at. What it remembers stays to be seen.
    pub fn broken(&self, index: usize, message: String) -> Measurement {
        let before = last(self.spec, self.status, index).cloned();
        let begun = Measurement { started: self.now, ..Measurement::default() };
        Measurement {
            phase: RunPhase::Error,
            message,
            finished: Some(self.now),
            resume_at: None,
            ..before.unwrap_or(begun)
        }
    }

    fn measured(&self, one: One, failed: bool) -> Measurement {
        let standing = one.state.standing(&one.recipe(), failed);
        let text = standing.to_string();
        let value = match &one.missed {
            Some(missed) => format!("{text}; {missed}"),
            None => text.clone(),
        };
        let mut measurement =
            Measurement { value, metadata: one.metadata(&standing), resume_at: Some(self.now + one.every), ..one.last };
        let over = !one.resolved.goes_on && self.now >= measurement.started + one.sequential.within;
        let ended = match standing.verdict {
            Verdict::Failed => Some((RunPhase::Failed, text)),
            Verdict::SplitWrong => Some((RunPhase::Inconclusive, text)),
            Verdict::Passed if !one.resolved.goes_on => Some((RunPhase::Successful, String::new())),
            Verdict::NoData | Verdict::Undecided if over => Some(undecided(&one.sequential, standing.verdict, &text)),
            _ => None,
        };
        if let Some((phase, message)) = ended {
            measurement = Measurement { phase, message, finished: Some(self.now), resume_at: None, ..measurement };
        }
        measurement
    }

    /// Whether a look found anything that its metric does not say yet. One that did not need not be written, if its adapter remembers when to look next.
    pub fn is_news(&self, taken: &Taken) -> bool {
        let before = last(self.spec, self.status, taken.index);
        before.is_none_or(|before| Measurement { resume_at: before.resume_at, ..taken.measurement.clone() } != *before)
    }

    /// The same, or an error where what the metric remembers takes more than `bytes_max` bytes of JSON: it lives in the status of an object, which has its limits.
    pub fn bounded(&self, taken: Taken, bytes_max: usize) -> Taken {
        let bytes: usize = taken.measurement.metadata.values().map(|text| json!(text).to_string().len()).sum();
        if bytes <= bytes_max {
            return taken;
        }
        let message = format!(
            "what is remembered of it takes {} kB of the run's status, more than {} kB: let its queries sum over everything but the pod",
            bytes / 1000,
            bytes_max / 1000
        );
        let mut measurement = self.broken(taken.index, message);
        [STATE, CURSOR].iter().for_each(|key| _ = measurement.metadata.remove(*key));
        Taken { measurement, judged: Vec::new(), ..taken }
    }

    /// The end of a metric that is stopped on the way. What it remembers stays to be looked at.
    pub fn terminate(&self, index: usize) -> Measurement {
        let before = last(self.spec, self.status, index).cloned().unwrap_or_default();
        terminated(Measurement { phase: RunPhase::Successful, finished: Some(self.now), resume_at: None, ..before })
    }
}

/// What time without a verdict means. Without any data nothing goes on by itself, whatever the policy.
fn undecided(sequential: &Sequential, verdict: Verdict, text: &str) -> (RunPhase, String) {
    let seconds = sequential.within.as_millis() / 1000;
    let message = format!("not decided within {seconds} s: {text}");
    match (sequential.undecided, verdict) {
        (Undecided::RollBack, _) => (RunPhase::Failed, message),
        (Undecided::Promote, Verdict::Undecided) => (RunPhase::Successful, message),
        (Undecided::Promote | Undecided::Hold, _) => (RunPhase::Inconclusive, message),
    }
}

/// Why predictions and labels are not compared elsewhere.
const NO_LABELS: &str = "labels are joined with predictions by the control process of one machine only: elsewhere write prometheus with counters of predictions and of wrong ones, and no outcome";

/// Whether a test compares predictions with what turned out to be true.
pub fn is_about_truth(test: &Test) -> bool {
    matches!(test, Test::Compare { outcome: Outcome::Wrong, .. } | Test::Limit { outcome: Outcome::Wrong, .. })
}

/// The batch that a look at the counters gives, if any, or why it gives none.
fn told(delta: Delta, seq: u64) -> Result<Option<Batch>, String> {
    // Counters of whole requests are whole numbers; of others what is beyond them is left to the next look by none, and lost.
    let arm = |growth: &Growth| {
        let answered = growth.total as u64;
        Arm { answered, errors: (growth.bad as u64).min(answered), ..Arm::default() }
    };
    match delta {
        Delta::First => Ok(None),
        Delta::Counts(Interval { start_ms, end_ms, canary, stable, .. }) => {
            Ok(Some(Batch { seq, start_ms, end_ms, canary: arm(&canary), stable: arm(&stable), ..Batch::default() }))
        }
        Delta::Reset { which } => {
            let which: Vec<String> = which.iter().map(ToString::to_string).collect();
            Err(format!("{} fell, so that what happened since the last look is unknown", which.join(" and ")))
        }
        Delta::Missing { why } => Err(format!("the counters cannot be read: {why}")),
        Delta::Gap { ms } => Err(format!("the last look was {} s ago, which is too long", ms / 1000)),
        Delta::Backwards { by_ms } => Err(format!("the clock went back by {by_ms} ms")),
    }
}

impl One {
    /// How far the counters were read.
    fn cursor(&self) -> Result<Cursor, String> {
        if let Some(kept) = self.last.metadata.get(CURSOR) {
            return serde_json::from_str(kept).map_err(|e| format!("how far the counters were read is lost: {e}"));
        }
        let Source::Counters(counters) = &self.sequential.source else {
            return Err("its answers are counted by the router".to_owned());
        };
        let queries = queries(counters).map_err(|e| e.to_string())?;
        Ok(Cursor::new(queries.resets(), Cursor::GAP_MAX_MS))
    }

    fn keep_cursor(&mut self, cursor: &Cursor) {
        self.last.metadata.insert(CURSOR.to_owned(), json!(cursor).to_string());
    }

    /// What became known since labels were last judged. They come one by one, and bets need outcomes of both versions, so they wait until there are some of
    /// either. Which label is the last of a batch is decided by the versions alone and never by what was true, so that this bends no evidence.
    fn labelled(&mut self, reading: Reading) -> Result<Option<Batch>, String> {
        let mut cursor = match self.last.metadata.contains_key(CURSOR) {
            true => self.cursor()?,
            // Counts that were committed are there until they are asked for, however long that is.
            false => Cursor::new([Resets::Sum; 4], i64::MAX),
        };
        match cursor.advance(Ok(reading)) {
            Delta::Counts(Interval { canary, stable, .. })
                if self.needs_both() && (canary.total < 1.0 || stable.total < 1.0) =>
            {
                Ok(None)
            }
            delta => {
                self.keep_cursor(&cursor);
                let arm = |arm: Arm| Arm { labelled: Some((arm.answered, arm.errors)), errors: 0, ..arm };
                let batch = told(delta, self.state.seq + 1);
                let batch = batch.unwrap_or_else(|missed| {
                    self.missed = Some(missed);
                    None
                });
                Ok(batch.map(|batch| Batch { canary: arm(batch.canary), stable: arm(batch.stable), ..batch }))
            }
        }
    }

    fn needs_both(&self) -> bool {
        matches!(self.sequential.recipe.test, Test::Compare { .. })
    }

    /// The recipe with the metric's part of alpha.
    fn recipe(&self) -> Recipe {
        let mut recipe = self.sequential.recipe.clone();
        recipe.budget.share = self.resolved.share;
        recipe
    }

    fn metadata(&self, standing: &Standing) -> BTreeMap<String, String> {
        let mut metadata = self.last.metadata.clone();
        metadata.insert(STATE.to_owned(), json!(self.state).to_string());
        metadata.insert(STANDING.to_owned(), json!(standing).to_string());
        match standing.verdict {
            // At the weight that was judged: after a change nothing has passed before something was answered at the new one.
            Verdict::Passed => metadata.insert(PASSED_AT.to_owned(), self.state.window.clone()),
            _ => metadata.remove(PASSED_AT),
        };
        metadata
    }
}

#[cfg(test)]
mod tests;
