//! Points, series and the values that queries give.

use crate::labels::Labels;

/// The bits of the number that marks the end of a series. It is a NaN that no arithmetic produces.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The number that marks the end of a series: from its time on, the series has no value until the next sample.
pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// Whether a number is the marker of [`stale_marker`], and not merely a NaN.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub t_ms: i64,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

/// Points of one series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Which series.
    pub labels: Labels,
    /// Its points; at least one.
    pub points: Vec<Point>,
}

/// The answer to a query.
///
/// "No data" is an empty vector or matrix. It is never zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number without labels.
    Scalar(f64),
    /// One number per series at the time of the query, in the order in which Prometheus gives them.
    Vector(Vec<(Labels, f64)>),
    /// Points per series, sorted by labels.
    Matrix(Vec<Series>),
    /// A text.
    Text(String),
}

impl Value {
    /// The kind in the words of the Prometheus API: `scalar`, `vector`, `matrix` or `string`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Scalar(_) => "scalar",
            Value::Vector(_) => "vector",
            Value::Matrix(_) => "matrix",
            Value::Text(_) => "string",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_a_nan_but_no_nan_is_the_marker() {
        assert!(stale_marker().is_nan() && is_stale(stale_marker()));
        assert!(!is_stale(f64::NAN) && !is_stale(stale_marker() + 1.0));
    }
}
