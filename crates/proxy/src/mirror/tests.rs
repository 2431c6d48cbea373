//! Which requests are copied, how often, and what a copy is.

use super::*;
use crate::framing::{empty_headers, read_request};
use crate::routing::{Memory, Routing};
use crate::table::Table;

fn routing(mirrors: &str) -> Routing {
    let text = format!(
        r#"{{"version": 1, "routes": [{{"name": "r", "split": {{
            "groups": [{{"version": "v", "endpoints": [], "weight": 1}}], "mirrors": [{mirrors}]}}}}]}}"#
    );
    let table: Table = serde_json::from_str(&text).unwrap();
    Memory::new(1, 1).prepare(table).unwrap()
}

fn service(mirrors: &str) -> Arc<Service> {
    routing(mirrors).rule(b"h", "/").unwrap().service.clone()
}

fn mirror(name: &str, options: &str) -> String {
    let percent = if options.contains("percent") { "" } else { r#""percent": 100, "# };
    let matches = if options.contains("matches") { "" } else { r#""matches": [{}], "# };
    format!(
        r#"{{"name": "{name}", "version": "{name}", "endpoints": [], {percent}{matches}"unsafe_methods": {options}}}"#
    )
}

/// The mirror that copies a request of these first words and headers.
fn chosen(service: &Service, request: &str, headers: &str) -> Option<usize> {
    let text = format!("{request} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let mut room = empty_headers();
    choose(&service.mirrors, &read_request(text.as_bytes(), &mut room).unwrap().unwrap())
}

#[track_caller]
fn check(matches: &str, request: &str, headers: &str, expect: bool) {
    let service = service(&mirror("m", &format!(r#"true, "matches": [{matches}]"#)));
    assert_eq!(chosen(&service, request, headers).is_some(), expect);
}

#[test]
fn all_conditions_of_one_match_must_hold_and_one_match_is_enough() {
    check("{}", "POST /p", "", true);
    check(r#"{"method": {"exact": "POST"}}"#, "POST /p", "", true);
    check(r#"{"method": {"exact": "POST"}}"#, "PUT /p", "", false);
    check(r#"{"method": {"regex": "P.*"}}"#, "PUT /p", "", true);
    check(r#"{"method": {"prefix": "P"}}"#, "GET /p", "", false);
    check(r#"{"path": {"exact": "/p"}}"#, "GET /p?q=1", "", true);
    check(r#"{"path": {"exact": "/p"}}"#, "GET /p/", "", false);
    check(r#"{"path": {"prefix": "/p"}}"#, "GET /predict", "", true);
    check(r#"{"path": {"regex": "/p"}}"#, "GET /predict", "", false);
    let header =
        r#"{"headers": [{"header": "X-A", "value": {"exact": "1"}}, {"header": "X-B", "value": {"prefix": "b"}}]}"#;
    check(header, "GET /", "x-a: 1\r\nx-b: bee\r\n", true);
    check(header, "GET /", "x-a: 1\r\n", false);
    check(r#"{"method": {"exact": "POST"}, "path": {"exact": "/p"}}"#, "GET /p", "", false);
    check(r#"{"method": {"exact": "POST"}}, {"path": {"exact": "/p"}}"#, "GET /p", "", true);
}

#[test]
fn only_methods_that_change_nothing_are_copied_unless_all_are_wanted() {
    for (method, safe) in [
        ("GET", true),
        ("HEAD", true),
        ("OPTIONS", true),
        ("TRACE", true),
        ("POST", false),
        ("get", false),
        ("PUT", false),
    ] {
        let request = format!("{method} /");
        assert_eq!(chosen(&service(&mirror("m", "false")), &request, "").is_some(), safe, "{method}");
        assert!(chosen(&service(&mirror("m", "true")), &request, "").is_some());
    }
}

#[test]
fn upgrades_and_copies_are_not_copied() {
    let service = service(&mirror("m", "true"));
    assert_eq!(chosen(&service, "GET /", "connection: upgrade\r\nupgrade: websocket\r\n"), None);
    assert_eq!(chosen(&service, "GET /", "connection: upgrade\r\nupgrade: h2c\r\n"), None);
    assert_eq!(chosen(&service, "GET /", "X-Serin-Mirror: 1\r\n"), None);
}

#[test]
fn the_first_mirror_that_takes_a_request_decides_alone() {
    let posts = mirror("posts", r#"true, "percent": 0, "matches": [{"method": {"exact": "POST"}}]"#);
    let service = service(&format!("{posts}, {}", mirror("all", "true")));
    assert_eq!(chosen(&service, "POST /", ""), None);
    assert_eq!(chosen(&service, "GET /", ""), Some(1));
}

#[test]
fn the_share_is_exact_over_any_window() {
    for percent in [0, 1, 7, 33, 50, 99, 100] {
        let service = service(&mirror("m", &format!(r#"true, "percent": {percent}"#)));
        // Requests that do not match, or may not be copied, must not use up turns.
        let hits: Vec<_> = (0..1000)
            .map(|_| {
                chosen(&service, "GET /", "X-Serin-Mirror: 1\r\n");
                usize::from(chosen(&service, "GET /", "").is_some())
            })
            .collect();
        for window in [10, 100, 999] {
            for part in hits.windows(window) {
                let exact = window * percent / 100;
                assert!((exact..=exact + 1).contains(&part.iter().sum()), "{percent} % over {window}");
            }
        }
    }
}

#[test]
fn the_sequence_goes_on_over_tables_that_keep_the_name() {
    let mut memory = Memory::new(1, 1);
    let text = |version: u32| {
        format!(
            r#"{{"version": {version}, "routes": [{{"name": "r", "split": {{
            "groups": [{{"version": "v", "endpoints": [], "weight": 1}}],
            "mirrors": [{}]}}}}]}}"#,
            mirror("m", r#"true, "percent": 10"#)
        )
    };
    let hits = (0..100).filter(|&version| {
        let routing = memory.prepare(serde_json::from_str(&text(version)).unwrap()).unwrap();
        chosen(&routing.rule(b"h", "/").unwrap().service, "GET /", "").is_some()
    });
    assert_eq!(hits.count(), 10);
}

fn draft(copies: &Copies, service: &Arc<Service>, headers: &str) -> Option<Box<Draft>> {
    let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let mut room = empty_headers();
    let head = read_request(text.as_bytes(), &mut room).unwrap().unwrap();
    let written = b"POST / HTTP/1.1\r\nhost: h\r\n";
    copies.draft(service, 0, &head, written, Instant::now()).map(|copied| copied.draft)
}

fn dropped(service: &Service) -> Vec<(String, u64)> {
    let counts = service.mirrors[0].group.stats.mirror_counts();
    counts.dropped.into_iter().filter(|(_, n)| *n > 0).collect()
}

#[test]
fn a_copy_says_its_length_however_the_request_said_it() {
    let service = service(&mirror("m", "true"));
    let copies = Copies::new(0, 10, 100);
    let message = |headers: &str, pieces: &[&str]| {
        let mut draft = draft(&copies, &service, headers).unwrap();
        pieces.iter().for_each(|p| draft.push(p.as_bytes()));
        String::from_utf8(draft.finish().message.clone()).unwrap()
    };
    let head = "POST / HTTP/1.1\r\nhost: h\r\nx-serin-mirror: 1\r\n";
    assert_eq!(message("Transfer-Encoding: chunked\r\n", &["ab", "c"]), format!("{head}content-length: 3\r\n\r\nabc"));
    assert_eq!(message("Content-Length: 1\r\n", &["x"]), format!("{head}content-length: 1\r\n\r\nx"));
    assert_eq!(message("Content-Length: 0\r\n", &[]), format!("{head}content-length: 0\r\n\r\n"));
    assert_eq!(message("", &[]), format!("{head}\r\n"));
}

#[test]
fn copies_are_bounded_in_number_and_size() {
    let service = service(&mirror("m", "true"));
    let copies = Copies::new(0, 2, 5);
    let kept = [draft(&copies, &service, ""), draft(&copies, &service, "Content-Length: 5\r\n")];
    assert!(kept.iter().all(Option::is_some));
    assert!(draft(&copies, &service, "").is_none());
    assert_eq!(dropped(&service), [("busy".to_owned(), 1)]);
    drop(kept);
    assert_eq!(dropped(&service), [("busy".to_owned(), 1), ("incomplete".to_owned(), 2)]);
    assert!(draft(&copies, &service, "Content-Length: 6\r\n").is_none());
    let mut chunked = draft(&copies, &service, "Transfer-Encoding: chunked\r\n").unwrap();
    chunked.push(b"abcde");
    chunked.push(b"");
    assert_eq!(chunked.loss, Some(Loss::Incomplete));
    chunked.push(b"f");
    chunked.push(b"g");
    assert!(chunked.message.is_empty() && chunked.late_body.is_none(), "the room is given back");
    drop(chunked);
    assert_eq!(dropped(&service)[0], ("body_too_large".to_owned(), 2));
    assert_eq!(copies.now.get(), 0);
}
