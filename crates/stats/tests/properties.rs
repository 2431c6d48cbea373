//! What must hold at any setting: expected multipliers at most 1 under the null, evidence that does not depend on how batches are cut, state
//! that survives JSON bit for bit, numbers that stay numbers.

#![expect(clippy::disallowed_methods, reason = "expectations may come from the standard library")]

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serin_stats::bounded::Bets;
use serin_stats::needed::Growth;
use serin_stats::paired::{self, Pairs};
use serin_stats::shift::Shift;
use serin_stats::sketch::latency;
use serin_stats::two_arm::{self, Line, Side, log_gains, table};
use serin_stats::{Counts, Detector, Difference, Equality, Process, Split, label, one_arm};

/// What the expectation of a multiplier may be above 1 for rounding.
const ROUNDING: f64 = 1e-12;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Fail), Just(Side::Pass)]
}

/// Rates with their extremes.
fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..=1.0f64, 2 => (0.0..12.0f64).prop_map(|x| 10f64.powf(-x)), 1 => (0.0..12.0f64).prop_map(|x| 1.0 - 10f64.powf(-x)),
        1 => Just(0.0), 1 => Just(1.0)]
}

fn line() -> impl Strategy<Value = Line> {
    let ratio = prop_oneof![3 => Just(1.0), 1 => Just(0.0), 3 => 0.0..4.0f64, 1 => 4.0..1e6f64];
    let delta = prop_oneof![3 => 0.0..0.1f64, 2 => -1.0..1.0f64, 1 => Just(0.0)];
    (ratio, delta).prop_map(|(ratio, delta)| Line { ratio, delta })
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), (0u32..40).prop_map(f64::from), 0.0..1e3f64, (0.0..12.0f64).prop_map(|x| 10f64.powf(x))]
}

fn counts() -> impl Strategy<Value = Counts> {
    (count(), count(), count(), count()).prop_map(|(canary_bad, canary_ok, stable_bad, stable_ok)| Counts {
        canary_bad,
        canary_ok,
        stable_bad,
        stable_ok,
    })
}

/// Pairs of means, canary first.
type Corners = Vec<(f64, f64)>;

/// Corners of `{(mu_c, mu_s) in [0, 1]^2: the null}`: those of the square that belong to it and where the line leaves the square. Then those of the line alone.
fn corners(line: Line, side: Side) -> (Corners, Corners) {
    let within = |(canary, stable): &(f64, f64)| match side {
        Side::Fail => *canary <= line.at(*stable),
        Side::Pass => *canary >= line.at(*stable),
    };
    let square: Vec<_> = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)].into_iter().filter(within).collect();
    let mut on_line: Vec<(f64, f64)> = [0.0, 1.0].map(|stable| (line.at(stable), stable)).to_vec();
    if line.ratio > 1e-9 {
        on_line.extend([0.0, 1.0].map(|canary| (canary, (canary - line.delta) / line.ratio)));
    }
    on_line.retain(|(canary, stable)| (0.0..=1.0).contains(canary) && (0.0..=1.0).contains(stable));
    (square, on_line)
}

fn expectation(row: &[f64; 4], weight: f64, canary: f64, stable: f64) -> f64 {
    weight * (canary * row[0].exp() + (1.0 - canary) * row[1].exp())
        + (1.0 - weight) * (stable * row[2].exp() + (1.0 - stable) * row[3].exp())
}

