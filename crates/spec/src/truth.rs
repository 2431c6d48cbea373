//! When a prediction counts as right, once the truth is known. An annotation of a Rollout says how far numbers may be off.

use crate::catalog::Entry;
use crate::problem::Findings;
use crate::wire::Rollout;

/// How far a predicted number may be from the truth: `0.5`, or `10%` of the truth. Without it numbers have to be equal.
pub const TOLERANCE: &str = "serin.dev/label-tolerance";

/// How far a number may be from the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// So far, in the unit of the prediction; at least 0.
    Absolute(f64),
    /// Such a share of the truth; at least 0.
    Relative(f64),
}

impl Default for Tolerance {
    /// Equal, but for what writing a number down in decimals and reading it again may change.
    fn default() -> Self {
        Self::Relative(1e-9)
    }
}

impl Tolerance {
    /// Reads `0.5` or `10%`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (digits, share) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), true),
            None => (text, false),
        };
        let value: f64 = digits.parse().ok()?;
        let sound = value.is_finite() && value >= 0.0;
        sound.then_some(if share { Self::Relative(value / 100.0) } else { Self::Absolute(value) })
    }

    /// What a Rollout says; the default where it says nothing that can be read.
    pub fn of(rollout: &Rollout) -> Self {
        rollout.metadata.annotations.get(TOLERANCE).and_then(|text| Self::parse(text)).unwrap_or_default()
    }

    /// Whether a prediction was right, given its class (a text, `true`, `false` or the digits of an integer), its number, and the truth as it was written;
    /// `None` when the truth is of another kind than the prediction, so that it says nothing about it.
    ///
    /// Classes are compared as they are written, `true` and `false` in any case. Integers are classes, and `1` is also written `1.0`. Other numbers are
    /// right within the tolerance.
    pub fn right(self, class: Option<&str>, number: Option<f64>, truth: &str) -> Option<bool> {
        let written = || truth.parse::<f64>().ok().filter(|value| value.is_finite());
        match (class, number) {
            (Some(class @ ("true" | "false")), None) => Some(class.eq_ignore_ascii_case(truth)),
            (Some(class), None) => Some(class == truth),
            (Some(class), Some(number)) => (class == truth).then_some(true).or_else(|| Some(written()? == number)),
            (None, Some(number)) => {
                let value = written()?;
                let tolerated = match self {
                    Self::Absolute(tolerated) => tolerated,
                    Self::Relative(share) => share * value.abs(),
                };
                Some((number - value).abs() <= tolerated)
            }
            (None, None) => None,
        }
    }
}

/// A tolerance that cannot be read.
pub(crate) fn check(entry: &Entry<Rollout>, problems: &mut Findings) {
    let Some(text) = entry.object.metadata.annotations.get(TOLERANCE) else { return };
    if Tolerance::parse(text).is_none() {
        let path = format!("metadata.annotations[{TOLERANCE}]");
        let problem = entry.origin.problem("bad-value", &path, format!("{text:?} is no tolerance"));
        problems.push(problem.expected("a number of at least 0, such as \"0.5\", or a share such as \"10%\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_are_numbers_or_shares() {
        assert_eq!(Tolerance::parse(" 0.5 "), Some(Tolerance::Absolute(0.5)));
        assert_eq!(Tolerance::parse("10 %"), Some(Tolerance::Relative(0.1)));
        assert_eq!(Tolerance::parse("0"), Some(Tolerance::Absolute(0.0)));
        for bad in ["", "%", "-1", "a lot", "inf", "NaN", "5%%"] {
            assert_eq!(Tolerance::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn classes_are_right_as_they_are_written() {
        let right = |class: &str, truth: &str| Tolerance::Absolute(100.0).right(Some(class), None, truth);
        assert_eq!(
            (right("yes", "yes"), right("yes", "no"), right("yes", "Yes")),
            (Some(true), Some(false), Some(false))
        );
        assert_eq!((right("true", "True"), right("false", "TRUE")), (Some(true), Some(false)));
        assert_eq!(right("1", "1.0"), Some(false), "a text that looks like a number is a text");
    }

    #[test]
    fn integers_are_classes_whatever_the_tolerance() {
        let right = |truth: &str| Tolerance::Absolute(100.0).right(Some("1"), Some(1.0), truth);
        assert_eq!((right("1"), right("1.0"), right("2")), (Some(true), Some(true), Some(false)));
        assert_eq!((right("yes"), right("inf")), (None, None));
    }

    #[test]
    fn numbers_are_right_within_the_tolerance() {
        let check = |tolerance: Tolerance, number: f64, truth: &str| tolerance.right(None, Some(number), truth);
        assert_eq!(check(Tolerance::default(), 0.1 + 0.2, "0.3"), Some(true));
        assert_eq!(check(Tolerance::default(), 0.31, "0.3"), Some(false));
        assert_eq!(check(Tolerance::Absolute(0.5), 12.5, "12"), Some(true));
        assert_eq!(check(Tolerance::Absolute(0.5), 12.51, "12"), Some(false));
        assert_eq!(check(Tolerance::Relative(0.1), -9.0, "-10"), Some(true));
        assert_eq!(check(Tolerance::Relative(0.1), 8.9, "10"), Some(false));
        assert_eq!(check(Tolerance::default(), 0.3, "low"), None);
        assert_eq!(Tolerance::default().right(None, None, "1"), None);
    }
}
