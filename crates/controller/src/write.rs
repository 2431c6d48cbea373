//! A write to the API server as a value: what is written where, how, and what follows from its failure.

use serde_json::Value;

use crate::object::Object;

/// The object that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Group and version, `v1` for the core group.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name; empty where the server makes one.
    pub name: String,
}

/// How it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// A new object. An `Eviction` is made on the `eviction` subresource of the pod of its name.
    Create(Value),
    /// The whole object with the version it was read at; refused when somebody else was faster.
    Update(Value),
    /// RFC 7386, on the object itself.
    MergePatch(Value),
    /// RFC 7386, on the `status` subresource.
    StatusPatch(Value),
    /// Kubernetes' own patch, which knows lists by their keys.
    StrategicPatch(Value),
    /// RFC 6902, on the object itself: the one patch that replaces an object within as a whole.
    JsonPatch(Value),
    /// Gone, with what it owns; `foreground` waits for that first.
    Delete {
        /// Whether the object stays until what it owns is gone.
        foreground: bool,
    },
}

/// What follows when a write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failure {
    /// The writes behind it are not sent; the whole pass is tried again later.
    #[default]
    Stop,
    /// The writes behind it do not need it; the next pass sees that it is missing.
    //= compat: 2.2-12
    Skip,
    /// As [`Failure::Skip`], and an object that is gone already is no failure.
    Gone,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Of what.
    pub target: Target,
    /// How.
    pub verb: Verb,
    /// What follows when it fails.
    pub failure: Failure,
    /// The owner, by uid, that must be read anew and not be on its way out before this is sent.
    pub owner: Option<String>,
}

impl Target {
    /// The object itself.
    pub fn of(object: &Object) -> Self {
        Self::new(object.api_version(), object.kind(), object.namespace(), object.name())
    }

    /// An object by its parts.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Write {
    /// A write whose failure stops the pass.
    pub fn new(target: Target, verb: Verb) -> Self {
        Self { target, verb, failure: Failure::Stop, owner: None }
    }

    /// The object made anew, with its own kind and name.
    pub fn create(object: Value) -> Self {
        let object = Object(object);
        Self::new(Target::of(&object), Verb::Create(object.0))
    }

    /// The same, with what follows from a failure.
    pub fn or(self, failure: Failure) -> Self {
        Self { failure, ..self }
    }

    /// Whether a newer version of the object on the server refuses this write. Then the pass ends and is made again from what
    /// is read then; a write is never repeated by itself.
    //= compat: 2.1-2
    pub const fn can_conflict(&self) -> bool {
        matches!(self.verb, Verb::Update(_))
    }
}
