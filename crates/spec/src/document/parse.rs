//! From YAML text to trees, one a document, with bounds on everything that a hostile file could blow up.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::{Field, Kind, Node, Spot, Style, quoted, scalar};
use crate::problem::{Findings, Problem, Severity};
use crate::read::{self, Source};

/// Deepest nesting. Kubernetes' deepest kinds need about twenty levels.
const DEPTH_MAX: usize = 64;

/// Most values of one file, aliases expanded. At about a hundred bytes each this bounds the memory of a file.
const NODES_MAX: usize = 1_000_000;

/// Most values that aliases may copy, which stops the short files that expand to billions of values.
const COPIED_MAX: usize = 50_000;

/// Most values that anchors may hold: each is kept apart, and anchors can lie inside each other.
const ANCHORED_MAX: usize = 200_000;

/// Reads every document of a source. What cannot be read is reported, and the other documents are read all the same.
/// The second answer is false if a document is missing for that reason.
pub(crate) fn parse(source: &Source, problems: &mut Findings) -> (Vec<Node>, bool) {
    if source.text.len() as u64 > read::FILE_BYTES_MAX {
        problems.push(read::too_large(&source.name));
        return (Vec::new(), false);
    }
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    if let Some(problem) = control_character(&source.name, text) {
        problems.push(problem);
        return (Vec::new(), false);
    }
    let mut nodes_left = NODES_MAX;
    let mut trees = Vec::new();
    let mut complete = true;
    for (lines_before, text) in documents(text) {
        let mut reader = Reader::new(&source.name, text, lines_before, nodes_left);
        if let Err(problem) = reader.run() {
            problems.push(*problem);
            complete = false;
        }
        nodes_left = reader.nodes_left;
        problems.extend(reader.problems.into_list());
        trees.append(&mut reader.done);
    }
    (trees, complete)
}

/// Characters that YAML forbids. The parser takes NUL for the end of the text, so half a file would be read in silence.
/// A carriage return alone ends a line for YAML and for hardly any editor, so places behind it would mislead.
fn control_character(file: &str, text: &str) -> Option<Problem> {
    let forbidden = |at: usize, c: char| match c {
        '\t' | '\n' | '\u{85}' => false,
        '\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
        c => c.is_control(),
    };
    let (at, found) = text.char_indices().find(|(at, c)| forbidden(*at, *c))?;
    let line = text[..at].matches('\n').count() + 1;
    let column = text[..at].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = format!("the file holds the control character U+{:04X}", u32::from(found));
    let problem = Problem::of_file("control-character", file, message).at(line, column, 1);
    Some(problem.hint("is this a manifest? YAML allows no control characters but tabs and line ends"))
}

/// The documents of a text with the number of lines before each, so that a mistake in one leaves the others readable.
/// A line that begins with `---` starts one, whatever stands around it.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut start, mut start_line) = (0, 0);
    // Directives (`%YAML 1.1`) belong to the `---` that follows them.
    let mut only_directives = false;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && at > start && !only_directives {
            found.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
        }
        let directive = line.starts_with('%');
        let blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if directive && (at == start || only_directives || text[start..at].trim().is_empty()) {
            only_directives = true;
        } else if !blank || marker {
            only_directives = false;
        }
        at += line.len();
    }
    found.push((start_line, &text[start..]));
    found
}

/// A list or a mapping that is not complete yet.
enum Open {
    List { spot: Spot, anchor: usize, items: Vec<Node> },
    Map { spot: Spot, anchor: usize, fields: Vec<Field>, merged: Vec<Field>, seen: BTreeSet<String>, key: Option<Key> },
}

struct Key {
    text: String,
    spot: Spot,
    merge: bool,
}

struct Reader<'s> {
    file: &'s str,
    /// The lines of the text.
    lines: Vec<&'s str>,
    lines_before: usize,
    parser: Parser<'s, saphyr_parser::StrInput<'s>>,
    open: Vec<Open>,
    /// By the parser's number for it: the value with its size and depth.
    anchors: Vec<Option<(Node, usize, usize)>>,
    nodes_left: usize,
    copies_left: usize,
    anchored_left: usize,
    done: Vec<Node>,
    problems: Findings,
}

