//! Histograms with logarithmic bins: a bounded relative error anywhere, and sums of histograms that are exact.

/// Bins of latencies, from 100 us to 120 s. A bin is at most 2 % wide, and the bounds of the classic Prometheus histogram are
/// bounds of bins, so that counts below those are exact.
pub mod latency {
    /// The bounds of `serin_router_request_duration_seconds`, in microseconds.
    pub const CLASSIC_US: [u64; 13] = [
        1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000,
    ];
    const LOWEST_US: u64 = 100;
    const HIGHEST_US: u64 = 120_000_000;

    /// Number of bins. The last one has no upper bound.
    pub const BINS: usize = count() + 1;

    static UPPER_US: [u64; BINS - 1] = upper();
    /// For each number of significant bits the first bin that a value of so many bits can fall into.
    static FIRST_BIN: [u16; 66] = first_bins();

    const fn next(bound: u64) -> u64 {
        let mut next = bound + bound / 50;
        let mut i = 0;
        while i < CLASSIC_US.len() {
            if bound < CLASSIC_US[i] && CLASSIC_US[i] < next {
                next = CLASSIC_US[i];
            }
            i += 1;
        }
        next
    }

    const fn count() -> usize {
        let (mut bound, mut n) = (LOWEST_US, 1);
        while bound < HIGHEST_US {
            bound = next(bound);
            n += 1;
        }
        n
    }

    const fn upper() -> [u64; BINS - 1] {
        let mut out = [LOWEST_US; BINS - 1];
        let mut i = 1;
        while i < BINS - 1 {
            out[i] = next(out[i - 1]);
            i += 1;
        }
        out
    }

    const fn first_bins() -> [u16; 66] {
        let bounds = upper();
        let mut out = [0; 66];
        let (mut bits, mut bin) = (0, 0);
        while bits < 66 {
            let smallest: u128 = if bits == 0 { 0 } else { 1 << (bits - 1) };
            while bin < BINS - 1 && (bounds[bin] as u128) < smallest {
                bin += 1;
            }
            out[bits] = bin as u16;
            bits += 1;
        }
        out
    }

    /// The bin of a latency: the first one whose upper bound is not below it.
    pub fn bin(us: u64) -> usize {
        let bits = 64 - us.leading_zeros() as usize;
        let (from, to) = (FIRST_BIN[bits] as usize, FIRST_BIN[bits + 1] as usize);
        from + UPPER_US[from..to].partition_point(|bound| *bound < us)
    }

    /// The largest latency that falls into a bin, in microseconds; `None` for the last one.
    pub fn upper_us(bin: usize) -> Option<u64> {
        UPPER_US.get(bin).copied()
    }

    /// How many latencies of `bins` are above `edge_us`. Exact when the edge is the bound of a bin, as those of
    /// [`CLASSIC_US`] are; otherwise the edge is taken as the bound next below it, less than 2 % away.
    pub fn count_above(bins: &[(u16, u64)], edge_us: u64) -> u64 {
        let first = UPPER_US.partition_point(|bound| *bound <= edge_us);
        bins.iter().filter(|(bin, _)| usize::from(*bin) >= first).map(|(_, count)| count).sum()
    }

    /// The latency in microseconds that a share `q` (0 to 1) of the answers did not exceed, rounded up to the bound of a bin.
    /// `None` without any answer; the lower bound of the last bin when it falls there.
    pub fn quantile_us(bins: &[(u16, u64)], q: f64) -> Option<u64> {
        let total: u64 = bins.iter().map(|(_, count)| count).sum();
        let wanted = (q.clamp(0.0, 1.0) * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let (bin, _) = bins.iter().find(|(_, count)| {
            seen += count;
            seen >= wanted
        })?;
        Some(UPPER_US[usize::from(*bin).min(BINS - 2)])
    }
}

/// Bins of predictions that are numbers, for both signs. Magnitudes from 1e-6 to about 1e9 are kept to 5 %.
pub mod number {
    use std::sync::LazyLock;

