//! The validity study: how often verdicts are wrong where they are most likely to be, and how often they are right where they have to be.

use serin_sim::random::Rng;
use serin_stats::recipe::Recipe;
use serin_stats::sketch::latency as sketch;

use super::estimate::Share;
use super::judged::{Judged, Look, drift, errors, latency, together};
use super::traffic::{Answers, Dealing, Difference, Scenario, Source, Swing, Visits};

/// The probability of a wrong rollback that a rollout promises, and of a wrong split.
const ALPHA: f64 = 0.01;
/// The probability of a wrong pass that a step promises.
const BETA: f64 = 0.05;
/// How long the two steps of a rollout are, in seconds.
pub(crate) const STEPS_S: [usize; 2] = [60, 60];
/// 95th percentile of stable's latency in milliseconds.
const P95_MS: f64 = 300.0;

/// What has to hold of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Claim {
    /// The canary is on its tolerance: rolled back in at most alpha of the rollouts, passed in at most beta of the steps by each metric that `on` names.
    OnTolerance {
        /// The metrics that are on their tolerance, and the most that their steps pass.
        on: &'static [usize],
    },
    /// The split is as told: called wrong in at most alpha of the rollouts.
    SplitRight,
    /// Rolled back in at least so many.
    Caught(f64),
    /// The first step passes in at least so many.
    Passes(f64),
    /// The split is called wrong in at least so many.
    SplitFound(f64),
    /// Shows what happens without a precaution: rolled back in more than alpha, or the study could not tell.
    Warning,
}

/// Rollouts of one kind.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) scenario: Scenario,
    pub(crate) recipes: Vec<Recipe>,
    pub(crate) claim: Claim,
    /// The part of the runs that it gets: powers need fewer than small probabilities.
    pub(crate) part: f64,
}

/// What was seen of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    pub(crate) claim: Claim,
    /// Rollouts that were rolled back.
    pub(crate) failed: Share,
    /// Rollouts of which the split was called wrong.
    pub(crate) split_wrong: Share,
    /// For every metric the steps that passed.
    pub(crate) passed: Vec<[Share; 2]>,
}

impl Seen {
    /// The largest share of steps that a metric passed, of those that should not.
    pub(crate) fn worst_pass(&self) -> Option<Share> {
        let Claim::OnTolerance { on } = self.claim else { return None };
        let steps = on.iter().flat_map(|metric| self.passed[*metric]);
        steps.max_by(|a, b| a.value().total_cmp(&b.value()))
    }

    /// What was seen of what the claim is about, and the bound.
    pub(crate) fn decisive(&self) -> (Share, f64) {
        match self.claim {
            Claim::OnTolerance { .. } => (self.failed, self.failed.bound(ALPHA)),
            Claim::SplitRight => (self.split_wrong, self.split_wrong.bound(ALPHA)),
            Claim::Warning => (self.failed, ALPHA),
            Claim::Caught(least) => (self.failed, least),
            Claim::Passes(least) => (self.passed.first().map(|passed| passed[0]).unwrap_or_default(), least),
            Claim::SplitFound(least) => (self.split_wrong, least),
        }
    }

    /// Whether the claim holds.
    pub(crate) fn holds(&self) -> bool {
        let (share, bound) = self.decisive();
        match self.claim {
            Claim::OnTolerance { .. } | Claim::SplitRight => {
                share.value() <= bound && self.worst_pass().is_none_or(|pass| pass.value() <= pass.bound(BETA))
            }
            Claim::Caught(_) | Claim::Passes(_) | Claim::SplitFound(_) => share.value() >= bound,
            Claim::Warning => share.value() > share.bound(bound),
        }
    }
}

