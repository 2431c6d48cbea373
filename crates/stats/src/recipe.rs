//! What a metric asks: which outcome, against what, and how sure it has to be. Plain settings; `serin-spec` reads them from manifests.

use serde::{Deserialize, Serialize};

use crate::two_arm::Line;

/// A metric that is judged by sequential tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// What is compared.
    pub test: Test,
    /// How sure the verdict is.
    pub budget: Budget,
    /// The slice by whose values it is watched as well, if any.
    pub slice: Option<String>,
}

/// What is compared with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Test {
    /// The canary's share of bad outcomes against stable's. It is worse when it is beyond every one of the lines.
    Compare {
        /// The outcome.
        outcome: Outcome,
        /// What is tolerated. Not empty.
        lines: Vec<Line>,
    },
    /// The canary's share of bad outcomes against a fixed limit.
    Limit {
        /// The outcome.
        outcome: Outcome,
        /// The largest tolerated share, 0 to 1.
        limit: f64,
    },
    /// Latency quantiles: no more answers beyond `1 + tolerance` times stable's present quantile than stable itself has beyond it.
    Slower {
        /// The quantiles, each within 0 and 1.
        quantiles: Vec<f64>,
        /// How much slower is tolerated, as a share: 0.2 is a fifth.
        tolerance: f64,
    },
    /// The predictions against those of stable.
    Drift {
        /// Which property of their distribution.
        of: Distribution,
        /// How far a share may move, 0.03 is three points.
        tolerance: f64,
    },
    /// Answers of both versions to the same requests.
    Shadow {
        /// The outcome.
        of: Paired,
        /// What is tolerated: a difference of shares for errors and predictions, a share of the pairs that differ for agreement, a relative
        /// slow-down for latency.
        tolerance: f64,
    },
}

impl Test {
    /// Whether it compares requests of one version with others of the other, so that it means nothing where they are not split by chance.
    pub(crate) fn needs_split(&self) -> bool {
        matches!(self, Test::Compare { .. } | Test::Slower { .. } | Test::Drift { .. })
    }
}

/// An outcome that is bad or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The answer is an error.
    Errors,
    /// The answer took longer than so many microseconds: a bound of [`crate::sketch::latency`].
    SlowerThan(u64),
    /// A good answer has no prediction.
    MissingPrediction,
    /// The prediction is this class.
    Class(String),
    /// The prediction is not this class.
    NotClass(String),
    /// The prediction turned out to be wrong.
    Wrong,
}

/// What of a distribution may not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Distribution {
    /// The share of each class, up or down. The classes that share the evidence equally; of unnamed ones the first to appear gets most.
    Classes(Vec<String>),
    /// The share of any set of classes: total variation.
    TotalVariation,
    /// The distribution function of a number, at sixteen quantiles of stable's.
    Numbers,
}

/// What of a pair of answers is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Paired {
    /// Errors of one that the other does not make.
    Errors,
    /// The share of each class.
    Classes,
    /// The share of pairs whose predictions differ.
    Agreement,
    /// Which of the two is slower.
    Latency,
}

/// How sure a verdict is, and how long it may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Budget {
    /// Probability that a rollout is failed although nothing is worse than tolerated, over all its metrics, steps and looks. Within 0 and 1.
    pub alpha: f64,
    /// Probability that a step passes although the canary is at the tolerance or beyond. Within 0 and 1.
    pub beta: f64,
    /// The part of `alpha` that is this metric's, 0 to 1; the parts of a rollout's metrics have a sum of at most 1.
    pub share: f64,
    /// The longest that a test goes on, in milliseconds: later regressions are found the slower the longer this is.
    pub horizon_ms: i64,
    /// Bad outcomes of the canary without which it never fails, at least 1.
    pub bad_min: u32,
}

impl Default for Budget {
    /// 1 % and 5 %, the whole of alpha, an hour, and three bad outcomes: with fewer, a single stray error could decide.
    fn default() -> Self {
        Self { alpha: 0.01, beta: 0.05, share: 1.0, horizon_ms: 3_600_000, bad_min: 3 }
    }
}

impl Recipe {
    /// A recipe with the default budget.
    pub fn new(test: Test) -> Self {
        Self { test, budget: Budget::default(), slice: None }
    }

    /// `ln` of the evidence at which it passes.
    pub(crate) fn pass_at(&self) -> f64 {
        -crate::numeric::ln(self.budget.beta)
    }
}
