//! Why a router cannot carry what it should, in words that say what to do.

use std::fmt;

/// Where the remedy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// In the Rollout: it configures what no router here can do.
    Spec,
    /// In another object, which is there and does not fit.
    Object,
    /// An object is missing, and may come by itself.
    Missing,
}

/// One thing that keeps a router from carrying a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Field of the Rollout that leads there: `spec.strategy.canary.trafficRouting.nginx.stableIngress`.
    pub path: String,
    /// What is wrong and what to do, one sentence.
    pub message: String,
    /// Where the remedy is.
    pub class: Class,
}

impl Problem {
    pub(crate) fn spec(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), class: Class::Spec }
    }

    pub(crate) fn object(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), class: Class::Object }
    }

    pub(crate) fn missing(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), class: Class::Missing }
    }

    /// Reason of the event that tells of it.
    //= compat: 6.1-7
    pub const fn reason(&self) -> &'static str {
        match self.class {
            Class::Spec => "InvalidSpec",
            Class::Object | Class::Missing => "TrafficRoutingError",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for Problem {}
