//! Sequential tests: the smallest regression that fails in a time, and when an equal version passes.

use serde::Serialize;
use serin_stats::needed::{Growth, at_least, smallest_excess, smallest_rate, smallest_regression};
use serin_stats::recipe::{Distribution, Outcome, Paired, Recipe, Test};
use serin_stats::two_arm::{Line, limit_without_stable};
use serin_stats::{Process, Side};

use super::timeline::Scene;
use super::{Assumed, word};
use crate::recipe::Sequential;

/// Shares of a class for which drift is told, since nobody knows those of the predictions.
const BASES: [f64; 2] = [0.2, 0.5];
/// Bets on each class that was not named beforehand: the first to appear has a quarter of the evidence for either direction.
const FIRST_CLASS: f64 = 4.0;
/// Quantiles of stable at which numbers are compared, in either direction.
const NUMBER_BETS: f64 = 30.0;
/// Answers of stable before its latency quantiles are compared with, and numbers before its quantiles are fixed.
const LATENCIES_FIRST: f64 = 100.0;
const NUMBERS_FIRST: f64 = 320.0;

/// What a sequential test can see of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Whose share is compared, such as `errors`.
    pub what: String,
    /// Answers of the canary that it judges in its time, or pairs; `None` where nobody can tell how long that is.
    pub requests: Option<f64>,
    /// Such answers per second.
    pub rate: f64,
    /// What happens at the end of its time when it has not decided: `hold`, `promote` or `rollback`.
    pub undecided: &'static str,
    /// One for each share that stable may have, or for each quantile. Not empty.
    pub sights: Vec<Sight>,
}

/// What can be seen when stable has a certain share.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// The share of stable's answers, 0 to 1.
    pub stable: f64,
    /// The largest tolerated share of the canary's.
    pub tolerated: f64,
    /// The smallest share of the canary's that fails in time with the wanted probability; `None` when not even 1 does.
    pub seen_from: Option<f64>,
    /// Seconds until a canary whose every answer counts fails with that probability; `None` for never.
    pub worst_after_s: Option<f64>,
    /// Seconds until a canary that is worse by twice what is tolerated does.
    pub twice_after_s: Option<f64>,
    /// Seconds until an equal canary passes, on average; `None` for never.
    pub passes_after_s: Option<f64>,
}

/// What a metric may spend.
pub(super) struct Stakes {
    pub(super) alpha: f64,
    pub(super) share: f64,
}

/// What a test sees in so many seconds.
pub(super) fn outlook(
    sequential: &Sequential,
    stakes: Stakes,
    scene: &Scene,
    seconds: Option<f64>,
    assumed: &Assumed,
) -> Outlook {
    let recipe = &sequential.recipe;
    let per_second = if sequential.paired {
        assumed.rate * (1.0 - scene.weight) * scene.mirrored
    } else {
        assumed.rate * scene.weight
    };
    let stable_seen = scene.stable_before + assumed.rate * (1.0 - scene.weight) * seconds.unwrap_or(0.0);
    let traffic = Traffic {
        per_second,
        seconds,
        weight: if sequential.paired { 1.0 } else { scene.weight },
        stable_before: scene.stable_before,
        power: assumed.power,
        // Half of the evidence waits for later starts, and half is about slices where there are any.
        log_limit: -stakes.alpha.ln() - stakes.share.ln() - (1.0 - Process::RESTART_SHARE).ln()
            + if recipe.slice.is_some() { 2f64.ln() } else { 0.0 },
        log_pass: -recipe.budget.beta.ln(),
        bad_min: f64::from(recipe.budget.bad_min),
    };
    // A stable version without errors is never known to have none.
    let errors = assumed.stable_errors.max(0.5 / (stable_seen + 50.0));
    let looks = looks(recipe, errors);
    Outlook {
        what: what(recipe),
        requests: seconds.map(|s| per_second * s),
        rate: per_second,
        undecided: word(sequential.undecided),
        sights: looks.iter().map(|look| look.sight(&traffic)).collect(),
    }
}

