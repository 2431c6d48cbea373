//! The confidence sequence of the difference: how often it is wrong at any look, and how wide it is.

use serin_stats::{Difference, Interval};

use crate::chance::Chance;

const SECONDS: u32 = 300;
const REQUESTS: u32 = 40;

/// A canary watched for five minutes at forty requests a second.
struct Setting {
    weight: f64,
    canary: f64,
    stable: f64,
    ratio: f64,
}

impl Setting {
    fn truth(&self) -> f64 {
        self.canary - self.ratio * self.stable
    }

    /// Whether any interval was wrong, and the last one.
    fn watched(&self, seed: u64) -> (bool, Interval) {
        let mut chance = Chance::new(seed);
        let mut difference = Difference::new(self.ratio, 0.05);
        let mut wrong = false;
        for _ in 0..SECONDS {
            let counts = chance.batch(REQUESTS, self.weight, self.canary, self.stable);
            if let Some(weight) = counts.realised_weight() {
                difference.step(&counts, weight);
            }
            let truth = self.truth();
            wrong |= difference.interval().is_some_and(|i| truth < i.low || i.high < truth) || difference.moves() > 0;
        }
        (wrong, difference.interval().unwrap())
    }

    /// The width of the usual 95 % interval, which holds at one look that was fixed before.
    fn width_at_one_look(&self) -> f64 {
        let n = f64::from(SECONDS * REQUESTS);
        let spread = self.canary * (1.0 - self.canary) / (n * self.weight)
            + self.ratio * self.ratio * self.stable * (1.0 - self.stable) / (n * (1.0 - self.weight));
        2.0 * 1.96 * spread.sqrt()
    }
}

/// True differences on a point of the grid, where an error is most likely, and between two.
#[test]
fn it_is_wrong_at_any_look_at_most_as_often_as_promised_and_not_idle() {
    let settings = [
        Setting { weight: 0.2, canary: 0.015, stable: 0.005, ratio: 1.0 },
        Setting { weight: 0.2, canary: 0.005, stable: 0.005, ratio: 1.0 },
        Setting { weight: 0.5, canary: 0.3, stable: 0.2, ratio: 1.0 },
        Setting { weight: 0.05, canary: 0.5, stable: 0.5, ratio: 1.0 },
        Setting { weight: 0.2, canary: 0.024, stable: 0.02, ratio: 1.2 },
        Setting { weight: 0.3, canary: 0.985, stable: 0.99, ratio: 1.0 },
    ];
    let runs = 100;
    for s in settings {
        let seen: Vec<(bool, Interval)> = (0..runs).map(|seed| s.watched(seed)).collect();
        let wrong = seen.iter().filter(|(wrong, _)| *wrong).count() as f64 / runs as f64;
        let width = seen.iter().map(|(_, i)| i.high - i.low).sum::<f64>() / runs as f64 / s.width_at_one_look();
        let error = 3.0 * (0.05f64 * 0.95 / runs as f64).sqrt();
        assert!(wrong <= 0.05 + error, "{} {}: wrong {wrong}", s.canary, s.stable);
        assert!(width < 3.5, "{} {}: {width} times as wide", s.canary, s.stable);
    }
}
