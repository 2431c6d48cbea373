//! The product's judge over simulated traffic: the same calls in the same order as at a look of the product.

use serin_stats::batch::Batch;
use serin_stats::judge::{State, Verdict, failing};
use serin_stats::recipe::{Distribution, Outcome, Recipe, Test};
use serin_stats::two_arm::Line;

use super::traffic::step_of;

/// The weights that the two steps want, in the words of the product.
const WINDOWS: [&str; 2] = ["20/100", "50/100"];

/// `serin.dev/compare: {}`: errors, one point more than stable's are tolerated.
pub(crate) fn errors() -> Recipe {
    Recipe::new(Test::Compare { outcome: Outcome::Errors, lines: vec![Line { ratio: 1.0, delta: 0.01 }] })
}

/// `serin.dev/compare: {outcome: latency}`: the 95th percentile, a fifth more than stable's is tolerated.
pub(crate) fn latency() -> Recipe {
    Recipe::new(Test::Slower { quantiles: vec![0.95], tolerance: 0.2 })
}

/// `serin.dev/drift: {}`: any class, three points up or down are tolerated.
pub(crate) fn drift() -> Recipe {
    Recipe::new(Test::Drift { of: Distribution::Classes(Vec::new()), tolerance: 0.03 })
}

/// `serin.dev/drift: {classes: ["1"]}`.
pub(crate) fn named_drift() -> Recipe {
    Recipe::new(Test::Drift { of: Distribution::Classes(vec!["1".to_owned()]), tolerance: 0.03 })
}

/// Metrics of one rollout, which share its alpha equally.
pub(crate) fn together(mut recipes: Vec<Recipe>) -> Vec<Recipe> {
    let share = 1.0 / recipes.len() as f64;
    recipes.iter_mut().for_each(|recipe| recipe.budget.share = share);
    recipes
}

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It goes on.
    GoesOn,
    /// A metric has failed: the rollout is rolled back.
    Failed,
    /// Requests are not split as configured: the rollout is held.
    SplitWrong,
}

/// A rollout that is being judged, in background and from its first second on.
pub(crate) struct Judged<'a> {
    recipes: &'a [Recipe],
    states: Vec<State>,
    second: usize,
    /// When each metric passed in each of the two steps, in seconds since the rollout began.
    pub(crate) passed: Vec<[Option<usize>; 2]>,
}

impl<'a> Judged<'a> {
    /// Nothing seen yet.
    pub(crate) fn new(recipes: &'a [Recipe]) -> Self {
        let states = recipes.iter().map(|recipe| State::new(recipe, 0)).collect();
        Self { recipes, states, second: 0, passed: vec![[None; 2]; recipes.len()] }
    }

    /// Takes a second in, at the weight that the record's timetable has then, and looks.
    pub(crate) fn look(&mut self, batch: &Batch) -> Look {
        let step = step_of(self.second);
        self.look_at_step(batch, step)
    }

    /// Takes a second in and looks, at a step that the caller knows.
    pub(crate) fn look_at_step(&mut self, batch: &Batch, step: usize) -> Look {
        self.second += 1;
        for (recipe, state) in self.recipes.iter().zip(&mut self.states) {
            state.step(recipe, batch, WINDOWS[step]);
        }
        let pairs: Vec<(&Recipe, &State)> = self.recipes.iter().zip(&self.states).collect();
        let failed = failing(&pairs);
        let mut look = Look::GoesOn;
        for (i, (recipe, state)) in pairs.iter().enumerate() {
            let known = self.passed[i][step].is_some();
            // A standing is for people and costs more than the judgement: only asked for where it may say something new.
            if failed.is_none() && !state.split_is_wrong(recipe) && (known || !state.passed(recipe)) {
                continue;
            }
            match state.standing(recipe, failed == Some(i)).verdict {
                Verdict::Failed => look = Look::Failed,
                Verdict::SplitWrong if look == Look::GoesOn => look = Look::SplitWrong,
                Verdict::Passed if !known => self.passed[i][step] = Some(self.second),
                _ => {}
            }
        }
        look
    }

    /// Whether every metric has passed at a step.
    pub(crate) fn all_passed(&self, step: usize) -> bool {
        self.passed.iter().all(|passed| passed[step].is_some())
    }
}

#[cfg(test)]
mod tests {
    use serin_sim::random::Rng;

    use super::*;
    use crate::validity::traffic::{Scenario, Source};

    #[test]
    fn a_bad_canary_fails_within_seconds_and_a_good_one_passes() {
        let recipes = [errors()];
        let (bad, good) = (Scenario::errors(100.0, 0.2), Scenario::equal(100.0));
        let mut source = Source::new(&bad, Rng::new(1));
        let mut judged = Judged::new(&recipes);
        let looks = (0..10).filter(|_| judged.look(&source.batch()) == Look::Failed).count();
        assert!(looks > 3, "{looks}");
        let mut source = Source::new(&good, Rng::new(1));
        let mut judged = Judged::new(&recipes);
        assert!((0..120).all(|_| judged.look(&source.batch()) == Look::GoesOn));
        assert!(judged.all_passed(0) && !judged.all_passed(1));
    }
}
