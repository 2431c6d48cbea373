//! The `{{args.name}}` placeholders of a metric and the arguments that fill them.

use std::collections::BTreeMap;
use std::ops::Range;

use serin_expr::Span;
use serin_expr::template::{self, TemplateError};

use super::nearest::{CANDIDATES_MAX, suggest};
use crate::catalog::Origin;
use crate::document::Node;
use crate::problem::Findings;

/// The arguments of a template or run: the names that exist, with their values where those are written down.
#[derive(Debug, Default)]
pub(crate) struct Arguments<'a> {
    pub(crate) values: BTreeMap<&'a str, Option<&'a str>>,
}

impl Arguments<'_> {
    /// Reports placeholders of `text` that nothing can fill.
    pub(super) fn check(&self, origin: &Origin, node: &Node, text: &str, path: &str, problems: &mut Findings) {
        let found = match template::placeholders(text) {
            Ok(found) => found,
            Err(error) => {
                let span = error.span();
                let width = text[span.start..span.end].chars().count();
                let spot = node.spot_inside(span.start, width);
                let hint = match error {
                    TemplateError::Unbalanced { .. } => "close it with }}; a literal {{ must come from an argument",
                    _ => "only {{args.NAME}} can stand in double braces",
                };
                problems.push(origin.problem_at("bad-placeholder", spot, path, error.to_string()).hint(hint));
                return;
            }
        };
        for placeholder in found.iter().filter(|placeholder| !self.values.contains_key(placeholder.name)) {
            let span = placeholder.span;
            let spot = node.spot_inside(span.start, text[span.start..span.end].chars().count());
            let message = format!("there is no argument {:?}", placeholder.name);
            let names: Vec<&str> = self.values.keys().copied().take(CANDIDATES_MAX).collect();
            let hint = suggest(placeholder.name, &names).unwrap_or_else(|| "declare it under spec.args".to_owned());
            problems.push(origin.problem_at("unknown-argument", spot, path, message).hint(hint));
        }
    }

    /// The text with its placeholders filled in; `None` if a value is open.
    pub(crate) fn fill(&self, text: &str) -> Option<Filled> {
        self.filled(text, |name| self.values.get(name).copied().flatten())
    }

    /// As [`Arguments::fill`], with `otherwise` for every value that is open.
    pub(crate) fn fill_or(&self, text: &str, otherwise: &str) -> Option<Filled> {
        self.filled(text, |name| self.values.get(name).map(|value| value.unwrap_or(otherwise)))
    }

    fn filled<'v>(&self, text: &str, value: impl Fn(&str) -> Option<&'v str>) -> Option<Filled> {
        let mut filled = Filled { text: String::new(), replaced: Vec::new() };
        let mut at = 0;
        for placeholder in template::placeholders(text).ok()? {
            filled.text.push_str(&text[at..placeholder.span.start]);
            let start = filled.text.len();
            filled.text.push_str(value(placeholder.name)?);
            filled.replaced.push((start..filled.text.len(), placeholder.span));
            at = placeholder.span.end;
        }
        filled.text.push_str(&text[at..]);
        Some(filled)
    }
}

/// A text whose placeholders are filled in, which still knows where each part stood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filled {
    pub(crate) text: String,
    /// Bytes of the filled text, and the placeholder that stood there.
    replaced: Vec<(Range<usize>, Span)>,
}

impl Filled {
    /// The bytes of the original text from which bytes of the filled text come; whole placeholders where they came
    /// from inside one.
    pub(crate) fn original(&self, filled: Range<usize>) -> Range<usize> {
        self.map(filled.start, false)..self.map(filled.end, true)
    }

    fn map(&self, at: usize, end: bool) -> usize {
        let mut shift = 0_isize;
        for (range, span) in &self.replaced {
            let inside = if end { range.start < at && at <= range.end } else { range.contains(&at) };
            if inside {
                return if end { span.end } else { span.start };
            }
            if at < range.end || range.start >= at {
                break;
            }
            shift = span.end as isize - range.end as isize;
        }
        at.saturating_add_signed(shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_a_filled_text_are_found_in_the_original() {
        let mut arguments = Arguments::default();
        arguments.values.insert("a", Some("long value"));
        arguments.values.insert("b", Some(""));
        let filled = arguments.fill("x {{args.a}} y {{ args.b }} z").unwrap();
        assert_eq!(filled.text, "x long value y  z");
        let part = |range: Range<usize>| &"x {{args.a}} y {{ args.b }} z"[filled.original(range)];
        assert_eq!(part(0..1), "x");
        assert_eq!(part(4..6), "{{args.a}}");
        assert_eq!(part(13..14), "y");
        assert_eq!(part(16..17), "z");
        assert_eq!(part(0..17), "x {{args.a}} y {{ args.b }} z");
    }

    #[test]
    fn an_open_value_leaves_the_text_open() {
        let mut arguments = Arguments::default();
        arguments.values.insert("a", None);
        assert!(arguments.fill("{{args.a}}").is_none());
        assert_eq!(arguments.fill_or("{{args.a}}", "0").unwrap().text, "0");
        assert!(arguments.fill_or("{{args.b}}", "0").is_none());
    }
}
