//! The metrics in Prometheus' text format.

use std::fmt::Write;

mod comparisons;

use crate::report::{Counts, Snapshot};
use crate::sketch::latency;

/// Renders a snapshot.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let versions: Vec<_> = snapshot.versions.iter().collect();
    let mut families = Families { out: &mut out, prefix: "serin_router" };
    families.answers(&versions);
    type Value = fn(&Counts) -> u64;
    let plain: [(&str, &str, Value); 2] = [
        ("fallbacks_total", "Requests another version got, since this one had no live endpoint.", |c| c.fallbacks),
        ("retries_total", "Requests sent again to another connection.", |c| c.retries),
    ];
    for (name, help, value) in plain {
        families.family(name, "counter", help);
        versions.iter().for_each(|c| families.line(name, c, "", value(c)));
    }
    families.family("rejected_total", "counter", "Requests that no version was asked for.");
    for (reason, count) in &snapshot.rejected {
        let _ = writeln!(families.out, "serin_router_rejected_total{{reason=\"{reason}\"}} {count}");
    }
    families.family("connections", "gauge", "Clients connected.");
    let _ = writeln!(families.out, "serin_router_connections {}", snapshot.connections);
    families.family("table_version", "gauge", "Version of the routing table in force.");
    let _ = writeln!(families.out, "serin_router_table_version {}", snapshot.table_version);
    if !snapshot.mirrors.is_empty() {
        // Names of their own: a query for the answers of a version must not sum up what no user got.
        let mut families = Families { out: &mut out, prefix: "serin_router_mirror" };
        families.answers(&snapshot.mirrors.iter().map(|m| &m.counts).collect::<Vec<_>>());
        families.family("dropped_total", "counter", "Copies that were not sent.");
        for mirror in &snapshot.mirrors {
            for (reason, count) in &mirror.dropped {
                families.line("dropped_total", &mirror.counts, &format!(",reason=\"{reason}\""), count);
            }
        }
    }
    comparisons::render(snapshot, &mut out);
    out
}

/// Metrics whose names begin alike.
struct Families<'a> {
    out: &'a mut String,
    prefix: &'static str,
}

