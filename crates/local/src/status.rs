//! The status over HTTP: for load balancers, dashboards and a Prometheus that collects from here. Everybody who reaches it may ask; the one request that
//! changes something, labels for predictions, needs the token of the state folder.

mod labels;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::LocalError;
use crate::control::{self, Asked};
use crate::protocol::{Answer, Request};
use crate::token::Token;

/// Longest request head.
const HEAD_MAX: usize = 8 << 10;

/// Longest time from a connection to the answer of a question, and from the last byte of labels to theirs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest time for a visitor to close its end after the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;

/// What a request is answered from.
#[derive(Debug, Clone)]
struct Desk {
    requests: mpsc::Sender<Asked>,
    token: Token,
}

/// An answer: status, content type, body.
type Page = (&'static str, &'static str, String);

/// Listens on `address` and answers from the loop that takes `requests`; who shows the `token` may change something. Returns where it listens.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn listen(
    address: SocketAddr,
    requests: mpsc::Sender<Asked>,
    token: Token,
) -> Result<SocketAddr, LocalError> {
    let desk = Desk { requests, token };
    let failed = |source| LocalError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let here = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        let permits = std::sync::Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let desk = desk.clone();
                    tokio::spawn(async move {
                        serve(stream, &desk).await;
                        drop(permit);
                    });
                }
                // Out of descriptors, most likely: those in use will come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    Ok(here)
}

/// One request of a connection. Who leaves, or takes too long, gets no answer.
async fn serve(mut stream: TcpStream, desk: &Desk) {
    let Ok(Ok(Some((head, rest)))) = tokio::time::timeout(PATIENCE, head(&mut stream)).await else { return };
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let page = match request.parse(&head) {
        _ if head.len() > HEAD_MAX => refusal("431 Request Header Fields Too Large", "the request is too long"),
        Ok(httparse::Status::Complete(_)) if request.method == Some("POST") => {
            labels::post(&mut stream, &request, rest, desk).await
        }
        Ok(httparse::Status::Complete(_)) => match tokio::time::timeout(PATIENCE, answer(&request, desk)).await {
            Ok(page) => page,
            Err(_) => return,
        },
        _ => refusal("400 Bad Request", "this is no HTTP request"),
    };
    // The visitor may have gone.
    let _ = tokio::time::timeout(PATIENCE, send(&mut stream, page)).await;
    let _ = tokio::time::timeout(LINGER, drain(&mut stream)).await;
}

/// The head of a request, and what was read beyond it; `None` when the visitor left before its end.
async fn head(stream: &mut TcpStream) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut head = Vec::new();
    loop {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&piece[..read]);
        if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            let rest = head.split_off(end + 4);
            return Ok(Some((head, rest)));
        }
        if head.len() > HEAD_MAX {
            return Ok(Some((head, Vec::new())));
        }
    }
}

async fn send(stream: &mut TcpStream, (status, kind, body): Page) -> std::io::Result<()> {
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads what is not wanted: a visitor that still sends when the connection closes is told of a broken one, and not of the answer.
async fn drain(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut piece = [0; 8 << 10];
    while stream.read(&mut piece).await? > 0 {}
    Ok(())
}

async fn answer(request: &httparse::Request<'_, '_>, desk: &Desk) -> Page {
    let requests = &desk.requests;
    if request.method != Some("GET") {
        return refusal("405 Method Not Allowed", "only GET, and POST for labels");
    }
    let path = request.path.unwrap_or("/").split('?').next().unwrap_or("/");
    match path.trim_end_matches('/') {
        "/healthz" => ("200 OK", "text/plain", "ok\n".to_owned()),
        "/readyz" => match control::ask(requests, Request::Info).await {
            Answer::Ok(info) if info["settled"] == true => ("200 OK", "text/plain", "ok\n".to_owned()),
            _ => refusal("503 Service Unavailable", "not settled yet"),
        },
        "/metrics" => match control::ask(requests, Request::Metrics).await {
            Answer::Ok(text) => ("200 OK", "text/plain; version=0.0.4", text.as_str().unwrap_or_default().to_owned()),
            Answer::Error(refused) => refusal("503 Service Unavailable", &refused.message),
        },
        "/api/v1/rollouts" => rollouts(requests, None).await,
        path => match path.strip_prefix("/api/v1/rollouts/") {
            Some(name) => rollouts(requests, Some(name.to_owned())).await,
            None => refusal(
                "404 Not Found",
                "there are /healthz, /readyz, /metrics, /api/v1/rollouts, /api/v1/rollouts/NAMESPACE/NAME and, to post to, the same with /labels",
            ),
        },
    }
}

async fn rollouts(requests: &mpsc::Sender<Asked>, service: Option<String>) -> Page {
    match control::ask(requests, Request::Status { service }).await {
        Answer::Ok(views) => ("200 OK", "application/json", views.to_string()),
        Answer::Error(refused) => refusal("404 Not Found", &refused.message),
    }
}

fn refusal(status: &'static str, why: &str) -> Page {
    (status, "text/plain", format!("{why}\n"))
}
