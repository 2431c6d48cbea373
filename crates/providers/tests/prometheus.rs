//! The Prometheus provider against a real Prometheus on loopback.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serin_providers::{Measured, ProviderError, http, prometheus};
use serin_spec::wire::provider::{PrometheusMetric, RangeQuery};
use tempfile::TempDir;

/// How long it may take to start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// 14 November 2023, 22:13:20.
const NOW_MS: i64 = 1_700_000_000_000;

struct Server {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An empty Prometheus.
async fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    std::fs::write(&config, "global: {}\n").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot run prometheus: {error}\nThis test asks a real Prometheus. Install it with `apt-get install prometheus`.")
        });
    let server = Server { process, address: format!("http://127.0.0.1:{port}"), _folder: folder };
    let deadline = Instant::now() + START_MAX;
    while measure(&server, "vector(1)", None).await.is_err() {
        assert!(Instant::now() < deadline, "prometheus does not answer after {START_MAX:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
}

async fn measure(server: &Server, query: &str, range: Option<RangeQuery>) -> Result<Measured, ProviderError> {
    let metric = PrometheusMetric { query: Some(query.to_owned()), range_query: range, ..PrometheusMetric::default() };
    let request = prometheus::request(&metric, Some(&server.address), NOW_MS)?;
    let response = http::send(&request).await?;
    prometheus::read(&response)
}

//= compat: 3.11-4, 3.11-5, 3.11-6, 3.11-7, 3.11-8, 3.11-9
#[tokio::test]
async fn a_real_server_is_asked_and_understood() {
    let server = start().await;
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
