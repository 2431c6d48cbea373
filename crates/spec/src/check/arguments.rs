//! The `{{args.name}}` placeholders of a metric and the arguments that fill them.

use std::collections::BTreeMap;

use serin_expr::template::{self, TemplateError};

use super::nearest::suggest;
use crate::catalog::Origin;
use crate::document::Node;
use crate::problem::Problem;

/// The arguments of a template or run: the names that exist, with their values where those are written down.
#[derive(Debug, Default)]
pub(super) struct Arguments<'a> {
    pub(super) values: BTreeMap<&'a str, Option<&'a str>>,
}

impl Arguments<'_> {
    /// Reports placeholders of `text` that nothing can fill.
    pub(super) fn check(&self, origin: &Origin, node: &Node, text: &str, path: &str, problems: &mut Vec<Problem>) {
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
            let names: Vec<&str> = self.values.keys().copied().collect();
            let hint = suggest(placeholder.name, &names).unwrap_or_else(|| "declare it under spec.args".to_owned());
            problems.push(origin.problem_at("unknown-argument", spot, path, message).hint(hint));
        }
    }

    /// The text with its placeholders filled in, and the byte up to which it is unchanged; `None` if a value is open.
    pub(super) fn fill(&self, text: &str) -> Option<(String, usize)> {
        let unchanged = text.find("{{").unwrap_or(text.len());
        let filled = template::substitute(text, |name| self.values.get(name).copied().flatten()).ok()?;
        Some((filled, unchanged))
    }

    /// As [`Arguments::fill`], with `otherwise` for every value that is open.
    pub(super) fn fill_or(&self, text: &str, otherwise: &str) -> Option<(String, usize)> {
        let unchanged = text.find("{{").unwrap_or(text.len());
        let value = |name: &str| self.values.get(name).map(|value| value.unwrap_or(otherwise));
        let filled = template::substitute(text, value).ok()?;
        Some((filled, unchanged))
    }
}
