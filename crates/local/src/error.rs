//! What can go wrong on one machine, and what a caller should do about it.

use std::path::PathBuf;

/// What a caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Try again later; nothing is wrong with the request.
    Retry,
    /// Somebody else holds what is needed.
    Conflict,
    /// The user can put it right.
    User,
    /// A fault in Serin.
    Bug,
}

/// An error of the single-machine adapter.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder cannot be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The side file holds something else.
    #[error("{path}: {problem}")]
    Side {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// The state cannot be read or written.
    #[error("failed to use the state in {path}: {problem}")]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Another control process uses the state folder.
    #[error("another serin process is using the state folder {folder}")]
    InUse {
        /// Which folder.
        folder: PathBuf,
    },
    /// No control process answers.
    #[error("no serin process is running on the state folder {folder}")]
    NotRunning {
        /// Which folder.
        folder: PathBuf,
    },
    /// The conversation with the control process broke off.
    #[error("failed to talk to the control process: {0}")]
    Talk(std::io::Error),
    /// An address cannot be listened on.
    #[error("failed to listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The router cannot be started or does not answer.
    #[error("failed to run the router: {0}")]
    Router(String),
    /// Processes cannot be handled.
    #[error(transparent)]
    Supervisor(#[from] serin_supervisor::SupervisorError),
    /// A request that cannot be carried out, with a hint where there is one.
    #[error("{message}")]
    Refused {
        /// Why.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// A request that is right and cannot be carried out at present.
    #[error("{message}")]
    NotNow {
        /// Why.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// A broken invariant.
    #[error("internal error: {0}")]
    Bug(String),
}

impl LocalError {
    /// A refusal without a hint.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: None }
    }

    /// A refusal with a hint.
    pub fn refused_with(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: Some(hint.into()) }
    }

    /// What a caller should do.
    pub fn class(&self) -> Class {
        match self {
            Self::InUse { .. } => Class::Conflict,
            Self::NotRunning { .. }
            | Self::Talk(_)
            | Self::Listen { .. }
            | Self::Router(_)
            | Self::State { .. }
            | Self::NotNow { .. }
            | Self::Write { .. } => Class::Retry,
            Self::Bug(_) => Class::Bug,
            Self::Read { .. } | Self::Side { .. } | Self::Supervisor(_) | Self::Refused { .. } => Class::User,
        }
    }

    /// What would help, if something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { hint, .. } | Self::NotNow { hint, .. } => hint.clone(),
            Self::InUse { .. } => Some("stop it with `serin down`, or choose another folder with --state".to_owned()),
            Self::NotRunning { .. } => {
                Some("start one with `serin up DIR`, or name its folder with --state".to_owned())
            }
            _ => None,
        }
    }
}
