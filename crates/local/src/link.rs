//! The line to the router process: started when it is not there, told the table, read back. The router outlives this process,
//! and this process brings it back when it died.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serin_core::{Hash, Split};
use serin_proxy::report::Recorded;
use serin_proxy::table::Route;
use serin_proxy::{Batch, Client, Snapshot, Table};

use crate::model::Key;
use crate::{LocalError, route};

/// Shortest time between two starts of the router.
const START_EVERY: Duration = Duration::from_millis(300);

/// Longest wait for an answer on the control socket. The router answers within a millisecond; a second without one means
/// that it hangs or is gone.
const ANSWER: Duration = Duration::from_secs(1);

/// Longest wait for the router to finish the requests under way after it was told to stop; it gives them thirty seconds itself.
const STOP: Duration = Duration::from_secs(35);

/// How to start the router.
#[derive(Debug, Clone)]
pub struct RouterCommand {
    /// Program and first arguments; `--listen`, `--socket` and `--workers` are added.
    pub command: Vec<String>,
    /// Where it takes requests.
    pub listen: SocketAddr,
    /// Its threads.
    pub workers: usize,
    /// Its control socket.
    pub socket: PathBuf,
    /// Where it writes what it has to say.
    pub log: PathBuf,
}

/// The line to the router.
#[derive(Debug)]
pub struct Link {
    how: RouterCommand,
    client: Option<Client>,
    child: Option<Child>,
    started: Option<Instant>,
    pid: Option<u32>,
    listen: Vec<SocketAddr>,
    carried: Option<Table>,
    /// Where the routes of each name stand in the carried table.
    places: BTreeMap<String, Vec<usize>>,
    version: u64,
    trouble: Option<String>,
    batch_seq: u64,
}

impl Link {
    /// A line that is not connected yet.
    pub fn new(how: RouterCommand) -> Self {
        Self {
            how,
            client: None,
            child: None,
            started: None,
            pid: None,
            listen: Vec::new(),
            carried: None,
            places: BTreeMap::new(),
            version: 0,
            trouble: None,
            batch_seq: 0,
        }
    }

    /// Whether the router answered last time.
    pub fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// The router's process.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Where the router takes requests; where it should, while it is not there.
    pub fn listen(&self) -> SocketAddr {
        self.listen.first().copied().unwrap_or(self.how.listen)
    }

    /// The table as it was read back, `None` while the router is not there.
    pub fn carried(&self) -> Option<&Table> {
        self.carried.as_ref()
    }

    fn carry(&mut self, table: Table) {
        self.places.clear();
        for (i, route) in table.routes.iter().enumerate() {
            self.places.entry(route.name.clone()).or_default().push(i);
        }
        self.carried = Some(table);
    }

    /// Whether the router was read back to carry this split for this rollout.
    pub fn carries(&self, rollout: &Key, split: &Split) -> bool {
        let Some(table) = &self.carried else { return false };
        let places = self.places.get(&route::route_name(rollout)).map_or(&[][..], Vec::as_slice);
        route::carry(places.iter().filter_map(|i| table.routes.get(*i)), split)
    }

    /// The version that the routes of this name lead to, `None` while the router is not there, has no such route, or splits it.
    pub fn leads_to(&self, route: &str) -> Option<Hash> {
        let table = self.carried.as_ref()?;
        let places = self.places.get(route).map_or(&[][..], Vec::as_slice);
        route::version(places.iter().filter_map(|i| table.routes.get(*i)))
    }

    /// Whether the routes of this name send any requests to a version.
    pub fn sends_to(&self, route: &str, version: &Hash) -> bool {
        let Some(table) = &self.carried else { return false };
        let places = self.places.get(route).map_or(&[][..], Vec::as_slice);
        let mut groups = places.iter().filter_map(|i| table.routes.get(*i)).flat_map(|r| &r.split.groups);
        groups.any(|g| g.version == version.as_str() && g.weight > 0)
    }

    /// Why the router is not there, as far as known.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Connects, starting the router where none answers. Returns whether the line is up and was not before.
    pub async fn ensure(&mut self) -> bool {
        if self.client.is_some() {
            return false;
        }
        if self.connect().await {
            return true;
        }
        self.look_at_child();
        let waiting = self.started.is_some_and(|at| at.elapsed() < START_EVERY);
        if self.child.is_none() && !waiting {
            self.start();
        }
        false
    }

    /// Connects to a router that runs; returns whether one answered.
    pub async fn connect(&mut self) -> bool {
        let Ok(Ok(client)) = timed(Client::connect(&self.how.socket)).await else { return false };
        let (Ok(Ok(info)), Ok(Ok(table))) = (timed(client.info()).await, timed(client.table()).await) else {
            return false;
        };
        self.pid = Some(info.pid);
        self.listen = info.listen;
        if let Some(address) = self.listen.first().filter(|_| self.how.listen.port() == 0) {
            // The system chose the port; a router that has to be started again comes back where visitors know it.
            self.how.listen = *address;
        }
        self.version = self.version.max(table.version);
        self.carry(table);
        self.client = Some(client);
        self.trouble = None;
        true
    }

    fn look_at_child(&mut self) {
        let Some(child) = &mut self.child else { return };
        if let Ok(Some(status)) = child.try_wait() {
            let said = last_line(&self.how.log).unwrap_or_else(|| status.to_string());
            self.trouble = Some(said);
            self.child = None;
        }
    }

