//! A small HTTP/1.1 client that keeps its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// From connecting to the last byte of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Longest answer, in bytes.
const ANSWER_MAX: usize = 1 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// No connection.
    Connect,
    /// The connection ended before the answer did.
    Broken,
    /// What came is not an answer.
    Malformed,
    /// Nothing (whole) came in time.
    Timeout,
}

impl Failure {
    pub(super) fn name(self) -> &'static str {
        match self {
            Failure::Connect => "connect",
            Failure::Broken => "broken",
            Failure::Malformed => "malformed",
            Failure::Timeout => "timeout",
        }
    }
}

/// A client of one router.
#[derive(Debug)]
pub(super) struct Client {
    router: String,
    idle: Mutex<Vec<TcpStream>>,
}

impl Client {
    pub(super) fn new(router: String) -> Self {
        Self { router, idle: Mutex::new(Vec::new()) }
    }

    /// Whether the router takes connections.
    pub(super) async fn is_reachable(&self) -> bool {
        match self.connect().await {
            Ok(stream) => {
                self.idle().push(stream);
                true
            }
            Err(_) => false,
        }
    }

    /// Asks for a prediction.
    pub(super) async fn ask(&self, host: &str, body: &str) -> Result<Answer, Failure> {
        let request = format!(
            "POST /predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = tokio::time::timeout(ANSWER_TIME, self.ask_twice(request.as_bytes())).await;
        answer.unwrap_or(Err(Failure::Timeout))
    }

    /// A kept connection may have been closed by the router at this very moment. Asking for a prediction changes nothing,
    /// so it is asked again, once, on a new connection.
    async fn ask_twice(&self, request: &[u8]) -> Result<Answer, Failure> {
        let kept = self.idle().pop();
        if let Some(stream) = kept {
            match self.exchange(stream, request).await {
                Err(Failure::Broken) => {}
                answer => return answer,
            }
        }
        self.exchange(self.connect().await?, request).await
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let connected = tokio::time::timeout(ANSWER_TIME, TcpStream::connect(&self.router)).await;
        let stream = connected.map_err(|_| Failure::Timeout)?.map_err(|_| Failure::Connect)?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    async fn exchange(&self, mut stream: TcpStream, request: &[u8]) -> Result<Answer, Failure> {
        stream.write_all(request).await.map_err(|_| Failure::Broken)?;
        let mut bytes = Vec::with_capacity(1024);
        let (head, framing) = loop {
            match head(&bytes)? {
                // An interim answer such as 100 announces the one that counts.
                Some((head, _)) if (100..200).contains(&head.status) => {
                    bytes.drain(..head.length);
                }
                Some(read) => break read,
                None => more(&mut stream, &mut bytes).await?,
            }
        };
        bytes.drain(..head.length);
        let body = loop {
            match body(&bytes, framing)? {
                Some(body) => break body,
                None => match more(&mut stream, &mut bytes).await {
                    // Without a length the end of the connection is the end of the body.
                    Err(Failure::Broken) if framing == Framing::UntilClose => break (bytes, 0),
                    other => other?,
                },
            }
        };
        if head.keep && framing != Framing::UntilClose && body.1 == 0 {
            self.idle().push(stream);
        }
        Ok(Answer { status: head.status, body: body.0 })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), Failure> {
    if bytes.len() > ANSWER_MAX {
        return Err(Failure::Malformed);
    }
    match stream.read_buf(bytes).await {
        Ok(n) if n > 0 => Ok(()),
        _ => Err(Failure::Broken),
    }
}

struct Head {
    status: u16,
    keep: bool,
    length: usize,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

fn head(bytes: &[u8]) -> Result<Option<(Head, Framing)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Failure::Malformed),
    };
    let value = |name: &str| {
        let header = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
        Some(std::str::from_utf8(header.value).unwrap_or_default().trim())
    };
    let keep = response.version == Some(1) && !value("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
    let framing = match (value("transfer-encoding"), value("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        (Some(_), _) => return Err(Failure::Malformed),
        (None, Some(length)) => Framing::Length(length.parse().map_err(|_| Failure::Malformed)?),
        (None, None) => Framing::UntilClose,
    };
    let status = response.code.unwrap_or_default();
    let framing = if matches!(status, 204 | 304) { Framing::Length(0) } else { framing };
    Ok(Some((Head { status, keep, length }, framing)))
}

/// The body and how many bytes stand behind it; nothing when it is not whole yet.
fn body(bytes: &[u8], framing: Framing) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    match framing {
        Framing::UntilClose => Ok(None),
        Framing::Length(length) => Ok(bytes.get(..length).map(|body| (body.to_vec(), bytes.len() - length))),
        Framing::Chunked => {
            let (mut body, mut at) = (Vec::new(), 0);
            loop {
                let (begin, size) = match httparse::parse_chunk_size(&bytes[at..]) {
                    Ok(httparse::Status::Complete((length, size))) => (at + length, size),
                    Ok(httparse::Status::Partial) => return Ok(None),
                    Err(_) => return Err(Failure::Malformed),
                };
                let size = usize::try_from(size).ok().filter(|s| *s <= ANSWER_MAX).ok_or(Failure::Malformed)?;
                let Some(chunk) = bytes.get(begin..begin + size + 2) else { return Ok(None) };
                // No service here sends trailers, so the last chunk is followed by an empty line.
                if !chunk.ends_with(b"\r\n") {
                    return Err(Failure::Malformed);
                }
                body.extend_from_slice(&chunk[..size]);
                at = begin + size + 2;
                if size == 0 {
                    return Ok(Some((body, bytes.len() - at)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_they_say() {
        let whole = |bytes: &str, framing| body(bytes.as_bytes(), framing).map(|b| b.map(|(b, rest)| (b.len(), rest)));
        assert_eq!(whole("abc", Framing::Length(5)), Ok(None));
        assert_eq!(whole("abcdefg", Framing::Length(5)), Ok(Some((5, 2))));
        assert_eq!(whole("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", Framing::Chunked), Ok(Some((5, 0))));
        assert_eq!(whole("3\r\nabc\r\n0\r\n", Framing::Chunked), Ok(None));
        assert_eq!(whole("3\r\nabcde", Framing::Chunked), Err(Failure::Malformed));
        assert_eq!(whole("zz\r\n", Framing::Chunked), Err(Failure::Malformed));
        assert_eq!(whole("ffffffff\r\n", Framing::Chunked), Err(Failure::Malformed));
    }

    #[test]
    fn heads_of_answers() {
        let read = |text: &str| head(text.as_bytes()).map(|h| h.map(|(h, framing)| (h.status, h.keep, framing)));
        assert_eq!(read("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"), Ok(Some((200, true, Framing::Length(3)))));
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"),
            Ok(Some((200, true, Framing::Chunked)))
        );
        assert_eq!(read("HTTP/1.1 502 X\r\nConnection: close\r\n\r\n"), Ok(Some((502, false, Framing::UntilClose))));
        assert_eq!(read("HTTP/1.1 204 No\r\n\r\n"), Ok(Some((204, true, Framing::Length(0)))));
        assert_eq!(read("HTTP/1.1 20"), Ok(None));
        assert_eq!(read("SSH-2.0-x\r\n"), Err(Failure::Malformed));
    }
}
