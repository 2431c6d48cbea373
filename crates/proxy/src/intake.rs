//! From the head of a request to a plan: which route and version, and what is sent upstream.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use httparse::Header;

use crate::framing::{self, Body, Decoder, RequestHead};
use crate::mirror::{Copies, Draft, UserEnd, is_safe};
use crate::refusal::Reason;
use crate::routing::{Routing, Rule, Service};
use crate::slice::Probes;
use crate::split::visitor;
use crate::stats::keepable;
use crate::table::Sticky;

/// All that is known about a request once its head is read. Nothing in it points into the head.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) service: Arc<Service>,
    /// The group that should answer.
    pub(crate) group: usize,
    pub(crate) timeout: Duration,
    pub(crate) expose_version: bool,
    /// A whole `Set-Cookie` value for a visitor seen for the first time.
    pub(crate) set_cookie: Option<String>,
    pub(crate) body: Body,
    pub(crate) decoder: Decoder,
    pub(crate) begun: Instant,
    pub(crate) keep_alive: bool,
    pub(crate) is_old: bool,
    pub(crate) is_head: bool,
    /// Whether sending it twice does no harm.
    pub(crate) is_repeatable: bool,
    pub(crate) wants_upgrade: bool,
    pub(crate) expects_continue: bool,
    /// Whether the weights chose the group.
    pub(crate) drawn: bool,
    /// The visitor, where the route is sticky.
    pub(crate) visitor: Option<u64>,
    /// The request id, where predictions are kept and it can be.
    pub(crate) id: Option<Box<str>>,
    /// The copy for a mirror, until it is sent.
    pub(crate) draft: RefCell<Option<Box<Draft>>>,
    /// The mirror that gets a copy, and the user's end of the pair.
    pub(crate) pair: Option<(usize, UserEnd)>,
    pub(crate) probes: RefCell<Probes>,
}

/// What reading a head needs to know besides the head.
pub(crate) struct Surroundings<'a> {
    pub(crate) routing: &'a Routing,
    /// The client's address.
    pub(crate) peer: &'a str,
    pub(crate) trust_forwarded: bool,
    pub(crate) head_bytes_max: usize,
    pub(crate) random: &'a dyn Fn() -> u64,
    pub(crate) copies: &'a Copies,
}

/// What became of the bytes so far.
#[derive(Debug)]
pub(crate) enum Intake {
    /// The head is not complete.
    More,
    /// Ready to be sent; so many bytes were the head.
    Plan(Plan, usize),
    /// Not passed on. With its end known the next request may follow.
    Refused(Reason, Option<Refused>),
}

/// A request that is not passed on, as far as it matters for what follows.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) head_len: usize,
    pub(crate) body: Decoder,
    pub(crate) is_head: bool,
}

/// Reads a request head and writes the one for the upstream to `out`, which must be empty.
pub(crate) fn take_in(buf: &[u8], around: &Surroundings<'_>, out: &mut Vec<u8>) -> Intake {
    let mut headers = framing::empty_headers();
    let head = match framing::read_request(buf, &mut headers) {
        Ok(Some(head)) if head.len <= around.head_bytes_max => head,
        Ok(None) if buf.len() < around.head_bytes_max => return Intake::More,
        Ok(_) => return Intake::Refused(Reason::HeadTooLarge, None),
        Err(fault) => return Intake::Refused(fault.into(), None),
    };
    let refused = || Refused { head_len: head.len, body: Decoder::new(head.body), is_head: head.method == "HEAD" };
    let Some(rule) = around.routing.rule(head.host, head.target) else {
        let reason = if around.routing.table.version == 0 { Reason::NoTable } else { Reason::NoRoute };
        return Intake::Refused(reason, head.keep_alive.then(refused));
    };
    let Choice { group, set_cookie, drawn, visitor } = choose(&rule.service, head.headers, around.random);
    let Written { shared, id } = write_request(&head, rule, around, out);
    let begun = Instant::now();
    let copied = around.copies.draft(&rule.service, group, &head, &out[..shared], begun);
    let (draft, pair) = copied.map(|c| (c.draft, (c.mirror, c.user))).unzip();
    let plan = Plan {
        service: rule.service.clone(),
        group,
        timeout: rule.timeout,
        expose_version: rule.expose_version,
        set_cookie,
        body: head.body,
        decoder: Decoder::new(head.body),
        begun,
        keep_alive: head.keep_alive,
        is_old: head.is_old,
        is_head: head.method == "HEAD",
        is_repeatable: is_safe(head.method) && head.body == Body::Empty,
        wants_upgrade: upgrade(&head).is_some(),
        expects_continue: head.expects_continue,
        drawn,
        visitor,
        id,
        draft: RefCell::new(draft),
        pair,
        probes: RefCell::new(Probes::begin(&rule.service.slices, head.headers)),
    };
    Intake::Plan(plan, head.len)
}

/// Who answers a request, and why.
#[derive(Default)]
struct Choice {
    group: usize,
    set_cookie: Option<String>,
    drawn: bool,
    visitor: Option<u64>,
}

