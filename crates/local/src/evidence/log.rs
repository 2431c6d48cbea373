//! The logs of updates in the state folder, `evidence/NAMESPACE_NAME_REVISION.log`: what was judged is added before it is made durable. What is in a log may therefore be more
//! than what holds, never less; who reads it knows a look that was made again.
//!
//! A block is handed to the system and not forced onto the disk: the end of this process loses nothing, and what a power failure takes is known as a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serin_providers::sequential::log::{Chain, Entry, FlawKind, Reader, Settled, Update};

use crate::LocalError;
use crate::model::Key;
use crate::store::make_private;

/// The folder inside a state folder.
pub const FOLDER: &str = "evidence";

/// Most bytes of a log: a look of every second at some hundred requests a second takes 0.7 KB, so this is about a day.
const LOG_MAX: u64 = 64 << 20;

/// What is left of them for events when there is no more room for seconds and looks.
const RESERVE: u64 = 1 << 20;

/// Logs that are kept per rollout, of its latest updates.
const KEPT: usize = 20;

/// Seconds of which it is remembered that they are in a log: the router keeps no more.
const SECONDS: usize = 1200;

/// The logs of a state folder.
#[derive(Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
    open: BTreeMap<(Key, u64), OpenLog>,
    bytes_max: u64,
    /// Whether the last write failed.
    failed: bool,
}

/// A log that is written.
#[derive(Debug)]
struct OpenLog {
    file: File,
    length: u64,
    chain: Chain,
    runs: BTreeSet<String>,
    /// Seconds that are there already, with a digest.
    seconds: BTreeMap<u64, u64>,
    settled: Option<Settled>,
    full: bool,
}

/// How a write went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is there, or there is nothing to say about it that was not said.
    Done,
    /// It is not there, which was so before as well.
    StillNot,
    /// It is not there, for the first time.
    Failed(String),
}

impl Logs {
    /// The logs of a state folder.
    pub(crate) fn new(state: &Path) -> Self {
        Self { folder: state.join(FOLDER), open: BTreeMap::new(), bytes_max: LOG_MAX, failed: false }
    }

    /// Whether there is a log of this update.
    pub(crate) fn is_kept(&self, key: &Key, revision: u64) -> bool {
        self.open.contains_key(&(key.clone(), revision)) || self.folder.join(file_name(key, revision)).exists()
    }

    /// Whether the beginning of a run is in the log of its update.
    pub(crate) fn knows(&self, key: &Key, revision: u64, run: &str) -> bool {
        self.open.get(&(key.clone(), revision)).is_some_and(|log| log.runs.contains(run))
    }

    /// Adds entries to the log of an update. What is there already is left out.
    pub(crate) fn add(&mut self, key: &Key, update: &Update, entries: Vec<Entry>) -> Written {
        let place = (key.clone(), update.revision);
        let mut log = match self.open.remove(&place).map_or_else(|| self.take_up(key, update), Ok) {
            Ok(log) => log,
            Err(error) => return self.not(&error),
        };
        match log.add(entries, self.bytes_max) {
            Ok(()) => {
                self.failed = false;
                self.open.insert(place, log);
                Written::Done
            }
            // What is there of the block is cut off when the log is taken up again.
            Err(error) => self.not(&error),
        }
    }

    fn not(&mut self, error: &io::Error) -> Written {
        if std::mem::replace(&mut self.failed, true) {
            return Written::StillNot;
        }
        Written::Failed(error.to_string())
    }

    /// Opens the log of an update, or begins it.
    fn take_up(&self, key: &Key, update: &Update) -> io::Result<OpenLog> {
        make_private(&self.folder).map_err(|error| match error {
            LocalError::Write { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })?;
        let path = self.folder.join(file_name(key, update.revision));
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        if let Some(log) = OpenLog::read(&bytes, update)? {
            file.set_len(log.length)?;
            return Ok(OpenLog { file, ..log });
        }
        if !bytes.is_empty() {
            // Of an update of a rollout that was deleted, or damaged: it is kept beside, once.
            std::fs::rename(&path, path.with_extension("log.old"))?;
            file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        }
        self.forget_old(key);
        let mut log = OpenLog::new(file);
        log.write(&[Entry::Update(Box::new(update.clone()))])?;
        Ok(log)
    }

    /// Removes the logs of a rollout's oldest updates.
    fn forget_old(&self, key: &Key) {
        let Ok(logs) = found(&self.folder) else { return };
        let mut revisions: Vec<u64> =
            logs.into_iter().filter(|log| log.rollout == *key).map(|log| log.revision).collect();
        revisions.sort_unstable();
        let excess = revisions.len().saturating_sub(KEPT);
        for revision in &revisions[..excess] {
            // One that cannot be removed now is too many the next time as well.
            let _ = std::fs::remove_file(self.folder.join(file_name(key, *revision)));
        }
    }
}

impl OpenLog {
    fn new(file: File) -> Self {
        Self {
            file,
            length: 0,
            chain: Chain::default(),
            runs: BTreeSet::new(),
            seconds: BTreeMap::new(),
            settled: None,
            full: false,
        }
    }

