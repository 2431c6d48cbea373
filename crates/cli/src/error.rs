//! What a command can end with besides success, and the exit code that says so.

use std::process::ExitCode;

use serin_local::{Class, LocalError};

/// Exit code: a rollout failed or was aborted.
pub(crate) const FAILED: u8 = 1;
/// Exit code: the command or its input is wrong.
pub(crate) const USAGE: u8 = 2;
/// Exit code: the control process, the router or the state cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;
/// Exit code: a fault in Serin.
pub(crate) const INTERNAL: u8 = 4;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The adapter says no.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The cluster says no.
    #[error(transparent)]
    Cluster(#[from] serin_cluster::Error),
    /// The data plane says no.
    #[error(transparent)]
    Proxy(#[from] serin_proxy::ProxyError),
    /// A file, pipe or terminal does.
    #[error("failed to {doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The problems of manifests, already rendered.
    #[error("{0}")]
    Manifests(String),
    /// The command cannot be carried out as given.
    #[error("{message}")]
    Usage {
        /// Why.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// A control process in the background ended before it answered.
    #[error("the control process ended: {why}")]
    Behind {
        /// What it said.
        why: String,
        /// Where it said that.
        log: std::path::PathBuf,
        /// Its exit code, which says the same here as there.
        code: Option<i32>,
    },
    /// A rollout ended badly, or not in time.
    #[error("{0}")]
    Rollout(String),
    /// A broken invariant.
    #[error("internal error: {0}")]
    Bug(String),
}

impl CliError {
    /// An I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// A usage error with a hint.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// What would help.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Local(error) => error.hint(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Cluster(error) => advice(error).map(str::to_owned),
            Self::Behind { log, .. } => Some(format!("see {}", log.display())),
            _ => None,
        }
    }

    /// The documented exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Local(error) => match error.class() {
                Class::User => USAGE,
                Class::Retry | Class::Conflict => UNREACHABLE,
                Class::Bug => INTERNAL,
            },
            Self::Cluster(error) => match error.class() {
                serin_cluster::Class::User => USAGE,
                serin_cluster::Class::Retry | serin_cluster::Class::Conflict => UNREACHABLE,
                serin_cluster::Class::Bug => INTERNAL,
            },
            Self::Manifests(_) | Self::Usage { .. } => USAGE,
            Self::Proxy(_) | Self::Io { .. } => UNREACHABLE,
            Self::Behind { code, .. } => code.and_then(|c| u8::try_from(c).ok()).unwrap_or(INTERNAL),
            Self::Rollout(_) => FAILED,
            Self::Bug(_) => INTERNAL,
        })
    }
}

/// What helps against a refusal of a cluster.
fn advice(error: &serin_cluster::Error) -> Option<&'static str> {
    use serin_cluster::Error;
    match error {
        Error::Configure(_) => Some("see --kubeconfig and --kube-context, or the variable KUBECONFIG"),
        Error::Reach { .. } => Some("is this the right cluster? see --kube-context"),
        Error::Api { code: 401 | 403, .. } => {
            Some("the user of this context may not do that: `kubectl auth can-i --list` says what it may")
        }
        Error::Api { code: 404, verb: "list", .. } => Some("are Argo's definitions installed? `serin install` does it"),
        _ => None,
    }
}
