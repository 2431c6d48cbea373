//! The model service that the tests run: this very test program, started again by `serin` with the version's tag in its
//! environment. The tag up to the first dot says how it behaves, so `good.1` and `good.2` are two versions of one behaviour.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Environment variable with the version's tag; without it the program is a test and no service.
pub(crate) const TAG: &str = "SERIN_TEST_SERVICE";

/// Bytes that a talkative version prints: several times what its log may hold.
const PRINTED: usize = 40 << 20;

struct Service {
    tag: String,
    good: AtomicU64,
    bad: AtomicU64,
}

impl Service {
    fn is(&self, behaviour: &str) -> bool {
        self.tag.split('.').next() == Some(behaviour)
    }

    /// What the tests' own templates ask for, and those of the example.
    fn metrics(&self) -> String {
        let (good, bad) = (self.good.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed));
        let all = good + bad;
        format!(
            "# TYPE predictions_total counter\npredictions_total{{code=\"200\"}} {good}\npredictions_total{{code=\"500\"}} {bad}\n\
             # TYPE bankchurn_requests_total counter\nbankchurn_requests_total{{status=\"200\"}} {good}\nbankchurn_requests_total{{status=\"500\"}} {bad}\n\
             # TYPE bankchurn_predictions_total counter\nbankchurn_predictions_total{{prediction=\"yes\"}} {good}\n\
             # TYPE bankchurn_request_duration_seconds histogram\nbankchurn_request_duration_seconds_bucket{{le=\"0.1\"}} {all}\n\
             bankchurn_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\nbankchurn_request_duration_seconds_sum {all}\n\
             bankchurn_request_duration_seconds_count {all}\n"
        )
    }
}

/// Serves until it is killed, if this process was started as a service.
pub(crate) fn serve_if_asked() {
    let Ok(tag) = std::env::var(TAG) else { return };
    let service = Arc::new(Service { tag, good: AtomicU64::new(0), bad: AtomicU64::new(0) });
    if service.is("exits") {
        eprintln!("the model file is missing");
        std::process::exit(7);
    }
    if service.is("prints") {
        std::thread::spawn(print);
    }
    let port: u16 = std::env::var("SERIN_PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    eprintln!("serving {} on {port}", service.tag);
    for stream in listener.incoming().flatten() {
        let service = Arc::clone(&service);
        std::thread::spawn(move || {
            // A visitor that leaves is no trouble.
            let _ = converse(&service, &stream);
        });
    }
}

fn print() {
    let line = format!("{}\n", "much to say ".repeat(1000));
    let mut printed = 0;
    while printed < PRINTED {
        eprint!("{line}");
        printed += line.len();
    }
    eprintln!("all is said");
}

fn converse(service: &Service, stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream.try_clone()?;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let (mut length, mut country) = (0, String::new());
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header == "\r\n" {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("x-country:") {
                country = value.trim().to_owned();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
        if path == "/metrics" && service.is("endless") {
            return endless(&mut stream);
        }
        let (status, kind, body) = match service.is("austria") && country == "at" {
            true => (500, "text/plain", "unheard of".to_owned()),
            false => answer(service, &path),
        };
        write!(
            stream,
            "HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn answer(service: &Service, path: &str) -> (u16, &'static str, String) {
    match path {
        "/health" if service.is("never") => (503, "text/plain", "not yet".to_owned()),
        "/health" => (200, "text/plain", "well".to_owned()),
        "/metrics" if service.is("silent") => (404, "text/plain", "no metrics here".to_owned()),
        "/metrics" if service.is("garbage") => (200, "text/plain", "<html>{{{ 12 % not a page of metrics".to_owned()),
        "/metrics" => (200, "text/plain; version=0.0.4", service.metrics()),
        "/token" => (200, "text/plain", std::env::var("TOKEN").unwrap_or_default()),
        "/where" => (200, "text/plain", std::process::id().to_string()),
        _ => {
            if service.is("slow") {
                std::thread::sleep(Duration::from_millis(150));
            }
            let n = service.good.load(Ordering::Relaxed) + service.bad.load(Ordering::Relaxed);
            if service.is("errors") || service.is("tenth") && n.is_multiple_of(10) {
                service.bad.fetch_add(1, Ordering::Relaxed);
                return (500, "text/plain", "no".to_owned());
            }
            service.good.fetch_add(1, Ordering::Relaxed);
            let no = service.is("fifth") && n.is_multiple_of(5) || service.is("half") && n.is_multiple_of(2);
            let prediction = if no { "no" } else { "yes" };
            (200, "application/json", format!("{{\"prediction\":\"{prediction}\",\"version\":\"{}\"}}", service.tag))
        }
    }
}

/// A page of metrics that never ends.
fn endless(stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")?;
    for n in 0u64.. {
        let lines: String =
            (0..100).map(|i| format!("predictions_total{{code=\"200\",n=\"{n}-{i}\"}} {n}\n")).collect();
        stream.write_all(lines.as_bytes())?;
    }
    Ok(())
}
