//! What the proxy is started with. Everything that changes while it runs is in the table instead.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::table::Table;

/// How to start a proxy.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect. Port 0 takes a free one; [`crate::Client::info`] tells which.
    pub listen: Vec<SocketAddr>,
    /// The control socket. Made with mode 0600.
    pub socket: PathBuf,
    /// Threads that move bytes, at least 1.
    pub workers: usize,
    /// Where `GET /metrics` is answered besides the control socket.
    pub metrics_listen: Option<SocketAddr>,
    /// The table to start with; without one everything is answered with 503 until a table is set.
    pub table: Option<Table>,
    /// Keeps the `X-Forwarded-*` headers of clients and appends to them, for a proxy that stands behind another one.
    /// Otherwise they are replaced, since anybody can send them.
    pub trust_forwarded: bool,
    /// Bounds on time and memory.
    pub limits: Limits,
}

impl Config {
    /// A proxy with one worker and the default limits.
    pub fn new(listen: SocketAddr, socket: impl Into<PathBuf>) -> Self {
        Self {
            listen: vec![listen],
            socket: socket.into(),
            workers: 1,
            metrics_listen: None,
            table: None,
            trust_forwarded: false,
            limits: Limits::default(),
        }
    }
}

/// Bounds on time and memory. No client and no upstream can exceed them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request or answer head; more is 431 from a client and 502 from an upstream.
    pub head_bytes: usize,
    /// Clients connected at once; more wait in the kernel's queue.
    pub connections: usize,
    /// From the first byte of a request head to its last; then 408.
    pub head: Duration,
    /// Between two pieces of a request body, and between two pieces of an answer that the client takes.
    pub stall: Duration,
    /// How long a client may keep an idle connection.
    pub client_idle: Duration,
    /// How long an idle upstream connection is kept. Below the five seconds after which common model servers close theirs:
    /// a request sent into a closing connection cannot always be repeated.
    pub upstream_idle: Duration,
    /// Idle upstream connections kept per worker and endpoint.
    pub upstream_idle_max: usize,
    /// For a connection to an upstream to be made.
    pub connect: Duration,
    /// How long an endpoint that refused a connection is passed over.
    pub eject: Duration,
    /// How long a tunnel (WebSocket) may be silent.
    pub tunnel_idle: Duration,
    /// Copies for mirrors on their way at once, per worker; more are dropped.
    pub mirrors: usize,
    /// Bytes of the body of a request that is copied for a mirror; larger ones are not. With `mirrors` it bounds the memory.
    pub mirror_body_bytes: usize,
    /// From sending a copy to the end of its answer.
    pub mirror: Duration,
    /// Bytes of the answer to a copy that are read, head included; one that is larger is cut.
    pub mirror_answer_bytes: usize,
    /// On drain: how long idle clients may still send a request that is answered with `Connection: close`.
    pub drain_idle: Duration,
    /// On drain: how long requests in flight may take.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            connections: 10_000,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            client_idle: Duration::from_secs(75),
            upstream_idle: Duration::from_secs(4),
            upstream_idle_max: 256,
            connect: Duration::from_secs(2),
            eject: Duration::from_secs(1),
            tunnel_idle: Duration::from_secs(3600),
            mirrors: 128,
            mirror_body_bytes: 256 * 1024,
            mirror: Duration::from_secs(10),
            mirror_answer_bytes: 64 * 1024 * 1024,
            drain_idle: Duration::from_millis(500),
            drain: Duration::from_secs(30),
        }
    }
}
