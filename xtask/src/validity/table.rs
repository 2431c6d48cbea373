//! The comparison: what a rollout costs under the rule of the decision record, that rule scoped to the canary, Kayenta's judge, and Serin's recipes with their defaults.

use serin_sim::random::Rng;
use serin_stats::batch::{Arm, Batch};
use serin_stats::recipe::Recipe;
use serin_stats::sketch::latency as sketch;

use super::estimate::{Numbers, Share};
use super::judged::{self, Judged, Look, drift, errors, latency, named_drift};
use super::kayenta;
use super::record::{self, Rule, Scope};
use super::traffic::{Answers, Difference, Scenario, Source, WHOLE_S};

/// Requests a second of the table.
pub(crate) const RATES: [f64; 5] = [1.0, 5.0, 20.0, 100.0, 500.0];
/// Shares of errors of the canary; stable's is the first.
pub(crate) const ERRORS: [f64; 7] = [0.005, 0.01, 0.03, 0.06, 0.1, 0.2, 0.5];
/// Who judges, in the order of the columns.
pub(crate) const METHODS: [&str; 4] = ["record as shipped", "record, scoped", "Kayenta", "Serin"];
/// The column of Serin.
pub(crate) const SERIN: usize = 3;
/// The longest that a test of a step goes on, in seconds: the default of `within`.
const WITHIN_S: usize = 600;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// The canary's share of errors; stable's is 0.5 %.
    Errors(f64),
    /// Errors of 10 % from minute 4 on.
    Late,
    /// So many errors more in both versions for 90 seconds.
    Outage(f64),
    /// The canary's 95th percentile in milliseconds; stable's is 300.
    Latency(f64),
    /// Stable's and the canary's share of class 1.
    Drift(f64, f64),
    /// The same, with the class named in the recipe: `classes: ["1"]`.
    NamedDrift(f64, f64),
}

impl Kind {
    /// All kinds, in the order of the document.
    pub(crate) fn all() -> Vec<Kind> {
        let mut kinds: Vec<Kind> = ERRORS.into_iter().map(Kind::Errors).collect();
        kinds.extend([Kind::Late, Kind::Outage(0.1), Kind::Outage(0.6)]);
        kinds.extend([300.0, 400.0, 600.0].map(Kind::Latency));
        let shares = [(0.2, 0.2), (0.1, 0.1), (0.5, 0.5), (0.2, 0.35), (0.2, 0.5), (0.5, 0.75)];
        kinds.extend(shares.map(|(stable, canary)| Kind::Drift(stable, canary)));
        kinds.push(Kind::NamedDrift(0.2, 0.35));
        kinds
    }

    /// The rates that it is played at: healthy models of other base rates only at the usual ones.
    pub(crate) fn rates(self) -> &'static [f64] {
        match self {
            Kind::Drift(stable, canary) if stable == canary && stable != 0.2 => &RATES[2..4],
            _ => &RATES,
        }
    }

    /// Whether nothing is wrong with the canary, so that a rollback is a mistake.
    pub(crate) fn is_harmless(self) -> bool {
        match self {
            Kind::Errors(share) => share == ERRORS[0],
            Kind::Late => false,
            Kind::Outage(_) => true,
            Kind::Latency(p95_ms) => p95_ms == 300.0,
            Kind::Drift(stable, canary) | Kind::NamedDrift(stable, canary) => stable == canary,
        }
    }

    fn rule(self) -> Rule {
        match self {
            Kind::Errors(_) | Kind::Late | Kind::Outage(_) => Rule::Errors,
            Kind::Latency(_) => Rule::Latency,
            Kind::Drift(..) | Kind::NamedDrift(..) => Rule::Drift,
        }
    }

    fn recipe(self) -> Recipe {
        if matches!(self, Kind::NamedDrift(..)) {
            return named_drift();
        }
        match self.rule() {
            Rule::Errors => errors(),
            Rule::Latency => latency(),
            Rule::Drift => drift(),
        }
    }

    fn scenario(self, rps: f64) -> Scenario {
        let equal = Scenario::equal(rps);
        let none = Difference::NONE;
        match self {
            Kind::Errors(share) => Scenario::errors(rps, share),
            Kind::Late => Scenario { canary: Difference { from: 240, errors: 0.095, ..none }, ..equal },
            Kind::Outage(points) => Scenario { outage: Some((points, 30, 120)), ..equal },
            Kind::Latency(p95_ms) => {
                let stable = Answers { p95_ms: Some(300.0), ..equal.stable };
                Scenario { stable, canary: Difference { latency: p95_ms / 300.0, ..none }, ..equal }
            }
            Kind::Drift(stable, canary) | Kind::NamedDrift(stable, canary) => {
                let ones = canary - stable;
                let stable = Answers { ones: Some(stable), ..equal.stable };
                Scenario { stable, canary: Difference { ones, ..none }, ..equal }
            }
        }
    }

    /// What of the canary's answers a user is hurt by: errors, answers slower than 500 ms, or any answer of a model that has changed.
    fn harm(self, arm: &Arm) -> u64 {
        match self.rule() {
            Rule::Errors => arm.errors,
            Rule::Latency => sketch::count_above(&arm.latency, 500_000),
            Rule::Drift => arm.answered,
        }
    }
}

