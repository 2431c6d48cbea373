//! Who answers: weights, header routes, stickiness, hosts and paths, and changes of all that under load.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serin_proxy::Table;
use serin_proxy::table::{HeaderMatch, HeaderRoute, PathKind, PathMatch, Sticky, ValueMatch};

use crate::rig::{Proxy, Upstream, proxy_to, table, tally};

fn pair() -> (Upstream, Upstream) {
    (Upstream::named("stable"), Upstream::named("canary"))
}

fn weighted(version: u64, canary: u32, (s, c): &(Upstream, Upstream)) -> Table {
    table(version, &[("stable", 100 - canary, &[s.address]), ("canary", canary, &[c.address])])
}

#[test]
fn every_window_is_within_one_request_of_the_weight() {
    let upstreams = pair();
    let proxy = Proxy::start(weighted(1, 20, &upstreams));
    // Over several connections, which two workers serve.
    let mut talks: Vec<_> = (0..5).map(|_| proxy.talk()).collect();
    let mut version = 1;
    for canary in [20, 0, 1, 33, 50, 77, 100] {
        version += 1;
        proxy.set(&weighted(version, canary, &upstreams));
        let picks: Vec<i64> =
            (0..300).map(|i| i64::from(talks[i % 5].get("/").header("x-serin-version") == Some("canary"))).collect();
        let (mut d, mut low, mut high) = (0, 0, 0);
        for pick in picks {
            d += 100 * pick - i64::from(canary);
            (low, high) = (low.min(d), high.max(d));
        }
        assert!(high - low <= 100, "{canary}: {low} {high}");
    }
}

