//! Sends requests: the one file that does I/O.

mod tls;
mod wire;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::ProviderError;
use crate::request::{Request, Response};
use crate::url::Url;
use wire::{Fault, Reader};

/// Redirects that are followed, as many as Go's client follows.
const REDIRECTS_MAX: usize = 10;

/// Sends a request and reads the whole answer, following redirects. Each request has a connection of its own: metrics
/// are measured every few seconds at most, and a kept connection that died in between would look like a failure.
///
/// An answer may have 10 MiB of body and 64 KiB of headers. Proxies named in the environment are not used.
///
/// # Errors
/// When the source cannot be reached, is too slow, does not speak HTTP, stops within its answer or answers too much.
pub async fn send(request: &Request) -> Result<Response, ProviderError> {
    let address = Url::parse(&request.url)?.address();
    let timeout = request.timeout;
    let late = || ProviderError::TimedOut { address, timeout };
    // Without this, a source that answers at once would be measured even with no time to do so.
    if timeout == Duration::ZERO {
        return Err(late());
    }
    tokio::time::timeout(timeout, follow(request)).await.map_err(|_| late())?
}

async fn follow(request: &Request) -> Result<Response, ProviderError> {
    let mut current = request.clone();
    for _ in 0..=REDIRECTS_MAX {
        let response = once(&current).await?;
        match current.redirected(&response)? {
            Some(next) => current = next,
            None => return Ok(response),
        }
    }
    Err(ProviderError::answer(format!("stopped after {REDIRECTS_MAX} redirects from {}", request.url)))
}

async fn once(request: &Request) -> Result<Response, ProviderError> {
    let url = Url::parse(&request.url)?;
    let head = wire::head(request, &url)?;
    let address = url.address();
    let connect = |source| ProviderError::Connect { address: address.clone(), source };
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(connect)?;
    if url.tls {
        let stream = tls::wrap(stream, &url.host, request.insecure).await.map_err(connect)?;
        exchange(stream, &head, &request.body, &address).await
    } else {
        exchange(stream, &head, &request.body, &address).await
    }
}

/// Writes the request and reads the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
    body: &[u8],
    address: &str,
) -> Result<Response, ProviderError> {
    let talk = |source| ProviderError::Talk { address: address.to_owned(), source };
    stream.write_all(head.as_bytes()).await.map_err(talk)?;
    stream.write_all(body).await.map_err(talk)?;
    stream.flush().await.map_err(talk)?;
    let fault = |fault| match fault {
        Fault::Garbage(message) => ProviderError::Garbage { address: address.to_owned(), message },
        Fault::TooLarge(limit) => ProviderError::TooLarge { address: address.to_owned(), limit },
    };
    let mut reader = Reader::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = match stream.read(&mut buffer).await {
            Ok(count) => count,
            // Many servers close a TLS connection without saying so; whether something is missing shows below.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(talk(error)),
        };
        if count == 0 {
            return reader.finish().map_err(fault);
        }
        if let Some(response) = reader.push(&buffer[..count]).map_err(fault)? {
            return Ok(response);
        }
    }
}
