//! Descriptions of series in the tests of Prometheus: `x{a="1"} 1+2x10 _ stale`.

use serin_promql::{Labels, LabelsBuilder, stale_marker};

/// A value in a series.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item {
    Missing,
    Number(f64),
}

/// A series. A value that is none is a native histogram.
pub(crate) struct Line {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<Option<Item>>,
    pub(crate) has_start_times: bool,
}

/// The lines of a load. A line of start times belongs to the one after it.
pub(crate) fn read_load(block: &[&str]) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut has_start_times = false;
    for text in block {
        if text.split_whitespace().next().is_some_and(|word| word.ends_with("@st")) {
            has_start_times = true;
            continue;
        }
        out.push(Line { has_start_times, ..read_line(text) });
        has_start_times = false;
    }
    out
}

pub(crate) fn read_line(text: &str) -> Line {
    let (labels, rest) = metric(text);
    let mut values = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let mut end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        if rest.starts_with("{{") {
            // Spaces within a histogram, or within the second of two, do not end it.
            let close = |from: usize| from + rest[from..].find("}}").unwrap() + 2;
            end = close(0);
            if rest[end..].starts_with(['+', '-']) {
                end = close(end);
            }
            end += rest[end..].find(char::is_whitespace).unwrap_or(rest.len() - end);
            let times = rest[..end].rsplit_once("}}x").map_or(0, |(_, times)| times.parse().unwrap());
            values.extend(std::iter::repeat_n(None, times + 1));
        } else {
            sequence(&rest[..end], &mut values);
        }
        rest = rest[end..].trim_start();
    }
    Line { labels, values, has_start_times: false }
}

/// One word of values: `5`, `_`, `_x3`, `5x3`, `5+2x3`, `stale`.
fn sequence(word: &str, out: &mut Vec<Option<Item>>) {
    let (body, times) = match word.rsplit_once('x') {
        Some((body, times)) => (body, Some(times.parse::<usize>().unwrap())),
        None => (word, None),
    };
    if body == "_" {
        out.extend(std::iter::repeat_n(Some(Item::Missing), times.unwrap_or(1)));
        return;
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(Some(Item::Number(stale_marker())), times.map_or(1, |times| times + 1)));
        return;
    }
    // The sign between value and step is the last one that is not part of an exponent.
    let signs = body
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !body[..*at].ends_with(['e', 'E', '+', '-']));
    let split = times.and_then(|_| signs.last()).map(|(at, _)| at);
    let (start, step) = match split {
        Some(at) => (number(&body[..at]), number(body[at..].trim_start_matches('+'))),
        None => (number(body), Some(0.0)),
    };
    let (Some(mut value), Some(step)) = (start, step) else { panic!("bad values {word}") };
    for _ in 0..=times.unwrap_or(0) {
        out.push(Some(Item::Number(value)));
        value += step;
    }
}

/// A number in the tests' own words.
pub(crate) fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if let Some(hex) = digits.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|value| sign * value as f64);
    }
    digits.parse::<f64>().ok().map(|value| sign * value)
}

/// The labels at the beginning of a line and what follows them.
pub(crate) fn metric(text: &str) -> (Labels, &str) {
    let name = text.find(|c: char| c == '{' || c.is_whitespace()).unwrap_or(text.len());
    let mut labels = LabelsBuilder::default();
    labels.set("__name__", &text[..name]);
    let Some(mut rest) = text[name..].strip_prefix('{') else {
        return (labels.build(), &text[name..]);
    };
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return (labels.build(), rest);
        }
        let name;
        if rest.starts_with(['"', '\'']) {
            let length = quoted_length(rest);
            name = unquote(&rest[..length]);
            rest = rest[length..].trim_start();
            if !rest.starts_with('=') {
                labels.set("__name__", name);
                continue;
            }
        } else {
            let end = rest.find(['=', ' ']).unwrap();
            name = rest[..end].to_owned();
            rest = rest[end..].trim_start();
        }
        rest = rest.strip_prefix('=').unwrap().trim_start();
        let length = quoted_length(rest);
        labels.set(name, unquote(&rest[..length]));
        rest = &rest[length..];
    }
}

/// Bytes of the quoted text at the beginning, quotes included.
fn quoted_length(text: &str) -> usize {
    let quote = text.chars().next().unwrap();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    panic!("not closed: {text}")
}

/// The text between quotes. The tests use few escapes.
pub(crate) fn unquote(text: &str) -> String {
    let inner = &text[1..text.len() - 1];
    if text.starts_with('`') {
        return inner.to_owned();
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                c => c,
            },
            c => c,
        });
    }
    out
}

/// Milliseconds of a duration.
pub(crate) fn duration(text: &str) -> i64 {
    if text == "0" {
        return 0;
    }
    let (sign, mut rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or_else(|| panic!("bad duration {text}"));
        let count: i64 = rest[..digits].parse().unwrap();
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += count
            * match &rest[..unit] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                "y" => 31_536_000_000,
                unit => panic!("bad unit {unit} in {text}"),
            };
        rest = &rest[unit..];
    }
    sign * total
}

/// The native histogram that is loaded beside a series of a classic one.
pub(crate) fn native_twin(labels: &Labels) -> Option<Labels> {
    let name = labels.get("__name__")?;
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix))?;
    Some(labels.edit().set("__name__", base).remove("le").build())
}
