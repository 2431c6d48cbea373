//! A log that is written to: where it ends, and what is in it already.
//!
//! A block is handed to the system and not forced onto the disk: the end of this process loses nothing, and what a power failure takes is known as a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Chain, Entry, FlawKind, Reader, Settled, Update};

/// What is left of a log's bytes for events when there is no more room for seconds and looks.
pub(super) const RESERVE: u64 = 1 << 20;

/// Seconds of which it is remembered that they are in a log: the router keeps no more.
const SECONDS: usize = 1200;

/// A log that is written to. Its file is opened for each block, so that any number of them can be known.
#[derive(Debug)]
pub(super) struct WrittenLog {
    path: PathBuf,
    length: u64,
    chain: Chain,
    runs: BTreeSet<String>,
    /// Runs whose end is in it.
    concluded: BTreeSet<String>,
    /// Seconds that are there already, with a digest.
    seconds: BTreeMap<u64, u64>,
    settled: Option<Settled>,
    full: bool,
}

impl WrittenLog {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            length: 0,
            chain: Chain::default(),
            runs: BTreeSet::new(),
            concluded: BTreeSet::new(),
            seconds: BTreeMap::new(),
            settled: None,
            full: false,
        }
    }

    /// Begins the log of an update.
    pub(super) fn begin(path: &Path, update: &Update) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let mut log = Self::new(path);
        log.write(&[Entry::Update(Box::new(update.clone()))])?;
        Ok(log)
    }

    /// Goes on with the log of an update; a block that was cut off is taken away. `None` if there is none: what is of an update of a rollout that was deleted, or
    /// damaged, is kept beside, once.
    pub(super) fn take_up(path: &Path, update: &Update) -> io::Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(log) = Self::read(path, &bytes, update) {
            if log.length < bytes.len() as u64 {
                OpenOptions::new().write(true).open(path)?.set_len(log.length)?;
            }
            return Ok(Some(log));
        }
        if !bytes.is_empty() {
            std::fs::rename(path, path.with_extension("log.old"))?;
        }
        Ok(None)
    }

    /// What was written so far. `None` for what is no log of this update.
    fn read(path: &Path, bytes: &[u8], update: &Update) -> Option<Self> {
        let mut log = Self::new(path);
        let mut reader = Reader::new(bytes);
        let mut is_this = false;
        loop {
            let (length, chain) = reader.whole();
            (log.length, log.chain) = (length as u64, chain.clone());
            match reader.next() {
                None => break,
                Some(Err(flaw)) if flaw.kind == FlawKind::CutOff => break,
                Some(Err(_)) => return None,
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
        is_this.then_some(log)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file is as it was left.
    pub(super) fn is_as_left(&self) -> bool {
        self.path.metadata().is_ok_and(|metadata| metadata.len() == self.length)
    }

    /// Whether the beginning of a run is in it.
    pub(super) fn has_run(&self, run: &str) -> bool {
        self.runs.contains(run)
    }

    /// Whether the end of a run is in it, or nothing of the run.
    pub(super) fn is_concluded(&self, run: &str) -> bool {
        self.concluded.contains(run) || !self.runs.contains(run)
    }

    #[cfg(test)]
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    fn remember(&mut self, entry: &Entry) {
        match entry {
            Entry::Run(begun) => _ = self.runs.insert(begun.run.clone()),
            Entry::Concluded(concluded) => _ = self.concluded.insert(concluded.run.clone()),
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

    /// Adds what is not there yet. From `bytes_max` on nothing is added, and but for events nothing shortly before.
    pub(super) fn add(&mut self, entries: Vec<Entry>, bytes_max: u64) -> io::Result<()> {
        let at_ms = entries.last().map_or(0, Entry::at_ms);
        let over = |entry: &Entry| matches!(entry, Entry::Concluded(_)) && self.is_there(entry);
        if entries.iter().any(over) {
            return Ok(());
        }
        let mut fresh: Vec<Entry> = entries.into_iter().filter(|entry| !self.is_there(entry)).collect();
        if self.length > bytes_max.saturating_sub(RESERVE) {
            fresh.retain(|entry| matches!(entry, Entry::Settled(_) | Entry::Ended(_) | Entry::Concluded(_)));
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
            Entry::Concluded(concluded) => self.is_concluded(&concluded.run),
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
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        if let Err(error) = file.write_all(&block) {
            self.take_back(&file);
            return Err(error);
        }
        self.chain = chain;
        self.length += block.len() as u64;
        entries.iter().for_each(|entry| self.remember(entry));
        Ok(())
    }

    /// Takes away what there is of a block that did not fit. Where that fails, too, it is cut off when the log is taken up again.
    fn take_back(&self, file: &File) {
        let _ = file.set_len(self.length);
    }
}

fn digest(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(entry).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
