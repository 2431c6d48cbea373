//! SIGTERM drains. In a binary of its own, since a signal reaches the whole process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serin_proxy::table::{Endpoint, Group, Route, Split, Table};
use serin_proxy::{Client, Config, serve};

#[test]
fn sigterm_lets_the_request_in_flight_finish() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint { id: "v-0".into(), address: upstream.local_addr().unwrap() };
    let group = Group { version: "v".into(), endpoints: vec![endpoint], weight: 1 };
    let route = Route {
        name: "r".into(),
        host: None,
        path: Default::default(),
        split: Split { groups: vec![group], header_routes: Vec::new(), mirrors: Vec::new() },
        sticky: None,
        prediction: None,
        timeout_ms: 10_000,
        expose_version: false,
        request_id: false,
        slices: Vec::new(),
        record: None,
        units: None,
    };
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let mut config = Config::new("127.0.0.1:0".parse().unwrap(), &socket);
    config.table = Some(Table { version: 1, routes: vec![route] });
    let proxy = std::thread::spawn(move || serve(config));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    let client = loop {
        if let Ok(client) = runtime.block_on(Client::connect(&socket)) {
            break client;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(2));
    };
    let address = runtime.block_on(client.info()).unwrap().listen[0];
    let mut talk = TcpStream::connect(address).unwrap();
    talk.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let (mut at_work, _) = upstream.accept().unwrap();
    at_work.read_exact(&mut [0; 10]).unwrap();

    let pid = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    while TcpStream::connect_timeout(&address, Duration::from_millis(50)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it still takes connections");
        std::thread::sleep(Duration::from_millis(5));
    }
    at_work.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").unwrap();
    let mut answer = String::new();
    talk.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ndone"), "{answer}");
    assert!(proxy.join().unwrap().is_ok());
    assert!(!socket.exists());
}
