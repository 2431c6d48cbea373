//! How fast something changes: `rate` and its kin.

use super::Window;

/// A gap at an end of the range that is longer than this many mean distances of samples is taken to be no data, and not
/// a sample just outside of the range.
const GAP_MAX: f64 = 1.1;

pub(crate) fn rate(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, true).map(|increase| increase / seconds(window.range_ms))
}

pub(crate) fn increase(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, true)
}

pub(crate) fn delta(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, false)
}

pub(crate) fn irate(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.points else { return None };
    let change = if last.value < before.value { last.value } else { last.value - before.value };
    Some(change / seconds(last.t_ms - before.t_ms))
}

pub(crate) fn idelta(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.points else { return None };
    Some(last.value - before.value)
}

pub(crate) fn resets(window: &Window<'_>) -> Option<f64> {
    Some(window.points.windows(2).filter(|pair| pair[1].value < pair[0].value).count() as f64)
}

pub(crate) fn changes(window: &Window<'_>) -> Option<f64> {
    let differs = |a: f64, b: f64| a != b && !(a.is_nan() && b.is_nan());
    Some(window.points.windows(2).filter(|pair| differs(pair[0].value, pair[1].value)).count() as f64)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The change over the whole range, made from the change between the first and the last sample in it.
///
/// Where samples reach close to an end of the range, the change is taken to go on to that end; where they do not, the
/// series is taken to begin or end there, half a distance beyond its outermost sample. A counter is never extended to
/// before the time at which it was zero.
fn extrapolated(window: &Window<'_>, is_counter: bool) -> Option<f64> {
    let [first, .., last] = window.points else { return None };
    let mut change = last.value - first.value;
    if is_counter {
        let falls = window.points.windows(2).filter(|pair| pair[1].value < pair[0].value);
        change = falls.fold(change, |change, pair| change + pair[0].value);
    }
    let sampled_s = seconds(last.t_ms - first.t_ms);
    let distance_s = sampled_s / (window.points.len() - 1) as f64;
    let extended = |gap_s: f64| if gap_s >= distance_s * GAP_MAX { distance_s / 2.0 } else { gap_s };
    let mut before_s = extended(seconds(first.t_ms.saturating_sub(window.start_ms)));
    let after_s = extended(seconds(window.end_ms.saturating_sub(last.t_ms)));
    if is_counter && change > 0.0 && first.value >= 0.0 {
        before_s = before_s.min(sampled_s * (first.value / change));
    }
    Some(change * ((sampled_s + before_s + after_s) / sampled_s))
}