/// The group for a request, and the cookie to set.
fn choose(service: &Service, headers: &[Header<'_>], random: &dyn Fn() -> u64) -> Choice {
    let chooser = &service.chooser;
    if let Some(group) = chooser.by_header(headers) {
        return Choice { group, ..Choice::default() };
    }
    let draw = || Choice { group: chooser.by_weight(), drawn: true, ..Choice::default() };
    let known = |id: &[u8]| {
        let visitor = visitor(id);
        Choice { group: chooser.by_visitor(visitor), visitor: Some(visitor), ..Choice::default() }
    };
    match &service.sticky {
        None => draw(),
        Some(Sticky::Header { name }) => {
            let value = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
            value.map_or_else(draw, known)
        }
        Some(Sticky::Cookie { name }) => cookie(headers, name).map_or_else(
            || {
                let drawn = draw();
                let id = chooser.visitor_in(drawn.group, random);
                let set_cookie = Some(format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax"));
                Choice { set_cookie, visitor: Some(visitor(id.as_bytes())), ..drawn }
            },
            known,
        ),
    }
}

fn cookie<'b>(headers: &[Header<'b>], name: &str) -> Option<&'b [u8]> {
    let cookies = headers.iter().filter(|h| h.name.eq_ignore_ascii_case("cookie"));
    cookies.flat_map(|h| h.value.split(|b| *b == b';')).find_map(|pair| {
        let at = pair.iter().position(|b| *b == b'=')?;
        (pair[..at].trim_ascii() == name.as_bytes()).then(|| pair[at + 1..].trim_ascii()).filter(|v| !v.is_empty())
    })
}

/// The protocol to offer to the upstream. HTTP/2 without TLS is not: it would carry requests past every check made here.
fn upgrade<'b>(head: &RequestHead<'_, 'b>) -> Option<&'b str> {
    head.upgrade
        .filter(|p| !(p.eq_ignore_ascii_case("h2c") || p.get(..4).is_some_and(|t| t.eq_ignore_ascii_case("tls/"))))
}

/// What is known of a head after it was written.
struct Written {
    /// Where the headers begin that are about the connection and the framing of the body.
    shared: usize,
    /// See [`Plan::id`].
    id: Option<Box<str>>,
}

fn write_request(head: &RequestHead<'_, '_>, rule: &Rule, around: &Surroundings<'_>, out: &mut Vec<u8>) -> Written {
    let (method, target) = (head.method.as_bytes(), head.target.as_bytes());
    for part in [method, b" ", target, b" HTTP/1.1\r\nhost: ", head.host, b"\r\n"] {
        out.extend_from_slice(part);
    }
    let trust = around.trust_forwarded;
    let (mut has_for, mut has_proto, mut has_host, mut has_id) = (false, false, false, None);
    for (i, header) in head.headers.iter().enumerate() {
        if head.own & (1 << i) != 0 {
            continue;
        }
        match (header.name.len(), header.name.as_bytes()[0] | 0x20) {
            (12, b'x') if has_id.is_none() && header.name.eq_ignore_ascii_case("x-request-id") => {
                has_id = Some(header.value)
            }
            (15, b'x') if header.name.eq_ignore_ascii_case("x-forwarded-for") => {
                // All of them become one line at the end: some servers look at the first line only, and it must not be the client's.
                has_for = true;
                continue;
            }
            (13.., b'x') if header.name[..12].eq_ignore_ascii_case("x-forwarded-") => {
                if !trust {
                    continue;
                }
                has_proto |= header.name[12..].eq_ignore_ascii_case("proto");
                has_host |= header.name[12..].eq_ignore_ascii_case("host");
            }
            (9, b'f') if !trust && header.name.eq_ignore_ascii_case("forwarded") => continue,
            _ => {}
        }
        write_header(header.name, header.value, out);
    }
    out.extend_from_slice(b"x-forwarded-for: ");
    if has_for && trust {
        for header in head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("x-forwarded-for")) {
            out.extend_from_slice(header.value);
            out.extend_from_slice(b", ");
        }
    }
    out.extend_from_slice(around.peer.as_bytes());
    out.extend_from_slice(b"\r\n");
    if !has_proto {
        out.extend_from_slice(b"x-forwarded-proto: http\r\n");
    }
    if !has_host {
        write_header("x-forwarded-host", head.host, out);
    }
    let made = if rule.request_id && has_id.is_none() {
        let id = format!("{:016x}{:016x}", (around.random)(), (around.random)());
        write_header("x-request-id", id.as_bytes(), out);
        Some(id)
    } else {
        None
    };
    let id = match &rule.service.ring {
        Some(_) => made.map(String::into_boxed_str).or_else(|| keepable(has_id?).map(Into::into)),
        None => None,
    };
    let shared = out.len();
    if head.expects_continue {
        out.extend_from_slice(b"expect: 100-continue\r\n");
    }
    if let Some(protocol) = upgrade(head) {
        out.extend_from_slice(b"connection: upgrade\r\n");
        write_header("upgrade", protocol.as_bytes(), out);
    }
    write_framing(head.body, out);
    out.extend_from_slice(b"\r\n");
    Written { shared, id }
}

/// Writes the header that tells where the body ends.
pub(crate) fn write_framing(body: Body, out: &mut Vec<u8>) {
    match body {
        Body::Empty | Body::UntilClose => {}
        Body::Length(n) => {
            out.extend_from_slice(b"content-length: ");
            write_decimal(n, out);
            out.extend_from_slice(b"\r\n");
        }
        Body::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
}

/// Writes one header.
pub(crate) fn write_header(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a number without the machinery of formatting, which costs as much as parsing a head.
pub(crate) fn write_decimal(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes one chunk; an empty one would end the body and is left out.
pub(crate) fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    write_chunk_size(data.len(), out);
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Writes the line before the data of a chunk.
pub(crate) fn write_chunk_size(n: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - n.leading_zeros()).div_ceil(4).max(1);
    for i in (0..digits).rev() {
        out.push(b"0123456789abcdef"[n >> (4 * i) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// The chunk that ends a body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests;
