//! Reads a path.

use super::{Block, Filter, Node, Slice, Test};

/// Paths within filters within paths. Nobody writes three.
const DEPTH_MAX: usize = 16;

/// Bytes of a path.
const LENGTH_MAX: usize = 65_536;

pub(super) fn parse(text: &str) -> Result<Vec<Block>, String> {
    if text.len() > LENGTH_MAX {
        return Err(format!("the path is longer than {LENGTH_MAX} bytes"));
    }
    // Ranges that are open, each with the blocks before it; the last are the blocks of the innermost one.
    let mut open: Vec<(Vec<Node>, Vec<Block>)> = Vec::new();
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(plain) = rest.find('{') else {
            blocks.push(Block::Text(rest.to_owned()));
            break;
        };
        if plain > 0 {
            blocks.push(Block::Text(rest[..plain].to_owned()));
        }
        let mut reader = Reader { rest: &rest[plain + 1..], depth: 0 };
        let action = reader.action()?;
        rest = reader.rest;
        match action {
            Action::Path(path) => blocks.push(Block::Action(path)),
            Action::Range(path) => open.push((path, std::mem::take(&mut blocks))),
            Action::End => {
                let (path, before) = open.pop().ok_or("not in range, nothing to end")?;
                let body = std::mem::replace(&mut blocks, before);
                blocks.push(Block::Range { path, body });
            }
        }
    }
    if open.is_empty() { Ok(blocks) } else { Err("range without end".to_owned()) }
}

enum Action {
    Path(Vec<Node>),
    Range(Vec<Node>),
    End,
}

struct Reader<'p> {
    rest: &'p str,
    depth: usize,
}

impl<'p> Reader<'p> {
    fn accept(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, length: usize) -> &'p str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Everything up to and with the closing brace.
    fn action(&mut self) -> Result<Action, String> {
        let mut nodes = Vec::new();
        let mut word = None;
        loop {
            if self.accept("}") {
                return match word {
                    None => Ok(Action::Path(nodes)),
                    Some("range") => Ok(Action::Range(nodes)),
                    Some(_) if nodes.is_empty() => Ok(Action::End),
                    Some(_) => Err("unexpected path before end".to_owned()),
                };
            }
            if let Some(found) = self.node(&mut nodes)? {
                match found {
                    "range" if nodes.is_empty() && word.is_none() => word = Some(found),
                    "end" if word.is_none() => word = Some(found),
                    found => return Err(format!("unrecognized identifier {found}")),
                }
            }
        }
    }

    /// A path that ends with the text, as in a filter.
    fn path(text: &str, depth: usize) -> Result<Vec<Node>, String> {
        if depth > DEPTH_MAX {
            return Err("the path is nested too deeply".to_owned());
        }
        let mut reader = Reader { rest: text, depth };
        let mut nodes = Vec::new();
        while !reader.rest.is_empty() {
            if let Some(word) = reader.node(&mut nodes)? {
                return Err(format!("unrecognized identifier {word}"));
            }
        }
        Ok(nodes)
    }

