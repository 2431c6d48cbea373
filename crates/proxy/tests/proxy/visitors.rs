//! Visitors as units, on sticky routes; and what the weights decided.

use std::io::Write;

use serin_proxy::report::Units;
use serin_proxy::table::{HeaderMatch, HeaderRoute, Sticky, UnitLimits, ValueMatch};
use serin_proxy::{Counts, Table};

use crate::rig::{Proxy, Upstream, reply, table, until};

/// Answers 500 to `/bad`.
fn upstream() -> Upstream {
    Upstream::start(|request, stream| match request.first_line.as_str() {
        "GET /bad HTTP/1.1" => stream.write_all(b"HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n").is_ok(),
        _ => reply(stream, "{}"),
    })
}

fn sticky(upstream: &Upstream, sticky: Sticky, units: UnitLimits) -> Table {
    let mut table = table(1, &[("v", 1, &[upstream.address]), ("w", 1, &[upstream.address])]);
    (table.routes[0].sticky, table.routes[0].units) = (Some(sticky), Some(units));
    table
}

fn sum(proxy: &Proxy, of: impl Fn(&Counts) -> u64) -> u64 {
    proxy.stats().versions.iter().map(of).sum()
}

/// The units in all batches so far, of both versions together.
fn in_batches(proxy: &Proxy) -> (u64, f64, f64) {
    let batches = proxy.wait(proxy.client.batches(0)).unwrap();
    let units = batches.iter().flat_map(|b| &b.versions).map(|v| v.units);
    units.fold((0, 0.0, 0.0), |(n, bad, square), u| (n + u.count, bad + u.bad_sum, square + u.bad_square_sum))
}

#[test]
fn a_visitor_is_one_unit_over_all_of_its_connections() {
    let upstream = upstream();
    let header = Sticky::Header { name: "x-user".into() };
    let proxy = Proxy::start(sticky(&upstream, header, UnitLimits::default()));
    let ask = |user: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-User: {user}\r\n\r\n");
        proxy.talk().send(request).answer().status()
    };
    for (user, path) in [("a", "/"), ("a", "/bad"), ("a", "/"), ("a", "/bad"), ("b", "/bad"), ("c", "/")] {
        ask(user, path);
    }
    // Without the header nobody knows whose request it is.
    proxy.talk().get("/bad");
    assert_eq!((sum(&proxy, |c| c.units.open), sum(&proxy, |c| c.drawn)), (3, 1));
    assert_eq!(in_batches(&proxy).0, 0);
    proxy.wait(proxy.client.close_units("another")).unwrap();
    assert_eq!(sum(&proxy, |c| c.units.open), 3, "that was another route");
    proxy.wait(proxy.client.close_units("test/route")).unwrap();
    assert_eq!(sum(&proxy, |c| c.units.open), 0);
    until("the second is over", || in_batches(&proxy) == (3, 1.5, 1.25));
}

#[test]
fn a_visitor_that_is_silent_becomes_a_unit() {
    let upstream = upstream();
    let cookie = Sticky::Cookie { name: "serin".into() };
    let limits = UnitLimits { silence_ms: 300, requests: 1_000 };
    let proxy = Proxy::start(sticky(&upstream, cookie, limits));
    let mut talk = proxy.talk();
    let first = talk.get("/bad");
    let pair = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(talk.send(format!("GET / HTTP/1.1\r\nHost: test\r\nCookie: {pair}\r\n\r\n")).answer().status(), 200);
    assert_eq!(sum(&proxy, |c| c.drawn), 1, "only the first was drawn");
    until("the unit is in a batch", || in_batches(&proxy) == (1, 0.5, 0.25));
    assert_eq!(sum(&proxy, |c| c.units.open), 0);
}

#[test]
fn a_visitor_with_many_requests_becomes_units_of_so_many() {
    let upstream = upstream();
    let limits = UnitLimits { silence_ms: 3_600_000, requests: 10 };
    let proxy = Proxy::start(sticky(&upstream, Sticky::Header { name: "x-user".into() }, limits));
    let mut talk = proxy.talk();
    for i in 0..25 {
        let path = if i < 5 { "/bad" } else { "/" };
        talk.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\nX-User: a\r\n\r\n")).answer();
    }
    let units = proxy.stats().versions.iter().map(|v| v.units).find(|u| u.count > 0).unwrap();
    assert_eq!(units, Units { count: 2, bad_sum: 0.5, bad_square_sum: 0.25, early: 0, open: 1 });
}

#[test]
fn requests_by_header_route_are_no_units_and_are_not_drawn() {
    let upstream = upstream();
    let mut table = sticky(&upstream, Sticky::Header { name: "x-user".into() }, UnitLimits::default());
    let value = ValueMatch::Exact("1".into());
    table.routes[0].split.header_routes = vec![HeaderRoute {
        name: "qa".into(),
        matches: vec![HeaderMatch { header: "x-qa".into(), value }],
        version: "w".into(),
    }];
    let proxy = Proxy::start(table);
    proxy.talk().send("GET / HTTP/1.1\r\nHost: test\r\nX-User: a\r\nX-Qa: 1\r\n\r\n").answer();
    assert_eq!(
        (sum(&proxy, |c| c.units.open), sum(&proxy, |c| c.drawn), sum(&proxy, |c| c.by_class.success)),
        (0, 0, 1)
    );
}

#[test]
fn a_route_that_is_not_sticky_has_no_units() {
    let upstream = upstream();
    let proxy = Proxy::start(table(1, &[("v", 1, &[upstream.address])]));
    proxy.talk().get("/bad");
    assert_eq!((sum(&proxy, |c| c.units.open), sum(&proxy, |c| c.drawn)), (0, 1));
    let text = serde_json::to_string(&proxy.stats()).unwrap();
    assert!(!text.contains("units"), "{text}");
}

#[test]
fn a_reader_can_test_the_split_with_what_the_weights_decided() {
    let upstream = upstream();
    let table = |version, v, w| table(version, &[("v", v, &[upstream.address]), ("w", w, &[upstream.address])]);
    let proxy = Proxy::start(table(1, 3, 1));
    let mut talk = proxy.talk();
    (0..40).for_each(|_| drop(talk.get("/")));
    let stats = proxy.stats();
    let drawn: Vec<_> = stats.versions.iter().map(|v| v.drawn).collect();
    assert_eq!(drawn, [30, 10]);
    let weights: Vec<_> = stats.versions.iter().map(|v| v.weight.map(|w| (w.weight, w.total))).collect();
    assert_eq!(weights, [Some((3, 4)), Some((1, 4))]);
    let batches = || proxy.wait(proxy.client.batches(0)).unwrap();
    let steady = |total: u64| {
        let weights = batches().into_iter().flat_map(|b| b.versions).filter_map(|v| v.weight);
        weights.filter(|w| w.steady && w.total == total).count()
    };
    let mut ask_until = |what: &str, total: u64| {
        until(what, || {
            talk.get("/");
            steady(total) > 0
        })
    };
    ask_until("a second with the same weights as the one before", 4);
    proxy.set(&table(2, 1, 1));
    ask_until("another one, by the new weights", 2);
    let all: Vec<_> = batches().into_iter().flat_map(|b| b.versions).filter_map(|v| v.weight).collect();
    assert!(all.iter().any(|w| w.total == 2 && !w.steady), "the second of the change is marked: {all:?}");
    proxy.set(&crate::rig::table(3, &[("v", 1, &[upstream.address])]));
    assert_eq!(proxy.stats().of("test/route", "w").unwrap().weight, None, "it is not in the table");
}
