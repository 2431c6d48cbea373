//! From a batch to what one comparison looks at. Thresholds and sets of classes come from earlier batches only.

use std::collections::BTreeMap;

use super::State;
use super::history::History;
use super::part::{Part, Seen};
use crate::Counts;
use crate::batch::{Arm, Batch, PairCounts};
use crate::paired::Pairs;
use crate::ratio;
use crate::recipe::{Distribution, Outcome, Paired, Recipe, Test};
use crate::sketch::latency;
use crate::two_arm::Line;

/// What a batch says of a part; `None` where it has no room for it yet.
pub(super) fn seen(recipe: &Recipe, part: &Part, history: &History, batch: &Batch) -> Option<Seen> {
    let (canary, stable) = match &part.slice {
        None => (&batch.canary, &batch.stable),
        Some(value) => {
            let (canary, stable) = batch.slices.get(recipe.slice.as_ref()?)?.get(value)?;
            (canary, stable)
        }
    };
    let arms = |of: &dyn Fn(&Arm) -> (f64, f64)| {
        let ((canary_bad, canary_ok), (stable_bad, stable_ok)) = (of(canary), of(stable));
        Some(Seen::Arms(Counts { canary_bad, canary_ok, stable_bad, stable_ok }))
    };
    match &recipe.test {
        Test::Compare { outcome, .. } | Test::Limit { outcome, .. } => arms(&|arm| bad(outcome, arm)),
        Test::Slower { quantiles, tolerance } => {
            let bin = history.latency_bin(*quantiles.get(part.place)?)?;
            let (canary_bad, canary_ok) = beyond(canary, slower_bin(bin, *tolerance)?);
            let (stable_bad, stable_ok) = beyond(stable, bin);
            Some(Seen::Arms(Counts { canary_bad, canary_ok, stable_bad, stable_ok }))
        }
        Test::Drift { of: Distribution::TotalVariation, tolerance } if part.place == usize::MAX => {
            let (risen, excess) = history.risen();
            // A bet on less than is tolerated would only lose.
            let set = if excess > *tolerance { risen } else { return None };
            arms(&|arm| within(arm.classified(), set.iter().map(|class| history.count(arm, class)).sum()))
        }
        Test::Drift { of: Distribution::Classes(named), .. } => {
            let class = class_of(part, named, history)?;
            let count = |arm: &Arm| {
                if named.is_empty() { history.count(arm, class) } else { arm.classes.get(class).copied().unwrap_or(0) }
            };
            arms(&|arm| upwards(part, within(arm.classified(), count(arm))))
        }
        Test::Drift { of: Distribution::TotalVariation, .. } => {
            let (class, ..) = history.classes.get(part.place / 2)?;
            arms(&|arm| upwards(part, within(arm.classified(), history.count(arm, class))))
        }
        Test::Drift { of: Distribution::Numbers, .. } => {
            let edge = *history.edges.get(part.place / 2)?;
            arms(&|arm| {
                let total = arm.numbers.iter().map(|(_, n)| n).sum();
                let above = arm.numbers.iter().filter(|(bin, _)| *bin > edge).map(|(_, n)| n).sum();
                upwards(part, within(total, above))
            })
        }
        Test::Shadow { of, tolerance } => pairs(*of, *tolerance, part, history, batch.pairs.as_deref()?),
    }
}

/// Bad and good outcomes.
fn bad(outcome: &Outcome, arm: &Arm) -> (f64, f64) {
    match outcome {
        Outcome::Errors => match arm.units {
            Some(units) => (units.bad, units.count as f64 - units.bad),
            None => within(arm.answered, arm.errors),
        },
        Outcome::SlowerThan(us) => beyond(arm, latency::bin(*us)),
        Outcome::MissingPrediction => within(arm.missing + arm.classified(), arm.missing),
        Outcome::Class(class) => within(arm.classified(), arm.classes.get(class).copied().unwrap_or(0)),
        Outcome::NotClass(class) => {
            let total = arm.classified();
            within(total, total - arm.classes.get(class).copied().unwrap_or(0).min(total))
        }
        Outcome::Wrong => {
            let (total, wrong) = arm.labelled.unwrap_or_default();
            within(total, wrong)
        }
    }
}

fn within(total: u64, bad: u64) -> (f64, f64) {
    let bad = bad.min(total);
    (bad as f64, (total - bad) as f64)
}

/// Parts come in twos: a share that goes up, and the same that goes down.
fn upwards(part: &Part, (bad, ok): (f64, f64)) -> (f64, f64) {
    if part.place.is_multiple_of(2) { (bad, ok) } else { (ok, bad) }
}

