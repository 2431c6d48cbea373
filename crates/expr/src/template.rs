//! Finds and fills in `{{args.NAME}}` placeholders.

use std::fmt;

use crate::error::Span;

/// A `{{args.NAME}}` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder<'t> {
    /// What stands after `args.`.
    pub name: &'t str,
    /// From the first brace to the last.
    pub span: Span,
}

/// Why a text cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A `{{` without its `}}`.
    Unbalanced {
        /// From the braces to the end of the text.
        span: Span,
    },
    /// Braces around something that is not `args.NAME`.
    Unknown {
        /// What stands between the braces, as written.
        tag: String,
        /// The whole placeholder.
        span: Span,
    },
    /// An argument without a value.
    NotSupplied {
        /// The argument.
        name: String,
        /// The whole placeholder.
        span: Span,
    },
}

impl TemplateError {
    /// Where in the text.
    pub fn span(&self) -> Span {
        match self {
            TemplateError::Unbalanced { span }
            | TemplateError::Unknown { span, .. }
            | TemplateError::NotSupplied { span, .. } => *span,
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Unbalanced { .. } => f.write_str("{{ without a matching }}"),
            TemplateError::Unknown { tag, .. } => write!(f, "failed to resolve {{{{{tag}}}}}"),
            TemplateError::NotSupplied { name, .. } => {
                write!(f, "argument \"{name}\" was not supplied")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

/// Every placeholder of `text`, in order.
///
/// # Errors
/// The first unbalanced `{{`, or braces around anything but `args.NAME`.
//= compat: 3.2-8, 3.2-9
pub fn placeholders(text: &str) -> Result<Vec<Placeholder<'_>>, TemplateError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("{{").map(|offset| at + offset) {
        let inner = start + 2;
        let Some(length) = text[inner..].find("}}") else {
            return Err(TemplateError::Unbalanced { span: Span { start, end: text.len() } });
        };
        let end = inner + length + 2;
        let tag = &text[inner..inner + length];
        let span = Span { start, end };
        match tag.trim().strip_prefix("args.") {
            Some(name) => found.push(Placeholder { name, span }),
            None => {
                return Err(TemplateError::Unknown { tag: tag.to_owned(), span });
            }
        }
        at = end;
    }
    Ok(found)
}

/// Fills in plain text: each placeholder becomes what `lookup` gives for its name.
///
/// # Errors
/// As [`placeholders`], and the first name for which `lookup` gives nothing.
//= compat: 3.2-8, 3.2-9
pub fn substitute<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> Result<String, TemplateError> {
    fill(text, lookup, |value, out| out.push_str(value))
}

/// Fills in JSON text, inside whose strings the placeholders stand: values are quoted as Go quotes them, so that
/// the outcome is the same JSON with longer strings.
///
/// Go's escapes for control characters and for what it does not print (`\a`, `\v`, `\x01`, `\U000e0001`) are no
/// JSON; they are written as `\u` escapes instead, which is what they mean.
///
/// # Errors
/// As [`substitute`].
//= compat: 3.2-8
pub fn substitute_json<'v>(json: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> Result<String, TemplateError> {
    fill(json, lookup, quote)
}

fn fill<'v>(
    text: &str,
    lookup: impl Fn(&str) -> Option<&'v str>,
    write: impl Fn(&str, &mut String),
) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Placeholder { name, span } in placeholders(text)? {
        let Some(value) = lookup(name) else {
            return Err(TemplateError::NotSupplied { name: name.to_owned(), span });
        };
        out.push_str(&text[at..span.start]);
        write(value, &mut out);
        at = span.end;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

fn quote(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}
