//! The metrics in Prometheus' text format.

use std::fmt::Write;

use crate::report::{Counts, Snapshot};
use crate::sketch::latency;

/// Renders a snapshot.
pub(crate) fn render(snapshot: &Snapshot) -> String {
    let mut out = String::with_capacity(16 * 1024);
    let versions = &snapshot.versions;
    family(&mut out, "requests_total", "counter", "Answers by status class.");
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
            line(&mut out, "requests_total", c, &format!(",code_class=\"{class}\""), count);
        }
    }
    durations(&mut out, versions);
    type Value = fn(&Counts) -> u64;
    let plain: [(&str, &str, &str, Value); 5] = [
        ("in_flight", "gauge", "Requests being worked on.", |c| c.in_flight),
        ("aborted_total", "counter", "Requests whose client left before the end of the answer.", |c| c.aborted),
        ("fallbacks_total", "counter", "Requests another version got, since this one had no live endpoint.", |c| {
            c.fallbacks
        }),
        ("retries_total", "counter", "Requests sent again to another connection.", |c| c.retries),
        ("predictions_missing_total", "counter", "Successful answers without a prediction.", |c| c.predictions_missing),
    ];
    for (name, kind, help, value) in plain {
        family(&mut out, name, kind, help);
        versions.iter().for_each(|c| line(&mut out, name, c, "", value(c)));
    }
    predictions(&mut out, versions);
    family(&mut out, "rejected_total", "counter", "Requests that no version was asked for.");
    for (reason, count) in &snapshot.rejected {
        let _ = writeln!(out, "serin_router_rejected_total{{reason=\"{reason}\"}} {count}");
    }
    family(&mut out, "connections", "gauge", "Clients connected.");
    let _ = writeln!(out, "serin_router_connections {}", snapshot.connections);
    family(&mut out, "table_version", "gauge", "Version of the routing table in force.");
    let _ = writeln!(out, "serin_router_table_version {}", snapshot.table_version);
    out
}

fn durations(out: &mut String, versions: &[Counts]) {
    family(out, "request_duration_seconds", "histogram", "From the head of the request to the end of the answer.");
    for c in versions {
        let total: u64 = c.latency.iter().map(|(_, n)| n).sum();
        for edge in latency::CLASSIC_US {
            let below = total - latency::count_above(&c.latency, edge);
            let bound = edge as f64 / 1e6;
            line(out, "request_duration_seconds_bucket", c, &format!(",le=\"{bound}\""), below);
        }
        line(out, "request_duration_seconds_bucket", c, ",le=\"+Inf\"", total);
        line(out, "request_duration_seconds_sum", c, "", c.latency_us_sum as f64 / 1e6);
        line(out, "request_duration_seconds_count", c, "", total);
    }
}

fn predictions(out: &mut String, versions: &[Counts]) {
    family(out, "predictions_total", "counter", "Answers by the class they predict.");
    for c in versions {
        for (class, count) in &c.predictions {
            line(out, "predictions_total", c, &format!(",prediction=\"{}\"", escaped(class)), count);
        }
    }
    // A summary without quantiles is the type that has a sum and a count.
    family(out, "prediction", "summary", "The predictions that are numbers.");
    for c in versions.iter().filter(|c| c.numbers.count > 0) {
        line(out, "prediction_sum", c, "", c.numbers.sum);
        line(out, "prediction_count", c, "", c.numbers.count);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(out, "# HELP serin_router_{name} {help}\n# TYPE serin_router_{name} {kind}\n");
}

fn line(out: &mut String, name: &str, c: &Counts, labels: &str, value: impl std::fmt::Display) {
    let (route, version) = (escaped(&c.route), escaped(&c.version));
    let _ = writeln!(out, "serin_router_{name}{{route=\"{route}\",version=\"{version}\"{labels}}} {value}");
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::{ByClass, Numbers};

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
        let text = render(&Snapshot { versions: vec![counts], rejected, table_version: 4, ..Snapshot::default() });
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
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.lines().all(|l| l.starts_with("# ") || l.starts_with("serin_router_")));
    }
}
