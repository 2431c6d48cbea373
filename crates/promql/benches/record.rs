//! Times the queries of a decision: 50 series, one sample a second, two hours. Run with `cargo bench -p serin-promql`.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use serin_promql::{Labels, Query, Store, Value};

const SECONDS: i64 = 7_200;

/// What analysis templates ask, and the record of a decision keeps.
const QUERIES: [&str; 10] = [
    r#"sum(rate(requests_total{version="canary",code!~"5.."}[1m])) / sum(rate(requests_total{version="canary"}[1m]))"#,
    r#"sum(rate(requests_total{version="canary",code=~"5.."}[5m])) / sum(rate(requests_total{version="canary"}[5m]))"#,
    r#"histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket{version="canary"}[5m])))"#,
    "histogram_quantile(0.99, sum by (le, version) (rate(latency_seconds_bucket[5m])))",
    r#"sum(increase(requests_total{version="canary"}[2h]))"#,
    "sum by (version) (rate(latency_seconds_sum[5m])) / sum by (version) (rate(latency_seconds_count[5m]))",
    r#"avg_over_time(score{version="canary"}[10m]) - on() group_left avg_over_time(score{version="stable"}[10m])"#,
    "max_over_time(sum(rate(requests_total[1m]))[30m:15s])",
    r#"absent(requests_total{version="next"})"#,
    "score > 0.9 and on(version) up > 0",
];

/// 2 versions: 8 counters each, 14 series of a histogram each, 3 others each.
fn series() -> Vec<Labels> {
    let mut out = Vec::new();
    for version in ["stable", "canary"] {
        let mut add = |name: &str, pairs: &[(&str, &str)]| {
            let fixed = [("__name__", name), ("job", "model"), ("version", version)];
            out.push(Labels::from_pairs(fixed.into_iter().chain(pairs.iter().copied())));
        };
        for code in ["200", "404", "500", "503"] {
            add("requests_total", &[("code", code), ("method", "GET")]);
            add("requests_total", &[("code", code), ("method", "POST")]);
        }
        for bound in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"] {
            add("latency_seconds_bucket", &[("le", bound)]);
        }
        add("latency_seconds_sum", &[]);
        add("latency_seconds_count", &[]);
        add("score", &[]);
        add("up", &[]);
        add("workers", &[]);
    }
    out
}

fn main() {
    let series = series();
    assert_eq!(series.len(), 50);
    let mut store = Store::default();
    let start = Instant::now();
    for second in 0..SECONDS {
        for (index, labels) in series.iter().enumerate() {
            let value = (second * (index as i64 + 1)) as f64;
            store.append(labels, second * 1000, value).unwrap();
        }
    }
    let each = start.elapsed() / u32::try_from(store.sample_count()).unwrap();
    println!("{} series, {} samples, {each:?} to append one", store.series_count(), store.sample_count());
    for text in QUERIES {
        let query = Query::parse(text).unwrap();
        let at_ms = SECONDS * 1000;
        let answer = query.eval(&store, at_ms).unwrap();
        assert!(!matches!(&answer, Value::Vector(elements) if elements.is_empty()), "{text} finds nothing");
        let (mut rounds, start) = (0_u32, Instant::now());
        while start.elapsed() < Duration::from_millis(300) {
            black_box(query.eval(black_box(&store), at_ms).unwrap());
            rounds += 1;
        }
        println!("{:>10.1?}  {text}", start.elapsed() / rounds);
    }
    let text = QUERIES[0];
    let start = Instant::now();
    (0..1000).for_each(|_| drop(black_box(Query::parse(black_box(text)).unwrap())));
    println!("{:>10.1?}  to parse the first", start.elapsed() / 1000);
    let query = Query::parse(QUERIES[3]).unwrap();
    let start = Instant::now();
    black_box(query.eval_range(&store, 3_600_000, SECONDS * 1000, 15_000).unwrap());
    println!("{:>10.1?}  to evaluate the fourth at 241 times", start.elapsed());
    for text in ["sum_over_time(vector(1)[200y:1ms])", "max_over_time((requests_total + requests_total)[2h:1ms])"] {
        let query = Query::parse(text).unwrap();
        let start = Instant::now();
        assert!(query.eval(&store, SECONDS * 1000).is_err());
        println!("{:>10.1?}  until {text} is given up", start.elapsed());
    }
}
