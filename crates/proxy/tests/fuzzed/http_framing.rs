//! What must hold for any bytes: a message that the strict reader takes ends in the same place, with the same body, for every
//! sloppy reader that may stand behind the proxy.

use std::ops::Range;

use serin_proxy::framing::{Body, Decoder, Fault, empty_headers, read_request, read_response};

/// The repairs that recipients make, alone and together. Everything is written apart from the strict reader and shares
/// nothing with it.
#[derive(Debug, Clone, Copy)]
struct Sloppy {
    /// A line feed ends a line.
    bare_line_feed: bool,
    /// A line that begins with a space continues the one before; otherwise it is skipped.
    folds: bool,
    /// Space may stand between a name and its colon.
    spaced_names: bool,
    /// Names are compared as environment variables are.
    underscores: bool,
    /// A length counts although there is a coding.
    length_wins: bool,
    /// Of several lengths the last counts.
    last_length: bool,
    /// A coding counts when `chunked` stands anywhere in it.
    chunked_anywhere: bool,
}

impl Sloppy {
    fn of(bits: u8) -> Self {
        let bit = |n: u8| bits >> n & 1 == 1;
        Self {
            bare_line_feed: bit(0),
            folds: bit(1),
            spaced_names: bit(2),
            underscores: bit(3),
            length_wins: bit(4),
            last_length: bit(5),
            chunked_anywhere: bit(6),
        }
    }

