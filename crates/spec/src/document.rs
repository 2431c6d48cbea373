//! YAML as a tree in which every key and value knows its place.

mod parse;
mod path;
mod scalar;

use serde_json::{Map, Number, Value};

pub(crate) use parse::parse;
pub(crate) use path::join;

/// A place in a file, in lines and characters from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Number of characters.
    pub(crate) width: usize,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) spot: Spot,
    pub(crate) kind: Kind,
    /// How it is written; decides where an offset inside a text lies in the file.
    pub(crate) style: Style,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    /// With the word that is written: `yes` and `n` are booleans too.
    Bool(bool, &'static str),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Field>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) spot: Spot,
    pub(crate) node: Node,
}

/// How a scalar is written, as far as characters of the text can be found again in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// On one line without quotes.
    Plain,
    /// On one line in single quotes, where a quote is written twice.
    Single,
    /// On one line in double quotes, without escapes.
    Double,
    /// A `|` block: the line of its first content, and the characters of indentation that are not content.
    Literal { first_line: usize, indent: usize },
    /// Anything else.
    Other,
}

impl Node {
    pub(crate) fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Map(fields) => fields,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn field(&self, key: &str) -> Option<&Field> {
        self.fields().iter().find(|field| field.key == key)
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.field(key).map(|field| &field.node)
    }

    /// What it is, for `expected a string, found …`.
    pub(crate) fn described(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value, word) if word.eq_ignore_ascii_case(&value.to_string()) => format!("the boolean {value}"),
            Kind::Bool(value, word) => format!("{word}, which is the boolean {value}"),
            Kind::Number(number) => format!("the number {number}"),
            Kind::Text(text) => format!("the text {}", quoted(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "an object".to_owned(),
        }
    }

    /// The same as JSON, nulls included.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value, _) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Kind::Map(fields) => {
                let entries = fields.iter().map(|field| (field.key.clone(), field.node.to_value()));
                Value::Object(entries.collect::<Map<String, Value>>())
            }
        }
    }

    /// Where the byte `offset` of a text stands in the file; the start of the text if that cannot be told.
    pub(crate) fn spot_inside(&self, offset: usize, width: usize) -> Spot {
        let Some(before) = self.text().and_then(|text| text.get(..offset)) else {
            return self.spot;
        };
        let chars = before.chars().count();
        let Spot { line, column, .. } = self.spot;
        match self.style {
            Style::Plain => Spot { line, column: column + chars, width },
            Style::Double => Spot { line, column: column + 1 + chars, width },
            Style::Single => {
                let doubled = before.matches('\'').count();
                Spot { line, column: column + 1 + chars + doubled, width }
            }
            Style::Literal { first_line, indent } => {
                // Empty lines need not be indented, so what stands in one is shown at the end of the line before.
                let blank =
                    self.text().is_some_and(|text| text[offset..].is_empty() || text[offset..].starts_with('\n'));
                let before = if blank { before.trim_end_matches('\n') } else { before };
                if blank && before.is_empty() {
                    return self.spot;
                }
                let lines = before.matches('\n').count();
                let on_line = before.rsplit('\n').next().unwrap_or_default().chars().count();
                Spot { line: first_line + lines, column: indent + on_line + 1, width }
            }
            Style::Other => self.spot,
        }
    }
}

/// A text in quotes, cut off when it is long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}
