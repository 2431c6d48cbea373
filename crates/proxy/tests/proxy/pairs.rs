//! Pairs: the user's answer beside the answer to the copy of the same request, and that users notice nothing of it.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use serin_proxy::PairCounts;
use serin_proxy::report::{PairErrors, Transition};

use crate::rig::{LONG, Proxy, Upstream, mirrored, reply, table, until};

/// What is counted for the pair of `v`, which answers users, and `copy`, which gets copies.
fn pairs(proxy: &Proxy) -> PairCounts {
    pairs_of(proxy, "v")
}

fn pairs_of(proxy: &Proxy, stable: &str) -> PairCounts {
    let pairs = proxy.stats().pairs;
    pairs.into_iter().find(|p| p.stable == stable && p.canary == "copy").expect("counts of the pair")
}

#[track_caller]
fn complete(proxy: &Proxy, n: u64) -> PairCounts {
    until(&format!("{n} pairs"), || pairs(proxy).errors.total() == n);
    pairs(proxy)
}

#[track_caller]
fn incomplete(proxy: &Proxy, reason: &str, n: u64) {
    until(reason, || pairs(proxy).incomplete.get(reason) == Some(&n));
    let all: u64 = pairs(proxy).incomplete.values().sum();
    assert_eq!((all, pairs(proxy).errors.total()), (n, 0), "every request is counted once: {:?}", pairs(proxy));
}

/// Answers with the last part of the path as the prediction; `/status/503` with that status.
fn parrot(suffix: &'static str) -> Upstream {
    Upstream::start(move |request, stream| {
        let path = request.first_line.split(' ').nth(1).unwrap();
        let word = path.rsplit('/').next().unwrap();
        let status = path.strip_prefix("/status/").unwrap_or("200");
        let body = match (word.parse::<f64>(), word) {
            (_, "nothing") => "{}".to_owned(),
            (Ok(number), _) => format!(r#"{{"prediction":{number}{suffix}}}"#),
            (Err(_), word) => format!(r#"{{"prediction":"{word}{suffix}"}}"#),
        };
        let length = body.len();
        stream.write_all(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes()).is_ok()
    })
}

#[test]
fn every_copied_request_is_one_pair_with_its_predictions_and_times() {
    let (user, copy) = (parrot(""), parrot("5"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |m| m.percent = 50));
    let mut talk = proxy.talk();
    for word in ["cat", "dog", "nothing", "1", "0.25"] {
        for _ in 0..20 {
            assert_eq!(talk.get(&format!("/{word}")).status(), 200);
        }
    }
    let now = complete(&proxy, 50);
    assert_eq!(now.errors, PairErrors { both_ok: 50, ..PairErrors::default() });
    assert_eq!(now.latency_ratios.iter().map(|(_, n)| n).sum::<u64>(), 50);
    let step = |stable: &str, canary: &str| Transition { stable: stable.into(), canary: canary.into(), count: 10 };
    assert_eq!(now.transitions, [step("1", "15"), step("cat", "cat5"), step("dog", "dog5")]);
    assert_eq!((now.missing.both, now.missing.stable, now.missing.canary), (10, 0, 0));
    assert_eq!((now.differences.count, now.differences.sum.round()), (20, 140.0), "14 more, and 0.005");
    assert_eq!(now.incomplete.len(), 0);
}

#[test]
fn errors_are_told_apart_by_whose_they_are() {
    let (user, copy) = (parrot(""), parrot(""));
    let bad_copy = Upstream::start(|_, stream| stream.write_all(b"nonsense\r\n\r\n").is_ok());
    let bad_user = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nhalf");
        false
    });
    for (user, copy, path, expect) in [
        (&user, &copy, "/status/404", PairErrors { both_ok: 1, ..PairErrors::default() }),
        (&user, &copy, "/status/500", PairErrors { both_bad: 1, ..PairErrors::default() }),
        (&user, &bad_copy, "/", PairErrors { canary_bad: 1, ..PairErrors::default() }),
        (&bad_user, &copy, "/", PairErrors { stable_bad: 1, ..PairErrors::default() }),
        (&bad_user, &bad_copy, "/", PairErrors { both_bad: 1, ..PairErrors::default() }),
    ] {
        let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
        let mut talk = proxy.talk();
        talk.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        talk.maybe_answer();
        let now = complete(&proxy, 1);
        assert_eq!(now.errors, expect, "{path}");
        assert_eq!(now.latency_ratios.is_empty(), expect.both_ok == 0);
    }
}

