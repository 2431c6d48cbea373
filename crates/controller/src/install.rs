//! What an installation consists of: options in, objects out. `serin install` prints them, the chart and the kustomize bases
//! hold the same.

pub mod difference;
mod people;
pub mod permission;
mod process;
mod roles;

use serde_json::{Map, Value, json};
use serin_spec::crd;

use crate::object::Object;

pub use permission::{Permission, Reach};

/// The name of everything that is installed; an instance's name follows after a `-`.
pub const NAME: &str = "serin";
/// Label by which objects of ours are known; definitions without it are somebody else's and stay as they are.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// The lock of the leader; an instance's name follows after a `-`.
pub const LOCK: &str = "argo-rollouts-controller-lock";
/// The port that answers `/healthz` and `/readyz`.
pub const HEALTH_PORT: u16 = 8080;
/// The port that answers `/metrics`.
pub const METRICS_PORT: u16 = 8090;

/// Whose rollouts are driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces. Secrets are read in these alone.
    Cluster {
        /// Namespaces, in the order in which their bindings are made.
        secrets: Vec<String>,
    },
    /// Those of one namespace, whose secrets may be read.
    Namespace(String),
}

/// The folder of a pod that holds the logs of what sequential metrics judge.
pub const EVIDENCE: &str = "/var/lib/serin/evidence";

/// The group of the image's user, to which a claim's folder is given.
const GROUP: u32 = 65_532;

/// The logs of what sequential metrics judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceLog {
    /// The volume claim that they are in; without one they go with the pod.
    pub claim: Option<String>,
    /// Most that they may take together, in MiB.
    pub max_mib: u32,
}

impl EvidenceLog {
    /// What they may take where nobody says otherwise, in MiB.
    pub const MAX_MIB: u32 = 1024;
}

/// What is installed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whose rollouts.
    pub scope: Scope,
    /// The namespace that the controller runs in.
    pub home: String,
    /// The image, with its tag or digest.
    pub image: String,
    /// Processes, of which one leads; 1 or more.
    pub replicas: u32,
    /// Only objects with this instance label are driven; empty for those without the label.
    pub instance: String,
    /// With what a cluster has once, whoever uses it: the definitions, and the roles for people.
    pub shared: bool,
    /// Whether what is judged is logged.
    pub evidence: Option<EvidenceLog>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scope: Scope::Cluster { secrets: Vec::new() },
            home: NAME.to_owned(),
            image: format!("serin/serin:{}", env!("CARGO_PKG_VERSION")),
            replicas: 2,
            instance: String::new(),
            shared: true,
            evidence: None,
        }
    }
}

impl Options {
    /// The name of what is made for this controller alone, so that several instances stand side by side.
    pub fn name(&self) -> String {
        if self.instance.is_empty() { NAME.to_owned() } else { format!("{NAME}-{}", self.instance) }
    }

    /// The name of the lock on which its processes agree.
    //= compat: 9.2-1
    pub fn lock(&self) -> String {
        if self.instance.is_empty() { LOCK.to_owned() } else { format!("{LOCK}-{}", self.instance) }
    }
}

/// All objects, in an order in which they can be made one after the other.
pub fn objects(options: &Options) -> Vec<Object> {
    let mut objects = Vec::new();
    if options.scope != Scope::Namespace(options.home.clone()) {
        // Who watches the namespace that the controller lives in has it already, and may not be allowed to make one.
        objects.push(object("v1", "Namespace", None, &options.home));
    }
    if options.shared {
        objects.extend(definitions());
        objects.extend(people::roles());
    }
    objects.extend(roles::objects(options));
    objects.extend(process::objects(options));
    objects
}

/// The definitions of Argo's kinds.
pub fn definitions() -> Vec<Object> {
    crd::definitions().into_iter().map(|definition| Object(definition.object)).collect()
}

/// Whether a definition that a cluster has is one of ours. Argo's own, or one that another tool looks after, is left alone.
pub fn is_ours(definition: &Object) -> bool {
    definition.label(PART_OF) == Some(NAME)
}

/// An object with its labels, of a namespace or of the cluster.
fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Object {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), name.into());
    if let Some(namespace) = namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    metadata.insert("labels".to_owned(), json!({ "app.kubernetes.io/name": NAME, PART_OF: NAME }));
    Object(json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata }))
}

/// The same with more fields beside its metadata.
fn with(mut object: Object, fields: Value) -> Object {
    if let (Value::Object(all), Value::Object(more)) = (&mut object.0, fields) {
        all.extend(more);
    }
    object
}

#[cfg(test)]
mod tests;
