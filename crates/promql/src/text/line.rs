//! One line of a metrics page.

use std::sync::Arc;

use super::{Sample, TextProblem};
use crate::labels::{LabelsBuilder, NAME};
use crate::number;

/// The types that a page may declare.
const TYPES: [&str; 9] =
    ["counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown", "untyped"];

/// What is wrong with a line, and at which byte.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: TextProblem,
    pub(super) message: String,
}

/// The sample of a line; none if it has none.
pub(super) fn read(line: &str, open_metrics: bool, labels_max: usize) -> Result<Option<Sample>, Fault> {
    let mut reader = Reader { line, at: 0, labels_max };
    reader.space();
    if reader.rest().is_empty() {
        return Ok(None);
    }
    if reader.accept('#') {
        reader.comment()?;
        return Ok(None);
    }
    reader.sample(open_metrics).map(Some)
}

struct Reader<'l> {
    line: &'l str,
    at: usize,
    labels_max: usize,
}

impl<'l> Reader<'l> {
    fn rest(&self) -> &'l str {
        &self.line[self.at..]
    }

    fn accept(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'l str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !keep(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn space(&mut self) {
        self.take_while(is_space);
    }

    fn word(&mut self) -> &'l str {
        self.take_while(|c| !is_space(c))
    }

    fn fail<T>(&self, at: usize, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at, problem: TextProblem::Syntax, message: message.into() })
    }

    /// After `#`: only a declared type is looked at, everything else is for people.
    fn comment(&mut self) -> Result<(), Fault> {
        self.space();
        if self.word() != "TYPE" {
            return Ok(());
        }
        self.space();
        if self.rest().starts_with('"') {
            self.text("name")?;
        } else {
            self.word();
        }
        self.space();
        let at = self.at;
        let kind = self.word();
        if TYPES.contains(&kind) { Ok(()) } else { self.fail(at, format!("{kind:?} is not a type of metric")) }
    }

    fn sample(&mut self, open_metrics: bool) -> Result<Sample, Fault> {
        let start = self.at;
        let mut labels = LabelsBuilder::default();
        let mut count = 0;
        if !self.rest().starts_with('{') {
            let name = self.name(|c| c == ':');
            if name.is_empty() {
                return self.fail(start, "expected the name of a metric");
            }
            labels.set(NAME, name);
            count = 1;
        }
        self.space();
        if self.accept('{') {
            self.labels(&mut labels, &mut count, true)?;
        }
        let labels = labels.build();
        if labels.metric().is_none() {
            return self.fail(start, "the metric has no name");
        }
        self.space();
        let value = self.number()?;
        self.space();
        let mut timestamp_ms = None;
        if !self.rest().is_empty() && !self.rest().starts_with('#') {
            timestamp_ms = Some(self.time(open_metrics)?);
            self.space();
        }
        if self.accept('#') {
            self.exemplar()?;
        }
        if !self.rest().is_empty() {
            return self.fail(self.at, "unexpected text after the sample");
        }
        Ok(Sample { labels, value, timestamp_ms })
    }

    /// A name without quotes; empty if there is none.
    fn name(&mut self, extra: impl Fn(char) -> bool) -> &'l str {
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || extra(c))
    }

    /// The labels after `{`, up to and with `}`. Only where `named` holds may a lone text be the metric's name.
    fn labels(&mut self, out: &mut LabelsBuilder, count: &mut usize, named: bool) -> Result<(), Fault> {
        let mut names: Vec<Arc<str>> = Vec::new();
        loop {
            self.space();
            if self.accept('}') {
                return Ok(());
            }
            let at = self.at;
            *count += 1;
            if *count > self.labels_max {
                let message = format!("the sample has more than {} labels", self.labels_max);
                return Err(Fault { at, problem: TextProblem::TooManyLabels, message });
            }
            let in_quotes = self.rest().starts_with('"');
            let name: Arc<str> = if in_quotes { self.text("name")?.into() } else { self.name(|_| false).into() };
            if name.is_empty() {
                return self.fail(at, "expected the name of a label");
            }
            self.space();
            if in_quotes && named && !self.rest().starts_with('=') {
                if out.build().metric().is_some() {
                    return self.fail(at, "the metric has a name already");
                }
                out.set(NAME, name);
            } else {
                if !self.accept('=') {
                    return self.fail(self.at, "expected =");
                }
                self.space();
                if !self.rest().starts_with('"') {
                    return self.fail(self.at, "expected a value in double quotes");
                }
                let value = self.text("value")?;
                if names.contains(&name) || &*name == NAME {
                    return self.fail(at, format!("label {name:?} stands twice"));
                }
                names.push(name.clone());
                out.set(name, value);
            }
            self.space();
            if !self.accept(',') && !self.rest().starts_with('}') {
                return self.fail(self.at, "expected , or }");
            }
        }
    }

    /// A text in double quotes. Other escapes than the three of the format stay as they are.
    fn text(&mut self, what: &str) -> Result<String, Fault> {
        let start = self.at;
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + at + 1;
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    Some((_, c)) => out.extend(['\\', c]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.fail(start, format!("the {what} is not closed"))
    }

    fn number(&mut self) -> Result<f64, Fault> {
        let at = self.at;
        let word = self.word();
        if word.is_empty() || (at > 0 && !self.line[..at].ends_with([' ', '\t', '}'])) {
            return self.fail(at, "expected a value");
        }
        match number::parse_float(word) {
            Some(value) => Ok(value),
            None => self.fail(at, format!("{word:?} is not a number")),
        }
    }

    fn time(&mut self, open_metrics: bool) -> Result<i64, Fault> {
        let at = self.at;
        let word = self.word();
        if !open_metrics {
            return match word.parse() {
                Ok(t_ms) => Ok(t_ms),
                Err(_) => self.fail(at, format!("{word:?} is not a time in milliseconds")),
            };
        }
        match number::parse_float(word).map(|t_s| t_s * 1000.0) {
            // 2^53: beyond it a float no longer holds whole milliseconds.
            Some(t_ms) if t_ms.abs() < 9_007_199_254_740_992.0 => Ok(t_ms.round() as i64),
            _ => self.fail(at, format!("{word:?} is not a time in seconds")),
        }
    }

    /// After the `#` behind a sample: an example of what was measured. It is read to see that the line is whole.
    fn exemplar(&mut self) -> Result<(), Fault> {
        self.space();
        if !self.accept('{') {
            return self.fail(self.at, "expected the labels of an exemplar");
        }
        let mut count = 0;
        self.labels(&mut LabelsBuilder::default(), &mut count, false)?;
        self.space();
        self.number()?;
        self.space();
        if !self.rest().is_empty() {
            self.time(true)?;
            self.space();
        }
        Ok(())
    }
}

fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}
