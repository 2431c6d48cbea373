//! The proxy as a process: its threads and tasks from the first to the last.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::ProxyError;
use crate::config::Config;
use crate::control::listener::{Claim, converse};
use crate::framing;
use crate::history::History;
use crate::metrics;
use crate::shared::{Shared, unix_ms};
use crate::worker::{self, Order};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;
/// The instruction of a packet filter that returns how many bytes of a packet to keep.
const BPF_RET: u16 = 0x06;
/// The pace of the batches.
const BATCH: Duration = Duration::from_secs(1);
/// How long the statistics of a version are kept after it left the table.
const FORGET: Duration = Duration::from_secs(600);
/// How long accepting pauses when the process has no file descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// How the proxy ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// After the requests in flight.
    Drain,
    /// At once.
    Stop,
}

/// What the control thread knows besides the shared state.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) ending: watch::Sender<Option<Ending>>,
    history: Mutex<History>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>, listen: Vec<SocketAddr>, metrics_listen: Option<SocketAddr>) -> Self {
        let history = Mutex::new(History::new(unix_ms()));
        Self { shared, listen, metrics_listen, ending: watch::Sender::new(None), history }
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a proxy until it is told to end: by SIGTERM or SIGINT, or over its socket. Blocks; takes no other signal.
///
/// # Errors
/// When it cannot start: an address or the socket is taken, or the table in the configuration is wrong.
pub fn serve(config: Config) -> Result<(), ProxyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProxyError::Start)?;
    let result = runtime.block_on(run(config));
    // A control client that still listens must not hold the process.
    runtime.shutdown_background();
    result
}

async fn run(config: Config) -> Result<(), ProxyError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ProxyError::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProxyError::Start)?;
    let claim = Claim::take(&config.socket)?;
    let listeners = config.listen.iter().map(|a| listen(*a)).collect::<Result<Vec<_>, _>>()?;
    let metrics_listener = config.metrics_listen.map(listen).transpose()?;
    let shared = Arc::new(Shared::new(config)?);
    let address = |l: &TcpListener| l.local_addr().map_err(ProxyError::Start);
    let listen = listeners.iter().map(address).collect::<Result<_, _>>()?;
    let metrics_listen = metrics_listener.as_ref().map(address).transpose()?;
    let control = Arc::new(Control::new(shared.clone(), listen, metrics_listen));
    let (workers, mut all_done) = start_workers(&shared)?;
    let permits = Arc::new(Semaphore::new(shared.config.limits.connections));
    let acceptors = listeners.into_iter().map(|listener| {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ProxyError::Start)?;
        let (workers, permits, ending) = (workers.clone(), permits.clone(), control.ending.subscribe());
        Ok(tokio::spawn(accept(listener, workers, permits, ending)))
    });
    let acceptors = acceptors.collect::<Result<Vec<_>, _>>()?;
    let socket = claim.listener.try_clone().and_then(tokio::net::UnixListener::from_std).map_err(ProxyError::Start)?;
    tokio::spawn(accept_control(socket, control.clone()));
    if let Some(listener) = metrics_listener {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ProxyError::Start)?;
        tokio::spawn(accept_scrapes(listener, control.clone()));
    }
    tokio::spawn(keep_history(control.clone()));
    tracing::info!(listen = ?control.listen, workers = workers.len(), "proxy started");

    let mut ending = control.ending.subscribe();
    tokio::select! {
        _ = terminate.recv() => { control.ending.send_replace(Some(Ending::Drain)); }
        _ = interrupt.recv() => { control.ending.send_replace(Some(Ending::Drain)); }
        _ = ending.wait_for(Option::is_some) => {}
    }
    shared.draining.store(true, Relaxed);
    for acceptor in acceptors {
        // It hands over what the kernel has accepted already before it closes.
        let _ = acceptor.await;
    }
    let stop = *control.ending.borrow() == Some(Ending::Stop);
    let limits = &shared.config.limits;
    let (idle, limit) = if stop { (Duration::ZERO, Duration::ZERO) } else { (limits.drain_idle, limits.drain) };
    for worker in workers.iter() {
        let _ = worker.send(Order::Drain(idle, limit));
    }
    let _ = all_done.recv().await;
    tracing::info!("proxy ended");
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener, ProxyError> {
    let make = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Connections of a predecessor that still wait for their last packets do not hold the port.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    };
    make().map_err(|source| ProxyError::Listen { address, source })
}

