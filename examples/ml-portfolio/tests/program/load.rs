//! `model-service load` against a small router in front of real services.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ml_portfolio::{Service, Version};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::running::start;

/// Sends each request of each connection where its host leads, one after the other.
struct Router {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    routes: BTreeMap<&'static str, SocketAddr>,
    seen: AtomicUsize,
    stopped: AtomicBool,
}

impl Router {
    fn start(listener: TcpListener, routes: BTreeMap<&'static str, SocketAddr>) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { routes, seen: AtomicUsize::new(0), stopped: AtomicBool::new(false) });
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || route(client.unwrap(), &shared));
            }
        });
        Self { address, state }
    }

    /// Waits until so many requests came.
    fn wait_for(&self, requests: usize) {
        let begin = Instant::now();
        while self.state.seen.load(Ordering::Relaxed) < requests {
            assert!(begin.elapsed() < Duration::from_secs(60), "the load never came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
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

fn route(client: TcpStream, state: &State) {
    let mut client = BufReader::new(client);
    while let Some(request) = message(&mut client) {
        if state.stopped.load(Ordering::Relaxed) {
            return;
        }
        state.seen.fetch_add(1, Ordering::Relaxed);
        let host = request.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
        let answer = state.routes.get(host).map_or_else(
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

fn term(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

/// Waits for its end and reads its summary, which must be all it prints: the seconds, and what became of each service.
fn summary(child: Child) -> (f64, BTreeMap<String, Value>) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = summary["services"].as_array().unwrap().clone();
    let services = services.into_iter().map(|s| (s["service"].as_str().unwrap().to_owned(), s));
    (summary["seconds"].as_f64().unwrap(), services.collect())
}

/// An address where nobody listens yet, and the listener to start there.
fn later() -> (SocketAddr, impl FnOnce() -> TcpListener) {
    let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    (address, move || TcpListener::bind(address).unwrap())
}

#[test]
fn a_slow_or_failing_service_is_asked_as_often_as_the_others() {
    let (churn, tip) = (start(Service::Churn, Version::Slow), start(Service::Tip, Version::Fragile));
    let routes = BTreeMap::from([(Service::Churn.host(), churn.address), (Service::Tip.host(), tip.address)]);
    let (address, listen) = later();
    let child = load(address, &["--rate", "120", "--json"]);
    std::thread::sleep(Duration::from_millis(300));
    let router = Router::start(listen(), routes);
    router.wait_for(300);
    term(&child);
    let (seconds, services) = summary(child);
    let count = |service: &str, path: &str| services[service].pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let sent = count("nlpinsight", "/sent");
    assert!(sent >= 100 && sent as f64 <= seconds * 40.0 + 1.0, "{sent} in {seconds} s: {services:?}");
    for service in services.keys() {
        // In turn, however long the answers take; those under way at the end are waited for.
        assert!((sent..=sent + 1).contains(&count(service, "/sent")), "{services:?}");
        assert_eq!(count(service, "/unsent"), 0, "{services:?}");
        assert_eq!(services[service]["failures"], serde_json::json!({}), "the router was waited for: {services:?}");
    }
    assert_eq!(count("bankchurn", "/statuses/200"), count("bankchurn", "/sent"), "{services:?}");
    assert_eq!(count("bankchurn", "/versions/v3.5.0"), count("bankchurn", "/sent"), "{services:?}");
    assert!(services["bankchurn"]["p50_ms"].as_f64().unwrap() > 500.0, "{services:?}");
    let failing = count("chicagotaxi", "/statuses/500") as f64 / count("chicagotaxi", "/sent") as f64;
    assert!((0.15..0.45).contains(&failing), "{services:?}");
    let predictions = count("chicagotaxi", "/predictions/yes") + count("chicagotaxi", "/predictions/no");
    assert_eq!(predictions, count("chicagotaxi", "/statuses/200"), "{services:?}");
    assert_eq!(count("nlpinsight", "/statuses/404"), sent, "a host without a route: {services:?}");
}

#[test]
fn a_signal_ends_it_with_the_summary() {
    let sentiment = start(Service::Sentiment, Version::Baseline);
    let routes = BTreeMap::from([(Service::Sentiment.host(), sentiment.address)]);
    let router = Router::start(TcpListener::bind(("127.0.0.1", 0)).unwrap(), routes);
    let mut child = load(router.address, &["--rate", "60"]);
    router.wait_for(30);
    assert!(child.try_wait().unwrap().is_none(), "without a duration it goes on");
    term(&child);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let line = text.lines().find(|l| l.starts_with("nlpinsight ")).unwrap();
    assert!(line.contains("200: ") && line.contains("v3.1.0: ") && line.contains("positive: "), "{text}");
}

#[test]
fn a_router_that_never_comes_is_waited_for_no_longer_than_the_duration() {
    let (address, _) = later();
    let (_, services) = summary(load(address, &["--duration", "0.5", "--json"]));
    assert_eq!(services.len(), 3);
    assert!(services.values().all(|s| s["sent"] == 0), "{services:?}");
}

#[test]
fn a_router_that_goes_away_is_counted_and_survived() {
    let router = Router::start(TcpListener::bind(("127.0.0.1", 0)).unwrap(), BTreeMap::new());
    let mut child = load(router.address, &["--rate", "60", "--json"]);
    router.wait_for(60);
    drop(router);
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "it goes on asking");
    term(&child);
    let (_, services) = summary(child);
    for service in services.values() {
        assert!(service["statuses"]["404"].as_u64().unwrap() >= 19, "{services:?}");
        assert!(service["failures"]["connect"].as_u64().unwrap() >= 1, "{services:?}");
    }
}

#[test]
fn one_service_is_asked_by_the_host_that_is_named() {
    let (old, new) = (start(Service::Churn, Version::Better), start(Service::Churn, Version::Outgrown));
    let routes = BTreeMap::from([(Service::Churn.host(), old.address), ("preview.local", new.address)]);
    let router = Router::start(TcpListener::bind(("127.0.0.1", 0)).unwrap(), routes);
    let asks = ["--service", "churn", "--host", "preview.local", "--rate", "100", "--duration", "2", "--json"];
    let (_, services) = summary(load(router.address, &asks));
    assert_eq!(services.keys().collect::<Vec<_>>(), ["bankchurn"]);
    let churn = &services["bankchurn"];
    let versions: BTreeMap<String, u64> = serde_json::from_value(churn["versions"].clone()).unwrap();
    assert_eq!(versions.keys().collect::<Vec<_>>(), ["v4.0.0"], "{churn}");
    let failing = churn["statuses"]["500"].as_f64().unwrap() / churn["sent"].as_f64().unwrap();
    assert!((0.05..0.25).contains(&failing), "{churn}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let last = u128::from(churn["last_sent_us"]["v4.0.0"].as_u64().unwrap());
    assert!((1..20_000_000).contains(&(now - last)), "{last} {now}");
}
