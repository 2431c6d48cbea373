//! Bins of ratios of two latencies, from a thousandth to a thousandfold. A bin is at most 2 % wide.
//!
//! The ratios at which people set tolerances (1.05, 1.1, 1.2, 1.25, 1.5, 2, 3, 5, 10, 100 and their inverses) and 1 itself are bounds of bins, so
//! that counts above those are exact.

/// Bounds are whole millionths, so that no rounding decides on which side of one a ratio falls.
const UNIT: u32 = 1_000_000;
/// The largest bound; its inverse is the smallest.
const HIGHEST: u32 = 1_000 * UNIT;
const ROUND: [u32; 10] =
    [1_050_000, 1_100_000, 1_200_000, 1_250_000, 1_500_000, 2 * UNIT, 3 * UNIT, 5 * UNIT, 10 * UNIT, 100 * UNIT];
/// Number of bounds above 1.
pub const SIDE: usize = count();
/// Number of bins: those above 1, as many of 1 and below, and one beyond at each end.
pub const BINS: usize = 2 * SIDE + 2;

/// The bounds above 1.
static UPPER: [u32; SIDE] = bounds();

const fn next(bound: u32) -> u32 {
    let mut next = bound + bound / 50;
    let mut i = 0;
    while i < ROUND.len() {
        if bound < ROUND[i] && ROUND[i] < next {
            next = ROUND[i];
        }
        i += 1;
    }
    if next < HIGHEST { next } else { HIGHEST }
}

const fn count() -> usize {
    let (mut bound, mut n) = (UNIT, 0);
    while bound < HIGHEST {
        bound = next(bound);
        n += 1;
    }
    n
}

const fn bounds() -> [u32; SIDE] {
    let mut out = [0; SIDE];
    let (mut bound, mut i) = (UNIT, 0);
    while i < SIDE {
        bound = next(bound);
        out[i] = bound;
        i += 1;
    }
    out
}

/// The bin of `canary / stable`, two latencies in microseconds, each at least one: n from 1 on above the ratio 1, and 0 downwards for 1
/// and below. The outermost bins are `SIDE + 1` and `-SIDE`.
pub fn bin(canary_us: u64, stable_us: u64) -> i16 {
    let (canary, stable) = (u128::from(canary_us.max(1)), u128::from(stable_us.max(1)));
    let (larger, smaller) = (canary.max(stable) * u128::from(UNIT), canary.min(stable));
    if canary > stable {
        // The first bin whose upper bound is not below the ratio.
        UPPER.partition_point(|bound| u128::from(*bound) * smaller < larger) as i16 + 1
    } else {
        // Mirrored at 1, where every bin has its upper bound inside: the inverse of a bound is a bound here.
        -(UPPER.partition_point(|bound| u128::from(*bound) * smaller <= larger) as i16)
    }
}

/// The largest ratio of a bin; `None` for the last one.
pub fn upper(bin: i16) -> Option<f64> {
    let bound = |n: usize| UPPER.get(n).map(|bound| f64::from(*bound) / f64::from(UNIT));
    match bin {
        1.. => bound(bin as usize - 1),
        0 => Some(1.0),
        _ => bound(usize::from(bin.unsigned_abs()).min(SIDE) - 1).map(|bound| 1.0 / bound),
    }
}

/// How many ratios of `bins` are above `edge`. Exact when the edge is the bound of a bin; otherwise it is taken as the bound next below it,
/// less than 2 % away.
pub fn count_above(bins: &[(i16, u64)], edge: f64) -> u64 {
    // What was divided may be off by the last bit, never by a millionth.
    let first = if edge >= 1.0 {
        let millionths = edge * f64::from(UNIT) + 0.5;
        UPPER.partition_point(|bound| f64::from(*bound) <= millionths) as i16 + 1
    } else {
        let millionths = f64::from(UNIT) / edge - 0.5;
        -(UPPER.partition_point(|bound| f64::from(*bound) < millionths) as i16)
    };
    bins.iter().filter(|(bin, _)| *bin >= first).map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ratio_falls_between_the_bounds_of_its_bin() {
        for stable in [1u64, 7, 100, 999, 20_000, 3_000_000] {
            let mut canary = 1u64;
            while canary < stable.saturating_mul(3_000) {
                for c in [canary, canary + 1] {
                    let (bin, ratio) = (bin(c, stable), c as f64 / stable as f64);
                    let tiny = 1e-12 * ratio;
                    assert!(upper(bin).is_none_or(|bound| ratio <= bound + tiny), "{c} / {stable}");
                    let lower = upper(bin - 1).filter(|_| i32::from(bin) > -(SIDE as i32));
                    assert!(lower.is_none_or(|bound| bound - tiny < ratio), "{c} / {stable}");
                }
                canary += 1 + canary / 60;
            }
        }
        assert_eq!((bin(u64::MAX, 0), bin(0, u64::MAX)), (SIDE as i16 + 1, -(SIDE as i16)));
        assert_eq!(bin(0, 0), 0);
    }

    #[test]
    fn a_bin_is_at_most_two_percent_wide_and_round_ratios_are_bounds() {
        for bin in 1 - SIDE as i16..=SIDE as i16 {
            let (low, high) = (upper(bin - 1).unwrap(), upper(bin).unwrap());
            assert!(low < high && high / low < 1.020_000_1, "{bin}: {low} {high}");
        }
        assert_eq!((upper(SIDE as i16), upper(SIDE as i16 + 1)), (Some(1_000.0), None));
        for (canary, stable) in
            [(105, 100), (110, 100), (6, 5), (5, 4), (3, 2), (2, 1), (3, 1), (5, 1), (10, 1), (100, 1), (1, 1)]
        {
            let exact = [(bin(canary * 1_000, stable * 1_000), 3), (bin(canary * 1_000 + 1, stable * 1_000), 4)];
            assert_eq!(count_above(&exact, canary as f64 / stable as f64), 4, "{canary}/{stable}");
            let inverse = [(bin(stable * 1_000, canary * 1_000), 3), (bin(stable * 1_000 + 1, canary * 1_000), 4)];
            assert_eq!(count_above(&inverse, stable as f64 / canary as f64), 4, "{stable}/{canary}");
        }
    }
}
