//! What can go wrong between the controller and the API server.

use thiserror::Error;

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It may pass by itself: tried again, later each time.
    Retry,
    /// Somebody else was faster: read anew and decided again.
    Conflict,
    /// Somebody has to do something: told, and tried again now and then.
    User,
    /// Our own fault.
    Bug,
}

impl Class {
    /// Its name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Conflict => "conflict",
            Self::User => "user",
            Self::Bug => "bug",
        }
    }
}

/// An error of the adapter.
#[derive(Debug, Error)]
pub enum Error {
    /// The API server said no.
    #[error("failed to {verb} {what}: {message}")]
    Api {
        /// What was asked for, as Kubernetes names it.
        verb: &'static str,
        /// Kind, namespace and name.
        what: String,
        /// HTTP status.
        code: u16,
        /// Kubernetes' own reason, such as `Conflict`.
        reason: String,
        /// Its message.
        message: String,
    },
    /// The API server was not reached, or its answer was cut off.
    #[error("failed to {verb} {what}: {why}")]
    Reach {
        /// What was asked for.
        verb: &'static str,
        /// Kind, namespace and name.
        what: String,
        /// Why.
        why: String,
    },
    /// A traffic router cannot carry what was decided.
    #[error("failed to route: {message}")]
    Route {
        /// The event's reason.
        reason: &'static str,
        /// Field of the rollout, and what to do.
        message: String,
    },
    /// There is no usable configuration.
    #[error("failed to find the cluster: {0}")]
    Configure(String),
    /// A kind that nobody here knows how to ask for.
    #[error("failed to find the kind {kind} of {api_version}")]
    Kind {
        /// Group and version.
        api_version: String,
        /// Kind.
        kind: String,
    },
    /// The lock of the leader went to another one, or could not be renewed in time.
    #[error("failed to keep the lease {lease}: {why}")]
    Lost {
        /// Namespace and name of the lease.
        lease: String,
        /// Why.
        why: String,
    },
    /// A port or file of the process itself.
    #[error("failed to {0}")]
    Process(String),
}

impl Error {
    /// HTTP status, 0 where there was no answer.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Api { code, .. } => *code,
            _ => 0,
        }
    }

    /// The object or its kind is not there.
    pub const fn is_not_found(&self) -> bool {
        self.code() == 404
    }

    /// A newer version of the object is there.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { code: 409, reason, .. } if reason != "AlreadyExists")
    }

    /// An object of the name is there already.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Api { code: 409, reason, .. } if reason == "AlreadyExists")
    }

    /// What follows from it.
    pub fn class(&self) -> Class {
        match self {
            Self::Api { code: 409, .. } => Class::Conflict,
            // Quota, admission, permissions, an object that the server finds invalid: somebody has to act.
            Self::Api { code: 400 | 401 | 403 | 404 | 422, .. } => Class::User,
            Self::Api { .. } | Self::Reach { .. } | Self::Lost { .. } => Class::Retry,
            Self::Configure(_) | Self::Process(_) | Self::Route { .. } => Class::User,
            Self::Kind { .. } => Class::Bug,
        }
    }
}
