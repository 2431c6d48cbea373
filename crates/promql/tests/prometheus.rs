//! The same queries over the same series here and in a real Prometheus: the numbers agree.

#![expect(clippy::disallowed_methods, reason = "it starts a server and waits for it")]

#[path = "prometheus/compare.rs"]
mod compare;
#[path = "prometheus/data.rs"]
mod data;
#[path = "prometheus/pages.rs"]
mod pages;
#[path = "prometheus/queries.rs"]
mod queries;
#[path = "prometheus/server.rs"]
mod server;

use compare::{Numbers, agree, ours, theirs};
use serin_promql::{Labels, Query, Store, text};
use server::Server;

#[test]
fn numbers_agree_with_a_real_prometheus() {
    let samples = data::generate();
    let mut store = Store::default();
    for (labels, t_ms, value) in &samples {
        store.append(labels, *t_ms, *value).unwrap();
    }
    let server = Server::filled(&data::open_metrics(&samples));
    let mut different = Vec::new();
    let (mut asked, mut answered) = (0, 0);
    for text in queries::all() {
        let query = Query::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for at_ms in data::TIMES_MS {
            let (our, their) = (
                ours(query.eval(&store, at_ms).unwrap_or_else(|error| panic!("{text}: {error}")), at_ms),
                theirs(&server.query(&queries::old_names(&text), at_ms)),
            );
            asked += 1;
            answered += usize::from(!their.is_empty());
            if !agree(&our, &their) {
                different.push(format!("{text} at {at_ms}:\n  ours   {our:?}\n  theirs {their:?}"));
            }
        }
        let (start_ms, end_ms) = (data::TIMES_MS[0], data::TIMES_MS[0] + 20 * 67_000);
        let our = ours(query.eval_range(&store, start_ms, end_ms, 67_000).unwrap(), start_ms);
        let their = theirs(&server.query_range(&queries::old_names(&text), start_ms, end_ms, 67_000));
        asked += 1;
        answered += usize::from(!their.is_empty());
        if !agree(&our, &their) {
            different.push(format!("{text} over time:\n  ours   {our:?}\n  theirs {their:?}"));
        }
    }
    println!("{asked} answers compared, {answered} of them with data, over {} samples", samples.len());
    assert!(different.is_empty(), "{} of {asked} differ:\n{}", different.len(), different.join("\n"));
    assert!(answered * 10 > asked * 9, "only {answered} of {asked} answers have data");
}

/// Both sides scrape the same pages at the same times: labels of the target, series that vanish and come back, a failed
/// scrape, samples with times of their own.
#[test]
fn scrapes_leave_the_same_series() {
    let pages = pages::Server::start();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: model\n  static_configs:\n  \
         - {{targets: ['{}'], labels: {{zone: a}}}}\n",
        pages.address
    );
    let server = Server::scraping(&config);
    let served = pages.wait_for(10);
    let up = theirs(&server.query("up[1h]", pages::now_ms()));
    let scrapes = up.values().next().unwrap();
    let target = Labels::from_pairs([("job", "model"), ("instance", pages.address.as_str()), ("zone", "a")]);
    let mut store = Store::default();
    // The last page may be on its way still.
    let known: Vec<_> = served.iter().zip(scrapes).take(9).collect();
    for (page, (t_ms, up)) in &known {
        match page {
            Some(page) if *up == 1.0 => {
                let samples = text::parse(page).unwrap();
                assert_eq!(store.append_scrape(&target, &samples, *t_ms).appended, samples.len());
            }
            // The service failed, or was too slow on a busy machine.
            _ => {
                assert_eq!(*up, 0.0);
                store.target_gone(&target, *t_ms);
            }
        }
    }
    let mut different = Vec::new();
    let mut answered = 0;
    for (_, (t_ms, _)) in &known {
        for (query, after_ms) in pages::QUERIES.iter().flat_map(|query| [(query, 0), (query, 450)]) {
            // At the time of a scrape itself, ranges would have a sample exactly at their edge.
            let at_ms = t_ms + after_ms + if query.contains('[') { 7 } else { 0 };
            let our = ours(Query::parse(query).unwrap().eval(&store, at_ms).unwrap(), at_ms);
            let their = theirs(&server.query(query, at_ms));
            answered += usize::from(!their.is_empty());
            if !agree(&our, &their) {
                different.push(format!("{query} at {at_ms}:\n  ours   {our:?}\n  theirs {their:?}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(answered > 100, "only {answered} answers have data");
}

#[test]
fn the_comparison_notices_differences() {
    let numbers = |label: &str, value: f64| Numbers::from([(Labels::from_pairs([("a", label)]), vec![(0, value)])]);
    assert!(agree(&numbers("1", 1.0), &numbers("1", 1.0 + 1e-12)));
    assert!(agree(&numbers("1", f64::NAN), &numbers("1", f64::NAN)));
    assert!(!agree(&numbers("1", 1.0), &numbers("1", 1.0 + 1e-8)));
    assert!(!agree(&numbers("1", 1.0), &numbers("2", 1.0)));
    assert!(!agree(&numbers("1", 1.0), &Numbers::new()));
}