#[test]
fn a_slow_copy_delays_nobody_and_is_paired_when_it_comes() {
    let user = Upstream::named("user");
    let gate = Arc::new(Mutex::new(()));
    let waiting = gate.clone();
    let copy = Upstream::start(move |_, stream| {
        drop(waiting.lock());
        reply(stream, r#"{"prediction":"late"}"#)
    });
    let proxy = Proxy::with(mirrored(user.address, &[copy.address], |_| {}), |config| config.workers = 1);
    let closed = gate.lock().unwrap();
    let mut talk = proxy.talk();
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(talk.post("/", "{}").text(), r#"{"prediction":"user"}"#);
    }
    assert!(begun.elapsed() < LONG / 2, "users do not wait for the copies' ten seconds");
    assert_eq!(pairs(&proxy).errors.total(), 0);
    std::thread::sleep(Duration::from_millis(50));
    drop(closed);
    let now = complete(&proxy, 100);
    assert_eq!(now.transitions, [Transition { stable: "user".into(), canary: "late".into(), count: 100 }]);
    let slower = serin_proxy::ratio::count_above(&now.latency_ratios, 2.0);
    assert!(slower >= 90, "{slower} of 100 copies took twice as long or longer");
}

#[test]
fn a_mirror_that_hangs_is_a_bad_answer_and_what_exceeds_its_places_is_dropped() {
    let user = Upstream::named("user");
    // It accepts in the kernel and nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::with(mirrored(user.address, &[silent.local_addr().unwrap()], |_| {}), |config| {
        config.workers = 1;
        config.limits.mirrors = 8;
        config.limits.mirror = Duration::from_secs(2);
    });
    let mut talk = proxy.talk();
    for _ in 0..300 {
        assert_eq!(talk.post("/", "{}").status(), 200);
    }
    until("the copies are given up", || pairs(&proxy).errors.canary_bad >= 8);
    let now = pairs(&proxy);
    assert_eq!((now.errors.total() + now.incomplete["busy"], now.errors.both_ok), (300, 0), "{now:?}");
    assert_eq!(proxy.stats().versions[0].by_class.success, 300);
}

#[test]
fn an_answer_without_end_is_cut_and_neither_good_nor_bad() {
    let user = Upstream::named("user");
    let endless = Upstream::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [b"8000\r\n".to_vec(), vec![b'x'; 0x8000], b"\r\n".to_vec()].concat();
        while stream.write_all(&chunk).is_ok() {}
        false
    });
    let proxy = Proxy::with(mirrored(user.address, &[endless.address], |_| {}), |config| {
        config.workers = 1;
        config.limits.mirror_answer_bytes = 4 << 20;
    });
    let mut talk = proxy.talk();
    for _ in 0..5 {
        assert_eq!(talk.post("/", "{}").status(), 200);
    }
    incomplete(&proxy, "copy_cut", 5);
    let copies = proxy.stats().mirror_of("test/route", "copy").unwrap().counts.clone();
    assert_eq!((copies.aborted, copies.answered(), copies.in_flight), (5, 0, 0));
}

