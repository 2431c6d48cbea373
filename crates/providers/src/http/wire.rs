//! HTTP/1.1 as bytes: the head of a request, and an answer piece by piece.

use crate::error::ProviderError;
use crate::request::{Request, Response};
use crate::url::Url;

/// Bytes of status line and headers.
const HEAD_MAX: usize = 64 * 1024;

/// Headers of an answer.
const HEADERS_MAX: usize = 100;

/// Bytes of a body. A metric's answer has some hundred.
const BODY_MAX: usize = 10 * 1024 * 1024;

/// Digits of a chunk's size and whatever extension follows them.
const CHUNK_LINE_MAX: usize = 1024;

/// Headers that the sender sets, since they must fit the body and the connection.
const OWN: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];

/// What is wrong with an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Garbage(String),
    TooLarge(usize),
}

fn garbage<T>(message: &str) -> Result<T, Fault> {
    Err(Fault::Garbage(message.to_owned()))
}

/// The head of a request, with the empty line.
pub(super) fn head(request: &Request, url: &Url) -> Result<String, ProviderError> {
    let mut host = url.host_header();
    let mut lines = String::new();
    for (name, value) in &request.headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(ProviderError::config(format!("the header {name:?} cannot be sent")));
        }
        match name.to_ascii_lowercase().as_str() {
            "host" => host = value.clone(),
            name if OWN.contains(&name) => {}
            _ => lines.push_str(&format!("{name}: {value}\r\n")),
        }
    }
    let has = |name: &str| request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    if !has("user-agent") {
        lines.push_str("User-Agent: serin\r\n");
    }
    if !has("accept") {
        lines.push_str("Accept: */*\r\n");
    }
    if !request.body.is_empty() || request.method != crate::Method::Get {
        lines.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    let method = request.method.name();
    Ok(format!("{method} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n", url.target))
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Exactly(usize),
    Chunked,
    UntilClosed,
}

/// Reads one answer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What has come and is not yet read.
    pending: Vec<u8>,
    /// The answer without its body, once its head is there.
    head: Option<(Response, Length)>,
    body: Vec<u8>,
    /// Bytes of the current chunk that are still to come, its line end included.
    chunk_left: usize,
}

impl Reader {
    /// Takes some bytes; gives the answer when it is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<Response>, Fault> {
        self.pending.extend_from_slice(bytes);
        while self.head.is_none() {
            if !self.read_head()? {
                return Ok(None);
            }
        }
        let Some((_, length)) = &self.head else { return Ok(None) };
        let complete = match *length {
            Length::Exactly(length) => {
                let missing = length.saturating_sub(self.body.len()).min(self.pending.len());
                self.body.extend(self.pending.drain(..missing));
                self.body.len() == length
            }
            Length::Chunked => self.read_chunks()?,
            Length::UntilClosed => {
                self.body.append(&mut self.pending);
                false
            }
        };
        if self.body.len() > BODY_MAX {
            return Err(Fault::TooLarge(BODY_MAX));
        }
        Ok(if complete { self.take() } else { None })
    }

    /// The answer when the connection has been closed.
    pub(super) fn finish(mut self) -> Result<Response, Fault> {
        match &self.head {
            None if self.pending.is_empty() => garbage("the connection was closed without an answer"),
            None => garbage("the connection was closed within the headers"),
            Some((_, Length::UntilClosed)) => match self.take() {
                Some(response) => Ok(response),
                None => garbage("the connection was closed within the headers"),
            },
            Some(_) => garbage("the connection was closed within the body"),
        }
    }

    fn take(&mut self) -> Option<Response> {
        let (response, _) = self.head.take()?;
        Some(Response { body: std::mem::take(&mut self.body), ..response })
    }

    /// Reads the head if it is complete; true if something was read.
    fn read_head(&mut self) -> Result<bool, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut headers);
        let status = parsed.parse(&self.pending).map_err(|error| Fault::Garbage(format!("it is no HTTP: {error}")))?;
        let httparse::Status::Complete(end) = status else {
            return if self.pending.len() > HEAD_MAX { Err(Fault::TooLarge(HEAD_MAX)) } else { Ok(false) };
        };
        let status = parsed.code.unwrap_or(0);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = parsed.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
        let response = Response { status, headers, body: Vec::new() };
        self.pending.drain(..end);
        match status {
            // Not yet the answer.
            100 | 102..=199 => {}
            101 => return garbage("it wants to speak another protocol"),
            _ => {
                let length = length(&response)?;
                self.head = Some((response, length));
            }
        }
        Ok(true)
    }

    /// Reads what there is of chunks; true after the last.
    fn read_chunks(&mut self) -> Result<bool, Fault> {
        loop {
            if self.chunk_left > 0 {
                let count = self.chunk_left.min(self.pending.len());
                let data = self.chunk_left.saturating_sub(2).min(count);
                self.body.extend_from_slice(&self.pending[..data]);
                let ends = &self.pending[data..count];
                let skipped = 2_usize.saturating_sub(self.chunk_left - data);
                if ends != &b"\r\n"[skipped..skipped + ends.len()] {
                    return garbage("a chunk does not end where it should");
                }
                self.pending.drain(..count);
                self.chunk_left -= count;
                if self.chunk_left > 0 || self.body.len() > BODY_MAX {
                    return Ok(false);
                }
            }
            let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") else {
                let long = self.pending.len() > CHUNK_LINE_MAX;
                return if long { garbage("the size of a chunk is too long") } else { Ok(false) };
            };
            let line = String::from_utf8_lossy(&self.pending[..end]).into_owned();
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = match usize::from_str_radix(digits, 16) {
                Ok(size) if !digits.starts_with('+') => size,
                _ => return garbage("the size of a chunk is no number"),
            };
            if size > BODY_MAX {
                return Err(Fault::TooLarge(BODY_MAX));
            }
            self.pending.drain(..end + 2);
            if size == 0 {
                // Trailers follow, which nobody here wants: the connection is closed anyway.
                return Ok(true);
            }
            self.chunk_left = size + 2;
        }
    }
}

