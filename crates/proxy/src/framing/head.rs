//! Heads: the request line or status line, the headers, and what they say about the body and the connection.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use super::{Body, Fault};

/// Most headers of a message.
pub const HEADERS_MAX: usize = 100;

/// Room for the headers of one message, not cleared since the parser fills what it returns.
pub fn empty_headers<'b>() -> [MaybeUninit<Header<'b>>; HEADERS_MAX] {
    [const { MaybeUninit::uninit() }; HEADERS_MAX]
}

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead<'h, 'b> {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// The method, in the client's case.
    pub method: &'b str,
    /// Path and query, or `*`. An absolute target has lost its scheme and authority.
    pub target: &'b str,
    /// Without a port it is the port of the listener. Empty only for HTTP/1.0. ASCII.
    pub host: &'b [u8],
    /// All headers as they came.
    pub headers: &'h [Header<'b>],
    /// Which of the headers are about this connection or are written anew: bit `n` for header `n`.
    pub own: u128,
    /// How the body ends.
    pub body: Body,
    /// Whether the client speaks HTTP/1.0.
    pub is_old: bool,
    /// Whether the client can send another request on the connection.
    pub keep_alive: bool,
    /// The one protocol that the client would like to change to.
    pub upgrade: Option<&'b str>,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
}

/// The head of an answer.
#[derive(Debug)]
pub struct ResponseHead<'h, 'b> {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// 100 to 599.
    pub status: u16,
    /// The words after the status; they mean nothing.
    pub reason: &'b str,
    /// All headers as they came.
    pub headers: &'h [Header<'b>],
    /// Which of the headers are about this connection or are written anew: bit `n` for header `n`.
    pub own: u128,
    /// How the body ends.
    pub body: Body,
    /// The `Content-Length`, which answers to HEAD and 304s carry without a body.
    pub declared: Option<u64>,
    /// Whether the upstream can take another request on the connection.
    pub keep_alive: bool,
    /// The protocol that a 101 changes to.
    pub upgrade: Option<&'b str>,
    /// Whether the body is compressed or otherwise coded.
    pub is_encoded: bool,
}

/// What the headers say about message and connection.
#[derive(Debug, Default)]
struct Meaning<'b> {
    own: u128,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrade_named: bool,
    upgrade: Option<&'b str>,
    host: Option<&'b [u8]>,
    expect: Option<&'b [u8]>,
    is_encoded: bool,
}