/// Plays the rollouts of a cell.
pub(crate) fn play(cell: &Cell, runs: u64, seed: u64) -> Seen {
    let runs = ((runs as f64 * cell.part).ceil() as u64).max(1);
    let mut seen = Seen {
        name: cell.name,
        claim: cell.claim,
        failed: Share::default(),
        split_wrong: Share::default(),
        passed: vec![[Share::default(); 2]; cell.recipes.len()],
    };
    for run in 0..runs {
        let mut source = Source::new(&cell.scenario, Rng::stream(seed, run));
        let mut judged = Judged::new(&cell.recipes);
        let mut looks = (0..STEPS_S.iter().sum()).map(|second| {
            let step = usize::from(second >= STEPS_S[0]);
            judged.look_at_step(&source.batch_at(step), step)
        });
        let end = looks.find(|look| *look != Look::GoesOn);
        seen.failed.add(end == Some(Look::Failed));
        seen.split_wrong.add(end == Some(Look::SplitWrong));
        for (shares, passed) in seen.passed.iter_mut().zip(&judged.passed) {
            shares.iter_mut().zip(passed).for_each(|(share, at)| share.add(at.is_some()));
        }
    }
    seen
}

/// The canary that is exactly as bad as the three recipes tolerate.
fn on_tolerance() -> (Answers, Difference) {
    let stable = Answers { errors: 0.005, p95_ms: Some(P95_MS), ones: Some(0.2) };
    // The product compares at bounds of its sketch: what is on the tolerance is a ratio of two of them.
    let edge = |us: f64| sketch::upper_us(sketch::bin(us as u64)).unwrap_or_default() as f64;
    let own = edge(P95_MS * 1_000.0);
    let slower = edge((own * 1.2).ceil()) / own;
    (stable, Difference { errors: 0.01, from: 0, latency: slower, ones: 0.03 })
}

fn three() -> Vec<Recipe> {
    together(vec![errors(), latency(), drift()])
}

fn of_errors(rps: f64) -> Scenario {
    Scenario::errors(rps, 0.015)
}

const ONE: Claim = Claim::OnTolerance { on: &[0] };

/// All cells of the long form.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = null_cells();
    cells.extend(split_and_visit_cells());
    cells.extend(power_cells());
    cells
}

/// The canary on its tolerance.
fn null_cells() -> Vec<Cell> {
    let (stable, canary) = on_tolerance();
    let all = |rps: f64| Scenario { stable, canary, ..Scenario::equal(rps) };
    let three_on = Claim::OnTolerance { on: &[0, 1, 2] };
    let cell = |name, scenario, recipes, claim| Cell { name, scenario, recipes, claim, part: 1.0 };
    vec![
        cell("three metrics, constant, 40 a second", all(40.0), three(), three_on),
        cell(
            "three metrics, swinging like days, weight 30 where 20 is wanted, by chance, 40 a second",
            Scenario {
                swing: Swing::Days,
                shares: [0.3, 0.5],
                dealing: Dealing::Random,
                // The tolerance is a fifth or up to one bin more, which depends on where the quantile just is.
                canary: Difference { latency: 1.2, ..canary },
                ..all(40.0)
            },
            three(),
            Claim::OnTolerance { on: &[0, 2] },
        ),
        cell("errors, constant, 100 a second", of_errors(100.0), vec![errors()], ONE),
        cell(
            "errors, constant, requests dealt by chance, 100 a second",
            Scenario { dealing: Dealing::Random, ..of_errors(100.0) },
            vec![errors()],
            ONE,
        ),
        cell(
            "errors, swinging like days, 100 a second",
            Scenario { swing: Swing::Days, ..of_errors(100.0) },
            vec![errors()],
            ONE,
        ),
        cell("errors, in steps, 40 a second", Scenario { swing: Swing::Steps, ..of_errors(40.0) }, vec![errors()], ONE),
        cell(
            "errors, an outage of both of 60 points for 90 s, 100 a second",
            Scenario { outage: Some((0.6, 20, 110)), ..of_errors(100.0) },
            vec![errors()],
            ONE,
        ),
    ]
}