fn length(response: &Response) -> Result<Length, Fault> {
    if matches!(response.status, 204 | 304) {
        return Ok(Length::Exactly(0));
    }
    if let Some(coding) = response.header("transfer-encoding") {
        return if coding.trim().eq_ignore_ascii_case("chunked") {
            Ok(Length::Chunked)
        } else {
            garbage("the body has a transfer coding other than chunked")
        };
    }
    let mut lengths = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let Some((_, first)) = lengths.next() else {
        return Ok(Length::UntilClosed);
    };
    if lengths.any(|(_, other)| other != first) || !first.bytes().all(|b| b.is_ascii_digit()) {
        return garbage("the length of the body is no number");
    }
    match first.parse() {
        Ok(length) if length <= BODY_MAX => Ok(Length::Exactly(length)),
        Ok(_) => Err(Fault::TooLarge(BODY_MAX)),
        Err(_) => garbage("the length of the body is no number"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::Method;

    /// Reads an answer in pieces of every size; they must all come to the same.
    fn read(answer: &str) -> Result<(u16, String), String> {
        let with_pieces_of = |size: usize| {
            let mut reader = Reader::default();
            for piece in answer.as_bytes().chunks(size) {
                match reader.push(piece) {
                    Ok(Some(response)) => return Ok(response),
                    Ok(None) => {}
                    Err(fault) => return Err(fault),
                }
            }
            reader.finish()
        };
        let all = with_pieces_of(answer.len().max(1));
        for size in 1..8 {
            assert_eq!(with_pieces_of(size), all, "pieces of {size} of {answer:?}");
        }
        match all {
            Ok(response) => Ok((response.status, String::from_utf8(response.body).unwrap())),
            Err(Fault::Garbage(message)) => Err(message),
            Err(Fault::TooLarge(limit)) => Err(format!("larger than {limit}")),
        }
    }

    #[test]
    fn answers_of_every_length() {
        let check = |answer: &str, status: u16, body: &str| {
            assert_eq!(read(answer), Ok((status, body.to_owned())), "{answer:?}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello");
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "");
        check("HTTP/1.0 404 Not Found\r\n\r\nuntil the end", 404, "until the end");
        check("HTTP/1.1 204 No Content\r\n\r\n", 204, "");
        check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x");
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, 12345678\r\n0\r\n\r\n";
        check(chunks, 200, "hello, 12345678");
    }

    #[test]
    fn answers_that_are_not_whole_or_not_http() {
        let check = |answer: &str, want: &str| {
            let error = read(answer).unwrap_err();
            assert!(error.contains(want), "{answer:?}: {error}");
        };
        check("", "without an answer");
        check("HTTP/1.1 200 OK\r\nContent-", "within the headers");
        check("SSH-2.0-OpenSSH_9.2\r\n", "it is no HTTP");
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "within the body");
        check("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", "no number");
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "no number");
        check("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "larger than");
        check("HTTP/1.1 101 Switching\r\n\r\n", "another protocol");
        let chunked = |chunks: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        check(&chunked("5\r\nhello\r\n"), "within the body");
        check(&chunked("5\r\nhelloXX0\r\n\r\n"), "does not end where it should");
        check(&chunked("5\r\nhello\rX"), "does not end where it should");
        check(&chunked("x\r\n"), "no number");
        check(&chunked("fffffffffff\r\n"), "larger than");
        check(&chunked(&"0".repeat(2000)), "too long");
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding");
    }

    #[test]
    fn requests_as_bytes() {
        let request = |headers: &[(&str, &str)], body: &str| Request {
            method: if body.is_empty() { Method::Get } else { Method::Post },
            url: String::new(),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            timeout: Duration::from_secs(1),
            insecure: false,
        };
        let url = Url::parse("http://a:8080/x?y=1").unwrap();
        let get = head(&request(&[("X-A", "1"), ("Connection", "keep-alive")], ""), &url).unwrap();
        let want = "GET /x?y=1 HTTP/1.1\r\nHost: a:8080\r\nConnection: close\r\nX-A: 1\r\nUser-Agent: serin\r\nAccept: */*\r\n\r\n";
        assert_eq!(get, want);
        let post = head(&request(&[("host", "b"), ("User-Agent", "me"), ("accept", "x/y")], "12345"), &url).unwrap();
        assert!(post.starts_with("POST /x?y=1 HTTP/1.1\r\nHost: b\r\n") && post.contains("\r\nContent-Length: 5\r\n"));
        assert!(!post.contains("serin") && !post.contains("*/*"));
        for (name, value) in [("a b", "x"), ("", "x"), ("a", "x\r\nY: z"), ("a\r\n", "x")] {
            assert!(head(&request(&[(name, value)], ""), &url).is_err(), "{name:?}: {value:?}");
        }
    }
}
