//! What a service counts, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::service::Service;

/// Upper bounds of the latency buckets, in seconds. The limits of the analysis, 0.5 and 1, are among them: a quantile is
/// only exact at a bound.
const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The counters of a process.
#[derive(Debug)]
pub(crate) struct Metrics {
    service: Service,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<u16, u64>,
    /// The last one counts what exceeds all bounds.
    buckets: [u64; BOUNDS.len() + 1],
    seconds: f64,
    /// Positive and negative.
    predictions: [u64; 2],
}

impl Metrics {
    pub(crate) fn new(service: Service) -> Self {
        // A counter that appears with its first event has no increase to show for it. Those that the analysis reads are
        // there from the start.
        let counts = Counts { requests: BTreeMap::from([(200, 0), (500, 0)]), ..Counts::default() };
        Self { service, counts: Mutex::new(counts) }
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, status: u16, took: Duration) {
        let mut counts = self.counts();
        let seconds = took.as_secs_f64();
        *counts.requests.entry(status).or_default() += 1;
        counts.buckets[BOUNDS.partition_point(|b| *b < seconds)] += 1;
        counts.seconds += seconds;
    }

    /// Counts a prediction.
    pub(crate) fn prediction(&self, positive: bool) {
        self.counts().predictions[usize::from(!positive)] += 1;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let (prefix, counts) = (self.service.prefix(), self.counts());
        let mut out = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
            let _ = writeln!(out, "# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} {kind}");
            for (series, value) in samples {
                let _ = writeln!(out, "{prefix}_{name}{series} {value}");
            }
        };
        let requests: Vec<(String, String)> =
            counts.requests.iter().map(|(s, n)| (format!("{{status=\"{s}\"}}"), n.to_string())).collect();
        family("requests_total", "counter", "Requests by status, health checks and scrapes left out.", &requests);
        let mut seen = 0;
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut durations: Vec<(String, String)> = bounds
            .zip(counts.buckets)
            .map(|(bound, count)| {
                seen += count;
                (format!("_bucket{{le=\"{bound}\"}}"), seen.to_string())
            })
            .collect();
        durations.push(("_sum".to_owned(), counts.seconds.to_string()));
        durations.push(("_count".to_owned(), seen.to_string()));
        family("request_duration_seconds", "histogram", "Time from the whole request to its answer.", &durations);
        let classes = self.service.classes().into_iter().zip(counts.predictions);
        let predictions: Vec<(String, String)> =
            classes.map(|(c, n)| (format!("{{prediction=\"{c}\"}}"), n.to_string())).collect();
        family("predictions_total", "counter", "Predictions by class.", &predictions);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_after_three_requests() {
        let metrics = Metrics::new(Service::Sentiment);
        metrics.request(200, Duration::from_millis(1));
        metrics.request(200, Duration::from_millis(300));
        metrics.request(400, Duration::from_secs(9));
        metrics.prediction(true);
        metrics.prediction(true);
        metrics.prediction(false);
        let want = "\
# HELP nlpinsight_requests_total Requests by status, health checks and scrapes left out.
# TYPE nlpinsight_requests_total counter
nlpinsight_requests_total{status=\"200\"} 2
nlpinsight_requests_total{status=\"400\"} 1
nlpinsight_requests_total{status=\"500\"} 0
# HELP nlpinsight_request_duration_seconds Time from the whole request to its answer.
# TYPE nlpinsight_request_duration_seconds histogram
nlpinsight_request_duration_seconds_bucket{le=\"0.001\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.0025\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.005\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.01\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.025\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.05\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.1\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.25\"} 1
nlpinsight_request_duration_seconds_bucket{le=\"0.5\"} 2
nlpinsight_request_duration_seconds_bucket{le=\"1\"} 2
nlpinsight_request_duration_seconds_bucket{le=\"2.5\"} 2
nlpinsight_request_duration_seconds_bucket{le=\"5\"} 2
nlpinsight_request_duration_seconds_bucket{le=\"+Inf\"} 3
nlpinsight_request_duration_seconds_sum 9.301
nlpinsight_request_duration_seconds_count 3
# HELP nlpinsight_predictions_total Predictions by class.
# TYPE nlpinsight_predictions_total counter
nlpinsight_predictions_total{prediction=\"positive\"} 2
nlpinsight_predictions_total{prediction=\"negative\"} 1
";
        assert_eq!(metrics.text(), want);
    }
}
