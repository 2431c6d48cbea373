//! The profile store that v3.5.0 asks before every prediction, and that is not up to it.
//!
//! The release was meant to add a profile to each row. The store's socket is there, so that asking succeeds, but nothing
//! reads it: each prediction waits for the full time limit and is then made without a profile. Waiting costs no processor
//! time, so the example stays bearable on a small machine while the latency is as bad as it gets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

/// How long v3.5.0 waits for a profile.
pub(crate) const PATIENCE: Duration = Duration::from_millis(650);

/// The store, seen from a client that also happens to keep its socket.
#[derive(Debug)]
pub(crate) struct ProfileStore {
    /// Bound and never read.
    _socket: UdpSocket,
    address: SocketAddr,
}

impl ProfileStore {
    pub(crate) async fn open() -> std::io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        let address = socket.local_addr()?;
        Ok(Self { _socket: socket, address })
    }

    /// Asks for a profile; nothing when none comes in time.
    pub(crate) async fn profile(&self) -> Option<Vec<u8>> {
        let ask = async {
            let client = UdpSocket::bind((self.address.ip(), 0)).await.ok()?;
            client.connect(self.address).await.ok()?;
            client.send(b"profile?").await.ok()?;
            let mut profile = vec![0; 1024];
            let length = client.recv(&mut profile).await.ok()?;
            profile.truncate(length);
            Some(profile)
        };
        tokio::time::timeout(PATIENCE, ask).await.ok().flatten()
    }
}
