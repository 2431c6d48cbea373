//! `model-service load` against a small router in front of real services.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ml_portfolio::{Service, Version};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::running::start;

/// Sends each request of each connection where its host leads, one after the other.
struct Router {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Router {
    fn start(listener: TcpListener, routes: BTreeMap<&'static str, SocketAddr>) -> Self {
        let (address, stop) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (routes, stopped) = (Arc::new(routes), stop.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (routes, stopped) = (routes.clone(), stopped.clone());
                std::thread::spawn(move || route(client.unwrap(), &routes, &stopped));
            }
        });
        Self { address, stop }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Reads a message: its head and, by its length, its body.
fn message(from: &mut impl BufRead) -> Option<String> {
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let before = text.len();
        if from.read_line(&mut text).ok()? == 0 {
            return None;
        }
        let line = text[before..].trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8(body).unwrap())
}

fn route(client: TcpStream, routes: &BTreeMap<&str, SocketAddr>, stopped: &AtomicBool) {
    let mut client = BufReader::new(client);
    while let Some(request) = message(&mut client) {
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        let host = request.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
        let answer = routes.get(host).map_or_else(
            || "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\nnope.\r\n0\r\n\r\n".to_owned(),
            |address| {
                let mut service = BufReader::new(TcpStream::connect(address).unwrap());
                service.get_mut().write_all(request.as_bytes()).unwrap();
                message(&mut service).unwrap()
            },
        );
        if client.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn load(router: SocketAddr, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_model-service"));
    command.args(["load", "--router", &router.to_string()]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for its end and reads its summary, which must be all it prints.
fn summary(child: Child) -> (Value, BTreeMap<String, Value>) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = summary["services"].as_array().unwrap().clone();
    let services = services.into_iter().map(|s| (s["service"].as_str().unwrap().to_owned(), s));
    (summary.clone(), services.collect())
}

/// An address where nobody listens yet, and the listener to start there.
fn later() -> (SocketAddr, impl FnOnce() -> TcpListener) {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    (address, move || TcpListener::bind(address).unwrap())
}

#[test]
fn all_services_are_asked_at_the_rate_however_slow_they_are() {
    let (churn, tip) = (start(Service::Churn, Version::Slow), start(Service::Tip, Version::Fragile));
    let routes = BTreeMap::from([(Service::Churn.host(), churn.address), (Service::Tip.host(), tip.address)]);
    let (address, listen) = later();
    let child = load(address, &["--rate", "120", "--duration", "4", "--json"]);
    std::thread::sleep(Duration::from_millis(700));
    let _router = Router::start(listen(), routes);
    let (summary, services) = summary(child);
    let count = |service: &str, path: &str| services[service].pointer(path).and_then(Value::as_u64).unwrap_or(0);
    for service in ["bankchurn", "chicagotaxi", "nlpinsight"] {
        // 40 a second; the wait for the router counts, but a slow answer does not slow the next question.
        assert!((100..=140).contains(&count(service, "/sent")), "{summary}");
        assert_eq!(services[service]["failures"], serde_json::json!({}), "the router was waited for: {summary}");
        assert_eq!(count(service, "/unsent"), 0, "{summary}");
    }
    assert_eq!(count("bankchurn", "/statuses/200"), count("bankchurn", "/sent"), "{summary}");
    assert_eq!(count("bankchurn", "/versions/v3.5.0"), count("bankchurn", "/sent"), "{summary}");
    assert!(services["bankchurn"]["p95_ms"].as_f64().unwrap() > 500.0, "{summary}");
    let failing = count("chicagotaxi", "/statuses/500") as f64 / count("chicagotaxi", "/sent") as f64;
    assert!((0.15..0.45).contains(&failing), "{summary}");
    assert_eq!(
        count("chicagotaxi", "/predictions/yes") + count("chicagotaxi", "/predictions/no"),
        count("chicagotaxi", "/statuses/200")
    );
    assert!(services["chicagotaxi"]["p95_ms"].as_f64().unwrap() < 500.0, "{summary}");
    assert_eq!(count("nlpinsight", "/statuses/404"), count("nlpinsight", "/sent"), "{summary}");
}

#[test]
fn a_signal_ends_it_with_the_summary() {
    let sentiment = start(Service::Sentiment, Version::Baseline);
    let routes = BTreeMap::from([(Service::Sentiment.host(), sentiment.address)]);
    let router = Router::start(TcpListener::bind(("127.0.0.1", 0)).unwrap(), routes);
    let mut child = load(router.address, &["--rate", "60"]);
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "without a duration it goes on");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let line = text.lines().find(|l| l.starts_with("nlpinsight ")).unwrap();
    assert!(line.contains("200: ") && line.contains("v3.1.0: ") && line.contains("positive: "), "{text}");
}

#[test]
fn a_router_that_never_comes_or_goes_away_is_survived() {
    let (address, listen) = later();
    let begin = Instant::now();
    let (_, services) = summary(load(address, &["--duration", "0.5", "--json"]));
    assert!(services.values().all(|s| s["sent"] == 0), "{services:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    let router = Router::start(listen(), BTreeMap::new());
    let child = load(address, &["--rate", "60", "--duration", "3", "--json"]);
    std::thread::sleep(Duration::from_secs(1));
    drop(router);
    let (summary, services) = summary(child);
    for service in services.values() {
        assert!(service["sent"].as_u64().unwrap() >= 50, "it goes on asking: {summary}");
        assert!(service["statuses"]["404"].as_u64().unwrap() >= 10, "{summary}");
        assert!(service["failures"]["connect"].as_u64().unwrap() >= 10, "{summary}");
    }
}