impl<'b> Meaning<'b> {
    fn read(headers: &[Header<'b>]) -> Result<Self, Fault> {
        let mut meaning = Self::default();
        let mut nominated = false;
        for (i, header) in headers.iter().enumerate() {
            nominated |= meaning.take(i, header)?;
        }
        if nominated {
            meaning.drop_nominated(headers);
        }
        Ok(meaning)
    }

    /// Takes in one header; whether it names others as being about this connection. The lengths come first: comparing them
    /// is cheap, and few headers get past it.
    fn take(&mut self, i: usize, header: &Header<'b>) -> Result<bool, Fault> {
        // The usual spelling is compared in a few instructions, any other one byte by byte.
        let is = |name: &str| header.name == name || header.name.eq_ignore_ascii_case(name);
        let own = || 1u128 << i;
        let mut nominated = false;
        match (header.name.len(), header.name.as_bytes()[0] | 0x20) {
            (2, b't') if is("TE") => self.own |= own(),
            (4, b'h') if is("Host") => {
                self.own |= own();
                if self.host.replace(header.value).is_some() {
                    return Err(Fault::Host);
                }
            }
            (6, b'e') if is("Expect") => {
                self.own |= own();
                self.expect = Some(header.value);
            }
            (7, b't') if is("Trailer") => self.own |= own(),
            (7, b'u') if is("Upgrade") => {
                self.own |= own();
                // Two headers, like two names in one, are a choice; only a single protocol is passed on.
                let single = std::str::from_utf8(header.value).ok().filter(|v| v.bytes().all(is_protocol));
                self.upgrade = if self.upgrade.is_none() { single } else { None };
            }
            (10, b'c') if is("Connection") => {
                self.own |= own();
                nominated = self.take_connection(header.value);
            }
            (10, b'k') if is("Keep-Alive") => self.own |= own(),
            (14, b'c') if is("Content-Length") => {
                self.own |= own();
                if self.length.replace(number(header.value).ok_or(Fault::Length)?).is_some() {
                    return Err(Fault::Length);
                }
            }
            (16, b'p') if is("Proxy-Connection") => self.own |= own(),
            (16, b'c') if is("Content-Encoding") => self.is_encoded = !header.value.eq_ignore_ascii_case(b"identity"),
            (17, b't') if is("Transfer-Encoding") => {
                self.own |= own();
                if !header.value.eq_ignore_ascii_case(b"chunked") || self.chunked {
                    return Err(Fault::Coding);
                }
                self.chunked = true;
            }
            // Servers that hand headers to the application as environment variables cannot tell these from the real ones.
            (14, b'c') if is("Content_Length") => return Err(Fault::Length),
            (17, b't') if is("Transfer_Encoding") => return Err(Fault::Coding),
            _ => {}
        }
        Ok(nominated)
    }

    fn take_connection(&mut self, value: &[u8]) -> bool {
        if value == b"keep-alive" {
            self.keep_alive = true;
            return false;
        }
        let mut nominated = false;
        for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            match token.len() {
                5 if token.eq_ignore_ascii_case(b"close") => self.close = true,
                10 if token.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = true,
                7 if token.eq_ignore_ascii_case(b"upgrade") => self.upgrade_named = true,
                0 => {}
                _ => nominated = true,
            }
        }
        nominated
    }

    /// Headers that `Connection` names go no further. Those that say where the request comes from stay: nobody may take them
    /// away from the proxies in front.
    fn drop_nominated(&mut self, headers: &[Header<'b>]) {
        for connection in headers.iter().filter(|h| h.name.eq_ignore_ascii_case("connection")) {
            for token in connection.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                let origin = token.get(..12).is_some_and(|t| t.eq_ignore_ascii_case(b"x-forwarded-"));
                for (i, header) in headers.iter().enumerate() {
                    if !origin && header.name.as_bytes().eq_ignore_ascii_case(token) {
                        self.own |= 1 << i;
                    }
                }
            }
        }
    }
}

/// Reads a request head from the front of `buf`. `None` when it is not complete yet.
///
/// # Errors
/// Why it is refused; the connection cannot be read any further then.
pub fn read_request<'h, 'b>(
    buf: &'b [u8],
    headers: &'h mut [MaybeUninit<Header<'b>>; HEADERS_MAX],
) -> Result<Option<RequestHead<'h, 'b>>, Fault> {
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(buf, headers) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(Fault::Malformed);
    };
    let headers = &*request.headers;
    strict_lines(&buf[..len], headers)?;
    let meaning = Meaning::read(headers)?;
    let is_old = version == 0;
    let body = match (meaning.chunked, meaning.length) {
        (true, Some(_)) => return Err(Fault::Length),
        // The older version has no such thing, and a proxy of that time would pass it on unread.
        (true, None) if is_old => return Err(Fault::Coding),
        (true, None) => Body::Chunked,
        (false, Some(n)) => Body::Length(n),
        (false, None) => Body::Empty,
    };
    let (target, authority) = split_target(method, target)?;
    let host = match (authority, meaning.host) {
        (_, None) if !is_old => return Err(Fault::Host),
        (Some(authority), _) => authority.as_bytes(),
        (None, host) => host.unwrap_or_default(),
    };
    let is_valid = |host: &[u8]| host.iter().all(|b| IS_HOST[usize::from(*b)]);
    let both_valid = is_valid(host) && (authority.is_none() || meaning.host.is_none_or(is_valid));
    if !both_valid || (host.is_empty() && !is_old) {
        return Err(Fault::Host);
    }
    Ok(Some(RequestHead {
        len,
        method,
        target,
        host,
        headers,
        own: meaning.own,
        body,
        is_old,
        keep_alive: !meaning.close && (!is_old || meaning.keep_alive),
        upgrade: meaning.upgrade.filter(|_| meaning.upgrade_named && !is_old),
        expects_continue: !is_old && meaning.expect.is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue")),
    }))
}

