//! The control socket: mode 0600 in a folder of mode 0700, one JSON request a line. Each connection is a task; the loop
//! answers one request after the other.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::protocol::{Answer, Refusal, Request};
use crate::{Class, LocalError};

/// The socket's name in the state folder.
pub(crate) const SOCKET: &str = "control.sock";

/// Longest request: manifests travel in it.
const LINE_MAX: u64 = 80 << 20;

/// Longest path of a Unix socket.
const PATH_MAX: usize = 107;

/// A request and where its answer goes.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The request.
    pub(crate) request: Request,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// Requests as they come. Dropping it removes the socket.
#[derive(Debug)]
pub(crate) struct Server {
    /// The requests.
    pub(crate) requests: mpsc::Receiver<Asked>,
    /// Where other listeners put theirs.
    pub(crate) sender: mpsc::Sender<Asked>,
    path: PathBuf,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The control socket of a state folder.
///
/// # Errors
/// When its path is too long for a Unix socket.
pub(crate) fn path(folder: &Path) -> Result<PathBuf, LocalError> {
    let path = folder.join(SOCKET);
    if path.as_os_str().len() > PATH_MAX {
        let message = format!("the path {} is too long for a Unix socket", path.display());
        return Err(LocalError::refused_with(message, "choose a shorter state folder with --state"));
    }
    Ok(path)
}

/// Listens on the control socket of a state folder. The caller holds the state, so a socket that is there is a dead one.
///
/// # Errors
/// When the socket cannot be made.
pub(crate) fn listen(folder: &Path) -> Result<Server, LocalError> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = path(folder)?;
    let failed = |source| LocalError::Write { path: path.clone(), source };
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let (send, requests) = mpsc::channel(64);
    let sender = send.clone();
    let accepting = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, send.clone()));
                }
                // Out of descriptors, most likely: those in use will come back.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    });
    Ok(Server { requests, sender, path, accepting })
}

async fn converse(stream: UnixStream, requests: mpsc::Sender<Asked>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = String::new();
        match (&mut read).take(LINE_MAX).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let answer = match serde_json::from_str::<Request>(&line) {
            Ok(request) => ask(&requests, request).await,
            Err(error) => Answer::Error(Refusal {
                message: format!("the request is not understood: {error}"),
                hint: Some("the command and the control process may be of different versions".to_owned()),
                class: Class::User,
            }),
        };
        let mut text = serde_json::to_string(&answer).unwrap_or_default();
        text.push('\n');
        if write.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Puts a request to the loop and waits for its answer.
pub(crate) async fn ask(requests: &mpsc::Sender<Asked>, request: Request) -> Answer {
    let (send, answer) = oneshot::channel();
    let ended = || {
        let message = "the control process is ending".to_owned();
        Answer::Error(Refusal { message, hint: None, class: Class::Retry })
    };
    if requests.send(Asked { request, answer: send }).await.is_err() {
        return ended();
    }
    answer.await.unwrap_or_else(|_| ended())
}
