//! Aggregations of the samples of one series: the `*_over_time` functions.

use super::Window;
use crate::eval::order;
use crate::eval::sum::{Mean, Sum};
use crate::value::Point;

pub(crate) fn avg_over_time(window: &Window<'_>) -> Option<f64> {
    let mut values = window.values();
    let mut mean = Mean::starting_with(values.next()?);
    values.for_each(|value| mean.add(value));
    Some(mean.mean())
}

pub(crate) fn sum_over_time(window: &Window<'_>) -> Option<f64> {
    let mut sum = Sum::default();
    window.values().for_each(|value| sum.add(value));
    Some(if sum.sum.is_infinite() { sum.sum } else { sum.total() })
}

pub(crate) fn count_over_time(window: &Window<'_>) -> Option<f64> {
    Some(window.points.len() as f64)
}

pub(crate) fn present_over_time(_: &Window<'_>) -> Option<f64> {
    Some(1.0)
}

pub(crate) fn first_over_time(window: &Window<'_>) -> Option<f64> {
    window.first().map(|point| point.value)
}

pub(crate) fn last_over_time(window: &Window<'_>) -> Option<f64> {
    window.last().map(|point| point.value)
}

pub(crate) fn max_over_time(window: &Window<'_>) -> Option<f64> {
    extreme(window, |value, best| value > best).map(|point| point.value)
}

pub(crate) fn min_over_time(window: &Window<'_>) -> Option<f64> {
    extreme(window, |value, best| value < best).map(|point| point.value)
}

pub(crate) fn ts_of_first_over_time(window: &Window<'_>) -> Option<f64> {
    window.first().map(time)
}

pub(crate) fn ts_of_last_over_time(window: &Window<'_>) -> Option<f64> {
    window.last().map(time)
}

pub(crate) fn ts_of_max_over_time(window: &Window<'_>) -> Option<f64> {
    extreme(window, |value, best| value >= best).map(|point| time(&point))
}

pub(crate) fn ts_of_min_over_time(window: &Window<'_>) -> Option<f64> {
    extreme(window, |value, best| value <= best).map(|point| time(&point))
}

/// The sample that beats all before it; any number beats NaN.
fn extreme(window: &Window<'_>, beats: impl Fn(f64, f64) -> bool) -> Option<Point> {
    let mut best = *window.first()?;
    for point in window.points {
        if beats(point.value, best.value) || best.value.is_nan() {
            best = *point;
        }
    }
    Some(best)
}

fn time(point: &Point) -> f64 {
    point.t_ms as f64 / 1000.0
}

pub(crate) fn quantile_over_time(window: &Window<'_>) -> Option<f64> {
    Some(order::quantile(window.scalar(0), window.values().collect()))
}

/// The median distance from the median.
pub(crate) fn mad_over_time(window: &Window<'_>) -> Option<f64> {
    let values: Vec<f64> = window.values().collect();
    if values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let median = order::quantile(0.5, values.clone());
    Some(order::quantile(0.5, values.iter().map(|value| (value - median).abs()).collect()))
}

pub(crate) fn stddev_over_time(window: &Window<'_>) -> Option<f64> {
    stdvar_over_time(window).map(f64::sqrt)
}

pub(crate) fn stdvar_over_time(window: &Window<'_>) -> Option<f64> {
    let (mut mean, mut squares) = (Sum::default(), Sum::default());
    let mut count = 0.0;
    for value in window.values() {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    Some(squares.total() / count)
}
