//! The log of an update: found by its name or the rollout's, read and played again.

pub(crate) mod verdicts;

use std::path::{Path, PathBuf};

use serin_providers::sequential::log::folder::{self, Found};
use serin_providers::sequential::log::{Entry, Flaw, FlawKind, Reader};

use crate::arguments::LogWanted as Wanted;
use crate::error::CliError;

/// A log in memory.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl LogFile {
    /// The log at this path, or of this rollout in a folder of logs; in that of the state folder when no other is given.
    ///
    /// # Errors
    /// When there is none, or several are meant.
    pub(crate) fn find(state: &Path, wanted: &Wanted) -> Result<Self, CliError> {
        let (named, revision) = (wanted.log.as_str(), wanted.revision);
        let path = Path::new(named);
        if path.is_file() {
            return Self::read(path.to_owned());
        }
        if path.components().count() > 1 && path.extension().is_some_and(|end| end == "log") {
            return Err(CliError::usage(format!("there is no file {named}"), "name a rollout or a log"));
        }
        let folder = wanted.logs.clone().unwrap_or_else(|| state.join(serin_local::EVIDENCE));
        let logs = match folder::found(&folder) {
            Ok(logs) => logs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && wanted.logs.is_none() => Vec::new(),
            Err(source) => return Err(CliError::io(format!("read {}", folder.display()))(source)),
        };
        Self::read(chosen(&logs, named, revision)?)
    }

    fn read(path: PathBuf) -> Result<Self, CliError> {
        let bytes = std::fs::read(&path).map_err(CliError::io(format!("read {}", path.display())))?;
        Ok(Self { path, bytes })
    }

    /// The log as it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives every entry to `take`, in order; returns the first flaw. A log that is just being written may end within a block for a moment, so it is read again.
    ///
    /// # Errors
    /// When it is no log that can be read at all.
    pub(crate) fn play(&mut self, mut take: impl FnMut(&Entry)) -> Result<Option<Flaw>, CliError> {
        if self.bytes.is_empty() {
            return Err(CliError::usage(format!("{} is empty", self.path.display()), LOGS));
        }
        let mut reader = Reader::new(&self.bytes);
        for entry in &mut reader {
            match entry {
                Ok(entry) => take(&entry),
                Err(flaw) if matches!(flaw.kind, FlawKind::NoLog | FlawKind::OtherFormat(_)) || flaw.byte == 0 => {
                    return Err(CliError::usage(format!("{}: {flaw}", self.path.display()), LOGS));
                }
                Err(flaw) => return Ok(Some(flaw)),
            }
        }
        Ok(None)
    }
}

const LOGS: &str = "logs are in the folder `evidence` of the state folder, or where --logs says, one for each update that sequential metrics judge";

/// The log that a name means: the whole name, or its beginning where that means one rollout.
fn chosen(logs: &[Found], named: &str, revision: Option<u64>) -> Result<PathBuf, CliError> {
    let named = named.trim_end_matches('/');
    let exact = |log: &&Found| log.rollout() == named || log.name == named;
    let begins = |log: &&Found| log.name.starts_with(named);
    let mut of: Vec<&Found> = logs.iter().filter(exact).collect();
    if of.is_empty() {
        of = logs.iter().filter(begins).collect();
    }
    let Some(first) = of.first() else {
        let mut known: Vec<String> = logs.iter().map(Found::rollout).collect();
        known.dedup();
        let hint = if known.is_empty() { LOGS.to_owned() } else { format!("there are logs of {}", known.join(", ")) };
        return Err(CliError::usage(format!("there is no log of \"{named}\""), hint));
    };
    if let Some(other) = of.iter().find(|log| log.rollout() != first.rollout()) {
        let message = format!("\"{named}\" may mean {} or {}", first.rollout(), other.rollout());
        return Err(CliError::usage(message, "write namespace/name"));
    }
    let found = match revision {
        None => of.last(),
        Some(wanted) => of.iter().find(|log| log.revision == wanted),
    };
    found.map(|log| log.path.clone()).ok_or_else(|| {
        let kept: Vec<String> = of.iter().map(|log| log.revision.to_string()).collect();
        let message = format!("there is no log of revision {} of {}", revision.unwrap_or(0), first.rollout());
        CliError::usage(message, format!("there are logs of revision {}", kept.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_latest_update_of_one_rollout() {
        let log = |namespace: &str, name: &str, revision| Found {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            revision,
            path: PathBuf::from(format!("{namespace}_{name}_{revision}.log")),
        };
        let logs = [
            log("a", "churn", 2),
            log("a", "churn", 10),
            log("a", "churn-old", 1),
            log("b", "fraud", 3),
            log("c", "fraud", 1),
        ];
        let check = |named: &str, revision, want: Result<&str, &str>| {
            let found = chosen(&logs, named, revision);
            match want {
                Ok(path) => assert_eq!(found.unwrap(), PathBuf::from(path)),
                Err(text) => assert!(found.as_ref().unwrap_err().to_string().contains(text), "{named}: {found:?}"),
            }
        };
        check("churn", None, Ok("a_churn_10.log"));
        check("churn", Some(2), Ok("a_churn_2.log"));
        check("churn", Some(3), Err("no log of revision 3"));
        check("churn-", None, Ok("a_churn-old_1.log"));
        check("ch", None, Err("may mean"));
        check("fraud", None, Err("may mean b/fraud or c/fraud"));
        check("c/fraud", None, Ok("c_fraud_1.log"));
        check("x", None, Err("no log of \"x\""));
    }
}
