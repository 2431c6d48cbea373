//! What the tests are made of: a proxy, scripted upstreams, and a client that reads answers by itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serin_proxy::table::{Endpoint, Group, Mirror, MirrorMatch, Route, Split};
use serin_proxy::{Client, Config, Info, ProxyError, Snapshot, Table};

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A message as it was on the wire, its body decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) chunks: Vec<usize>,
    /// Whether it ended as its head said.
    pub(crate) complete: bool,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, v)| v.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        first
    }

    pub(crate) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8(line).unwrap();
    text.strip_suffix("\r\n").map(str::to_owned)
}

/// Reads one message. `None` when the other side closed before it began.
pub(crate) fn read_message(from: &mut impl BufRead, bodiless: bool) -> Option<Message> {
    let mut message = Message { first_line: line(from)?, ..Message::default() };
    loop {
        match line(from)? {
            l if l.is_empty() => break,
            l => {
                let (name, value) = l.split_once(": ").unwrap_or_else(|| panic!("header line '{l}'"));
                message.headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    let interim = message.first_line.split(' ').nth(1).is_some_and(|s| s.starts_with('1') || s == "204" || s == "304");
    let is_answer = message.first_line.starts_with("HTTP/");
    if bodiless || interim {
        message.complete = true;
    } else if message.header("transfer-encoding") == Some("chunked") {
        read_chunks(from, &mut message);
    } else if let Some(length) = message.header("content-length") {
        let length: u64 = length.parse().unwrap();
        let read = from.take(length).read_to_end(&mut message.body);
        message.complete = read.is_ok() && message.body.len() as u64 == length;
    } else if is_answer {
        message.complete = from.read_to_end(&mut message.body).is_ok();
    } else {
        message.complete = true;
    }
    Some(message)
}

fn read_chunks(from: &mut impl BufRead, message: &mut Message) {
    while let Some(size) = line(from) {
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("chunk size '{size}'"));
        let mut data = vec![0; size];
        if from.read_exact(&mut data).is_err() || line(from).as_deref() != Some("") {
            return;
        }
        if size == 0 {
            message.complete = true;
            return;
        }
        message.chunks.push(size);
        message.body.extend(data);
    }
}

/// A client's connection.
pub(crate) struct Talk(pub(crate) BufReader<TcpStream>);

impl Talk {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // A proxy that refuses early may close while the rest is on its way.
        let _ = self.0.get_mut().write_all(bytes.as_ref());
        self
    }

    pub(crate) fn answer(&mut self) -> Message {
        read_message(&mut self.0, false).expect("an answer")
    }

    pub(crate) fn answer_to_head(&mut self) -> Message {
        read_message(&mut self.0, true).expect("an answer")
    }

    /// The answer, or `None` when the connection closed instead.
    pub(crate) fn maybe_answer(&mut self) -> Option<Message> {
        read_message(&mut self.0, false)
    }

    pub(crate) fn get(&mut self, path: &str) -> Message {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")).answer()
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Message {
        let length = body.len();
        self.send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}")).answer()
    }

    /// Whether the other side closes, and how: `true` in order, `false` with a reset.
    pub(crate) fn closes(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {
                assert_eq!(String::from_utf8_lossy(&rest), "", "nothing more was expected");
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("it did not close: {error}"),
        }
    }
}

type Script = dyn Fn(&Message, &mut TcpStream) -> bool + Send + Sync;

/// A server that does as a script says, one thread a connection.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<Mutex<Vec<Message>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    down: Arc<AtomicBool>,
}

