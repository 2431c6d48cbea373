//! Lines and curves through the samples of one series.

use super::Window;
use crate::eval::sum::Sum;
use crate::value::Point;

pub(crate) fn deriv(window: &Window<'_>) -> Option<f64> {
    let [first, _, ..] = window.points else { return None };
    Some(line(window.points, first.t_ms).0)
}

pub(crate) fn predict_linear(window: &Window<'_>) -> Option<f64> {
    let [_, _, ..] = window.points else { return None };
    let (slope, value) = line(window.points, window.at_ms);
    Some(slope * window.scalar(0) + value)
}

/// The line with the least squares: its slope per second and its value at `at_ms`.
fn line(points: &[Point], at_ms: i64) -> (f64, f64) {
    let start = points[0].value;
    if points.iter().all(|point| point.value == start) {
        return if start.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, start) };
    }
    let (mut x, mut y, mut xy, mut xx) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for point in points {
        let t_s = (point.t_ms as f64 - at_ms as f64) / 1000.0;
        x.add(t_s);
        y.add(point.value);
        xy.add(t_s * point.value);
        xx.add(t_s * t_s);
    }
    let count = points.len() as f64;
    let covariance = xy.total() - x.total() * y.total() / count;
    let variance = xx.total() - x.total() * x.total() / count;
    let slope = covariance / variance;
    (slope, y.total() / count - slope * x.total() / count)
}

/// Holt's double exponential smoothing; the two factors lie between 0 and 1, which the caller has checked.
pub(crate) fn double_exponential_smoothing(window: &Window<'_>) -> Option<f64> {
    let [first, second, ..] = window.points else { return None };
    let (smoothing, trending) = (window.scalar(0), window.scalar(1));
    let (mut before, mut smooth, mut trend) = (0.0, first.value, second.value - first.value);
    for (index, point) in window.points.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trending * (smooth - before) + (1.0 - trending) * trend;
        }
        before = smooth;
        smooth = smoothing * point.value + (1.0 - smoothing) * (smooth + trend);
    }
    Some(smooth)
}
