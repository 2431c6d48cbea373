//! Upstreams that are down, slow to close, or broken.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::rig::{Proxy, Upstream, proxy_to, reply, table, tally};

/// An address nobody listens on: of a loopback address of this process's own, since on the common one another test may be given the
/// port at any time.
fn nobody() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    TcpListener::bind((std::net::Ipv4Addr::new(127, high | 128, middle, low), 0)).unwrap().local_addr().unwrap()
}

#[test]
fn an_endpoint_that_is_down_is_passed_over() {
    let up = Upstream::named("v");
    let proxy = Proxy::start(table(1, &[("v", 1, &[nobody(), up.address])]));
    let mut talk = proxy.talk();
    for _ in 0..20 {
        assert_eq!(talk.post("/", "{}").status(), 200);
    }
    let stats = proxy.stats();
    assert_eq!(stats.versions[0].by_class.success, 20);
    assert_eq!(stats.versions[0].retries, 1, "only the first request had to find out");
    assert_eq!(stats.endpoints.iter().map(|e| e.ejected).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_version_that_is_down_falls_back_and_is_counted() {
    let stable = Upstream::named("stable");
    let proxy = Proxy::start(table(1, &[("stable", 50, &[stable.address]), ("canary", 50, &[nobody()])]));
    let mut talk = proxy.talk();
    for _ in 0..20 {
        assert_eq!(talk.post("/", "{}").header("x-serin-version"), Some("stable"));
    }
    let stats = proxy.stats();
    let (canary, stable) = (stats.of("test/route", "canary").unwrap(), stats.of("test/route", "stable").unwrap());
    assert_eq!((canary.fallbacks, canary.answered(), canary.aborted), (10, 0, 0));
    assert_eq!((stable.by_class.success, stable.fallbacks, stable.in_flight), (20, 0, 0));
}

#[test]
fn groups_without_endpoints_are_counted_and_without_any_it_is_503() {
    let stable = Upstream::named("stable");
    let proxy = Proxy::start(table(1, &[("stable", 0, &[stable.address]), ("canary", 100, &[])]));
    let mut talk = proxy.talk();
    assert_eq!(talk.get("/").header("x-serin-version"), Some("stable"), "weight 0 is better than nobody");
    proxy.set(&table(2, &[("stable", 0, &[]), ("canary", 100, &[])]));
    let answer = talk.get("/");
    assert_eq!((answer.status(), answer.header("retry-after"), answer.header("connection")), (503, Some("1"), None));
    assert!(answer.text().contains("\"reason\":\"no_endpoint\""));
    assert_eq!(proxy.stats().of("test/route", "canary").unwrap().fallbacks, 2);
    assert_eq!(proxy.rejected("no_endpoint"), 1);
}

#[test]
fn when_all_are_down_it_is_502_and_soon_better() {
    let address = nobody();
    let proxy = Proxy::start(table(1, &[("v", 1, &[address])]));
    let mut talk = proxy.talk();
    assert_eq!(talk.post("/", "{}").status(), 502);
    assert_eq!(proxy.stats().versions[0].by_class.server_error, 1);
    let _up = Upstream::start_at(address, |_, stream| reply(stream, "back"));
    assert_eq!(talk.post("/", "{}").text(), "back", "an endpoint that is passed over is still better than none");
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_used() {
    let upstream = Upstream::named("v");
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for _ in 0..20 {
        assert_eq!(talk.post("/", "{}").status(), 200);
        upstream.hang_up();
        // The end of the connection is on its way for a moment.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(proxy.stats().versions[0].by_class.server_error, 0);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 20);
}

#[test]
fn a_connection_that_was_idle_for_long_is_not_used() {
    let upstream = Upstream::named("v");
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| {
        config.limits.upstream_idle = Duration::from_millis(150);
    });
    let mut talk = proxy.talk();
    for pause_ms in [0, 0, 300, 0] {
        std::thread::sleep(Duration::from_millis(pause_ms));
        assert_eq!(talk.get("/").status(), 200);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn an_answer_that_stops_halfway_is_cut_off_after_the_timeout() {
    let upstream = Upstream::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        std::thread::sleep(Duration::from_secs(8));
        false
    });
    let mut hasty = table(1, &[("v", 1, &[upstream.address])]);
    hasty.routes[0].timeout_ms = 200;
    let proxy = Proxy::start(hasty);
    let begun = Instant::now();
    let got = proxy.talk().get("/");
    assert!(!got.complete && got.text() == "half", "{got:?}");
    assert!((200..7_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(proxy.stats().versions[0].by_class.server_error, 1);
}

/// Closes without an answer on every second request.
fn forgetful() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |_, stream| {
        if count.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            return false;
        }
        reply(stream, "ok")
    })
}

#[test]
fn what_may_be_repeated_is_and_what_may_have_been_executed_is_not() {
    let upstream = forgetful();
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    assert_eq!(talk.get("/").status(), 200);
    assert_eq!(talk.get("/").status(), 200, "sent twice, since it is a GET");
    assert_eq!(upstream.count(), 3);
    assert_eq!(proxy.stats().versions[0].retries, 1);
    let answer = talk.post("/", "order");
    assert_eq!((answer.status(), upstream.count()), (502, 4), "an order may have been taken");
    assert!(answer.text().contains("upstream_broken"));
    assert_eq!(proxy.stats().versions[0].retries, 1);
    assert_eq!(talk.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").answer().status(), 200);
    assert_eq!(talk.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").answer().status(), 502);
}

#[test]
fn an_upstream_that_is_killed_fails_only_what_it_had() {
    let (a, b) = (Upstream::named("v"), Upstream::named("v"));
    let proxy = Proxy::start(table(1, &[("v", 1, &[a.address, b.address])]));
    let failed = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut talk = proxy.talk();
                while !stop.load(Ordering::SeqCst) {
                    let counter = if talk.post("/", "{}").status() == 200 { &answered } else { &failed };
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        a.kill();
        let before = answered.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::SeqCst);
        assert!(answered.load(Ordering::SeqCst) > before + 20, "the other one goes on");
    });
    // Four clients had at most four requests there when it died.
    assert!(failed.load(Ordering::SeqCst) <= 4, "{failed:?}");
}

#[test]
fn answers_that_could_be_read_in_two_ways_are_502() {
    let answer = Arc::new(Mutex::new(String::new()));
    let text = answer.clone();
    let upstream = Upstream::start(move |_, stream| {
        stream.write_all(text.lock().unwrap().as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        false
    });
    let proxy = proxy_to(&upstream);
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
    ] {
        *answer.lock().unwrap() = broken.to_owned();
        let got = proxy.talk().post("/", "{}");
        assert_eq!(got.status(), 502, "{broken:?}: {got:?}");
    }
    *answer.lock().unwrap() = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(proxy.talk().post("/", "{}").status(), 502);
    assert_eq!(proxy.stats().versions[0].by_class.server_error, 10);
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let upstream = Upstream::start(move |_, stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            false
        });
        let proxy = proxy_to(&upstream);
        let got = proxy.talk().get("/");
        assert!(!got.complete, "{answer:?}: {got:?}");
        assert_eq!(proxy.stats().versions[0].by_class.server_error, 1, "cut off is a failure of the version");
    }
}

#[test]
fn bytes_after_an_answer_are_nobodys_answer() {
    let upstream = Upstream::start(|_, stream| {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood{evil}").as_bytes()).is_ok()
    });
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    for _ in 0..10 {
        assert_eq!(talk.get("/").text(), "good");
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 10, "such a connection is not used again");
}

#[test]
fn requests_go_where_the_least_is_in_flight() {
    let slow = Upstream::start(|_, stream| {
        std::thread::sleep(Duration::from_millis(3_000));
        reply(stream, "slow")
    });
    let fast = Upstream::start(|_, stream| reply(stream, "fast"));
    let proxy = Proxy::start(table(1, &[("v", 1, &[slow.address, fast.address])]));
    let mut waiting = Vec::new();
    let mut talk = proxy.talk();
    let begun = Instant::now();
    while waiting.is_empty() {
        let mut one = proxy.talk();
        one.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        std::thread::sleep(Duration::from_millis(20));
        if slow.count() == 1 {
            waiting.push(one);
        }
    }
    let answers: Vec<_> = (0..10).map(|_| talk.get("/").text()).collect();
    assert_eq!(tally(answers.iter().map(String::as_str)), [("fast", 10)].into());
    assert!(begun.elapsed() < Duration::from_millis(3_000));
}
