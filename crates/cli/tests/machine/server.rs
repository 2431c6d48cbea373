//! Queries that a real Prometheus answers: `--prometheus`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::machine::{Machine, eventually};
use crate::manifests::{App, analysis, template};

/// A Prometheus on loopback that scrapes itself.
struct Prometheus {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: own, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run prometheus: {e}; install it with `apt-get install prometheus`"));
        Self { process, url: format!("http://127.0.0.1:{port}"), _folder: folder }
    }
}

impl Prometheus {
    /// What its API says to a query; nothing while it does not listen.
    fn answers(&self, query: &str) -> String {
        let mut text = String::new();
        let asked = TcpStream::connect(self.url.trim_start_matches("http://")).and_then(|mut stream| {
            write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        asked.map_or_else(|_| String::new(), |_| text)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_prometheus_decides_where_it_is_named() {
    let server = Prometheus::start();
    let app = App::new("model", &["setWeight: 50", &analysis("own"), "setWeight: 80", &analysis("worse")]);
    let mut machine = Machine::new();
    machine.write("model.yaml", &app.yaml());
    // Only a server that scrapes itself has this series; the embedded store would have no data.
    machine.write("own.yaml", &template("own", "10s", 2, 0, "sum(prometheus_build_info) * 0.01"));
    machine.write("worse.yaml", &template("worse", "10s", 2, 0, "sum(prometheus_build_info) * 0.9"));
    machine.arguments = vec!["--prometheus".to_owned(), server.url.clone()];
    machine.up();
    machine.until("model", "healthy at first", |v| v["phase"] == "Healthy");
    eventually("prometheus has scraped itself", || server.answers("prometheus_build_info").contains("\"value\""));
    machine.run(&["deploy", "model", "good.2"]).ok();
    let view = machine.until("model", "aborted by the second analysis", |v| v["phase"] == "Degraded");
    let runs = view["runs"].as_array().unwrap();
    let phases: Vec<&str> = runs.iter().map(|r| r["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["Failed", "Successful"], "{view:#}");
    assert_eq!(runs[0]["metrics"][0]["measurements"][0]["value"], "[0.9]");
    assert_eq!(runs[1]["metrics"][0]["measurements"].as_array().unwrap().last().unwrap()["value"], "[0.01]");
}