    /// What was written so far; a block that was cut off counts for nothing. `None` for what is no log of this update.
    fn read(bytes: &[u8], update: &Update) -> io::Result<Option<Self>> {
        // The file is put in its place by who opened it.
        let mut log = Self::new(File::open("/dev/null")?);
        let mut reader = Reader::new(bytes);
        let mut is_this = false;
        loop {
            let (length, chain) = reader.whole();
            (log.length, log.chain) = (length as u64, chain.clone());
            match reader.next() {
                None => break,
                Some(Err(flaw)) if flaw.kind == FlawKind::CutOff => break,
                Some(Err(_)) => return Ok(None),
                Some(Ok(entry)) => {
                    if let Entry::Update(found) = &entry {
                        is_this = found.canary == update.canary && found.begun_ms == update.begun_ms;
                    }
                    log.remember(&entry);
                }
            }
        }
        // What the last process knew of the seconds is not known: its last look may not hold.
        log.seconds.clear();
        Ok(is_this.then_some(log))
    }

    fn remember(&mut self, entry: &Entry) {
        match entry {
            Entry::Run(begun) => _ = self.runs.insert(begun.run.clone()),
            Entry::Settled(settled) => self.settled = Some(settled.clone()),
            Entry::Full(_) => self.full = true,
            Entry::Second(batch) => {
                self.seconds.insert(batch.seq, digest(entry));
                if self.seconds.len() > SECONDS {
                    self.seconds.pop_first();
                }
            }
            Entry::Update(_) | Entry::Look(_) | Entry::Ended(_) => {}
        }
    }

    fn add(&mut self, entries: Vec<Entry>, bytes_max: u64) -> io::Result<()> {
        let at_ms = entries.last().map_or(0, Entry::at_ms);
        let mut fresh: Vec<Entry> = entries.into_iter().filter(|entry| !self.is_there(entry)).collect();
        if self.length > bytes_max.saturating_sub(RESERVE) {
            fresh.retain(|entry| matches!(entry, Entry::Settled(_) | Entry::Ended(_)));
            if !self.full {
                fresh.push(Entry::Full(at_ms));
            }
        }
        if fresh.is_empty() || self.length > bytes_max {
            return Ok(());
        }
        self.write(&fresh)
    }

    fn is_there(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Run(begun) => self.runs.contains(&begun.run),
            Entry::Second(batch) => self.seconds.get(&batch.seq) == Some(&digest(entry)),
            // What happens to a rollout once its update is over is no part of it.
            Entry::Settled(settled) => self.settled.as_ref().is_some_and(|last| {
                last.place == settled.place && (settled.events.is_empty() || settled.place.is_over())
            }),
            _ => false,
        }
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut chain = self.chain.clone();
        let block = chain.block(entries);
        self.file.write_all(&block)?;
        self.chain = chain;
        self.length += block.len() as u64;
        entries.iter().for_each(|entry| self.remember(entry));
        Ok(())
    }
}

fn digest(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(entry).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// A log of a state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rollout.
    pub rollout: Key,
    /// The revision of the update.
    pub revision: u64,
    /// The file.
    pub path: PathBuf,
}

/// The name of a log's file. Names of objects hold no underscore.
fn file_name(key: &Key, revision: u64) -> String {
    format!("{}_{}_{revision}.log", key.namespace, key.name)
}

/// The logs in a folder, sorted by rollout and revision. Other files are passed over.
///
/// # Errors
/// When the folder cannot be read.
pub fn found(folder: &Path) -> io::Result<Vec<Found>> {
    let mut logs = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let Some(stem) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".log")) else { continue };
        let parts: Vec<&str> = stem.split('_').collect();
        let [namespace, name, revision] = parts.as_slice() else { continue };
        let Ok(revision) = revision.parse() else { continue };
        logs.push(Found { rollout: Key::new(*namespace, *name), revision, path });
    }
    logs.sort_by(|a, b| (&a.rollout, a.revision).cmp(&(&b.rollout, b.revision)));
    Ok(logs)
}

#[cfg(test)]
mod tests;
