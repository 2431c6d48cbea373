//! Connections to upstreams, and the idle ones of a worker.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::TcpStream;

use crate::routing::{Endpoint, Occupied};

/// Idle for longer than this the kernel is asked whether the connection is still open; what the runtime knows may be late.
const TRUSTED: Duration = Duration::from_millis(100);

/// A connection that a request is using, and its place in the endpoint's count.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) stream: TcpStream,
    _occupied: Occupied,
}

impl Upstream {
    pub(crate) async fn connect(endpoint: &std::sync::Arc<Endpoint>) -> io::Result<Self> {
        let occupied = endpoint.occupy();
        let stream = TcpStream::connect(endpoint.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, _occupied: occupied })
    }
}

/// The idle connections of one worker, by endpoint, the last used on top.
#[derive(Debug, Default)]
pub(crate) struct Pool(BTreeMap<u64, Vec<(TcpStream, Instant)>>);

impl Pool {
    /// The connection used last that is still open.
    pub(crate) fn take(
        &mut self,
        endpoint: &std::sync::Arc<Endpoint>,
        now: Instant,
        age_max: Duration,
    ) -> Option<Upstream> {
        let idle = self.0.get_mut(&endpoint.key)?;
        while let Some((stream, since)) = idle.pop() {
            let age = now.saturating_duration_since(since);
            if age <= age_max && is_open(&stream, age > TRUSTED) {
                return Some(Upstream { stream, _occupied: endpoint.occupy() });
            }
        }
        None
    }

    pub(crate) fn put(&mut self, endpoint: &Endpoint, stream: TcpStream, now: Instant, idle_max: usize) {
        let idle = self.0.entry(endpoint.key).or_default();
        if idle.len() < idle_max {
            idle.push((stream, now));
        }
    }

    /// Closes what is too old or belongs to an endpoint that is no longer in the table.
    pub(crate) fn sweep(&mut self, now: Instant, age_max: Duration, endpoints: &BTreeSet<u64>) {
        self.0.retain(|key, idle| {
            idle.retain(|(_, since)| now.saturating_duration_since(*since) <= age_max);
            endpoints.contains(key) && !idle.is_empty()
        });
    }
}

/// Whether nothing, neither bytes nor an end, has come on an idle connection. Asking the runtime costs no system call while it
/// has seen nothing.
fn is_open(stream: &TcpStream, ask_kernel: bool) -> bool {
    let result =
        if ask_kernel { SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) } else { stream.try_read(&mut [0]) };
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
