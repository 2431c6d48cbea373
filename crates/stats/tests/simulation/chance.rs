//! Random numbers that are the same everywhere.

use serin_stats::Counts;

/// A sequence of random numbers (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(crate) fn hits(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// A batch of requests that are assigned one by one.
    pub(crate) fn batch(&mut self, requests: u32, weight: f64, canary_rate: f64, stable_rate: f64) -> Counts {
        let mut counts = Counts::default();
        for _ in 0..requests {
            let canary = self.hits(weight);
            let bad = self.hits(if canary { canary_rate } else { stable_rate });
            let place = match (canary, bad) {
                (true, true) => &mut counts.canary_bad,
                (true, false) => &mut counts.canary_ok,
                (false, true) => &mut counts.stable_bad,
                (false, false) => &mut counts.stable_ok,
            };
            *place += 1.0;
        }
        counts
    }
}
