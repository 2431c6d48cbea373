//! Finds one field in a JSON answer while it streams by: a structural scan that holds 64 bytes, whatever the size of the body.
//!
//! The scan follows the path and skips everything else by counting brackets outside strings. It does not validate: it finds the
//! field in JSON that is valid, and in anything else it finds something or nothing. Of two fields with the same name the first counts.
//! A name on the path that the answer writes with escapes is not recognised.

use std::borrow::Cow;

/// Longest class, in bytes of JSON; a longer one is counted as [`OTHER`].
pub const CLASS_MAX: usize = 64;
/// How many bytes of a body are looked at.
pub const SCAN_MAX: usize = 256 * 1024;
/// The class of everything that is too long or one too many.
pub const OTHER: &str = "other";
/// Most steps of a path.
const STEPS_MAX: usize = 16;

/// Where the prediction stands: `$`, then `.name`, `['name']` or `[index]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(Box<[u8]>),
    Index(u32),
}

impl Path {
    /// Reads a path such as `$.prediction`, `$.outputs[0].label` or `$['model output']`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.strip_prefix('$').ok_or_else(|| format!("'{text}' does not start with '$'"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(|| format!("'{text}' cannot be read from '{rest}' on"))?;
            steps.push(step);
            rest = after;
        }
        if steps.len() > STEPS_MAX {
            return Err(format!("'{text}' has more than {STEPS_MAX} steps"));
        }
        Ok(Self(steps))
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(name) = text.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        return (!name.is_empty()).then(|| (Step::Key(name.as_bytes().into()), rest));
    }
    let inside = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(name) = inside.strip_prefix(quote) {
            let (name, rest) = name.split_once(quote)?;
            return Some((Step::Key(name.as_bytes().into()), rest.strip_prefix(']')?));
        }
    }
    let (index, rest) = inside.split_once(']')?;
    let digits = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    Some((Step::Index(index.parse().ok().filter(|_| digits)?), rest))
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction<'a> {
    /// A string, `true` or `false`.
    Class(Cow<'a, str>),
    /// A number, and its digits when it is an integer: classifiers often name their classes 0 and 1.
    Number {
        /// Its value.
        value: f64,
        /// As written, when it has neither a fraction nor an exponent.
        integer: Option<&'a str>,
    },
}

impl Prediction<'_> {
    /// The class: a string, `true`, `false`, or the digits of an integer.
    pub fn class(&self) -> Option<&str> {
        match self {
            Self::Class(class) => Some(class),
            Self::Number { integer, .. } => *integer,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the value that the steps matched so far lead to.
    Value,
    /// In an object on the path, before a name.
    Members,
    /// In a name, of which so many bytes agree; `None` when one did not.
    Key(Option<usize>),
    KeyEscape,
    /// After a name; whether it is the wanted one.
    Colon(bool),
    /// In a value off the path, so many brackets deep.
    Skip(u32),
    SkipText(u32),
    SkipEscape(u32),
    /// In the wanted value.
    Text,
    TextEscape,
    Number,
    Word,
    /// Found, in the form given.
    Found(Form),
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Word,
}

/// A scan in progress. Feed it the pieces of a body in order, then ask for the [`Scanner::prediction`].
#[derive(Debug, Clone)]
pub struct Scanner {
    state: State,
    matched: usize,
    index: u32,
    scanned: usize,
    text: [u8; CLASS_MAX],
    len: usize,
    overlong: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { state: State::Value, matched: 0, index: 0, scanned: 0, text: [0; CLASS_MAX], len: 0, overlong: false }
    }
}

