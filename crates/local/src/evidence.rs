//! From the seconds that the router counted to what the tests of a rollout compare: the canary and the stable version, wherever their requests came in.

use serin_core::Time;
use serin_proxy::report::{Batch as Second, Counts, PairCounts as RouterPairs, SliceCounts};
use serin_stats::batch::{Arm, Batch, PairCounts, Units};

/// The folder inside a state folder that holds the logs of what was judged.
pub const FOLDER: &str = "evidence";

/// Whose requests are compared.
#[derive(Debug, Clone)]
pub(crate) struct Sides<'a> {
    /// The routes of the rollout.
    pub(crate) routes: Vec<String>,
    /// The version under test.
    pub(crate) canary: &'a str,
    /// The version that it is compared with.
    pub(crate) stable: &'a str,
}

/// One second of the two versions. `clock` gives the rollout's time at a wall time in milliseconds.
pub(crate) fn batch(second: &Second, sides: &Sides<'_>, clock: impl Fn(i64) -> Time) -> Batch {
    let start_ms = i64::try_from(second.start_ms).unwrap_or(i64::MAX);
    let end_ms = start_ms.saturating_add(i64::try_from(second.duration_ms).unwrap_or(i64::MAX));
    let mine = |route: &str| sides.routes.iter().any(|name| name == route);
    let of = |version: &str| {
        let mut arm = Arm::default();
        let counts = second.versions.iter().filter(|c| mine(&c.route) && c.version == version);
        counts.for_each(|counts| add(&mut arm, counts));
        arm
    };
    let split = split(second, sides, mine);
    let mut batch = Batch {
        seq: second.seq,
        start_ms: clock(start_ms).as_millis(),
        end_ms: clock(end_ms).as_millis(),
        split: split.map(|(share, _)| share),
        drawn: split.map(|(_, drawn)| drawn),
        canary: of(sides.canary),
        stable: of(sides.stable),
        ..Batch::default()
    };
    for pair in second.pairs.iter().filter(|p| mine(&p.route) && p.stable == sides.stable && p.canary == sides.canary) {
        add_pairs(batch.pairs.get_or_insert_with(Box::default), pair);
    }
    for slice in second.slices.iter().filter(|s| mine(&s.route)) {
        let is_canary = slice.version == sides.canary;
        if !is_canary && slice.version != sides.stable {
            continue;
        }
        let values = batch.slices.entry(slice.slice.clone()).or_default();
        let (canary, stable) = values.entry(slice.value.clone()).or_default();
        add_slice(if is_canary { canary } else { stable }, slice);
    }
    batch
}

/// A share as weight and total, and how many requests either version drew by it.
type Drawn = ((u32, u32), (u64, u64));

/// How the weights divided the requests, where one route did all of it with weights that stayed the same.
fn split(second: &Second, sides: &Sides<'_>, mine: impl Fn(&str) -> bool) -> Option<Drawn> {
    let mut canaries = second.versions.iter().filter(|c| mine(&c.route) && c.version == sides.canary);
    let (canary, other) = (canaries.next()?, canaries.next());
    let stable = second.versions.iter().find(|c| c.route == canary.route && c.version == sides.stable)?;
    let (weight, stable_weight) = (canary.weight?, stable.weight?);
    let both = u64::from(weight.weight) + u64::from(stable_weight.weight);
    let whole = other.is_none() && weight.steady && stable_weight.steady && both == weight.total;
    let total = u32::try_from(weight.total).ok().filter(|_| whole)?;
    Some(((weight.weight, total), (canary.drawn, stable.drawn)))
}

fn add(arm: &mut Arm, counts: &Counts) {
    arm.answered += counts.answered();
    arm.errors += counts.by_class.server_error;
    add_bins(&mut arm.latency, &counts.latency);
    add_bins(&mut arm.numbers, &counts.numbers.bins);
    for (class, n) in &counts.predictions {
        *arm.classes.entry(class.clone()).or_insert(0) += n;
    }
    arm.missing += counts.predictions_missing;
    // A sticky route counts visitors, and once it does they are what is compared, also in a second in which no visit ended.
    if counts.units.count + counts.units.open > 0 {
        let units = arm.units.get_or_insert_with(Units::default);
        units.count += counts.units.count;
        units.bad += counts.units.bad_sum;
    }
}

fn add_slice(arm: &mut Arm, counts: &SliceCounts) {
    arm.answered += counts.answered;
    arm.errors += counts.server_error;
    add_bins(&mut arm.latency, &counts.latency);
    for (class, n) in &counts.predictions {
        *arm.classes.entry(class.clone()).or_insert(0) += n;
    }
}

