//! What is read, and above all what is not.

use super::*;

/// The head as `body host keep-alive`, or the reason why it is refused. A head is never complete without its last byte.
fn request(text: &str) -> String {
    let mut headers = empty_headers();
    match read_request(text.as_bytes(), &mut headers) {
        Err(fault) => fault.to_string(),
        Ok(None) => "incomplete".to_owned(),
        Ok(Some(head)) => {
            format!(
                "{} {} {:?} {} {}",
                head.method,
                head.target,
                head.body,
                String::from_utf8_lossy(head.host),
                if head.keep_alive { "keep" } else { "close" }
            )
        }
    }
}

#[track_caller]
fn check(text: &str, expect: &str) {
    assert_eq!(request(text), expect, "{text:?}");
    for cut in 0..text.len() {
        let part = request(&text[..cut]);
        assert!(part == "incomplete" || part == expect, "cut at {cut}: {part}");
    }
}

#[test]
fn requests_are_read() {
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / Empty a keep");
    check("POST /x?y=1 HTTP/1.1\r\nhost: a:80\r\ncontent-length: 12\r\n\r\n", "POST /x?y=1 Length(12) a:80 keep");
    check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", "POST / Chunked a keep");
    check("GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", "GET / Empty [::1]:80 close");
    check("GET / HTTP/1.0\r\n\r\n", "GET / Empty  close");
    check("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "GET / Empty a keep");
    check("GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /c Empty b keep");
    check("GET http://b HTTP/1.1\r\nHost: b\r\n\r\n", "GET / Empty b keep");
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * Empty a keep");
}

#[test]
fn lengths_that_could_be_read_in_two_ways_are_refused() {
    let post = |headers: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    for headers in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: -1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length:",
        "Content-Length: 9999999999999999999",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content_Length: 1",
    ] {
        check(&post(headers), "ambiguous message length");
    }
    for headers in [
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer_Encoding: chunked",
    ] {
        let refused = request(&post(headers));
        assert!(["unsupported transfer coding", "malformed head"].contains(&refused.as_str()), "{headers}: {refused}");
    }
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "unsupported transfer coding");
}

#[test]
fn lines_that_could_be_read_in_two_ways_are_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n  folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n X: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(request(text), "malformed head", "{text:?}");
    }
}

