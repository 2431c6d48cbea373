//! Requests of users, through Traefik as theirs would come.

use std::collections::BTreeMap;
use std::io::{Error, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cluster::Cluster;

/// Where Traefik listens inside the cluster, for Ingresses and for the Gateway alike.
pub const NODE: &str = "198.18.255.1:80";

/// What one request may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many failures are told in full.
const TOLD: usize = 10;

/// What the requests got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Good answers by the version that gave them.
    pub versions: BTreeMap<String, u64>,
    /// Requests without an answer, and answers other than 2xx.
    pub failed: u64,
    /// The first few of them: a status with its body, or an error.
    pub failures: Vec<String>,
}

impl Answers {
    /// How many requests there were.
    pub fn total(&self) -> u64 {
        self.versions.values().sum::<u64>() + self.failed
    }

    /// The share of all requests that a version answered, from 0 to 1; NaN without requests.
    pub fn share(&self, version: &str) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
        let (part, whole) = (self.versions.get(version).copied().unwrap_or(0) as f64, self.total() as f64);
        part / whole
    }

    fn count(&mut self, answer: Result<String, String>) {
        match answer {
            Ok(version) => *self.versions.entry(version).or_default() += 1,
            Err(failure) => {
                self.failed += 1;
                if self.failures.len() < TOLD {
                    self.failures.push(failure);
                }
            }
        }
    }
}

/// Asks a host for `/health` through Traefik, so often, one after the other, and counts answers by the `version` in them. Stops
/// early when the time is over.
pub fn ask(host: &str, count: u64, bound: Duration) -> Answers {
    ask_with(host, &[], count, bound)
}

/// The same with headers, each a name and a value.
pub fn ask_with(host: &str, headers: &[(&str, &str)], count: u64, bound: Duration) -> Answers {
    let begun = Instant::now();
    let mut answers = Answers::default();
    while answers.total() < count && begun.elapsed() < bound {
        answers.count(get(host, headers));
    }
    answers
}

/// One request; the version that answered.
fn get(host: &str, headers: &[(&str, &str)]) -> Result<String, String> {
    let headers = [&[("host", host)], headers].concat();
    let (status, body) = exchange(NODE, "/health", &headers).map_err(|e| e.to_string())?;
    if !(200..300).contains(&status) {
        return Err(format!("{status} {}", body.trim()));
    }
    let version = serde_json::from_str::<Value>(&body).ok().and_then(|body| Some(body["version"].as_str()?.to_owned()));
    version.ok_or_else(|| format!("an answer without a version: {body}"))
}

/// Asks a server (`name:port` or `address:port`) for a path; status and body.
///
/// # Errors
/// When there is no answer within seconds, or none that HTTP knows.
pub fn exchange(server: &str, path: &str, headers: &[(&str, &str)]) -> std::io::Result<(u16, String)> {
    let address = server.to_socket_addrs()?.next().ok_or_else(|| Error::other(format!("{server} has no address")))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // Of the older version, so that the body ends with the connection and is never in chunks.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n{headers}\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Error::other(format!("no answer of HTTP: {head}")))?;
    Ok((status, body.to_owned()))
}

/// Users who ask a service of the example for predictions all the time, with rows that the models never saw.
#[derive(Debug)]
pub struct Users {
    child: Child,
}

impl Users {
    /// Lets them begin: `model` is `churn`, `tip` or `sentiment`, `rate` in requests a second.
    ///
    /// # Panics
    /// When the program is not built or cannot be started.
    pub fn start(model: &str, rate: u32) -> Self {
        Self::begin(model, rate, &[])
    }

    /// The same at a host that is not the one of the example, such as that of a preview.
    ///
    /// # Panics
    /// As [`Users::start`] does.
    pub fn start_at(host: &str, model: &str, rate: u32) -> Self {
        Self::begin(model, rate, &["--host", host])
    }

    fn begin(model: &str, rate: u32, more: &[&str]) -> Self {
        let mut command = Command::new(Cluster::built("model-service"));
        command.args(["load", "--json", "--router", NODE, "--service", model, "--rate", &rate.to_string()]).args(more);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self { child: child.unwrap_or_else(|e| panic!("failed to start the users: {e}")) }
    }

    /// Lets them end, and tells what they got: the summary of `model-service load --json` for the service, with `sent`, `unsent`,
    /// `statuses`, `failures`, `versions`, `predictions` and latencies.
    ///
    /// # Panics
    /// When they ended before, or tell nothing.
    pub fn finish(mut self) -> Value {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = pid.map(|pid| kill_process(pid, Signal::TERM));
        assert!(matches!(sent, Some(Ok(()))), "failed to end the users: {sent:?}");
        let mut text = String::new();
        let told = self.child.stdout.take().map(|mut stdout| stdout.read_to_string(&mut text));
        assert!(matches!(told, Some(Ok(_))), "the users tell nothing: {told:?}");
        let mut summary: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("the users tell {text:?}: {e}"));
        summary["services"][0].take()
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        // Both fail only when they are gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_version_and_failures_are_told() {
        let mut answers = Answers::default();
        assert!(answers.share("v1").is_nan());
        for version in ["v1", "v2", "v1"] {
            answers.count(Ok(version.to_owned()));
        }
        (0..20).for_each(|i| answers.count(Err(format!("503 {i}"))));
        assert_eq!((answers.total(), answers.failed, answers.failures.len()), (23, 20, TOLD));
        assert!((answers.share("v1") - 2.0 / 23.0).abs() < 1e-9);
        assert!(answers.share("v3").abs() < 1e-9);
    }
}
