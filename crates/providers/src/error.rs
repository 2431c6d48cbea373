//! What can go wrong with a measurement.

use std::time::Duration;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The next measurement may succeed.
    Retry,
    /// The metric has to be changed.
    User,
}

/// Why there is no value.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The metric cannot be measured as it is written.
    #[error("failed to use the metric's provider: {0}")]
    Config(String),
    /// The query is not one that the embedded store answers.
    #[error("failed to read the query: {message}")]
    Query {
        /// What is wrong.
        message: String,
        /// First byte of the part of the query that is wrong.
        start: usize,
        /// One past its last byte.
        end: usize,
        /// What to do about it, if we know.
        hint: Option<String>,
    },
    /// The query has no answer for the data that there are.
    #[error(transparent)]
    Evaluate(#[from] serin_promql::EvalError),
    /// There is no connection to the source.
    #[error("failed to reach {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("failed to talk to {address}: {source}")]
    Talk {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// There was no whole answer in time.
    #[error("failed to get an answer from {address} within {timeout:?}")]
    TimedOut {
        /// Host and port.
        address: String,
        /// The time that it had.
        timeout: Duration,
    },
    /// The source does not speak HTTP, or stopped within an answer.
    #[error("failed to read the answer of {address}: {message}")]
    Garbage {
        /// Host and port.
        address: String,
        /// What is wrong.
        message: String,
    },
    /// The answer is larger than we read.
    #[error("failed to read the answer of {address}: it is larger than {limit} bytes")]
    TooLarge {
        /// Host and port.
        address: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The source refused, or its answer is no value.
    #[error("{0}")]
    Answer(String),
}

impl ProviderError {
    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            ProviderError::Config(_) | ProviderError::Query { .. } => Class::User,
            _ => Class::Retry,
        }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        ProviderError::Config(message.into())
    }

    pub(crate) fn answer(message: impl Into<String>) -> Self {
        ProviderError::Answer(message.into())
    }
}