    fn start(&mut self) {
        self.started = Some(Instant::now());
        match spawn(&self.how) {
            Ok(child) => self.child = Some(child),
            Err(error) => self.trouble = Some(format!("{}: {error}", self.how.command.join(" "))),
        }
    }

    fn lost(&mut self) {
        self.client = None;
        self.carried = None;
        self.pid = None;
    }

    /// Makes the router carry these routes. Returns whether it was told anything new.
    ///
    /// # Errors
    /// When the router refuses the table or does not answer; then the line is down.
    pub async fn push(&mut self, routes: Vec<Route>) -> Result<bool, LocalError> {
        if self.carried.as_ref().is_some_and(|t| t.version > 0 && t.routes == routes) {
            return Ok(false);
        }
        let Some(client) = &mut self.client else { return Err(LocalError::Router("it is not running".to_owned())) };
        let table = Table { version: self.version + 1, routes };
        match timed(client.set_table(&table)).await {
            Ok(Ok(_)) => {
                self.version = table.version;
                self.carry(table);
                Ok(true)
            }
            Ok(Err(error @ (serin_proxy::ProxyError::Table(_) | serin_proxy::ProxyError::Stale { .. }))) => {
                // Somebody else set a table meanwhile: read it back and go on from there.
                self.lost();
                Err(LocalError::Router(error.to_string()))
            }
            Ok(Err(error)) => {
                self.lost();
                Err(LocalError::Router(error.to_string()))
            }
            Err(_) => {
                self.lost();
                Err(LocalError::Router("it does not answer".to_owned()))
            }
        }
    }

    /// Checks that the router is there and carries what it was told.
    pub async fn verify(&mut self) {
        let Some(client) = &mut self.client else { return };
        match timed(client.info()).await {
            Ok(Ok(info)) if Some(info.pid) == self.pid && info.table_version == self.version => {}
            _ => self.lost(),
        }
    }

    /// The router's counters.
    pub async fn stats(&mut self) -> Option<Snapshot> {
        let client = self.client.as_mut()?;
        match timed(client.stats()).await {
            Ok(Ok(snapshot)) => Some(snapshot),
            _ => {
                self.lost();
                None
            }
        }
    }

    /// The router's metrics in the text format.
    pub async fn metrics(&mut self) -> Option<String> {
        let client = self.client.as_mut()?;
        match timed(client.metrics()).await {
            Ok(Ok(text)) => Some(text),
            _ => {
                self.lost();
                None
            }
        }
    }

    /// One-second batches since the last call. The router gives them by the page.
    pub async fn batches(&mut self) -> Vec<Batch> {
        let mut all = Vec::new();
        loop {
            let Some(client) = self.client.as_mut() else { return all };
            match timed(client.batches(self.batch_seq)).await {
                Ok(Ok(page)) => {
                    let Some(last) = page.last() else { return all };
                    self.batch_seq = last.seq;
                    all.extend(page);
                }
                _ => self.lost(),
            }
        }
    }

    /// A page of the predictions that a route keeps after a number; `None` when it keeps none.
    pub async fn predictions(&mut self, route: &str, after: u64) -> Option<Recorded> {
        let client = self.client.as_mut()?;
        match timed(client.predictions(route, after)).await {
            Ok(Ok(page)) => Some(page),
            // It was told to keep them a moment ago, or not to keep them any more.
            Ok(Err(serin_proxy::ProxyError::Refused(_))) => None,
            _ => {
                self.lost();
                None
            }
        }
    }

    /// Ends the router: it finishes the requests under way. One of ours that hangs is killed.
    ///
    /// # Errors
    /// When one that an earlier process started hangs: it is left alone, because its process is not known.
    pub async fn stop(&mut self) -> Result<(), LocalError> {
        if !self.is_connected() {
            self.connect().await;
        }
        let told = match &mut self.client {
            Some(client) => matches!(timed(client.stop()).await, Ok(Ok(_))),
            None => false,
        };
        self.lost();
        let end = Instant::now() + if told { STOP } else { ANSWER };
        while self.runs() {
            if Instant::now() > end {
                return self.kill();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether there still is a router, ours or not.
    fn runs(&mut self) -> bool {
        let ours = self.child.as_mut().map(|child| matches!(child.try_wait(), Ok(None)));
        ours.unwrap_or_else(|| std::os::unix::net::UnixStream::connect(&self.how.socket).is_ok())
    }

    fn kill(&mut self) -> Result<(), LocalError> {
        let Some(mut child) = self.child.take() else {
            let message = "it does not answer and was left running: end it by hand, or let it go on and try again";
            return Err(LocalError::Router(message.to_owned()));
        };
        // Gone meanwhile is as good.
        let _ = child.kill();
        let _ = child.wait();
        Ok(())
    }
}

async fn timed<T>(answer: impl Future<Output = T>) -> Result<T, tokio::time::error::Elapsed> {
    tokio::time::timeout(ANSWER, answer).await
}

/// Starts the router in a process group of its own, so that a signal to ours does not reach it.
fn spawn(how: &RouterCommand) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt as _;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(&how.log)?;
    let errors = log.try_clone()?;
    let (program, arguments) = how.command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(arguments)
        .arg("--listen")
        .arg(how.listen.to_string())
        .arg("--socket")
        .arg(&how.socket)
        .arg("--workers")
        .arg(how.workers.to_string())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
}

fn last_line(path: &Path) -> Option<String> {
    let lines = serin_supervisor::logs::tail(path, 5).ok()?;
    lines.into_iter().rev().find(|l| !l.trim().is_empty())
}
