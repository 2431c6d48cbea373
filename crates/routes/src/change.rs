//! A write that a router needs, as a value.

use serde_json::Value;

/// How an object is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// A new object.
    Create(Value),
    /// RFC 7386. Where the patch holds `metadata.resourceVersion`, the server refuses it when somebody else was faster.
    MergePatch(Value),
}

/// What is told of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// One word, as Argo says it.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Group and version.
    pub api_version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// How it is written.
    pub verb: Verb,
    /// The event of the Rollout that tells of it, a normal one.
    pub event: Option<Event>,
}