/// Through JSON and back: the same value, and the same text again, so every bit.
fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(state: &T) {
    let text = serde_json::to_string(state).unwrap();
    assert!(!text.contains("null"), "something is infinite: {text}");
    let back: T = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, state);
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bet_on_two_arms_gains_under_its_null(stable_rate in rate(), weight in 0.0..=1.0f64, line in line(), side in side()) {
        let (square, on_line) = corners(line, side);
        for row in table(stable_rate, weight, line, side) {
            for (canary, stable) in &square {
                let mean = expectation(&row, weight, *canary, *stable);
                prop_assert!(mean <= 1.0 + ROUNDING, "{mean} at {canary} {stable}: {row:?}");
            }
            for (canary, stable) in &on_line {
                let mean = expectation(&row, weight, *canary, *stable);
                prop_assert!((mean - 1.0).abs() <= ROUNDING, "{mean} on the line at {canary} {stable}: {row:?}");
            }
        }
    }

    #[test]
    fn no_bet_on_bounded_means_gains_under_its_null(mean in rate(), weight in 0.001..0.999f64, line in line(), side in side()) {
        let bets = Bets::new(mean, weight, line, side);
        let (square, on_line) = corners(line, side);
        let (c1, c0, s1, s0) = (bets.canary(1.0, 1.0), bets.canary(0.0, 1.0), bets.stable(1.0, 1.0), bets.stable(0.0, 1.0));
        for j in 0..c1.len() {
            for (canary, stable) in square.iter().chain(&on_line) {
                let mean = expectation(&[c1[j], c0[j], s1[j], s0[j]], weight, *canary, *stable);
                prop_assert!(mean <= 1.0 + ROUNDING, "{mean} at {canary} {stable}");
            }
        }
    }

    #[test]
    fn no_bet_against_a_limit_gains_under_its_null(limit in rate(), exposure in count(), ratio in 0.01..10.0f64, side in side()) {
        let null = |limit: f64| if side == Side::Fail { [0.0, 0.5 * limit, limit] } else { [1.0, 0.5 * (1.0 + limit), limit] };
        for (limit, rows) in [(limit, one_arm::table(limit, side)), (label::share(exposure, ratio), label::table(exposure, ratio, side))] {
            for row in rows {
                for p in null(limit) {
                    let mean = p * row[0].exp() + (1.0 - p) * row[1].exp();
                    prop_assert!(mean <= 1.0 + ROUNDING, "{mean} at {p} for {limit}");
                }
                let mean = limit * row[0].exp() + (1.0 - limit) * row[1].exp();
                prop_assert!((mean - 1.0).abs() <= ROUNDING, "{mean} at the limit {limit}");
            }
        }
    }

    #[test]
    fn no_bet_on_pairs_gains_under_its_null(delta in -1.0..1.0f64, spread in 0.0..=1.0f64, less in 0.0..=1.0f64, side in side()) {
        // A mean of D on the null's side: at delta, or nearer to the harmless end.
        let harmless = if side == Side::Fail { -1.0 } else { 1.0 };
        let mean = delta + less * (harmless - delta);
        let total = f64::abs(mean) + spread * (1.0 - f64::abs(mean));
        let shares = [(total + mean) / 2.0, 1.0 - total, (total - mean) / 2.0];
        for row in paired::table(delta, side) {
            let expected: f64 = row.iter().zip(shares).map(|(gain, share)| share * gain.exp()).sum();
            prop_assert!(expected <= 1.0 + ROUNDING, "{expected}");
        }
    }

    #[test]
    fn evidence_does_not_depend_on_how_counts_are_cut(
        stable_rate in 0.001..0.999f64, weight in 0.05..0.95f64, side in side(), cuts in prop::collection::vec((0u32..50, 0u32..50, 0u32..200, 0u32..200), 1..12),
    ) {
        let rows = table(stable_rate, weight, Line { ratio: 1.0, delta: 0.01 }, side);
        let pieces: Vec<Counts> = cuts.iter().map(|(a, b, c, d)| Counts {
            canary_bad: f64::from(*a), canary_ok: f64::from(*b), stable_bad: f64::from(*c), stable_ok: f64::from(*d),
        }).collect();
        let fed = |pieces: &mut dyn Iterator<Item = &Counts>| {
            let mut process = Process::new(rows.len(), false);
            pieces.for_each(|counts| process.step(&log_gains(&rows, counts), 0.0));
            process.log_e()
        };
        let whole = pieces.iter().fold(Counts::default(), |sum, piece| sum + *piece);
        let (once, forward, backward) = (fed(&mut [whole].iter()), fed(&mut pieces.iter()), fed(&mut pieces.iter().rev()));
        let scale = 1.0 + rows.iter().map(|row| log_gains(&[*row], &whole)[0].abs()).fold(0.0, f64::max);
        prop_assert!((once - forward).abs() <= ROUNDING * scale && (once - backward).abs() <= ROUNDING * scale, "{once} {forward} {backward}");
    }

    #[test]
    fn sums_of_outcomes_bound_their_evidence_from_below(
        mean in 0.01..0.99f64, weight in 0.05..0.95f64, line in line(), side in side(), outcomes in prop::collection::vec((any::<bool>(), 0.0..=1.0f64), 1..20),
    ) {
        let bets = Bets::new(mean, weight, line, side);
        let (mut sums, mut exact) = (Counts::default(), [0.0; 8]);
        for (canary, y) in outcomes {
            let gains = if canary { bets.canary(y, 1.0) } else { bets.stable(y, 1.0) };
            exact.iter_mut().zip(gains).for_each(|(sum, gain)| *sum += gain);
            if canary {
                sums.canary_bad += y;
                sums.canary_ok += 1.0 - y;
            } else {
                sums.stable_bad += y;
                sums.stable_ok += 1.0 - y;
            }
        }
        for (sum, exact) in bets.log_gains(&sums).iter().zip(exact) {
            prop_assert!(*sum <= exact + 1e-12 * (1.0 + exact.abs()), "{sum} {exact}");
        }
    }

    #[test]
    fn extremes_stay_numbers_and_states_survive_json(
        stable_rate in rate(), weight in rate(), line in line(), side in side(), batches in prop::collection::vec(counts(), 1..8),
        restart in any::<bool>(), mass in 0.0..0.2f64,
    ) {
        let rows = table(stable_rate, weight, line, side);
        prop_assert!(rows.iter().flatten().all(|gain| gain.is_finite()));
        let mut state = (Process::new(rows.len(), restart), Detector::new(rows.len()), Difference::new(line.ratio, 0.05));
        let mut shares = (Split::new(&[weight, 1.0 - weight]), Equality::new(weight));
        for counts in &batches {
            let gains = log_gains(&rows, counts);
            state.0.step(&gains, mass);
            state.1.step(&gains);
            state.2.step(counts, counts.realised_weight().unwrap_or(weight));
            shares.0.step(&[counts.canary_total(), counts.stable_total()]);
            shares.1.step(&[counts.canary_bad, counts.canary_ok], &[counts.stable_bad, counts.stable_ok]);
            shares.1.set_weight(weight * 0.9);
        }
        for value in [state.0.log_e(), state.0.best_log_e(), state.1.log_level(), shares.0.log_e(), shares.1.log_e()] {
            prop_assert!(value.is_finite(), "{value}");
        }
        if let Some(interval) = state.2.interval() {
            prop_assert!(interval.low <= interval.high && interval.low >= -line.ratio && interval.high <= 1.0, "{interval:?}");
        }
        survives(&state);
        survives(&shares);
        survives(&batches);
    }

    /// Given how many requests each version got, and rates that are constant within the batch: at most 1 by the inequality of the means, for any deviation of the two arms from the line.
    #[test]
    fn a_realised_weight_gains_nothing_under_the_null(
        stable_rate in 0.001..0.999f64, n in (1u32..200, 1u32..200), stable in 0.0..=1.0f64, less in 0.0..=1.0f64, line in line(), side in side(),
    ) {
        let at = line.at(stable);
        let canary = if side == Side::Fail { at.min(1.0) * less } else { 1.0 - (1.0 - at.max(0.0)) * less };
        prop_assume!((0.0..=1.0).contains(&canary) && if side == Side::Fail { canary <= at } else { canary >= at });
        let (of_canary, of_stable) = (f64::from(n.0), f64::from(n.1));
        for row in table(stable_rate, of_canary / (of_canary + of_stable), line, side) {
            let mean = |bad: f64, ok: f64, p: f64| p * bad.exp() + (1.0 - p) * ok.exp();
            let log = of_canary * mean(row[0], row[1], canary).ln() + of_stable * mean(row[2], row[3], stable).ln();
            prop_assert!(log <= 1e-10, "{log}");
        }
    }

    #[test]
    fn forecasts_and_scores_stay_numbers(
        rates in (rate(), rate()), weight in rate(), line in line(), side in side(), counts in prop::collection::vec((count(), count()), 0..8), power in 0.01..0.99f64,
    ) {
        let growths = [Growth::two_arm(rates.0, rates.1, weight, line, side), Growth::one_arm(rates.0, rates.1, side), Growth::paired(rates.0 * 0.5, rates.1 * 0.5, line.delta, side)];
        for growth in growths {
            prop_assert!(growth.fastest().is_finite());
            for needed in [growth.requests(None, 4.6), growth.requests_with_power(4.6, power)].into_iter().flatten() {
                prop_assert!(needed.is_finite() && needed >= 0.0, "{needed} {growth:?}");
            }
        }
        let (canary, stable): (Vec<f64>, Vec<f64>) = counts.into_iter().unzip();
        if let Some(shift) = Shift::between(&canary, &stable) {
            for score in [shift.psi, shift.js, shift.ks, shift.tv] {
                prop_assert!(score.raw.is_finite() && score.value.is_finite() && score.slack >= 0.0, "{score:?}");
            }
            survives(&shift);
        }
    }

    #[test]
    fn pairs_and_counts_add_up_in_any_order(a in counts(), b in counts(), d in prop::collection::vec(-1.0..=1.0f64, 1..9)) {
        prop_assert_eq!(a + b, b + a);
        let total = d.iter().fold(Pairs::default(), |sum, d| sum + Pairs::of(*d));
        prop_assert!((total.total() - d.len() as f64).abs() < 1e-9);
        prop_assert!((total.worse - total.better - d.iter().sum::<f64>()).abs() < 1e-9);
        survives(&total);
    }
}

