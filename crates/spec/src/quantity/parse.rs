//! Reading quantities.

use super::{Form, Quantity, QuantityError};

/// Digits with which Kubernetes computes in 64 bits; a longer text is never repeated as written.
const FAST_DIGITS: usize = 18;
/// Smallest power of ten that is kept; finer numbers are rounded away from zero, so that a little never becomes nothing.
const NANO: i32 = -9;

/// A text taken apart.
struct Parts<'t> {
    negative: bool,
    /// Whether there is any digit in front of the suffix.
    digits: bool,
    /// Digits before the point, without leading zeros.
    whole: &'t str,
    /// Digits after the point.
    fraction: &'t str,
    suffix: &'t str,
}

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    let parts = split(text)?;
    if !parts.digits {
        return Err(QuantityError::Number);
    }
    let (form, power) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
    let digits = format!("{}{}", parts.whole, parts.fraction);
    let mut number: i128 = digits.parse().map_err(|_| QuantityError::Number)?;
    let mut exponent = -i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::Number)?;
    match form {
        Form::BinarySi => number = number.checked_mul(1 << power).ok_or(QuantityError::Number)?,
        Form::DecimalSi | Form::DecimalExponent => {
            exponent = exponent.checked_add(power).ok_or(QuantityError::Number)?;
        }
    }
    let written = is_canonical(&parts, &digits, form, power, exponent);
    let (mut number, exponent) = round_to_nano(number, exponent);
    let mut form = form;
    if form == Form::BinarySi && !written {
        (number, form) = bound_binary(number, exponent);
    }
    Ok(Quantity {
        digits: if parts.negative { -number } else { number },
        exponent,
        form,
        written: written.then(|| text.to_owned()),
    })
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = rest.split_at(digits(rest));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(after) => after.split_at(digits(after)),
        None => ("", rest),
    };
    let letters = suffix.bytes().take_while(|b| b"eEinumkKMGTP".contains(b)).count();
    let tail = suffix[letters..].strip_prefix(['-', '+']).unwrap_or(&suffix[letters..]);
    let shaped = !text.is_empty() && tail.bytes().all(|b| b.is_ascii_digit());
    let any = !whole.is_empty() || !fraction.is_empty();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    shaped.then_some(Parts { negative, digits: any, whole, fraction, suffix }).ok_or(QuantityError::Format)
}

/// What a suffix stands for: a power of ten, or of two for the binary ones.
fn suffix(text: &str) -> Option<(Form, i32)> {
    let known = match text {
        "" => (Form::DecimalSi, 0),
        "n" => (Form::DecimalSi, -9),
        "u" => (Form::DecimalSi, -6),
        "m" => (Form::DecimalSi, -3),
        "k" => (Form::DecimalSi, 3),
        "M" => (Form::DecimalSi, 6),
        "G" => (Form::DecimalSi, 9),
        "T" => (Form::DecimalSi, 12),
        "P" => (Form::DecimalSi, 15),
        "E" => (Form::DecimalSi, 18),
        "Ki" => (Form::BinarySi, 10),
        "Mi" => (Form::BinarySi, 20),
        "Gi" => (Form::BinarySi, 30),
        "Ti" => (Form::BinarySi, 40),
        "Pi" => (Form::BinarySi, 50),
        "Ei" => (Form::BinarySi, 60),
        _ => (Form::DecimalExponent, text.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(known)
}

/// Whether Kubernetes repeats the text as it stands. Its test is coarser than the canonical form (`+1`, `1.500` and `1e3`
/// pass), and a hash must follow it.
fn is_canonical(parts: &Parts<'_>, digits: &str, form: Form, power: i32, exponent: i32) -> bool {
    if form == Form::BinarySi {
        // About three decimal digits to every ten binary ones, out of fifteen.
        let room = 15 - i32::try_from(digits.len()).unwrap_or(i32::MAX - 15) - power * 3 / 10 - 1;
        let odd = digits.parse::<i64>().is_ok_and(|n| n & 7 != 0);
        return parts.fraction.is_empty() && room >= 0 && odd;
    }
    let fits = digits.len() <= FAST_DIGITS && exponent >= NANO;
    fits && exponent % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0')
}

/// The number in at most nine places after the point, rounded up. (`number` has no sign here.)
fn round_to_nano(number: i128, exponent: i32) -> (i128, i32) {
    if number == 0 {
        return (0, 0);
    }
    if exponent >= NANO {
        return (number, exponent);
    }
    let divisor = u32::try_from(NANO - exponent).ok().and_then(|places| 10_i128.checked_pow(places));
    (divisor.map_or(1, |divisor| (number - 1) / divisor + 1), NANO)
}

/// Binary quantities end at 2^63-1, and below one they are written as decimal ones.
fn bound_binary(number: i128, exponent: i32) -> (i128, Form) {
    let one = 10_i128.pow(exponent.unsigned_abs());
    let number = number.min(i128::from(i64::MAX) * one);
    (number, if number > 0 && number < one { Form::DecimalSi } else { Form::BinarySi })
}
