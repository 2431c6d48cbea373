//! A Prometheus of its own on a free port of this machine, filled from a file.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

/// How long it may take to start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    process: Child,
    port: u16,
    folder: TempDir,
}

fn failed(program: &str, error: &std::io::Error) -> ! {
    panic!(
        "cannot run {program}: {error}\n\
         This test compares answers with a real Prometheus. Install it with `apt-get install prometheus`, \
         which has both prometheus and promtool."
    )
}

impl Server {
    /// Starts a server that has the samples of an OpenMetrics page.
    pub(crate) fn filled(page: &str) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let (page_file, data) = (folder.path().join("page.txt"), folder.path().join("data"));
        std::fs::write(&page_file, page).unwrap();
        let output = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([page_file, data])
            .output()
            .unwrap_or_else(|error| failed("promtool", &error));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Server::start(folder, "global: {}\n")
    }

    /// Starts a server that scrapes what its configuration says.
    pub(crate) fn scraping(config: &str) -> Server {
        Server::start(tempfile::tempdir().unwrap(), config)
    }

    fn start(folder: TempDir, config: &str) -> Server {
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("prometheus.yml"), config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = File::create(file("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.retention.time=100y")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| failed("prometheus", &error));
        let mut server = Server { process, port, folder };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            if self.get("/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200")) {
                return;
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("prometheus ended with {status}:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("prometheus does not answer after {START_MAX:?}:\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(Path::new(self.folder.path()).join("log")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // HTTP/1.0 keeps the answer in one piece and closes after it.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn json(&self, path: &str) -> Json {
        let answer = self.get(path).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {answer}"))
    }

    pub(crate) fn query(&self, query: &str, at_ms: i64) -> Json {
        self.json(&format!("/api/v1/query?query={}&time={}", encode(query), seconds(at_ms)))
    }

    pub(crate) fn query_range(&self, query: &str, start_ms: i64, end_ms: i64, step_ms: i64) -> Json {
        let (start, end, step) = (seconds(start_ms), seconds(end_ms), seconds(step_ms));
        self.json(&format!("/api/v1/query_range?query={}&start={start}&end={end}&step={step}", encode(query)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn encode(text: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    text.bytes().map(byte).collect()
}
