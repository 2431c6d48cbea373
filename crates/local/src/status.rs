//! The read-only status over HTTP: for load balancers, dashboards and a Prometheus that collects from here. It only ever asks;
//! there is no request that changes anything.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use crate::LocalError;
use crate::control::{self, Asked};
use crate::protocol::{Answer, Request};

/// Longest request head.
const HEAD_MAX: usize = 8 << 10;

/// Longest time from a connection to its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;

/// An answer: status, content type, body.
type Page = (&'static str, &'static str, String);

/// Listens on `address` and answers from the loop that takes `requests`. Returns where it listens.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) async fn listen(address: SocketAddr, requests: mpsc::Sender<Asked>) -> Result<SocketAddr, LocalError> {
    let failed = |source| LocalError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let here = listener.local_addr().map_err(failed)?;
    tokio::spawn(async move {
        let permits = std::sync::Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let requests = requests.clone();
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(PATIENCE, serve(stream, &requests)).await;
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

async fn serve(mut stream: TcpStream, requests: &mpsc::Sender<Asked>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let (status, kind, body) = loop {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&piece[..read]);
        if head.windows(4).any(|w| w == b"\r\n\r\n") {
            break answer(&head, requests).await;
        }
        if head.len() > HEAD_MAX {
            break refusal("431 Request Header Fields Too Large", "the request is too long");
        }
    };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

async fn answer(head: &[u8], requests: &mpsc::Sender<Asked>) -> Page {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return refusal("400 Bad Request", "this is no HTTP request");
    }
    if request.method != Some("GET") {
        return refusal("405 Method Not Allowed", "only GET: nothing is changed here");
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
                "there are /healthz, /readyz, /metrics, /api/v1/rollouts and /api/v1/rollouts/NAMESPACE/NAME",
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
