//! Kayenta's judge, as the comparison needs it: a Mann-Whitney test of the canary's points against stable's (`NetflixACAJudge` with its defaults: 98 % interval,
//! tolerance 0.25, effect size by the ratio of means, missing values left out, outliers kept). For the study only.
//!
//! What it does is written from its description: the interval of the shift between two samples is found as the roots of a rank statistic, and a canary is
//! too high when the lower end is beyond a quarter of the estimated shift. Its solver is part of that: the tolerance of its roots is absolute, and error rates are near zero.

mod roots;

use serin_stats::batch::{Arm, Batch};
use serin_stats::sketch::latency;

use super::record::Rule;
use super::traffic::{SECOND_STEP_S, WHOLE_S};

/// Seconds of a point.
const POINT_S: usize = 15;
/// The deviate of a 98 % interval.
const Z: f64 = 2.326_347_874_040_841;
/// The part of the estimated shift that the interval has to be beyond.
const TOLERANCE: f64 = 0.25;

/// Where the canary's points are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Among stable's, or not surely elsewhere.
    Pass,
    /// Above.
    High,
    /// Below.
    Low,
}

/// The interval of the shift from `y` to `x` and its estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) estimate: f64,
}

/// Classifies the canary's points against stable's.
pub(crate) fn classify(canary: &[f64], stable: &[f64]) -> Class {
    let distinct = |points: &[f64]| points.iter().any(|point| Some(point) != points.first());
    let (Some(first_x), Some(first_y)) = (canary.first(), stable.first()) else { return Class::Pass };
    let (mut x, mut y) = (canary.to_vec(), stable.to_vec());
    x.sort_by(f64::total_cmp);
    y.sort_by(f64::total_cmp);
    if x == y || !distinct(canary) && !distinct(stable) && first_x == first_y {
        return Class::Pass;
    }
    if !distinct(canary) && !distinct(stable) {
        // Two constants have no roots; noise far smaller than they are makes it two samples apart.
        x.iter_mut().enumerate().for_each(|(i, point)| *point *= 1.0 + 1e-5 * i as f64 / canary.len() as f64);
    }
    let shift = shift(&x, &y);
    let mean = |points: &[f64]| points.iter().sum::<f64>() / points.len() as f64;
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let effect = (mean_x != 0.0 && mean_y != 0.0).then(|| mean_x / mean_y);
    let bound = TOLERANCE * shift.estimate.abs();
    if shift.low > bound && effect.is_none_or(|effect| effect >= 1.0) {
        Class::High
    } else if shift.high < -bound && effect.is_none_or(|effect| effect <= 1.0) {
        Class::Low
    } else {
        Class::Pass
    }
}

/// The shift between two samples that are not all the same.
pub(crate) fn shift(x: &[f64], y: &[f64]) -> Shift {
    let least = |points: &[f64]| points.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |points: &[f64]| points.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (from, to) = (least(x) - most(y), most(x) - least(y));
    let root = |z: f64| {
        let of = |mu: f64| statistic(mu, x, y) - z;
        match (of(from), of(to)) {
            (below, _) if below <= 0.0 => from,
            (_, above) if above >= 0.0 => to,
            (below, above) => roots::between((from, below), (to, above), of),
        }
    };
    let of = |mu: f64| statistic(mu, x, y);
    let estimate = roots::between((from, of(from)), (to, of(to)), of);
    Shift { low: root(Z), high: root(-Z), estimate }
}

/// The standardised rank sum of `x - mu` among `y`, with corrections for continuity and ties.
fn statistic(mu: f64, x: &[f64], y: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = x.iter().map(|v| (v - mu, true)).chain(y.iter().map(|v| (*v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        let size = same.len() as f64;
        ranks += (before + (size + 1.0) / 2.0) * same.iter().filter(|(_, of_x)| *of_x).count() as f64;
        ties += size * size * size - size;
        before += size;
    }
    let excess = ranks - n * (n + 1.0) / 2.0 - n * m / 2.0;
    let variance = n * m / 12.0 * ((n + m + 1.0) - ties / ((n + m) * (n + m - 1.0)));
    let correction = if excess == 0.0 { 0.0 } else { 0.5 * excess.signum() };
    (excess - correction) / variance.sqrt()
}

/// When a rollout that Kayenta judges at the end of either step is rolled back, in seconds since it began; `None` when it is promoted.
pub(crate) fn rolled_back(rule: Rule, seconds: &[Batch]) -> Option<usize> {
    let points = |arm: fn(&Batch) -> &Arm, until: usize| -> Vec<f64> {
        let arms: Vec<&Arm> = seconds[..until.min(seconds.len())].iter().map(arm).collect();
        arms.chunks(POINT_S).filter_map(|arms| point(rule, arms)).collect()
    };
    [SECOND_STEP_S, WHOLE_S].into_iter().find(|at| {
        let class = classify(&points(|batch| &batch.canary, *at), &points(|batch| &batch.stable, *at));
        match rule {
            // One critical metric: worse is the end.
            Rule::Errors | Rule::Latency => class == Class::High,
            Rule::Drift => class != Class::Pass,
        }
    })
}

/// The value of a metric in some seconds; `None` without an answer.
fn point(rule: Rule, arms: &[&Arm]) -> Option<f64> {
    let total = arms.iter().map(|arm| arm.answered).sum::<u64>();
    if total == 0 {
        return None;
    }
    let share = |of: fn(&Arm) -> u64| arms.iter().map(|arm| of(arm)).sum::<u64>() as f64 / total as f64;
    match rule {
        Rule::Errors => Some(share(|arm| arm.errors)),
        Rule::Drift => Some(share(|arm| arm.classes.get("1").copied().unwrap_or(0))),
        Rule::Latency => {
            let mut bins: Vec<(u16, u64)> = arms.iter().flat_map(|arm| arm.latency.iter().copied()).collect();
            bins.sort_unstable();
            latency::quantile_us(&bins, 0.95).map(|us| us as f64 / 1_000.0)
        }
    }
}

#[cfg(test)]
mod tests;
