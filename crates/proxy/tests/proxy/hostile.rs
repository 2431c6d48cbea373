//! Clients that mean ill or do not know better.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::rig::{Proxy, Upstream, proxy_to, reply, table, until};

/// Every attempt carries a second request that a sloppy reader would take for the first one's body, or the other way round.
const SMUGGLING: &[(&str, &str)] = &[
    (
        "two lengths",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345GET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("one length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345"),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n12345"),
    ("CL.TE", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
    (
        "TE.CL",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n",
    ),
    ("TE.TE", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"),
    ("a list of codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
    ("space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("tab in the coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\tx\r\n\r\n0\r\n\r\n"),
    ("folded coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("folded header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
    ("coding hidden by a line feed", "POST / HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (
        "coding hidden by a carriage return",
        "POST / HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("zero byte", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \0chunked\r\n\r\n0\r\n\r\n"),
    ("underscore for a dash", "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n12345"),
    ("coding with an older version", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n12345"),
    ("signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345"),
    ("length that overflows", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\n12345"),
    ("bare line feeds", "GET / HTTP/1.1\nHost: a\n\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\nAccept: a\r\n\r\n"),
    (
        "chunk size with a prefix",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n12345\r\n0\r\n\r\n",
    ),
    (
        "chunk size with a space",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n12345\r\n0\r\n\r\n",
    ),
    (
        "chunk size that overflows",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\n12345\r\n0\r\n\r\n",
    ),
    (
        "chunk without its end",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123456\r\n0\r\n\r\n",
    ),
    (
        "line feed in an extension",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n12\r\n0\r\n\r\n",
    ),
    (
        "chunk size ended by a line feed",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\n12\r\n0\r\n\r\n",
    ),
];

#[test]
fn no_smuggling_attempt_reaches_an_upstream() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    for (what, attempt) in SMUGGLING {
        let mut talk = proxy.talk();
        let answer = talk.send(attempt).answer();
        assert_eq!((answer.status(), answer.header("connection")), (400, Some("close")), "{what}: {answer:?}");
        assert!(answer.text().contains("\"reason\":\"bad_"), "{what}: {answer:?}");
        talk.closes();
        assert_eq!(upstream.count(), 0, "{what}");
    }
    let rejected = proxy.stats().rejected;
    let sum: u64 = ["bad_head", "bad_host", "bad_framing"].iter().map(|r| rejected[*r]).sum();
    assert_eq!(sum, SMUGGLING.len() as u64);
}

#[test]
fn a_bad_chunk_later_on_ends_the_request_without_its_end() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(talk.send("zz\r\n").answer().status(), 400);
    // What the upstream read is cut off, so its server never runs the request.
    until("the upstream lost the connection", || upstream.requests.lock().unwrap().iter().all(|r| !r.complete));
    assert_eq!(proxy.rejected("bad_framing"), 1);
}

#[test]
fn other_versions_and_methods_are_refused() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    for (attempt, status) in [
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("\x16\x03\x01\x02\0\x01\0\x01", 400),
        ("hello\r\n", 400),
    ] {
        assert_eq!(proxy.talk().send(attempt).answer().status(), status, "{attempt:?}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn an_endless_head_is_cut_off() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut one_line = proxy.talk();
    one_line.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").send(vec![b'x'; 70_000]);
    assert_eq!(one_line.answer().status(), 431);
    let mut many_lines = proxy.talk();
    many_lines.send("GET / HTTP/1.1\r\nHost: a\r\n");
    for i in 0..150 {
        many_lines.send(format!("x-{i}: y\r\n"));
    }
    assert_eq!(many_lines.answer().status(), 431);
    let mut target = proxy.talk();
    target.send("GET /").send(vec![b'x'; 70_000]);
    assert_eq!(target.answer().status(), 431);
    let mut fits = proxy.talk();
    fits.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").send(vec![b'x'; 60_000]).send("\r\n\r\n");
    assert_eq!(fits.answer().status(), 200);
    assert_eq!(proxy.rejected("head_too_large"), 3);
}

#[test]
fn a_head_byte_by_byte_costs_little() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for byte in b"\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n" {
        talk.send([*byte]);
    }
    assert_eq!(talk.answer().status(), 200);
}

fn hasty() -> (Upstream, Proxy) {
    let upstream = Upstream::start(|request, stream| {
        if request.first_line.contains("/slow") {
            std::thread::sleep(Duration::from_millis(4000));
        }
        reply(stream, "ok")
    });
    let mut slow = table(1, &[("v", 1, &[upstream.address])]);
    slow.routes[0].timeout_ms = 1_500;
    let proxy = Proxy::with(slow, |config| {
        config.limits.head = Duration::from_millis(300);
        config.limits.stall = Duration::from_millis(300);
        config.limits.client_idle = Duration::from_millis(2_500);
    });
    (upstream, proxy)
}

#[test]
fn stalled_clients_are_cut_off_and_nobody_else_notices() {
    let (_upstream, proxy) = hasty();
    let begun = Instant::now();
    let (mut head, mut body, mut chunk, mut idle) = (proxy.talk(), proxy.talk(), proxy.talk(), proxy.talk());
    head.send("GET / HTTP/1.1\r\nHost:");
    body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    chunk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf");
    let mut good = proxy.talk();
    for _ in 0..5 {
        assert_eq!(good.get("/").status(), 200);
        std::thread::sleep(Duration::from_millis(20));
    }
    for (talk, reason) in [(&mut head, "head_timeout"), (&mut body, "body_timeout"), (&mut chunk, "body_timeout")] {
        let answer = talk.answer();
        assert_eq!((answer.status(), answer.header("connection")), (408, Some("close")));
        assert!(answer.text().contains(reason));
        talk.closes();
    }
    assert!(begun.elapsed() < Duration::from_millis(2_400), "they were not waited for");
    assert!(idle.closes(), "an idle client is closed without a word");
    assert!(begun.elapsed() >= Duration::from_millis(2_500));
}

#[test]
fn a_slow_upstream_is_504_and_a_server_error_of_its_version() {
    let (_upstream, proxy) = hasty();
    let mut talk = proxy.talk();
    let answer = talk.get("/slow");
    assert_eq!((answer.status(), answer.header("connection")), (504, None));
    assert_eq!(talk.get("/").status(), 200, "the client's connection goes on");
    let counts = proxy.stats().versions.remove(0);
    assert_eq!((counts.by_class.server_error, counts.by_class.success), (1, 1));
}

#[test]
fn an_upstream_that_takes_no_more_of_the_body_is_at_fault() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::with(table(1, &[("v", 1, &[listener.local_addr().unwrap()])]), |config| {
        config.limits.stall = Duration::from_millis(300);
    });
    let mut talk = proxy.talk();
    let mut write = talk.0.get_ref().try_clone().unwrap();
    std::thread::spawn(move || {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n";
        let _ = write.write_all(head.as_bytes()).and_then(|()| write.write_all(&vec![0; 50_000_000]));
    });
    let answer = talk.answer();
    assert_eq!((answer.status(), answer.header("connection")), (504, Some("close")));
    assert_eq!(proxy.stats().versions[0].by_class.server_error, 1);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let upstream = Upstream::start(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&vec![0; 100_000_000]).is_ok()
    });
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| {
        config.limits.stall = Duration::from_millis(300);
    });
    let mut talk = proxy.talk();
    talk.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("it was cut off", || proxy.stats().versions[0].aborted == 1);
    assert_eq!(proxy.stats().connections, 0);
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let upstream = Upstream::start(|_, stream| {
        // A model at work; the end of the connection is how it would learn that nobody waits.
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let gone = matches!(std::io::Read::read(stream, &mut [0]), Ok(0) | Err(_));
        assert!(gone);
        false
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    until("it is in flight", || proxy.stats().endpoints[0].in_flight == 1);
    let begun = Instant::now();
    talk.0.get_mut().shutdown(Shutdown::Both).unwrap();
    until("it is not in flight", || proxy.stats().endpoints[0].in_flight == 0);
    assert!(begun.elapsed() < Duration::from_secs(2));
    let counts = proxy.stats().versions.remove(0);
    assert_eq!((counts.aborted, counts.answered()), (1, 0), "the version did nothing wrong");
}

#[test]
fn more_clients_than_allowed_wait() {
    let upstream = Upstream::named("v");
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| config.limits.connections = 2);
    let (mut first, mut second, mut third) = (proxy.talk(), proxy.talk(), proxy.talk());
    assert_eq!((first.get("/").status(), second.get("/").status()), (200, 200));
    third.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((upstream.count(), proxy.stats().connections), (2, 2));
    drop(first);
    assert_eq!(third.answer().status(), 200);
}
