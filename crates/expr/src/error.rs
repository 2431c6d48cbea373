//! Places in a condition and the errors that point at them.

use std::fmt;

/// A half-open range of byte offsets in the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The smallest span that covers both.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A condition that can never be evaluated, whatever the result is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Where in the source.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if we know.
    pub hint: Option<String>,
}

impl CompileError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        CompileError { span, message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompileError {}

/// A condition that has no answer for one result. The measurement is then an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// The part of the source that failed.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

impl EvalError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        EvalError { span, message: message.into() }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