#[test]
fn a_user_who_waits_is_paired_after_the_copy() {
    let meet = Arc::new(Barrier::new(2));
    let here = meet.clone();
    let user = Upstream::start(move |_, stream| {
        here.wait();
        reply(stream, r#"{"prediction":"a"}"#)
    });
    let copy = Upstream::named("b");
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    talk.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let answered = || proxy.stats().mirror_of("test/route", "copy").unwrap().counts.answered();
    until("the copy is answered", || answered() == 1);
    assert_eq!(pairs(&proxy).errors.total(), 0, "half a pair is none");
    meet.wait();
    assert_eq!(talk.answer().status(), 200);
    // Counted before the user has the answer.
    assert_eq!(pairs(&proxy).transitions, [Transition { stable: "a".into(), canary: "b".into(), count: 1 }]);
}

#[test]
fn requests_that_make_no_pair_are_counted_by_reason() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let start = |copies: &[std::net::SocketAddr]| {
        Proxy::with(mirrored(user.address, copies, |_| {}), |config| {
            config.limits.mirror_body_bytes = 10;
        })
    };
    let proxy = start(&[copy.address]);
    proxy.talk().post("/", "0123456789x");
    incomplete(&proxy, "body_too_large", 1);

    let proxy = start(&[copy.address]);
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    talk.send("b\r\n0123456789x\r\n").send("0\r\n\r\n").answer();
    incomplete(&proxy, "body_too_large", 1);

    let proxy = start(&[]);
    proxy.talk().post("/", "{}");
    incomplete(&proxy, "no_endpoint", 1);

    let proxy = start(&[copy.address]);
    let mut talk = proxy.talk();
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf");
    until("it is under way", || proxy.stats().versions[0].in_flight == 1);
    drop(talk);
    until("it is given up", || pairs(&proxy).incomplete.values().sum::<u64>() == 1);

    let proxy = start(&[copy.address]);
    proxy.talk().send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n").answer();
    until("it is refused", || pairs(&proxy).incomplete.values().sum::<u64>() == 1);
    assert_eq!(copy.count(), 0);
}

#[test]
fn a_user_who_leaves_makes_no_pair() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let copy = Upstream::named("copy");
    let proxy = Proxy::start(mirrored(silent.local_addr().unwrap(), &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    talk.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    until("the copy is answered", || copy.count() == 1);
    drop(talk);
    incomplete(&proxy, "user_left", 1);
}

#[test]
fn a_request_that_no_version_takes_makes_no_pair() {
    let copy = Upstream::named("copy");
    let mut table = mirrored(copy.address, &[copy.address], |_| {});
    table.routes[0].split.groups[0].endpoints.clear();
    let proxy = Proxy::start(table);
    assert_eq!(proxy.talk().get("/").status(), 503);
    incomplete(&proxy, "user_refused", 1);
}

#[test]
fn a_pair_is_that_of_the_version_that_answered() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut table = mirrored(user.address, &[copy.address], |_| {});
    let mut canary = table.routes[0].split.groups[0].clone();
    canary.version = "w".into();
    canary.endpoints[0].address = nobody;
    (canary.weight, table.routes[0].split.groups[0].weight) = (1, 0);
    table.routes[0].split.groups.push(canary);
    let proxy = Proxy::start(table);
    assert_eq!(proxy.talk().get("/").status(), 200);
    assert_eq!(complete(&proxy, 1).errors.both_ok, 1);
    assert_eq!(
        pairs_of(&proxy, "w"),
        PairCounts { route: "test/route".into(), stable: "w".into(), canary: "copy".into(), ..PairCounts::default() }
    );
}

#[test]
fn pairs_reach_batches_and_metrics_and_end_with_the_mirror() {
    let (user, copy) = (Upstream::named("user"), Upstream::named("copy"));
    let proxy = Proxy::start(mirrored(user.address, &[copy.address], |_| {}));
    let mut talk = proxy.talk();
    for _ in 0..10 {
        talk.post("/", "{}");
    }
    complete(&proxy, 10);
    let batches = || proxy.wait(proxy.client.batches(0)).unwrap();
    let total = || batches().iter().flat_map(|b| &b.pairs).map(|p| p.errors.both_ok).sum::<u64>();
    until("the second is over", || total() == 10);
    let text = proxy.wait(proxy.client.metrics()).unwrap();
    let line = r#"serin_router_pairs_total{route="test/route",version="v",mirror="copy",outcome="both_ok"} 10"#;
    assert!(text.lines().any(|l| l == line), "{text}");
    proxy.set(&table(2, &[("v", 1, &[user.address])]));
    for _ in 0..10 {
        talk.post("/", "{}");
    }
    assert_eq!(pairs(&proxy).errors.total(), 10);
}
