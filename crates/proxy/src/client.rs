//! Talks to a proxy over its control socket.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use crate::ProxyError;
use crate::control::{Answer, LINE_MAX, Request};
use crate::report::{Batch, Info, Recorded, Snapshot};
use crate::table::Table;

/// A connection to a running proxy. Requests of several tasks wait for each other.
///
/// After [`ProxyError::Talk`] the connection is of no use any more: the proxy has gone, or a call was dropped halfway. Connect again.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: Mutex<Option<BufReader<UnixStream>>>,
}

impl Client {
    /// Connects to the proxy that listens on the socket `path`.
    ///
    /// # Errors
    /// [`ProxyError::Reach`] when none does.
    pub async fn connect(path: &Path) -> Result<Self, ProxyError> {
        let stream =
            UnixStream::connect(path).await.map_err(|source| ProxyError::Reach { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), stream: Mutex::new(Some(BufReader::new(stream))) })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the table. When this returns the next request is already served by it; requests in flight finish as they began.
    /// The same version again is taken, so that setting a table twice equals once. A call that was dropped before the proxy looked at it
    /// is not carried out later.
    ///
    /// # Errors
    /// [`ProxyError::Table`] with everything wrong with it, [`ProxyError::Stale`] when the proxy has a newer one; it keeps the old one then.
    pub async fn set_table(&self, table: &Table) -> Result<u64, ProxyError> {
        self.set(table, false).await
    }

    /// Replaces the table even by one of a lower version.
    ///
    /// # Errors
    /// [`ProxyError::Table`] with everything wrong with it.
    pub async fn force_table(&self, table: &Table) -> Result<u64, ProxyError> {
        self.set(table, true).await
    }

    async fn set(&self, table: &Table, force: bool) -> Result<u64, ProxyError> {
        match self.ask(&Request::SetTable { table: table.clone(), force }).await? {
            Answer::Version(version) => Ok(version),
            other => Err(unexpected(other)),
        }
    }

    /// The table in force.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn table(&self) -> Result<Table, ProxyError> {
        match self.ask(&Request::Table).await? {
            Answer::Table(table) => Ok(table),
            other => Err(unexpected(other)),
        }
    }

    /// Everything counted since the proxy started.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn stats(&self) -> Result<Snapshot, ProxyError> {
        match self.ask(&Request::Stats).await? {
            Answer::Stats(snapshot) => Ok(snapshot),
            other => Err(unexpected(other)),
        }
    }

    /// The one-second batches whose `seq` is above `after`, oldest first. The proxy keeps the last ten minutes. Where a route has many slices
    /// some may be left for the next call: a reader has all of them when it gets none.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn batches(&self, after: u64) -> Result<Vec<Batch>, ProxyError> {
        match self.ask(&Request::Batches { after }).await? {
            Answer::Batches(batches) => Ok(batches),
            other => Err(unexpected(other)),
        }
    }

    /// The predictions that a route keeps whose number is above `after`, oldest first, a page of them; see [`crate::table::Record`].
    ///
    /// # Errors
    /// [`ProxyError::Refused`] when no route of this name keeps any; or when the proxy has gone.
    pub async fn predictions(&self, route: &str, after: u64) -> Result<Recorded, ProxyError> {
        match self.ask(&Request::Predictions { route: route.to_owned(), after }).await? {
            Answer::Predictions(recorded) => Ok(recorded),
            other => Err(unexpected(other)),
        }
    }

    /// Closes the units of all visitors of a route, so that the next batch has those that would have closed later. A visitor that comes
    /// again begins another unit.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn close_units(&self, route: &str) -> Result<(), ProxyError> {
        self.order(&Request::CloseUnits { route: route.to_owned() }).await
    }

    /// The metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn metrics(&self) -> Result<String, ProxyError> {
        match self.ask(&Request::Metrics).await? {
            Answer::Metrics(text) => Ok(text),
            other => Err(unexpected(other)),
        }
    }

    /// Who the proxy is.
    ///
    /// # Errors
    /// When the proxy has gone.
    pub async fn info(&self) -> Result<Info, ProxyError> {
        match self.ask(&Request::Info).await? {
            Answer::Info(info) => Ok(info),
            other => Err(unexpected(other)),
        }
    }

    /// Lets the proxy finish what it works on and exit: what SIGTERM does.
    ///
    /// # Errors
    /// When the proxy has gone already.
    pub async fn drain(&self) -> Result<(), ProxyError> {
        self.order(&Request::Drain).await
    }

    /// Lets the proxy exit at once; requests in flight are cut.
    ///
    /// # Errors
    /// When the proxy has gone already.
    pub async fn stop(&self) -> Result<(), ProxyError> {
        self.order(&Request::Stop).await
    }

    async fn order(&self, request: &Request) -> Result<(), ProxyError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    /// The stream is out of its place while a question is open: a call that is dropped in between would leave an answer unread,
    /// which the next call would take for its own.
    async fn ask(&self, request: &Request) -> Result<Answer, ProxyError> {
        let mut place = self.stream.lock().await;
        let mut stream = place.take().ok_or_else(|| ProxyError::Talk(std::io::ErrorKind::NotConnected.into()))?;
        let mut line = serde_json::to_vec(request).map_err(|e| ProxyError::Talk(e.into()))?;
        line.push(b'\n');
        stream.write_all(&line).await.map_err(ProxyError::Talk)?;
        line.clear();
        (&mut stream).take(LINE_MAX).read_until(b'\n', &mut line).await.map_err(ProxyError::Talk)?;
        if line.last() != Some(&b'\n') {
            return Err(ProxyError::Talk(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let answer = serde_json::from_slice(&line).map_err(|e| ProxyError::Answer(e.to_string()))?;
        *place = Some(stream);
        Ok(answer)
    }
}

fn unexpected(answer: Answer) -> ProxyError {
    match answer {
        Answer::Invalid(problems) => ProxyError::Table(problems),
        Answer::Stale { given, current } => ProxyError::Stale { given, current },
        Answer::Refused(why) => ProxyError::Refused(why),
        other => ProxyError::Answer(format!("{other:?}").chars().take(80).collect()),
    }
}
