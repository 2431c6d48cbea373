//! The durable state of one folder, in one `redb` file. What matters is committed here before it is acted on.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::LocalError;

const WORKLOADS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("workloads");
const RUNS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("runs");
const EXPERIMENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("experiments");
const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
const LABELS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("labels");
const LABELLED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("labelled");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");

/// The file inside a state folder.
pub const FILE: &str = "state.redb";

/// The file that the process which uses a state folder holds locked.
const LOCK: &str = "lock";

/// Longest time that a process which was killed may still hold its lock.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// Events kept over all rollouts; older ones are forgotten.
pub const EVENTS_MAX: u64 = 5_000;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Rollouts with their memory.
    Workloads,
    /// Analysis runs.
    Runs,
    /// Experiments.
    Experiments,
    /// Other applied objects.
    Objects,
    /// How many predictions of a rollout were wrong, by version.
    Labels,
    /// The ids of requests that were labelled, by the page.
    Labelled,
    /// The clock and the like.
    Meta,
}

impl Shelf {
    fn table(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        match self {
            Shelf::Workloads => WORKLOADS,
            Shelf::Runs => RUNS,
            Shelf::Experiments => EXPERIMENTS,
            Shelf::Objects => OBJECTS,
            Shelf::Labels => LABELS,
            Shelf::Labelled => LABELLED,
            Shelf::Meta => META,
        }
    }
}

/// Something that happened, for people to read later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    /// Time on the rollout's clock in milliseconds.
    pub at_ms: i64,
    /// `namespace/name` of the rollout; empty for the machine as a whole.
    pub object: String,
    /// Argo's reason word, or one of ours.
    pub reason: String,
    /// The text.
    pub message: String,
    /// Whether it is a warning.
    pub warning: bool,
}

/// Writes that become durable together.
#[derive(Debug, Default)]
pub struct Batch {
    puts: Vec<(Shelf, String, Option<Vec<u8>>)>,
    events: Vec<EventRecord>,
}

impl Batch {
    /// Writes a record.
    ///
    /// # Errors
    /// When it cannot be made JSON.
    pub fn put(&mut self, shelf: Shelf, key: impl Into<String>, record: &impl Serialize) -> Result<(), LocalError> {
        let bytes = serde_json::to_vec(record).map_err(|e| LocalError::Bug(format!("a record is no JSON: {e}")))?;
        self.puts.push((shelf, key.into(), Some(bytes)));
        Ok(())
    }

    /// Forgets a record.
    pub fn delete(&mut self, shelf: Shelf, key: impl Into<String>) {
        self.puts.push((shelf, key.into(), None));
    }

    /// Adds an event.
    pub fn event(&mut self, event: EventRecord) {
        self.events.push(event);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.events.is_empty()
    }
}

/// Opens the database, the first time and again after a write that failed.
type Opener = Box<dyn Fn() -> Result<Database, DatabaseError>>;

/// The open state.
pub struct Store {
    /// Absent while it cannot be opened again.
    database: Option<Database>,
    opener: Opener,
    /// Whether a write failed since it was opened. Such a database can be read and takes no further write.
    failed: bool,
    path: PathBuf,
    next_event: u64,
    /// Keeps other processes away, also while the database is opened again.
    _lock: Option<File>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the state of a folder, which is made if need be, for this process alone.
    ///
    /// # Errors
    /// When another process has it open, when the folder cannot be used, or when the file is damaged beyond repair.
    pub fn open(folder: &Path) -> Result<Self, LocalError> {
        make_private(folder)?;
        let lock = locked(folder)?;
        let path = folder.join(FILE);
        make_private_file(&path)?;
        let file = path.clone();
        // Without the check a file that something else damaged may be a panic much later.
        let opener = move || Database::builder().set_check_integrity_on_open(true).create(&file);
        let mut store = Self::over(opener, path)?;
        store._lock = Some(lock);
        Ok(store)
    }

    /// A store over a database that `opener` opens; tests give it one whose disk fails.
    ///
    /// # Errors
    /// When it cannot be opened, or the tables cannot be made.
    pub fn over(
        opener: impl Fn() -> Result<Database, DatabaseError> + 'static,
        path: PathBuf,
    ) -> Result<Self, LocalError> {
        let opener: Opener = Box::new(opener);
        let mut store = Self { database: None, opener, failed: false, path, next_event: 0, _lock: None };
        store.open_again()?;
        Ok(store)
    }

    fn open_again(&mut self) -> Result<(), LocalError> {
        // The former one must be closed first.
        self.database = None;
        let database = (self.opener)().map_err(|error| match error {
            // By a version that does not hold the lock.
            DatabaseError::DatabaseAlreadyOpen => {
                LocalError::InUse { folder: self.path.parent().unwrap_or(&self.path).to_owned() }
            }
            other => self.broken(&other.into()),
        })?;
        self.next_event = prepare(&database).map_err(|e| self.broken(&e))?;
        (self.database, self.failed) = (Some(database), false);
        Ok(())
    }

