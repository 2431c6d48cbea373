//! Simulated traffic of a rollout, second by second, in the batches that the router would count.

mod latencies;

use serin_sim::random::Rng;
use serin_sim::sample::{binomial, poisson};
use serin_stats::batch::{Arm, Batch, Units};
use serin_stats::sketch::latency;

use latencies::{Latencies, law};

/// Seconds of stable's traffic before the rollout that rules with a window look back on.
pub(crate) const PAST_S: usize = 300;
/// When the second step begins, in seconds.
pub(crate) const SECOND_STEP_S: usize = 120;
/// When the rollout is over, in seconds: that of the decision record.
pub(crate) const WHOLE_S: usize = 300;
const HALF_A_SECOND_US: u64 = 500_000;

/// What stable answers, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answers {
    /// Share of errors.
    pub(crate) errors: f64,
    /// 95th percentile of the latency in milliseconds; none where nobody looks at it, which is faster.
    pub(crate) p95_ms: Option<f64>,
    /// Share of answers that predict class 1, the others predict 0; none where nobody looks at it.
    pub(crate) ones: Option<f64>,
}

/// How the canary differs from stable, at every second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    /// Added to the share of errors.
    pub(crate) errors: f64,
    /// Second from which errors are added.
    pub(crate) from: usize,
    /// Factor of latencies.
    pub(crate) latency: f64,
    /// Added to the share of class 1.
    pub(crate) ones: f64,
}

impl Difference {
    /// No difference.
    pub(crate) const NONE: Self = Self { errors: 0.0, from: 0, latency: 1.0, ones: 0.0 };
}

/// How traffic and answers of both versions move together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swing {
    /// Not at all.
    None,
    /// Up and down like days, each two minutes long: errors between a fifth and almost five times their mean, traffic and latencies less.
    Days,
    /// The same ends, by jumps every half minute.
    Steps,
}

impl Swing {
    /// Where it stands, -1 to 1.
    fn at(self, second: usize) -> f64 {
        match self {
            Swing::None => 0.0,
            Swing::Days => libm::sin(std::f64::consts::TAU * second as f64 / 120.0),
            Swing::Steps => [1.0, -1.0][second / 30 % 2],
        }
    }
}

/// How requests are given to versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dealing {
    /// Each by chance.
    Random,
    /// As exactly as whole requests allow, like weighted round robin.
    Exact,
}

/// Visitors that stay with their version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Visits {
    /// Mean number of requests.
    pub(crate) requests: f64,
    /// Whether the router tells of visits, as it does on a sticky route; without that requests are counted as if they were independent.
    pub(crate) told: bool,
}

/// A rollout's traffic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    /// Mean requests a second.
    pub(crate) rps: f64,
    /// What stable answers.
    pub(crate) stable: Answers,
    /// How the canary differs.
    pub(crate) canary: Difference,
    /// How both move.
    pub(crate) swing: Swing,
    /// Errors added to both versions, and the seconds from and to which.
    pub(crate) outage: Option<(f64, usize, usize)>,
    /// The canary's true shares of the requests in the two steps.
    pub(crate) shares: [f64; 2],
    /// How requests are given to versions.
    pub(crate) dealing: Dealing,
    /// Whether the router says that the weights are 20 and 50 of 100. It may be wrong.
    pub(crate) split_told: bool,
    /// Visitors instead of single requests.
    pub(crate) visits: Option<Visits>,
}

impl Scenario {
    /// Two equal versions, 0.5 % of whose answers are errors, and nothing else to see.
    pub(crate) fn equal(rps: f64) -> Self {
        Self {
            rps,
            stable: Answers { errors: 0.005, p95_ms: None, ones: None },
            canary: Difference::NONE,
            swing: Swing::None,
            outage: None,
            shares: [0.2, 0.5],
            dealing: Dealing::Exact,
            split_told: false,
            visits: None,
        }
    }

    /// With a canary of which this share of answers are errors.
    pub(crate) fn errors(rps: f64, share: f64) -> Self {
        let equal = Self::equal(rps);
        let errors = share - equal.stable.errors;
        Self { canary: Difference { errors, ..Difference::NONE }, ..equal }
    }
}

