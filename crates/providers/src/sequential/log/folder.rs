//! The logs of updates in a folder, one file for each: what was judged is added before it is made durable. What is in a log may therefore be more than what holds, never less; who
//! reads it knows a look that was made again. Beside [`crate::http`] the one file here, with [`written`](super::written), that does I/O.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, DirEntry};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::written::WrittenLog;
use super::{Entry, Update};

/// Most bytes of a log: a look of every second at some hundred requests a second takes 0.7 KB, so this is about a day.
const LOG_MAX: u64 = 64 << 20;

/// Logs that are kept per rollout, of its latest updates.
const KEPT: usize = 20;

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// All of them in the folder.
    Flat,
    /// In a folder for each namespace.
    ByNamespace,
}

/// The logs in a folder. A file is named `NAMESPACE_NAME_REVISION.log`, wherever it is.
#[derive(Debug)]
pub struct Logs {
    folder: PathBuf,
    layout: Layout,
    known: BTreeMap<(String, u64), WrittenLog>,
    bytes_max: u64,
    /// Most bytes of all files, where somebody set a limit.
    total_max: Option<u64>,
    /// Bytes of all files, once they were counted.
    total: Option<u64>,
    /// Whether the last write failed.
    failed: bool,
}

/// How a write went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is there, or there is nothing to say about it that was not said.
    Done,
    /// It is not there, which was so before as well.
    StillNot,
    /// It is not there, for the first time.
    Failed(String),
}

impl Logs {
    /// Logs that are all in one folder, which is made when the first of them is.
    pub fn new(folder: PathBuf) -> Self {
        let (known, layout) = (BTreeMap::new(), Layout::Flat);
        Self { folder, layout, known, bytes_max: LOG_MAX, total_max: None, total: None, failed: false }
    }

    /// Logs that are in a folder for each namespace. They may take so many bytes in all: where it would be more, those that nobody has written to for the longest time go.
    pub fn by_namespace(folder: PathBuf, total_max: u64) -> Self {
        // One update must not drive out all others.
        let bytes_max = LOG_MAX.min(total_max / 2);
        Self { layout: Layout::ByNamespace, bytes_max, total_max: Some(total_max), ..Self::new(folder) }
    }

    /// Whether there is a log of this update of a rollout (`namespace/name`).
    pub fn is_kept(&self, rollout: &str, revision: u64) -> bool {
        self.known.contains_key(&(rollout.to_owned(), revision)) || self.path(rollout, revision).exists()
    }

    /// Whether the beginning of a run is known to be in the log of its update.
    pub fn knows(&self, rollout: &str, revision: u64, run: &str) -> bool {
        self.known.get(&(rollout.to_owned(), revision)).is_some_and(|log| log.has_run(run))
    }

    /// Adds entries to the log of an update. What is there already is left out.
    pub fn add(&mut self, update: &Update, entries: Vec<Entry>) -> Written {
        match self.try_add(update, entries) {
            Ok(()) => {
                self.failed = false;
                Written::Done
            }
            Err(_) if std::mem::replace(&mut self.failed, true) => Written::StillNot,
            Err(error) => Written::Failed(error.to_string()),
        }
    }

    fn try_add(&mut self, update: &Update, entries: Vec<Entry>) -> io::Result<()> {
        let place = (update.rollout.clone(), update.revision);
        // A file that somebody else has written to, or taken away, is taken up as it is now.
        let known = self.known.remove(&place).filter(WrittenLog::is_as_left);
        let mut log = match known {
            Some(log) => log,
            None => self.take_up(update)?,
        };
        let before = log.length();
        log.add(entries, self.bytes_max)?;
        self.grown(log.length() - before, log.path());
        self.known.insert(place, log);
        Ok(())
    }

    /// Goes on with the log of an update, or begins it.
    fn take_up(&mut self, update: &Update) -> io::Result<WrittenLog> {
        let path = self.path(&update.rollout, update.revision);
        let folder = path.parent().unwrap_or(&self.folder);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // One rollout has one update at a time; what is known of earlier ones can be read again.
        self.known.retain(|(rollout, _), _| *rollout != update.rollout);
        if let Some(log) = WrittenLog::take_up(&path, update)? {
            return Ok(log);
        }
        self.forget_old(&update.rollout);
        let log = WrittenLog::begin(&path, update)?;
        self.grown(log.length(), &path);
        Ok(log)
    }

