//! From a row to numbers, as each release does it. Here the broken releases break: in the way features are made.

mod customer;
mod review;
mod trip;

use crate::learn::Features;
use crate::row::Row;
use crate::version::Version;

/// On which side of a release the numbers are made. The two must agree, and in v3.4.0 they do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Learning.
    Training,
    /// Answering.
    Serving,
}

/// Why a release cannot make numbers of a row that is perfectly in order.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// A feature came out infinite.
    #[error("feature '{0}' is not a finite number")]
    NotFinite(&'static str),
    /// A category is not in the table.
    #[error("'{0}' is not in the vocabulary of {1}")]
    NotInVocabulary(String, &'static str),
    /// A number lies beyond the end of a table.
    #[error("{0} is beyond the table of {1}")]
    BeyondTable(f64, &'static str),
    /// A text cannot be cut into words.
    #[error("the quote at byte {0} is not closed")]
    OpenQuote(usize),
}

/// The numbers that a release makes of a row.
///
/// # Errors
/// Only in the releases v3.3.0 and v4.0.0.
pub fn features(row: &Row, version: Version, side: Side) -> Result<Features, FeatureError> {
    match row {
        Row::Churn(customer) => customer::features(customer, version, side),
        Row::Tip(trip) => trip::features(trip, version),
        Row::Sentiment(review) => review::features(&review.text, version),
    }
}

/// Number of sparse features of a release; dense features count themselves.
pub fn width(version: Version) -> usize {
    review::width(version)
}
