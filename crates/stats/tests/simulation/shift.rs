//! The scores of drift for equal distributions: no bias, and a slack that is exceeded about once in a hundred looks.

use serin_stats::shift::{Score, Shift};

use crate::chance::Chance;

type Pick = fn(&Shift) -> Score;

fn sample(chance: &mut Chance, shares: &[f64], n: u32) -> Vec<f64> {
    let mut counts = vec![0.0; shares.len()];
    for _ in 0..n {
        let mut left = chance.uniform();
        let class = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        counts[class.unwrap_or(shares.len() - 1)] += 1.0;
    }
    counts
}

/// Mean of the raw score, mean of the value, share above the slack.
fn seen(shares: &[f64], n_canary: u32, n_stable: u32, score: Pick) -> (f64, f64, f64) {
    let mut chance = Chance::new(3);
    let runs = 3_000;
    let (mut raw, mut value, mut above) = (0.0, 0.0, 0.0);
    for _ in 0..runs {
        let (canary, stable) = (sample(&mut chance, shares, n_canary), sample(&mut chance, shares, n_stable));
        let score = score(&Shift::between(&canary, &stable).unwrap());
        raw += score.raw;
        value += score.value;
        above += f64::from(u8::from(score.value > score.slack));
    }
    let runs = f64::from(runs);
    (raw / runs, value / runs, above / runs)
}

#[test]
fn equal_distributions_score_nothing_on_average_and_seldom_more_than_the_slack() {
    let even = [0.1; 10];
    let skewed = [0.55, 0.2, 0.1, 0.06, 0.04, 0.03, 0.02];
    let binary = [0.2, 0.8];
    for (name, shares) in [("even", &even[..]), ("skewed", &skewed[..]), ("binary", &binary[..])] {
        for (n_canary, n_stable) in [(100, 400), (1_000, 1_000)] {
            let scores: [(&str, Pick); 4] = [("psi", |s| s.psi), ("js", |s| s.js), ("ks", |s| s.ks), ("tv", |s| s.tv)];
            for (score, of) in scores {
                let (raw, value, above) = seen(shares, n_canary, n_stable, of);
                let what = format!("{name} {n_canary} {score}: raw {raw}, value {value}, above {above}");
                // What is floored at 0 keeps a little of its bias.
                let left = if score == "js" { 0.5 } else { 0.15 };
                assert!(value.abs() < left * raw, "{what}");
                assert!(above < 0.025, "{what}");
                assert!(score != "psi" || above > 0.005, "{what}");
            }
        }
    }
}

#[test]
fn a_shift_is_above_the_slack() {
    let mut chance = Chance::new(4);
    for _ in 0..200 {
        let canary = sample(&mut chance, &[0.35, 0.35, 0.3], 600);
        let stable = sample(&mut chance, &[0.2, 0.4, 0.4], 2_400);
        let shift = Shift::between(&canary, &stable).unwrap();
        for score in [shift.psi, shift.js, shift.ks, shift.tv] {
            assert!(score.value > score.slack && score.value < score.raw, "{score:?}");
        }
    }
}
