//! Verdicts on made-up traffic, and what must hold whatever it is.

use super::{State, Verdict, failing};
use crate::batch::{Arm, Batch, PairCounts};
use crate::recipe::{Distribution, Outcome, Paired, Recipe, Test};
use crate::two_arm::Line;

const POINT: Line = Line { ratio: 1.0, delta: 0.01 };

fn errors() -> Recipe {
    Recipe::new(Test::Compare { outcome: Outcome::Errors, lines: vec![POINT] })
}

fn arm(answered: u64, errors: u64) -> Arm {
    Arm { answered, errors, ..Arm::default() }
}

fn second(seq: u64, canary: Arm, stable: Arm) -> Batch {
    let start_ms = seq as i64 * 1000;
    Batch { seq, start_ms, end_ms: start_ms + 1000, split: Some((20, 100)), canary, stable, ..Batch::default() }
}

/// Feeds seconds until one decides, at most `most`; says which verdict came when.
fn run(recipe: &Recipe, most: u64, make: impl Fn(u64) -> Batch) -> (Verdict, u64, State) {
    let mut state = State::new(recipe, 0);
    for seq in 1..=most {
        state.step(recipe, &make(seq), "20/100");
        let failed = failing(&[(recipe, &state)]).is_some();
        let verdict = state.standing(recipe, failed).verdict;
        if !matches!(verdict, Verdict::Undecided | Verdict::NoData) {
            return (verdict, seq, state);
        }
    }
    let verdict = state.standing(recipe, false).verdict;
    (verdict, most, state)
}

#[test]
fn a_tenth_of_errors_is_caught_within_seconds_and_a_good_version_passes() {
    let bad = |seq: u64| second(seq, arm(20, 2), arm(80, u64::from(seq.is_multiple_of(3))));
    let (verdict, seconds, state) = run(&errors(), 100, bad);
    assert_eq!(verdict, Verdict::Failed);
    assert!(seconds <= 8, "{seconds}");
    let text = state.standing(&errors(), true).to_string();
    assert!(text.starts_with("canary 10.00 % of ") && text.ends_with("worse than tolerated"), "{text}");

    let good =
        |seq: u64| second(seq, arm(20, u64::from(seq.is_multiple_of(10))), arm(80, u64::from(seq.is_multiple_of(3))));
    let (verdict, seconds, _) = run(&errors(), 300, good);
    assert_eq!(verdict, Verdict::Passed);
    assert!(seconds > 10 && seconds < 100, "{seconds}");
}

#[test]
fn a_shared_outage_says_nothing_against_the_canary() {
    let (verdict, _, state) = run(&errors(), 60, |seq| second(seq, arm(20, 12), arm(80, 48)));
    assert_ne!(verdict, Verdict::Failed, "{}", state.standing(&errors(), false));
}

#[test]
fn without_an_answer_there_is_no_data_and_with_few_it_says_how_many_more() {
    let (verdict, ..) = run(&errors(), 30, |seq| second(seq, Arm::default(), arm(80, 0)));
    assert_eq!(verdict, Verdict::NoData);
    let (verdict, _, state) = run(&errors(), 30, |seq| second(seq, arm(1, 0), arm(4, 0)));
    assert_eq!(verdict, Verdict::Undecided);
    let standing = state.standing(&errors(), false);
    let (needed, ms) = (standing.needed.unwrap(), standing.needed_ms.unwrap());
    assert!((100..4000).contains(&needed), "{standing}");
    assert!((ms - needed as i64 * 1000).abs() <= 1000, "one answer a second: {standing}");
}

#[test]
fn two_stray_errors_do_not_decide() {
    let stray = |seq| Batch { split: None, ..second(seq, arm(1, 1), arm(400, 0)) };
    let (verdict, ..) = run(&errors(), 2, stray);
    assert_eq!(verdict, Verdict::Undecided);
    let (verdict, seconds, _) = run(&errors(), 9, stray);
    assert_eq!((verdict, seconds), (Verdict::Failed, 3));
}

