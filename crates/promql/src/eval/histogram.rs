//! Classic histograms: series `…_bucket` whose label `le` is the upper bound of what they count.

use std::collections::BTreeMap;

use super::Element;
use crate::labels::Labels;
use crate::number;

/// The label that holds a bucket's upper bound.
const BOUND: &str = "le";

/// Counts of neighbouring buckets that differ by less than this part are taken to be equal: adding floats in another
/// order makes such differences. It is the tolerance of Prometheus.
const TOLERANCE: f64 = 1e-12;

/// The smallest normal float.
const NORMAL_MIN: f64 = f64::MIN_POSITIVE;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// The buckets of one histogram.
#[derive(Debug)]
pub(super) struct Histogram {
    /// Labels without the bound.
    pub(super) labels: Labels,
    pub(super) unnamed: bool,
    buckets: Vec<Bucket>,
}

/// The histograms among some elements; what has no bound that is a number belongs to none.
pub(super) fn collect(elements: &[Element]) -> Vec<Histogram> {
    let mut out: Vec<Histogram> = Vec::new();
    let mut known: BTreeMap<Labels, usize> = BTreeMap::new();
    for element in elements {
        let bound = element.labels.get(BOUND).and_then(number::parse_float).filter(|bound| !bound.is_nan());
        let Some(bound) = bound else { continue };
        let labels = element.labels.edit().remove(BOUND).build();
        let index = *known.entry(labels.clone()).or_insert(out.len());
        if index == out.len() {
            out.push(Histogram { labels, unnamed: element.unnamed, buckets: Vec::new() });
        }
        out[index].buckets.push(Bucket { bound, count: element.value });
    }
    for histogram in &mut out {
        histogram.buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        histogram.buckets.dedup_by(|next, kept| {
            let same = next.bound == kept.bound;
            if same {
                kept.count += next.count;
            }
            same
        });
    }
    out
}

impl Histogram {
    /// The value below which the given part of the observations lies, spread evenly within their bucket.
    ///
    /// In the bucket without an upper bound it is the highest bound there is. NaN without observations, without two
    /// buckets, or without the bucket for all.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        if quantile.is_nan() {
            return f64::NAN;
        }
        if !(0.0..=1.0).contains(&quantile) {
            return if quantile < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        let buckets = self.rising();
        let [.., below, last] = &buckets[..] else { return f64::NAN };
        if last.bound != f64::INFINITY || last.count == 0.0 {
            return f64::NAN;
        }
        let mut rank = quantile * last.count;
        let finite = &buckets[..buckets.len() - 1];
        // A binary search, as in Prometheus, for counts that are NaN have no order.
        let index = first_where(finite.len(), |i| finite[i].count >= rank);
        if index == finite.len() {
            return below.bound;
        }
        let Bucket { bound: end, mut count } = finite[index];
        if index == 0 && end <= 0.0 {
            return end;
        }
        let mut start = 0.0;
        if index > 0 {
            start = finite[index - 1].bound;
            count -= finite[index - 1].count;
            rank -= finite[index - 1].count;
        }
        start + (end - start) * (rank / count)
    }

    /// The part of the observations between two values.
    pub(super) fn fraction(&self, lower: f64, upper: f64) -> f64 {
        let Some(last) = self.buckets.last() else { return f64::NAN };
        if last.bound != f64::INFINITY || last.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        (self.rank(upper) - self.rank(lower)) / last.count
    }

    /// How many observations are below `value`.
    fn rank(&self, value: f64) -> f64 {
        // If no bucket ends at or below 0, there is nothing below 0.
        let starts_at_zero = self.buckets.first().is_some_and(|bucket| bucket.bound > 0.0);
        let mut start = if starts_at_zero { 0.0 } else { f64::NEG_INFINITY };
        let mut rank = 0.0;
        for bucket in &self.buckets {
            if start >= value {
                return rank;
            }
            if value < bucket.bound {
                if start == f64::NEG_INFINITY {
                    return bucket.count;
                }
                return rank + (bucket.count - rank) * (value - start) / (bucket.bound - start);
            }
            (start, rank) = (bucket.bound, bucket.count);
        }
        rank
    }

    /// The buckets with counts that never fall: scraped at different times, or added up, they may.
    fn rising(&self) -> Vec<Bucket> {
        let mut buckets = self.buckets.clone();
        let mut highest = buckets.first().map_or(0.0, |bucket| bucket.count);
        for bucket in buckets.iter_mut().skip(1) {
            if almost_equal(highest, bucket.count) || bucket.count < highest {
                bucket.count = highest;
            } else {
                highest = bucket.count;
            }
        }
        buckets
    }
}

/// The first index for which `holds`, which is taken to hold for all later ones.
fn first_where(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn almost_equal(a: f64, b: f64) -> bool {
    if a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < NORMAL_MIN {
        return difference < TOLERANCE * NORMAL_MIN;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(&str, f64)]) -> Histogram {
        let element = |&(bound, value): &(&str, f64)| Element {
            labels: Labels::from_pairs([("le", bound)]),
            value,
            t_ms: 0,
            unnamed: false,
        };
        let elements: Vec<Element> = buckets.iter().map(element).collect();
        collect(&elements).pop().unwrap()
    }

    #[test]
    fn quantiles_are_spread_within_a_bucket() {
        let latency = histogram(&[("0.1", 50.0), ("+Inf", 100.0), ("0.5", 90.0)]);
        assert_eq!(latency.quantile(0.25), 0.05);
        assert_eq!(latency.quantile(0.7), 0.1 + 0.4 * 0.5);
        assert!(latency.quantile(f64::NAN).is_nan());
        assert_eq!((latency.quantile(-0.1), latency.quantile(1.1)), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn the_highest_bound_stands_for_what_is_above_it() {
        assert_eq!(histogram(&[("0.1", 50.0), ("0.5", 90.0), ("+Inf", 100.0)]).quantile(0.95), 0.5);
    }

    #[test]
    fn no_observations_are_not_a_number() {
        assert!(histogram(&[("0.1", 0.0), ("+Inf", 0.0)]).quantile(0.5).is_nan());
        assert!(histogram(&[("0.1", 5.0), ("0.5", 9.0)]).quantile(0.5).is_nan());
        assert!(histogram(&[("+Inf", 5.0)]).quantile(0.5).is_nan());
    }

    #[test]
    fn counts_that_fall_are_lifted() {
        let falling = histogram(&[("1", 10.0), ("2", 8.0), ("3", 20.0), ("+Inf", 20.0)]);
        assert_eq!(falling.quantile(0.75), 2.0 + 5.0 / 10.0);
    }

    #[test]
    fn fractions_between_values() {
        let latency = histogram(&[("0.1", 50.0), ("0.5", 90.0), ("+Inf", 100.0)]);
        assert_eq!(latency.fraction(0.0, 0.1), 0.5);
        assert_eq!(latency.fraction(0.05, 0.3), 0.45);
        assert_eq!(latency.fraction(0.0, f64::INFINITY), 1.0);
        assert_eq!(latency.fraction(0.3, 0.2), 0.0);
    }
}