    fn path(&self, rollout: &str, revision: u64) -> PathBuf {
        // Names of objects hold no underscore.
        let (namespace, name) = rollout.split_once('/').unwrap_or(("", rollout));
        let file = format!("{namespace}_{name}_{revision}.log");
        match self.layout {
            Layout::Flat => self.folder.join(file),
            Layout::ByNamespace => self.folder.join(namespace).join(file),
        }
    }

    /// Removes the logs of a rollout's oldest updates.
    fn forget_old(&self, rollout: &str) {
        let path = self.path(rollout, 0);
        let Ok(logs) = path.parent().map_or_else(|| Ok(Vec::new()), found) else { return };
        let mut mine: Vec<Found> = logs.into_iter().filter(|log| log.rollout() == rollout).collect();
        mine.sort_by_key(|log| log.revision);
        // Room for the one that begins.
        let excess = (mine.len() + 1).saturating_sub(KEPT);
        for log in &mine[..excess] {
            // One that cannot be removed now is too many the next time as well.
            let _ = std::fs::remove_file(&log.path);
        }
    }

    /// Counts bytes that were written to a file, and makes room for more of them.
    fn grown(&mut self, by: u64, to: &Path) {
        let Some(total_max) = self.total_max else { return };
        let total = self.total.map_or(u64::MAX, |total| total.saturating_add(by));
        self.total = Some(if total > total_max { self.make_room(total_max, to) } else { total });
    }

    /// Removes files that were not written to for the longest time, down to nine tenths of the limit. Returns what is left.
    fn make_room(&self, total_max: u64, writing: &Path) -> u64 {
        let mut files = files(&self.folder);
        files.sort();
        let mut total: u64 = files.iter().map(|(_, _, length)| length).sum();
        if total <= total_max {
            return total;
        }
        for (_, path, length) in files.iter().filter(|(_, path, _)| path != writing) {
            if total <= total_max / 10 * 9 {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                total -= length;
            }
        }
        total
    }
}

/// The entries of a folder and of the folders in it.
fn paths(folder: &Path) -> Vec<io::Result<PathBuf>> {
    let inner = |entry: io::Result<DirEntry>| match entry {
        Ok(entry) if entry.file_type().is_ok_and(|kind| kind.is_dir()) => entries(&entry.path()),
        entry => vec![entry],
    };
    entries(folder).into_iter().flat_map(inner).map(|entry| entry.map(|entry| entry.path())).collect()
}

/// The entries of a folder, or why it cannot be read.
fn entries(folder: &Path) -> Vec<io::Result<DirEntry>> {
    std::fs::read_dir(folder).map_or_else(|error| vec![Err(error)], Iterator::collect)
}

/// The files of logs in a folder and the folders in it, with the time of the last write and the length.
fn files(folder: &Path) -> Vec<(SystemTime, PathBuf, u64)> {
    let file = |path: PathBuf| {
        let metadata = path.symlink_metadata().ok().filter(|metadata| metadata.is_file() && is_of_a_log(&path))?;
        Some((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path, metadata.len()))
    };
    paths(folder).into_iter().flatten().filter_map(file).collect()
}

/// Whether a file is a log or one that was put aside; somebody else's are left alone.
fn is_of_a_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    parts(name.trim_end_matches(".old")).is_some()
}

/// A log in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the rollout.
    pub namespace: String,
    /// Of the rollout.
    pub name: String,
    /// The revision of the update.
    pub revision: u64,
    /// The file.
    pub path: PathBuf,
}

impl Found {
    /// The rollout as `namespace/name`.
    pub fn rollout(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Namespace, name and revision in the name of a log's file.
fn parts(file: &str) -> Option<(&str, &str, u64)> {
    let mut parts = file.strip_suffix(".log")?.split('_');
    let (namespace, name, revision) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((namespace, name, revision.parse().ok()?))
}

/// The logs in a folder and in the folders in it, sorted by rollout and revision. Other files are passed over.
///
/// # Errors
/// When the folder, or one in it, cannot be read.
pub fn found(folder: &Path) -> io::Result<Vec<Found>> {
    let paths: Vec<PathBuf> = paths(folder).into_iter().collect::<io::Result<_>>()?;
    let mut logs: Vec<Found> = paths.into_iter().filter_map(log_at).collect();
    logs.sort_by(|a, b| (&a.namespace, &a.name, a.revision).cmp(&(&b.namespace, &b.name, b.revision)));
    Ok(logs)
}

fn log_at(path: PathBuf) -> Option<Found> {
    let (namespace, name, revision) = parts(path.file_name()?.to_str()?)?;
    Some(Found { namespace: namespace.to_owned(), name: name.to_owned(), revision, path: path.clone() })
}

#[cfg(test)]
mod tests;