/// One request a second: no second has both versions in it.
#[test]
fn answers_wait_for_those_of_the_other_version() {
    let one = |seq: u64, bad: bool| match seq.is_multiple_of(5) {
        true => second(seq, arm(1, u64::from(bad)), Arm::default()),
        false => second(seq, Arm::default(), arm(1, 0)),
    };
    let unsplit = |batch: Batch| Batch { split: None, ..batch };
    let (verdict, seconds, state) = run(&errors(), 100, |seq| unsplit(one(seq, seq.is_multiple_of(10))));
    assert_eq!(verdict, Verdict::Failed, "{}", state.standing(&errors(), false));
    assert!(seconds <= 60, "{seconds}");
    let (verdict, _, state) = run(&errors(), 4000, |seq| unsplit(one(seq, false)));
    assert_eq!(verdict, Verdict::Passed, "{}", state.standing(&errors(), false));
}

#[test]
fn answers_do_not_wait_for_long_and_are_counted_then() {
    let recipe = errors();
    let (.., state) = run(&recipe, 300, |seq| Batch { split: None, ..second(seq, Arm::default(), arm(1, 1)) });
    let seen = state.standing(&recipe, false);
    assert_eq!((seen.canary.total, seen.stable.total), (0.0, 300.0), "{seen}");
    assert!(state.log_e(&recipe).abs() < 1e-9, "of one version nothing can be said");
}

#[test]
fn a_batch_is_judged_once_and_the_state_survives_json() {
    let recipe = errors();
    let mut state = State::new(&recipe, 4);
    let batch = second(5, arm(20, 1), arm(80, 1));
    state.step(&recipe, &batch, "20/100");
    let once = state.clone();
    state.step(&recipe, &batch, "20/100");
    state.step(&recipe, &second(4, arm(20, 20), arm(80, 0)), "20/100");
    assert_eq!(state, once);
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    assert!(text.len() < 10_000, "{}", text.len());
}

#[test]
fn another_weight_has_to_be_passed_anew_and_what_speaks_against_the_canary_stays() {
    let recipe = errors();
    let (_, at, mut state) = run(&recipe, 300, |seq| second(seq, arm(20, 0), arm(80, 0)));
    assert!(state.passed(&recipe));
    let before = state.log_e(&recipe);
    state.step(&recipe, &second(at + 1, arm(1, 0), arm(1, 0)), "50/100");
    assert!(!state.passed(&recipe));
    assert!((state.log_e(&recipe) - before).abs() < 0.1);
}

#[test]
fn beyond_both_lines_is_worse_and_beyond_one_is_not() {
    let double = Line { ratio: 1.5, delta: 0.0 };
    let recipe = Recipe::new(Test::Compare { outcome: Outcome::Errors, lines: vec![POINT, double] });
    // 12 % against 10 %: two points more, but not by half.
    let (verdict, ..) = run(&recipe, 2000, |seq| second(seq, arm(100, 12), arm(400, 40)));
    assert_eq!(verdict, Verdict::Passed);
    let (verdict, ..) = run(&recipe, 2000, |seq| second(seq, arm(100, 30), arm(400, 40)));
    assert_eq!(verdict, Verdict::Failed);
}

#[test]
fn a_wrong_split_makes_the_comparison_void() {
    let (verdict, ..) = run(&errors(), 50, |seq| second(seq, arm(40, 0), arm(60, 0)));
    assert_eq!(verdict, Verdict::SplitWrong);
}

#[test]
fn slower_answers_are_found_at_a_quantile_of_stable() {
    let latency = |slow: bool| {
        let us = |i: u64| (100_000 + 3_000 * i) * if slow { 2 } else { 1 };
        let mut bins: Vec<(u16, u64)> = (0..20).map(|i| (crate::sketch::latency::bin(us(i)) as u16, 1)).collect();
        bins.dedup_by(|a, b| {
            a.0 == b.0 && {
                b.1 += a.1;
                true
            }
        });
        Arm { answered: 20, latency: bins, ..Arm::default() }
    };
    let recipe = Recipe::new(Test::Slower { quantiles: vec![0.95], tolerance: 0.2 });
    let (verdict, seconds, _) =
        run(&recipe, 100, |seq| Batch { split: None, ..second(seq, latency(true), latency(false)) });
    assert_eq!(verdict, Verdict::Failed);
    assert!(seconds < 15, "{seconds}");
    let recipe_even = Recipe { ..recipe };
    let even = |seq: u64| Batch { split: None, ..second(seq, latency(false), latency(false)) };
    assert_eq!(run(&recipe_even, 300, even).0, Verdict::Passed);
}

