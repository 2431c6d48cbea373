//! HTTP/1.1 as far as the client speaks it: requests with a length, answers with a length or in chunks.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    /// Null if there is none.
    pub(super) body: Value,
}

/// One connection, request after request.
pub(super) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// The next request; `None` at the end.
    pub(super) async fn read(&mut self) -> Option<Request> {
        let (head, length, mut request) = loop {
            if let Some(found) = head(&self.read) {
                break found;
            }
            self.more().await?;
        };
        while self.read.len() < head + length {
            self.more().await?;
        }
        request.body = serde_json::from_slice(&self.read[head..head + length]).unwrap_or(Value::Null);
        self.read.drain(..head + length);
        Some(request)
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }

    /// Sends an answer.
    pub(super) async fn answer(&mut self, code: u16, body: &Value) -> io::Result<()> {
        let body = body.to_string();
        let head =
            format!("HTTP/1.1 {code} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        self.stream.write_all((head + &body).as_bytes()).await
    }

    /// Begins an answer without an end.
    pub(super) async fn begin_stream(&mut self) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        self.stream.write_all(head.as_bytes()).await
    }

    /// Sends a line of it.
    pub(super) async fn chunk(&mut self, event: &Value) -> io::Result<()> {
        let line = format!("{event}\n");
        self.stream.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).await
    }

    /// Returns when the client has gone.
    pub(super) async fn closed(&mut self) {
        while self.more().await.is_some() {}
    }
}

/// The head of a request, if all of it is there: its length, that of the body, what it says.
fn head(bytes: &[u8]) -> Option<(usize, usize, Request)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).unwrap() else { return None };
    let header = |name: &str| {
        let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map_or("", |header| std::str::from_utf8(header.value).unwrap())
    };
    let target = parsed.path.unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = header("content-length").parse().unwrap_or(0);
    let request = Request {
        method: parsed.method.unwrap().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        content_type: header("content-type").to_owned(),
        body: Value::Null,
    };
    Some((length, body, request))
}
