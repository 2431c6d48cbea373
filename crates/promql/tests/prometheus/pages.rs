//! A service whose metrics page changes with every scrape.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What both sides are asked after each scrape.
pub(crate) const QUERIES: [&str; 9] = [
    r#"{__name__=~"counter_total|blinks|clash|escapes|odd"}"#,
    "own_time",
    "timestamp(own_time)",
    "count_over_time(blinks[5s])",
    "rate(counter_total[4s])",
    "changes(odd[10s])",
    "last_over_time(blinks[3s])",
    r#"count by (exported_job, exported_zone, exported_exported_zone) (clash)"#,
    "absent(blinks)",
];

/// The pages that have been served, in order; none stands for a failure.
type Served = Arc<Mutex<Vec<Option<String>>>>;

pub(crate) struct Server {
    pub(crate) address: String,
    served: Served,
}

impl Server {
    pub(crate) fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Served::default();
        let shared = served.clone();
        // It ends with the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let mut served = shared.lock().unwrap();
                // The sixth scrape fails.
                let page = (served.len() != 5).then(|| page(served.len()));
                let answer = match &page {
                    Some(page) => format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n{page}"),
                    None => "HTTP/1.0 500 Oops\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
                served.push(page);
            }
        });
        Server { address, served }
    }

    /// The pages, once there are so many.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Option<String>> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let served = self.served.lock().unwrap().clone();
            if served.len() >= count {
                return served;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("prometheus does not scrape")
    }
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn page(index: usize) -> String {
    let mut page =
        format!("# TYPE counter_total counter\ncounter_total {}\n", [5, 17, 40, 3, 9, 0, 25, 26, 27][index % 9]);
    if !matches!(index, 2 | 3 | 7) {
        page.push_str("blinks{a=\"1\"} 1\n");
    }
    page.push_str(&format!("blinks{{a=\"2\"}} {index}\n"));
    page.push_str(&format!("clash{{job=\"own\",zone=\"b\",exported_zone=\"c\"}} {index}\n"));
    page.push_str("escapes{text=\"a\\\"b\\\\c\\nd}é\",empty=\"\"} 1e3\n");
    page.push_str(&format!("odd {}\n", ["NaN", "+Inf", "-Inf", "0"][index % 4]));
    page.push_str(&format!("own_time {index} {}\n", now_ms() - 300));
    page
}
