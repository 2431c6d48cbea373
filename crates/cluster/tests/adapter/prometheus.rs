//! A Prometheus on loopback with four counters, which a test lets grow.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bad answers and answers of the canary, then of stable.
pub(crate) type Counts = [u64; 4];

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// Series of each counter.
    pods: usize,
    asked: usize,
    refuses: bool,
}

/// A running server. It ends with the runtime that it was started on.
#[derive(Clone)]
pub(crate) struct Prometheus {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Prometheus {
    /// Starts one whose versions have answered before.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State { counts: [3, 70, 5, 900], pods: 1, ..State::default() };
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let one = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(one.clone().serve(stream));
            }
        });
        server
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the counters grow.
    pub(crate) fn grow(&self, by: Counts) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.iter_mut().zip(by).for_each(|(count, by)| *count += by);
    }

    /// From now on each counter has so many series.
    pub(crate) fn set_pods(&self, pods: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pods = pods;
    }

    /// From now on it answers with an error, or no longer.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refuses = refuses;
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut read = Vec::new();
        loop {
            while !is_whole(&read) {
                match stream.read_buf(&mut read).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
            read.clear();
            let body = self.answer().to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            if stream.write_all((head + &body).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self) -> Value {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked += 1;
        if state.refuses {
            return json!({ "status": "error", "errorType": "execution", "error": "it is being restarted" });
        }
        let names = ["canaryBad", "canaryTotal", "stableBad", "stableTotal"];
        let series = names.iter().zip(state.counts).flat_map(|(name, count)| {
            (0..state.pods).map(move |pod| {
                // The first one has counted everything.
                let value = if pod == 0 { count } else { 0 };
                json!({ "metric": { "serin_counter": name, "pod": format!("pod-{pod}") }, "value": [0, value.to_string()] })
            })
        });
        json!({ "status": "success", "data": { "resultType": "vector", "result": series.collect::<Vec<_>>() } })
    }
}

/// Whether a request has come to its end.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}
