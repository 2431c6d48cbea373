//! What goes upstream, word by word.

use super::*;
use crate::routing::Memory;
use crate::table::Table;

fn routing(options: &str) -> Routing {
    let text = format!(
        r#"{{"version": 1, "routes": [{{"name": "r", "host": "a", {options}
            "split": {{"groups": [{{"version": "v", "endpoints": [], "weight": 1}}, {{"version": "w", "endpoints": [], "weight": 1}}]}}}}]}}"#
    );
    let table: Table = serde_json::from_str(&text).unwrap();
    Memory::new(1, 1).prepare(table).unwrap()
}

fn take(options: &str, trust_forwarded: bool, request: &str) -> (Intake, String) {
    let seed = std::cell::Cell::new(0);
    let random = || {
        seed.set(seed.get() + 1);
        seed.get()
    };
    let around = Surroundings {
        routing: &routing(options),
        peer: "10.0.0.9",
        trust_forwarded,
        head_bytes_max: 1000,
        random: &random,
        copies: &Copies::new(0, 1, 100),
    };
    let mut out = Vec::new();
    let intake = take_in(request.as_bytes(), &around, &mut out);
    (intake, String::from_utf8(out).unwrap())
}

#[track_caller]
fn check(options: &str, trust: bool, headers: &str, expect: &str) {
    let request = format!("GET /p?q HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    let (intake, sent) = take(options, trust, &request);
    assert!(matches!(intake, Intake::Plan(_, n) if n == request.len()), "{intake:?}");
    let rest = sent.strip_prefix("GET /p?q HTTP/1.1\r\nhost: a\r\n").expect(&sent);
    let lines: Vec<_> = rest.strip_suffix("\r\n\r\n").expect(rest).split("\r\n").collect();
    assert_eq!(lines.join("|"), expect);
}

#[test]
fn the_origin_is_told_and_not_believed() {
    let fresh = "x-forwarded-for: 10.0.0.9|x-forwarded-proto: http|x-forwarded-host: a";
    check("", false, "Accept: b", &format!("Accept: b|{fresh}"));
    let claimed = "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n\
                   Forwarded: for=1\r\nX-Forwarded-Host: evil";
    check("", false, claimed, fresh);
    check(
        "",
        true,
        claimed,
        "X-Forwarded-Proto: https|X-Forwarded-Port: 1|Forwarded: for=1|X-Forwarded-Host: evil|\
         x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.9",
    );
}

#[test]
fn bodies_and_wishes_are_written_anew() {
    let fresh = "x-forwarded-for: 10.0.0.9|x-forwarded-proto: http|x-forwarded-host: a";
    check("", false, "Content-Length:   007", &format!("{fresh}|content-length: 7"));
    check("", false, "Transfer-Encoding:chunked\r\nTE: x", &format!("{fresh}|transfer-encoding: chunked"));
    check("", false, "Expect: 100-Continue", &format!("{fresh}|expect: 100-continue"));
    check(
        "",
        false,
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k",
        &format!("Sec-WebSocket-Key: k|{fresh}|connection: upgrade|upgrade: websocket"),
    );
    check("", false, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x", fresh);
}

#[test]
fn request_ids_are_kept_or_made() {
    let fresh = "x-forwarded-for: 10.0.0.9|x-forwarded-proto: http|x-forwarded-host: a";
    let option = "\"request_id\": true,";
    check(option, false, "X-Request-Id: mine", &format!("X-Request-Id: mine|{fresh}"));
    check(option, false, "Accept: b", &format!("Accept: b|{fresh}|x-request-id: 00000000000000010000000000000002"));
}

#[test]
fn visitors_keep_their_version() {
    let option = "\"sticky\": {\"cookie\": {\"name\": \"serin\"}},";
    let plan = |headers: &str| match take(option, false, &format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n")).0 {
        Intake::Plan(plan, _) => plan,
        other => panic!("{other:?}"),
    };
    let first = plan("Accept: b");
    let cookie = first.set_cookie.unwrap();
    let pair = cookie.strip_suffix("; Path=/; HttpOnly; SameSite=Lax").unwrap();
    for headers in [format!("Cookie: a=b; {pair}"), format!("Cookie: x=serin\r\nCookie: {pair};z=1")] {
        let again = plan(&headers);
        assert_eq!((again.group, again.set_cookie), (first.group, None));
    }
    assert!(plan("Cookie: serin=; xserin=1").set_cookie.is_some(), "an empty one is none");
}

#[test]
fn what_goes_nowhere_is_told_why() {
    let reason = |request: &str| match take("", false, request).0 {
        Intake::Refused(reason, keep) => (reason, keep.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("GET / HTTP/1.1\r\nHost: b\r\n\r\n"), (Reason::NoRoute, true));
    assert_eq!(reason("GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"), (Reason::NoRoute, false));
    assert_eq!(reason("GET / HTTP/1.1\r\n\r\n"), (Reason::BadHost, false));
    assert_eq!(reason(&format!("GET /{}", "x".repeat(1000))), (Reason::HeadTooLarge, false));
    assert_eq!(
        reason(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1000))),
        (Reason::HeadTooLarge, false)
    );
    assert!(matches!(take("", false, "GET / HT").0, Intake::More));
}

#[test]
fn numbers_are_written_as_everybody_writes_them() {
    for n in [0u64, 9, 10, 15, 16, 255, 4096, 65_535, u64::MAX] {
        let (mut decimal, mut hex) = (Vec::new(), Vec::new());
        write_decimal(n, &mut decimal);
        write_chunk_size(n as usize, &mut hex);
        assert_eq!(decimal, n.to_string().into_bytes());
        assert_eq!(hex, format!("{n:x}\r\n").into_bytes());
    }
}
