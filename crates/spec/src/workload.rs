//! The template of another object: what a `workloadRef` may name, and what is taken from it (section 1.3 of the Argo
//! reference). It is put into the rollout in memory only; what is stored and shown stays as it was written.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serin_core::rollout::{ScaleDown, Workload};
use thiserror::Error;

use crate::wire::meta::LabelSelector;
use crate::wire::pod::PodTemplate;
use crate::wire::rollout::{RolloutSpec, WorkloadRef};

/// Why a template cannot be taken from another object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorkloadError {
    /// Objects of this kind hold no template that is known.
    //= compat: 1.3-1
    #[error("workload of type {group}/{kind} is not supported")]
    Unsupported {
        /// The group.
        group: String,
        /// The kind.
        kind: String,
    },
    /// There is no such object.
    //= compat: 1.3-6
    #[error("{resource} \"{name}\" not found")]
    NotFound {
        /// The kind as a server names it, such as `deployments.apps`.
        resource: &'static str,
        /// The name.
        name: String,
    },
    /// The object holds no template, or a selector that is none.
    #[error("failed to read the template of {resource} \"{name}\": {why}")]
    Unreadable {
        /// The kind as a server names it.
        resource: &'static str,
        /// The name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// What an object holds for a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The template.
    pub template: PodTemplate,
    /// The selector, if objects of its kind have one.
    pub selector: Option<LabelSelector>,
}

/// An object that holds a template, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The whole object.
    pub object: Value,
}

impl Holder {
    /// The object as a holder of a template, if objects of its kind are.
    pub fn of(object: Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let kind = Kind::of(object["apiVersion"].as_str()?, object["kind"].as_str()?)?;
        let name = text("/metadata/name").unwrap_or_default();
        let namespace = text("/metadata/namespace").unwrap_or_else(|| "default".to_owned());
        Some(Holder { kind, namespace, name, object })
    }

    /// Where its template is, as a path of its fields.
    pub const fn template_path(&self) -> &'static str {
        match self.kind {
            Kind::Deployment | Kind::ReplicaSet => "spec.template",
            Kind::PodTemplate => "template",
        }
    }

    /// Whether another one is of the same kind, namespace and name.
    pub fn is_same_object(&self, other: &Holder) -> bool {
        (self.kind, &self.namespace, &self.name) == (other.kind, &other.namespace, &other.name)
    }

    /// Whether a reference of a rollout in this namespace names it.
    pub fn is_named_by(&self, namespace: &str, reference: &WorkloadRef) -> bool {
        let named = reference.name.as_deref() == Some(self.name.as_str());
        named && self.namespace == namespace && kind(reference) == Ok(self.kind)
    }
}

/// A kind of object that holds a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Deployment` of any version of the group `apps`.
    Deployment,
    /// `ReplicaSet` of any version of the group `apps`.
    ReplicaSet,
    /// `PodTemplate` of the core group.
    PodTemplate,
}

impl Kind {
    /// The kind by its group and version and its name, if objects of this kind hold a template.
    //= compat: 1.3-1, 1.3-2
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match (group, kind) {
            ("apps", "Deployment") => Some(Kind::Deployment),
            ("apps", "ReplicaSet") => Some(Kind::ReplicaSet),
            ("", "PodTemplate") => Some(Kind::PodTemplate),
            _ => None,
        }
    }

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Deployment => "Deployment",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::PodTemplate => "PodTemplate",
        }
    }

    /// Plural and group, as a server's messages have them.
    pub const fn resource(self) -> &'static str {
        match self {
            Kind::Deployment => "deployments.apps",
            Kind::ReplicaSet => "replicasets.apps",
            Kind::PodTemplate => "podtemplates",
        }
    }
}

/// The kind that a reference names.
///
/// # Errors
/// When objects of that kind hold no template.
pub fn kind(reference: &WorkloadRef) -> Result<Kind, WorkloadError> {
    let api_version = reference.api_version.as_deref().unwrap_or_default();
    let kind = reference.kind.as_deref().unwrap_or_default();
    Kind::of(api_version, kind).ok_or_else(|| WorkloadError::Unsupported {
        group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
        kind: kind.to_owned(),
    })
}

/// What the object that a reference names holds; `found` is that object, `None` if there is none.
///
/// # Errors
/// When the kind is not supported, the object is missing, or it holds no template.
//= compat: 1.3-1, 1.3-4, 1.3-6
pub fn resolve(reference: &WorkloadRef, found: Option<&Value>) -> Result<Held, WorkloadError> {
    let kind = kind(reference)?;
    let (resource, name) = (kind.resource(), reference.name.clone().unwrap_or_default());
    let Some(object) = found else { return Err(WorkloadError::NotFound { resource, name }) };
    let (template, selector) = match kind {
        Kind::Deployment | Kind::ReplicaSet => (&object["spec"]["template"], &object["spec"]["selector"]),
        Kind::PodTemplate => (&object["template"], &Value::Null),
    };
    let unreadable = |why: String| WorkloadError::Unreadable { resource, name: name.clone(), why };
    if !template.is_object() {
        return Err(unreadable("it has none".to_owned()));
    }
    let selector = match selector {
        Value::Null => None,
        held => Some(serde_json::from_value(held.clone()).map_err(|error| unreadable(error.to_string()))?),
    };
    Ok(Held { template: PodTemplate(template.clone()), selector })
}

impl Held {
    /// Puts template and selector where a rollout of its own would have them. A selector that is written there stays.
    //= compat: 1.3-3, 1.3-4
    pub fn put_into(self, spec: &mut RolloutSpec) {
        spec.template = Some(self.template);
        if spec.selector.is_none() {
            spec.selector = self.selector;
        }
    }
}

/// The workload in the core's terms. Only a Deployment is ever taken down; `replicas` is what it wants now.
//= compat: 1.3-10
pub fn lowered(reference: &WorkloadRef, replicas: u32) -> Option<Workload> {
    let scale_down = match reference.scale_down.as_deref() {
        Some("onsuccess") => ScaleDown::OnSuccess,
        Some("progressively") => ScaleDown::Progressively,
        _ => ScaleDown::Never,
    };
    (kind(reference) == Ok(Kind::Deployment)).then_some(Workload { scale_down, replicas })
}
