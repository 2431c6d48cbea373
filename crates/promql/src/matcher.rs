//! Conditions on labels: `=`, `!=`, `=~`, `!~`.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::labels::Labels;

/// Memory that a compiled pattern may take, in bytes. The default of the library, written down so that a hostile
/// pattern in a template is refused here and not by chance.
const PATTERN_BYTES_MAX: usize = 10 * 1024 * 1024;

/// How a label's value is compared.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Equal,
    NotEqual,
    Match(Regex),
    NotMatch(Regex),
}

/// A condition on one label. A label that is absent has the empty value.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    pub(crate) name: Arc<str>,
    pub(crate) value: Arc<str>,
    pub(crate) test: Test,
}

impl Matcher {
    pub(crate) fn equal(name: &str, value: &str) -> Matcher {
        Matcher { name: name.into(), value: value.into(), test: Test::Equal }
    }

    pub(crate) fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal => *self.value == *value,
            Test::NotEqual => *self.value != *value,
            Test::Match(pattern) => pattern.is_match(value),
            Test::NotMatch(pattern) => !pattern.is_match(value),
        }
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.accepts(labels.get(&self.name).unwrap_or_default())
    }

    pub(crate) fn is_equal(&self) -> bool {
        matches!(self.test, Test::Equal)
    }
}

/// A pattern that must match a whole value, where `.` matches line ends too.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    // The pattern is read alone first, or `a)(b` would close the group around it.
    let build = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_BYTES_MAX).build();
    build(pattern)
        .and_then(|_| build(&format!("^(?s:{pattern})$")))
        .map_err(|error| error.to_string().lines().last().unwrap_or("bad pattern").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_values() {
        let check = |pattern: &str, value: &str, want: bool| {
            assert_eq!(whole(pattern).unwrap().is_match(value), want, "{pattern} on {value:?}");
        };
        check("a|b", "a", true);
        check("a|b", "ab", false);
        check("a.*", "a\nb", true);
        check("", "", true);
        check(".+", "", false);
        assert!(whole("a)(b").is_err());
        assert!(whole("(").is_err());
    }
}
