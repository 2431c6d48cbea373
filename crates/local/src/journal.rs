//! The recent metrics on disk, so that a restarted process finds the windows of its queries filled: a snapshot of the series, and
//! beside it the pages scraped since, one JSON line each. A kill between the two loses nothing; a torn last line is left out.
//! Metrics are not worth a disk flush each: what a power failure takes are some seconds of a window.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serin_promql::{Labels, Limits, Store, text};

/// What a snapshot holds: windows of queries are rarely longer, and a smaller one is written faster. Milliseconds.
const WINDOW_MS: i64 = 15 * 60 * 1000;

/// Time between two snapshots.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// The pages between two snapshots may take this much; then the next snapshot comes early.
const PAGES_MAX: u64 = 16 << 20;

/// A page larger than this is left to the next snapshot: a router of hundreds of rollouts would fill the disk.
const PAGE_MAX: usize = 256 << 10;

/// One scrape.
#[derive(Debug, Serialize, Deserialize)]
struct Scrape {
    t: i64,
    target: Vec<(String, String)>,
    /// The page; without one the target is gone.
    page: Option<String>,
}

/// The files of a state folder.
#[derive(Debug)]
pub struct Journal {
    snapshot: PathBuf,
    pages: PathBuf,
    open: Option<File>,
    written: u64,
    taken: Instant,
}

impl Journal {
    /// The journal of a state folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            snapshot: folder.join("series.snapshot"),
            pages: folder.join("series.pages"),
            open: None,
            written: 0,
            taken: Instant::now(),
        }
    }

    /// The series as they were left. Files that cannot be read are as good as none: the windows fill again.
    pub fn restore(&self, limits: Limits) -> Store {
        let kept = std::fs::read(&self.snapshot).ok().and_then(|bytes| Store::restore(&bytes, limits));
        let mut store = kept.unwrap_or_else(|| Store::new(limits));
        let Ok(file) = File::open(&self.pages) else { return store };
        for line in BufReader::new(file).lines() {
            let Ok(line) = line else { break };
            let Ok(scrape) = serde_json::from_str::<Scrape>(&line) else { continue };
            let target = Labels::from_pairs(scrape.target);
            match scrape.page {
                None => {
                    store.target_gone(&target, scrape.t);
                }
                Some(page) => {
                    if let Ok(samples) = text::parse(&page) {
                        store.append_scrape(&target, &samples, scrape.t);
                    }
                }
            }
        }
        store
    }

    /// Keeps a scraped page, or that a target is gone.
    pub fn keep(&mut self, t: i64, target: &Labels, page: Option<&str>) {
        if page.is_some_and(|p| p.len() > PAGE_MAX) {
            return;
        }
        let target = target.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let Ok(mut line) = serde_json::to_vec(&Scrape { t, target, page: page.map(str::to_owned) }) else { return };
        line.push(b'\n');
        if self.open.is_none() {
            self.open = OpenOptions::new().create(true).append(true).open(&self.pages).ok();
        }
        // A full disk is reported by the state; metrics go on in memory.
        if let Some(file) = &mut self.open
            && file.write_all(&line).is_ok()
        {
            self.written += line.len() as u64;
        }
    }

    /// Whether the next snapshot is due.
    pub fn is_due(&self) -> bool {
        self.taken.elapsed() >= SNAPSHOT_EVERY || self.written > PAGES_MAX
    }

    /// Writes a snapshot, and begins the pages anew once it is in place.
    pub fn take(&mut self, store: &Store) {
        self.taken = Instant::now();
        let beside = self.snapshot.with_extension("new");
        let written =
            std::fs::write(&beside, store.snapshot(WINDOW_MS)).and_then(|()| std::fs::rename(&beside, &self.snapshot));
        if written.is_ok() {
            self.open = File::create(&self.pages).ok();
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serin_promql::{Query, Value};

    fn total(store: &Store, at_ms: i64) -> Option<f64> {
        match Query::parse("sum(increase(n_total[1m]))").unwrap().eval(store, at_ms).unwrap() {
            Value::Vector(elements) => elements.first().map(|(_, n)| n.round()),
            _ => None,
        }
    }

    #[test]
    fn a_process_that_is_killed_at_any_moment_leaves_its_windows() {
        let folder = tempfile::tempdir().unwrap();
        let target = Labels::from_pairs([("pod", "a")]);
        let mut whole = Store::new(Limits::default());
        // Every life ends without a last word; some took a snapshot before.
        for life in 0..10 {
            let mut journal = Journal::new(folder.path());
            let mut store = journal.restore(Limits::default());
            for i in 0..5 {
                let t = (life * 5 + i) * 1000;
                let page = format!("n_total {t}\n");
                let samples = text::parse(&page).unwrap();
                whole.append_scrape(&target, &samples, t);
                store.append_scrape(&target, &samples, t);
                journal.keep(t, &target, Some(&page));
                if life % 3 == 1 && i == 2 {
                    journal.take(&store);
                }
            }
            assert_eq!(total(&store, 49_000), total(&whole, 49_000), "life {life}");
        }
    }

    #[test]
    fn a_torn_line_is_left_out_and_a_target_stays_gone() {
        let folder = tempfile::tempdir().unwrap();
        let target = Labels::from_pairs([("pod", "a")]);
        let mut journal = Journal::new(folder.path());
        journal.keep(1000, &target, Some("n_total 1\n"));
        journal.keep(2000, &target, None);
        std::fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("series.pages"))
            .unwrap()
            .write_all(b"{\"t\":30")
            .unwrap();
        let store = journal.restore(Limits::default());
        let value = |at| Query::parse("n_total").unwrap().eval(&store, at).unwrap();
        assert!(matches!(value(1500), Value::Vector(v) if v.len() == 1));
        assert_eq!(value(2500), Value::Vector(Vec::new()));
    }
}
