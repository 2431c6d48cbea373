//! The logs of what sequential metrics judge, written by a thread of their own: a volume that is full or does not answer holds up no rollout and changes none.

mod told;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serin_providers::sequential::log::folder::{Logs, Written};
use serin_providers::sequential::log::{Entry, Update};
use tokio::sync::oneshot;

use crate::store::Name;

/// Longest wait for a look to be in its log before it is written to its run. A healthy disk takes less than a millisecond.
const WAIT: Duration = Duration::from_secs(2);

/// What may wait to be written; more is left out, since the volume does not keep up.
const WAITING: usize = 256;

/// Where logs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceLog {
    /// The folder; it is made if need be, and each namespace has one in it.
    pub folder: PathBuf,
    /// Most bytes of all logs together.
    pub bytes_max: u64,
}

/// How writing goes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Whether the last write failed.
    failed: AtomicBool,
    /// Whether a write was not done in time, and none was since.
    late: AtomicBool,
    failures: AtomicU64,
}

impl Health {
    /// Whether what is judged is logged at present.
    pub(crate) fn is_well(&self) -> bool {
        !self.failed.load(Ordering::Relaxed) && !self.late.load(Ordering::Relaxed)
    }

    /// Writes that were not done.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn took(&self, written: Written) {
        let was_late = self.late.swap(false, Ordering::Relaxed);
        if let Written::Done = written {
            if self.failed.swap(false, Ordering::Relaxed) || was_late {
                tracing::info!("what is judged is logged again");
            }
            return;
        }
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.failed.store(true, Ordering::Relaxed);
        if let Written::Failed(why) = written {
            tracing::warn!(%why, "what is judged cannot be logged; rollouts go on without");
        }
    }

    fn is_late(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if !self.late.swap(true, Ordering::Relaxed) {
            tracing::warn!("the volume of the evidence logs does not keep up; rollouts go on without");
        }
    }
}

/// What is to be written.
struct Work {
    update: Update,
    entries: Vec<Entry>,
    /// Whether the log begins with this where there is none.
    begins: bool,
    done: Option<oneshot::Sender<()>>,
}

/// The logs of a controller.
#[derive(Debug)]
pub(crate) struct Evidence {
    work: SyncSender<Work>,
    health: Arc<Health>,
    /// What is known of runs that are logged.
    runs: RefCell<BTreeMap<Name, told::LoggedRun>>,
}

impl Evidence {
    /// Begins to write. Nothing is touched before there is something to log.
    pub(crate) fn new(log: &EvidenceLog) -> Self {
        let (work, waiting) = sync_channel(WAITING);
        let health = Arc::new(Health::default());
        let logs = Logs::by_namespace(log.folder.clone(), log.bytes_max);
        let of_thread = health.clone();
        // It ends with its sender. Nobody waits for it: it may hang in the system for as long as a volume is away.
        let thread = std::thread::Builder::new().name("evidence".to_owned());
        if let Err(why) = thread.spawn(move || write(logs, &waiting, &of_thread)) {
            tracing::warn!(%why, "what is judged cannot be logged: there is no thread for it");
            health.failed.store(true, Ordering::Relaxed);
        }
        Self { work, health, runs: RefCell::default() }
    }

    /// How writing goes.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Writes entries and waits until they are there, or for as long as a rollout may be kept waiting.
    async fn write(&self, update: Update, entries: Vec<Entry>) {
        let (done, there) = oneshot::channel();
        let begun = self.send(Work { update, entries, begins: true, done: Some(done) });
        let waits = begun && !self.health.late.load(Ordering::Relaxed);
        if waits && tokio::time::timeout(WAIT, there).await.is_err() {
            self.health.is_late();
        }
    }

    /// Leaves work to the thread; returns whether it took it.
    fn send(&self, work: Work) -> bool {
        let sent = self.work.try_send(work).is_ok();
        if !sent {
            self.health.is_late();
        }
        sent
    }
}

/// Writes what comes, until nobody is left to send anything.
fn write(mut logs: Logs, waiting: &Receiver<Work>, health: &Health) {
    for Work { update, entries, begins, done } in waiting {
        if begins || logs.is_kept(&update.rollout, update.revision) {
            health.took(logs.add(&update, entries));
        }
        if let Some(done) = done {
            // Who waited may have gone on.
            let _ = done.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use serin_providers::sequential::log::{Event, FORMAT, Version};

    use super::*;

    fn update() -> Update {
        let version = |hash: &str| Version { hash: hash.to_owned(), image: String::new() };
        Update {
            format: FORMAT,
            serin: "0".to_owned(),
            rollout: "shop/taste".to_owned(),
            revision: 2,
            canary: version("new"),
            stable: version("old"),
            begun_ms: 0,
            speed: 1.0,
        }
    }

    fn entries() -> Vec<Entry> {
        vec![Entry::Ended(Event { at_ms: 1, reason: "X".to_owned(), message: String::new(), warning: false })]
    }

    #[tokio::test]
    async fn a_volume_that_does_not_answer_is_waited_for_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shop")).unwrap();
        // Whoever opens it waits for somebody at the other end.
        let made = Command::new("mkfifo").arg(folder.path().join("shop/shop_taste_2.log")).status().unwrap();
        assert!(made.success());
        let evidence = Evidence::new(&EvidenceLog { folder: folder.path().to_owned(), bytes_max: 8 << 20 });
        let begun = Instant::now();
        evidence.write(update(), entries()).await;
        assert!(begun.elapsed() >= WAIT && !evidence.health().is_well());
        let begun = Instant::now();
        for _ in 0..2 * WAITING {
            evidence.write(update(), entries()).await;
        }
        assert!(begun.elapsed() < WAIT, "{:?}", begun.elapsed());
        assert!(evidence.health().failures() > WAITING as u64, "what does not fit is left out");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_counted_until_it_can() {
        let beside = tempfile::tempdir().unwrap();
        let folder = beside.path().join("logs");
        std::fs::write(&folder, "no folder").unwrap();
        let evidence = Evidence::new(&EvidenceLog { folder: folder.clone(), bytes_max: 8 << 20 });
        assert!(evidence.health().is_well());
        for failures in 1..3 {
            evidence.write(update(), entries()).await;
            assert_eq!((evidence.health().is_well(), evidence.health().failures()), (false, failures));
        }
        std::fs::remove_file(&folder).unwrap();
        evidence.write(update(), entries()).await;
        assert_eq!((evidence.health().is_well(), evidence.health().failures()), (true, 2));
    }
}
