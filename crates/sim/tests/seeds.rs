//! Level 6 in small: the first seeds hold, plays repeat, and a failing scenario becomes small. `cargo xtask seeds` plays many.

use std::collections::BTreeSet;

use serin_core::Strategy;
use serin_core::analysis::RunPhase;
use serin_sim::control::Fate;
use serin_sim::seeds::scenario::{Act, Scenario, When};
use serin_sim::seeds::{self, Failure, Figures, draw, play, shrink};

#[test]
fn the_first_seeds_hold() {
    let half = |first: u64| {
        let mut figures = Figures::default();
        for seed in (first..200).step_by(2) {
            let played = seeds::check(seed).unwrap_or_else(|failure| {
                panic!("seed {seed}: {failure}\nreplay it with: cargo xtask seeds --seed {seed}");
            });
            figures.add(&played.figures);
        }
        figures
    };
    let mut all = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all = half(0);
        all.add(&other.join().unwrap());
        all
    });
    assert_eq!(all.plays, 200);
    assert!(all.faults > 100 && all.acts > 500 && all.rests > 2_000, "{all:?}");
    let ends: Vec<RunPhase> = all.experiments.keys().copied().collect();
    assert!(all.experiments.values().sum::<u64>() > 30 && ends.len() >= 3, "{:?}", all.experiments);
    let situations = std::mem::take(&mut all.situations);
    assert!(situations.len() > 500, "{} situations", situations.len());
}

/// Where a decision was wrong:
/// - 357526: an inconclusive pause outlived its run and gave no reason;
/// - 388499: a forgotten run left its name to another one, which got its result;
/// - 159158: requests by header went to a canary without members while stable lacked some;
/// - 628151: an abort took members before the traffic was gone, because the step it goes back to is a `setCanaryScale`.
///
/// Where an oracle was not precise:
/// - 70867, 991044: a template that is taken back before anything but its pool was decided begins no other attempt, however
///   many passes it takes to make the pool;
/// - 308021, 483311, 559906: neither do an abort and a retry between two passes, which nobody sees;
/// - 897338: a run of the steps before failed while it was on its way to be stopped;
/// - 386229, 879998, 883329: members of an experiment that is over stay while a person holds the rollout and stable is too
///   small for their requests.
#[test]
fn seeds_that_once_failed_hold() {
    let decisions = [357_526, 388_499, 159_158, 628_151];
    let oracles = [70_867, 991_044, 308_021, 483_311, 559_906, 897_338, 386_229, 879_998, 883_329];
    for seed in decisions.into_iter().chain(oracles) {
        let played = seeds::check(seed).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        assert!(played.figures.decisions > 0);
    }
}

#[test]
fn another_seed_is_another_play_and_the_same_one_the_same() {
    let digests: BTreeSet<u64> = (0..40).map(|seed| play::digest(&draw::scenario(seed))).collect();
    assert!(digests.len() > 38, "{} different plays", digests.len());
    let scenario = draw::scenario(11);
    assert_eq!(draw::scenario(11), scenario);
    assert_eq!(play::transcript(&scenario), play::transcript(&scenario));
}

#[test]
fn both_strategies_and_every_kind_of_fault_are_drawn() {
    let all: Vec<Scenario> = (0..300).map(draw::scenario).collect();
    let green = all.iter().filter(|s| matches!(s.rollout.strategy, Strategy::BlueGreen(_))).count();
    assert!((60..240).contains(&green), "{green} of 300 are blue-green");
    let fates = all.iter().flat_map(|s| s.faults.actions.values());
    let kind = |fate: &Fate| match fate {
        Fate::Lost => 0_u8,
        Fate::Twice => 1,
        Fate::Late(_) => 2,
        Fate::Killed(_) => 3,
    };
    let kinds: BTreeSet<u8> = fates.map(kind).collect();
    assert_eq!(kinds.len(), 4);
    assert!(all.iter().any(|s| s.acts.iter().any(|(when, _)| matches!(when, When::Decision(_)))));
}

/// An oracle that does not like aborts, for the sake of the test.
fn without_aborts(scenario: &Scenario) -> Result<seeds::Played, Failure> {
    let aborts = scenario.acts.iter().any(|(_, act)| *act == Act::Abort);
    match aborts {
        true => Err(Failure { oracle: "no-aborts", why: "somebody aborts".to_owned(), at: None }),
        false => Ok(seeds::Played { digest: 0, figures: Figures::default() }),
    }
}

#[test]
fn a_failing_scenario_becomes_small() {
    let failing = (0..200).map(draw::scenario).find(|s| {
        s.acts.len() > 5 && s.faults.actions.len() > 2 && s.rollout.steps() > 2 && without_aborts(s).is_err()
    });
    let failing = failing.expect("one of two hundred scenarios is like that");
    let failure = without_aborts(&failing).unwrap_err();
    let (small, told) = shrink::shrink(&failing, &failure, &without_aborts);
    assert_eq!(told.oracle, "no-aborts");
    assert_eq!(small.acts.iter().map(|(_, act)| act).collect::<Vec<_>>(), [&Act::Abort]);
    assert!(small.faults.actions.is_empty() && small.faults.passes.is_empty());
    assert_eq!((small.rollout.steps(), small.rollout.replicas), (0, 1));
    let script = small.to_string();
    assert!(script.starts_with(&format!("# seed {}\nreplicas 1\n", failing.seed)), "{script}");
    assert!(script.contains(": abort\n"), "{script}");
}
