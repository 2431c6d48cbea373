//! Running services and connections to them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ml_portfolio::{Service, Version};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A running service; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a service on a free port and waits until it is ready.
pub(crate) fn start(service: Service, version: Version) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_model-service"))
        .args(["serve", "--model", service.name(), "--version", version.tag(), "--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(line, format!("{} {version} listens on {address}", service.prefix()));
    let mut running = Running { child, address };
    let begin = Instant::now();
    while running.get("/health").0 != 200 {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never became ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

/// A connection that stays open.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// A line of an answer.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Status, head and body of an answer.
    pub(crate) fn answer(&mut self) -> (u16, String, String) {
        let status = self.line();
        let status = status.split(' ').nth(1).unwrap_or_else(|| panic!("no answer but {status:?}")).parse().unwrap();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            head.push_str(&line);
            head.push('\n');
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, head, String::from_utf8(body).unwrap())
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> (u16, Value) {
        self.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        let (status, _, body) = self.answer();
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Whether the other side has closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

impl Running {
    pub(crate) fn wire(&self) -> Wire {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Wire(BufReader::new(stream))
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        let mut wire = self.wire();
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        let (status, _, body) = wire.answer();
        assert!(wire.is_closed());
        (status, body)
    }

    /// Sends SIGTERM.
    pub(crate) fn term(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "it never ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