/// What one method did in many rollouts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Rolled back before promotion.
    pub(crate) caught: Share,
    /// Seconds until then, of those that were.
    pub(crate) seconds: Numbers,
    /// The canary's harm until rollback or promotion.
    pub(crate) harm: Numbers,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) rps: f64,
    /// In the order of [`METHODS`].
    pub(crate) outcomes: [Outcome; 4],
}

/// Plays a line: every method judges the same rollouts.
pub(crate) fn play(kind: Kind, rps: f64, runs: u64, seed: u64) -> Row {
    let scenario = kind.scenario(rps);
    let recipes = [kind.recipe()];
    let mut outcomes: [Outcome; 4] = Default::default();
    for run in 0..runs {
        let mut source = Source::new(&scenario, Rng::stream(seed, run));
        let past = source.past();
        let seconds: Vec<Batch> = (0..WHOLE_S).map(|_| source.batch()).collect();
        let ends = [
            record::rolled_back(kind.rule(), Scope::Both, &past, &seconds),
            record::rolled_back(kind.rule(), Scope::Canary, &past, &seconds),
            kayenta::rolled_back(kind.rule(), &seconds),
            rolled_back(&recipes, &seconds),
        ];
        for (outcome, end) in outcomes.iter_mut().zip(ends) {
            outcome.caught.add(end.is_some());
            end.iter().for_each(|at| outcome.seconds.add(*at as f64));
            let until = &seconds[..end.unwrap_or(WHOLE_S)];
            outcome.harm.add(until.iter().map(|batch| kind.harm(&batch.canary)).sum::<u64>() as f64);
        }
    }
    Row { kind, rps, outcomes }
}

/// When Serin rolls back, in seconds since the rollout began, on the record's timetable.
fn rolled_back(recipes: &[Recipe], seconds: &[Batch]) -> Option<usize> {
    let mut judged = Judged::new(recipes);
    seconds.iter().position(|batch| judged.look(batch) == Look::Failed).map(|second| second + 1)
}

/// How a healthy canary is promoted on evidence: what its two steps took.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Promotion {
    /// Requests a second.
    pub(crate) rps: f64,
    /// Steps that passed within their time.
    pub(crate) passed: [Share; 2],
    /// Seconds that they took, of those that did.
    pub(crate) seconds: [Numbers; 2],
    /// Rolled back.
    pub(crate) failed: Share,
}

/// Plays rollouts of an equal canary whose steps end when all metrics have passed.
pub(crate) fn promote(all_three: bool, rps: f64, runs: u64, seed: u64) -> Promotion {
    let mut scenario = Scenario::equal(rps);
    let mut recipes = vec![errors()];
    if all_three {
        scenario.stable = Answers { errors: 0.005, p95_ms: Some(300.0), ones: Some(0.2) };
        recipes = judged::together(vec![errors(), latency(), drift()]);
    }
    let mut seen = Promotion { rps, ..Promotion::default() };
    for run in 0..runs {
        let mut source = Source::new(&scenario, Rng::stream(seed, run));
        let mut judged = Judged::new(&recipes);
        let mut failed = false;
        for step in 0..2 {
            let mut took = None;
            for second in 1..=WITHIN_S {
                failed |= judged.look_at_step(&source.batch_at(step), step) == Look::Failed;
                if failed || judged.all_passed(step) {
                    took = (!failed).then_some(second);
                    break;
                }
            }
            seen.passed[step].add(took.is_some());
            let Some(took) = took else { break };
            seen.seconds[step].add(took as f64);
        }
        seen.failed.add(failed);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_errors_costs_the_record_a_hundred_times_what_it_costs_serin() {
        let row = play(Kind::Errors(0.1), 100.0, 20, 1);
        let harm = row.outcomes.each_ref().map(|outcome| outcome.harm.mean().unwrap());
        assert!(harm[0] > 1_000.0 && harm[3] < 15.0, "{harm:?}");
        assert_eq!(row.outcomes.each_ref().map(|o| o.caught.hits == 20), [false, true, true, true]);
    }

    #[test]
    fn an_outage_of_both_versions_rolls_back_under_the_record_only() {
        let row = play(Kind::Outage(0.6), 20.0, 20, 1);
        let caught = row.outcomes.each_ref().map(|outcome| outcome.caught.hits);
        assert!(caught[0] >= 18 && caught[SERIN] == 0, "{caught:?}");
    }

    #[test]
    fn an_equal_canary_is_promoted_on_evidence() {
        let seen = promote(false, 100.0, 5, 1);
        assert_eq!((seen.passed[0].hits, seen.passed[1].hits, seen.failed.hits), (5, 5, 0));
        assert!(seen.seconds[0].mean().unwrap() < 100.0);
    }
}