/// Splits that are not as told, and visitors that stay.
fn split_and_visit_cells() -> Vec<Cell> {
    let wrong = Scenario { shares: [0.3, 0.5], dealing: Dealing::Random, swing: Swing::Days, ..of_errors(100.0) };
    let visits = |told| Scenario { visits: Some(Visits { requests: 10.0, told }), ..of_errors(100.0) };
    let known = |dealing| Scenario { split_told: true, dealing, ..of_errors(100.0) };
    let cell = |name, scenario, claim, part| Cell { name, scenario, recipes: vec![errors()], claim, part };
    vec![
        cell("errors, swinging, weight 30 where 20 is wanted and nobody says so", wrong.clone(), ONE, 1.0),
        cell(
            "the same, and the router says 20: the split is found wrong",
            Scenario { split_told: true, ..wrong },
            Claim::SplitFound(0.99),
            0.05,
        ),
        cell("requests dealt by chance as told: the split is right", known(Dealing::Random), Claim::SplitRight, 0.5),
        cell("visitors with ten requests each that stay, judged by visit", visits(true), ONE, 1.0),
        cell("the same visitors, their requests judged one by one", visits(false), Claim::Warning, 0.05),
    ]
}

/// Without these a judge that never decides would be valid.
fn power_cells() -> Vec<Cell> {
    let (stable, _) = on_tolerance();
    let all = |rps: f64, canary: Difference| Scenario { stable, canary, ..Scenario::equal(rps) };
    let cell = |name, scenario, recipes, claim| Cell { name, scenario, recipes, claim, part: 0.05 };
    let none = Difference::NONE;
    vec![
        cell(
            "5 % errors, three metrics, 40 a second",
            all(40.0, Difference { errors: 0.045, ..none }),
            three(),
            Claim::Caught(0.9),
        ),
        cell(
            "p95 twice as long, three metrics, 40 a second",
            all(40.0, Difference { latency: 2.0, ..none }),
            three(),
            Claim::Caught(0.95),
        ),
        cell(
            "class 1 at 35 instead of 20 %, three metrics, 40 a second",
            all(40.0, Difference { ones: 0.15, ..none }),
            three(),
            Claim::Caught(0.9),
        ),
        cell(
            "10 % errors, visitors judged by visit, 100 a second",
            Scenario { visits: Some(Visits { requests: 10.0, told: true }), ..Scenario::errors(100.0, 0.1) },
            vec![errors()],
            Claim::Caught(0.5),
        ),
        cell("equal versions, errors, 100 a second", Scenario::equal(100.0), vec![errors()], Claim::Passes(0.7)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The study in small: the same code, fewer rollouts, always the same ones. It cannot be met by never deciding.
    #[test]
    fn verdicts_are_wrong_no_more_often_than_promised_and_are_given() {
        for cell in cells() {
            let runs = match (cell.claim, cell.recipes.len()) {
                (Claim::OnTolerance { .. } | Claim::SplitRight, 1) => 100.0 / cell.part,
                (Claim::OnTolerance { .. }, _) => 30.0 / cell.part,
                _ => 20.0 / cell.part,
            };
            let seen = play(&cell, runs as u64, 20_260_101);
            assert!(seen.holds(), "{seen:?}");
        }
    }

    #[test]
    fn a_claim_can_be_broken() {
        let share = |hits| Share { hits, runs: 1_000 };
        let seen = |claim, failed, passed| Seen {
            name: "",
            claim,
            failed: share(failed),
            split_wrong: share(20),
            passed: vec![[share(0), share(passed)]],
        };
        assert!(seen(ONE, 10, 50).holds());
        assert!(!seen(ONE, 20, 50).holds() && !seen(ONE, 10, 80).holds());
        assert!(!seen(Claim::SplitRight, 0, 0).holds());
        assert!(seen(Claim::Caught(0.5), 500, 0).holds() && !seen(Claim::Caught(0.5), 499, 0).holds());
        assert!(!seen(Claim::Passes(0.5), 0, 900).holds(), "it is the first step that counts");
        assert!(seen(Claim::Warning, 100, 0).holds() && !seen(Claim::Warning, 10, 0).holds());
        assert!(!seen(Claim::SplitFound(0.5), 0, 0).holds());
    }
}
