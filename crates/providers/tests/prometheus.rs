//! The Prometheus provider against a real Prometheus on loopback.

#[path = "prometheus/counters.rs"]
mod counters;
#[path = "prometheus/server.rs"]
mod server;

use serin_providers::{Measured, ProviderError, http, prometheus};
use serin_spec::wire::provider::{PrometheusMetric, RangeQuery};

use server::Server;

/// 14 November 2023, 22:13:20.
const NOW_MS: i64 = 1_700_000_000_000;

async fn measure(server: &Server, query: &str, range: Option<RangeQuery>) -> Result<Measured, ProviderError> {
    let metric = PrometheusMetric { query: Some(query.to_owned()), range_query: range, ..PrometheusMetric::default() };
    let request = prometheus::request(&metric, Some(&server.address), NOW_MS)?;
    let response = http::send(&request).await?;
    prometheus::read(&response)
}

//= compat: 3.11-4, 3.11-5, 3.11-6, 3.11-7, 3.11-8, 3.11-9
#[tokio::test]
async fn a_real_server_is_asked_and_understood() {
    let server = server::start("global: {}\n").await;
    for (query, text) in [
        ("vector(1.5)", "[1.5]"),
        ("time()", "1700000000"),
        ("vector(1) > 2", "[]"),
        ("vector(0) / 0", "[NaN]"),
        ("1e21 * 2 - 0", "2000000000000000000000"),
        (r#"label_replace(vector(1), "a", "é+b&c", "", "") or vector(2)"#, "[1,2]"),
    ] {
        assert_eq!(measure(&server, query, None).await.unwrap().text, text, "{query}");
    }
    let range = RangeQuery {
        start: Some("now() - duration(\"2m\")".into()),
        end: Some("now()".into()),
        step: Some("1m".into()),
    };
    let measured = measure(&server, "vector(time())", Some(range)).await.unwrap();
    assert_eq!(measured.text, "[1699999880,1699999940,1700000000]");
    let error = measure(&server, "sum(", None).await.unwrap_err().to_string();
    assert!(error.starts_with("bad_data: ") && error.contains("parse error"), "{error}");
    let error = measure(&server, "'text'", None).await.unwrap_err().to_string();
    assert_eq!(error, "Prometheus metric type not supported");
}
