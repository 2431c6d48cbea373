//! A Prometheus of its own on a free port of this machine.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Prometheus with this configuration, once it answers.
pub(crate) async fn start(config: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, config).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let process = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
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
    while crate::measure(&server, "vector(1)", None).await.is_err() {
        assert!(Instant::now() < deadline, "prometheus does not answer after {START_MAX:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
}
