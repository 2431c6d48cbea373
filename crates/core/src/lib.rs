//! The decisions of Serin. One function matters: [`decide`], from a snapshot of the world and a time to the actions,
//! the next status, the reasons, and the moment to look again.
//!
//! This crate knows no files, sockets, clocks, processes, YAML or Kubernetes. It never sees an invalid rollout
//! (`serin-spec` lowers only what passed validation), so it has no error type: "not yet" is a [`Reason`].

pub mod abort;
pub mod action;
pub mod analysis;
pub mod blue_green;
pub mod canary;
pub mod condition;
pub mod decision;
pub mod experiment;
pub mod intent;
pub mod invalid;
pub mod metadata;
pub mod naming;
pub mod outcome;
pub mod pass;
pub mod phase;
pub mod plugin;
pub mod promotion;
pub mod reason;
pub mod restart;
pub mod restarting;
pub mod revision;
pub mod rollout;
pub mod runs;
pub mod scale;
pub mod services;
pub mod status;
pub mod time;
pub mod weight;
pub mod workload;
pub mod world;

pub use action::Action;
pub use decision::{Decision, decide};
pub use invalid::invalid;
pub use metadata::{Metadata, RoleMetadata};
pub use reason::Reason;
pub use rollout::{BlueGreen, Canary, Rollout, Step, Strategy};
pub use status::Status;
pub use time::{Span, Time};
pub use weight::{Destination, HeaderRoute, MirrorRoute, Share, Split};
pub use world::{Member, Pool, World};

/// Name of a revision's pool: the pod-template hash (section 2.3 of the Argo reference).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(String);

impl Hash {
    /// Wraps a pod-template hash.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The hash as it appears in labels and names.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Hash {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