fn classes(pairs: &[(&str, u64)]) -> Arm {
    let classes = pairs.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect();
    Arm { answered: pairs.iter().map(|(_, n)| n).sum(), classes, ..Arm::default() }
}

#[test]
fn a_shifted_share_is_found_in_every_form() {
    let stable = || classes(&[("0", 64), ("1", 16)]);
    let shifted = |seq| second(seq, classes(&[("0", 13), ("1", 7)]), stable());
    let same = |seq| second(seq, classes(&[("0", 16), ("1", 4)]), stable());
    for of in [Distribution::Classes(Vec::new()), Distribution::Classes(vec!["1".into()]), Distribution::TotalVariation]
    {
        let recipe = Recipe::new(Test::Drift { of: of.clone(), tolerance: 0.03 });
        let (verdict, seconds, _) = run(&recipe, 120, shifted);
        assert_eq!(verdict, Verdict::Failed, "{of:?}");
        assert!(seconds * 20 < 600, "{of:?}: {seconds}");
        let (verdict, _, state) = run(&recipe, 2000, same);
        assert_eq!(verdict, Verdict::Passed, "{of:?}: {}", state.standing(&recipe, false));
    }
}

#[test]
fn numbers_that_move_are_found() {
    let numbers = |shift: f64| {
        let mut bins: Vec<(i16, u64)> = Vec::new();
        for i in 0..20 {
            let bin = crate::sketch::number::bin(0.05 * f64::from(i) + 0.025 + shift);
            match bins.last_mut() {
                Some((last, n)) if *last == bin => *n += 1,
                _ => bins.push((bin, 1)),
            }
        }
        Arm { answered: 20, numbers: bins, ..Arm::default() }
    };
    let recipe = Recipe::new(Test::Drift { of: Distribution::Numbers, tolerance: 0.05 });
    let pair = |shift: f64| move |seq: u64| Batch { split: None, ..second(seq, numbers(shift), numbers(0.0)) };
    assert_eq!(run(&recipe, 300, pair(0.2)).0, Verdict::Failed);
    assert_eq!(run(&recipe, 2000, pair(0.0)).0, Verdict::Passed);
}

#[test]
fn pairs_find_what_the_canary_alone_does_wrong() {
    let pairs = |canary_bad: u64, both_bad: u64| PairCounts {
        both_good: 20 - canary_bad - both_bad,
        canary_bad,
        both_bad,
        ..PairCounts::default()
    };
    let recipe = Recipe::new(Test::Shadow { of: Paired::Errors, tolerance: 0.01 });
    let made = |canary_bad: u64, both_bad: u64| {
        move |seq: u64| Batch {
            pairs: Some(Box::new(pairs(canary_bad, both_bad))),
            ..second(seq, Arm::default(), arm(20, both_bad))
        }
    };
    assert_eq!(run(&recipe, 60, made(2, 0)).0, Verdict::Failed);
    assert_eq!(run(&recipe, 600, made(0, 12)).0, Verdict::Passed, "what both do wrong is no news");
    let moved = |seq: u64| {
        let classes = vec![("0".into(), "0".into(), 14), ("0".into(), "1".into(), 3), ("1".into(), "1".into(), 3)];
        let pairs = PairCounts { both_good: 20, classes, ratio: vec![(0, 10), (12, 10)], ..PairCounts::default() };
        Batch { pairs: Some(Box::new(pairs)), ..second(seq, Arm::default(), arm(20, 0)) }
    };
    for (of, tolerance, verdict) in [
        (Paired::Classes, 0.03, Verdict::Failed),
        (Paired::Agreement, 0.05, Verdict::Failed),
        (Paired::Agreement, 0.3, Verdict::Passed),
        (Paired::Latency, 0.3, Verdict::Passed),
    ] {
        let recipe = Recipe::new(Test::Shadow { of, tolerance });
        assert_eq!(run(&recipe, 300, moved).0, verdict, "{of:?} {tolerance}");
    }
}