proptest! {
    /// Bins of parts add up to the bins of the whole, and counts above a bound of the histogram are exact.
    #[test]
    fn sketches_of_parts_add_up(a in prop::collection::vec(0u64..2_000_000, 0..200), b in prop::collection::vec(0u64..2_000_000, 0..200), q in 0.0..=1.0f64) {
        let bins = |values: &[u64]| {
            let mut bins = std::collections::BTreeMap::<u16, u64>::new();
            values.iter().for_each(|us| *bins.entry(latency::bin(*us) as u16).or_insert(0) += 1);
            bins
        };
        let mut sum = bins(&a);
        bins(&b).iter().for_each(|(bin, n)| *sum.entry(*bin).or_insert(0) += n);
        let whole: Vec<u64> = a.iter().chain(&b).copied().collect();
        prop_assert_eq!(&sum, &bins(&whole));
        let sum: Vec<(u16, u64)> = sum.into_iter().collect();
        for edge in latency::CLASSIC_US {
            prop_assert_eq!(latency::count_above(&sum, edge), whole.iter().filter(|us| **us > edge).count() as u64);
        }
        if let Some(bound) = latency::quantile_us(&sum, q) {
            let within = whole.iter().filter(|us| **us <= bound).count() as f64;
            prop_assert!(within >= q * whole.len() as f64, "{within} of {}", whole.len());
        }
    }
}

