//! Counters of processes that a real Prometheus scrapes: every request is counted once, restarts and pauses included.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serin_promql::{Labels, Store, text};
use serin_providers::counters::{Cursor, Delta, Queries, Questions, Reading, Resets, ask, request};
use serin_spec::wire::provider::PrometheusMetric;

use super::server;

/// How long a scrape may take to come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process with a metrics page of its own.
#[derive(Clone)]
struct Process {
    address: String,
    /// What it has counted, by version and code; none while its page fails.
    counted: Arc<Mutex<Option<Counted>>>,
}

type Counted = BTreeMap<(&'static str, u16), u64>;

impl Process {
    fn start() -> Process {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let process = Process { address, counted: Arc::new(Mutex::new(Some(BTreeMap::new()))) };
        let shared = process.clone();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let answer = match shared.page() {
                    Some(page) => format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n{page}"),
                    None => "HTTP/1.0 500 Oops\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        process
    }

    fn page(&self) -> Option<String> {
        let counted = self.counted.lock().unwrap();
        let series = counted.as_ref()?.iter();
        let lines =
            series.map(|((version, code), n)| format!("requests_total{{v=\"{version}\",code=\"{code}\"}} {n}\n"));
        Some(format!("# TYPE requests_total counter\n{}", lines.collect::<String>()))
    }

    fn answers(&self, version: &'static str, code: u16, n: u64) {
        *self.counted.lock().unwrap().as_mut().unwrap().entry((version, code)).or_default() += n;
    }

    fn set(&self, counted: Option<&[(&'static str, u16, u64)]>) {
        let counted = counted.map(|all| all.iter().map(|(version, code, n)| ((*version, *code), *n)).collect());
        *self.counted.lock().unwrap() = counted;
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn queries(wrap: impl Fn(&str) -> String) -> Queries {
    let bad = |v: &str| wrap(&format!("requests_total{{v=\"{v}\",code=~\"5..\"}}"));
    let all = |v: &str| wrap(&format!("requests_total{{v=\"{v}\"}}"));
    Queries::new([bad("canary"), all("canary"), bad("stable"), all("stable")]).unwrap()
}

/// What looks have told since the last question: canary bad, canary, stable bad, stable.
#[derive(Default)]
struct Told([f64; 4]);

impl Told {
    fn add(&mut self, delta: &Delta) {
        let Delta::Counts(interval) = delta else { return };
        let grown = [interval.canary.bad, interval.canary.total, interval.stable.bad, interval.stable.total];
        self.0.iter_mut().zip(grown).for_each(|(told, grown)| *told += grown);
    }
}

struct Watch {
    server: server::Server,
    queries: Queries,
    cursor: Cursor,
    told: Told,
    resets: usize,
}

impl Watch {
    async fn reading(&self) -> Reading {
        let at_ms = now_ms();
        let request = request(&self.queries, &PrometheusMetric::default(), Some(&self.server.address), at_ms).unwrap();
        ask(request, at_ms).await.unwrap()
    }

    async fn look(&mut self) -> Delta {
        let reading = self.reading().await;
        let delta = self.cursor.advance(Ok(reading));
        self.told.add(&delta);
        self.resets += usize::from(matches!(delta, Delta::Reset { .. }));
        delta
    }

    /// Looks until so much was told since the last time.
    async fn until(&mut self, want: [f64; 4]) {
        let deadline = Instant::now() + PATIENCE;
        while self.told.0 != want {
            assert!(Instant::now() < deadline, "told {:?}, not {want:?}", self.told.0);
            tokio::time::sleep(Duration::from_millis(40)).await;
            self.look().await;
        }
        // Nothing more comes without requests.
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(40)).await;
            self.look().await;
        }
        assert_eq!(self.told.0, want);
        self.told = Told::default();
    }

    /// Looks until the counters at hand satisfy something.
    async fn wait(&mut self, enough: impl Fn(&Reading) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reading = self.reading().await;
            if enough(&reading) {
                return;
            }
            assert!(Instant::now() < deadline, "{reading:?}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}

async fn watch(processes: &[Process], queries: Queries) -> Watch {
    let targets: Vec<String> = processes.iter().map(|process| format!("'{}'", process.address)).collect();
    let config = format!(
        "scrape_configs:\n- job_name: model\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  static_configs: [{{targets: [{}]}}]\n",
        targets.join(", ")
    );
    let cursor = Cursor::new(queries.resets(), Cursor::GAP_MAX_MS);
    Watch { server: server::start(&config).await, queries, cursor, told: Told::default(), resets: 0 }
}

#[tokio::test]
async fn every_request_is_counted_once() {
    let [first, second] = [Process::start(), Process::start()];
    first.answers("stable", 200, 1000);
    first.answers("stable", 500, 7);
    second.answers("stable", 200, 500);
    let queries = queries(str::to_owned);
    assert_eq!(queries.resets(), [Resets::PerSeries; 4]);
    let mut watch = watch(&[first.clone(), second.clone()], queries).await;
    let both = |reading: &Reading| format!("{:?}", reading.stable_total).matches("SeriesId").count() == 3;
    watch.wait(both).await;
    // No canary has answered yet, and that look is a base all the same.
    assert!(matches!(watch.look().await, Delta::Missing { why } if why.contains("the canary's answers")));
    second.answers("canary", 200, 20);
    watch.until([0.0, 20.0, 0.0, 0.0]).await;
    first.answers("stable", 200, 100);
    second.answers("canary", 200, 20);
    watch.until([0.0, 20.0, 0.0, 100.0]).await;
    second.answers("canary", 500, 3);
    second.answers("stable", 502, 1);
    watch.until([3.0, 3.0, 1.0, 1.0]).await;
    // It is restarted: what it counts now happened since.
    second.set(Some(&[("canary", 200, 5), ("canary", 500, 1), ("stable", 200, 4)]));
    watch.until([1.0, 6.0, 0.0, 4.0]).await;
    // Its scrapes fail, it goes on meanwhile, and is scraped again.
    second.set(None);
    watch.wait(|reading| reading.canary_total.is_absent()).await;
    first.answers("stable", 200, 9);
    assert!(matches!(watch.look().await, Delta::Missing { .. }));
    second.set(Some(&[("canary", 200, 8), ("canary", 500, 2), ("stable", 200, 4)]));
    watch.until([1.0, 4.0, 0.0, 9.0]).await;
    assert_eq!(watch.resets, 0);
}

#[tokio::test]
async fn a_sum_over_processes_does_not_tell_what_it_lost() {
    let [first, second] = [Process::start(), Process::start()];
    first.set(Some(&[("stable", 200, 1000), ("canary", 200, 50)]));
    second.set(Some(&[("canary", 200, 100)]));
    let queries = queries(|query| format!("sum({query})"));
    assert_eq!(queries.resets(), [Resets::Sum; 4]);
    let mut watch = watch(&[first.clone(), second.clone()], queries).await;
    watch.wait(|reading| format!("{:?}", reading.canary_total).contains("150.0")).await;
    assert_eq!(watch.look().await, Delta::First);
    second.answers("canary", 200, 10);
    watch.until([0.0, 10.0, 0.0, 0.0]).await;
    second.set(Some(&[("canary", 200, 2)]));
    watch.until([0.0, 0.0, 0.0, 0.0]).await;
    watch.wait(|reading| format!("{:?}", reading.canary_total).contains("52.0")).await;
    while watch.resets == 0 {
        watch.look().await;
    }
    first.answers("canary", 500, 1);
    watch.until([1.0, 1.0, 0.0, 0.0]).await;
}

/// The store of this process gives the same readings as a server that scraped the same pages.
#[tokio::test]
async fn the_embedded_store_reads_the_same() {
    let process = Process::start();
    process.set(Some(&[("stable", 200, 10), ("stable", 503, 2), ("canary", 200, 4)]));
    let queries = queries(|query| format!("sum by (code) ({query}) # by code\n"));
    let watch = watch(std::slice::from_ref(&process), queries.clone()).await;
    let deadline = Instant::now() + PATIENCE;
    let mut reading = watch.reading().await;
    while reading.canary_total.is_absent() {
        assert!(Instant::now() < deadline, "it is not scraped");
        tokio::time::sleep(Duration::from_millis(40)).await;
        reading = watch.reading().await;
    }
    let mut store = Store::default();
    let page = process.page().unwrap();
    store.append_scrape(&Labels::from_pairs([("job", "model")]), &text::parse(&page).unwrap(), reading.at_ms);
    let own = Questions::new(&queries).unwrap().reading(&store, reading.at_ms).unwrap();
    assert_eq!(own, reading);
}