type Step<T = ()> = Result<T, Box<Problem>>;

impl<'s> Reader<'s> {
    fn new(file: &'s str, text: &'s str, lines_before: usize, nodes_left: usize) -> Self {
        Reader {
            file,
            lines: text.lines().collect(),
            lines_before,
            parser: Parser::new_from_str(text),
            open: Vec::new(),
            anchors: Vec::new(),
            nodes_left,
            copies_left: COPIED_MAX,
            anchored_left: ANCHORED_MAX,
            done: Vec::new(),
            problems: Findings::default(),
        }
    }

    fn run(&mut self) -> Step {
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let mark = error.marker();
                let line = self.lines.get(mark.line().saturating_sub(1)).copied();
                Box::new(syntax(self.file, self.place(mark, 1), error.info(), line))
            })?;
            let spot = self.spot(span);
            match event {
                Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, tag.as_deref(), anchor, span)?,
                Event::SequenceStart(anchor, _) => self.start(Open::List { spot, anchor, items: Vec::new() }, spot)?,
                Event::MappingStart(anchor, _) => {
                    let (fields, merged, seen) = (Vec::new(), Vec::new(), BTreeSet::new());
                    self.start(Open::Map { spot, anchor, fields, merged, seen, key: None }, spot)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::Alias(id) => self.alias(id, spot)?,
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn spot(&self, span: Span) -> Spot {
        let (start, end) = (span.start, span.end);
        self.place(&start, if start.line() == end.line() { end.col().saturating_sub(start.col()) } else { 0 })
    }

    /// The end of the text is one line behind the last for the parser; here it is the end of the last line.
    fn place(&self, mark: &Marker, width: usize) -> Spot {
        let (line, column) = match self.lines.last() {
            Some(last) if mark.line() > self.lines.len() => (self.lines.len(), last.chars().count()),
            _ => (mark.line(), mark.col()),
        };
        Spot { line: line + self.lines_before, column: column + 1, width }
    }

    fn problem(&self, code: &'static str, spot: Spot, message: impl Into<String>) -> Problem {
        Problem::of_file(code, self.file, message).at(spot.line, spot.column, spot.width)
    }

    fn start(&mut self, open: Open, spot: Spot) -> Step {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("values lie more than {DEPTH_MAX} deep inside each other");
            return Err(Box::new(self.problem("too-deep", spot, message)));
        }
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            let problem = self.problem("complex-key", spot, "a list or an object cannot be a key");
            return Err(Box::new(problem.hint("quote the text if it begins with {{ or {: \"{{args.name}}\"")));
        }
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, anchor: usize, span: Span) -> Step {
        let spot = self.spot(span);
        let style_here = self.style(text, style, span);
        let kind = match (style, tag) {
            (_, Some(tag)) => self.tagged(text, tag, spot)?,
            (ScalarStyle::Plain, None) => scalar::resolve(text).map_err(|_| {
                let problem = self.problem("not-a-number", spot, format!("{text} is no number in JSON"));
                Box::new(problem.hint(format!("quote it if it is a text: \"{text}\"")))
            })?,
            _ => Kind::Text(text.to_owned()),
        };
        let merge = style == ScalarStyle::Plain && text == "<<";
        let node = Node { spot, kind, style: style_here };
        self.remember(anchor, &node, 1, 0)?;
        self.add(node, Some(text), merge)
    }

    fn tagged(&self, text: &str, tag: &Tag, spot: Spot) -> Step<Kind> {
        match tag.suffix.as_str() {
            "str" | "timestamp" if tag.is_yaml_core_schema() => Ok(Kind::Text(text.to_owned())),
            "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => {
                scalar::resolve(text).map_err(|_| Box::new(self.problem("not-a-number", spot, "no number in JSON")))
            }
            name => {
                let problem = self.problem("unknown-tag", spot, format!("the YAML tag {} is not known", quoted(name)));
                Err(Box::new(problem.hint("remove the tag that begins with !")))
            }
        }
    }

    /// How characters of a scalar are found again in the file.
    fn style(&self, text: &str, style: ScalarStyle, span: Span) -> Style {
        let one_line = !text.contains('\n') && span.start.line() == span.end.line();
        let chars = span.end.col().saturating_sub(span.start.col());
        match style {
            ScalarStyle::Plain if one_line => Style::Plain,
            ScalarStyle::SingleQuoted if one_line => Style::Single,
            ScalarStyle::DoubleQuoted if one_line && chars == text.chars().count() + 2 => Style::Double,
            ScalarStyle::Literal => self.literal(text, span.start.line()).unwrap_or(Style::Other),
            _ => Style::Other,
        }
    }

    /// The place of a `|` block. The parser tells the line of its indicator or of its first content, depending on the
    /// lines between them, so the content is looked for in both.
    fn literal(&self, text: &str, line: usize) -> Option<Style> {
        let (skipped, content) = text.lines().enumerate().find(|(_, line)| !line.trim().is_empty())?;
        [line, line + 1].into_iter().find_map(|first| {
            let written = self.lines.get((first + skipped).checked_sub(1)?)?;
            let indent = written.strip_suffix(content).filter(|indent| indent.trim().is_empty())?;
            Some(Style::Literal { first_line: first + self.lines_before, indent: indent.chars().count() })
        })
    }

    fn alias(&mut self, id: usize, spot: Spot) -> Step {
        let Some((node, size, depth)) = self.anchors.get(id).and_then(Option::as_ref) else {
            return Err(Box::new(self.problem("circular-alias", spot, "the alias lies inside what it stands for")));
        };
        if *size > self.copies_left {
            let message = format!("aliases copy more than {COPIED_MAX} values");
            return Err(Box::new(self.problem("too-many-copies", spot, message)));
        }
        if self.open.len() + depth > DEPTH_MAX {
            let message = format!("values lie more than {DEPTH_MAX} deep inside each other");
            return Err(Box::new(self.problem("too-deep", spot, message)));
        }
        let (node, size) = (node.clone(), *size);
        self.copies_left -= size;
        self.nodes_left = self.nodes_left.saturating_sub(size);
        let key = node.text().map(str::to_owned);
        self.add(node, key.as_deref(), false)
    }

    fn remember(&mut self, anchor: usize, node: &Node, size: usize, depth: usize) -> Step {
        if anchor == 0 {
            return Ok(());
        }
        let Some(left) = self.anchored_left.checked_sub(size) else {
            let message = format!("anchors hold more than {ANCHORED_MAX} values");
            return Err(Box::new(self.problem("too-many-copies", node.spot, message)));
        };
        self.anchored_left = left;
        if self.anchors.len() <= anchor {
            self.anchors.resize(anchor + 1, None);
        }
        self.anchors[anchor] = Some((node.clone(), size, depth));
        Ok(())
    }

    fn end(&mut self) -> Step {
        let (node, anchor) = match self.open.pop() {
            Some(Open::List { spot, anchor, items }) => {
                (Node { spot, kind: Kind::List(items), style: Style::Other }, anchor)
            }
            Some(Open::Map { spot, anchor, mut fields, merged, mut seen, .. }) => {
                // What is written in the mapping itself wins over what is merged into it, wherever it stands.
                fields.extend(merged.into_iter().filter(|field| seen.insert(field.key.clone())));
                (Node { spot, kind: Kind::Map(fields), style: Style::Other }, anchor)
            }
            None => return Ok(()),
        };
        if anchor != 0 {
            let (size, depth) = measure(&node);
            self.remember(anchor, &node, size, depth)?;
        }
        self.add(node, None, false)
    }

    /// Puts a complete value where it belongs. `key` is its text if it can be a key.
    fn add(&mut self, node: Node, key_text: Option<&str>, merge: bool) -> Step {
        if self.nodes_left == 0 {
            let message = format!("the file holds more than {NODES_MAX} values");
            return Err(Box::new(self.problem("too-many-values", node.spot, message)));
        }
        self.nodes_left -= 1;
        let file = self.file;
        match self.open.last_mut() {
            None => self.done.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { fields, merged, seen, key, .. }) => match key.take() {
                None => {
                    let Some(text) = key_text else {
                        let problem = self.problem("complex-key", node.spot, "a list or an object cannot be a key");
                        return Err(Box::new(problem));
                    };
                    let text = match &node.kind {
                        Kind::Bool(value, _) => value.to_string(),
                        Kind::Number(number) => number.to_string(),
                        _ => text.to_owned(),
                    };
                    if let Kind::Bool(value, word) = node.kind
                        && word != text
                    {
                        let message = format!("the key {word} reads as the boolean {value}");
                        let problem = Problem::of_file("boolean-key", file, message);
                        let hint = format!("put it in quotes: \"{word}\"");
                        let problem = problem.at(node.spot.line, node.spot.column, node.spot.width).hint(hint);
                        self.problems.push(Problem { severity: Severity::Warning, ..problem });
                    }
                    *key = Some(Key { text, spot: node.spot, merge });
                }
                Some(Key { spot, merge: true, .. }) => match merging(node) {
                    Some(more) => merged.extend(more),
                    None => {
                        let problem = self.problem("bad-merge", spot, "<< needs an object or a list of objects");
                        self.problems.push(problem.hint("write an alias behind it: <<: *name"));
                    }
                },
                Some(Key { text, spot, .. }) => {
                    if seen.insert(text.clone()) {
                        fields.push(Field { key: text, spot, node });
                    } else {
                        let first = fields.iter().find(|field| field.key == text).map_or(spot, |field| field.spot);
                        let message = format!("the key {} stands twice in the same object", quoted(&text));
                        let problem = Problem::of_file("duplicate-key", file, message);
                        let hint = format!("the first one is on line {}; remove one of them", first.line);
                        self.problems.push(problem.at(spot.line, spot.column, spot.width).hint(hint));
                    }
                }
            },
        }
        Ok(())
    }
}