#[test]
fn a_thousand_changes_under_load_fail_nothing_and_hold_at_once() {
    let upstreams = pair();
    let proxy = Proxy::start(weighted(1, 20, &upstreams));
    let (stop, requests, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut talk = proxy.talk();
                while !stop.load(Ordering::SeqCst) {
                    requests.fetch_add(1, Ordering::SeqCst);
                    if talk.post("/", "{}").status() != 200 {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let mut probe = proxy.talk();
        for i in 0..1000u64 {
            let canary = if i % 2 == 0 { 100 } else { 0 };
            assert_eq!(proxy.set(&weighted(i + 2, canary, &upstreams)), i + 2);
            let expect = if canary == 100 { "canary" } else { "stable" };
            assert_eq!(probe.post("/", "{}").header("x-serin-version"), Some(expect), "change {i}");
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(failed.load(Ordering::SeqCst), 0);
    let stats = proxy.stats();
    let answered: u64 = stats.versions.iter().map(|v| v.by_class.success).sum();
    assert_eq!(answered as usize, requests.load(Ordering::SeqCst) + 1000);
    assert_eq!(stats.table_version, 1001);
    // Unchanged endpoints kept their connections: one for each client and version at most, and one of a worker to spare.
    let connections = upstreams.0.connections.load(Ordering::SeqCst) + upstreams.1.connections.load(Ordering::SeqCst);
    assert!(connections <= 16, "{connections}");
}

#[test]
fn a_request_on_a_removed_endpoint_finishes() {
    let slow = Upstream::start(|_, stream| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        crate::rig::reply(stream, "slow")
    });
    let fast = Upstream::named("v");
    let proxy = proxy_to(&slow);
    let mut waiting = proxy.talk();
    waiting.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    crate::rig::until("it arrived", || slow.count() == 1);
    proxy.set(&table(2, &[("w", 1, &[fast.address])]));
    assert_eq!(proxy.talk().get("/").header("x-serin-version"), Some("w"));
    assert_eq!(waiting.answer().text(), "slow");
    assert_eq!(proxy.stats().of("test/route", "v").unwrap().by_class.success, 1, "its counts are still there");
}

#[test]
fn header_routes_come_before_weights() {
    let upstreams = pair();
    let mut table = weighted(1, 0, &upstreams);
    table.routes[0].split.header_routes = vec![HeaderRoute {
        name: "qa".into(),
        matches: vec![HeaderMatch { header: "x-qa".into(), value: ValueMatch::Regex("yes|1".into()) }],
        version: "canary".into(),
    }];
    let proxy = Proxy::start(table);
    let mut talk = proxy.talk();
    for (header, expect) in [("X-QA: yes", "canary"), ("X-Qa: yess", "stable"), ("X-Other: yes", "stable")] {
        let answer = talk.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n")).answer();
        assert_eq!(answer.header("x-serin-version"), Some(expect), "{header}");
    }
}

#[test]
fn visitors_keep_their_version_while_the_canary_grows() {
    let upstreams = pair();
    let sticky = |version, canary| {
        let mut table = weighted(version, canary, &upstreams);
        table.routes[0].sticky = Some(Sticky::Cookie { name: "serin".into() });
        table
    };
    let proxy = Proxy::start(sticky(1, 30));
    let mut talk = proxy.talk();
    let mut visitors = Vec::new();
    for _ in 0..100 {
        let answer = talk.get("/");
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().unwrap().to_owned();
        visitors.push((cookie, answer.header("x-serin-version").unwrap().to_owned()));
    }
    assert_eq!(tally(visitors.iter().map(|v| v.1.as_str()))["canary"], 30, "new visitors are split exactly");
    for (version, canary) in [(2, 30), (3, 60), (4, 100)] {
        proxy.set(&sticky(version, canary));
        for (cookie, seen) in &mut visitors {
            let answer = talk.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).answer();
            let now = answer.header("x-serin-version").unwrap();
            assert_eq!(answer.header("set-cookie"), None);
            assert!(now == seen || now == "canary", "{cookie} moved from {seen} to {now} at {canary}");
            if canary == 30 {
                assert_eq!(now, seen);
            }
            *seen = now.to_owned();
        }
    }
    assert!(visitors.iter().all(|(_, version)| version == "canary"));
}

#[test]
fn a_header_can_name_the_visitor() {
    let upstreams = pair();
    let mut table = weighted(1, 50, &upstreams);
    table.routes[0].sticky = Some(Sticky::Header { name: "X-User".into() });
    let proxy = Proxy::start(table);
    let mut talk = proxy.talk();
    let mut ask = |user: &str| {
        let answer = talk.send(format!("GET / HTTP/1.1\r\nHost: a\r\nx-user: {user}\r\n\r\n")).answer();
        answer.header("x-serin-version").unwrap().to_owned()
    };
    let users: Vec<_> = (0..40).map(|i| format!("user-{i}")).collect();
    let first: Vec<_> = users.iter().map(|u| ask(u)).collect();
    let second: Vec<_> = users.iter().map(|u| ask(u)).collect();
    assert_eq!(first, second);
    assert!(first.iter().any(|v| v == "stable") && first.iter().any(|v| v == "canary"));
}

#[test]
fn hosts_and_paths_choose_the_route_and_paths_of_one_name_share_their_split() {
    let (stable, canary) = pair();
    let mut table = table(1, &[("stable", 1, &[stable.address]), ("canary", 1, &[canary.address])]);
    let prefix = |path: &str| PathMatch { kind: PathKind::Prefix, path: path.into() };
    table.routes[0].host = Some("models.test".into());
    table.routes[0].path = prefix("/a");
    let mut second = table.routes[0].clone();
    second.path = prefix("/b");
    table.routes.push(second);
    let proxy = Proxy::start(table);
    let mut talk = proxy.talk();
    let mut ask = |host: &str, path: &str| talk.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).answer();
    for (host, path) in [("other.test", "/a"), ("models.test", "/c"), ("models.test", "/ab")] {
        let answer = ask(host, path);
        assert_eq!((answer.status(), answer.header("content-type")), (404, Some("application/json")), "{host}{path}");
        assert!(answer.text().contains("\"reason\":\"no_route\""));
    }
    let picks: Vec<_> = (0..10)
        .map(|i| ask("Models.Test:80", if i % 2 == 0 { "/a/x" } else { "/b" }))
        .map(|answer| answer.header("x-serin-version").unwrap().to_owned())
        .collect();
    let strict = |i: usize| picks[i] != picks[i + 1];
    assert!((0..9).all(strict), "one sequence over both paths: {picks:?}");
    assert_eq!(proxy.rejected("no_route"), 3);
}

#[test]
fn a_proxy_without_a_table_says_so() {
    let proxy = Proxy::with(Table::default(), |config| config.table = None);
    let answer = proxy.talk().get("/");
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    assert!(answer.text().contains("\"reason\":\"no_table\""));
    let upstream = Upstream::named("v");
    proxy.set(&table(1, &[("v", 1, &[upstream.address])]));
    assert_eq!(proxy.talk().get("/").status(), 200);
}

#[test]
fn the_origin_of_a_request_is_passed_on() {
    let upstream = Upstream::echo();
    let mut with_id = table(1, &[("v", 1, &[upstream.address])]);
    with_id.routes[0].request_id = true;
    let proxy = Proxy::start(with_id.clone());
    let request = "GET /x HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nKeep-Alive: 1\r\n\r\n";
    proxy.talk().send(request).answer();
    let seen = upstream.last();
    assert_eq!(seen.header("host"), Some("a.test"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!((seen.header("x-forwarded-proto"), seen.header("x-forwarded-host")), (Some("http"), Some("a.test")));
    assert_eq!((seen.header("keep-alive"), seen.header("via")), (None, None));
    assert_eq!(seen.header("x-request-id").unwrap().len(), 32);
    let proxy = Proxy::with(with_id, |config| config.trust_forwarded = true);
    proxy.talk().send(request).answer();
    let seen = upstream.last();
    assert_eq!(seen.header("x-forwarded-for"), Some("6.6.6.6, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
}
