//! Requests to servers on loopback that behave well, badly, or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serin_providers::{Method, ProviderError, Request, Response, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn request(url: &str, timeout_ms: u64) -> Request {
    Request {
        method: Method::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout: Duration::from_millis(timeout_ms),
        insecure: false,
    }
}

/// A server that reads the head of each request and then does what it is told.
async fn server<F, R>(behave: F) -> String
where
    F: Fn(TcpStream, String) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                match stream.read(&mut buffer).await {
                    Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            tokio::spawn(behave(stream, String::from_utf8_lossy(&head).into_owned()));
        }
    });
    url
}

/// A server that always answers the same.
async fn answering(answer: &'static str) -> String {
    server(move |mut stream, _| async move {
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

async fn outcome(url: &str, timeout_ms: u64) -> Result<Response, ProviderError> {
    http::send(&request(url, timeout_ms)).await
}

#[tokio::test]
async fn a_good_answer_arrives_with_its_body() {
    let url = server(|mut stream, head| async move {
        let body = head.lines().next().unwrap_or_default().to_owned();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-A: b\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let response = outcome(&format!("{url}/x?y=1"), 5000).await.unwrap();
    assert_eq!((response.status, response.header("x-a")), (200, Some("b")));
    assert_eq!(response.body, b"GET /x?y=1 HTTP/1.1");
}

#[tokio::test]
async fn a_body_is_sent() {
    let url = server(|mut stream, head| async move {
        assert!(head.starts_with("POST ") && head.contains("Content-Length: 5\r\n"));
        let mut body = head.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec();
        while body.len() < 5 {
            body.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream.write_all(&body).await.unwrap();
    })
    .await;
    let post = Request { method: Method::Post, body: b"hello".to_vec(), ..request(&url, 5000) };
    assert_eq!(http::send(&post).await.unwrap().body, b"hello");
}

#[tokio::test]
async fn a_stalling_server_runs_out_of_time() {
    let silent = server(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let halting = server(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal").await.unwrap();
        std::future::pending::<()>().await;
    });
    for url in [silent.await, halting.await] {
        let start = Instant::now();
        let error = outcome(&url, 150).await.unwrap_err();
        assert!(matches!(error, ProviderError::TimedOut { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    assert!(matches!(outcome("http://127.0.0.1:9", 0).await, Err(ProviderError::TimedOut { .. })));
}

#[tokio::test]
async fn garbage_is_an_error() {
    for (answer, want) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "it is no HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "within the body"),
        ("", "without an answer"),
    ] {
        let error = outcome(&answering(answer).await, 5000).await.unwrap_err();
        assert!(matches!(error, ProviderError::Garbage { .. }) && error.to_string().contains(want), "{error}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let body = server(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    });
    let headers = server(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    });
    let chunks = server(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"8\r\nxxxxxxxx\r\n".repeat(4096).as_slice()).await.is_ok() {}
    });
    for url in [body.await, headers.await, chunks.await] {
        let error = outcome(&url, 60_000).await.unwrap_err();
        assert!(matches!(error, ProviderError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_at_once() {
    // A loopback address of this process's own: on the common one another test may be given the port at any time.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let listener = TcpListener::bind((std::net::Ipv4Addr::new(127, high | 128, middle, low), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = outcome(&format!("http://{address}"), 10_000).await.unwrap_err();
    assert!(matches!(error, ProviderError::Connect { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("failed to reach {address}")));
}

#[tokio::test]
async fn redirects_are_followed_but_not_for_ever() {
    let url = server(|mut stream, head| async move {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = match path.as_str() {
            "/end" => "HTTP/1.1 200 OK\r\n\r\nthere".to_owned(),
            "/round" => "HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n".to_owned(),
            _ => "HTTP/1.1 301 Moved\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    assert_eq!(outcome(&format!("{url}/start"), 5000).await.unwrap().body, b"there");
    let error = outcome(&format!("{url}/round"), 5000).await.unwrap_err();
    assert!(error.to_string().starts_with("stopped after 10 redirects"), "{error}");
}

/// A server with a certificate that it has signed itself.
async fn tls_server() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await;
            let _ = stream.flush().await;
        }
    });
    url
}

#[tokio::test]
async fn certificates_are_checked_unless_told_otherwise() {
    let url = tls_server().await;
    let error = outcome(&url, 10_000).await.unwrap_err();
    assert!(matches!(error, ProviderError::Connect { .. }), "{error}");
    let trusting = Request { insecure: true, ..request(&url, 10_000) };
    assert_eq!(http::send(&trusting).await.unwrap().body, b"secret");
}

#[tokio::test]
async fn plain_text_where_tls_was_expected_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let trusting = Request { insecure: true, ..request(&url, 10_000) };
    assert!(matches!(http::send(&trusting).await, Err(ProviderError::Connect { .. })));
}
