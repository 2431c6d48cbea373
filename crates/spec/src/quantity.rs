//! Kubernetes' resource quantities (`500m`, `1.5Gi`, `12e6`): reading, comparing values, and the form in which they are
//! written back, which goes into the hash of a pod template.

mod canonical;
mod parse;

use std::fmt;

/// A quantity: an exact number, and how it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// The number is `digits * 10^exponent`.
    digits: i128,
    exponent: i32,
    form: Form,
    /// The text as it was read, where it is written back unchanged.
    written: Option<String>,
}

/// Which kind of suffix a quantity is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `n u m k M G T P E`.
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`.
    BinarySi,
    /// `e3`.
    DecimalExponent,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuantityError {
    /// It has another form.
    Format,
    /// Its suffix is unknown.
    Suffix,
    /// It has no digits, or more than are kept.
    Number,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            QuantityError::Format => {
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            }
            QuantityError::Suffix => "unable to parse quantity's suffix",
            QuantityError::Number => "unable to parse numeric part of quantity",
        })
    }
}

impl std::error::Error for QuantityError {}

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// When the text has another form, an unknown suffix, no digits, or more than some forty. (Kubernetes
    /// reads a suffix alone as zero, but not every one.)
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse::parse(text)
    }

    /// The number in whole units, rounded away from zero; beyond 64 bits the nearest that fits.
    pub fn value(&self) -> i64 {
        self.scaled(0)
    }

    /// The number in thousandths, rounded away from zero; beyond 64 bits the nearest that fits.
    pub fn milli(&self) -> i64 {
        self.scaled(-3)
    }

    /// The number in units of `10^scale`.
    fn scaled(&self, scale: i32) -> i64 {
        let shift = i64::from(self.exponent) - i64::from(scale);
        let sign = self.digits.signum();
        let size = self.digits.unsigned_abs();
        let power = |n: i64| u32::try_from(n.unsigned_abs()).ok().and_then(|n| 10_u128.checked_pow(n));
        let scaled = match (shift >= 0, power(shift)) {
            (true, Some(factor)) => size.saturating_mul(factor),
            (true, None) => {
                if size == 0 {
                    0
                } else {
                    u128::MAX
                }
            }
            (false, Some(factor)) => size.div_ceil(factor),
            (false, None) => u128::from(size > 0),
        };
        let scaled = i64::try_from(scaled).unwrap_or(i64::MAX);
        if sign < 0 { -scaled } else { scaled }
    }
}

impl fmt::Display for Quantity {
    /// The canonical form: the largest suffix of its kind without a fraction. A text that was near enough to it is
    /// repeated as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Some(text) => f.write_str(text),
            None => canonical::write(self, f),
        }
    }
}
