//! Looks at the sequential metrics of a run: what came since the last look is judged, and the measurement that goes on says where it stands and remembers it.
//! Pure: who counted the answers, and who writes the measurement, is an adapter's affair.

use std::collections::BTreeMap;

use serde_json::json;
use serin_core::analysis::evidence::PASSED_AT;
use serin_core::analysis::{Measurement, RunPhase, RunSpec, RunStatus, terminated};
use serin_core::rollout::Undecided;
use serin_core::{Share, Span, Time};
use serin_spec::recipe::{self, RecipeProblem, Resolved, Sequential};
use serin_spec::wire::analysis::AnalysisRunSpec;
use serin_stats::batch::Batch;
use serin_stats::judge::{self, Standing, State, Verdict};
use serin_stats::recipe::Recipe;

/// Where a measurement keeps what its test remembers: the state of the judge as JSON.
pub const STATE: &str = "serin.dev/state";
/// Where it says how it stands: a [`Standing`] as JSON, for people and tools.
pub const STANDING: &str = "serin.dev/standing";

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
}

/// The sequential metrics among these, as they were written.
///
/// # Errors
/// For a metric whose settings cannot be read, all that is wrong with them, on one line.
pub fn metric(filled: &AnalysisRunSpec, index: usize) -> Option<Result<Sequential, String>> {
    let found = recipe::of(filled.metrics.get(index)?)?;
    Some(found.map_err(|problems| RecipeProblem::line(&problems)))
}

/// The last batch that a metric has judged, `None` for one that was never looked at.
pub fn judged_until(spec: &RunSpec, status: &RunStatus, index: usize) -> Option<u64> {
    let last = last(spec, status, index)?;
    serde_json::from_str::<State>(last.metadata.get(STATE)?).ok().map(|state| state.seq)
}

fn last<'a>(spec: &RunSpec, status: &'a RunStatus, index: usize) -> Option<&'a Measurement> {
    let result = status.metric(&spec.metrics.get(index)?.name)?;
    result.measurements.last().filter(|m| m.finished.is_none())
}

impl Look<'_> {
    /// Looks at the metrics at `due`. `batches` gives what was counted for a metric, oldest first; what it has judged before is passed over. A metric that begins now judges
    /// what comes after `newest`, the last batch that there is.
    pub fn take(
        &self,
        due: &[usize],
        newest: u64,
        batches: &dyn Fn(usize) -> Result<Vec<Batch>, String>,
    ) -> Vec<(usize, Measurement)> {
        let mut taken = Vec::new();
        let mut looked = Vec::new();
        for index in due {
            match self.one(*index, newest).and_then(|one| Ok((batches(*index)?, one))) {
                Ok((batches, mut one)) => {
                    let window = self.window.to_string();
                    let recipe = one.recipe();
                    batches.iter().for_each(|batch| one.state.step(&recipe, batch, &window));
                    looked.push(one);
                }
                Err(message) => taken.push((*index, self.broken(*index, message))),
            }
        }
        let failing = self.failing(&looked);
        taken.extend(looked.into_iter().map(|one| {
            let failed = failing.contains(&one.index);
            (one.index, self.measured(one, failed))
        }));
        taken
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
                serde_json::from_str(text).map_err(|e| format!("what was seen so far cannot be read: {e}"))?
            }
            None => State::new(&sequential.recipe, newest),
        };
        let begun = Measurement { phase: RunPhase::Running, started: self.now, ..Measurement::default() };
        Ok(One { index, sequential, resolved, every, last: before.cloned().unwrap_or(begun), state })
    }

    fn broken(&self, index: usize, message: String) -> Measurement {
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
        let mut measurement = Measurement {
            value: text.clone(),
            metadata: one.metadata(&standing, self.window),
            resume_at: Some(self.now + one.every),
            ..one.last
        };
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

impl One {
    /// The recipe with the metric's part of alpha.
    fn recipe(&self) -> Recipe {
        let mut recipe = self.sequential.recipe.clone();
        recipe.budget.share = self.resolved.share;
        recipe
    }

    fn metadata(&self, standing: &Standing, window: Share) -> BTreeMap<String, String> {
        let mut metadata = self.last.metadata.clone();
        metadata.insert(STATE.to_owned(), json!(self.state).to_string());
        metadata.insert(STANDING.to_owned(), json!(standing).to_string());
        match standing.verdict {
            Verdict::Passed => metadata.insert(PASSED_AT.to_owned(), window.to_string()),
            _ => metadata.remove(PASSED_AT),
        };
        metadata
    }
}

#[cfg(test)]
mod tests;
