//! Learning to tell two classes apart: logistic regression, boosted trees, and how good either is.

pub mod logistic;
pub mod quality;
mod shuffle;
pub mod trees;

use serde::{Deserialize, Serialize};

pub use shuffle::Shuffle;

/// A row as numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// Every feature, in order.
    Dense(Vec<f64>),
    /// The features that are not 0, by index.
    Sparse(Vec<(u32, f64)>),
}

/// A fitted learner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learner {
    /// Logistic regression.
    Logistic(logistic::Logistic),
    /// Boosted trees; dense features only.
    Trees(trees::Trees),
}

impl Learner {
    /// Log-odds of the positive class.
    pub fn log_odds(&self, features: &Features) -> f64 {
        match (self, features) {
            (Learner::Logistic(logistic), features) => logistic.log_odds(features),
            (Learner::Trees(trees), Features::Dense(values)) => trees.log_odds(values),
            (Learner::Trees(trees), Features::Sparse(_)) => trees.log_odds(&[]),
        }
    }
}

/// The probability that belongs to log-odds. From `libm`, so that a model is the same on every machine.
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-log_odds))
}

/// Six decimals. That is far below the noise of the data, makes the files half as long, and is read back as the same
/// number, which longer ones need not be.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
