//! Copies of requests: what arrives, what is counted, and that users notice nothing.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use serin_proxy::report::MirrorCounts;

use crate::rig::{Proxy, Talk, Upstream, mirrored, reply, table, until};

fn mirror_counts(proxy: &Proxy) -> MirrorCounts {
    proxy.stats().mirror_of("test/route", "copy").cloned().expect("counts of the mirror")
}

/// Waits until so many copies were answered, and returns all that was counted.
#[track_caller]
fn answered(proxy: &Proxy, copies: u64) -> MirrorCounts {
    until(&format!("{copies} answers to copies"), || mirror_counts(proxy).counts.answered() == copies);
    mirror_counts(proxy)
}

#[test]
fn the_copies_have_their_share_and_no_user_gets_their_answers() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |m| m.percent = 30));
    let mut talk = proxy.talk();
    for _ in 0..200 {
        assert_eq!(talk.post("/predict", "{}").text(), r#"{"prediction":"user"}"#);
    }
    let mirror = answered(&proxy, 60);
    assert_eq!((user.count(), copy.count()), (200, 60));
    let counts = &proxy.stats().versions;
    assert_eq!((counts.len(), counts[0].by_class.success), (1, 200), "the copies are counted apart");
    assert_eq!(mirror.counts.by_class.success, 60);
    assert_eq!(mirror.counts.predictions["copy"], 60);
    assert_eq!(mirror.counts.latency.iter().map(|(_, n)| n).sum::<u64>(), 60);
    assert_eq!(mirror.counts.in_flight, 0);
    assert_eq!(mirror.dropped.values().sum::<u64>(), 0);
    assert!(copy.connections.load(std::sync::atomic::Ordering::SeqCst) < 60, "connections are kept");
}

#[test]
fn a_copy_is_the_request_with_a_mark_and_its_own_framing() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let mut table = mirrored(user.address, &[copy.address], |_| {});
    table.routes[0].request_id = true;
    let proxy = Proxy::start(table);
    let head = "Host: test\r\nX-Custom: 1\r\nConnection: x-secret\r\nX-Secret: 2\r\n";
    let mut talk = proxy.talk();
    talk.send(format!("PUT /a?b=c HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\nhe\r\n"));
    talk.send("3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n");
    assert_eq!(talk.answer().status(), 200);
    answered(&proxy, 1);
    let (original, copied) = (user.last(), copy.last());
    assert_eq!(copied.first_line, "PUT /a?b=c HTTP/1.1");
    assert_eq!(copied.text(), "hello");
    assert_eq!((copied.header("x-serin-mirror"), original.header("x-serin-mirror")), (Some("1"), None));
    assert_eq!((copied.header("content-length"), copied.header("transfer-encoding")), (Some("5"), None));
    assert_eq!((copied.header("x-secret"), copied.header("x-custom")), (None, Some("1")));
    assert_eq!(copied.header("x-request-id"), original.header("x-request-id"));
    assert!(copied.header("x-request-id").is_some());
    for name in ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        assert_eq!(copied.header(name), original.header(name), "{name}");
    }
}

#[test]
fn a_body_that_comes_late_is_copied_whole() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n");
    for piece in 0..10u8 {
        talk.send([b'0' + piece].repeat(10_000));
        until("the piece is there", || piece > 8 || proxy.stats().versions[0].in_flight == 1);
    }
    assert_eq!(talk.answer().status(), 200);
    answered(&proxy, 1);
    assert_eq!(copy.last().body, user.last().body);
    assert_eq!(copy.last().body.len(), 100_000);
}

#[test]
fn a_mirror_that_never_answers_is_not_noticed() {
    let user = Upstream::named("user");
    // It accepts in the kernel and nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::with(mirrored(user.address, &[silent.local_addr().unwrap()], |_| {}), |config| {
        config.workers = 1;
        config.limits.mirrors = 8;
    });
    let mut talk = proxy.talk();
    for _ in 0..1000 {
        assert_eq!(talk.post("/", "{}").status(), 200);
    }
    let mirror = mirror_counts(&proxy);
    assert_eq!((mirror.counts.in_flight, mirror.dropped["busy"]), (8, 992), "dropped rather than queued");
    assert_eq!(proxy.stats().versions[0].by_class.success, 1000);
}

#[test]
fn a_hanging_copy_holds_its_own_endpoint_and_no_other() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(mirrored(old.address, &[silent.local_addr().unwrap()], |_| {}));
    assert_eq!(proxy.talk().post("/", "{}").status(), 200);
    until("the copy is on its way", || mirror_counts(&proxy).counts.in_flight == 1);
    proxy.set(&table(2, &[("w", 1, &[new.address])]));
    assert_eq!(proxy.talk().post("/", "{}").text(), r#"{"prediction":"new"}"#);
    let leaving = || {
        let endpoints = proxy.stats().endpoints;
        endpoints.into_iter().filter(|e| e.leaving).map(|e| (e.version, e.in_flight)).collect::<Vec<_>>()
    };
    until("the old version has left", || leaving() == [("copy".to_owned(), 1)]);
}

#[test]
fn a_mirror_that_is_too_slow_counts_as_an_error_and_makes_room() {
    let user = Upstream::named("user");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::with(mirrored(user.address, &[silent.local_addr().unwrap()], |_| {}), |config| {
        config.limits.mirror = Duration::from_millis(20);
    });
    proxy.talk().post("/", "{}");
    let mirror = answered(&proxy, 1);
    assert_eq!((mirror.counts.by_class.server_error, mirror.counts.in_flight), (1, 0));
}

