//! Randomness that repeats: a seeded generator (xoshiro256++), cut into streams, so that a change of one part of a world
//! leaves the draws of all others alone.

/// A stream of random numbers. The same seed and stream give the same numbers on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The first stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self::stream(seed, 0)
    }

    /// One of the streams of a seed. Streams are independent of each other for all that matters here: their states are
    /// outputs of SplitMix64, which the authors of xoshiro recommend for seeding.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut mixer = SplitMix(seed);
        let seed = mixer.next() ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut mixer = SplitMix(seed);
        Self { state: [mixer.next(), mixer.next(), mixer.next(), mixer.next()] }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    /// A number from 0 to below 1, all 53 bits of it random.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A number above 0 and up to 1, for logarithms.
    pub fn unit_open(&mut self) -> f64 {
        1.0 - self.unit()
    }

    /// A whole number from 0 to below `n`, each as likely as any other; 0 for `n` = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // The high half of a product of 128 bits, without the draws that would favour small numbers.
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            let low = product as u64;
            if low >= n || low >= n.wrapping_neg().checked_rem(n).unwrap_or(0) {
                return (product >> 64) as u64;
            }
        }
    }

    /// A whole number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0);
        low.saturating_add(self.below(width.saturating_add(1)) as i64)
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of some things; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len() as u64) as usize)
    }
}

/// SplitMix64: turns any seed, small ones included, into well-mixed bits.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published first outputs of SplitMix64 for the seed 1234567, and of xoshiro256++ for the state 1, 2, 3, 4.
    #[test]
    fn the_generators_are_the_published_ones() {
        let mut mixer = SplitMix(1_234_567);
        let mixed = [mixer.next(), mixer.next(), mixer.next()];
        assert_eq!(mixed, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let drawn = [rng.next_u64(), rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn streams_repeat_and_differ() {
        let take = |seed, stream| {
            let mut rng = Rng::stream(seed, stream);
            [rng.next_u64(), rng.next_u64()]
        };
        assert_eq!(take(7, 3), take(7, 3));
        assert_ne!(take(7, 3), take(7, 4));
        assert_ne!(take(7, 3), take(8, 3));
        assert_eq!(Rng::new(7), Rng::stream(7, 0));
    }

    #[test]
    fn whole_numbers_are_spread_evenly() {
        let mut rng = Rng::new(1);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6) as usize] += 1;
        }
        let chi2: f64 = counts.iter().map(|n| (f64::from(*n) - 1e4).powi(2) / 1e4).sum();
        // 20.5 is the 99.9th percentile of chi-squared with five degrees of freedom.
        assert!(chi2 < 20.5, "{counts:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert!((-3..=3).contains(&rng.between(-3, 3)));
        assert_eq!(rng.between(5, 2), 5);
    }
}