    /// Reads one step. A word that is no step is given back.
    fn node(&mut self, nodes: &mut Vec<Node>) -> Result<Option<&'p str>, String> {
        if self.accept("[?(") {
            nodes.push(self.filter()?);
            return Ok(None);
        }
        if self.accept("..") {
            if matches!(nodes.last(), Some(Node::Recursive)) {
                return Err("invalid multiple recursive descent".to_owned());
            }
            nodes.push(Node::Recursive);
            if self.rest.starts_with(is_name) {
                nodes.push(self.field());
            }
            return Ok(None);
        }
        let c = self.rest.chars().next().filter(|c| !matches!(c, '\n' | '\r')).ok_or("unclosed action")?;
        match c {
            ' ' | '@' | '$' => {
                self.take(1);
            }
            '[' => self.bracket(nodes)?,
            '"' | '\'' => nodes.push(Node::Text(self.quoted(c)?)),
            '.' => {
                self.take(1);
                nodes.push(self.field());
            }
            '+' | '-' | '0'..='9' => nodes.push(self.number()?),
            c if is_name(c) => {
                let word = self.take(self.rest.find(is_terminator).unwrap_or(self.rest.len()));
                match word {
                    "true" | "false" => nodes.push(Node::Bool(word == "true")),
                    word => return Ok(Some(word)),
                }
            }
            c => return Err(format!("unrecognized character in action: {c:?}")),
        }
        Ok(None)
    }

    /// A key up to the next sign that ends it, unless a backslash stands before that.
    fn field(&mut self) -> Node {
        let mut escaped = false;
        let end = self.rest.find(|c| {
            let ends = !escaped && is_terminator(c);
            escaped = !escaped && c == '\\';
            ends
        });
        match self.take(end.unwrap_or(self.rest.len())) {
            "*" => Node::Wildcard,
            name => Node::Field(name.replace('\\', "")),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest[sign..].find(|c: char| c != '.' && !c.is_ascii_digit());
        let text = self.take(digits.map_or(self.rest.len(), |digits| sign + digits));
        if let Ok(value) = text.parse() {
            return Ok(Node::Int(value));
        }
        text.parse().map(Node::Float).map_err(|_| format!("cannot parse number {text}"))
    }

    /// A text in quotes; a backslash makes the next character plain.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.take(at + 1);
                    return Ok(out);
                }
                '\n' => break,
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    /// `[0]`, `[1:3]`, `['key']`, `[*]`, `[0,2]`.
    fn bracket(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let end = self.rest.find([']', '\n']).filter(|end| self.rest[*end..].starts_with(']'));
        let end = end.ok_or("unterminated array")?;
        let inner = &self.take(end + 1)[1..end];
        if inner.contains(',') {
            let parts = inner.split(',').map(|part| Self::path(&format!("[{}]", part.trim()), self.depth + 1));
            nodes.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = inner.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        match key {
            Some(key) => nodes.extend(Self::path(&format!(".{key}"), self.depth + 1)?),
            None => nodes.push(Node::Slice(slice(inner)?)),
        }
        Ok(())
    }

    /// A filter after `[?(`, up to and with `)]`.
    fn filter(&mut self) -> Result<Node, String> {
        let mut quote = None;
        let mut escaped = false;
        let end = self.rest.find(|c: char| {
            match (quote, c) {
                (Some(open), c) if c == open && !escaped => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, ')' | '\n') => return true,
                _ => {}
            }
            escaped = c == '\\';
            false
        });
        let end = end.filter(|end| self.rest[*end..].starts_with(')')).ok_or("unterminated filter")?;
        let inner = &self.rest[..end];
        self.take(end + 1);
        if !self.accept("]") {
            return Err("unclosed array expect ]".to_owned());
        }
        let signs = |c| matches!(c, '!' | '<' | '>' | '=');
        let depth = self.depth + 1;
        let Some(start) = inner.find(signs).filter(|start| *start > 0) else {
            return Ok(Node::Filter(Filter { left: Self::path(inner, depth)?, test: Test::Exists, right: Vec::new() }));
        };
        let (left, rest) = inner.split_at(start);
        let (sign, right) = rest.split_at(rest.find(|c| !signs(c)).unwrap_or(rest.len()));
        let test = match sign {
            "==" => Test::Equal,
            "!=" => Test::NotEqual,
            "<" => Test::Less,
            "<=" => Test::LessEqual,
            ">" => Test::Greater,
            ">=" => Test::GreaterEqual,
            sign => return Err(format!("unrecognized filter operator {sign}")),
        };
        Ok(Node::Filter(Filter { left: Self::path(left, depth)?, test, right: Self::path(right, depth)? }))
    }
}

/// `3`, `1:3`, `:2`, `::2`, `*`.
fn slice(text: &str) -> Result<Slice, String> {
    let text = if text == "*" { ":" } else { text };
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &str| part.strip_prefix('-').unwrap_or(part).bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(|part| digits(part)) || text.is_empty() || parts.contains(&"-") {
        return Err(format!("invalid array index {text}"));
    }
    let number = |index: usize| match parts.get(index) {
        None | Some(&"") => Ok(None),
        Some(part) => part.parse().map(Some).map_err(|_| format!("array index {part} is not a number")),
    };
    Ok(Slice { start: number(0)?, end: number(1)?, single: parts.len() == 1, step: number(2)? })
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
