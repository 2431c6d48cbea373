//! The state on a disk that fills up, that tears what it was writing when it failed, and that comes back.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use serin_local::EventRecord;
use serin_local::store::{Batch, Shelf, Store};

/// What a failing write leaves behind.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Failing {
    /// Nothing of it.
    Clean,
    /// Its first half.
    Torn,
}

#[derive(Debug)]
struct Content {
    bytes: Vec<u8>,
    /// Bytes that it still takes; `None` is no limit.
    left: Option<u64>,
    failing: Failing,
    /// Bytes written since the limit was set.
    written: u64,
}

/// A disk in memory that outlives the database on it.
#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Content>>);

impl Disk {
    fn new(failing: Failing) -> Self {
        Self(Arc::new(Mutex::new(Content { bytes: Vec::new(), left: None, failing, written: 0 })))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    fn take_only(&self, left: Option<u64>) {
        let mut content = self.content();
        (content.left, content.written) = (left, 0);
    }

    fn open(&self) -> Store {
        let disk = self.clone();
        let opener = move || redb::Builder::new().create_with_backend(disk.clone());
        Store::over(opener, PathBuf::from("state.redb")).unwrap()
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "no space left on device")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.content().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content();
        if content.left == Some(0) && len > content.bytes.len() as u64 {
            return Err(full());
        }
        content.bytes.resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.content();
        let start = usize::try_from(offset).unwrap();
        let fits = content.left.is_none_or(|left| data.len() as u64 <= left);
        let taken = match (fits, content.failing) {
            (true, _) => data.len(),
            (false, Failing::Clean) => 0,
            (false, Failing::Torn) => data.len() / 2,
        };
        content.bytes[start..start + taken].copy_from_slice(&data[..taken]);
        content.written += taken as u64;
        content.left = content.left.map(|left| if fits { left - taken as u64 } else { 0 });
        if fits { Ok(()) } else { Err(full()) }
    }
}

fn event(message: &str) -> EventRecord {
    EventRecord {
        at_ms: 1,
        object: "default/model".to_owned(),
        reason: "Test".to_owned(),
        message: message.to_owned(),
        warning: false,
    }
}

/// A batch over several shelves, as a decision makes one.
fn batch(version: &str) -> Batch {
    let mut batch = Batch::default();
    batch.put(Shelf::Workloads, "default/model", &version).unwrap();
    batch.put(Shelf::Runs, "default/run", &version.repeat(3_000)).unwrap();
    batch.put(Shelf::Objects, format!("Service/default/{version}"), &version).unwrap();
    batch.event(event(version));
    batch
}

/// What the store holds, in one line.
fn held(store: &Store) -> (Vec<String>, usize, Vec<String>, Vec<String>) {
    let texts = |shelf| store.read::<String>(shelf).unwrap();
    let values = |shelf| texts(shelf).into_iter().map(|(_, v)| v).collect::<Vec<_>>();
    let services = texts(Shelf::Objects).into_iter().map(|(k, _)| k).collect();
    let events = store.events(None, 100).unwrap().into_iter().map(|e| e.message).collect();
    (values(Shelf::Workloads), values(Shelf::Runs).iter().map(String::len).sum(), services, events)
}

/// Lets the second of two batches fail after `left` bytes; returns whether it failed.
fn fails_after(left: u64, failing: Failing) -> bool {
    let disk = Disk::new(failing);
    let mut store = disk.open();
    store.commit(batch("a")).unwrap();
    let first = held(&store);
    disk.take_only(Some(left));
    let failed = match store.commit(batch("bb")) {
        Ok(()) => false,
        Err(error) => {
            assert!(error.to_string().contains("failed to use the state in state.redb"), "{error}");
            true
        }
    };
    disk.take_only(None);
    drop(store);
    let mut store = disk.open();
    let now = held(&store);
    if failed {
        assert_eq!(now, first, "after {left} bytes, {failing:?}: nothing of a failed batch holds");
    } else {
        assert_eq!(now.0, ["bb"]);
    }
    store.commit(batch("ccc")).unwrap();
    assert_eq!(held(&store).0, ["ccc"], "it goes on once there is space");
    failed
}

#[test]
fn a_batch_that_the_disk_does_not_take_leaves_the_one_before() {
    for failing in [Failing::Clean, Failing::Torn] {
        // How much a batch writes, to fail at every place of it.
        let disk = Disk::new(failing);
        let mut store = disk.open();
        store.commit(batch("a")).unwrap();
        disk.take_only(None);
        store.commit(batch("bb")).unwrap();
        let needed = disk.content().written;
        assert!(needed > 10_000, "{needed}");
        let step = usize::try_from(needed / 60).unwrap();
        let failures = (0..needed).step_by(step).filter(|left| fails_after(*left, failing)).count();
        assert!(failures >= 55, "{failures}");
        assert!(!fails_after(needed * 2, failing), "a batch that fits is taken");
    }
}

#[test]
fn a_store_goes_on_once_the_disk_has_space_again() {
    let disk = Disk::new(Failing::Clean);
    let mut store = disk.open();
    store.commit(batch("a")).unwrap();
    disk.take_only(Some(0));
    store.commit(batch("bb")).unwrap_err();
    assert_eq!(held(&store).0, ["a"], "it can still be read");
    for _ in 0..3 {
        store.commit(batch("bb")).unwrap_err();
    }
    disk.take_only(None);
    store.commit(batch("ccc")).unwrap();
    assert_eq!((held(&store).0, held(&store).3), (vec!["ccc".to_owned()], vec!["a".to_owned(), "ccc".to_owned()]));
}

#[test]
fn a_state_file_is_for_one_process_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut store = Store::open(&state).unwrap();
    store.commit(batch("a")).unwrap();
    let error = Store::open(&state).unwrap_err();
    assert!(matches!(error, serin_local::LocalError::InUse { .. }), "{error}");
    drop(store);
    assert_eq!(held(&Store::open(&state).unwrap()).0, ["a"]);
}

#[test]
fn the_latest_events_are_kept() {
    let disk = Disk::new(Failing::Clean);
    let mut store = disk.open();
    let count = serin_local::store::EVENTS_MAX + 20;
    let mut many = Batch::default();
    (0..count).for_each(|n| many.event(event(&n.to_string())));
    store.commit(many).unwrap();
    store.commit(batch("last")).unwrap();
    drop(store);
    let kept = disk.open().events(None, usize::MAX).unwrap();
    assert_eq!(kept.len() as u64, serin_local::store::EVENTS_MAX);
    assert_eq!((kept[0].message.as_str(), kept[kept.len() - 1].message.as_str()), ("21", "last"));
}