#[test]
fn hosts_versions_and_methods_are_checked() {
    check("GET / HTTP/1.1\r\nA: b\r\n\r\n", "invalid Host");
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "invalid Host");
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", "invalid Host");
    check("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "invalid Host");
    check("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "invalid Host");
    check("GET http://x@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "invalid Host");
    assert_eq!(request("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "unsupported HTTP version");
    assert_eq!(request("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), "unsupported HTTP version");
    check("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "unsupported method");
    let many: String = (0..HEADERS_MAX).map(|i| format!("x{i}: y\r\n")).collect();
    assert_eq!(request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")), "head too large");
}

#[test]
fn headers_about_the_connection_are_told_apart() {
    let own = |text: &str| {
        let mut headers = empty_headers();
        let head = read_request(text.as_bytes(), &mut headers).unwrap().unwrap();
        let kept = head.headers.iter().enumerate().filter(|(i, _)| head.own & (1 << i) == 0);
        kept.map(|(_, h)| h.name.to_owned()).collect::<Vec<_>>()
    };
    let text = "POST / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
                TE: trailers\r\nTrailer: x\r\nProxy-Connection: x\r\nUpgrade: websocket\r\nAccept: b\r\n\
                Content-Length: 0\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(own(text), ["Accept"]);
    let text =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for, accept\r\nX-Forwarded-For: 1\r\nAccept: b\r\n\r\n";
    assert_eq!(own(text), ["X-Forwarded-For"], "nobody may take away where a request comes from");
}

#[test]
fn a_change_of_protocol_needs_both_headers_and_one_protocol() {
    let upgrade = |headers: &str| {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
        let mut headers = empty_headers();
        read_request(text.as_bytes(), &mut headers).unwrap().unwrap().upgrade.map(str::to_owned)
    };
    assert_eq!(upgrade("Connection: Upgrade\r\nUpgrade: websocket").as_deref(), Some("websocket"));
    assert_eq!(upgrade("Upgrade: websocket"), None);
    assert_eq!(upgrade("Connection: upgrade"), None);
    assert_eq!(upgrade("Connection: upgrade\r\nUpgrade: websocket, h2c"), None);
    assert_eq!(upgrade("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c"), None);
}

#[test]
fn answers_are_read() {
    let check = |text: &str, to_head: bool, expect: &str| {
        let mut headers = empty_headers();
        let got = match read_response(text.as_bytes(), &mut headers, to_head) {
            Err(fault) => fault.to_string(),
            Ok(None) => "incomplete".to_owned(),
            Ok(Some(h)) => format!("{} {:?} {}", h.status, h.body, if h.keep_alive { "keep" } else { "close" }),
        };
        assert_eq!(got, expect, "{text:?}");
    };
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, "200 Length(3) keep");
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, "200 Empty keep");
    check("HTTP/1.1 204\r\n\r\n", false, "204 Empty keep");
    check("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", false, "304 Empty keep");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, "200 Chunked keep");
    check("HTTP/1.1 200 OK\r\n\r\n", false, "200 UntilClose close");
    check("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", false, "200 Length(3) close");
    check("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", false, "200 Length(3) keep");
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        false,
        "ambiguous message length",
    );
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", false, "ambiguous message length");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, "unsupported transfer coding");
    check("HTTP/1.1 200 OK\nContent-Length: 3\n\n", false, "malformed head");
    check("HTTP/1.1 099 Low\r\n\r\n", false, "malformed head");
    check("HTTP/1.1 200 OK\r\nContent-Le", false, "incomplete");
}

/// The data of a body and what is left after it, however it is cut.
fn decode(body: Body, input: &[u8], cut: usize) -> Result<(Vec<u8>, usize, bool), Fault> {
    let (mut decoder, mut data, mut used) = (Decoder::new(body), Vec::new(), 0);
    for end in [cut, input.len()] {
        while used < end && !decoder.is_done() {
            let step = decoder.step(&input[used..end])?;
            assert!(step.consumed > 0, "no progress at {used}");
            data.extend_from_slice(&input[used..end][step.data]);
            used += step.consumed;
        }
    }
    Ok((data, used, decoder.is_done()))
}

#[track_caller]
fn check_chunks(input: &str, expect: Result<(&str, &str), Fault>) {
    for cut in 0..=input.len() {
        let got = decode(Body::Chunked, input.as_bytes(), cut);
        let got = got.map(|(data, used, done)| {
            assert!(done, "{input:?} did not end");
            (String::from_utf8(data).unwrap(), &input[used..])
        });
        assert_eq!(got.as_ref().map(|(d, r)| (d.as_str(), *r)), expect.as_ref().copied(), "{input:?} cut at {cut}");
    }
}

#[test]
fn chunks_are_read_at_any_cut() {
    check_chunks("0\r\n\r\n", Ok(("", "")));
    check_chunks("3\r\nabc\r\n0\r\n\r\nGET", Ok(("abc", "GET")));
    check_chunks("1\r\na\r\nA\r\n0123456789\r\n00\r\n\r\n", Ok(("a0123456789", "")));
    check_chunks("3;x=y;z=\"a;b\"\r\nabc\r\n0\r\nTrailer: x\r\nOther:\r\n\r\nrest", Ok(("abc", "rest")));
}

#[test]
fn chunks_that_could_be_read_in_two_ways_are_refused() {
    for input in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        ";x\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "0000000000000003\r\nabc\r\n0\r\n\r\n",
        "0\r\n\n",
        "0\r\nX\r\n\r\n",
        "0\r\n folded: x\r\n\r\n",
        "0\r\nX: a\nY: b\r\n\r\n",
    ] {
        check_chunks(input, Err(Fault::Chunk));
    }
    let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(2_000));
    assert_eq!(decode(Body::Chunked, long.as_bytes(), 0), Err(Fault::Chunk));
    let long = format!("0\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(decode(Body::Chunked, long.as_bytes(), 0), Err(Fault::Chunk));
}

#[test]
fn bodies_with_a_length_end_there() {
    for cut in 0..=6 {
        assert_eq!(decode(Body::Length(4), b"abcdef", cut), Ok((b"abcd".to_vec(), 4, true)));
        assert_eq!(decode(Body::Empty, b"abcdef", cut), Ok((Vec::new(), 0, true)));
        assert_eq!(decode(Body::UntilClose, b"abcdef", cut), Ok((b"abcdef".to_vec(), 6, false)));
    }
    assert!(!Decoder::new(Body::Chunked).may_close() && !Decoder::new(Body::Length(1)).may_close());
    assert!(Decoder::new(Body::UntilClose).may_close());
}

/// Another way to tell: every line feed follows a carriage return, and there is one for every line.
fn has_strict_lines(head: &[u8], headers: usize) -> bool {
    let feeds = head.iter().filter(|b| **b == b'\n').count();
    feeds == headers + 2 && head.windows(2).all(|w| w[1] != b'\n' || w[0] == b'\r') && head[0] != b'\n'
}

proptest::proptest! {
    #[test]
    fn lines_end_in_one_way_only(parts in proptest::collection::vec(
        proptest::sample::select(vec!["\r\n", "\n", "\r", "a: b", "c:", ":d", " ", "\t", "e: f \r\n", "g:h\n"]), 0..8)
    ) {
        for start in ["GET / HTTP/1.1", "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1"] {
            let text = format!("{start}{}\r\n\r\n", parts.concat());
            let mut room = empty_headers();
            let mut request = httparse::Request::new(&mut []);
            let Ok(httparse::Status::Complete(len)) = request.parse_with_uninit_headers(text.as_bytes(), &mut room) else {
                continue;
            };
            let head = &text.as_bytes()[..len];
            let strict = head::strict_lines(head, request.headers).is_ok();
            proptest::prop_assert_eq!(strict, has_strict_lines(head, request.headers.len()), "{:?}", text);
        }
    }
}