impl Scanner {
    /// A scan that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether more of the body can change the result.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Found(_) | State::Missing)
    }

    /// Looks at the next piece.
    pub fn feed(&mut self, path: &Path, piece: &[u8]) {
        let mut at = 0;
        while at < piece.len() && !self.is_done() {
            if self.scanned >= SCAN_MAX {
                self.state = State::Missing;
                return;
            }
            let run = self.skim(path, &piece[at..]);
            at += run;
            self.scanned += run;
            if let Some(&byte) = piece.get(at) {
                at += 1;
                self.scanned += 1;
                self.advance(&path.0, byte);
            }
        }
    }

    /// Deals with a run of bytes at once where that is easy; how many they were.
    fn skim(&mut self, path: &Path, piece: &[u8]) -> usize {
        match self.state {
            State::SkipText(_) | State::Key(None) => memchr::memchr2(b'"', b'\\', piece).unwrap_or(piece.len()),
            State::Skip(depth) => {
                // Inside a container that is skipped as a whole its commas mean nothing.
                let least = if depth == 0 { Mark::Comma } else { Mark::Bracket } as u8;
                piece.iter().position(|b| MARKS[usize::from(*b)] >= least).unwrap_or(piece.len())
            }
            State::Key(Some(0)) => match &path.0[self.matched] {
                Step::Key(key) if piece.starts_with(key) => {
                    self.state = State::Key(Some(key.len()));
                    key.len()
                }
                _ => 0,
            },
            State::Text => {
                let run = piece.iter().take(CLASS_MAX - self.len).position(|b| matches!(b, b'"' | b'\\'));
                let run = run.unwrap_or(piece.len().min(CLASS_MAX - self.len));
                self.text[self.len..self.len + run].copy_from_slice(&piece[..run]);
                self.len += run;
                run
            }
            _ => 0,
        }
    }

    fn advance(&mut self, steps: &[Step], byte: u8) {
        self.state = match self.state {
            State::Value => self.begin_value(steps, byte),
            State::Members => match byte {
                b'"' => State::Key(Some(0)),
                b',' => State::Members,
                b if is_space(b) => State::Members,
                _ => State::Missing,
            },
            State::Key(agreed) => match (byte, &steps[self.matched]) {
                (b'"', Step::Key(key)) => State::Colon(agreed == Some(key.len())),
                (b'\\', _) => State::KeyEscape,
                (b, Step::Key(key)) => State::Key(agreed.filter(|n| key.get(*n) == Some(&b)).map(|n| n + 1)),
                (_, Step::Index(_)) => State::Missing,
            },
            State::KeyEscape => State::Key(None),
            State::Colon(wanted) => match byte {
                b':' if wanted => {
                    self.matched += 1;
                    State::Value
                }
                b':' => State::Skip(0),
                b if is_space(b) => State::Colon(wanted),
                _ => State::Missing,
            },
            State::Skip(depth) => self.skip(steps, depth, byte),
            State::SkipText(depth) => match byte {
                b'"' => State::Skip(depth),
                b'\\' => State::SkipEscape(depth),
                _ => State::SkipText(depth),
            },
            State::SkipEscape(depth) => State::SkipText(depth),
            State::Text => match byte {
                b'"' => State::Found(Form::Text),
                b'\\' => self.keep(byte, State::TextEscape),
                _ => self.keep(byte, State::Text),
            },
            State::TextEscape => self.keep(byte, State::Text),
            State::Number => match byte {
                b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' => self.keep(byte, State::Number),
                _ => State::Found(Form::Number),
            },
            State::Word => match byte {
                b'a'..=b'z' => self.keep(byte, State::Word),
                _ => State::Found(Form::Word),
            },
            done @ (State::Found(_) | State::Missing) => done,
        };
    }

    fn begin_value(&mut self, steps: &[Step], byte: u8) -> State {
        match (steps.get(self.matched), byte) {
            (_, b) if is_space(b) => State::Value,
            (Some(Step::Key(_)), b'{') => State::Members,
            (Some(Step::Index(0)), b'[') => {
                self.matched += 1;
                State::Value
            }
            (Some(Step::Index(_)), b'[') => {
                self.index = 0;
                State::Skip(0)
            }
            (None, b'"') => State::Text,
            (None, b'-' | b'0'..=b'9') => self.keep(byte, State::Number),
            (None, b't' | b'f') => self.keep(byte, State::Word),
            _ => State::Missing,
        }
    }

    fn skip(&mut self, steps: &[Step], depth: u32, byte: u8) -> State {
        match byte {
            b'"' => State::SkipText(depth),
            b'{' | b'[' => State::Skip(depth.saturating_add(1)),
            // The container on the path ends without the wanted member.
            b'}' | b']' if depth == 0 => State::Missing,
            b'}' | b']' => State::Skip(depth - 1),
            b',' if depth == 0 => match steps[self.matched] {
                Step::Key(_) => State::Members,
                Step::Index(wanted) => {
                    self.index = self.index.saturating_add(1);
                    if self.index == wanted {
                        self.matched += 1;
                        State::Value
                    } else {
                        State::Skip(0)
                    }
                }
            },
            _ => State::Skip(depth),
        }
    }

    fn keep(&mut self, byte: u8, next: State) -> State {
        match self.text.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.overlong = true,
        }
        next
    }

    /// The value as a text, cut after [`CLASS_MAX`] bytes, after the last piece of the body: a string without its escapes, a number as it is
    /// written, `true` or `false`.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let kept = &self.text[..self.len];
        // A cut may go through the middle of a character.
        let valid = std::str::from_utf8(kept).or_else(|e| std::str::from_utf8(&kept[..e.valid_up_to()])).ok()?;
        match self.state {
            State::Found(Form::Text) if valid.contains('\\') => {
                let unescaped = serde_json::from_str(&format!("\"{valid}\"")).ok();
                Some(unescaped.map_or(Cow::Borrowed(valid), Cow::Owned))
            }
            State::Found(Form::Text | Form::Number) | State::Number => Some(Cow::Borrowed(valid)),
            State::Found(Form::Word) | State::Word => {
                Some(Cow::Borrowed(valid)).filter(|w| matches!(&**w, "true" | "false"))
            }
            _ => None,
        }
    }

    /// What was found, after the last piece of the body.
    pub fn prediction(&self) -> Option<Prediction<'_>> {
        let text = std::str::from_utf8(&self.text[..self.len]);
        match self.state {
            State::Found(Form::Text) if self.overlong => Some(Prediction::Class(Cow::Borrowed(OTHER))),
            State::Found(Form::Text) if text.is_ok_and(|t| t.contains('\\')) => {
                let quoted = format!("\"{}\"", text.ok()?);
                serde_json::from_str(&quoted).ok().map(|class| Prediction::Class(Cow::Owned(class)))
            }
            State::Found(Form::Text) => Some(Prediction::Class(Cow::Borrowed(text.ok()?))),
            State::Found(Form::Word) | State::Word => match text {
                Ok(class @ ("true" | "false")) => Some(Prediction::Class(Cow::Borrowed(class))),
                _ => None,
            },
            // A body that is nothing but a number ends without a byte after it.
            State::Found(Form::Number) | State::Number if !self.overlong => {
                let text = text.ok()?;
                let value = text.parse().ok().filter(|v: &f64| v.is_finite())?;
                let integer = text.bytes().all(|b| b.is_ascii_digit() || b == b'-').then_some(text);
                Some(Prediction::Number { value, integer })
            }
            _ => None,
        }
    }
}

/// What a byte outside of texts means for the structure.
#[derive(Clone, Copy)]
enum Mark {
    Nothing,
    Comma,
    /// A bracket, or the beginning of a text in which brackets mean nothing.
    Bracket,
}

static MARKS: [u8; 256] = {
    let mut marks = [Mark::Nothing as u8; 256];
    marks[b',' as usize] = Mark::Comma as u8;
    let brackets = b"\"[]{}";
    let mut i = 0;
    while i < brackets.len() {
        marks[brackets[i] as usize] = Mark::Bracket as u8;
        i += 1;
    }
    marks
};

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests;
