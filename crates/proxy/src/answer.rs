//! From an upstream's head to the head that the client gets. No I/O.

use crate::framing::{self, Body, Decoder, Fault, ResponseHead};
use crate::intake::{Plan, write_decimal, write_framing, write_header};

/// What the head of an answer says, once it is written for the client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) decoder: Decoder,
    /// How the client learns where the body ends.
    pub(crate) towards_client: Body,
    /// Whether the connection to the client closes after it.
    pub(crate) close: bool,
    /// Whether the upstream can take another request.
    pub(crate) upstream_keeps: bool,
    /// Whether the body can be looked into.
    pub(crate) is_plain: bool,
    /// Whether it may be searched for a prediction.
    pub(crate) is_readable: bool,
    /// Whether both sides now speak another protocol.
    pub(crate) is_tunnel: bool,
}

/// The front of what an upstream sent.
#[derive(Debug)]
pub(crate) enum Front {
    /// Not complete.
    More,
    /// An answer before the answer, of so many bytes.
    Interim(u16, usize),
    /// The answer, whose head had so many bytes.
    Head(Answer, usize),
}

/// Reads the head and appends the client's to `out`. `version` is named to the client if given; `close` closes its connection.
///
/// # Errors
/// Why it is no valid answer to the request.
pub(crate) fn take_head(
    buf: &[u8],
    plan: &Plan,
    version: Option<&str>,
    close: bool,
    out: &mut Vec<u8>,
) -> Result<Front, Fault> {
    let mut headers = framing::empty_headers();
    let Some(head) = framing::read_response(buf, &mut headers, plan.is_head)? else { return Ok(Front::More) };
    if framing::is_interim(head.status) {
        return Ok(Front::Interim(head.status, head.len));
    }
    let is_tunnel = head.status == 101;
    if is_tunnel && !(plan.wants_upgrade && head.upgrade.is_some()) {
        return Err(Fault::Malformed);
    }
    let towards_client = match head.body {
        // The client of the older version reads until the connection closes.
        Body::Chunked | Body::UntilClose if plan.is_old => Body::UntilClose,
        Body::UntilClose => Body::Chunked,
        body => body,
    };
    let close = close || !plan.keep_alive || towards_client == Body::UntilClose;
    write_answer(&head, plan, version, towards_client, close, out);
    let is_plain = !head.is_encoded && head.body != Body::Empty;
    let answer = Answer {
        status: head.status,
        decoder: Decoder::new(head.body),
        towards_client,
        close,
        upstream_keeps: head.keep_alive && !is_tunnel,
        is_plain,
        is_readable: is_plain && (200..300).contains(&head.status),
        is_tunnel,
    };
    Ok(Front::Head(answer, head.len))
}

fn write_answer(
    head: &ResponseHead<'_, '_>,
    plan: &Plan,
    version: Option<&str>,
    body: Body,
    close: bool,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(u64::from(head.status), out);
    out.push(b' ');
    out.extend_from_slice(head.reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    for (_, header) in head.headers.iter().enumerate().filter(|(i, _)| head.own & (1 << i) == 0) {
        // What the client is told is what was recorded, whatever the upstream thinks.
        if plan.id.is_some() && header.name.eq_ignore_ascii_case("x-request-id") {
            continue;
        }
        write_header(header.name, header.value, out);
    }
    if let Some(id) = &plan.id {
        write_header("x-request-id", id.as_bytes(), out);
    }
    match (head.status, head.body, head.declared) {
        (101, ..) => {
            out.extend_from_slice(b"connection: upgrade\r\n");
            write_header("upgrade", head.upgrade.unwrap_or_default().as_bytes(), out);
        }
        // What the length would have been, for HEAD and 304.
        (status, Body::Empty, Some(n)) if status != 204 => write_framing(Body::Length(n), out),
        _ => write_framing(body, out),
    }
    if let Some(version) = version {
        write_header("x-serin-version", version.as_bytes(), out);
    }
    if let Some(cookie) = &plan.set_cookie {
        write_header("set-cookie", cookie.as_bytes(), out);
    }
    match (close, plan.is_old) {
        _ if head.status == 101 => {}
        (true, _) => out.extend_from_slice(b"connection: close\r\n"),
        (false, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}
