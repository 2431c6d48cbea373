//! Probes: what is asked, how often, and how many answers make up a mind.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A question to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// `GET path` answers 200 to 399. The port is the member's own unless given.
    Http {
        /// Path with query.
        path: String,
        /// Headers to send.
        headers: Vec<(String, String)>,
        /// Another port than the member's.
        port: Option<u16>,
    },
    /// A connection can be made.
    Tcp {
        /// Another port than the member's.
        port: Option<u16>,
    },
    /// A command exits with 0.
    Exec(Vec<String>),
}

/// A question with its schedule, as in a pod's container spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The question.
    pub check: Check,
    /// Wait after the start.
    pub initial_delay_ms: u64,
    /// Time between questions.
    pub period_ms: u64,
    /// Longest wait for an answer.
    pub timeout_ms: u64,
    /// Good answers in a row that change the mind to good.
    pub success_threshold: u32,
    /// Bad answers in a row that change the mind to bad.
    pub failure_threshold: u32,
}

/// Longest wait between two questions to a member that is not ready yet. As the kubelet does, one that starts is asked more
/// often than its period says: a rollout waits for it.
pub const UNREADY_PERIOD_MS: u64 = 500;

/// The memory of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// What it holds true now.
    pub good: bool,
    /// Answers in a row that speak against it.
    streak: u32,
    /// When to ask next.
    pub next_ms: u64,
}

impl Opinion {
    /// The opinion of a process started at `started_ms`: not ready, or alive.
    pub fn new(probe: &Probe, started_ms: u64, good: bool) -> Self {
        Self { good, streak: 0, next_ms: started_ms.saturating_add(probe.initial_delay_ms) }
    }

    /// Takes an answer; returns whether the mind changed.
    pub fn answer(&mut self, probe: &Probe, good: bool, now_ms: u64) -> bool {
        let wait = if self.good { probe.period_ms } else { probe.period_ms.min(UNREADY_PERIOD_MS) };
        self.next_ms = now_ms.saturating_add(wait.max(1));
        if good == self.good {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        let threshold = if good { probe.success_threshold } else { probe.failure_threshold };
        if self.streak < threshold.max(1) {
            return false;
        }
        self.good = good;
        self.streak = 0;
        true
    }
}

/// Asks once.
pub async fn ask(check: &Check, port: u16, timeout_ms: u64) -> bool {
    let question = async {
        match check {
            Check::Http { path, headers, port: other } => http(other.unwrap_or(port), path, headers).await,
            Check::Tcp { port: other } => TcpStream::connect(("127.0.0.1", other.unwrap_or(port))).await.is_ok(),
            Check::Exec(command) => exec(command).await,
        }
    };
    tokio::time::timeout(Duration::from_millis(timeout_ms.max(1)), question).await.unwrap_or(false)
}

async fn http(port: u16, path: &str, headers: &[(String, String)]) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: serin-probe\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("Connection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    // "HTTP/1.1 200" is all that matters.
    let mut head = [0u8; 12];
    if stream.read_exact(&mut head).await.is_err() || !head.starts_with(b"HTTP/1.") || head[8] != b' ' {
        return false;
    }
    std::str::from_utf8(&head[9..]).ok().and_then(|s| s.parse::<u16>().ok()).is_some_and(|c| (200..400).contains(&c))
}

async fn exec(command: &[String]) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .status();
    child.await.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_changes_after_its_threshold_in_a_row() {
        let probe = Probe {
            check: Check::Tcp { port: None },
            initial_delay_ms: 100,
            period_ms: 10,
            timeout_ms: 1,
            success_threshold: 2,
            failure_threshold: 3,
        };
        let mut opinion = Opinion::new(&probe, 1_000, false);
        assert_eq!(opinion.next_ms, 1_100);
        let answers = [true, false, true, true, false, false, true, false, false, false];
        let seen: Vec<bool> = answers
            .iter()
            .map(|good| {
                opinion.answer(&probe, *good, 0);
                opinion.good
            })
            .collect();
        assert_eq!(seen, [false, false, false, true, true, true, true, true, true, false]);
    }
}
