//! What the router sees, second by second, for the live view.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serin_proxy::report::{Batch, Counts, Snapshot};
use serin_proxy::sketch;

use super::Engine;
use crate::view::TrafficView;

/// Seconds that the live view shows.
const SECONDS: usize = 60;

/// Time between two looks at the router's counters.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time between two looks for seconds that are over: what waits to be judged reaches users meanwhile.
const READ_EVERY: Duration = Duration::from_millis(100);

/// Seconds that are kept for tests that have not judged them: as many as the router keeps for who was away.
const KEPT: usize = 600;

/// The last minutes.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    batches: VecDeque<Batch>,
    totals: Snapshot,
    looked: Option<Instant>,
    read: Option<Instant>,
    /// Whether a second is over that no metric has looked at.
    fresh: bool,
}

impl Engine {
    pub(super) async fn watch_traffic(&mut self) {
        if self.traffic.read.is_some_and(|at| at.elapsed() < READ_EVERY) || !self.link.is_connected() {
            return;
        }
        self.traffic.read = Some(Instant::now());
        let batches = self.link.batches().await;
        self.traffic.fresh |= !batches.is_empty();
        self.traffic.batches.extend(batches);
        let excess = self.traffic.batches.len().saturating_sub(KEPT);
        self.traffic.batches.drain(..excess);
        if self.traffic.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.traffic.looked = Some(Instant::now());
        if let Some(totals) = self.link.stats().await {
            self.traffic.totals = totals;
        }
    }
}

/// What a version got in copies.
fn copies(total: &Counts) -> TrafficView {
    TrafficView {
        version: total.version.clone(),
        via: "mirror".to_owned(),
        requests: total.answered(),
        errors: total.by_class.server_error,
        in_flight: total.in_flight,
        ..TrafficView::default()
    }
}

impl Traffic {
    /// The last second that was counted; 0 before the first.
    pub(super) fn newest(&self) -> u64 {
        self.batches.back().map_or(0, |batch| batch.seq)
    }

    /// Whether a second is over since this was asked last.
    pub(super) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// The seconds after one, oldest first.
    pub(super) fn after(&self, seq: u64) -> impl Iterator<Item = &Batch> {
        let first = self.batches.partition_point(|batch| batch.seq <= seq);
        self.batches.range(first..)
    }

    /// What the versions behind a route got; `via` says whose requests come that way.
    pub(super) fn of(&self, route: &str, via: &str) -> Vec<TrafficView> {
        let versions = self.totals.versions.iter().filter(|c| c.route == route).map(|total| self.version(total, via));
        // Copies reach no user, so they are told apart from requests.
        let copies = self.totals.mirrors.iter().map(|m| &m.counts).filter(|c| c.route == route).map(copies);
        versions.chain(copies).collect()
    }

    fn version(&self, total: &Counts, via: &str) -> TrafficView {
        let seconds = self
            .batches
            .range(self.batches.len().saturating_sub(SECONDS)..)
            .map(|batch| batch.versions.iter().find(|c| c.route == total.route && c.version == total.version));
        let (mut errors, mut latencies, mut predictions) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut answered = VecDeque::new();
        for second in seconds {
            let Some(second) = second else {
                errors.push(0.0);
                latencies.push(0.0);
                answered.push_back(0);
                continue;
            };
            let count = second.answered();
            errors.push(if count == 0 { 0.0 } else { second.by_class.server_error as f64 / count as f64 });
            latencies.push(sketch::latency::quantile_us(&second.latency, 0.95).unwrap_or(0) as f64 / 1000.0);
            answered.push_back(count);
            for (class, n) in &second.predictions {
                *predictions.entry(class.clone()).or_insert(0) += n;
            }
        }
        let recent: u64 = answered.iter().rev().take(5).sum();
        TrafficView {
            version: total.version.clone(),
            via: via.to_owned(),
            requests: total.answered(),
            errors: total.by_class.server_error,
            in_flight: total.in_flight,
            rate: recent as f64 / answered.len().clamp(1, 5) as f64,
            error_series: errors,
            p95_series: latencies,
            predictions: predictions.into_iter().collect(),
        }
    }
}
