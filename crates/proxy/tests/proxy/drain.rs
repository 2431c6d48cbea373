//! Ending without anybody noticing.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::rig::{Proxy, Upstream, proxy_to, reply, table, until};

fn slow(ms: u64) -> Upstream {
    Upstream::start(move |_, stream| {
        std::thread::sleep(Duration::from_millis(ms));
        reply(stream, "done")
    })
}

#[test]
fn requests_in_flight_finish_and_then_it_ends() {
    let upstream = slow(700);
    let proxy = proxy_to(&upstream);
    let (mut working, mut idle) = (proxy.talk(), proxy.talk());
    working.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    until("it arrived", || upstream.count() == 1);
    proxy.wait(proxy.client.drain()).unwrap();
    until("it takes no more connections", || {
        TcpStream::connect_timeout(&proxy.address, Duration::from_millis(50)).is_err()
    });
    assert!(proxy.wait(proxy.client.info()).unwrap().draining);
    let answer = working.answer();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    assert!(idle.closes(), "an idle client is closed");
    until("it has ended", || proxy.has_ended());
    assert!(proxy.end().is_ok());
}

#[test]
fn a_client_that_was_idle_still_gets_its_answer() {
    let upstream = slow(0);
    let proxy = proxy_to(&upstream);
    let mut talk = proxy.talk();
    assert_eq!(talk.get("/").header("connection"), None);
    proxy.wait(proxy.client.drain()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let answer = talk.get("/");
    assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
    assert!(talk.closes());
}

#[test]
fn draining_has_a_limit() {
    let upstream = slow(5_000);
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| {
        config.limits.drain = Duration::from_millis(300);
        config.limits.drain_idle = Duration::from_millis(50);
    });
    let mut talk = proxy.talk();
    talk.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("it arrived", || upstream.count() == 1);
    let begun = Instant::now();
    assert!(proxy.end().is_ok());
    assert!((300..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    talk.closes();
}

#[test]
fn a_successor_takes_over_under_load_without_a_failure() {
    let upstream = slow(1);
    let make = || table(1, &[("v", 1, &[upstream.address])]);
    let first = Proxy::start(make());
    let address = first.address;
    let (stop, failed, answered) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    // The successor outlives the clients.
    let second = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream: Option<crate::rig::Talk> = None;
                while !stop.load(Ordering::SeqCst) {
                    // Between the two nobody listens; a client that cannot connect has not lost a request.
                    let Ok(fresh) =
                        stream.take().map_or_else(|| TcpStream::connect(address).map(crate::rig::Talk::new), Ok)
                    else {
                        std::thread::sleep(Duration::from_millis(1));
                        continue;
                    };
                    let mut talk = fresh;
                    let sent = talk.0.get_mut().write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
                    match talk.maybe_answer().filter(|_| sent.is_ok()) {
                        Some(answer) if answer.status() == 200 && answer.complete => {
                            answered.fetch_add(1, Ordering::SeqCst);
                            stream = (answer.header("connection") != Some("close")).then_some(talk);
                        }
                        _ => {
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        first.end().unwrap();
        let before = answered.load(Ordering::SeqCst);
        let second = Proxy::with(make(), |config| config.listen = vec![address]);
        until("the successor serves", || answered.load(Ordering::SeqCst) > before + 100);
        stop.store(true, Ordering::SeqCst);
        second
    });
    assert_eq!(failed.load(Ordering::SeqCst), 0, "of {answered:?}");
    drop(second);
}
