//! Writing quantities.

use std::fmt;

use super::{Form, Quantity};

const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

pub(super) fn write(quantity: &Quantity, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if quantity.digits == 0 {
        return f.write_str("0");
    }
    match (quantity.form, whole(quantity)) {
        // Small binary numbers, and those with a fraction, keep their precision as decimal ones.
        (Form::BinarySi, Some(number)) if number.unsigned_abs() >= 1024 => binary(number, f),
        (Form::BinarySi | Form::DecimalSi, _) => {
            let (digits, exponent) = decimal(quantity);
            let index = usize::try_from(exponent / 3 + 3).ok();
            // Beyond `E` Kubernetes has no suffix and writes the digits alone.
            let suffix = index.and_then(|i| DECIMAL.get(i)).unwrap_or(&"");
            write!(f, "{digits}{suffix}")
        }
        (Form::DecimalExponent, _) => match decimal(quantity) {
            (digits, 0) => write!(f, "{digits}"),
            (digits, exponent) => write!(f, "{digits}e{exponent}"),
        },
    }
}

/// The number, if it is whole and fits.
fn whole(quantity: &Quantity) -> Option<i128> {
    let power = 10_i128.checked_pow(quantity.exponent.unsigned_abs())?;
    if quantity.exponent >= 0 {
        return quantity.digits.checked_mul(power);
    }
    (quantity.digits % power == 0).then_some(quantity.digits / power)
}

fn binary(mut number: i128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut power = 0;
    while number % 1024 == 0 && power + 1 < BINARY.len() {
        number /= 1024;
        power += 1;
    }
    write!(f, "{number}{}", BINARY[power])
}

/// The digits with the largest power of ten that is a multiple of three.
fn decimal(quantity: &Quantity) -> (i128, i32) {
    let (mut digits, mut exponent) = (quantity.digits, quantity.exponent);
    while digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    let extra = exponent.rem_euclid(3);
    (digits.saturating_mul(10_i128.pow(extra.unsigned_abs())), exponent - extra)
}
