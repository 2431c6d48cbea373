//! Sets of labels, the identity of a series.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The label that holds the name of a metric.
pub(crate) const NAME: &str = "__name__";

/// Labels that describe a metric as such. Whatever computes on values removes them, because the result is no longer
/// that metric.
pub(crate) const METADATA: [&str; 3] = [NAME, "__type__", "__unit__"];

/// A set of labels, the metric's name included as `__name__`; sorted by name, without empty values. Cheap to clone.
///
/// The order of sets is that of Prometheus: pair by pair, name before value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// No labels.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A builder without labels.
    pub fn builder() -> LabelsBuilder {
        LabelsBuilder::default()
    }

    /// The set of the given names and values. A later pair replaces an earlier one of the same name; an empty value is
    /// the same as no label.
    pub fn from_pairs<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = Self::builder();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    /// The value of a label, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| &**value)
    }

    /// The name of the metric, if the set has one.
    pub fn metric(&self) -> Option<&str> {
        self.get(NAME)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A builder that starts with these labels.
    pub fn edit(&self) -> LabelsBuilder {
        LabelsBuilder(self.0.iter().cloned().collect())
    }

    /// The value of a label, shared.
    pub(crate) fn value(&self, name: &str) -> Option<&Arc<str>> {
        self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok().map(|at| &self.0[at].1)
    }

    /// Only the labels of these names.
    pub(crate) fn keep(&self, names: &[Arc<str>]) -> Labels {
        self.filter(|name| names.iter().any(|n| **n == *name))
    }

    /// All but the labels of these names and those that describe the metric.
    pub(crate) fn without(&self, names: &[Arc<str>]) -> Labels {
        self.filter(|name| !METADATA.contains(&name) && !names.iter().any(|n| **n == *name))
    }

    /// Without the labels that describe the metric.
    pub(crate) fn without_metadata(&self) -> Labels {
        if self.0.iter().any(|(name, _)| METADATA.contains(&&**name)) { self.without(&[]) } else { self.clone() }
    }

    fn filter(&self, keep: impl Fn(&str) -> bool) -> Labels {
        Labels(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }
}

/// Prints as Prometheus does: `requests_total{code="200"}`, `{a="b"}`, `{}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric();
        let outside = metric.filter(|name| is_metric_name(name));
        let mut parts: Vec<String> = Vec::new();
        if let (Some(name), None) = (metric, outside) {
            parts.push(quoted(name));
        }
        for (name, value) in self.iter().filter(|(name, _)| *name != NAME) {
            let name = if is_label_name(name) { name.to_owned() } else { quoted(name) };
            parts.push(format!("{name}={}", quoted(value)));
        }
        f.write_str(outside.unwrap_or_default())?;
        if parts.is_empty() && outside.is_some() { Ok(()) } else { write!(f, "{{{}}}", parts.join(", ")) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes or changes a set of labels.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder(BTreeMap<Arc<str>, Arc<str>>);

impl LabelsBuilder {
    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        if value.is_empty() {
            self.0.remove(&name);
        } else {
            self.0.insert(name, value);
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.0.remove(name);
        self
    }

    /// The finished set.
    pub fn build(&self) -> Labels {
        Labels(self.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// Whether a metric of this name may stand outside of braces.
pub(crate) fn is_metric_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Whether a label of this name needs no quotes.
pub(crate) fn is_label_name(name: &str) -> bool {
    is_metric_name(name) && !name.contains(':')
}

/// A text in double quotes with Go's escapes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sorted_and_drop_empty_values() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", ""), ("a", "3")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        assert_eq!((labels.get("b"), labels.get("c")), (Some("2"), None));
    }

    #[test]
    fn sets_print_as_in_prometheus() {
        let check = |pairs: &[(&str, &str)], want: &str| {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), want);
        };
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "up"), ("job", "a\"b\\c\nd")], r#"up{job="a\"b\\c\nd"}"#);
        check(&[("job", "x"), ("instance", "y")], r#"{instance="y", job="x"}"#);
        check(&[("__name__", "http.requests"), ("a.b", "x")], r#"{"http.requests", "a.b"="x"}"#);
    }

    #[test]
    fn metadata_goes_with_the_name() {
        let labels = Labels::from_pairs([("__name__", "x"), ("__unit__", "s"), ("a", "1"), ("b", "2")]);
        assert_eq!(labels.without_metadata().to_string(), r#"{a="1", b="2"}"#);
        assert_eq!(labels.without(&["a".into()]).to_string(), r#"{b="2"}"#);
        assert_eq!(labels.keep(&["a".into(), "__name__".into()]).to_string(), r#"x{a="1"}"#);
        assert_eq!(labels.edit().set("b", "").set("a", "9").build().to_string(), r#"x{__unit__="s", a="9"}"#);
    }
}
