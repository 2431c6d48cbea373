//! Latencies of simulated answers, as the router's sketch has them.

use serin_sim::random::Rng;
use serin_sim::sample::{LogNormal, multinomial, normal_cdf};
use serin_stats::sketch::latency;

/// The logarithmic spread of latencies: the median is 44 % of the 95th percentile.
const SPREAD: f64 = 0.5;
/// The standard normal deviate of the 95th percentile.
const Z95: f64 = 1.644_853_626_951_472_2;
/// So few latencies are cheaper to draw one by one.
const SINGLY: u64 = 40;
/// How often latencies that swing are made anew: so many different ones in a cycle.
const LATENCY_LEVELS: usize = 16;

/// Latencies by bin of the product's sketch, at every level of a swing.
pub(super) struct Latencies {
    p95_ms: f64,
    /// For a factor and a level: the first bin and the shares from there on.
    known: Vec<((u64, i64), usize, Vec<f64>)>,
    counts: Vec<u64>,
}

impl Latencies {
    /// With this 95th percentile in milliseconds, when nothing swings.
    pub(super) fn new(p95_ms: f64) -> Self {
        Self { p95_ms, known: Vec::new(), counts: Vec::new() }
    }

    /// Latencies of `n` answers, by bin, `slower` times as long and at a level from -1 to 1.
    pub(super) fn draw(&mut self, rng: &mut Rng, n: u64, slower: f64, level: f64) -> Vec<(u16, u64)> {
        let step = libm::round(level * (LATENCY_LEVELS / 2) as f64) as i64;
        let key = (slower.to_bits(), step);
        let place = self.known.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
            let p95_ms = self.p95_ms * slower * libm::exp2(0.5 * step as f64 / (LATENCY_LEVELS / 2) as f64);
            let (first, shares) = shares(p95_ms);
            self.known.push((key, first, shares));
            self.known.len() - 1
        });
        let (_, first, shares) = &self.known[place];
        self.counts.clear();
        self.counts.resize(shares.len(), 0);
        if n < SINGLY {
            for _ in 0..n {
                let drawn = rng.unit();
                let mut below = 0.0;
                let bin = shares.iter().position(|share| {
                    below += share;
                    drawn < below
                });
                self.counts[bin.unwrap_or(shares.len() - 1)] += 1;
            }
        } else {
            multinomial(rng, n, shares, &mut self.counts);
        }
        let counts = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        counts.map(|(i, n)| ((first + i) as u16, *n)).collect()
    }
}

/// The distribution of latencies, in microseconds, with this 95th percentile.
pub(super) fn law(p95_ms: f64) -> LogNormal {
    LogNormal { mu: libm::log(p95_ms * 1_000.0) - Z95 * SPREAD, sigma: SPREAD }
}

/// The same by bin: the first bin that matters and the shares from there on.
fn shares(p95_ms: f64) -> (usize, Vec<f64>) {
    let law = law(p95_ms);
    let upto = |bin: usize| latency::upper_us(bin).map_or(1.0, |us| law.cdf(us as f64));
    let first = (0..latency::BINS).find(|bin| upto(*bin) > normal_cdf(-4.5)).unwrap_or_default();
    let last = (first..latency::BINS).find(|bin| upto(*bin) > normal_cdf(4.5)).unwrap_or(latency::BINS - 1);
    let mut before = 0.0;
    let shares = (first..=last).map(|bin| {
        let below = if bin == last { 1.0 } else { upto(bin) };
        let share = below - before;
        before = below;
        share
    });
    (first, shares.collect())
}
