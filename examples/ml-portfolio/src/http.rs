//! HTTP/1.1 as the services need it: small requests in, small answers out, connections kept open, nothing without a limit.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head of a request, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// Most header lines of a request.
const HEADERS_MAX: usize = 64;

/// Longest body, in bytes. A row has a few hundred.
pub(crate) const BODY_MAX: usize = 64 * 1024;

/// From the first byte of a request to its last.
const READ_TIME: Duration = Duration::from_secs(10);

/// For writing an answer.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// For what a refused client still sends: closing at once would throw away the answer together with the unread bytes.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without its query.
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// The client wants the connection kept open.
    pub(crate) keep: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
    /// For 405.
    pub(crate) allow: Option<&'static str>,
}

impl Response {
    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: body.to_string(), allow: None }
    }

    /// `{"error": message}`.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": message }))
    }
}

/// What came of waiting for a request.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A request.
    Request(Request),
    /// Something that is no request to answer as one; the connection must be closed after the answer.
    Refused(Response),
    /// The client is gone.
    Closed,
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that were read and not used yet.
    buffer: Vec<u8>,
}

/// The head of a request.
struct Head {
    method: String,
    path: String,
    keep: bool,
    body: usize,
    expects_continue: bool,
    /// Its bytes.
    length: usize,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Answers are one small write each; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::new() }
    }

    /// Waits until the client sends something. `false` when it went away instead.
    pub(crate) async fn wakes(&mut self) -> bool {
        !self.buffer.is_empty() || self.fill().await
    }

    /// Reads a request that has begun.
    pub(crate) async fn read(&mut self) -> Incoming {
        match tokio::time::timeout(READ_TIME, self.read_request()).await {
            Ok(incoming) => incoming,
            Err(_) => Incoming::Refused(Response::error(408, "the request did not arrive in time")),
        }
    }

    async fn read_request(&mut self) -> Incoming {
        let head = loop {
            match parse(&self.buffer) {
                Ok(Some(head)) => break head,
                Err(refusal) => return Incoming::Refused(refusal),
                Ok(None) if self.buffer.len() > HEAD_MAX => {
                    return Incoming::Refused(Response::error(431, "the head of the request is too long"));
                }
                Ok(None) if !self.fill().await => return Incoming::Closed,
                Ok(None) => {}
            }
        };
        if head.expects_continue && self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
            return Incoming::Closed;
        }
        let end = head.length + head.body;
        while self.buffer.len() < end {
            if !self.fill().await {
                return Incoming::Closed;
            }
        }
        let body = self.buffer[head.length..end].to_vec();
        self.buffer.drain(..end);
        Incoming::Request(Request { method: head.method, path: head.path, body, keep: head.keep })
    }

    /// Reads some bytes; `false` at the end.
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(n) if n > 0)
    }

    /// Writes an answer; `false` when the client does not take it.
    pub(crate) async fn write(&mut self, response: &Response, keep: bool) -> bool {
        let mut text = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
        text.push_str(&format!(
            "content-type: {}\r\ncontent-length: {}\r\n",
            response.content_type,
            response.body.len()
        ));
        if let Some(allow) = response.allow {
            text.push_str(&format!("allow: {allow}\r\n"));
        }
        if !keep {
            text.push_str("connection: close\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&response.body);
        matches!(tokio::time::timeout(WRITE_TIME, self.stream.write_all(text.as_bytes())).await, Ok(Ok(())))
    }

    /// Closes after an answer to something that was not read to its end.
    pub(crate) async fn linger(mut self) {
        let _ = self.stream.shutdown().await;
        let rest = async {
            while self.fill().await {
                self.buffer.clear();
            }
        };
        let _ = tokio::time::timeout(LINGER_TIME, rest).await;
    }
}

/// Reads a head; nothing when more bytes are needed.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Response> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Response::error(431, "too many headers")),
        Err(e) => return Err(Response::error(400, &format!("not a request: {e}"))),
    };
    let (mut body, mut expects_continue) = (None, false);
    let mut keep = request.version == Some(1);
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Response::error(411, "a body needs a content-length"));
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            if !digits || body.is_some() {
                return Err(Response::error(400, "the content-length is not one number"));
            }
            // More digits than a number has are too long a body as well.
            body = Some(value.parse::<usize>().unwrap_or(usize::MAX));
        } else if header.name.eq_ignore_ascii_case("connection") {
            let has = |word: &str| value.split(',').any(|v| v.trim().eq_ignore_ascii_case(word));
            keep = (keep || has("keep-alive")) && !has("close");
        } else if header.name.eq_ignore_ascii_case("expect") {
            expects_continue = value.eq_ignore_ascii_case("100-continue");
        }
    }
    let body = body.unwrap_or(0);
    if body > BODY_MAX {
        return Err(Response::error(413, &format!("the body is longer than {BODY_MAX} bytes")));
    }
    let target = request.path.unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let method = request.method.unwrap_or_default().to_owned();
    Ok(Some(Head { method, path, keep, body, expects_continue, length }))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, want: Result<Option<(&str, bool, usize)>, u16>) {
        let got = parse(head.as_bytes());
        let got = got.as_ref().map(|h| h.as_ref().map(|h| (h.path.as_str(), h.keep, h.body))).map_err(|r| r.status);
        assert_eq!(got, want, "{head:?}");
    }

    #[test]
    fn heads() {
        check("GET /health?full=1 HTTP/1.1\r\n\r\n", Ok(Some(("/health", true, 0))));
        check("GET / HTTP/1.0\r\n\r\n", Ok(Some(("/", false, 0))));
        check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Ok(Some(("/", true, 0))));
        check("GET / HTTP/1.1\r\nConnection: te, close\r\n\r\n", Ok(Some(("/", false, 0))));
        check("POST /predict HTTP/1.1\r\nContent-Length: 12\r\n\r\n", Ok(Some(("/predict", true, 12))));
        check("POST /predict HTTP/1.1\r\nContent-", Ok(None));
        check("", Ok(None));
    }

    #[test]
    fn lengths_that_two_readers_could_read_differently_are_refused() {
        let post = |headers: &str| format!("POST / HTTP/1.1\r\n{headers}\r\n\r\n");
        check(&post("Content-Length: 1\r\nContent-Length: 2"), Err(400));
        check(&post("Content-Length: +1"), Err(400));
        check(&post("Content-Length: 0x1"), Err(400));
        check(&post("Content-Length:"), Err(400));
        check(&post("Transfer-Encoding: chunked"), Err(411));
        check(&post("Content-Length: 5\r\nTransfer-Encoding: chunked"), Err(411));
        check(&post("Content-Length: 65537"), Err(413));
        check(&post("Content-Length: 99999999999999999999999"), Err(413));
        check(&post(&"X: 1\r\n".repeat(80)), Err(431));
        check("nonsense\r\n\r\n", Err(400));
    }
}