fn add_pairs(pairs: &mut PairCounts, counts: &RouterPairs) {
    pairs.both_good += counts.errors.both_ok;
    pairs.canary_bad += counts.errors.canary_bad;
    pairs.stable_bad += counts.errors.stable_bad;
    pairs.both_bad += counts.errors.both_bad;
    let transitions = counts.transitions.iter();
    pairs.classes.extend(transitions.map(|t| (t.stable.clone(), t.canary.clone(), t.count)));
    add_bins(&mut pairs.ratio, &counts.latency_ratios);
}

/// Adds counts by bin; both are sorted.
fn add_bins<B: Copy + Ord>(sum: &mut Vec<(B, u64)>, more: &[(B, u64)]) {
    if sum.is_empty() {
        return sum.extend_from_slice(more);
    }
    for (bin, n) in more {
        match sum.binary_search_by_key(bin, |(bin, _)| *bin) {
            Ok(place) => sum[place].1 += n,
            Err(place) => sum.insert(place, (*bin, *n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serin_proxy::report::{ByClass, PairErrors, Transition, Weight};

    use super::*;

    fn counts(route: &str, version: &str, good: u64, bad: u64, weight: u32) -> Counts {
        Counts {
            route: route.to_owned(),
            version: version.to_owned(),
            by_class: ByClass { success: good, server_error: bad, ..ByClass::default() },
            latency: vec![(3, good), (9, bad)],
            predictions: BTreeMap::from([("1".to_owned(), good)]),
            drawn: good + bad,
            weight: Some(Weight { weight, total: 100, steady: true }),
            ..Counts::default()
        }
    }

    fn second() -> Second {
        let versions = vec![
            counts("ns/m", "new", 18, 2, 20),
            counts("ns/m", "old", 80, 0, 80),
            counts("ns/other", "new", 500, 500, 20),
        ];
        let pairs = RouterPairs {
            route: "ns/m".into(),
            stable: "old".into(),
            canary: "new".into(),
            errors: PairErrors { both_ok: 3, canary_bad: 1, ..PairErrors::default() },
            transitions: vec![Transition { stable: "0".into(), canary: "1".into(), count: 2 }],
            ..RouterPairs::default()
        };
        let slice = |version: &str, answered| SliceCounts {
            route: "ns/m".into(),
            version: version.into(),
            slice: "header:x-country".into(),
            value: "at".into(),
            answered,
            ..SliceCounts::default()
        };
        Second {
            seq: 7,
            follows: 6,
            start_ms: 1_000,
            duration_ms: 1_000,
            versions,
            mirrors: Vec::new(),
            pairs: vec![pairs],
            slices: vec![slice("new", 4), slice("old", 9), slice("older", 30)],
        }
    }

    fn sides() -> Sides<'static> {
        Sides { routes: vec!["ns/m".to_owned()], canary: "new", stable: "old" }
    }

    #[test]
    fn a_second_becomes_a_batch_of_the_two_versions() {
        let batch = batch(&second(), &sides(), |ms| Time::from_millis(10 * ms));
        assert_eq!((batch.seq, batch.start_ms, batch.end_ms), (7, 10_000, 20_000));
        assert_eq!((batch.canary.answered, batch.canary.errors), (20, 2));
        assert_eq!((batch.stable.answered, batch.stable.errors), (80, 0));
        assert_eq!(batch.canary.latency, [(3, 18), (9, 2)]);
        assert_eq!((batch.split, batch.drawn), (Some((20, 100)), Some((20, 80))));
        let pairs = batch.pairs.unwrap();
        assert_eq!((pairs.total(), pairs.canary_bad, pairs.classes.len()), (4, 1, 1));
        let (canary, stable) = &batch.slices["header:x-country"]["at"];
        assert_eq!((canary.answered, stable.answered), (4, 9));
        assert_eq!(batch.canary.units, None);
    }

    #[test]
    fn a_split_is_told_only_where_the_weights_alone_decide_and_stay() {
        let check = |edit: fn(&mut Second)| {
            let mut second = second();
            edit(&mut second);
            batch(&second, &sides(), Time::from_millis).split
        };
        assert_eq!(check(|_| ()), Some((20, 100)));
        assert_eq!(check(|s| s.versions[0].weight = None), None);
        assert_eq!(check(|s| s.versions[1].weight.as_mut().unwrap().steady = false), None);
        assert_eq!(check(|s| s.versions[1].weight.as_mut().unwrap().weight = 70), None, "a third version has the rest");
        assert_eq!(check(|s| drop(s.versions.remove(1))), None);
    }
}
