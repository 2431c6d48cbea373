//! What became of the load: counts per service, and the words and JSON of the final summary.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::client::{Answer, Failure};
use crate::service::Service;

/// Each latency bucket is 5% wider than the one before, so a quantile is at most 5% too high.
const GROWTH: f64 = 1.05;

/// The first bucket ends here, in milliseconds.
const FIRST_MS: f64 = 0.1;

/// Enough buckets to reach two minutes, far beyond the client's patience.
const BUCKETS: usize = 288;

/// Counts of one service.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) unsent: u64,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<Failure, u64>,
    versions: BTreeMap<String, u64>,
    last_sent_us: BTreeMap<String, u64>,
    predictions: BTreeMap<String, u64>,
    latencies: Box<[u64; BUCKETS]>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            unsent: 0,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            versions: BTreeMap::new(),
            last_sent_us: BTreeMap::new(),
            predictions: BTreeMap::new(),
            latencies: Box::new([0; BUCKETS]),
        }
    }
}

impl Tally {
    /// Counts what became of a request.
    pub(super) fn count(&mut self, answer: &Result<Answer, Failure>, sent: SystemTime, took: Duration) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                *self.failures.entry(*failure).or_default() += 1;
                return;
            }
        };
        *self.statuses.entry(answer.status).or_default() += 1;
        let bucket = (took.as_secs_f64() * 1e3 / FIRST_MS).ln() / GROWTH.ln();
        self.latencies[(bucket.max(0.0) as usize).min(BUCKETS - 1)] += 1;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if let Some(version) = body["version"].as_str() {
            *self.versions.entry(version.to_owned()).or_default() += 1;
            let sent = sent.duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
            let last = self.last_sent_us.entry(version.to_owned()).or_default();
            *last = sent.max(*last);
        }
        if let Some(prediction) = body["prediction"].as_str() {
            *self.predictions.entry(prediction.to_owned()).or_default() += 1;
        }
    }

    /// The latency below which a share of the answers lies, in milliseconds; 0 without answers.
    fn quantile_ms(&self, share: f64) -> f64 {
        let all: u64 = self.latencies.iter().sum();
        let rank = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = self.latencies.iter().position(|count| {
            seen += count;
            seen >= rank && seen > 0
        });
        bucket.map_or(0.0, |b| (FIRST_MS * GROWTH.powi(b as i32 + 1) * 100.0).round() / 100.0)
    }
}

/// What became of the load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How long it was sent.
    pub seconds: f64,
    /// Of each service.
    pub services: Vec<ServiceSummary>,
}

/// What became of the load of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceSummary {
    /// The service's name.
    pub service: &'static str,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were due while too many were under way.
    pub unsent: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by reason.
    pub failures: BTreeMap<&'static str, u64>,
    /// Answers by the release that gave them.
    pub versions: BTreeMap<String, u64>,
    /// When the last request was sent that a release answered, by release, in microseconds since 1970.
    pub last_sent_us: BTreeMap<String, u64>,
    /// Answers by prediction.
    pub predictions: BTreeMap<String, u64>,
    /// Median latency of the answers, milliseconds.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

impl Summary {
    pub(super) fn new(seconds: f64, tallies: &BTreeMap<Service, Tally>) -> Self {
        let services = tallies
            .iter()
            .map(|(service, tally)| ServiceSummary {
                service: service.prefix(),
                sent: tally.statuses.values().chain(tally.failures.values()).sum(),
                unsent: tally.unsent,
                statuses: tally.statuses.clone(),
                failures: tally.failures.iter().map(|(f, n)| (f.name(), *n)).collect(),
                versions: tally.versions.clone(),
                last_sent_us: tally.last_sent_us.clone(),
                predictions: tally.predictions.clone(),
                p50_ms: tally.quantile_ms(0.5),
                p95_ms: tally.quantile_ms(0.95),
                p99_ms: tally.quantile_ms(0.99),
            })
            .collect();
        Self { seconds: (seconds * 1e3).round() / 1e3, services }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:<12} {:>7} {:>9} {:>9} {:>9}  answers, versions, predictions",
            "service", "sent", "p50 ms", "p95 ms", "p99 ms"
        )?;
        for s in &self.services {
            let mut parts: Vec<String> = s.statuses.iter().map(|(status, n)| format!("{status}: {n}")).collect();
            parts.extend(s.failures.iter().map(|(failure, n)| format!("{failure}: {n}")));
            parts.extend(s.versions.iter().chain(&s.predictions).map(|(name, n)| format!("{name}: {n}")));
            if s.unsent > 0 {
                parts.push(format!("not sent: {}", s.unsent));
            }
            let parts = parts.join(", ");
            writeln!(f, "{:<12} {:>7} {:>9} {:>9} {:>9}  {parts}", s.service, s.sent, s.p50_ms, s.p95_ms, s.p99_ms)?;
        }
        write!(f, "in {:.1} s", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_and_ranks() {
        let mut tally = Tally::default();
        let ok = |body: &str| Ok(Answer { status: 200, body: body.as_bytes().to_vec() });
        let sent = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        // Answers do not come in the order of their requests.
        for ms in (1..=100).rev() {
            let answer = ok("{\"prediction\":\"yes\",\"version\":\"v3.1.0\"}");
            tally.count(&answer, sent(ms), Duration::from_millis(ms));
        }
        tally.count(&Ok(Answer { status: 502, body: b"no json".to_vec() }), sent(200), Duration::from_millis(1));
        tally.count(&Err(Failure::Connect), sent(300), Duration::ZERO);
        tally.unsent = 3;
        let summary = Summary::new(2.0, &BTreeMap::from([(Service::Churn, tally)]));
        let s = &summary.services[0];
        assert_eq!((s.sent, s.unsent), (102, 3));
        assert_eq!(s.statuses, BTreeMap::from([(200, 100), (502, 1)]));
        assert_eq!(s.failures, BTreeMap::from([("connect", 1)]));
        assert_eq!(s.versions, BTreeMap::from([("v3.1.0".to_owned(), 100)]));
        assert_eq!(s.last_sent_us, BTreeMap::from([("v3.1.0".to_owned(), 100_000)]));
        for (got, want) in [(s.p50_ms, 50.0), (s.p95_ms, 95.0), (s.p99_ms, 99.0)] {
            assert!((want..want * 1.06).contains(&got), "{got} for {want}");
        }
        let text = summary.to_string();
        assert!(text.contains("200: 100, 502: 1, connect: 1, v3.1.0: 100, yes: 100, not sent: 3"), "{text}");
        assert_eq!(Tally::default().quantile_ms(0.95), 0.0);
    }
}
