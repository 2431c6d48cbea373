//! Functions over the samples of one series in a range.

mod over_time;
mod rate;
mod trend;

pub(crate) use over_time::*;
pub(crate) use rate::*;
pub(crate) use trend::*;

use crate::value::Point;

/// The samples of one series in a range; at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'p> {
    pub(crate) points: &'p [Point],
    /// The range, open on the left.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) range_ms: i64,
    /// The time of the query, which `offset` and `@` do not move.
    pub(crate) at_ms: i64,
    /// The scalars that the function was given besides the range.
    pub(crate) scalars: &'p [f64],
}

impl Window<'_> {
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().map(|point| point.value)
    }

    fn first(&self) -> Option<&Point> {
        self.points.first()
    }

    fn last(&self) -> Option<&Point> {
        self.points.last()
    }

    fn scalar(&self, index: usize) -> f64 {
        self.scalars.get(index).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: fn(&Window<'_>) -> Option<f64>, points: &[(i64, f64)], scalars: &[f64], want: Option<f64>) {
        let points: Vec<Point> = points.iter().map(|&(t_s, value)| Point { t_ms: t_s * 1000, value }).collect();
        let window = Window { points: &points, start_ms: 0, end_ms: 60_000, range_ms: 60_000, at_ms: 60_000, scalars };
        let got = function(&window);
        let close = match (got, want) {
            (Some(got), Some(want)) => got == want || (got - want).abs() < 1e-9,
            (got, want) => got == want,
        };
        assert!(close, "{points:?}: {got:?} instead of {want:?}");
    }

    #[test]
    fn increases_reach_to_the_ends_of_the_range() {
        // Samples every 10 s from 10 s to 60 s: half an interval is missing nowhere, so the whole range counts.
        let steady: Vec<(i64, f64)> = (1..=6).map(|i| (i * 10, (i * 10 + 100) as f64)).collect();
        check(increase, &steady, &[], Some(60.0));
        check(rate, &steady, &[], Some(1.0));
        // A counter cannot have been negative, so it is taken to have started where it was 0.
        check(increase, &[(20, 5.0), (30, 15.0), (40, 25.0)], &[], Some(30.0));
        check(rate, &[(30, 1.0)], &[], None);
    }

    #[test]
    fn a_counter_that_falls_has_started_again() {
        let reset = [(15, 100.0), (30, 150.0), (45, 10.0), (60, 60.0)];
        check(increase, &reset, &[], Some(110.0 * 60.0 / 45.0));
        check(delta, &reset, &[], Some(-40.0 * 60.0 / 45.0));
        check(resets, &reset, &[], Some(1.0));
        check(changes, &reset, &[], Some(3.0));
        check(irate, &[(15, 100.0), (30, 15.0)], &[], Some(1.0));
        check(idelta, &[(15, 100.0), (30, 15.0)], &[], Some(-85.0));
    }

    #[test]
    fn nan_samples_are_not_changes_and_not_extremes() {
        let gaps = [(10, f64::NAN), (20, f64::NAN), (30, 4.0), (40, 2.0)];
        check(changes, &gaps, &[], Some(2.0));
        check(max_over_time, &gaps, &[], Some(4.0));
        check(min_over_time, &gaps, &[], Some(2.0));
        check(count_over_time, &gaps, &[], Some(4.0));
    }

    #[test]
    fn quantiles_lie_between_samples() {
        let points = [(10, 4.0), (20, 1.0), (30, 3.0), (40, 2.0)];
        check(quantile_over_time, &points, &[0.5], Some(2.5));
        check(quantile_over_time, &points, &[1.0], Some(4.0));
        check(quantile_over_time, &points, &[-1.0], Some(f64::NEG_INFINITY));
        check(quantile_over_time, &points, &[2.0], Some(f64::INFINITY));
    }

    #[test]
    fn trends_follow_a_line() {
        let line = [(10, 10.0), (20, 30.0), (30, 50.0)];
        check(deriv, &line, &[], Some(2.0));
        check(predict_linear, &line, &[10.0], Some(130.0));
        check(deriv, &[(10, 1.0)], &[], None);
    }
}