impl Upstream {
    /// The script answers a request and says whether the connection goes on.
    pub(crate) fn start(script: impl Fn(&Message, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        script: impl Fn(&Message, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
            open: Arc::default(),
            down: Arc::default(),
        };
        let (connections, requests) = (upstream.connections.clone(), upstream.requests.clone());
        let (open, down) = (upstream.open.clone(), upstream.down.clone());
        let script: Arc<Script> = Arc::new(script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if down.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let (script, requests) = (script.clone(), requests.clone());
                std::thread::spawn(move || {
                    let mut write = stream.try_clone().unwrap();
                    let mut read = BufReader::new(stream);
                    while let Some(message) = read_message(&mut read, false) {
                        requests.lock().unwrap().push(message.clone());
                        if !script(&message, &mut write) {
                            break;
                        }
                    }
                    let _ = write.shutdown(Shutdown::Both);
                });
            }
        });
        upstream
    }

    /// Answers every request with its name, which is also its prediction.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |_, stream| reply(stream, &format!(r#"{{"prediction":"{name}"}}"#)))
    }

    /// Answers with the request as it came, head and body.
    pub(crate) fn echo() -> Self {
        Self::start(|request, stream| {
            let mut text = format!("{}\n", request.first_line);
            request.headers.iter().for_each(|(n, v)| text.push_str(&format!("{n}: {v}\n")));
            text.push_str(&format!("\n{}", request.text()));
            reply(stream, &text)
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> Message {
        self.requests.lock().unwrap().last().cloned().expect("a request")
    }

    /// Closes the idle connections and keeps listening.
    pub(crate) fn hang_up(&self) {
        self.open.lock().unwrap().drain(..).for_each(|s| drop(s.shutdown(Shutdown::Both)));
    }

    /// Dies: no connection stays, no new one is taken.
    pub(crate) fn kill(&self) {
        self.down.store(true, Ordering::SeqCst);
        // The listener is in `accept` and closes once that returns.
        drop(TcpStream::connect(self.address));
        self.hang_up();
        until("the listener is closed", || TcpStream::connect(self.address).is_err());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.down.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// Answers 200 with a length. Whether it went out.
pub(crate) fn reply(stream: &mut TcpStream, body: &str) -> bool {
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).is_ok()
}

/// Waits for something that happens soon.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A proxy in a thread, and its control connection.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) info: Info,
    pub(crate) client: Client,
    pub(crate) dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    thread: Option<std::thread::JoinHandle<Result<(), ProxyError>>>,
}

impl Proxy {
    pub(crate) fn start(table: Table) -> Self {
        Self::with(table, |_| {})
    }

    pub(crate) fn with(table: Table, edit: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control");
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), &socket);
        config.table = Some(table);
        config.workers = 2;
        edit(&mut config);
        let socket = config.socket.clone();
        let thread = std::thread::spawn(move || serin_proxy::serve(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let begun = Instant::now();
        let client = loop {
            match runtime.block_on(Client::connect(&socket)) {
                Ok(client) => break client,
                Err(error) => assert!(begun.elapsed() < LONG && !thread.is_finished(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let info = runtime.block_on(client.info()).unwrap();
        Self { address: info.listen[0], info, client, dir, runtime, thread: Some(thread) }
    }

    pub(crate) fn talk(&self) -> Talk {
        Talk::to(self.address)
    }

    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn set(&self, table: &Table) -> u64 {
        self.wait(self.client.set_table(table)).unwrap()
    }

    pub(crate) fn stats(&self) -> Snapshot {
        self.wait(self.client.stats()).unwrap()
    }

    pub(crate) fn rejected(&self, reason: &str) -> u64 {
        self.stats().rejected[reason]
    }

    /// Drains and waits for the end.
    pub(crate) fn end(mut self) -> Result<(), ProxyError> {
        let _ = self.wait(self.client.drain());
        self.thread.take().unwrap().join().unwrap()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(|t| t.is_finished())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.wait(self.client.stop());
            let _ = thread.join();
        }
    }
}

/// A table of one route for everything, its groups named with weights and addresses.
pub(crate) fn table(version: u64, groups: &[(&str, u32, &[SocketAddr])]) -> Table {
    let group = |(name, weight, addresses): &(&str, u32, &[SocketAddr])| Group {
        version: (*name).to_owned(),
        weight: *weight,
        endpoints: addresses
            .iter()
            .enumerate()
            .map(|(i, address)| Endpoint { id: format!("{name}-{i}"), address: *address })
            .collect(),
    };
    Table {
        version,
        routes: vec![Route {
            name: "test/route".into(),
            host: None,
            path: Default::default(),
            split: Split { groups: groups.iter().map(group).collect(), header_routes: Vec::new(), mirrors: Vec::new() },
            sticky: None,
            prediction: Some("$.prediction".into()),
            timeout_ms: 5_000,
            expose_version: true,
            request_id: false,
            slices: Vec::new(),
            record: None,
            units: None,
        }],
    }
}

/// One version `v` for users, and one mirror `m` for the version `copy`.
pub(crate) fn mirrored(user: SocketAddr, copies: &[SocketAddr], edit: impl FnOnce(&mut Mirror)) -> Table {
    let mut table = table(1, &[("v", 1, &[user])]);
    let endpoint = |(i, address): (usize, &SocketAddr)| Endpoint { id: format!("copy-{i}"), address: *address };
    let mut mirror = Mirror {
        name: "m".into(),
        matches: vec![MirrorMatch::default()],
        percent: 100,
        version: "copy".into(),
        endpoints: copies.iter().enumerate().map(endpoint).collect(),
        unsafe_methods: true,
    };
    edit(&mut mirror);
    table.routes[0].split.mirrors.push(mirror);
    table
}

/// A proxy before one upstream, which is its only version `v`.
pub(crate) fn proxy_to(upstream: &Upstream) -> Proxy {
    Proxy::start(table(1, &[("v", 1, &[upstream.address])]))
}

/// How often each version answered.
pub(crate) fn tally<'a>(versions: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    versions.into_iter().for_each(|v| *counts.entry(v).or_insert(0) += 1);
    counts
}