/// What a process writes can be gone on with: the evidence is the same bits as without the interruption.
#[test]
fn a_process_that_was_written_down_goes_on_as_if_nothing_had_happened() {
    let rows = two_arm::table(0.013, 0.17, Line { ratio: 1.1, delta: 0.003 }, Side::Fail);
    let (mut one, mut other) = (Process::new(rows.len(), true), Process::new(rows.len(), true));
    for i in 0..500u32 {
        let counts =
            Counts { canary_bad: f64::from(i % 3), canary_ok: 7.1, stable_bad: 0.3, stable_ok: f64::from(i % 11) };
        one.step(&log_gains(&rows, &counts), 0.001);
        other = serde_json::from_str(&serde_json::to_string(&other).unwrap()).unwrap();
        other.step(&log_gains(&rows, &counts), 0.001);
        assert_eq!(one.log_e().to_bits(), other.log_e().to_bits());
    }
    assert_eq!(one, other);
}

/// A recorded log of batches gives the same bits on every machine and with every compiler: `ln` and `exp` are libm's, and nothing is summed in another order.
#[test]
fn the_same_batches_give_the_same_bits_everywhere() {
    let line = Line { ratio: 1.2, delta: 0.004 };
    let mut evidence = Process::new(two_arm::FAIL_SHIFTS.len(), true);
    let mut difference = Difference::new(1.2, 0.05);
    let mut split = Split::new(&[0.2, 0.8]);
    let mut past = Counts::default();
    for i in 0..1_000u32 {
        let counts = Counts {
            canary_bad: f64::from(i % 7 / 5),
            canary_ok: f64::from(15 + i % 9),
            stable_bad: f64::from(i % 5 / 4),
            stable_ok: f64::from(70 + i % 13),
        };
        let weight = counts.realised_weight().unwrap();
        let rate = two_arm::smoothed(past.stable_bad, past.stable_total());
        evidence.step(&log_gains(&table(rate, weight, line, Side::Fail), &counts), 0.000_5);
        difference.step(&counts, weight);
        split.step(&[counts.canary_total(), counts.stable_total()]);
        past += counts;
    }
    let bits = [evidence.log_e(), evidence.best_log_e(), split.log_e()].map(f64::to_bits);
    assert_eq!(
        bits.map(|b| format!("{b:016x}")),
        ["404754d8b6602cd9", "40477e9e6c792e7f", "c0027c84a86b64d6"],
        "{} {}",
        evidence.log_e(),
        split.log_e()
    );
    let interval = difference.interval().unwrap();
    assert_eq!((interval.low, interval.high), (0.007_5, 0.02));
}
