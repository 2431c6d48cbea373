//! One comparison within a metric: a line, a limit or a pairing, with the evidence for either side.

use serde::{Deserialize, Serialize};

use crate::needed::Growth;
use crate::process::Process;
use crate::side::Side;
use crate::two_arm::{self, Line};
use crate::{Counts, one_arm, paired};

/// What a part bets on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Bet {
    /// The canary's share of bad outcomes, against a line through stable's.
    Line(Line),
    /// The canary's share of bad outcomes, against a limit.
    Limit(f64),
    /// The mean difference of pairs.
    Pairs(f64),
}

/// What a batch says of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Seen {
    /// Both versions.
    Arms(Counts),
    /// Pairs.
    Pairs(paired::Pairs),
}

/// One comparison. Plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it watches, such as `class churn up`.
    pub name: String,
    /// The value of the slice, if it watches one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// Its part of the metric's evidence.
    pub(crate) weight: f64,
    pub(crate) bet: Bet,
    /// What it looks at, which only the metric's own code reads.
    pub(crate) place: usize,
    pub(crate) fail: Process,
    /// Since the weight changed last.
    pub(crate) pass: Process,
    /// Whether `pass` was ever enough.
    pub(crate) passed: bool,
    /// All that it was fed, but for what waits.
    pub(crate) seen: Counts,
    /// Answers that wait to be compared.
    #[serde(default, skip_serializing_if = "Waiting::is_empty")]
    waiting: Waiting,
}

/// Answers of one version that wait for some of the other: where requests are few, many a second has only one of them.
///
/// Which answers are compared with which then depends on when they came, never on what they were, so that it costs no error probability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Waiting {
    counts: Counts,
    /// For how long, in milliseconds.
    ms: i64,
}

/// Longest time that answers wait, in milliseconds. Both versions may have changed in longer ones.
const WAIT_MS: i64 = 30_000;
/// So many answers of the canary without one of stable do not wait: stable gets none.
const ALONE_MIN: f64 = 20.0;

impl Waiting {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes answers in and gives out what waits no longer: all or nothing.
    fn matched(&mut self, counts: Counts, lasted_ms: i64) -> Counts {
        self.counts += counts;
        self.ms = self.ms.saturating_add(lasted_ms.max(0));
        let both = self.counts.realised_weight().is_some();
        if both || self.ms >= WAIT_MS || self.counts.canary_total() >= ALONE_MIN {
            return std::mem::take(self).counts;
        }
        Counts::default()
    }
}

impl Part {
    pub(crate) fn new(name: String, slice: Option<String>, weight: f64, bet: Bet, place: usize) -> Self {
        Self {
            name,
            slice,
            weight,
            bet,
            place,
            fail: Process::new(components(bet, Side::Fail), true),
            pass: Process::new(components(bet, Side::Pass), false),
            passed: false,
            seen: Counts::default(),
            waiting: Waiting::default(),
        }
    }

    /// Whether a part that was kept elsewhere can be gone on with.
    pub(crate) fn is_sound(&self) -> bool {
        self.fail.fits(components(self.bet, Side::Fail))
            && self.pass.fits(components(self.bet, Side::Pass))
            && self.seen.is_sound()
            && self.waiting.counts.is_sound()
            && self.waiting.ms >= 0
            && (0.0..=1.0).contains(&self.weight)
    }

    /// Another weight: what passes has to be shown anew.
    pub(crate) fn begin_window(&mut self) {
        self.pass = Process::new(components(self.bet, Side::Pass), false);
        self.passed = false;
        // What came at the other weight is not compared with what comes at this one.
        self.seen += std::mem::take(&mut self.waiting).counts;
    }