/// The step that a second belongs to.
pub(crate) fn step_of(second: usize) -> usize {
    usize::from(second >= SECOND_STEP_S)
}

/// Makes the batches of one rollout.
pub(crate) struct Source<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    second: usize,
    /// What an exact split still owes the canary, in requests.
    owed: f64,
    latencies: Latencies,
}

impl<'a> Source<'a> {
    /// The rollout of a scenario with this random stream.
    pub(crate) fn new(scenario: &'a Scenario, rng: Rng) -> Self {
        let latencies = Latencies::new(scenario.stable.p95_ms.unwrap_or(100.0));
        Self { scenario, rng, second: 0, owed: 0.0, latencies }
    }

    /// Stable's answers in the [`PAST_S`] seconds before the rollout, oldest first.
    pub(crate) fn past(&mut self) -> Vec<Arm> {
        let s = self.scenario;
        let beyond_half_a_second = s.stable.p95_ms.map_or(0.0, |p95| 1.0 - law(p95).cdf(HALF_A_SECOND_US as f64));
        let mut past = Vec::with_capacity(PAST_S);
        for _ in 0..PAST_S {
            let n = poisson(&mut self.rng, s.rps);
            let mut arm = self.arm(n, Answers { p95_ms: None, ..s.stable }, 1.0, 0.0);
            if s.stable.p95_ms.is_some() {
                // Of the past only the answers beyond half a second are ever looked at.
                let slow = binomial(&mut self.rng, n, beyond_half_a_second);
                arm.latency = vec![(latency::bin(HALF_A_SECOND_US) as u16 + 1, slow)];
            }
            past.push(arm);
        }
        past
    }

    /// The next second, in the step that the record's timetable has then.
    pub(crate) fn batch(&mut self) -> Batch {
        self.batch_at(step_of(self.second))
    }

    /// The next second, in a step that the caller knows.
    pub(crate) fn batch_at(&mut self, step: usize) -> Batch {
        let (s, second) = (self.scenario, self.second);
        self.second += 1;
        let level = s.swing.at(second);
        let mut stable = s.stable;
        stable.errors *= libm::exp(1.57 * level);
        stable.ones = stable.ones.map(|share| share + 0.1 * level);
        let outage = s.outage.filter(|(_, from, to)| (*from..*to).contains(&second)).map_or(0.0, |(add, ..)| add);
        stable.errors += outage;
        let mut canary = stable;
        if second >= s.canary.from {
            canary.errors = (canary.errors + s.canary.errors).min(1.0);
        }
        canary.ones = canary.ones.map(|share| share + s.canary.ones);
        let rps = s.rps * libm::exp(0.8 * level);
        let (canary, stable) = match s.visits {
            Some(visits) => self.visited(visits, rps, s.shares[step], (canary, stable)),
            None => {
                let n = poisson(&mut self.rng, rps);
                let of_canary = self.deal(n, s.shares[step]);
                let canary = self.arm(of_canary, canary, s.canary.latency, level);
                (canary, self.arm(n - of_canary, stable, 1.0, level))
            }
        };
        let weight = [20, 50][step];
        Batch {
            seq: self.second as u64,
            start_ms: second as i64 * 1_000,
            end_ms: self.second as i64 * 1_000,
            split: s.split_told.then_some((weight, 100)),
            drawn: s.split_told.then_some((canary.answered, stable.answered)),
            canary,
            stable,
            ..Batch::default()
        }
    }

    /// How many of `n` requests the canary gets.
    fn deal(&mut self, n: u64, share: f64) -> u64 {
        match self.scenario.dealing {
            Dealing::Random => binomial(&mut self.rng, n, share),
            Dealing::Exact => {
                self.owed += n as f64 * share;
                let whole = (self.owed.floor() as u64).min(n);
                self.owed -= whole as f64;
                whole
            }
        }
    }

    fn arm(&mut self, n: u64, answers: Answers, slower: f64, level: f64) -> Arm {
        let mut arm = Arm { answered: n, errors: binomial(&mut self.rng, n, answers.errors), ..Arm::default() };
        if answers.p95_ms.is_some() {
            arm.latency = self.latencies.draw(&mut self.rng, n, slower, level);
        }
        if let Some(share) = answers.ones {
            let ones = binomial(&mut self.rng, n, share);
            arm.classes = [("0", n - ones), ("1", ones)]
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .map(|(class, n)| (class.to_owned(), n))
                .collect();
        }
        arm
    }