impl Families<'_> {
    /// What is told of users' requests and of copies alike.
    fn answers(&mut self, versions: &[&Counts]) {
        self.family("requests_total", "counter", "Answers by status class.");
        for c in versions {
            let n = &c.by_class;
            let classes = [
                ("1xx", n.informational),
                ("2xx", n.success),
                ("3xx", n.redirect),
                ("4xx", n.client_error),
                ("5xx", n.server_error),
            ];
            for (class, count) in classes {
                // All classes from the start: a rate over a series that appears later misses its first value.
                self.line("requests_total", c, &format!(",code_class=\"{class}\""), count);
            }
        }
        self.durations(versions);
        self.family("in_flight", "gauge", "Requests being worked on.");
        versions.iter().for_each(|c| self.line("in_flight", c, "", c.in_flight));
        self.family("aborted_total", "counter", "Requests that were broken off before the end of the answer.");
        versions.iter().for_each(|c| self.line("aborted_total", c, "", c.aborted));
        self.predictions(versions);
    }

    fn durations(&mut self, versions: &[&Counts]) {
        self.family("request_duration_seconds", "histogram", "From the head of the request to the end of the answer.");
        for c in versions {
            let total: u64 = c.latency.iter().map(|(_, n)| n).sum();
            for edge in latency::CLASSIC_US {
                let below = total - latency::count_above(&c.latency, edge);
                let bound = edge as f64 / 1e6;
                self.line("request_duration_seconds_bucket", c, &format!(",le=\"{bound}\""), below);
            }
            self.line("request_duration_seconds_bucket", c, ",le=\"+Inf\"", total);
            self.line("request_duration_seconds_sum", c, "", c.latency_us_sum as f64 / 1e6);
            self.line("request_duration_seconds_count", c, "", total);
        }
    }

    fn predictions(&mut self, versions: &[&Counts]) {
        self.family("predictions_total", "counter", "Answers by the class they predict.");
        for c in versions {
            for (class, count) in &c.predictions {
                self.line("predictions_total", c, &format!(",prediction=\"{}\"", escaped(class)), count);
            }
        }
        // A summary without quantiles is the type that has a sum and a count.
        self.family("prediction", "summary", "The predictions that are numbers.");
        for c in versions.iter().filter(|c| c.numbers.count > 0) {
            self.line("prediction_sum", c, "", c.numbers.sum);
            self.line("prediction_count", c, "", c.numbers.count);
        }
        self.family("predictions_missing_total", "counter", "Successful answers without a prediction.");
        versions.iter().for_each(|c| self.line("predictions_missing_total", c, "", c.predictions_missing));
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let prefix = self.prefix;
        let _ = write!(self.out, "# HELP {prefix}_{name} {help}\n# TYPE {prefix}_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, c: &Counts, labels: &str, value: impl std::fmt::Display) {
        let (prefix, route, version) = (self.prefix, escaped(&c.route), escaped(&c.version));
        let _ = writeln!(self.out, "{prefix}_{name}{{route=\"{route}\",version=\"{version}\"{labels}}} {value}");
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::{ByClass, MirrorCounts, Numbers};

    #[test]
    fn a_snapshot_reads_as_prometheus_text() {
        let bin = |us| latency::bin(us) as u16;
        let counts = Counts {
            route: "default/iris".into(),
            version: "a\"b".into(),
            by_class: ByClass { success: 3, server_error: 1, ..ByClass::default() },
            latency: vec![(bin(900), 1), (bin(2_000), 1), (bin(2_001), 1), (bin(60_000_000), 1)],
            latency_us_sum: 60_004_901,
            predictions: BTreeMap::from([("new\nline".into(), 2)]),
            numbers: Numbers { count: 2, sum: 1.5, ..Numbers::default() },
            ..Counts::default()
        };
        let rejected = BTreeMap::from([("bad_head".into(), 7)]);
        let mirror = MirrorCounts {
            counts: Counts {
                by_class: ByClass { success: 9, ..ByClass::default() },
                latency: vec![(bin(900), 9)],
                ..counts.clone()
            },
            dropped: BTreeMap::from([("busy".into(), 5)]),
        };
        let text = render(&Snapshot {
            versions: vec![counts],
            mirrors: vec![mirror],
            rejected,
            table_version: 4,
            ..Snapshot::default()
        });
        let labels = r#"{route="default/iris",version="a\"b""#;
        for line in [
            format!(r#"serin_router_requests_total{labels},code_class="2xx"}} 3"#),
            format!(r#"serin_router_requests_total{labels},code_class="3xx"}} 0"#),
            format!(r#"serin_router_request_duration_seconds_bucket{labels},le="0.001"}} 1"#),
            format!(r#"serin_router_request_duration_seconds_bucket{labels},le="0.002"}} 2"#),
            format!(r#"serin_router_request_duration_seconds_bucket{labels},le="0.005"}} 3"#),
            format!(r#"serin_router_request_duration_seconds_bucket{labels},le="10"}} 3"#),
            format!(r#"serin_router_request_duration_seconds_bucket{labels},le="+Inf"}} 4"#),
            format!("serin_router_request_duration_seconds_sum{labels}}} 60.004901"),
            format!(r#"serin_router_predictions_total{labels},prediction="new\nline"}} 2"#),
            format!("serin_router_prediction_sum{labels}}} 1.5"),
            r#"serin_router_rejected_total{reason="bad_head"} 7"#.to_owned(),
            "serin_router_table_version 4".to_owned(),
            format!(r#"serin_router_mirror_requests_total{labels},code_class="2xx"}} 9"#),
            format!(r#"serin_router_mirror_request_duration_seconds_bucket{labels},le="0.001"}} 9"#),
            format!(r#"serin_router_mirror_predictions_total{labels},prediction="new\nline"}} 2"#),
            format!(r#"serin_router_mirror_dropped_total{labels},reason="busy"}} 5"#),
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.lines().all(|l| l.starts_with("# ") || l.starts_with("serin_router_")));
    }
}