type Workers = Arc<[mpsc::UnboundedSender<Order>]>;

/// Starts the worker threads. The receiver ends when all of them have.
fn start_workers(shared: &Arc<Shared>) -> Result<(Workers, mpsc::Receiver<()>), ProxyError> {
    let (done, all_done) = mpsc::channel(1);
    let mut workers = Vec::new();
    for index in 0..shared.config.workers.max(1) {
        let (sender, orders) = mpsc::unbounded_channel();
        let (shared, done) = (shared.clone(), done.clone());
        // The keys of the standard hasher come from the operating system's randomness.
        let seed = RandomState::new().hash_one(index);
        std::thread::Builder::new()
            .name(format!("proxy-{index}"))
            .spawn(move || {
                if let Err(error) = worker::run(index, seed, shared, orders) {
                    tracing::error!(index, %error, "failed to run a worker");
                }
                drop(done);
            })
            .map_err(ProxyError::Start)?;
        workers.push(sender);
    }
    Ok((workers.into(), all_done))
}

/// Deals the connections of a listener out to the workers in turn. One place that accepts, rather than one a worker, keeps the
/// workers evenly loaded and lets nothing get lost between them when the listener closes.
async fn accept(
    listener: tokio::net::TcpListener,
    workers: Workers,
    permits: Arc<Semaphore>,
    mut ending: watch::Receiver<Option<Ending>>,
) {
    let mut turn = 0;
    let mut deal = |stream, peer, permit| {
        turn = (turn + 1) % workers.len();
        let _ = workers[turn].send(Order::Serve(stream, peer, permit));
    };
    let serving = async {
        while let Ok(permit) = permits.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    if let Ok(stream) = stream.into_std() {
                        deal(stream, peer, permit);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    };
    tokio::select! {
        () = serving => {}
        _ = ending.wait_for(Option::is_some) => {}
    }
    // Connections that the kernel has made already: closing the listener would reset them. From here on it drops what
    // arrives to make new ones, so that clients try again, and find a successor, rather than being reset in between.
    let drop_all = SockFilter::new(BPF_RET, 0, 0, 0);
    if let Err(error) = SockRef::from(&listener).attach_filter(&[drop_all]) {
        tracing::debug!(%error, "failed to hold off new connections");
    }
    let Ok(listener) = listener.into_std() else { return };
    while let Ok(permit) = permits.clone().try_acquire_owned()
        && let Ok((stream, peer)) = listener.accept()
    {
        if stream.set_nonblocking(true).is_ok() {
            deal(stream, peer, permit);
        }
    }
}

async fn accept_control(listener: tokio::net::UnixListener, control: Arc<Control>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, control.clone()))),
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn keep_history(control: Arc<Control>) {
    let mut tick = tokio::time::interval(BATCH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    tick.tick().await;
    loop {
        tick.tick().await;
        let shared = &control.shared;
        let totals = {
            let memory = &mut *shared.memory();
            let now = Instant::now();
            memory.statistics.close_silent_units(shared.ms_at(now));
            memory.statistics.sweep(now, now.checked_sub(FORGET));
            memory.totals(&shared.routing.load())
        };
        control.history().push(totals, unix_ms());
    }
}

async fn accept_scrapes(listener: tokio::net::TcpListener, control: Arc<Control>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(tokio::time::timeout(Duration::from_secs(5), scrape(stream, control.clone()))))
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Answers one request for the metrics and closes.
async fn scrape(mut stream: tokio::net::TcpStream, control: Arc<Control>) -> io::Result<()> {
    let mut buf = Vec::with_capacity(2048);
    let (status, body) = loop {
        if buf.len() > 16 * 1024 || stream.read_buf(&mut buf).await? == 0 {
            return Ok(());
        }
        let mut headers = framing::empty_headers();
        match framing::read_request(&buf, &mut headers) {
            Ok(None) => {}
            Ok(Some(head)) if head.target.split('?').next() == Some("/metrics") => {
                break ("200 OK", metrics::render(&control.shared.snapshot()));
            }
            Ok(Some(head)) if head.target == "/healthz" => break ("200 OK", "ok\n".to_owned()),
            Ok(Some(_)) => break ("404 Not Found", "only /metrics and /healthz are here\n".to_owned()),
            Err(_) => break ("400 Bad Request", "not a request\n".to_owned()),
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
