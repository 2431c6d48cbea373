//! Single predictions that are kept for a comparison with what turns out to be true.

use serin_proxy::ProxyError;
use serin_proxy::table::Record;

use crate::rig::{Proxy, Upstream, reply, table};

fn recording(upstream: &Upstream, capacity: usize) -> serin_proxy::Table {
    let mut table = table(1, &[("v", 1, &[upstream.address])]);
    table.routes[0].request_id = true;
    table.routes[0].record = Some(Record { capacity });
    table
}

fn with_id(id: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: test\r\nX-Request-Id: {id}\r\n\r\n")
}

#[test]
fn an_answer_tells_the_id_under_which_its_prediction_is_kept() {
    let upstream = Upstream::start(|request, stream| {
        let body = match request.header("x-request-id") {
            Some("number") => r#"{"prediction":0.25}"#,
            Some("integer") => r#"{"prediction":2}"#,
            Some("nothing") => "{}",
            _ => r#"{"prediction":"cat"}"#,
        };
        reply(stream, body)
    });
    let before_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let proxy = Proxy::start(recording(&upstream, 10));
    let mut talk = proxy.talk();
    let made = talk.get("/").header("x-request-id").expect("an id").to_owned();
    assert_eq!(upstream.last().header("x-request-id"), Some(&*made));
    for id in ["mine", "number", "integer", "nothing"] {
        assert_eq!(talk.send(with_id(id)).answer().header("x-request-id"), Some(id));
    }
    let long = "x".repeat(65);
    assert_eq!(talk.send(with_id(&long)).answer().header("x-request-id"), None);
    let page = proxy.wait(proxy.client.predictions("test/route", 0)).unwrap();
    let kept: Vec<_> = page.entries.iter().map(|e| (&*e.id, e.class.as_deref(), e.number)).collect();
    assert_eq!(
        kept,
        [
            (&*made, Some("cat"), None),
            ("mine", Some("cat"), None),
            ("number", None, Some(0.25)),
            ("integer", Some("2"), Some(2.0))
        ]
    );
    assert_eq!((page.skipped, page.dropped, page.more), (1, 0, false));
    assert!(page.entries.iter().all(|e| e.version == "v" && (before_ms..before_ms + 60_000).contains(&e.time_ms)));
    assert!(page.entries.windows(2).all(|w| w[1].seq == w[0].seq + 1));
    let rest = proxy.wait(proxy.client.predictions("test/route", page.entries[1].seq)).unwrap();
    assert_eq!(rest.entries, page.entries[2..]);
}

#[test]
fn an_id_of_the_upstream_s_own_is_replaced() {
    let upstream = Upstream::start(|_, stream| {
        use std::io::Write;
        let body = r#"{"prediction":"cat"}"#;
        let head = format!("HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
    });
    let proxy = Proxy::start(recording(&upstream, 10));
    assert_eq!(proxy.talk().send(with_id("ours")).answer().header("x-request-id"), Some("ours"));
}

#[test]
fn the_oldest_make_room_and_a_table_may_change_how_many_are_kept() {
    let upstream = Upstream::named("cat");
    let mut table = recording(&upstream, 100);
    let proxy = Proxy::start(table.clone());
    let mut talk = proxy.talk();
    (0..150).for_each(|i| drop(talk.send(with_id(&format!("id-{i}"))).answer()));
    let page = |after| proxy.wait(proxy.client.predictions("test/route", after)).unwrap();
    let all = page(0);
    assert_eq!((all.entries.len(), all.dropped, &*all.entries[0].id), (100, 50, "id-50"));
    assert_eq!(all.oldest, all.entries[0].seq);
    table.version = 2;
    table.routes[0].record = Some(Record { capacity: 10 });
    proxy.set(&table);
    assert_eq!(page(0).entries, all.entries[90..]);
    // A ring that is made anew goes on where the last one ended.
    table.version = 3;
    table.routes[0].record = None;
    proxy.set(&table);
    let error = proxy.wait(proxy.client.predictions("test/route", 0)).unwrap_err();
    assert!(matches!(error, ProxyError::Refused(_)), "{error}");
    table.version = 4;
    table.routes[0].record = Some(Record { capacity: 10 });
    proxy.set(&table);
    talk.send(with_id("new")).answer();
    assert_eq!(page(all.entries[99].seq).entries.len(), 1);
}

#[test]
fn a_route_that_keeps_nothing_says_so() {
    let upstream = Upstream::named("cat");
    let mut table = table(1, &[("v", 1, &[upstream.address])]);
    table.routes[0].request_id = true;
    let proxy = Proxy::start(table);
    assert_eq!(proxy.talk().send(with_id("mine")).answer().header("x-request-id"), None);
    let error = proxy.wait(proxy.client.predictions("test/route", 0)).unwrap_err();
    assert!(error.to_string().contains("no route 'test/route' keeps its predictions"), "{error}");
}