    /// Feeds a batch that lasted so long, and returns what was bet on. Bets are made from what was seen before that.
    pub(crate) fn step(&mut self, seen: Seen, lasted_ms: i64, restart_mass: f64, pass_at: f64) -> Seen {
        let seen = match (self.bet, seen) {
            (Bet::Line(_), Seen::Arms(counts)) => Seen::Arms(self.waiting.matched(counts, lasted_ms)),
            _ => seen,
        };
        let gains = |side: Side| match (self.bet, seen) {
            (Bet::Line(line), Seen::Arms(counts)) => self.along(line, &counts, side),
            (Bet::Limit(limit), Seen::Arms(counts)) => {
                one_arm::log_gains(&one_arm::table(limit, side), counts.canary_bad, counts.canary_ok)
            }
            (Bet::Pairs(delta), Seen::Pairs(pairs)) => paired::log_gains(&paired::table(delta, side), &pairs),
            (bet, _) => vec![0.0; components(bet, side)],
        };
        let (fail, pass) = (gains(Side::Fail), gains(Side::Pass));
        self.fail.step(&fail, restart_mass);
        self.pass.step(&pass, 0.0);
        self.passed |= self.pass.log_e() >= pass_at;
        self.seen += match seen {
            Seen::Arms(counts) => counts,
            Seen::Pairs(pairs) => Counts {
                canary_bad: pairs.worse,
                canary_ok: pairs.same + pairs.better,
                stable_bad: pairs.better,
                stable_ok: pairs.same + pairs.worse,
            },
        };
        seen
    }

    /// The largest share of bad outcomes that is tolerated of the canary at stable's present rate.
    pub(crate) fn tolerated(&self) -> Option<f64> {
        match self.bet {
            Bet::Line(line) => (self.seen.stable_total() > 0.0)
                .then(|| line.at(self.seen.stable_bad / self.seen.stable_total()).clamp(0.0, 1.0)),
            Bet::Limit(limit) => Some(limit),
            Bet::Pairs(_) => None,
        }
    }

    /// About how many more answers of the canary it takes to pass, if it is as it was so far. `None` when it would not.
    pub(crate) fn needed(&self, pass_at: f64) -> Option<f64> {
        if self.passed {
            return Some(0.0);
        }
        let (canary, stable) = (self.seen.canary_total(), self.seen.stable_total());
        if canary <= 0.0 {
            return None;
        }
        let rate = |bad: f64, total: f64| two_arm::smoothed(bad, total);
        let growth = match self.bet {
            Bet::Line(line) => {
                let weight = self.seen.realised_weight()?;
                let canary = rate(self.seen.canary_bad, canary);
                Growth::two_arm(canary, rate(self.seen.stable_bad, stable), weight, line, Side::Pass)
            }
            Bet::Limit(limit) => Growth::one_arm(rate(self.seen.canary_bad, canary), limit, Side::Pass),
            Bet::Pairs(delta) => {
                let (worse, better) = (rate(self.seen.canary_bad, canary), rate(self.seen.stable_bad, stable));
                Growth::paired(worse, better, delta, Side::Pass)
            }
        };
        growth.requests(Some(&self.pass), pass_at)
    }

    fn along(&self, line: Line, counts: &Counts, side: Side) -> Vec<f64> {
        let stable_rate = two_arm::smoothed(self.seen.stable_bad, self.seen.stable_total());
        if let Some(weight) = counts.realised_weight() {
            return two_arm::log_gains(&two_arm::table(stable_rate, weight, line, side), counts);
        }
        // All requests go to the canary: it is held to the line through the worst that stable may have been.
        let limit = two_arm::limit_without_stable(line, self.seen.stable_bad, self.seen.stable_total());
        let Some(limit) = limit.filter(|_| counts.canary_total() > 0.0) else {
            return vec![0.0; components(self.bet, side)];
        };
        one_arm::log_gains(&one_arm::table(limit, side), counts.canary_bad, counts.canary_ok)
    }
}

const fn components(bet: Bet, side: Side) -> usize {
    match (bet, side) {
        (Bet::Pairs(_), _) => paired::FRACTIONS.len(),
        (_, Side::Fail) => two_arm::FAIL_SHIFTS.len(),
        (_, Side::Pass) => two_arm::PASS_SHIFTS.len(),
    }
}