    const LOWEST: f64 = 1e-6;
    const GROWTH: f64 = 1.05;
    /// Number of bins of one sign.
    pub const SIDE: usize = 710;
    /// Number of bins.
    pub const BINS: usize = 2 * SIDE + 1;

    /// Upper bounds of the magnitudes. By repeated multiplication, which gives the same bits on every machine; a logarithm may not.
    static UPPER: LazyLock<[f64; SIDE]> = LazyLock::new(|| {
        let mut bound = LOWEST;
        [(); SIDE].map(|()| {
            bound *= GROWTH;
            bound
        })
    });

    /// The bin of a number: 0 for magnitudes up to 1e-6, `n` for positive and `-n` for negative ones, n from 1 to [`SIDE`].
    pub fn bin(value: f64) -> i16 {
        let magnitude = value.abs();
        if magnitude <= LOWEST || value.is_nan() {
            return 0;
        }
        let n = (UPPER.partition_point(|bound| *bound < magnitude) + 1).min(SIDE) as i16;
        if value < 0.0 { -n } else { n }
    }

    /// The largest magnitude of a bin, with its sign. The outermost bins hold everything beyond as well.
    pub fn bound(bin: i16) -> f64 {
        match usize::from(bin.unsigned_abs()).min(SIDE) {
            0 => LOWEST,
            n if bin < 0 => -UPPER[n - 1],
            n => UPPER[n - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{latency, number};

    #[test]
    fn every_latency_falls_between_the_bounds_of_its_bin() {
        let mut us = 0u64;
        while us < 200_000_000 {
            for v in us.saturating_sub(1)..=us + 1 {
                let bin = latency::bin(v);
                assert!(latency::upper_us(bin).is_none_or(|bound| v <= bound), "{v}");
                assert!(bin == 0 || latency::upper_us(bin - 1).unwrap() < v, "{v}");
            }
            us += 1 + us / 300;
        }
        assert_eq!(latency::bin(u64::MAX), latency::BINS - 1);
    }

    #[test]
    fn a_bin_is_at_most_two_percent_wide_and_the_classic_bounds_are_bounds() {
        for bin in 1..latency::BINS - 1 {
            let (low, high) = (latency::upper_us(bin - 1).unwrap(), latency::upper_us(bin).unwrap());
            assert!(low < high && (high - low) * 50 <= low, "{low} {high}");
        }
        for edge in latency::CLASSIC_US {
            assert_eq!(latency::upper_us(latency::bin(edge)), Some(edge));
            let bins = [(latency::bin(edge) as u16, 3), (latency::bin(edge + 1) as u16, 4)];
            assert_eq!(latency::count_above(&bins, edge), 4);
        }
    }

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut counts = vec![0u64; latency::BINS];
        (1..=100_000).for_each(|us| counts[latency::bin(us)] += 1);
        let bins: Vec<_> = counts.iter().enumerate().map(|(i, c)| (i as u16, *c)).collect();
        for (q, exact) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0)] {
            let got = latency::quantile_us(&bins, q).unwrap() as f64;
            assert!((1.0..1.021).contains(&(got / exact)), "{q}: {got}");
        }
        assert_eq!(latency::quantile_us(&[], 0.5), None);
    }

    #[test]
    fn numbers_keep_their_sign_and_five_percent_of_their_size() {
        for value in [1.1e-6, 0.3, 1.0, 17.5, 4.2e6, 9e8] {
            let bin = number::bin(value);
            assert!((1.0..1.05001).contains(&(number::bound(bin) / value)), "{value}");
            assert_eq!(number::bin(-value), -bin);
            assert_eq!(number::bound(-bin), -number::bound(bin));
        }
        assert_eq!((number::bin(0.0), number::bin(-1e-9), number::bin(f64::NAN)), (0, 0, 0));
        assert_eq!(number::bin(1e300), number::SIDE as i16);
        assert_eq!(number::bin(f64::NEG_INFINITY), -(number::SIDE as i16));
    }
}
