//! Problems as a compiler shows them: the line of the manifest with the wrong part underlined.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Problem, Severity};
use crate::lint;
use crate::read::Source;

/// Whether terminal colours are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escapes.
    Always,
}

/// Lines longer than this (in bytes) are not shown: a minified file would fill the terminal.
const LINE_SHOWN: usize = 400;

/// A problem with the lines around it, what was expected, and the hint. `sources` are those that were checked; a
/// problem of a file that is not among them is shown without its line.
pub fn render(problem: &Problem, sources: &[Source], colour: Colour) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = match problem.path.as_str() {
        "" => problem.message.clone(),
        path => format!("{path}: {}", problem.message),
    };
    let source = sources.iter().find(|source| source.name == problem.file);
    let shown = source.and_then(|source| line_of(&source.text, problem).map(|(line, span)| (source, line, span)));
    let label = problem.expected.as_ref().map(|expected| format!("expected {expected}"));
    let id = match lint::of(problem) {
        Some(lint) => format!("{} {}", lint.code, lint.name),
        None => problem.code.to_owned(),
    };
    let mut group = Group::with_title(level.primary_title(title.as_str()).id(id.as_str()));
    if let Some((source, line, span)) = shown {
        let mark = AnnotationKind::Primary.span(span).label(label.as_deref());
        group =
            group.element(Snippet::source(line).line_start(problem.line).path(source.name.as_str()).annotation(mark));
    } else {
        let mut origin = Origin::path(problem.file.as_str());
        if problem.line > 0 {
            origin = origin.line(problem.line).char_column(problem.column);
        }
        group = group.element(origin);
        if let Some(label) = &label {
            group = group.element(Level::NOTE.message(label.as_str()));
        }
    }
    if !problem.object.is_empty() {
        group = group.element(Level::NOTE.message(format!("in {}", problem.object)));
    }
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.with_name("hint").message(hint.as_str()));
    }
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    renderer.render(&[group])
}

/// The line of a problem and the bytes of it that are wrong; `None` if it has no line or a very long one.
fn line_of<'s>(text: &'s str, problem: &Problem) -> Option<(&'s str, Range<usize>)> {
    // The mark at the beginning of some files has no width, and columns do not count it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.lines().nth(problem.line.checked_sub(1)?)?;
    if line.len() > LINE_SHOWN {
        return None;
    }
    let byte_of = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
    let start = byte_of(problem.column.saturating_sub(1));
    let end = byte_of(problem.column.saturating_sub(1) + problem.width.max(1));
    Some((line, start..end.max(start)))
}