/// Answers above the upper bound of a bin, and the others.
fn beyond(arm: &Arm, bin: usize) -> (f64, f64) {
    let total = arm.latency.iter().map(|(_, n)| n).sum();
    within(total, arm.latency.iter().filter(|(b, _)| usize::from(*b) > bin).map(|(_, n)| n).sum())
}

/// The first bin whose upper bound is at least `1 + tolerance` times that of `bin`; `None` beyond the last bound.
fn slower_bin(bin: usize, tolerance: f64) -> Option<usize> {
    let limit = latency::upper_us(bin)? as f64 * (1.0 + tolerance);
    let slower = latency::bin(libm::ceil(limit) as u64);
    latency::upper_us(slower).map(|_| slower)
}

fn class_of<'a>(part: &Part, named: &'a [String], history: &'a History) -> Option<&'a str> {
    match named.is_empty() {
        true => history.classes.get(part.place / 2).map(|(class, ..)| class.as_str()),
        false => named.get(part.place / 2).map(String::as_str),
    }
}

fn pairs(of: Paired, tolerance: f64, part: &Part, history: &History, pairs: &PairCounts) -> Option<Seen> {
    let one = |total: u64, bad: u64| {
        let (canary_bad, canary_ok) = within(total, bad);
        Some(Seen::Arms(Counts { canary_bad, canary_ok, stable_bad: 0.0, stable_ok: 0.0 }))
    };
    let same = |total: u64, worse: u64, better: u64| {
        let same = total.saturating_sub(worse + better) as f64;
        Some(Seen::Pairs(Pairs { worse: worse as f64, same, better: better as f64 }))
    };
    match of {
        Paired::Errors => same(pairs.total(), pairs.canary_bad, pairs.stable_bad),
        Paired::Agreement => {
            let differ = pairs.classes.iter().filter(|(stable, canary, _)| stable != canary).map(|(.., n)| n).sum();
            one(pairs.classes.iter().map(|(.., n)| n).sum(), differ)
        }
        Paired::Latency => {
            let total = pairs.ratio.iter().map(|(_, n)| n).sum();
            one(total, ratio::count_above(&pairs.ratio, 1.0 + tolerance))
        }
        Paired::Classes => {
            let (class, ..) = history.classes.get(part.place / 2)?;
            let to = |n: &str, other: &str| n == class && other != class;
            let sum = |wanted: &dyn Fn(&str, &str) -> bool| {
                pairs.classes.iter().filter(|(stable, canary, _)| wanted(stable, canary)).map(|(.., n)| n).sum::<u64>()
            };
            let (gained, lost) = (sum(&|stable, canary| to(canary, stable)), sum(&|stable, canary| to(stable, canary)));
            let total = pairs.classes.iter().map(|(.., n)| n).sum();
            if part.place.is_multiple_of(2) { same(total, gained, lost) } else { same(total, lost, gained) }
        }
    }
}

/// The classes of pairs as if each version had answered users.
pub(super) fn answers(batch: &Batch) -> Batch {
    let mut answers = Batch::default();
    for (stable, canary, n) in batch.pairs.iter().flat_map(|pairs| &pairs.classes) {
        let add = |classes: &mut BTreeMap<String, u64>, class: &str| *classes.entry(class.to_owned()).or_insert(0) += n;
        add(&mut answers.stable.classes, stable);
        add(&mut answers.canary.classes, canary);
    }
    answers
}

/// Whether enough bad outcomes of the canary were seen to fail it. Drift has no bad outcomes: its evidence alone decides.
pub(super) fn has_enough_bad(recipe: &Recipe, state: &State) -> bool {
    let needed = f64::from(recipe.budget.bad_min);
    match &recipe.test {
        Test::Drift { .. } | Test::Shadow { of: Paired::Classes, .. } => true,
        _ => state.parts.iter().any(|part| part.seen.canary_bad >= needed),
    }
}

pub(super) fn line_name(line: Line) -> String {
    let points = line.delta * 100.0;
    match (line.ratio == 1.0, line.delta == 0.0) {
        (true, _) => format!("stable {points:+} points"),
        (false, true) => format!("{} x stable", line.ratio),
        (false, false) => format!("{} x stable {points:+} points", line.ratio),
    }
}

pub(super) fn quantile_name(quantile: f64) -> String {
    // Without what a division leaves: 0.999 is p99.9.
    format!("p{}", libm::round(quantile * 1e6) / 1e4)
}