    /// The line at `at` without its end, and where the next one begins.
    fn line<'b>(&self, input: &'b [u8], at: usize) -> Option<(&'b [u8], usize)> {
        let rest = input.get(at..)?;
        let mut end = 0;
        loop {
            end += rest.get(end..)?.iter().position(|b| *b == b'\n')?;
            match rest[..end].strip_suffix(b"\r") {
                Some(line) => return Some((line, at + end + 1)),
                None if self.bare_line_feed => return Some((&rest[..end], at + end + 1)),
                None => end += 1,
            }
        }
    }

    /// Where a message ends and what its body is. `None` when it is not complete, or too odd even for this reader.
    fn read(&self, input: &[u8], kind: Kind) -> Option<(usize, Vec<u8>)> {
        let (first, mut at) = self.line(input, 0)?;
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        loop {
            let (line, next) = self.line(input, at)?;
            at = next;
            if line.is_empty() {
                break;
            }
            if line[0] == b' ' || line[0] == b'\t' {
                if let Some((_, value)) = headers.last_mut().filter(|_| self.folds) {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
                continue;
            }
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let name = if self.spaced_names { name.trim_ascii() } else { name };
            let name =
                name.to_ascii_lowercase().into_iter().map(|b| if self.underscores && b == b'_' { b'-' } else { b });
            headers.push((name.collect(), value.to_vec()));
        }
        let status = first.get(9..12).and_then(|s| std::str::from_utf8(s).ok()).and_then(|s| s.parse::<u16>().ok());
        let bodiless =
            matches!(kind, Kind::AnswerToHead) || matches!((kind, status), (Kind::Answer, Some(100..200 | 204 | 304)));
        if bodiless {
            return Some((at, Vec::new()));
        }
        self.body(input, at, &headers, kind)
    }

    fn body(&self, input: &[u8], at: usize, headers: &[(Vec<u8>, Vec<u8>)], kind: Kind) -> Option<(usize, Vec<u8>)> {
        let values =
            |wanted: &'static [u8]| headers.iter().filter(move |(n, _)| n == wanted).map(|(_, v)| v.as_slice());
        let is_chunked = |value: &[u8]| {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            if self.chunked_anywhere {
                text.contains("chunked")
            } else {
                text.rsplit(',').next().map(str::trim) == Some("chunked")
            }
        };
        let chunked = values(b"transfer-encoding").any(is_chunked);
        let mut lengths = values(b"content-length");
        let length = if self.last_length { lengths.next_back() } else { lengths.next() };
        match length {
            Some(length) if !chunked || self.length_wins => {
                let length = std::str::from_utf8(length).ok()?.trim_start_matches('+');
                let length = length.split(',').next()?.trim().parse::<usize>().ok()?;
                let end = at.checked_add(length)?;
                Some((end, input.get(at..end)?.to_vec()))
            }
            _ if chunked => self.chunks(input, at),
            _ if matches!(kind, Kind::Request) => Some((at, Vec::new())),
            _ => Some((input.len(), input[at..].to_vec())),
        }
    }

    fn chunks(&self, input: &[u8], mut at: usize) -> Option<(usize, Vec<u8>)> {
        let mut data = Vec::new();
        loop {
            let (line, next) = self.line(input, at)?;
            let size = std::str::from_utf8(line.split(|b| *b == b';').next()?.trim_ascii()).ok()?;
            let size = usize::from_str_radix(size.trim_start_matches("0x"), 16).ok()?;
            at = next;
            if size == 0 {
                break;
            }
            let end = at.checked_add(size)?;
            data.extend_from_slice(input.get(at..end)?);
            at = self.line(input, end)?.1;
        }
        loop {
            let (line, next) = self.line(input, at)?;
            at = next;
            if line.is_empty() {
                return Some((at, data));
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Request,
    Answer,
    AnswerToHead,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Read {
    Incomplete,
    Refused(Fault),
    Complete(usize, Vec<u8>),
}

/// The strict reader over everything at once and, from `cut` on, over the rest of the body.
fn strict(input: &[u8], cut: usize, kind: Kind) -> Read {
    let mut headers = empty_headers();
    let head = match kind {
        Kind::Request => read_request(input, &mut headers).map(|h| h.map(|h| (h.len, h.body))),
        _ => {
            let to_head = matches!(kind, Kind::AnswerToHead);
            read_response(input, &mut headers, to_head).map(|h| h.map(|h| (h.len, h.body)))
        }
    };
    let (start, body) = match head {
        Err(fault) => return Read::Refused(fault),
        Ok(None) => return Read::Incomplete,
        Ok(Some(head)) => head,
    };
    let (mut decoder, mut at, mut data) = (Decoder::new(body), start, Vec::new());
    for end in [cut.clamp(start, input.len()), input.len()] {
        while at < end && !decoder.is_done() {
            let step = match decoder.step(&input[at..end]) {
                Ok(step) => step,
                Err(fault) => return Read::Refused(fault),
            };
            let Range { start: from, end: to } = step.data;
            assert!(step.consumed > 0 && from <= to && to <= step.consumed, "{step:?}");
            data.extend_from_slice(&input[at + from..at + to]);
            at += step.consumed;
        }
    }
    match (decoder.is_done(), body) {
        (true, _) => Read::Complete(at, data),
        (false, Body::UntilClose) => Read::Complete(input.len(), data),
        (false, _) => Read::Incomplete,
    }
}

/// Checks one input: a byte for the kind of message, one that says where to cut, and the bytes on the wire.
pub(crate) fn check(input: &[u8]) {
    let [kind, cut, wire @ ..] = input else { return };
    let kind = match kind {
        b'a' => Kind::Answer,
        b'h' => Kind::AnswerToHead,
        _ => Kind::Request,
    };
    let cut = wire.len() * usize::from(*cut) / 256;
    let read = strict(wire, cut, kind);
    assert_eq!(read, strict(wire, wire.len(), kind), "the cut at {cut} matters");
    let Read::Complete(end, body) = &read else { return };
    let ends_by_itself =
        *end < wire.len() || !matches!(strict(&[wire, b"x"].concat(), 0, kind), Read::Complete(e, _) if e > *end);
    if ends_by_itself {
        assert_eq!(strict(&wire[..*end], cut, kind), read, "what follows matters");
        let before = strict(&wire[..(*end).min(cut)], 0, kind);
        assert!(*end <= cut || before == Read::Incomplete, "it was over before its end: {before:?}");
    }
    for bits in 0..128 {
        let sloppy = Sloppy::of(bits);
        assert_eq!(sloppy.read(wire, kind).as_ref(), Some(&(*end, body.clone())), "{sloppy:?}");
    }
}