/// The fields that `<<` brings, earlier mappings first.
fn merging(node: Node) -> Option<Vec<Field>> {
    match node.kind {
        Kind::Map(fields) => Some(fields),
        Kind::List(items) => {
            let mut all = Vec::new();
            for item in items {
                match item.kind {
                    Kind::Map(fields) => all.extend(fields),
                    _ => return None,
                }
            }
            Some(all)
        }
        _ => None,
    }
}

/// Number of values and depth. Trees are bounded in depth, so that recursion is safe.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.kind {
        Kind::List(items) => items.iter().collect(),
        Kind::Map(fields) => fields.iter().map(|field| &field.node).collect(),
        _ => return (1, 0),
    };
    children.into_iter().map(measure).fold((1, 1), |(size, depth), (more, below)| (size + more, depth.max(below + 1)))
}

/// The parser's complaint in words that say what to do.
fn syntax(file: &str, spot: Spot, info: &str, line: Option<&str>) -> Problem {
    // The parser looks ahead, so its own limit can be met first.
    if info.contains("recursion limit") {
        let message = format!("values lie more than {DEPTH_MAX} deep inside each other");
        return Problem::of_file("too-deep", file, message).at(spot.line, spot.column, spot.width);
    }
    let indented_by_tab = line.unwrap_or_default().chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    let hint = if indented_by_tab || info.contains("tab") {
        Some("indent with spaces: YAML allows no tabs there")
    } else if info.contains("mapping values are not allowed") {
        Some("quote a text that holds a colon and a space, and check the indentation")
    } else if info.contains("simple key") || info.contains("expected ':'") {
        Some("a line needs the form `key: value`, indented like the lines around it")
    } else if info.contains("quoted scalar") {
        Some("close the quote")
    } else if info.contains("did not find expected") || info.contains("flow") {
        Some("check the indentation, and that every [ and { is closed")
    } else {
        None
    };
    Problem::of_file("yaml-syntax", file, format!("this is no YAML: {info}"))
        .at(spot.line, spot.column, spot.width)
        .maybe_hint(hint.map(str::to_owned))
}
