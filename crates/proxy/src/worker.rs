//! One thread that moves bytes: its connections, its idle upstream connections, and how it drains.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use crate::connection;
use crate::mirror::Copies;
use crate::routing::Endpoint;
use crate::shared::Shared;
use crate::split::mix;
use crate::stream::Scratch;
use crate::upstream::{Pool, Upstream};

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);
/// How often a draining worker looks whether it is done.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// Tasks polled before the kernel is asked for news although tasks are ready: about a millisecond's worth. The runtime's own
/// figure, a quarter of it, asks three times as often under load as the events that come in make necessary.
const POLLS: u32 = 256;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Serve a client. The permit is its place among the clients connected at once.
    Serve(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit),
    /// Finish and end: idle clients are cut after the first time, all others after the second.
    Drain(Duration, Duration),
}

/// The state of a worker. Only its own thread sees it.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) scratch: Scratch,
    /// Answers tell clients to connect anew.
    pub(crate) draining: Cell<bool>,
    pub(crate) copies: Copies,
    pool: RefCell<Pool>,
    seed: Cell<u64>,
    clients: RefCell<BTreeMap<u64, ClientHandle>>,
}

#[derive(Debug)]
struct ClientHandle {
    /// Whether it waits for a request of which nothing has come.
    idle: Rc<Cell<bool>>,
    abort: AbortHandle,
}

/// Runs a worker until it has drained.
///
/// # Errors
/// When no runtime can be made.
pub(crate) fn run(
    index: usize,
    seed: u64,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
) -> std::io::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_all().event_interval(POLLS).build_local(LocalOptions::default())?;
    let limits = &shared.config.limits;
    let worker = Rc::new(Worker {
        index,
        copies: Copies::new(index, limits.mirrors, limits.mirror_body_bytes),
        shared,
        scratch: Scratch::default(),
        draining: Cell::new(false),
        pool: RefCell::default(),
        seed: Cell::new(seed),
        clients: RefCell::default(),
    });
    runtime.block_on(worker.run(orders));
    Ok(())
}

impl Worker {
    async fn run(self: Rc<Self>, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut next_id = 0;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Serve(stream, peer, permit)) => {
                        next_id += 1;
                        self.serve(next_id, stream, peer, permit);
                    }
                    Some(Order::Drain(idle, limit)) => return self.drain(idle, limit).await,
                    None => return,
                },
                _ = sweep.tick() => {
                    let endpoints = &self.shared.routing.load().endpoints;
                    self.pool.borrow_mut().sweep(Instant::now(), self.shared.config.limits.upstream_idle, endpoints);
                }
            }
        }
    }

    fn serve(self: &Rc<Self>, id: u64, stream: std::net::TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        self.shared.connections.fetch_add(1, Relaxed);
        let idle = Rc::new(Cell::new(true));
        let (worker, flag) = (self.clone(), idle.clone());
        // Made here, since a task may be aborted before it has begun.
        let leave = Leave { worker: self.clone(), id, _permit: permit };
        let task = tokio::task::spawn_local(async move {
            let _leave = leave;
            connection::serve(&worker, stream, peer, &flag).await;
        });
        self.clients.borrow_mut().insert(id, ClientHandle { idle, abort: task.abort_handle() });
    }

    async fn drain(&self, idle_limit: Duration, limit: Duration) {
        self.draining.set(true);
        let begun = Instant::now();
        while !self.clients.borrow().is_empty() && begun.elapsed() < limit {
            if begun.elapsed() >= idle_limit {
                self.clients.borrow().values().filter(|c| c.idle.get()).for_each(|c| c.abort.abort());
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        let left = self.clients.borrow().len();
        if left > 0 {
            tracing::warn!(worker = self.index, connections = left, "drain limit reached, connections are cut");
        }
    }

    /// An idle connection to the endpoint that is still open.
    pub(crate) fn checkout(&self, endpoint: &Arc<Endpoint>, now: Instant) -> Option<Upstream> {
        self.pool.borrow_mut().take(endpoint, now, self.shared.config.limits.upstream_idle)
    }

    /// Keeps a connection for the next request.
    pub(crate) fn give_back(&self, endpoint: &Endpoint, upstream: Upstream, now: Instant) {
        let idle_max = self.shared.config.limits.upstream_idle_max;
        self.pool.borrow_mut().put(endpoint, upstream.stream, now, idle_max);
    }

    /// A number nobody can guess from outside before it was used: for visitors and requests, not for secrets.
    pub(crate) fn random(&self) -> u64 {
        let seed = self.seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.seed.set(seed);
        mix(seed)
    }
}

/// Takes a client off the list however its task ends.
struct Leave {
    worker: Rc<Worker>,
    id: u64,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.worker.clients.borrow_mut().remove(&self.id);
        self.worker.shared.connections.fetch_sub(1, Relaxed);
    }
}
