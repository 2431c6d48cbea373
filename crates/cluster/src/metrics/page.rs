//! The text format of Prometheus.

use std::fmt::Write as _;

use crate::tally::Histogram;

/// Labels of a sample, in the order in which they are written.
pub(crate) type Labels<'a> = [(&'a str, &'a str)];

/// A page that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    /// Begins a family; its samples follow.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample.
    pub(crate) fn sample(&mut self, name: &str, labels: &Labels<'_>, value: f64) {
        self.text.push_str(name);
        self.labels(labels, None);
        let _ = writeln!(self.text, " {value}");
    }

    /// The samples of a histogram.
    pub(crate) fn histogram<const N: usize>(&mut self, name: &str, labels: &Labels<'_>, histogram: &Histogram<N>) {
        let buckets = histogram.bounds.iter().map(f64::to_string).zip(histogram.buckets);
        for (bound, count) in buckets.chain([("+Inf".to_owned(), histogram.count)]) {
            let _ = write!(self.text, "{name}_bucket");
            self.labels(labels, Some(&bound));
            let _ = writeln!(self.text, " {count}");
        }
        for (suffix, value) in [("_sum", histogram.sum.to_string()), ("_count", histogram.count.to_string())] {
            let _ = write!(self.text, "{name}{suffix}");
            self.labels(labels, None);
            let _ = writeln!(self.text, " {value}");
        }
    }

    fn labels(&mut self, labels: &Labels<'_>, bound: Option<&str>) {
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let mut open = '{';
        for (name, value) in all {
            let _ = write!(self.text, "{open}{name}=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    plain => self.text.push(plain),
                }
            }
            self.text.push('"');
            open = ',';
        }
        if open == ',' {
            self.text.push('}');
        }
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}
