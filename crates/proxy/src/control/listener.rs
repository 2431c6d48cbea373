//! The proxy's end of the control socket.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};

use super::{Answer, LINE_MAX, Request};
use crate::ProxyError;
use crate::metrics;
use crate::serve::{Control, Ending};

/// A control socket that belongs to this proxy as long as the value lives.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Locked, so that of two proxies that start at once one gives way.
    _lock: File,
}

impl Claim {
    /// Makes the socket, in place of one that nobody listens on.
    pub(crate) fn take(path: &Path) -> Result<Self, ProxyError> {
        let fail = |source| ProxyError::Socket { path: path.to_owned(), source };
        let busy = || ProxyError::Busy { path: path.to_owned() };
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let lock = File::create(beside(".lock")).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(busy()),
            Err(std::fs::TryLockError::Error(error)) => return Err(fail(error)),
        }
        match UnixStream::connect(path) {
            Ok(_) => return Err(busy()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => is_socket(path).map_err(fail)?,
            Err(error) => return Err(fail(error)),
        }
        let listener = bind_private(path, &beside(".new")).map_err(fail)?;
        Ok(Self { listener, path: path.to_owned(), _lock: lock })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Connecting to a plain file is refused as well; that one is not ours to replace.
fn is_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    if std::fs::symlink_metadata(path)?.file_type().is_socket() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there and no socket"))
    }
}

/// A socket at `path` that was at no time open to others: it is made inside a closed folder and moved when its mode is right.
fn bind_private(path: &Path, folder: &Path) -> io::Result<UnixListener> {
    let inside = folder.join("s");
    let _ = std::fs::remove_file(&inside);
    let _ = std::fs::remove_dir(folder);
    DirBuilder::new().mode(0o700).create(folder)?;
    let bound = UnixListener::bind(&inside).and_then(|listener| {
        std::fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        std::fs::rename(&inside, path)?;
        Ok(listener)
    });
    std::fs::remove_dir(folder)?;
    bound
}

/// Answers one control process until it leaves.
pub(crate) async fn converse(stream: tokio::net::UnixStream, control: Arc<Control>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut stream).take(LINE_MAX).read_until(b'\n', &mut line).await;
        if read.is_err() || line.last() != Some(&b'\n') {
            return;
        }
        let answer = match serde_json::from_slice(&line) {
            // A table that was waited for in vain is not what its sender wants by now.
            Ok(Request::SetTable { .. }) if is_gone(stream.get_ref()).await => return,
            Ok(request) => control.answer(request),
            Err(error) => Answer::Refused(format!("not a request: {error}")),
        };
        let Ok(mut text) = serde_json::to_vec(&answer) else { return };
        text.push(b'\n');
        if stream.write_all(&text).await.is_err() {
            return;
        }
    }
}

/// Whether the other end closed the connection. One that only says that it sends nothing more still listens.
async fn is_gone(stream: &tokio::net::UnixStream) -> bool {
    stream.ready(Interest::WRITABLE).await.is_ok_and(|ready| ready.is_write_closed())
}

impl Control {
    fn answer(&self, request: Request) -> Answer {
        let shared = &self.shared;
        match request {
            Request::SetTable { table, force } => match shared.set_table(table, force) {
                Ok(version) => Answer::Version(version),
                Err(ProxyError::Table(problems)) => Answer::Invalid(problems),
                Err(ProxyError::Stale { given, current }) => Answer::Stale { given, current },
                Err(other) => Answer::Refused(other.to_string()),
            },
            Request::Table => Answer::Table(shared.routing.load().table.clone()),
            Request::Stats => Answer::Stats(shared.snapshot()),
            Request::Batches { after } => Answer::Batches(self.history().after(after)),
            Request::Predictions { route, after } => {
                let ring = shared.memory().ring_of(&route);
                ring.map_or_else(
                    || Answer::Refused(format!("no route '{route}' keeps its predictions")),
                    |ring| Answer::Predictions(ring.after(after)),
                )
            }
            Request::CloseUnits { route } => {
                shared.memory().statistics.close_units(&route);
                Answer::Done
            }
            Request::Metrics => Answer::Metrics(metrics::render(&shared.snapshot())),
            Request::Info => Answer::Info(crate::report::Info {
                pid: std::process::id(),
                table_version: shared.routing.load().table.version,
                listen: self.listen.clone(),
                metrics_listen: self.metrics_listen,
                started_ms: shared.started_ms,
                draining: shared.draining.load(Relaxed),
            }),
            Request::Drain => self.end(Ending::Drain),
            Request::Stop => self.end(Ending::Stop),
        }
    }

    fn end(&self, ending: Ending) -> Answer {
        self.ending.send_replace(Some(ending));
        Answer::Done
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::Shutdown;

    use super::*;
    use crate::config::Config;
    use crate::shared::Shared;

    /// The version in force after a table of version 5 was sent to a proxy that looks at it only after `then`.
    fn version_after(then: impl FnOnce(UnixStream) -> Option<UnixStream>) -> u64 {
        let config = Config::new(([127, 0, 0, 1], 0).into(), "unused");
        let control = Arc::new(Control::new(Arc::new(Shared::new(config).unwrap()), Vec::new(), None));
        let (mut asker, end) = UnixStream::pair().unwrap();
        asker.write_all(b"{\"op\":\"set_table\",\"table\":{\"version\":5,\"routes\":[]}}\n").unwrap();
        let kept = then(asker);
        end.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            converse(tokio::net::UnixStream::from_std(end).unwrap(), control.clone()).await;
        });
        drop(kept);
        control.shared.routing.load().table.version
    }

    #[test]
    fn a_table_counts_only_while_its_sender_waits() {
        let half = |asker: UnixStream| {
            asker.shutdown(Shutdown::Write).unwrap();
            Some(asker)
        };
        assert_eq!(version_after(half), 5, "it sends nothing more but reads the answer");
        assert_eq!(version_after(|_| None), 0, "it may have decided otherwise since");
    }
}
