//! A small HTTP server for probes and metrics: one answer per connection, nothing that a client sends is kept.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Longest head of a request, bytes.
const HEAD_MAX: usize = 8192;

/// How long a client may take for its request, and for reading the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 32;

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Answer {
    /// A line of text.
    pub(crate) fn text(code: u16, body: impl Into<String>) -> Self {
        Self { code, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// What is answered for a path; `None` where there is nothing.
pub(crate) type Paths = dyn Fn(&str) -> Option<Answer>;

/// Answers requests for paths until it is dropped. Must run on a [`tokio::task::LocalSet`].
pub(crate) async fn serve(listener: TcpListener, answer: Rc<Paths>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::task::spawn_local(async move {
                    let _permit = permit;
                    // A client that is too slow, or goes, has nothing more to ask.
                    let _ = tokio::time::timeout(PATIENCE, one(stream, &*answer)).await;
                });
            }
            // Too many open files, mostly: it passes.
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn one(mut stream: TcpStream, answer: &Paths) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let (answered, body_too) = loop {
        if head.len() > HEAD_MAX {
            break (Answer::text(431, "the head of the request is too long\n"), true);
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        match asked(&head) {
            Some(Ok((path, body_too))) => {
                let found = answer(&path);
                break (found.unwrap_or_else(|| Answer::text(404, "there is nothing here\n")), body_too);
            }
            Some(Err(answer)) => break (answer, true),
            None => {}
        }
    };
    let Answer { code, content_type, body } = answered;
    let head = format!(
        "HTTP/1.1 {code} {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        phrase(code),
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if body_too {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// The path that is asked for and whether its text is wanted, too; `None` while the head is not whole.
fn asked(head: &[u8]) -> Option<Result<(String, bool), Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(error) => return Some(Err(Answer::text(400, format!("{error}\n")))),
    }
    let target = request.path.unwrap_or("/");
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    Some(match request.method {
        Some("GET") => Ok((path.to_owned(), true)),
        Some("HEAD") => Ok((path.to_owned(), false)),
        _ => Err(Answer::text(405, "only GET is understood\n")),
    })
}

const fn phrase(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let path = |text: &str| asked(text.as_bytes()).map(|asked| asked.map_err(|answer| answer.code));
        assert_eq!(path("GET /metrics?x=y HTTP/1.1\r\nhost: a\r\n\r\n"), Some(Ok(("/metrics".to_owned(), true))));
        assert_eq!(path("HEAD /healthz HTTP/1.0\r\n\r\n"), Some(Ok(("/healthz".to_owned(), false))));
        assert_eq!(path("GET /metrics HTTP/1.1\r\nhost"), None);
        assert_eq!(path("POST / HTTP/1.1\r\n\r\n"), Some(Err(405)));
        assert_eq!(path("\u{1}\r\n\r\n"), Some(Err(400)));
    }
}