#[test]
fn a_version_that_is_fine_on_average_and_bad_for_one_slice_is_caught() {
    let recipe = Recipe { slice: Some("country".into()), ..errors() };
    let sliced = |seq: u64| {
        let values = [("at", (arm(1, 1), arm(4, 0))), ("de", (arm(199, 0), arm(796, 4)))];
        let values = values.into_iter().map(|(value, arms)| (value.to_owned(), arms)).collect();
        Batch { slices: [("country".to_owned(), values)].into(), ..second(seq, arm(200, 1), arm(800, 4)) }
    };
    let (verdict, _, state) = run(&recipe, 60, sliced);
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(state.standing(&recipe, true).slice.as_deref(), Some("at"));
    assert_ne!(run(&errors(), 60, sliced).0, Verdict::Failed, "on the whole nothing is to be seen");
}

#[test]
fn when_all_goes_to_the_canary_it_is_held_to_what_stable_was() {
    let recipe = errors();
    let (_, at, mut state) = run(&recipe, 300, |seq| second(seq, arm(20, 0), arm(80, 0)));
    let alone = |seq: u64, bad: u64| Batch { split: Some((100, 100)), ..second(seq, arm(100, bad), Arm::default()) };
    for seq in 1..=60 {
        state.step(&recipe, &alone(at + seq, 0), "100/100");
    }
    assert_eq!(failing(&[(&recipe, &state)]), None);
    for seq in 61..=70 {
        state.step(&recipe, &alone(at + seq, 10), "100/100");
    }
    assert_eq!(failing(&[(&recipe, &state)]), Some(0), "{}", state.standing(&recipe, false));
}

#[test]
fn one_alpha_is_for_all_metrics_together() {
    let third =
        |recipe: Recipe| Recipe { budget: crate::recipe::Budget { share: 1.0 / 3.0, ..recipe.budget }, ..recipe };
    let (one, other) = (third(errors()), third(Recipe::new(Test::Limit { outcome: Outcome::Errors, limit: 0.05 })));
    let make = |seq: u64| second(seq, arm(20, 2), arm(80, 0));
    let (_, alone, _) = run(&errors(), 60, make);
    let (mut first, mut second_state) = (State::new(&one, 0), State::new(&other, 0));
    let mut failed = None;
    for seq in 1..=60 {
        first.step(&one, &make(seq), "");
        second_state.step(&other, &make(seq), "");
        failed = failed.or_else(|| failing(&[(&one, &first), (&other, &second_state)]).map(|which| (which, seq)));
    }
    let (which, together) = failed.unwrap();
    assert_eq!(which, 0, "the comparison saw it first");
    assert!(together > alone && together <= alone + 4, "{together} {alone}");
}

#[test]
fn a_state_of_another_recipe_or_a_spoiled_one_is_not_gone_on_with() {
    let recipe = errors();
    let (_, _, state) = run(&recipe, 20, |seq| second(seq, arm(20, 0), arm(80, 0)));
    assert!(state.fits(&recipe));
    let wider = Recipe::new(Test::Compare { outcome: Outcome::Errors, lines: vec![Line { delta: 0.02, ..POINT }] });
    assert!(!state.fits(&wider));
    let drift = Recipe::new(Test::Drift { of: Distribution::TotalVariation, tolerance: 0.03 });
    assert!(!state.fits(&drift));
    let text = serde_json::to_string(&state).unwrap();
    let spoil = |from: &str, to: &str| {
        let spoiled = text.replacen(from, to, 1);
        assert_ne!(spoiled, text);
        serde_json::from_str::<State>(&spoiled).is_ok_and(|state| state.fits(&recipe))
    };
    assert!(!spoil("\"log_masses\":[", "\"log_masses\":[0.0,"));
    assert!(!spoil("\"unspent\":0.", "\"unspent\":7."));
}