/// What there is to judge.
struct Traffic {
    per_second: f64,
    seconds: Option<f64>,
    weight: f64,
    stable_before: f64,
    power: f64,
    log_limit: f64,
    log_pass: f64,
    bad_min: f64,
}

/// What is bet on.
#[derive(Clone, Copy)]
enum Bet {
    Line(Line),
    Limit(f64),
    /// Pairs with the tolerated difference, whose outcomes are independent of each other or, of classes, the same but for what changed.
    Errors(f64),
    Class(f64),
}

/// One comparison, or several of which all must be beyond their lines to fail and one within it to pass.
struct Look {
    bets: Vec<Bet>,
    /// The other direction, which must pass as well.
    mirrored: bool,
    stable: f64,
    /// What an equal canary has.
    equal: f64,
    /// Nats that the evidence is short of because it is shared.
    cost: f64,
    /// Answers of stable before anything is compared.
    first: f64,
    needs_bad: bool,
}

impl Look {
    fn new(bet: Bet, stable: f64, equal: f64) -> Self {
        Self { bets: vec![bet], mirrored: false, stable, equal, cost: 0.0, first: 0.0, needs_bad: true }
    }

    /// A share that may move neither up nor down.
    fn of_class(bet: Bet, stable: f64, parts: f64) -> Self {
        let mirrored = matches!(bet, Bet::Line(_));
        Self { mirrored, cost: parts.ln(), needs_bad: false, ..Self::new(bet, stable, stable) }
    }
}

fn looks(recipe: &Recipe, errors: f64) -> Vec<Look> {
    let bases = |outcome: &Outcome| match outcome {
        Outcome::Class(_) | Outcome::NotClass(_) | Outcome::Wrong => BASES.to_vec(),
        Outcome::Errors | Outcome::MissingPrediction | Outcome::SlowerThan(_) => vec![errors],
    };
    let line = |delta: f64| Bet::Line(Line { ratio: 1.0, delta });
    let classes = |bet: Bet, parts: f64| BASES.iter().map(|base| Look::of_class(bet, *base, parts)).collect();
    match &recipe.test {
        Test::Compare { outcome, lines } => {
            let bets: Vec<Bet> = lines.iter().copied().map(Bet::Line).collect();
            let look = |base: &f64| Look { bets: bets.clone(), ..Look::new(bets[0], *base, *base) };
            bases(outcome).iter().map(look).collect()
        }
        Test::Limit { outcome, limit } => {
            // Of what nobody can know of stable, an equal canary has half of what is allowed.
            let equal = if matches!(outcome, Outcome::Errors) { errors } else { limit / 2.0 };
            vec![Look::new(Bet::Limit(*limit), equal, equal)]
        }
        Test::Slower { quantiles, tolerance } => {
            let look = |quantile: &f64| {
                let beyond = 1.0 - quantile;
                // Of latencies with an exponential tail.
                let equal = beyond.powf(1.0 + tolerance);
                Look {
                    cost: (quantiles.len() as f64).ln(),
                    first: LATENCIES_FIRST,
                    ..Look::new(line(0.0), beyond, equal)
                }
            };
            quantiles.iter().map(look).collect()
        }
        Test::Drift { of, tolerance } => match of {
            Distribution::Classes(named) if named.is_empty() => classes(line(*tolerance), FIRST_CLASS),
            Distribution::Classes(named) => classes(line(*tolerance), 2.0 * named.len() as f64),
            Distribution::TotalVariation => classes(line(*tolerance), 1.0),
            Distribution::Numbers => {
                let look =
                    |base: &f64| Look { first: NUMBERS_FIRST, ..Look::of_class(line(*tolerance), *base, NUMBER_BETS) };
                BASES.iter().map(look).collect()
            }
        },
        Test::Shadow { of, tolerance } => match of {
            Paired::Errors => vec![Look::new(Bet::Errors(*tolerance), errors, errors)],
            Paired::Agreement => vec![Look::new(Bet::Limit(*tolerance), 0.0, 0.0)],
            // A sign test; of two equal latencies with an exponential tail.
            Paired::Latency => {
                let equal = 1.0 / (2.0 + tolerance);
                vec![Look::new(Bet::Limit(0.5), equal, equal)]
            }
            Paired::Classes => classes(Bet::Class(*tolerance), FIRST_CLASS),
        },
    }
}