/// Reads an answer head from the front of `buf`. `None` when it is not complete yet. `to_head` says that the request was a HEAD,
/// whose answer has no body whatever its headers say.
///
/// # Errors
/// Why it is refused.
pub fn read_response<'h, 'b>(
    buf: &'b [u8],
    headers: &'h mut [MaybeUninit<Header<'b>>; HEADERS_MAX],
    to_head: bool,
) -> Result<Option<ResponseHead<'h, 'b>>, Fault> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, buf, headers);
    let len = match parsed {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else { return Err(Fault::Malformed) };
    if !(100..600).contains(&status) {
        return Err(Fault::Malformed);
    }
    let headers = &*response.headers;
    strict_lines(&buf[..len], headers)?;
    let meaning = Meaning::read(headers)?;
    let is_old = version == 0;
    let bodiless = to_head || status < 200 || status == 204 || status == 304;
    let body = match (meaning.chunked, meaning.length) {
        (true, Some(_)) => return Err(Fault::Length),
        (true, None) if is_old => return Err(Fault::Coding),
        _ if bodiless => Body::Empty,
        (true, None) => Body::Chunked,
        (false, Some(n)) => Body::Length(n),
        (false, None) => Body::UntilClose,
    };
    Ok(Some(ResponseHead {
        len,
        status,
        reason: response.reason.unwrap_or_default(),
        headers,
        own: meaning.own,
        body,
        declared: meaning.length,
        keep_alive: !meaning.close && (!is_old || meaning.keep_alive) && body != Body::UntilClose,
        upgrade: meaning.upgrade.filter(|_| meaning.upgrade_named),
        is_encoded: meaning.is_encoded,
    }))
}

/// Whether an answer only precedes the real one. 101 does not: it is the last one.
pub fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// The parser takes a bare line feed for a line end, and empty lines before the first line. Both are refused here, by what stands
/// before each header and at the end: every line before a header is one that the parser has ended there.
pub(super) fn strict_lines(head: &[u8], headers: &[Header<'_>]) -> Result<(), Fault> {
    let begin = head.as_ptr().addr();
    let follows_line = |header: &Header<'_>| {
        let at = header.name.as_ptr().addr() - begin;
        at >= 2 && head[at - 2..at] == *b"\r\n"
    };
    let strict = !matches!(head[0], b'\r' | b'\n') && head.ends_with(b"\r\n\r\n") && headers.iter().all(follows_line);
    if strict { Ok(()) } else { Err(Fault::Malformed) }
}

fn fault(error: httparse::Error) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::TooLarge,
        httparse::Error::Version => Fault::Version,
        _ => Fault::Malformed,
    }
}

/// A target in origin form, and the authority that an absolute one carried. The authority wins over `Host`, as the standard has it.
fn split_target<'b>(method: &str, target: &'b str) -> Result<(&'b str, Option<&'b str>), Fault> {
    if target.as_bytes().contains(&b'#') {
        return Err(Fault::Malformed);
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok((target, None));
    }
    if method == "CONNECT" {
        return Err(Fault::Method);
    }
    let scheme = target.get(..7).is_some_and(|s| s.eq_ignore_ascii_case("http://"));
    let rest = if scheme { &target[7..] } else { return Err(Fault::Malformed) };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match path {
        _ if authority.is_empty() => Err(Fault::Host),
        "" => Ok(("/", Some(authority))),
        // `http://host?query` has no path to put the query after; nobody writes it in earnest.
        p if p.starts_with('?') => Err(Fault::Malformed),
        p => Ok((p, Some(authority))),
    }
}

/// The bytes of which a host and its port are made.
static IS_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'[' | b']' | b'%');
        byte += 1;
    }
    table
};

fn is_protocol(byte: u8) -> bool {
    super::body::is_token(byte) || byte == b'/'
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}