#[test]
fn failing_mirrors_are_counted_and_users_are_answered() {
    let user = Upstream::named("user");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closing = Upstream::start(|_, _| false);
    let garbage = Upstream::start(|_, stream| stream.write_all(b"HTTP/1.1 2x0 OK\r\n\r\n").is_ok());
    let cut = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        false
    });
    let smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let both = Upstream::start(|_, stream| stream.write_all(smuggled).is_ok());
    let switching = Upstream::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").is_ok()
    });
    let broken =
        Upstream::start(|_, stream| stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\n.").is_ok());
    for copy in [nobody, closing.address, garbage.address, cut.address, both.address, switching.address, broken.address]
    {
        let proxy = Proxy::start(mirrored(user.address, &[copy], |_| {}));
        let mut talk = proxy.talk();
        for _ in 0..10 {
            assert_eq!(talk.post("/", "{}").status(), 200);
        }
        let mirror = answered(&proxy, 10);
        assert_eq!(mirror.counts.by_class.server_error, 10, "{mirror:?}");
        let user = proxy.stats().versions.remove(0);
        assert_eq!((user.by_class.success, user.retries, user.fallbacks), (10, 0, 0));
        assert!(proxy.stats().endpoints.iter().all(|e| !e.ejected));
    }
}

#[test]
fn answers_of_all_kinds_are_read_to_their_end() {
    let user = Upstream::named("user");
    let copy = Upstream::start(|request, stream| match request.first_line.as_str() {
        "GET /chunked HTTP/1.1" => {
            let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(format!("{head}13\r\n{{\"prediction\":\"cat\"\r\n1\r\n}}\r\n0\r\n\r\n").as_bytes()).is_ok()
        }
        "GET /close HTTP/1.1" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"prediction\":\"dog\"}");
            false
        }
        "GET /coded HTTP/1.1" => {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer).is_ok()
        }
        "HEAD /head HTTP/1.1" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n").is_ok(),
        _ => reply(stream, "{}"),
    });
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    for path in ["/chunked", "/close", "/coded", "/none"] {
        talk.get(path);
    }
    talk.send("HEAD /head HTTP/1.1\r\nHost: test\r\n\r\n");
    // The scripted upstream sends a body even so, which the proxy does not pass on.
    assert_eq!(talk.answer_to_head().status(), 200);
    let counts = answered(&proxy, 5).counts;
    assert_eq!(counts.by_class.success, 5);
    assert_eq!((counts.predictions["cat"], counts.predictions["dog"], counts.predictions_missing), (1, 1, 1));
}

#[test]
fn large_bodies_are_not_copied_and_arrive_at_the_user_s_version() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::with(mirrored(user.address, &[copy.address], |_| {}), |config| {
        config.limits.mirror_body_bytes = 1000;
    });
    let mut talk = proxy.talk();
    assert_eq!(talk.post("/", &"x".repeat(1001)).status(), 200);
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        talk.send("64\r\n").send("y".repeat(100)).send("\r\n");
    }
    assert_eq!(talk.send("0\r\n\r\n").answer().status(), 200);
    assert_eq!(user.last().body.len(), 10_000);
    assert_eq!(talk.post("/", &"x".repeat(1000)).status(), 200);
    let mirror = answered(&proxy, 1);
    assert_eq!((mirror.dropped["body_too_large"], copy.last().body.len()), (2, 1000));
}

#[test]
fn a_request_that_is_broken_off_is_not_copied() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf");
    until("it is under way", || proxy.stats().versions[0].in_flight == 1);
    drop(talk);
    until("it is given up", || mirror_counts(&proxy).dropped["incomplete"] == 1);
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n");
    assert_eq!(talk.answer().status(), 400);
    until("it is refused", || mirror_counts(&proxy).dropped["incomplete"] == 2);
    assert_eq!(copy.count(), 0);
}

#[test]
fn a_mirror_without_endpoints_is_counted() {
    let user = Upstream::named("user");
    let proxy = Proxy::start(mirrored(user.address, &[], |_| {}));
    assert_eq!(proxy.talk().post("/", "{}").status(), 200);
    until("the copy is dropped", || mirror_counts(&proxy).dropped["no_endpoint"] == 1);
}

#[test]
fn a_version_that_only_gets_copies_answers_no_user() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |m| m.percent = 0));
    user.kill();
    assert_eq!(proxy.talk().get("/").status(), 502);
    assert_eq!(copy.count(), 0);
}

#[test]
fn an_idle_connection_that_was_closed_is_replaced() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::with(mirrored(user.address, &[copy.address], |_| {}), |config| config.workers = 1);
    let mut talk = proxy.talk();
    for n in 1..=5 {
        assert_eq!(talk.get("/").status(), 200);
        assert_eq!(answered(&proxy, n).counts.by_class.success, n);
        copy.hang_up();
    }
}

#[test]
fn copies_reach_metrics_and_batches() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    Talk::to(proxy.address).post("/", "{}");
    answered(&proxy, 1);
    let text = proxy.wait(proxy.client.metrics()).unwrap();
    for line in [
        r#"serin_router_mirror_requests_total{route="test/route",version="copy",code_class="2xx"} 1"#,
        r#"serin_router_mirror_predictions_total{route="test/route",version="copy",prediction="copy"} 1"#,
        r#"serin_router_mirror_dropped_total{route="test/route",version="copy",reason="busy"} 0"#,
        r#"serin_router_requests_total{route="test/route",version="v",code_class="2xx"} 1"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"serin_router_requests_total{route="test/route",version="copy""#));
    let batches = || proxy.wait(proxy.client.batches(0)).unwrap();
    until("the second is over", || batches().iter().any(|b| !b.mirrors.is_empty()));
    let counts: Vec<_> = batches().into_iter().flat_map(|b| b.mirrors).collect();
    assert_eq!(counts.iter().map(|m| m.counts.by_class.success).sum::<u64>(), 1);
}
