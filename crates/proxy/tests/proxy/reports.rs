//! What the proxy tells: statistics, batches, predictions, metrics.

use std::io::Write;
use std::time::Duration;

use serin_proxy::sketch::latency;

use crate::rig::{Message, Proxy, Talk, Upstream, reply, table, until};

/// Answers with the body of the request.
fn mirror() -> Upstream {
    Upstream::start(|request, stream| {
        let body = request.text();
        match request.first_line.split(' ').nth(1).unwrap() {
            "/chunked" => {
                let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                request.body.iter().for_each(|b| out.extend(format!("1\r\n{}\r\n", *b as char).into_bytes()));
                out.extend(b"0\r\n\r\n");
                stream.write_all(&out).is_ok()
            }
            "/gzip" => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(head.as_bytes()).is_ok()
            }
            "/error" => {
                let head = format!("HTTP/1.1 500 Broken\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(head.as_bytes()).is_ok()
            }
            "/slow" => {
                std::thread::sleep(Duration::from_millis(120));
                reply(stream, &body)
            }
            _ => reply(stream, &body),
        }
    })
}

fn ask(talk: &mut Talk, path: &str, body: &str) -> Message {
    talk.post(path, body)
}

#[test]
fn predictions_are_captured_from_all_kinds_of_answers() {
    let upstream = mirror();
    let proxy = Proxy::start(table(1, &[("v", 1, &[upstream.address])]));
    let mut talk = proxy.talk();
    ask(&mut talk, "/", r#"{"prediction":"cat"}"#);
    ask(&mut talk, "/chunked", r#"{"other":{"prediction":"no"},"prediction":"cat"}"#);
    ask(&mut talk, "/", r#"{"prediction":1}"#);
    ask(&mut talk, "/", r#"{"prediction":0.25}"#);
    ask(&mut talk, "/", r#"{"prediction":true}"#);
    ask(&mut talk, "/gzip", r#"{"prediction":"no"}"#);
    ask(&mut talk, "/error", r#"{"prediction":"no"}"#);
    ask(&mut talk, "/", "not json");
    let long = format!(r#"{{"filler":"{}","prediction":"no"}}"#, "x".repeat(300_000));
    assert_eq!(ask(&mut talk, "/", &long).body.len(), long.len());
    let counts = proxy.stats().versions.remove(0);
    let classes: Vec<_> = counts.predictions.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(classes, [("1", 1), ("cat", 2), ("true", 1)]);
    assert_eq!((counts.numbers.count, counts.numbers.sum), (2, 1.25));
    assert_eq!(counts.predictions_missing, 2, "what is coded or no success is not looked at");
}

#[test]
fn answers_are_counted_by_class_and_time() {
    let upstream = mirror();
    let proxy = Proxy::start(table(1, &[("v", 1, &[upstream.address])]));
    let mut talk = proxy.talk();
    for _ in 0..3 {
        ask(&mut talk, "/", "{}");
    }
    ask(&mut talk, "/error", "{}");
    ask(&mut talk, "/slow", "{}");
    let counts = proxy.stats().versions.remove(0);
    assert_eq!((counts.by_class.success, counts.by_class.server_error, counts.answered()), (4, 1, 5));
    assert_eq!(latency::count_above(&counts.latency, 100_000), 1);
    assert!((120_000..1_000_000).contains(&counts.latency_us_sum), "{}", counts.latency_us_sum);
    let p99 = latency::quantile_us(&counts.latency, 0.99).unwrap();
    assert!((120_000..400_000).contains(&p99), "{p99}");
}

#[test]
fn batches_add_up_to_the_totals() {
    let upstream = mirror();
    let proxy = Proxy::start(table(1, &[("v", 1, &[upstream.address])]));
    let mut talk = proxy.talk();
    let mut sent = 0;
    let mut batches = Vec::new();
    let mut last = 0;
    until("three seconds with requests", || {
        ask(&mut talk, "/", r#"{"prediction":"cat"}"#);
        sent += 1;
        let new = proxy.wait(proxy.client.batches(last)).unwrap();
        last = new.last().map_or(last, |b| b.seq);
        batches.extend(new);
        batches.len() >= 3
    });
    until("all are in a batch", || {
        let new = proxy.wait(proxy.client.batches(last)).unwrap();
        last = new.last().map_or(last, |b| b.seq);
        batches.extend(new);
        batches.iter().flat_map(|b| &b.versions).map(|v| v.by_class.success).sum::<u64>() == sent
    });
    assert!(batches.windows(2).all(|w| w[0].seq < w[1].seq && w[0].start_ms + w[0].duration_ms == w[1].start_ms));
    assert!(
        batches[..3].iter().all(|b| (500..3_000).contains(&b.duration_ms)),
        "{:?}",
        batches.iter().map(|b| b.duration_ms).collect::<Vec<_>>()
    );
    let versions = || batches.iter().flat_map(|b| &b.versions);
    assert_eq!(versions().filter_map(|v| v.predictions.get("cat")).sum::<u64>(), sent);
    assert_eq!(versions().flat_map(|v| &v.latency).map(|(_, n)| n).sum::<u64>(), sent);
}

#[test]
fn metrics_are_served_over_http_and_the_socket() {
    let upstream = mirror();
    let proxy = Proxy::with(table(1, &[("v", 1, &[upstream.address])]), |config| {
        config.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    });
    let mut talk = proxy.talk();
    ask(&mut talk, "/", r#"{"prediction":"cat"}"#);
    talk.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").answer();
    let scraped = Talk::to(proxy.info.metrics_listen.unwrap()).get("/metrics");
    assert_eq!(scraped.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for text in [scraped.text(), proxy.wait(proxy.client.metrics()).unwrap()] {
        for line in [
            r#"serin_router_requests_total{route="test/route",version="v",code_class="2xx"} 1"#,
            r#"serin_router_request_duration_seconds_count{route="test/route",version="v"} 1"#,
            r#"serin_router_request_duration_seconds_bucket{route="test/route",version="v",le="10"} 1"#,
            r#"serin_router_predictions_total{route="test/route",version="v",prediction="cat"} 1"#,
            r#"serin_router_in_flight{route="test/route",version="v"} 0"#,
            r#"serin_router_rejected_total{reason="bad_host"} 1"#,
            "serin_router_table_version 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
    let other = |path: &str| Talk::to(proxy.info.metrics_listen.unwrap()).get(path).status();
    assert_eq!((other("/healthz"), other("/")), (200, 404));
}
