//! Messages that are in order: bodies of all kinds, both directions, keep-alive, interim answers, tunnels.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::rig::{Message, Proxy, Talk, Upstream, proxy_to, reply, table, until};

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for i in 0..50 {
        let answer = if i % 2 == 0 { talk.post("/predict", r#"{"x":1}"#) } else { talk.get("/health") };
        assert_eq!((answer.status(), answer.text().as_str()), (200, r#"{"prediction":"v"}"#));
        assert_eq!(answer.header("x-serin-version"), Some("v"));
        assert_eq!(answer.header("connection"), None);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
    assert_eq!(upstream.count(), 50);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo();
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let mut requests = String::new();
    for i in 0..20 {
        requests.push_str(&match i % 3 {
            0 => format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n"),
            1 => format!("POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody\r\n"),
            _ => format!("POST /{i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"),
        });
    }
    talk.send(requests);
    for i in 0..20 {
        let answer = talk.answer();
        assert!(answer.text().contains(&format!("/{i} HTTP/1.1\n")), "{i}: {answer:?}");
        assert_eq!(answer.text().ends_with("\n\nbody"), i % 3 != 0);
    }
}

#[test]
fn chunked_bodies_stream_both_ways() {
    let upstream = Upstream::start(|request, stream| {
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
        let mut out = head.as_bytes().to_vec();
        for part in request.body.chunks(1000) {
            out.extend(format!("{:X};ext=1\r\n", part.len()).into_bytes());
            out.extend(part);
            out.extend(b"\r\n");
        }
        out.extend(b"0\r\nX-Sum: 1\r\n\r\n");
        stream.write_all(&out).is_ok()
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for size in [0usize, 1, 10, 5_000, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|i| b'a' + (i % 23) as u8).collect();
        talk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in body.chunks(70_001) {
            talk.send(format!("{:x}\r\n", part.len())).send(part).send("\r\n");
        }
        let answer = talk.send("0\r\n\r\n").answer();
        assert!(answer.complete && answer.body == body, "{size}");
        assert_eq!(answer.header("trailer"), None);
    }
}

#[test]
fn an_answer_streams_before_it_is_complete() {
    let upstream = Upstream::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ntoken \r\n").unwrap();
        std::thread::sleep(Duration::from_millis(1_500));
        stream.write_all(b"3\r\nend\r\n0\r\n\r\n").is_ok()
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let begun = Instant::now();
    talk.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut first = [0; 10];
    talk.0.read_exact(&mut first).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1_400), "the first token waited for the last");
    let mut rest = String::new();
    while !rest.ends_with("\r\n0\r\n\r\n") {
        let mut byte = [0];
        talk.0.read_exact(&mut byte).unwrap();
        rest.push(byte[0] as char);
    }
    assert!(rest.contains("6\r\ntoken \r\n3\r\nend\r\n"), "{rest}");
    assert!(begun.elapsed() >= Duration::from_millis(1_500));
}

#[test]
fn a_large_body_with_a_length_goes_through_both_ways() {
    let upstream = Upstream::start(|request, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&request.body).is_ok()
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let body: Vec<u8> = (0..5_000_000u32).map(|i| (i % 251) as u8).collect();
    talk.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).send(&body);
    assert!(talk.answer().body == body);
    assert_eq!(talk.get("/").status(), 200, "and the connection goes on");
}

#[test]
fn an_answer_without_a_length_becomes_chunked() {
    let upstream = Upstream::start(|_, stream| {
        stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end").unwrap();
        false
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for _ in 0..2 {
        let answer = talk.get("/");
        assert_eq!((answer.header("transfer-encoding"), answer.text().as_str()), (Some("chunked"), "until the end"));
    }
}

#[test]
fn clients_of_the_older_version_are_served() {
    let upstream = Upstream::start(|request, stream| {
        if request.first_line.contains("/chunked") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").is_ok()
        } else {
            reply(stream, "abc")
        }
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let answer = talk.send("GET /chunked HTTP/1.0\r\n\r\n").answer();
    assert_eq!((answer.header("transfer-encoding"), answer.header("connection")), (None, Some("close")));
    assert_eq!(answer.text(), "abc");
    assert_eq!(upstream.last().first_line, "GET /chunked HTTP/1.1");
    assert!(Talk::to(proxy.address).send("GET / HTTP/1.0\r\n\r\n").answer().header("connection") == Some("close"));
    let mut talk = proxy.talk();
    for _ in 0..3 {
        let answer = talk.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").answer();
        assert_eq!((answer.header("connection"), answer.text().as_str()), (Some("keep-alive"), "abc"));
    }
}

#[test]
fn answers_without_a_body_keep_the_connection_in_step() {
    let upstream = Upstream::start(|request, stream| {
        let answer = match request.first_line.split(' ').nth(1).unwrap() {
            "/none" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/same" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n",
        };
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let head = talk.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").answer_to_head();
    assert_eq!((head.status(), head.header("content-length")), (200, Some("700")));
    assert_eq!(talk.get("/none").status(), 204);
    let same = talk.get("/same");
    assert_eq!((same.status(), same.header("content-length"), same.header("etag")), (304, Some("500"), Some("x")));
    assert_eq!(talk.get("/none").header("content-length"), None);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn refusals_keep_the_connection_in_step_too() {
    let upstream = Upstream::named("v");
    let mut only_a = table(1, &[("v", 1, &[upstream.address])]);
    only_a.routes[0].path.path = "/a".into();
    let mut nowhere = table(1, &[("w", 1, &[])]).routes.remove(0);
    nowhere.name = "nowhere".into();
    nowhere.path.path = "/b".into();
    only_a.routes.push(nowhere);
    let proxy = Proxy::start(only_a);
    let mut talk = proxy.talk();
    for (path, status) in [("/c", 404), ("/b", 503)] {
        let head = talk.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).answer_to_head();
        assert_eq!((head.status(), head.header("connection")), (status, None));
        assert_eq!(talk.post(path, "some body").status(), status);
        let chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(talk.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\n{chunked}")).answer().status(), status);
        assert_eq!(talk.get("/a").status(), 200);
    }
    talk.send("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    assert_eq!(talk.answer().header("connection"), Some("close"), "what is still to come is not waited for");
    assert!(talk.closes());
}

#[test]
fn a_client_that_waits_for_100_gets_it_from_the_upstream() {
    // A server of this kind reads the body only after it has asked for it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(String::from_utf8(head).unwrap().contains("expect: 100-continue\r\n"));
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 4];
        stream.read_exact(&mut body).unwrap();
        reply(&mut stream, std::str::from_utf8(&body).unwrap());
        stream
    });
    let proxy = Proxy::start(table(1, &[("v", 1, &[address])]));
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(talk.answer().first_line, "HTTP/1.1 100 Continue");
    assert_eq!(talk.send("data").answer().text(), "data");
    drop(server.join().unwrap());
}

#[test]
fn a_refusal_instead_of_100_reaches_the_client_without_the_body() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").unwrap();
        let _ = stream.read(&mut [0; 10]);
    });
    let proxy = Proxy::start(table(1, &[("v", 1, &[address])]));
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\nExpect: 100-continue\r\n\r\n");
    let answer = talk.answer();
    assert_eq!((answer.status(), answer.header("connection"), answer.text().as_str()), (413, Some("close"), "no"));
    assert!(talk.closes());
}

#[test]
fn early_hints_do_not_confuse_anybody() {
    let upstream = Upstream::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").unwrap();
        reply(stream, "real")
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    assert_eq!(talk.get("/").text(), "real");
    assert_eq!(talk.get("/").text(), "real");
}

fn websocket_upstream() -> Upstream {
    Upstream::start(|request, stream| {
        if request.header("upgrade") != Some("websocket") || request.header("connection") != Some("upgrade") {
            return reply(stream, "plain");
        }
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello";
        stream.write_all(head.as_bytes()).unwrap();
        let mut buf = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut buf) {
            if stream.write_all(&buf[..n]).is_err() {
                return false;
            }
        }
        // The client has finished; a last word.
        let _ = stream.write_all(b"bye");
        false
    })
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";

#[test]
fn a_websocket_is_a_tunnel_until_both_sides_have_finished() {
    let upstream = websocket_upstream();
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    let answer: Message = talk.send(UPGRADE).answer();
    assert_eq!(
        (answer.status(), answer.header("upgrade"), answer.header("connection")),
        (101, Some("websocket"), Some("upgrade"))
    );
    assert_eq!(answer.header("sec-websocket-accept"), Some("x"));
    let expect = |talk: &mut Talk, text: &[u8]| {
        let mut got = vec![0; text.len()];
        talk.0.read_exact(&mut got).unwrap();
        assert!(got == text, "{}", String::from_utf8_lossy(&got));
    };
    expect(&mut talk, b"hello");
    for size in [1usize, 100, 100_000] {
        let frame = vec![b'x'; size];
        talk.send(&frame);
        expect(&mut talk, &frame);
    }
    let counts = proxy.stats().versions.remove(0);
    assert_eq!((counts.by_class.informational, counts.in_flight), (1, 1), "a tunnel is counted and in flight");
    talk.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    expect(&mut talk, b"bye");
    assert!(talk.closes());
    until("nothing is in flight", || {
        proxy.stats().versions[0].in_flight == 0 && proxy.stats().endpoints[0].in_flight == 0
    });
}

#[test]
fn other_protocols_are_not_offered() {
    let upstream = websocket_upstream();
    let proxy = proxy_to(&upstream);
    for protocol in ["h2c", "TLS/1.0", "websocket, h2c"] {
        let mut talk = proxy.talk();
        talk.send(format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: x\r\n\r\n"
        ));
        assert_eq!(talk.answer().text(), "plain");
        assert_eq!(upstream.last().header("http2-settings"), None);
    }
}

#[test]
fn a_silent_tunnel_ends() {
    let upstream = websocket_upstream();
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| {
        config.limits.tunnel_idle = Duration::from_millis(200);
    });
    let mut talk = proxy.talk();
    assert_eq!(talk.send(UPGRADE).answer().status(), 101);
    let mut hello = [0; 5];
    talk.0.read_exact(&mut hello).unwrap();
    assert!(talk.closes());
}

#[test]
fn an_answer_that_comes_before_the_body_is_read_ends_the_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 429 Busy\r\nContent-Length: 4\r\n\r\nbusy");
        }
    });
    let proxy = Proxy::start(table(1, &[("v", 1, &[address])]));
    for _ in 0..20 {
        let mut talk = proxy.talk();
        talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n").send(vec![0; 20_000]);
        let answer = talk.answer();
        assert_eq!(
            (answer.status(), answer.header("connection"), answer.text().as_str()),
            (429, Some("close"), "busy")
        );
    }
}