    fn database(&self) -> Result<&Database, redb::Error> {
        self.database.as_ref().ok_or(redb::Error::PreviousIo)
    }

    fn broken(&self, error: &redb::Error) -> LocalError {
        LocalError::State { path: self.path.clone(), problem: error.to_string() }
    }

    /// Makes a batch durable, all of it or none.
    ///
    /// # Errors
    /// When the disk does not take it; then nothing of it holds, and the next batch is tried afresh.
    pub fn commit(&mut self, batch: Batch) -> Result<(), LocalError> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.failed || self.database.is_none() {
            self.open_again()?;
        }
        let events = batch.events.len() as u64;
        if let Err(error) = self.write(batch) {
            self.failed = true;
            return Err(self.broken(&error));
        }
        self.next_event += events;
        Ok(())
    }

    fn write(&self, batch: Batch) -> Result<(), redb::Error> {
        let transaction = self.database()?.begin_write()?;
        for (shelf, key, value) in batch.puts {
            let mut table = transaction.open_table(shelf.table())?;
            match value {
                Some(bytes) => table.insert(key.as_str(), bytes.as_slice())?,
                None => table.remove(key.as_str())?,
            };
        }
        if !batch.events.is_empty() {
            let mut table = transaction.open_table(EVENTS)?;
            let mut next = self.next_event;
            for event in batch.events {
                let bytes = serde_json::to_vec(&event).unwrap_or_default();
                table.insert(next, bytes.as_slice())?;
                next += 1;
            }
            let first = next.saturating_sub(EVENTS_MAX);
            table.retain_in(..first, |_, _| false)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Every record of a shelf, by key.
    ///
    /// # Errors
    /// When the file cannot be read, or a record is not what this version of Serin writes.
    pub fn read<T: DeserializeOwned>(&self, shelf: Shelf) -> Result<Vec<(String, T)>, LocalError> {
        let raw = self.raw(shelf).map_err(|e| self.broken(&e))?;
        let record = |(key, bytes): (String, Vec<u8>)| match serde_json::from_slice(&bytes) {
            Ok(record) => Ok((key, record)),
            Err(error) => Err(LocalError::State {
                path: self.path.clone(),
                problem: format!("record \"{key}\" was written by another version of serin: {error}"),
            }),
        };
        raw.into_iter().map(record).collect()
    }

    fn raw(&self, shelf: Shelf) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(shelf.table())?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            all.push((key.value().to_owned(), value.value().to_vec()));
        }
        Ok(all)
    }

    /// The last `count` events of an object (or of all), oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn events(&self, object: Option<&str>, count: usize) -> Result<Vec<EventRecord>, LocalError> {
        self.last_events(object, count).map_err(|e| self.broken(&e))
    }

    fn last_events(&self, object: Option<&str>, count: usize) -> Result<Vec<EventRecord>, redb::Error> {
        let transaction = self.database()?.begin_read()?;
        let table = transaction.open_table(EVENTS)?;
        let mut found = Vec::new();
        for entry in table.iter()?.rev() {
            let (_, bytes) = entry?;
            let Ok(event) = serde_json::from_slice::<EventRecord>(bytes.value()) else { continue };
            if object.is_none_or(|o| event.object == o) {
                found.push(event);
            }
            if found.len() >= count {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// Makes the tables; returns the number of the next event.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let shelves = [
        Shelf::Workloads,
        Shelf::Runs,
        Shelf::Experiments,
        Shelf::Objects,
        Shelf::Labels,
        Shelf::Labelled,
        Shelf::Meta,
    ];
    for shelf in shelves {
        transaction.open_table(shelf.table())?;
    }
    let next = transaction.open_table(EVENTS)?.last()?.map_or(0, |(key, _)| key.value() + 1);
    transaction.commit()?;
    Ok(next)
}

/// Holds the state folder for this process. One that was killed while it started a member leaves the lock with that member until
/// it really runs, so a lock is only somebody's if it is held for a while.
fn locked(folder: &Path) -> Result<File, LocalError> {
    let path = folder.join(LOCK);
    let failed = |source| LocalError::Write { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let end = Instant::now() + LEFT_BEHIND;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(LEFT_BEHIND / 20),
            Err(TryLockError::WouldBlock) => return Err(LocalError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}

/// Makes a folder that only its owner can enter: it holds the control socket and the values of Secrets.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(folder: &Path) -> Result<(), LocalError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |source| LocalError::Write { path: folder.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)
}

/// Makes a file that only its owner can read, also in a folder that others can enter.
fn make_private_file(path: &Path) -> Result<(), LocalError> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let failed = |source| LocalError::Write { path: path.to_owned(), source };
    let file = File::options().create(true).append(true).mode(0o600).open(path).map_err(failed)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)
}