    /// Visits that end in this second. Half of a visitor's trouble is the visitor's own: those who have trouble fail half of the time.
    fn visited(&mut self, visits: Visits, rps: f64, share: f64, of: (Answers, Answers)) -> (Arm, Arm) {
        let mut arms = [of.0, of.1].map(|answers| (answers, Arm::default(), Units::default()));
        for _ in 0..poisson(&mut self.rng, rps / visits.requests) {
            let (answers, arm, units) = &mut arms[usize::from(!self.rng.chance(share))];
            let troubled = self.rng.chance(2.0 * answers.errors);
            let mut n = 1;
            while self.rng.chance(1.0 - 1.0 / visits.requests) {
                n += 1;
            }
            let bad = if troubled { binomial(&mut self.rng, n, 0.5) } else { 0 };
            arm.answered += n;
            arm.errors += bad;
            units.count += 1;
            units.bad += bad as f64 / n as f64;
        }
        let [canary, stable] = arms.map(|(_, arm, units)| Arm { units: visits.told.then_some(units), ..arm });
        (canary, stable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(scenario: &Scenario, runs: u64) -> (Arm, Arm) {
        let (mut canary, mut stable) = (Arm::default(), Arm::default());
        for run in 0..runs {
            let mut source = Source::new(scenario, Rng::stream(1, run));
            for _ in 0..WHOLE_S {
                let batch = source.batch();
                for (sum, arm) in [(&mut canary, batch.canary), (&mut stable, batch.stable)] {
                    sum.answered += arm.answered;
                    sum.errors += arm.errors;
                    sum.latency.extend(arm.latency);
                    arm.classes.into_iter().for_each(|(class, n)| *sum.classes.entry(class).or_insert(0) += n);
                }
            }
        }
        (canary, stable)
    }

    #[test]
    fn the_batches_are_what_the_scenario_says() {
        let stable = Answers { errors: 0.02, p95_ms: Some(300.0), ones: Some(0.2) };
        let canary = Difference { errors: 0.05, latency: 2.0, ones: 0.3, ..Difference::NONE };
        let scenario = Scenario { stable, canary, ..Scenario::equal(100.0) };
        let (canary, stable) = sums(&scenario, 4);
        let share = |part: u64, arm: &Arm| part as f64 / arm.answered as f64;
        let near = |seen: f64, wanted: f64| assert!((seen / wanted - 1.0).abs() < 0.05, "{seen} {wanted}");
        near(canary.answered as f64, 4.0 * 11_400.0);
        near(stable.answered as f64, 4.0 * 18_600.0);
        near(share(canary.errors, &canary), 0.07);
        near(share(stable.errors, &stable), 0.02);
        near(share(canary.classes["1"], &canary), 0.5);
        near(share(stable.classes["1"], &stable), 0.2);
        near(share(latency::count_above(&stable.latency, 300_000), &stable), 0.05);
        near(share(latency::count_above(&canary.latency, 600_000), &canary), 0.05);
    }

    #[test]
    fn visitors_have_as_many_errors_as_they_should_and_often_several() {
        let visits = Some(Visits { requests: 10.0, told: true });
        let scenario = Scenario { visits, ..Scenario::errors(100.0, 0.05) };
        let mut units = Units::default();
        let mut source = Source::new(&scenario, Rng::new(5));
        for _ in 0..3_000 {
            let more = source.batch().canary.units.unwrap();
            units.count += more.count;
            units.bad += more.bad;
        }
        let mean = units.bad / units.count as f64;
        assert!((mean / 0.05 - 1.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn an_exact_split_owes_less_than_a_request() {
        let scenario = Scenario::equal(7.0);
        let mut source = Source::new(&scenario, Rng::new(3));
        let (mut canary, mut all) = (0, 0);
        for _ in 0..SECOND_STEP_S {
            let batch = source.batch();
            canary += batch.canary.answered;
            all += batch.canary.answered + batch.stable.answered;
            assert!((canary as f64 - 0.2 * all as f64).abs() <= 1.0);
        }
    }
}