impl Look {
    fn sight(&self, traffic: &Traffic) -> Sight {
        let tolerated = self.bets.iter().map(|bet| bet.tolerated(self.stable)).fold(0.0, f64::max).min(1.0);
        let per = |requests: Option<f64>| requests.filter(|_| traffic.per_second > 0.0).map(|n| n / traffic.per_second);
        let twice = (self.stable.min(tolerated) + 2.0 * (tolerated - self.stable).max(0.0)).min(1.0);
        Sight {
            stable: self.stable,
            tolerated,
            seen_from: traffic.seconds.and_then(|s| self.seen_from(traffic, traffic.per_second * s)),
            worst_after_s: per(self.requests(traffic, 1.0)),
            twice_after_s: per(self.requests(traffic, twice)).filter(|_| tolerated > self.stable),
            passes_after_s: per(self.passes(traffic)),
        }
    }

    /// Requests of the canary that come while stable's first ones do.
    fn waits(&self, traffic: &Traffic) -> f64 {
        let left = (self.first - traffic.stable_before).max(0.0);
        if left > 0.0 { left * traffic.weight / (1.0 - traffic.weight) } else { 0.0 }
    }

    /// The canary fails when every comparison does.
    fn seen_from(&self, traffic: &Traffic, requests: f64) -> Option<f64> {
        let judged = requests - self.waits(traffic);
        if judged.is_nan() || judged < 1.0 {
            return None;
        }
        let limit = traffic.log_limit + self.cost;
        let each = self.bets.iter().map(|bet| bet.seen_from(self.stable, traffic, limit, judged));
        let seen = each.collect::<Option<Vec<f64>>>()?.into_iter().fold(0.0, f64::max);
        let enough_bad =
            |rate: f64| !self.needs_bad || at_least(traffic.bad_min, judged.floor(), rate) >= traffic.power;
        if enough_bad(seen) {
            return Some(seen);
        }
        let (mut low, mut high) = (seen, 1.0);
        if !enough_bad(high) {
            return None;
        }
        while high - low > 1e-5 {
            let middle = 0.5 * (low + high);
            if enough_bad(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// Requests of the canary until it fails at a share with the wanted probability.
    fn requests(&self, traffic: &Traffic, rate: f64) -> Option<f64> {
        let limit = traffic.log_limit + self.cost;
        let each = self.bets.iter().map(|bet| {
            let growth = bet.growth(rate, self.stable, traffic, Side::Fail)?;
            growth.requests_with_power(limit, traffic.power)
        });
        let judged = each.collect::<Option<Vec<f64>>>()?.into_iter().fold(0.0, f64::max);
        let bad = if self.needs_bad { traffic.bad_min / rate.max(1e-9) } else { 0.0 };
        Some(judged.max(bad) + self.waits(traffic))
    }

    /// Requests of an equal canary until it passes: one comparison is enough, and of one that goes either way both directions are needed.
    fn passes(&self, traffic: &Traffic) -> Option<f64> {
        let at = traffic.log_pass + (self.bets.len() as f64).ln();
        let pass = |equal: f64, stable: f64| {
            let each =
                self.bets.iter().filter_map(|bet| bet.growth(equal, stable, traffic, Side::Pass)?.requests(None, at));
            each.reduce(f64::min)
        };
        let mut needed = pass(self.equal, self.stable)?;
        if self.mirrored {
            needed = needed.max(pass(1.0 - self.equal, 1.0 - self.stable)?);
        }
        Some(needed + self.waits(traffic))
    }
}

impl Bet {
    fn tolerated(self, stable: f64) -> f64 {
        match self {
            Bet::Line(line) => line.at(stable),
            Bet::Limit(limit) => limit,
            Bet::Errors(delta) | Bet::Class(delta) => stable + delta,
        }
    }

    /// What it becomes once stable answers nothing any more; `None` where it then bets on nothing.
    fn without_stable(self, stable: f64, traffic: &Traffic) -> Option<Self> {
        match self {
            Bet::Line(_) if traffic.weight <= 0.0 => None,
            Bet::Line(line) if traffic.weight >= 1.0 => {
                limit_without_stable(line, stable * traffic.stable_before, traffic.stable_before).map(Bet::Limit)
            }
            other => Some(other),
        }
    }

    fn growth(self, rate: f64, stable: f64, traffic: &Traffic, side: Side) -> Option<Growth> {
        Some(match self.without_stable(stable, traffic)? {
            Bet::Line(line) => Growth::two_arm(rate, stable, traffic.weight, line, side),
            Bet::Limit(limit) => Growth::one_arm(rate, limit, side),
            Bet::Errors(delta) => Growth::paired(rate * (1.0 - stable), stable * (1.0 - rate), delta, side),
            Bet::Class(delta) => Growth::paired((rate - stable).max(0.0), 0.0, delta, side),
        })
    }

    fn seen_from(self, stable: f64, traffic: &Traffic, limit: f64, requests: f64) -> Option<f64> {
        match self.without_stable(stable, traffic)? {
            Bet::Line(line) => smallest_regression(stable, traffic.weight, line, limit, requests, traffic.power),
            Bet::Limit(largest) => smallest_excess(largest, limit, requests, traffic.power),
            Bet::Errors(delta) => {
                let growth =
                    |rate: f64| Growth::paired(rate * (1.0 - stable), stable * (1.0 - rate), delta, Side::Fail);
                smallest_rate(stable + delta, growth, limit, requests, traffic.power)
            }
            Bet::Class(delta) => {
                let growth =
                    |rate: f64| Growth::paired((rate - stable).clamp(0.0, 1.0 - stable), 0.0, delta, Side::Fail);
                smallest_rate(stable + delta, growth, limit, requests, traffic.power)
            }
        }
    }
}

/// Whose share it is, in plain words.
fn what(recipe: &Recipe) -> String {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Errors => "errors".to_owned(),
        Outcome::SlowerThan(us) => format!("answers slower than {} ms", *us as f64 / 1000.0),
        Outcome::MissingPrediction => "answers without a prediction".to_owned(),
        Outcome::Class(class) => format!("predictions of {class:?}"),
        Outcome::NotClass(class) => format!("predictions other than {class:?}"),
        Outcome::Wrong => "wrong predictions".to_owned(),
    };
    match &recipe.test {
        Test::Compare { outcome: of, .. } | Test::Limit { outcome: of, .. } => outcome(of),
        Test::Slower { quantiles, tolerance } => {
            let quantile = match quantiles.as_slice() {
                [only] => format!("p{}", rounded(100.0 * only)),
                _ => "quantile".to_owned(),
            };
            format!("answers beyond {} x stable's {quantile}", rounded(1.0 + tolerance))
        }
        Test::Drift { of: Distribution::Classes(_), .. } => "predictions of one class".to_owned(),
        Test::Drift { of: Distribution::TotalVariation, .. } => "predictions of some classes".to_owned(),
        Test::Drift { of: Distribution::Numbers, .. } => "predictions above a quantile".to_owned(),
        Test::Shadow { of: Paired::Errors, .. } => "errors in pairs".to_owned(),
        Test::Shadow { of: Paired::Classes, .. } => "predictions of one class in pairs".to_owned(),
        Test::Shadow { of: Paired::Agreement, .. } => "pairs that differ".to_owned(),
        Test::Shadow { of: Paired::Latency, tolerance } => format!("pairs slower by {} %", rounded(100.0 * tolerance)),
    }
}

/// Without what a sum leaves.
fn rounded(n: f64) -> f64 {
    (n * 1e6).round() / 1e6
}
