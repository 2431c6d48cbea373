//! Slices: requests that are counted apart by a header, or by a field of their body or of the answer.

use std::io::Write;

use serin_proxy::report::{NONE, SliceCounts};
use serin_proxy::table::Slice;

use crate::rig::{Proxy, Upstream, reply, table, until};

/// Answers with the body of the request, and 500 when the path says so.
fn echo() -> Upstream {
    Upstream::start(|request, stream| {
        let body = request.text();
        match request.first_line.split(' ').nth(1).unwrap() {
            "/error" => {
                let head = format!("HTTP/1.1 500 Broken\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(head.as_bytes()).is_ok()
            }
            "/gzip" => {
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
            }
            "/chunked" => {
                let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                request.body.iter().for_each(|b| out.extend(format!("1\r\n{}\r\n", *b as char).into_bytes()));
                out.extend(b"0\r\n\r\n");
                stream.write_all(&out).is_ok()
            }
            _ => reply(stream, &body),
        }
    })
}

fn sliced(upstream: &Upstream) -> serin_proxy::Table {
    let mut table = table(1, &[("v", 1, &[upstream.address])]);
    let slice = |name: &str| Slice { name: name.into(), ..Slice::default() };
    table.routes[0].slices = vec![
        Slice { header: Some("X-Country".into()), ..slice("country") },
        Slice { request_field: Some("$.segment".into()), ..slice("asked") },
        Slice { answer_field: Some("$.segment".into()), ..slice("answered") },
    ];
    table
}

/// Answers and errors by value.
fn values(proxy: &Proxy, slice: &str) -> Vec<(String, u64, u64)> {
    let slices = proxy.stats().slices;
    slices.into_iter().filter(|s| s.slice == slice).map(|s| (s.value, s.answered, s.server_error)).collect()
}

fn expect(all: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    all.iter().map(|(value, answered, errors)| ((*value).to_owned(), *answered, *errors)).collect()
}

#[test]
fn requests_are_counted_by_header_and_by_fields_of_both_bodies() {
    let upstream = echo();
    let proxy = Proxy::start(sliced(&upstream));
    let mut talk = proxy.talk();
    let mut ask = |path: &str, headers: &str, body: &str| {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {length}\r\n\r\n");
        talk.send(format!("{head}{body}")).answer().status()
    };
    ask("/", "X-Country: at\r\n", r#"{"segment":"gold","prediction":"cat"}"#);
    ask("/chunked", "x-country:  at \r\n", r#"{"prediction":"dog","segment":"gold"}"#);
    ask("/error", "X-Country: de\r\nX-Country: at\r\n", r#"{"segment":7,"prediction":"cat"}"#);
    ask("/gzip", "", r#"{"segment":true}"#);
    ask("/", "X-Country: none\r\n", r#"{"segment":null}"#);
    ask("/", "X-Country: other\r\n", "no json");
    assert_eq!(values(&proxy, "country"), expect(&[("at", 2, 0), ("de", 1, 1), (NONE, 2, 0), ("other", 1, 0)]));
    assert_eq!(values(&proxy, "asked"), expect(&[("7", 1, 1), ("gold", 2, 0), (NONE, 2, 0), ("true", 1, 0)]));
    assert_eq!(
        values(&proxy, "answered"),
        expect(&[("7", 1, 1), ("gold", 2, 0), (NONE, 3, 0)]),
        "what is coded is not read"
    );
    let slices = proxy.stats().slices;
    let gold: &SliceCounts = slices.iter().find(|s| s.slice == "asked" && s.value == "gold").unwrap();
    assert_eq!((gold.predictions["cat"], gold.predictions["dog"]), (1, 1));
    assert_eq!(gold.latency.iter().map(|(_, n)| n).sum::<u64>(), 2);
}

#[test]
fn a_request_body_is_searched_while_it_streams() {
    let upstream = echo();
    let proxy = Proxy::start(sliced(&upstream));
    let mut talk = proxy.talk();
    let body = format!(r#"{{"filler":"{}","segment":"silver"}}"#, "x".repeat(100_000));
    talk.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()));
    for piece in body.as_bytes().chunks(9_000) {
        talk.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(talk.answer().body.len(), body.len());
    talk.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in [r#"{"seg"#, r#"ment":"sil"#, r#"ver"}"#] {
        talk.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(talk.send("0\r\n\r\n").answer().text(), r#"{"segment":"silver"}"#);
    assert_eq!(values(&proxy, "asked"), expect(&[("silver", 2, 0)]));
}

#[test]
fn values_are_cut_and_bounded() {
    let upstream = echo();
    let proxy = Proxy::start(sliced(&upstream));
    let mut talk = proxy.talk();
    for i in 0..100 {
        talk.send(format!("GET / HTTP/1.1\r\nHost: test\r\nX-Country: {i:03}{}\r\n\r\n", "y".repeat(100))).answer();
    }
    // A cut through a character, and bytes that are no text.
    talk.send(format!("GET / HTTP/1.1\r\nHost: test\r\nX-Country: {}ü\r\n\r\n", "z".repeat(63))).answer();
    let counted = values(&proxy, "country");
    assert_eq!((counted.len(), counted.iter().map(|(_, n, _)| n).sum::<u64>()), (33, 101));
    assert_eq!(counted[0].0, format!("000{}", "y".repeat(61)));
    assert!(counted.contains(&("other".to_owned(), 69, 0)));
    let slices = proxy.stats().slices;
    assert!(slices.iter().all(|s| s.value.len() <= 64 && s.value.chars().all(|c| c != '\u{fffd}')));
}

#[test]
fn what_the_proxy_answers_for_a_version_is_sliced_too() {
    let upstream = echo();
    let proxy = Proxy::start(sliced(&upstream));
    upstream.kill();
    let mut talk = proxy.talk();
    assert_eq!(talk.send("GET / HTTP/1.1\r\nHost: test\r\nX-Country: at\r\n\r\n").answer().status(), 502);
    assert_eq!(values(&proxy, "country"), expect(&[("at", 1, 1)]));
}

#[test]
fn slices_reach_batches_and_metrics_and_go_on_over_tables() {
    let upstream = echo();
    let mut table = sliced(&upstream);
    let proxy = Proxy::start(table.clone());
    let ask = |proxy: &Proxy| proxy.talk().send("GET / HTTP/1.1\r\nHost: test\r\nX-Country: at\r\n\r\n").answer();
    ask(&proxy);
    table.version = 2;
    proxy.set(&table);
    ask(&proxy);
    assert_eq!(values(&proxy, "country"), expect(&[("at", 2, 0)]));
    let batches = || proxy.wait(proxy.client.batches(0)).unwrap();
    let in_batches = || {
        let batches = batches();
        let slices = batches.iter().flat_map(|b| &b.slices).filter(|s| s.slice == "country" && s.value == "at");
        slices.map(|s| s.answered).sum::<u64>()
    };
    until("the second is over", || in_batches() == 2);
    let text = proxy.wait(proxy.client.metrics()).unwrap();
    let line = r#"serin_router_slice_requests_total{route="test/route",version="v",slice="country",value="at"} 2"#;
    assert!(text.lines().any(|l| l == line), "{text}");
}
