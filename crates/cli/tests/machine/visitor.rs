//! Who sends requests: a visitor with one connection that is kept, and a load of such visitors that counts every failure.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Hash of the version that answered, as the router tells it.
    pub(crate) version: String,
    /// Id of the request, as the router tells it.
    pub(crate) id: String,
    /// Body.
    pub(crate) body: String,
}

/// One visitor with one connection, which it makes again where it was lost.
pub(crate) struct Visitor {
    router: SocketAddr,
    host: String,
    header: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Visitor {
    /// A visitor of a host behind a router.
    pub(crate) fn new(router: SocketAddr, host: &str) -> Self {
        Self { router, host: host.to_owned(), header: String::new(), connection: None }
    }

    /// The same with one more header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.header.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Asks once.
    pub(crate) fn get(&mut self, path: &str) -> Result<Answer, String> {
        let kept = self.connection.take();
        let result = self.exchange(kept, path);
        result.map_err(|e| e.to_string())
    }

    fn exchange(&mut self, kept: Option<BufReader<TcpStream>>, path: &str) -> std::io::Result<Answer> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect_timeout(&self.router, Duration::from_secs(5))?;
                stream.set_nodelay(true)?;
                // Far longer than any test makes a router hang: an answer that comes late is none that is lost.
                stream.set_read_timeout(Some(Duration::from_secs(120)))?;
                BufReader::new(stream)
            }
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n", self.host, self.header);
        connection.get_mut().write_all(request.as_bytes())?;
        let (answer, keep) = read(&mut connection)?;
        if keep {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

fn read(connection: &mut BufReader<TcpStream>) -> std::io::Result<(Answer, bool)> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(std::io::Error::other("the connection ended before the answer"));
    }
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let (mut answer, mut keep, mut length) = (Answer { status, ..Answer::default() }, true, 0usize);
    loop {
        let mut header = String::new();
        connection.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "connection" => keep = !value.eq_ignore_ascii_case("close"),
            "x-serin-version" => value.clone_into(&mut answer.version),
            "x-request-id" => value.clone_into(&mut answer.id),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok((answer, keep))
}

/// What a load got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Answers with status 200, by version.
    pub(crate) good: BTreeMap<String, u64>,
    /// Everything else: other statuses, connections that broke.
    pub(crate) failures: Vec<String>,
    /// When the last request was sent that a version answered, by version.
    pub(crate) last: BTreeMap<String, Instant>,
}

impl Tally {
    /// Good answers of all versions.
    pub(crate) fn answered(&self) -> u64 {
        self.good.values().sum()
    }

    fn add(&mut self, sent: Instant, result: Result<Answer, String>) {
        if let Ok(answer) = &result {
            self.last.insert(answer.version.clone(), sent);
        }
        match result {
            Ok(answer) if answer.status == 200 => *self.good.entry(answer.version).or_default() += 1,
            Ok(answer) => {
                self.failures.push(format!("{} from {:?}: {}", answer.status, answer.version, answer.body));
            }
            Err(error) => self.failures.push(error),
        }
    }
}

/// Visitors that come again and again until they are told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    visitors: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// `visitors` of them, each asking every few milliseconds.
    pub(crate) fn start(router: SocketAddr, host: &str, visitors: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visitor = |_| {
            let (stop, mut visitor) = (Arc::clone(&stop), Visitor::new(router, host));
            std::thread::spawn(move || {
                let mut tally = Tally::default();
                while !stop.load(Ordering::Relaxed) {
                    tally.add(Instant::now(), visitor.get("/predict"));
                    std::thread::sleep(Duration::from_millis(8));
                }
                tally
            })
        };
        Self { visitors: (0..visitors).map(visitor).collect(), stop }
    }

    /// Ends it and tells what it got.
    pub(crate) fn finish(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for visitor in self.visitors.drain(..) {
            let tally = visitor.join().unwrap();
            tally.good.into_iter().for_each(|(version, n)| *all.good.entry(version).or_default() += n);
            all.failures.extend(tally.failures);
            for (version, sent) in tally.last {
                let last = all.last.entry(version).or_insert(sent);
                *last = sent.max(*last);
            }
        }
        all
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
